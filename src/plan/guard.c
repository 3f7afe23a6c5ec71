/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * What is not done without the operator's word: detaches, and an edit of the files
 * that would take away more than `mass_removal` allows. Counted is what is taken from the declared: programs
 * from interfaces, objects, shares; an interface that vanishes or a version that is replaced
 * takes nothing away.
 */
#include "base/hash.h"
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

bool guard_trips(const struct planner *p)
{
	const struct settings *s = p->in->settings;
	struct count n = { 0 };

	if (p->in->purge)
		return false;
	count_attachments(p, &n);
	tc_count(p, &n.total, &n.removed);
	count_others(p, &n);
	return n.removed > 0 && n.removed >= s->mass_removal_least &&
	       n.removed * 100 > (uint64_t)s->mass_removal_percent * n.total;
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

/* A dispatcher is built for nobody but those that will run it. */
static void hold_unused_builds(struct planner *p)
{
	for (size_t i = 0; i < p->drafts.n; i++)
		if (p->drafts.v[i]->op.kind == OP_CHAIN_BUILD)
			p->drafts.v[i]->held = true;
	for (size_t i = 0; i < p->drafts.n; i++) {
		const struct draft *d = p->drafts.v[i];

		for (size_t k = 0; k < d->needs.n && !d->held; k++)
			if (d->needs.v[k]->op.kind == OP_CHAIN_BUILD)
				d->needs.v[k]->held = false;
	}
}

size_t guard_hold(struct planner *p, bool removals, char ret_token[65])
{
	struct hasher *h;
	size_t n = 0;

	for (size_t i = 0; i < p->drafts.n; i++) {
		struct draft *d = p->drafts.v[i];

		d->held = d->confirm || (removals && d->op.removes);
		n += d->held;
	}
	ret_token[0] = '\0';
	if (!n)
		return 0;
	hold_dependants(p);
	hold_unused_builds(p);
	h = hasher_new();
	n = 0;
	for (size_t i = 0; i < p->drafts.n; i++) {
		const struct op *op = &p->drafts.v[i]->op;

		if (!p->drafts.v[i]->held)
			continue;
		n++;
		hasher_add_field(h, op_kind_names[op->kind]);
		hasher_add_field(h, op->key);
		hasher_add_field(h, op->reason);
	}
	hasher_finish(h, ret_token);
	return n;
}
