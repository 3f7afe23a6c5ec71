/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * A map whose entries go over into a larger one, in two sweeps: the first one before anything uses the new map, the
 * second one (OP_MAP_SYNC) when nothing runs the old programs any more. Internal to kern.
 */
#pragma once

#include <stdbool.h>

#include "kern/context.h"
#include "kern/map_snapshot.h"

/*
 * How long one operation may sweep, and all of a plan together: nothing else is done meanwhile, and the watchdog waits for
 * two minutes.
 */
#define MAP_SWEEP_MS     30000
#define MAP_SWEEP_ALL_MS 60000

/* The sweeps of one operation. */
struct map_sweep {
	int64_t *left_ms; /* of the plan */
	uint64_t begun_ns, deadline_ns;
	bool whole; /* it has all the time that an operation can have */
};

struct map_sweep map_sweep_begin(const struct kern_context *c);
void map_sweep_end(struct map_sweep *s);

/*
 * The first sweep, from fds[0] to fds[1], which nothing may use yet. The snapshot for the second one becomes part of s; how
 * many entries there were goes to *ret_count.
 */
int map_copy(struct map_snapshots *s, const int fds[2], uint64_t deadline_ns, uint64_t *ret_count,
	     struct error *e);

/* OP_MAP_SYNC; reason MapCopyFailed or by the code. */
void map_sync_apply(const struct kern_context *c, struct arena *a, const struct op *op,
		    struct op_result *ret);
