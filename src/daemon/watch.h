/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Everything that tells the daemon of a change between two resyncs. No watcher acts on
 * what an event says: it only names what is dirty (enum recon_dirty), and a lost or
 * ambiguous event makes everything dirty.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/inotify.h>
#include <systemd/sd-event.h>

#include "base/error.h"

struct watch_target {
	sd_event *event;
	void (*changed)(void *arg, unsigned int dirty);
	void *arg;
};

/* --- links: RTNLGRP_LINK of a network namespace, and RTNLGRP_TC on demand ------ */

struct watch_links;

int watch_links_new(const struct watch_target *t, struct watch_links **ret, struct error *e);
void watch_links_free(struct watch_links *w);
/*
 * Filters and qdiscs of the kinds clsact and ingress as well, or not any more; of TCX lists the kernel
 * tells nobody. True when they were not watched before: what happened until now needs a look.
 */
bool watch_links_set_tc(struct watch_links *w, bool wanted);

/* --- mounts: the mount table of our mount namespace -------------------------- */

struct watch_mounts;

int watch_mounts_new(const struct watch_target *t, struct watch_mounts **ret, struct error *e);
void watch_mounts_free(struct watch_mounts *w);

/* --- inotify, for the two watchers of files and of pins ---------------------- */

struct inotify {
	int fd;
	sd_event_source *source;
	void (*handle)(void *arg, const struct inotify_event *event);
	void *arg;
	int full; /* errno that kept a directory from being watched, to say so once */
};

int inotify_start(struct inotify *n, sd_event *event,
		  void (*handle)(void *arg, const struct inotify_event *event), void *arg,
		  struct error *e);
void inotify_stop(struct inotify *n);
/* The watch descriptor, or -errno; a full kernel table is logged, since only the resync is left then. */
int inotify_watch(struct inotify *n, const char *path, uint32_t mask);
