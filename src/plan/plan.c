/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * The comparison as a whole. Operations are drafted in any order, with pointers to what they
 * need, and sorted at the end: by kind, which is the order of execution, then by what they are
 * about. There is no other sort.
 */
#include "plan/plan.h"

#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "base/str.h"
#include "model/layout.h"
#include "plan/plan_internal.h"

struct draft *draft_add(struct planner *p, enum op_kind kind, const char *key)
{
	struct draft *d = arena_new_of(p->a, struct draft);

	d->op.kind = kind;
	d->op.key = d->op.subject = key;
	d->op.version = "";
	d->index = p->drafts.n;
	*LIST_ADD(p->a, &p->drafts) = d;
	return d;
}

void draft_need(struct planner *p, struct draft *d, struct draft *needed)
{
	if (!needed)
		return;
	for (size_t i = 0; i < d->needs.n; i++)
		if (d->needs.v[i] == needed)
			return;
	*LIST_ADD(p->a, &d->needs) = needed;
	for (size_t i = 0; d->op.kind > OP_OBJECT_LOAD && i < needed->followers.n; i++)
		draft_need(p, d, needed->followers.v[i]);
}

static int by_execution(const void *a, const void *b)
{
	const struct draft *x = *(struct draft *const *)a, *y = *(struct draft *const *)b;
	int r;

	if (x->op.kind != y->op.kind)
		return (int)x->op.kind - (int)y->op.kind;
	if (x->rank != y->rank)
		return x->rank < y->rank ? -1 : 1;
	r = strcmp(x->op.key, y->op.key);
	if (!r)
		r = strcmp(x->op.subject, y->op.subject);
	if (!r)
		r = strcmp(x->op.version, y->op.version);
	return r ? r : (x->index > y->index) - (x->index < y->index);
}

/* What it says of one thing may be true of all: where what is, what is whose, what may go. */
static const char *newer_layout(const struct planner *p)
{
	const struct observed *o = p->observed;
	uint32_t version = o->layout > LAYOUT_VERSION ? o->layout : 0;

	for (size_t i = 0; i < o->object_count; i++)
		version = MAX(version, o->objects[i].newer);
	for (size_t i = 0; i < o->chain_count; i++)
		version = MAX(version, o->chains[i].newer);
	if (!version)
		return NULL;
	return arena_printf(
		p->a,
		"what is in the kernel was made by a newer bpfshare (layout %u, this one "
		"knows up to %d), so nothing is changed; run that one again, or have it "
		"`bpfsharectl purge` before this one starts",
		version, LAYOUT_VERSION);
}

/* A tree that an older one made is brought to our layout whether anything else is to be done or not. */
static void adopt_layout(struct planner *p)
{
	const struct observed *o = p->observed;

	if (o->bpffs_mounted && !o->directory_ready && !p->in->purge &&
	    (o->object_count || o->chain_count || o->link_count) && !base_failure(p))
		(void)base_prepare(p);
}

void drafts_sort(struct planner *p)
{
	if (p->drafts.n)
		qsort(p->drafts.v, p->drafts.n, sizeof(*p->drafts.v), by_execution);
}

struct planner *planner_run(struct arena *a, const struct plan_input *in,
			    const struct waiting_removals *held, bool granted)
{
	static const struct desired nothing;
	struct planner *p = arena_new_of(a, struct planner);

	p->a = a;
	p->in = in;
	p->desired = in->purge ? &nothing : in->desired;
	p->observed = in->observed;
	p->held = held;
	p->granted = granted;
	p->newer = newer_layout(p);
	lookup_build(p);
	sets_resolve(p);
	live_observe(p);
	objects_resolve(p);
	instances_plan(p);
	chains_want(p);
	tc_chains_want(p);
	dispatchers_plan(p);
	roots_plan(p);
	protocol_pins_make(p);
	tc_chains_plan(p);
	attachments_settle(p);
	tc_chains_settle(p);
	shares_plan(p);
	leftovers_remove(p);
	protocol_pins_remove(p);
	netns_records_plan(p);
	pins_restore(p);
	adopt_layout(p);
	drafts_sort(p);
	return p;
}

/* Copies the operations that are (not) held, in order. */
static struct op *take_ops(struct planner *p, bool held, size_t *ret_count)
{
	struct op *ops = arena_calloc(p->a, p->drafts.n, sizeof(*ops));
	size_t n = 0;

	for (size_t i = 0; i < p->drafts.n; i++) {
		struct draft *d = p->drafts.v[i];
		struct op *op = &d->op;

		if (d->held != held)
			continue;
		d->index = n;
		op->needs = arena_calloc(p->a, d->needs.n, sizeof(*op->needs));
		for (size_t k = 0; !held && k < d->needs.n; k++)
			op->needs[op->need_count++] = d->needs.v[k]->index;
		ops[n++] = *op;
	}
	*ret_count = n;
	return ops;
}

/*
 * Three ways to compare, of which mostly the first is all: everything as declared; the
 * same with detaches, once the operator confirmed what the first way would hold; and, while a mass
 * removal waits for that, with everything kept (and put back, should somebody else have taken it away) that it would
 * remove, so that all other changes go on.
 */
struct plan *plan_build(struct arena *a, const struct plan_input *in)
{
	struct plan *plan = arena_new_of(a, struct plan);
	struct planner *p = planner_run(a, in, NULL, false);
	const struct waiting_removals none = { 0 };
	struct waiting_removals leaving, kept = { 0 };
	char ignored[65];
	bool trips;

	held_collect(p, &leaving);
	kept_collect(p, &kept);
	trips = guard_trips(p, &leaving, plan);
	if (trips) {
		held_show(p, &leaving);
		drafts_sort(p);
	}
	if (guard_hold(p, trips ? &leaving : NULL, plan->held_token)) {
		if (str_eq(in->confirmed, plan->held_token)) {
			p = planner_run(a, in, NULL, true);
			plan->held_token[0] = '\0';
			plan->confirmed = true;
		} else {
			plan->held = take_ops(p, true, &plan->held_count);
			plan->waiting = trips ? leaving : none;
			held_name(p, plan->held, plan->held_count, &plan->waiting);
			if (trips) {
				plan->removed = 0;
				/* What nobody can keep declared waits as it is. */
				p = planner_run(a, in, &leaving, false);
				guard_hold(p, &leaving, ignored);
			}
		}
	}
	plan->waiting.kept = kept.kept;
	plan->waiting.kept_count = kept.kept_count;
	plan->ops = take_ops(p, false, &plan->op_count);
	plan->status = status_build(p, plan);
	plan->newer = p->newer;
	if (p->newer || (in->suspended && !in->purge)) {
		plan->op_count = plan->held_count = plan->status->held_count = 0;
		plan->held_token[0] = '\0';
		plan->status->held_token = NULL;
	}
	return plan;
}

static void add_once(struct arena *a, struct string_list *l, size_t *cap, const char *s)
{
	for (size_t i = 0; i < l->n; i++)
		if (str_eq(l->v[i], s))
			return;
	l->v = list_grow(a, l->v, l->n, cap, sizeof(*l->v));
	l->v[l->n++] = s;
}

static bool asks_for_driver(const struct interface_set *s)
{
	for (size_t i = 0; i < s->select_count; i++)
		if (s->select[i].drivers.n)
			return true;
	for (size_t i = 0; i < s->except_count; i++)
		if (s->except[i].drivers.n)
			return true;
	return false;
}

static bool asks_for_tc(const struct object_decl *o)
{
	for (size_t i = 0; i < o->program_count; i++)
		for (size_t k = 0; k < o->programs[i].attach_count; k++)
			if (o->programs[i].attach[k].hook == HOOK_TC)
				return true;
	return false;
}

bool plan_wants_tc(const struct desired *d)
{
	for (size_t i = 0; i < d->object_count; i++)
		if (asks_for_tc(&d->objects[i]))
			return true;
	return false;
}

static void add_netns_of(struct arena *a, const struct program_decl *program, size_t *cap,
			 struct string_list *ret)
{
	for (size_t i = 0; i < program->attach_count; i++)
		if (program->attach[i].netns)
			add_once(a, ret, cap, program->attach[i].netns);
}

static void add_netns(struct arena *a, const struct desired *d, struct string_list *ret)
{
	size_t cap = 0;

	for (size_t i = 0; i < d->set_count; i++)
		if (d->sets[i].netns)
			add_once(a, ret, &cap, d->sets[i].netns);
	for (size_t i = 0; i < d->object_count; i++)
		for (size_t k = 0; k < d->objects[i].program_count; k++)
			add_netns_of(a, &d->objects[i].programs[k], &cap, ret);
}

void plan_observe_request(struct arena *a, const struct desired *d, const struct settings *s,
			  const char *run_dir, struct observe_request *ret)
{
	size_t paths = 0, users = 0, groups = 0;

	*ret = (struct observe_request){ .libxdp_protocol = s->libxdp_protocol };
	for (size_t i = 0; i < d->share_count; i++) {
		const struct share_decl *share = &d->shares[i];

		for (size_t t = 0; t < share->target_count; t++) {
			const struct share_target *target = &share->targets[t];

			add_once(a, &ret->paths, &paths, target_path(a, run_dir, share, target));
			if (target->group)
				add_once(a, &ret->groups, &groups, target->group);
			else if (target->user)
				add_once(a, &ret->users, &users, target->user);
		}
	}
	for (size_t i = 0; i < d->set_count; i++)
		ret->drivers |= asks_for_driver(&d->sets[i]);
	ret->tc = plan_wants_tc(d);
	add_netns(a, d, &ret->netns);
}

void plan_observe_waiting(struct arena *a, const struct waiting_removals *w,
			  struct observe_request *ret)
{
	size_t paths = ret->paths.n, netns = ret->netns.n;

	for (size_t i = 0; i < w->share_count; i++)
		add_once(a, &ret->paths, &paths, w->shares[i].path);
	for (size_t i = 0; i < w->member_count; i++)
		if (w->members[i].netns)
			add_once(a, &ret->netns, &netns, w->members[i].netns);
	for (size_t i = 0; i < w->kept_count; i++)
		if (w->kept[i].netns)
			add_once(a, &ret->netns, &netns, w->kept[i].netns);
	ret->tc |= held_wants_tc(w);
}
