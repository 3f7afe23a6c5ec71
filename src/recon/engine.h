/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * The real parts put together: lock, loader, the Linux back end and recon. What runs
 * inside the daemon's loop, in `--once` and in `bpfsharectl purge` without a daemon.
 */
#pragma once

#include "kern/linux.h"
#include "kern/lock.h"
#include "recon/loader.h"
#include "recon/recon.h"

struct engine {
	struct arena *arena;
	struct lock lock;
	struct loader *loader;
	struct kern_linux *kernel;
	struct recon *recon;
	const char *run_dir, *bpffs_dir;
};

struct engine_options {
	struct loader_options
		loader; /* state_dir: the daemon's, which holds more than the loader's */
	const char *run_dir, *bpffs_dir;
};

/*
 * Takes the lock of the run directory and builds the rest; strings of o must outlive the
 * engine. -EWOULDBLOCK: another process holds the lock or that of our bpffs directory, *ret_holder is its
 * pid (0: unknown).
 */
int engine_new(const struct engine_options *o, struct engine **ret, pid_t *ret_holder,
	       struct error *e);
void engine_free(struct engine *g); /* leaves everything in the kernel in place */

static inline void engine_freep(struct engine **g)
{
	engine_free(*g);
}

/*
 * recon_run() at the present time, under the locks of the run directory and of our bpffs directory, which
 * are taken again if somebody removed what they are on. -EWOULDBLOCK: another daemon holds one
 * of them; nothing was done.
 */
int engine_run(struct engine *g, unsigned int dirty, struct error *e);
int engine_purge(struct engine *g, struct error *e);

/* CLOCK_MONOTONIC, as recon wants it. */
uint64_t engine_now_ns(void);

/* What this machine is, for `when`. */
void engine_node(struct arena *a, struct node *ret);
