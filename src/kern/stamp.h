/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Whether the names in a directory are still those that were read, by its time of change: bpffs sets it when a name
 * comes, goes or is renamed over, also from another mount of the same instance. What lies below one directory deeper
 * changes only that one. The time has the coarseness of the kernel's tick, so a directory that was changed in the
 * tick in which it was read may change again unseen: it is to be read once more.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>
#include <time.h>

/* inode 0: there was none. */
struct stamp {
	dev_t device;
	ino_t inode;
	struct timespec changed;
};

/* Before it is read. directory may be AT_FDCWD; a symbolic link is not followed. */
struct stamp stamp_of(int directory, const char *path);
bool stamp_same(const struct stamp *x, const struct stamp *y); /* false without a directory */

/* The present time as the kernel's ticks have it, to be taken before the stamps. */
struct timespec stamp_now(void);
/* Nothing had changed in the tick `now`, nor later; a directory that was not there is settled. */
bool stamp_settled(const struct stamp *s, const struct timespec *now);
