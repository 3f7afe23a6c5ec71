/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Nodes without a way out are taken away until none is left: every node that stays leads
 * into a cycle, so that following any way out must come by a node again.
 */
#include "config/graph.h"

#include <string.h>

/* The edges by one of their ends: those of node i are to[first[i]] up to to[first[i + 1]]. */
struct adjacency {
	size_t *first, *to;
};

void graph_add(struct graph *g, size_t from, size_t to)
{
	*LIST_ADD(g->arena, &g->edges) = (struct graph_edge){ from, to };
}

static struct adjacency sort_edges(const struct graph *g, bool reverse)
{
	struct adjacency ret = {
		.first = arena_calloc(g->arena, g->n + 2, sizeof(size_t)),
		.to = arena_calloc(g->arena, g->edges.n, sizeof(size_t)),
	};

	/* Counted one place further on, so that filling in moves each start to its own place. */
	for (size_t i = 0; i < g->edges.n; i++)
		ret.first[(reverse ? g->edges.v[i].to : g->edges.v[i].from) + 2]++;
	for (size_t i = 2; i < g->n + 2; i++)
		ret.first[i] += ret.first[i - 1];
	for (size_t i = 0; i < g->edges.n; i++) {
		const struct graph_edge *e = &g->edges.v[i];
		size_t node = reverse ? e->to : e->from;

		ret.to[ret.first[node + 1]++] = reverse ? e->from : e->to;
	}
	return ret;
}

/* Clears what cannot reach a cycle among the nodes that are set. */
static void peel(const struct graph *g, bool *alive)
{
	struct adjacency in = sort_edges(g, true);
	size_t *out_degree = arena_calloc(g->arena, g->n, sizeof(*out_degree));
	size_t *queue = arena_calloc(g->arena, g->n, sizeof(*queue)), head = 0, tail = 0;

	for (size_t i = 0; i < g->edges.n; i++)
		if (alive[g->edges.v[i].from] && alive[g->edges.v[i].to])
			out_degree[g->edges.v[i].from]++;
	for (size_t i = 0; i < g->n; i++)
		if (alive[i] && !out_degree[i])
			queue[tail++] = i;
	while (head < tail) {
		size_t node = queue[head++];

		alive[node] = false;
		for (size_t i = in.first[node]; i < in.first[node + 1]; i++)
			if (alive[in.to[i]] && --out_degree[in.to[i]] == 0)
				queue[tail++] = in.to[i];
	}
}

static bool *all_alive(const struct graph *g)
{
	bool *alive = arena_calloc(g->arena, g->n, sizeof(*alive));

	memset(alive, true, g->n * sizeof(*alive));
	return alive;
}

const bool *graph_reaches_cycle(const struct graph *g)
{
	bool *alive = all_alive(g);

	peel(g, alive);
	return alive;
}

/* From a node that reaches a cycle along first ways out, until one comes up again. */
static struct graph_cycle walk(const struct graph *g, const struct adjacency *out,
			       const bool *alive, size_t node)
{
	size_t *path = arena_calloc(g->arena, g->n, sizeof(*path)), n = 0, smallest = 0;
	size_t *place = arena_calloc(g->arena, g->n, sizeof(*place)); /* in path, from 1 */
	struct graph_cycle ret;

	while (!place[node]) {
		size_t i = out->first[node];

		path[n++] = node;
		place[node] = n;
		while (!alive[out->to[i]])
			i++;
		node = out->to[i];
	}
	path += place[node] - 1;
	ret.n = n - (place[node] - 1);
	for (size_t i = 1; i < ret.n; i++)
		smallest = path[i] < path[smallest] ? i : smallest;
	ret.nodes = arena_calloc(g->arena, ret.n, sizeof(*ret.nodes));
	for (size_t i = 0; i < ret.n; i++)
		ret.nodes[i] = path[(smallest + i) % ret.n];
	return ret;
}

struct graph_cycles graph_find_cycles(const struct graph *g)
{
	struct graph_cycles ret = { 0 };
	struct adjacency out = sort_edges(g, false);
	bool *alive = all_alive(g);

	for (size_t node = 0;;) {
		struct graph_cycle cycle;

		peel(g, alive);
		while (node < g->n && !alive[node])
			node++;
		if (node == g->n)
			return ret;
		cycle = walk(g, &out, alive, node);
		for (size_t i = 0; i < cycle.n; i++)
			alive[cycle.nodes[i]] = false;
		*LIST_ADD(g->arena, &ret.list) = cycle;
	}
}
