/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * A namespace that nothing declares any more is looked into only because of its record, so that exists from
 * before anything is attached there until nothing of ours is left. Under which of several names it
 * stands makes no difference.
 */
#include <string.h>

#include "base/str.h"
#include "plan/plan_internal.h"

static bool is_declared(const struct planner *p, const char *name)
{
	const struct desired *d = p->desired;

	for (size_t i = 0; i < d->set_count; i++)
		if (str_eq(d->sets[i].netns, name))
			return true;
	for (size_t i = 0; i < d->object_count; i++)
		for (size_t k = 0; k < d->objects[i].program_count; k++) {
			const struct program_decl *program = &d->objects[i].programs[k];

			for (size_t n = 0; n < program->attach_count; n++)
				if (str_eq(program->attach[n].netns, name))
					return true;
		}
	return false;
}

static bool is_ours(const struct chain *c)
{
	return live_is_ours(&c->live) || c->live.kind == LIVE_LOST || c->live.kind == LIVE_NEWER;
}

/* The operation that takes what runs off, NULL: it stays, or another takes its place. */
static struct draft *find_clear(const struct chain *c)
{
	return c->want == WANT_CLEAR ? c->root : NULL;
}

/* Whether roots of ours are in the namespace now. */
static bool has_roots(const struct planner *p, const struct interface_range *at)
{
	for (size_t i = at->first; i < at->end; i++)
		if (is_ours(&p->chains[i]))
			return true;
	return false;
}

static struct draft *find_tc_clear(const struct planner *p, const struct observed_tc *t,
				   uint32_t id)
{
	for (size_t i = 0; i < p->drafts.n; i++) {
		struct draft *d = p->drafts.v[i];

		if (d->op.kind == OP_TC_CLEAR && str_eq(d->op.tc.netns, t->netns) &&
		    d->op.tc.ifindex == t->ifindex && d->op.tc.direction == t->direction &&
		    d->op.tc.expected_id == id)
			return d;
	}
	return NULL;
}

/* Adds what takes these programs off to forget; false when one stays. With forget NULL: when there is one. */
static bool tc_leaves(const struct planner *p, const struct observed_tc *t, struct draft *forget)
{
	const struct observed_tc_program *lists[] = { t->programs, t->filters };
	const size_t counts[] = { t->program_count, t->filter_count };

	for (size_t l = 0; l < ARRAY_SIZE(lists); l++)
		for (size_t i = 0; i < counts[l]; i++) {
			struct draft *clear;

			if (!lists[l][i].ours)
				continue;
			clear = forget ? find_tc_clear(p, t, lists[l][i].id) : NULL;
			if (!clear)
				return false;
			*LIST_ADD(p->a, &forget->needs) = clear;
		}
	return true;
}

static bool all_tc_leaves(const struct planner *p, const char *netns, struct draft *forget)
{
	for (size_t i = 0; i < p->observed->tc_count; i++)
		if (str_eq(p->observed->tc[i].netns, netns) &&
		    !tc_leaves(p, &p->observed->tc[i], forget))
			return false;
	return true;
}

/* Everything of ours goes with this plan; forget comes to need all of that. */
static bool all_leaves(struct planner *p, const struct interface_range *at, struct draft *forget)
{
	for (size_t i = at->first; i < at->end; i++) {
		const struct chain *c = &p->chains[i];

		if (is_ours(c) && !find_clear(c))
			return false;
		if (is_ours(c))
			*LIST_ADD(p->a, &forget->needs) = find_clear(c);
	}
	return all_tc_leaves(p, at->netns, forget);
}

static struct draft *record_draft(struct planner *p, enum op_kind kind, const char *name)
{
	const char *key = arena_printf(p->a, "namespace %s", name);
	const char *version = kind == OP_NETNS_FORGET ? "forget" : "remember";
	struct draft *d;

	if (lookup_undone(p, key, version))
		return NULL;
	d = draft_add(p, kind, key);
	d->op.version = version;
	d->op.netns.name = name;
	return d;
}

static void plan_forget(struct planner *p, const struct observed_netns *n,
			const struct interface_range *at)
{
	struct draft probe = { 0 }, *d;

	if (is_declared(p, n->name) || !all_leaves(p, at, &probe))
		return;
	d = record_draft(p, OP_NETNS_FORGET, n->name);
	if (!d)
		return;
	d->needs.v = probe.needs.v;
	d->needs.n = probe.needs.n;
	d->needs.cap = probe.needs.cap;
	d->op.reason = n->found ? "nothing of ours is left in it" :
				  "it is gone, and no file declares it any more";
}

/* An interface may have come into it together with a root of ours, and a bpffs can be lost. */
static void plan_record(struct planner *p, const struct observed_netns *n,
			const struct interface_range *at)
{
	struct draft *d;

	if (!n->found || n->same_as || (!has_roots(p, at) && all_tc_leaves(p, at->netns, NULL)))
		return;
	d = record_draft(p, OP_NETNS_RECORD, n->name);
	if (!d)
		return;
	d->op.reason = "something of ours is in it";
	draft_need(p, d, base_prepare(p));
}

static bool is_looked_at(const struct planner *p, const char *name)
{
	const struct observed_netns *n = *name ? observed_find_netns(p->observed, name) : NULL;

	return !*name || (n && n->recorded);
}

void netns_records_plan(struct planner *p)
{
	for (size_t i = 0; i < p->observed->netns_count; i++) {
		const struct observed_netns *n = &p->observed->netns[i];
		struct interface_range at;

		(void)lookup_netns(p, n->name, &at);
		/* Our own is always looked at, and another name's record serves as well. */
		if (!n->found || (n->same_as && is_looked_at(p, n->same_as)))
			at = (struct interface_range){ .netns = n->name };
		if (n->recorded)
			plan_forget(p, n, &at);
		else
			plan_record(p, n, &at);
	}
}
