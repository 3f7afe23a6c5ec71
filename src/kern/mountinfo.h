/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* The mounts of a namespace, as /proc/self/mountinfo lists them. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"

struct mountinfo_entry {
	uint64_t id, parent;
	unsigned int major, minor; /* of the superblock */
	const char *root;          /* what of the superblock is mounted: "/" for all of it */
	const char *path;          /* where, unescaped */
	const char *type, *source;
	bool read_only; /* the superblock, not the mount */
	bool shared;    /* passes mounts on to peers and slaves */
	bool slave;     /* receives them from a master */
};

struct mountinfo {
	struct mountinfo_entry *v; /* sorted by id */
	size_t n;
};

/* Everything is from a. -EBADMSG names the line that is not understood. */
int mountinfo_parse(struct arena *a, const char *text, struct mountinfo *ret, struct error *e);
/* process: "self", or a number: the list of that process's namespace. */
int mountinfo_read(struct arena *a, const char *process, struct mountinfo *ret, struct error *e);

const struct mountinfo_entry *mountinfo_find(const struct mountinfo *m, uint64_t id);
