/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* Filters of the kind bpf at the qdisc clsact (or ingress). Internal to kern. */
#pragma once

#include "kern/context.h"

struct netlink;

/* The name by which a filter is known to be ours: "bpfshare:TAG". */
const char *clsact_mark(struct arena *a, const struct kern_context *c);

/*
 * Fills in qdisc and filters of all that are in tc, in ascending order of ifindex. What no filter of
 * any kind can be at costs nothing but its share of one dump of all qdiscs.
 */
int clsact_observe(struct arena *a, struct observed_tc *tc, size_t count, struct error *e);

void clsact_set(const struct kern_context *c, struct arena *a, const struct op_tc *op,
		int program_fd, struct op_result *ret);
void clsact_clear(const struct kern_context *c, struct arena *a, const struct op_tc *op,
		  struct op_result *ret);

/*
 * Two requests for the interface of this index: the qdisc, which must not exist, and a filter with this
 * program. Calls nothing that a child of a process with threads may not call; 0 or -errno.
 */
int clsact_try(uint32_t ifindex, int program_fd);
