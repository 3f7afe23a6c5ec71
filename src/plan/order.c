/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * The order of a chain is a function of the declarations alone: of the members that no
 * constraint holds back any more, the least by priority, object and program comes next. At most
 * LIMIT_CHAIN_TAILCALL members, so that a set of them is one word of bits.
 */
#include <string.h>

#include "base/macros.h"
#include "base/str.h"
#include "model/limits.h"
#include "plan/plan_internal.h"

struct graph {
	size_t n;
	uint32_t after[LIMIT_CHAIN_TAILCALL]; /* bit k of after[i]: i comes after k */
};

_Static_assert(LIMIT_CHAIN_TAILCALL <= 32, "sets of members are 32-bit masks");

static uint32_t members_named(const struct slot *slots, size_t n, const struct program_reference *r)
{
	uint32_t mask = 0;

	for (size_t i = 0; i < n; i++)
		if (str_eq(slots[i].object, r->object) && str_eq(slots[i].program, r->program))
			mask |= 1u << i;
	return mask;
}

static void graph_build(struct graph *g, const struct slot *slots, size_t n)
{
	*g = (struct graph){ .n = n };
	for (size_t i = 0; i < n; i++) {
		const struct attach_decl *decl = slots[i].attachment ? slots[i].attachment->decl :
								       NULL;

		for (size_t k = 0; decl && k < decl->after_count; k++)
			g->after[i] |= members_named(slots, n, &decl->after[k]);
		for (size_t k = 0; decl && k < decl->before_count; k++) {
			uint32_t later = members_named(slots, n, &decl->before[k]);

			for (size_t j = 0; j < n; j++)
				if (later & (1u << j))
					g->after[j] |= 1u << i;
		}
	}
}

static int slot_compare(const struct slot *x, const struct slot *y)
{
	int r = (int)x->priority - (int)y->priority;

	if (!r)
		r = strcmp(x->object, y->object);
	return r ? r : strcmp(x->program, y->program);
}

/* The next member among those that are left, n when all of them wait for another. */
static size_t next_member(const struct graph *g, const struct slot *slots, uint32_t left)
{
	size_t best = g->n;

	for (size_t i = 0; i < g->n; i++) {
		if (!(left & (1u << i)) || (g->after[i] & left))
			continue;
		if (best == g->n || slot_compare(&slots[i], &slots[best]) < 0)
			best = i;
	}
	return best;
}

/* Shortest way back from a member to itself along `after`; writes it and returns its length, 0: none. */
static size_t find_cycle(const struct graph *g, size_t start, size_t ret_path[])
{
	size_t from[LIMIT_CHAIN_TAILCALL], queue[LIMIT_CHAIN_TAILCALL], head = 0, tail = 0, n = 0;
	uint32_t seen = 0;

	for (size_t at = start;; at = queue[head++]) {
		for (size_t k = 0; k < g->n; k++) {
			if (!(g->after[at] & (1u << k)) || (seen & (1u << k)))
				continue;
			seen |= 1u << k;
			from[k] = at;
			queue[tail++] = k;
		}
		if ((seen & (1u << start)) || head == tail)
			break;
	}
	if (!(seen & (1u << start)))
		return 0;
	/* from[] leads back from a predecessor to its successor: the order in which they should run. */
	for (size_t at = start; n == 0 || at != start; at = from[at])
		ret_path[n++] = at;
	return n;
}

static const char *cycle_text(struct arena *a, const struct graph *g, const struct slot *slots,
			      size_t start)
{
	size_t path[LIMIT_CHAIN_TAILCALL];
	size_t n = find_cycle(g, start, path);
	const char *text = "";

	for (size_t i = 0; i < n; i++)
		text = arena_printf(a, "%s%s/%s before ", text, slots[path[i]].object,
				    slots[path[i]].program);
	return arena_printf(a, "%s%s/%s", text, slots[start].object, slots[start].program);
}

const char *slots_order(struct arena *a, struct slot *slots, size_t n, uint32_t *ret_cyclic)
{
	struct slot sorted[LIMIT_CHAIN_TAILCALL];
	size_t path[LIMIT_CHAIN_TAILCALL], first = n;
	struct graph g;
	uint32_t left = n ? UINT32_MAX >> (32 - n) : 0;

	*ret_cyclic = 0;
	graph_build(&g, slots, n);
	for (size_t placed = 0; placed < n; placed++) {
		size_t next = next_member(&g, slots, left);

		if (next == n)
			break;
		sorted[placed] = slots[next];
		left &= ~(1u << next);
	}
	if (!left) {
		memcpy(slots, sorted, n * sizeof(*slots));
		return NULL;
	}
	for (size_t i = 0; i < n; i++) {
		if (!find_cycle(&g, i, path))
			continue;
		*ret_cyclic |= 1u << i;
		if (first == n || slot_compare(&slots[i], &slots[first]) < 0)
			first = i;
	}
	return cycle_text(a, &g, slots, first);
}
