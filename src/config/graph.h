/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* Cycles of a directed graph whose nodes are numbers. Equal edges give equal answers. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"

struct graph_edge {
	size_t from, to;
};

struct graph {
	struct arena *arena;
	size_t n; /* nodes 0 … n-1 */
	LIST(struct graph_edge) edges;
};

struct graph_cycle {
	size_t *nodes; /* in the direction of the edges, the smallest first and only once */
	size_t n;
};

struct graph_cycles {
	LIST(struct graph_cycle) list;
};

void graph_add(struct graph *g, size_t from, size_t to);

/* By node: whether a cycle can be reached from it. */
const bool *graph_reaches_cycle(const struct graph *g);

/* Cycles without a node in common, until none is left beside them. */
struct graph_cycles graph_find_cycles(const struct graph *g);
