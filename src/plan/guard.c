/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * What is not done without the operator's word: detaches, and an edit of the files
 * that would take away more than `mass_removal` allows. Counted is what is taken from the declared: programs
 * from interfaces, objects, shares; an interface that vanishes or a version that is replaced
 * takes nothing away. Edits in quick succession count as one. What waits once goes on waiting until it is confirmed or no longer wanted.
 */
#include <string.h>

#include "base/hash.h"
#include "base/macros.h"
#include "base/str.h"
#include "plan/plan_internal.h"

struct count {
	size_t removed, total;
};

static void count_attachments(const struct planner *p, struct count *n)
{
	for (size_t i = 0; i < p->observed->interface_count; i++) {
		const struct chain *c = &p->chains[i];

		if (c->live.kind == LIVE_LOST) { /* at least one, which is all that is known */
			n->total++;
			n->removed += c->want == WANT_CLEAR && c->root;
		}
		for (size_t k = 0; live_is_ours(&c->live) && k < c->live.member_count; k++) {
			const struct live_member *m = &c->live.members[k];

			if (m->foreign)
				continue;
			n->total += m->id != 0;
			n->removed += m->id && c->root && !chain_keeps(c, m);
		}
	}
}

/* Instances in the kernel, and mounts of ours. */
static void count_others(const struct planner *p, struct count *n)
{
	const struct observed *o = p->observed;
	const char *last = NULL;

	for (size_t i = 0; i < o->object_count; i++) {
		n->total += o->objects[i].complete && !str_eq(last, o->objects[i].instance);
		last = o->objects[i].complete ? o->objects[i].instance : last;
	}
	for (size_t i = 0; i < o->mount_count; i++)
		n->total += o->mounts[i].ours;
	last = NULL;
	for (size_t i = 0; i < p->drafts.n; i++) {
		const struct op *op = &p->drafts.v[i]->op;

		if (op->kind == OP_SHARE_UNMOUNT && op->removes)
			n->removed++;
		if (op->kind != OP_OBJECT_REMOVE || !op->removes)
			continue;
		n->removed += !str_eq(last, op->object.instance);
		last = op->object.instance;
	}
}

const char *plan_removal_id(struct arena *a, const struct op *op)
{
	char hex[SHA256_HEX];

	hash_bytes(op->key, strlen(op->key), hex);
	return arena_strdup(a, hex);
}

/* It was more than the guard allows once, and nobody has said yet that it is meant. */
static bool waits_already(struct planner *p, const struct waiting_removals *leaving)
{
	const struct string_list *waiting = &p->in->waiting.ids;

	for (size_t i = 0; waiting->n && i < p->drafts.n; i++) {
		const struct op *op = &p->drafts.v[i]->op;
		const char *id = op->removes ? plan_removal_id(p->a, op) : NULL;

		for (size_t k = 0; id && k < waiting->n; k++)
			if (str_eq(id, waiting->v[k]))
				return true;
	}
	return held_is_at_hand(p, leaving);
}

static bool is_too_much(const struct settings *s, const struct count *n)
{
	return n->removed >= s->mass_removal_least &&
	       n->removed * 100 > (uint64_t)s->mass_removal_percent * n->total;
}

/*
 * Together with what plans took away shortly before. It counts as far as there is less afterwards than there was:
 * what comes in its place makes up for it, and so does what was counted twice because it failed at first.
 */
static struct count count_recent(const struct planner *p, const struct count *n)
{
	const struct plan_recent *recent = &p->in->recent;
	struct count all = { .total = MAX(recent->total, n->total) };

	all.removed = MIN(recent->removed + n->removed, all.total - (n->total - n->removed));
	return all;
}

bool guard_trips(struct planner *p, const struct waiting_removals *leaving, struct plan *plan)
{
	struct count n = { 0 }, all;

	count_attachments(p, &n);
	tc_count(p, &n.total, &n.removed);
	count_others(p, &n);
	plan->total = n.total;
	plan->removed = n.removed;
	if (p->in->purge)
		return false;
	if (waits_already(p, leaving))
		return true;
	all = count_recent(p, &n);
	return n.removed > 0 &&
	       (is_too_much(p->in->settings, &n) || is_too_much(p->in->settings, &all));
}

/* What needs something that is held is held with it. Drafts are in order of execution. */
static void hold_dependants(struct planner *p)
{
	for (size_t i = 0; i < p->drafts.n; i++) {
		struct draft *d = p->drafts.v[i];

		for (size_t k = 0; k < d->needs.n; k++)
			d->held |= d->needs.v[k]->held;
	}
}

/* A dispatcher is built, and packets are waited for, only where something follows that needs it. */
static bool is_preparation(const struct draft *d)
{
	return d->op.kind == OP_CHAIN_BUILD || d->op.kind == OP_GRACE;
}

static void hold_unused_preparations(struct planner *p)
{
	for (size_t i = 0; i < p->drafts.n; i++)
		if (is_preparation(p->drafts.v[i]))
			p->drafts.v[i]->held = true;
	for (size_t i = 0; i < p->drafts.n; i++) {
		const struct draft *d = p->drafts.v[i];

		for (size_t k = 0; k < d->needs.n && !d->held; k++)
			if (is_preparation(d->needs.v[k]))
				d->needs.v[k]->held = false;
	}
}

/* Where there is no such interface now, nothing goes. */
static void hash_members(struct planner *p, const struct waiting_removals *leaving,
			 struct hasher *h)
{
	for (size_t i = 0; i < leaving->member_count; i++) {
		const struct waiting_member *m = &leaving->members[i];

		if (!held_place(p, m))
			continue;
		hasher_add_field(h, m->netns);
		hasher_add_field(h, m->interface);
		hasher_add_field(h, m->hook == HOOK_TC ? tc_direction_names[m->direction] : "xdp");
		hasher_add_field(h, m->instance);
		hasher_add_field(h, m->program);
	}
}

/*
 * What goes, by name: one operation for a chain can take away this member or that, and what is added there is no
 * part of what the operator confirms; nor is how things stand meanwhile, while somebody else took some of it away.
 */
static void hash_leaving(struct planner *p, const struct waiting_removals *leaving,
			 struct hasher *h)
{
	const char *last = NULL;

	for (size_t i = 0; i < p->drafts.n; i++) {
		const struct op *op = &p->drafts.v[i]->op;

		if (op->kind != OP_OBJECT_REMOVE || !op->removes ||
		    str_eq(last, op->object.instance))
			continue;
		last = op->object.instance;
		hasher_add_field(h, op->key);
	}
	hash_members(p, leaving, h);
	for (size_t i = 0; i < leaving->share_count; i++) {
		hasher_add_field(h, leaving->shares[i].share);
		hasher_add_field(h, leaving->shares[i].path);
	}
	for (size_t i = 0; i < p->observed->interface_count; i++)
		if (p->chains[i].live.kind == LIVE_LOST && p->chains[i].root &&
		    p->chains[i].want == WANT_CLEAR)
			hasher_add_field(h, p->chains[i].root->op.key);
	tc_hash_unknown(p, h);
}

size_t guard_hold(struct planner *p, const struct waiting_removals *leaving, char ret_token[65])
{
	struct hasher *h;
	size_t n = 0;

	for (size_t i = 0; i < p->drafts.n; i++) {
		struct draft *d = p->drafts.v[i];

		d->held = d->confirm || (leaving && d->op.removes);
		n += d->held;
	}
	ret_token[0] = '\0';
	if (!n)
		return 0;
	hold_dependants(p);
	hold_unused_preparations(p);
	h = hasher_new();
	n = 0;
	for (size_t i = 0; i < p->drafts.n; i++) {
		const struct op *op = &p->drafts.v[i]->op;

		n += p->drafts.v[i]->held;
		if (!p->drafts.v[i]->confirm)
			continue;
		hasher_add_field(h, op_kind_names[op->kind]);
		hasher_add_field(h, op->key);
		hasher_add_field(h, op->reason);
	}
	if (leaving)
		hash_leaving(p, leaving, h);
	hasher_finish(h, ret_token);
	return n;
}
