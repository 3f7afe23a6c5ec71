/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * A map whose entries go over into a larger one, in two sweeps: the first one before anything uses the new map, the
 * second one (OP_MAP_SYNC) when nothing runs the old programs any more. Internal to kern.
 */
#pragma once

#include "kern/context.h"
#include "kern/map_snapshot.h"

/* How long one operation may take: far below the watchdog's two minutes. */
#define MAP_SWEEP_SECONDS 30

/*
 * The first sweep, from fds[0] to fds[1], which nothing may use yet. The snapshot for the second one becomes part of s; how
 * many entries there were goes to *ret_count.
 */
int map_copy(struct map_snapshots *s, const int fds[2], uint64_t deadline_ns, uint64_t *ret_count,
	     struct error *e);

/* OP_MAP_SYNC; reason MapCopyFailed or by the code. */
void map_sync_apply(const struct kern_context *c, struct arena *a, const struct op *op,
		    struct op_result *ret);
