/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * `before` and `after` that contradict each other. Which programs meet at a place shows on a node,
 * so this finds only what is certain from the files: all of a cycle's programs are at one
 * interface that is named, or behind one and the same pattern or set. What meets on a node is
 * judged again when its chain is planned.
 */
#include "config/judge.h"

#include <string.h>

#include "config/graph.h"

struct node {
	struct object_decl *object;
	const struct program_decl *program;
};

struct order {
	struct judge *judge;
	struct node *nodes; /* by object and program, both in sort order */
	size_t n;
	size_t *first; /* by object: its first node */
	LIST(const char *) reported;
};

/* What is known of a place before there is a node. Those of different hooks and namespaces never meet. */
struct place {
	enum hook hook;
	enum tc_direction direction;
	const char *netns, *selector;
};

enum applies { APPLIES_NO, APPLIES_YES, APPLIES_MAYBE };

static void list_nodes(struct order *x)
{
	struct desired *d = x->judge->desired;
	struct arena *a = x->judge->scratch;

	x->first = arena_calloc(a, d->object_count + 1, sizeof(*x->first));
	for (size_t i = 0; i < d->object_count; i++)
		x->first[i + 1] = x->first[i] + d->objects[i].program_count;
	x->n = x->first[d->object_count];
	x->nodes = arena_calloc(a, x->n, sizeof(*x->nodes));
	for (size_t i = 0; i < d->object_count; i++)
		for (size_t k = 0; k < d->objects[i].program_count; k++)
			x->nodes[x->first[i] + k] = (struct node){
				.object = &d->objects[i],
				.program = &d->objects[i].programs[k],
			};
}

/* The number of a node, x->n for one that no file declares. */
static size_t find_node(const struct order *x, const struct program_reference *r)
{
	const struct desired *d = x->judge->desired;
	const struct object_decl *o = desired_find_object(d, r->object);

	for (size_t i = 0; o && i < o->program_count; i++)
		if (strcmp(o->programs[i].name, r->program) == 0)
			return x->first[o - d->objects] + i;
	return x->n;
}

/* The constraints of one entry; only those between nodes of the set, if there is one. */
static void add_edges(const struct order *x, struct graph *g, size_t node,
		      const struct attach_decl *a, const struct attach_decl *const *set)
{
	for (size_t i = 0; i < a->before_count; i++) {
		size_t other = find_node(x, &a->before[i]);

		if (other < x->n && (!set || set[other]))
			graph_add(g, node, other);
	}
	for (size_t i = 0; i < a->after_count; i++) {
		size_t other = find_node(x, &a->after[i]);

		if (other < x->n && (!set || set[other]))
			graph_add(g, other, node);
	}
}

static struct place place_of(const struct order *x, const struct attach_decl *a,
			     const char *selector)
{
	struct place place = { a->hook, a->direction, a->netns, selector };
	const struct interface_set *s =
		*selector == '@' ? desired_find_set(x->judge->desired, selector + 1) : NULL;

	if (*selector == '@')
		place.netns = s ? s->netns : NULL;
	return place;
}

static enum applies place_applies(const struct place *at, const struct place *place)
{
	const char *selector = at->selector;

	if (at->hook != place->hook || at->direction != place->direction)
		return APPLIES_NO;
	/* Two names may be of one namespace. */
	if (str_cmp(at->netns, place->netns) != 0)
		return APPLIES_MAYBE;
	if (strcmp(selector, place->selector) == 0 || strcmp(selector, "*") == 0)
		return APPLIES_YES;
	if (*selector == '@' || *place->selector == '@' || str_is_glob(place->selector))
		return APPLIES_MAYBE;
	return str_glob(selector, place->selector) ? APPLIES_YES : APPLIES_NO;
}

/* The entry by which the program is certain to be at the place; the first that matches wins. */
static const struct attach_decl *entry_at(const struct order *x, const struct program_decl *p,
					  const struct place *place)
{
	for (size_t i = 0; i < p->attach_count; i++) {
		const struct string_list *l = &p->attach[i].interfaces;
		enum applies applies = APPLIES_NO;

		for (size_t k = 0; k < l->n && applies != APPLIES_YES; k++) {
			struct place at = place_of(x, &p->attach[i], l->v[k]);
			enum applies one = place_applies(&at, place);

			applies = one == APPLIES_NO ? applies : one;
		}
		if (applies != APPLIES_NO)
			return applies == APPLIES_YES ? &p->attach[i] : NULL;
	}
	return NULL;
}

/* Objects that are skipped on some nodes may never meet. */
static bool cycle_is_certain(const struct order *x, const struct graph_cycle *c)
{
	const struct object_decl *first = x->nodes[c->nodes[0]].object;
	bool one = true, conditional = false;

	for (size_t i = 0; i < c->n; i++) {
		const struct object_decl *o = x->nodes[c->nodes[i]].object;

		one = one && o == first;
		conditional = conditional || o->when.present || o->suspend;
	}
	return one || !conditional;
}

static bool was_reported(struct order *x, const char *text)
{
	for (size_t i = 0; i < x->reported.n; i++)
		if (strcmp(x->reported.v[i], text) == 0)
			return true;
	*LIST_ADD(x->judge->scratch, &x->reported) = text;
	return false;
}

static void report_cycle(struct order *x, const struct graph_cycle *c, const struct place *place,
			 const struct attach_decl *const *set)
{
	struct arena *a = x->judge->scratch;
	const char **names = arena_calloc(a, c->n, sizeof(*names)), *text;

	for (size_t i = 0; i < c->n; i++)
		names[i] = arena_printf(a, "%s/%s", x->nodes[c->nodes[i]].object->name,
					x->nodes[c->nodes[i]].program->name);
	text = judge_cycle(x->judge, names, c->n);
	if (was_reported(x, text))
		return;
	text = arena_printf(a, "on %s%s%s%s%s, 'before' and 'after' go round in a circle: %s",
			    place->hook == HOOK_TC ? tc_direction_names[place->direction] : "",
			    place->hook == HOOK_TC ? " of " : "", place->selector,
			    place->netns ? " in namespace " : "", place->netns ? place->netns : "",
			    text);
	for (size_t i = 0; i < c->n; i++) {
		struct object_decl *o = x->nodes[c->nodes[i]].object;
		const struct origin *at = &set[c->nodes[i]]->origin;

		if (i == 0)
			judge_fault(x->judge, o, at, "OrderCycle", "remove one of them", "%s",
				    text);
		else
			judge_set_fault(x->judge, o, at, "OrderCycle", text);
	}
}

static void judge_place(struct order *x, const bool *candidates, const struct place *place)
{
	struct arena *a = x->judge->scratch;
	const struct attach_decl **set = arena_calloc(a, x->n, sizeof(*set));
	struct graph g = { .arena = a, .n = x->n };
	struct graph_cycles cycles;

	for (size_t i = 0; i < x->n; i++)
		set[i] = candidates[i] ? entry_at(x, x->nodes[i].program, place) : NULL;
	for (size_t i = 0; i < x->n; i++)
		if (set[i])
			add_edges(x, &g, i, set[i], set);
	cycles = graph_find_cycles(&g);
	for (size_t i = 0; i < cycles.list.n; i++)
		if (cycle_is_certain(x, &cycles.list.v[i]))
			report_cycle(x, &cycles.list.v[i], place, set);
}

static int compare_places(const void *left, const void *right)
{
	const struct place *x = left, *y = right;
	int r = strcmp(x->selector, y->selector);

	if (!r)
		r = str_cmp(x->netns, y->netns);
	if (!r)
		r = (int)x->hook - (int)y->hook;
	return r ? r : (int)x->direction - (int)y->direction;
}

struct places {
	LIST(struct place) list;
};

static void add_places(const struct order *x, const struct attach_decl *a, struct places *ret)
{
	for (size_t i = 0; i < a->interfaces.n; i++)
		*LIST_ADD(x->judge->scratch, &ret->list) = place_of(x, a, a->interfaces.v[i]);
}

/* Every place of the candidates, once. */
static struct places list_places(const struct order *x, const bool *candidates)
{
	struct places all = { 0 };
	size_t n = 0;

	for (size_t i = 0; i < x->n; i++)
		for (size_t k = 0; candidates[i] && k < x->nodes[i].program->attach_count; k++)
			add_places(x, &x->nodes[i].program->attach[k], &all);
	if (all.list.n)
		qsort(all.list.v, all.list.n, sizeof(*all.list.v), compare_places);
	for (size_t i = 0; i < all.list.n; i++)
		if (i == 0 || compare_places(&all.list.v[i], &all.list.v[i - 1]) != 0)
			all.list.v[n++] = all.list.v[i];
	all.list.n = n;
	return all;
}

void judge_order(struct judge *j)
{
	struct order x = { .judge = j };
	struct graph g = { .arena = j->scratch };
	struct places places;
	const bool *candidates;

	list_nodes(&x);
	g.n = x.n;
	for (size_t i = 0; i < x.n; i++)
		for (size_t k = 0; k < x.nodes[i].program->attach_count; k++)
			add_edges(&x, &g, i, &x.nodes[i].program->attach[k], NULL);
	/* All constraints at once, whatever their place: without a cycle here there is none at all. */
	candidates = graph_reaches_cycle(&g);
	places = list_places(&x, candidates);
	for (size_t i = 0; i < places.list.n; i++)
		judge_place(&x, candidates, &places.list.v[i]);
}
