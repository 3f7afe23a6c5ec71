/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* What observing and changing shares have in common. */
#pragma once

#include "kern/context.h"
#include "kern/mountinfo.h"

/* Pins are made under '~' + alias and renamed; no alias can contain that character. */
#define SHARE_TEMPORARY "~"

/*
 * A symbolic link in the instance that leads to what the mount's source should be, on kernels
 * that do not keep that (mount_keeps_source()). Nobody follows it.
 */
#define SHARE_MARK "~~bpfshare"

/* Reads mountinfo, and puts the mark of such instances in the place of their source. */
int share_read_mounts(struct arena *a, struct mountinfo *ret, struct error *e);

/* What is at the path of a share. */
struct share_place {
	int fd; /* O_PATH: root of the topmost mount or bare directory; -1: nothing */
	const struct mountinfo_entry *top; /* the topmost mount at exactly this path, or NULL */
	const char *share;                 /* share of the topmost if it is ours, else NULL */
	size_t stacked;                    /* mounts of ours at this path, covered ones included */
};

static inline void share_place_done(struct share_place *p)
{
	closep(&p->fd);
}

/* The share if m is a whole bpffs with our mark, else NULL. */
const char *share_of_mount(const struct kern_context *c, struct arena *a,
			   const struct mountinfo_entry *m);

/*
 * Looks where the path leads now. m: the mounts as they were read before, or NULL: they are read if
 * need be. -ESTALE: they have changed meanwhile. On success the caller owns ret->fd; the
 * rest points into a and m.
 */
int share_place_open(const struct kern_context *c, struct arena *a, const struct mountinfo *m,
		     const char *path, struct share_place *ret, struct error *e);

/* Where the mount is that the path leads into: of a share of ours that is covered, the one that covers it. */
const char *share_mount_over(struct arena *a, const struct mountinfo *m, const char *path);

/* Fills in the pins of the instance whose root is place, sorted by name. */
int share_observe_pins(struct arena *a, int place, struct observed_mount *ret, struct error *e);

/* The id of the map behind a pin, 0 when name is anything else. Negative: could not look. */
int share_pin_map_id(int dirfd, const char *name, uint32_t *ret_id, struct error *e);

/*
 * 0: what we mount is seen by the whole machine. -EXDEV with text: we are in another mount
 * namespace than process 1, and consumers see nothing of it. Else -errno: cannot tell.
 */
int share_check_namespace(struct error *e);
