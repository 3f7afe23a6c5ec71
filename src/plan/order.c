/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * The order of a chain is a function of the declarations alone: of the members that no
 * constraint holds back any more, the least by priority, object and program comes next. At most
 * LIMIT_CHAIN_TCX members, so that a set of them is one word of bits.
 */
#include <string.h>

#include "base/macros.h"
#include "base/str.h"
#include "model/limits.h"
#include "plan/plan_internal.h"

struct graph {
	size_t n;
	uint64_t after[LIMIT_CHAIN_TCX]; /* bit k of after[i]: i comes after k */
};

_Static_assert(LIMIT_CHAIN_TCX <= 64 && LIMIT_CHAIN_TAILCALL <= LIMIT_CHAIN_TCX,
	       "sets of members are 64-bit masks");

static uint64_t bit(size_t i)
{
	return UINT64_C(1) << i;
}

static uint64_t members_named(const struct slot *slots, size_t n, const struct program_reference *r)
{
	uint64_t mask = 0;

	for (size_t i = 0; i < n; i++)
		if (str_eq(slots[i].object, r->object) && str_eq(slots[i].program, r->program))
			mask |= bit(i);
	return mask;
}

/* What runs next ahead of a member, of all that stay; n: nothing. */
static size_t find_predecessor(const struct slot *slots, size_t n, const struct slot *of)
{
	size_t best = n;

	for (size_t i = 0; i < n; i++)
		if (slots[i].live && slots[i].live < of->live &&
		    (best == n || slots[i].live > slots[best].live))
			best = i;
	return best;
}

/* Where a held member ran before it or that one was taken away; n: both run, or that one is not here. */
static size_t find_former_predecessor(const struct slot *slots, size_t n, const struct slot *of)
{
	for (size_t i = 0; of->behind && i < n; i++) {
		size_t length = strlen(slots[i].instance);

		if ((of->live && slots[i].live) || strncmp(of->behind, slots[i].instance, length) ||
		    of->behind[length] != '/' || !str_eq(of->behind + length + 1, slots[i].program))
			continue;
		return i;
	}
	return n;
}

/* A member whose priority nothing tells stays behind what it runs behind, and as close as can be. */
static void keep_places(struct graph *g, const struct slot *slots, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		size_t k = n;

		if (slots[i].unranked)
			k = find_former_predecessor(slots, n, &slots[i]);
		if (slots[i].unranked && k == n)
			k = find_predecessor(slots, n, &slots[i]);
		if (k < n && !(g->after[k] & bit(i)))
			g->after[i] |= bit(k);
	}
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
			uint64_t later = members_named(slots, n, &decl->before[k]);

			for (size_t j = 0; j < n; j++)
				if (later & bit(j))
					g->after[j] |= bit(i);
		}
	}
	keep_places(g, slots, n);
}

/* Foreign members come before ours of the same priority, and stay among each other as they run. */
static int slot_compare(const struct slot *x, const struct slot *y)
{
	int r = (x->priority > y->priority) - (x->priority < y->priority);

	if (!r && x->foreign != y->foreign)
		return x->foreign ? -1 : 1;
	if (!r && x->foreign)
		return x->live < y->live ? -1 : 1;
	if (!r)
		r = strcmp(x->object, y->object);
	return r ? r : strcmp(x->program, y->program);
}

/* The next member among those that are left, n when all of them wait for another. */
static size_t next_member(const struct graph *g, const struct slot *slots, uint64_t left)
{
	size_t best = g->n;

	for (size_t i = 0; i < g->n; i++) {
		if (!(left & bit(i)) || (g->after[i] & left))
			continue;
		if (best == g->n || slot_compare(&slots[i], &slots[best]) < 0)
			best = i;
	}
	return best;
}

/* Shortest way back from a member to itself along `after`; writes it and returns its length, 0: none. */
static size_t find_cycle(const struct graph *g, size_t start, size_t ret_path[])
{
	size_t from[LIMIT_CHAIN_TCX], queue[LIMIT_CHAIN_TCX], head = 0, tail = 0, n = 0;
	uint64_t seen = 0;

	for (size_t at = start;; at = queue[head++]) {
		for (size_t k = 0; k < g->n; k++) {
			if (!(g->after[at] & bit(k)) || (seen & bit(k)))
				continue;
			seen |= bit(k);
			from[k] = at;
			queue[tail++] = k;
		}
		if ((seen & bit(start)) || head == tail)
			break;
	}
	if (!(seen & bit(start)))
		return 0;
	/* from[] leads back from a predecessor to its successor: the order in which they should run. */
	for (size_t at = start; n == 0 || at != start; at = from[at])
		ret_path[n++] = at;
	return n;
}

static const char *cycle_text(struct arena *a, const struct graph *g, const struct slot *slots,
			      size_t start)
{
	size_t path[LIMIT_CHAIN_TCX];
	size_t n = find_cycle(g, start, path);
	const char *text = "";

	for (size_t i = 0; i < n; i++)
		text = arena_printf(a, "%s%s/%s before ", text, slots[path[i]].object,
				    slots[path[i]].program);
	return arena_printf(a, "%s%s/%s", text, slots[start].object, slots[start].program);
}

const char *slots_order(struct arena *a, struct slot *slots, size_t n, uint64_t *ret_cyclic)
{
	struct slot sorted[LIMIT_CHAIN_TCX];
	size_t path[LIMIT_CHAIN_TCX], first = n;
	struct graph g;
	uint64_t left = n ? UINT64_MAX >> (64 - n) : 0;

	*ret_cyclic = 0;
	graph_build(&g, slots, n);
	for (size_t placed = 0; placed < n; placed++) {
		size_t next = next_member(&g, slots, left);

		if (next == n)
			break;
		sorted[placed] = slots[next];
		left &= ~bit(next);
	}
	if (!left) {
		memcpy(slots, sorted, n * sizeof(*slots));
		return NULL;
	}
	for (size_t i = 0; i < n; i++) {
		if (!find_cycle(&g, i, path))
			continue;
		*ret_cyclic |= bit(i);
		if (first == n || slot_compare(&slots[i], &slots[first]) < 0)
			first = i;
	}
	return cycle_text(a, &g, slots, first);
}
