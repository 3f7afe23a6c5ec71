/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * What is not done without the operator's word: detaches, and an edit of the files
 * that would take away more than `mass_removal` allows. Counted is what is taken from the declared: programs
 * from interfaces, objects, shares; an interface that vanishes or a version that is replaced
 * takes nothing away. What waits once goes on waiting until it is confirmed or no longer wanted.
 */
#include <string.h>

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

/*
 * Which programs go: one operation for a chain can take away this member or that. What is added there is
 * no part of what the operator confirms.
 */
static void hash_leaving(const struct planner *p, struct hasher *h)
{
	for (size_t i = 0; i < p->observed->interface_count; i++) {
		const struct chain *c = &p->chains[i];

		for (size_t k = 0; live_is_ours(&c->live) && k < c->live.member_count; k++) {
			const struct live_member *m = &c->live.members[k];

			if (m->foreign || !m->id || !c->root || chain_keeps(c, m))
				continue;
			hasher_add_field(h, interface_label(p, c->interface));
			hasher_add_field(h, m->instance);
			hasher_add_field(h, m->program);
		}
	}
	tc_hash_leaving(p, h);
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
static bool waits_already(const struct planner *p)
{
	const struct string_list *waiting = &p->in->waiting;

	for (size_t i = 0; waiting->n && i < p->drafts.n; i++) {
		const struct op *op = &p->drafts.v[i]->op;
		const char *id = op->removes ? plan_removal_id(p->a, op) : NULL;

		for (size_t k = 0; id && k < waiting->n; k++)
			if (str_eq(id, waiting->v[k]))
				return true;
	}
	return false;
}

bool guard_trips(const struct planner *p)
{
	const struct settings *s = p->in->settings;
	struct count n = { 0 };

	if (p->in->purge)
		return false;
	if (waits_already(p))
		return true;
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
	hold_unused_preparations(p);
	h = hasher_new();
	n = 0;
	for (size_t i = 0; i < p->drafts.n; i++) {
		const struct op *op = &p->drafts.v[i]->op;

		if (!p->drafts.v[i]->held)
			continue;
		n++;
		hasher_add_field(h, op_kind_names[op->kind]);
		hasher_add_field(h, op->key);
		/* That of a chain says what is added as well; what goes follows below. */
		hasher_add_field(h, p->drafts.v[i]->confirm ? op->reason : "");
	}
	hash_leaving(p, h);
	hasher_finish(h, ret_token);
	return n;
}
