/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Numbers that change with every packet and so are worth nothing when a pass is over: read by id,
 * when somebody asks. Changes nothing.
 */
#pragma once

#include <stdint.h>

/* More keys than this are not counted. */
#define COUNTERS_ENTRIES_MOST 1000000

/* What the kernel counted while kernel.bpf_stats_enabled was on; 0 or -errno. */
int counters_read_runs(uint32_t program, uint64_t *ret_count, uint64_t *ret_ns);

/*
 * How many keys a map has. -EOPNOTSUPP: a map of this type has no fill, such as an array; -EPERM:
 * user space may not read it; -E2BIG: more than COUNTERS_ENTRIES_MOST; -ETIMEDOUT: CLOCK_MONOTONIC passed
 * deadline_ns.
 */
int counters_count_entries(uint32_t map, uint64_t deadline_ns, uint64_t *ret);
