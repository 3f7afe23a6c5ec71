/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * One writer at a time: flock on RUN_DIR/lock and on our bpffs directory, both 0700,
 * because whoever can open a directory can lock it. The kernel frees the locks with
 * the process; descriptors are close-on-exec, so no helper inherits them.
 */
#pragma once

#include <sys/types.h>

#include "base/error.h"

struct lock {
	int run_fd, bpffs_fd; /* -1: not held */
};

#define LOCK_NONE      \
	{              \
		-1, -1 \
	}

/* Creates run_dir (0755) and run_dir/lock. -EWOULDBLOCK: held; *ret_pid is the holder's, 0 if unknown. */
int lock_take(const char *run_dir, struct lock *ret, pid_t *ret_pid, struct error *e);
/* The second half, once our directory on the bpffs exists; 0 at once if already held. */
int lock_take_bpffs(struct lock *l, const char *bpffs_dir, struct error *e);
void lock_release(struct lock *l);
