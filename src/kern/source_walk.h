/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* Opens what configuration names, step by step, under the trust rules. Internal to source. */
#pragma once

#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "base/arena.h"
#include "model/desired.h"

/* A directory that is held open, as O_PATH. */
struct place {
	int fd;           /* -1: none */
	const char *path; /* absolute, as the user knows it */
	const char *real; /* absolute, all links followed: what can be watched */
};

struct walker {
	struct arena *arena;
	const uid_t *owners; /* trusted besides root */
	size_t owner_count;
	bool any_owner;             /* no trust rules */
	LIST(const char *) watches; /* directories in which a change can change what was found */
};

/* Why something was not opened: a sentence and, where there is one, the remedy. */
struct complaint {
	const char *what, *hint; /* from the walker's arena; hint may be NULL */
};

void walk_watch(struct walker *w, const char *real);

/*
 * Opens the directory that path names. path is absolute with base NULL, else relative to base,
 * with links but never out of it. -ENOENT: it or a directory above it is absent; -EPERM:
 * the trust rules; -EXDEV: leads out of base; all with a complaint.
 */
int walk_directory(struct walker *w, const struct place *base, const char *path, struct place *ret,
		   struct complaint *why);

/*
 * Opens a regular file for reading; path as above. -ENOTSUP: not a regular file. Neither a FIFO
 * nor a device is ever opened, and nothing here blocks.
 */
int walk_file(struct walker *w, const struct place *base, const char *path, int *ret_fd,
	      struct complaint *why);

/*
 * Whether name in base is a link to /dev/null, which is never followed: 1 or 0. -EPERM with a
 * complaint when it is one that the trust rules refuse.
 */
int walk_is_mask(struct walker *w, const struct place *base, const char *name,
		 struct complaint *why);

/*
 * Reads up to limit bytes to the end of the file; -EFBIG if there are more. *ret_data is from
 * malloc, with a NUL behind the last byte. No complaint: the code says all.
 */
int read_bytes(int fd, size_t limit, char **ret_data, size_t *ret_size);

/* Fills in *why and returns code. */
int complain(struct walker *w, struct complaint *why, int code, const char *hint, const char *fmt,
	     ...) printf_like(5, 6);
