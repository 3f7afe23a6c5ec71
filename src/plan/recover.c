/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Pins that somebody deleted or replaced while the kernel still holds what they were for. All the rest of the plan
 * takes what is lost for pinned; here it is pinned again, before anything counts on it. So nothing is loaded or
 * attached anew, and no map forgets anything, for want of a name in a file system.
 */
#include "base/str.h"
#include "model/layout.h"
#include "plan/plan_internal.h"

static bool is_of(const struct op_object *o, const struct observed_object *at)
{
	return str_eq(o->instance, at->instance) && str_eq(o->version, at->version);
}

static bool is_map(const struct map_ref *m, const struct observed_object *o)
{
	return str_eq(m->instance, o->instance) && str_eq(m->version, o->version);
}

static bool takes_over(const struct op *op, const struct observed_object *at)
{
	if (op->kind == OP_MAP_SYNC)
		return is_map(&op->sync.from, at);
	for (size_t i = 0; op->kind == OP_OBJECT_LOAD && i < op->object.map_count; i++)
		if (op->object.maps[i].from.instance && is_map(&op->object.maps[i].from, at))
			return true;
	return false;
}

/*
 * What this plan removes, or loads anew under the same name, needs no pins any more, unless its maps are taken
 * over before.
 */
static bool object_goes(const struct planner *p, const struct observed_object *at)
{
	for (size_t i = 0; i < p->drafts.n; i++)
		if (takes_over(&p->drafts.v[i]->op, at))
			return false;
	for (size_t i = 0; i < p->drafts.n; i++) {
		const struct op *op = &p->drafts.v[i]->op;

		if ((op->kind == OP_OBJECT_REMOVE || op->kind == OP_OBJECT_LOAD) &&
		    is_of(&op->object, at))
			return true;
	}
	return false;
}

static bool link_goes(const struct planner *p, const struct observed_link *l)
{
	for (size_t i = 0; i < p->drafts.n; i++) {
		const struct op *op = &p->drafts.v[i]->op;

		if ((op->kind == OP_TC_CLEAR && op->tc.link_id == l->id) ||
		    (op->kind == OP_LINK_REMOVE && op->root.link_id == l->id) ||
		    (op->kind == OP_LINK_SET && op->root.link_id == l->id && op->root.detach_first))
			return true;
	}
	return false;
}

static const char *restore_reason(struct planner *p, const struct observed_lost *lost, size_t n)
{
	size_t replaced = 0;

	for (size_t i = 0; i < n; i++)
		replaced += lost[i].replaced;
	if (replaced == n)
		return "something else is pinned in its place";
	if (replaced)
		return arena_printf(p->a, "pins are gone, in the place of %zu is something else",
				    replaced);
	return n == 1 ? "its pin is gone" : "their pins are gone";
}

/* NULL: an attempt failed, and it is too early for the next one. */
static struct draft *restore_draft(struct planner *p, const char *key, const char *subject,
				   const struct op_pins *pins)
{
	struct draft *d;

	if (base_failure(p) || lookup_failure(p, subject, ""))
		return NULL;
	d = draft_add(p, OP_PIN_RESTORE, key);
	d->op.subject = subject;
	d->op.reason = restore_reason(p, pins->v, pins->n);
	d->op.pins = *pins;
	draft_need(p, d, base_prepare(p));
	return d;
}

/* --- who needs it -------------------------------------------------------------------- */

static bool is_program(const struct program_ref *r, const struct observed_object *o)
{
	return str_eq(r->instance, o->instance) && str_eq(r->version, o->version);
}

static bool load_needs(const struct op_object *op, const struct observed_object *o)
{
	bool needs = is_of(op, o);

	for (size_t i = 0; i < op->map_count; i++)
		needs |= op->maps[i].from.instance && is_map(&op->maps[i].from, o);
	return needs;
}

static bool chain_needs(const struct op_chain *op, const struct observed_object *o)
{
	for (size_t i = 0; i < op->member_count; i++)
		if (op->members[i].instance && is_program(&op->members[i], o))
			return true;
	return false;
}

static bool share_needs(const struct op_share *op, const struct observed_object *o)
{
	for (size_t i = 0; i < op->pin_count; i++)
		if (op->pins[i].map.instance && is_map(&op->pins[i].map, o))
			return true;
	return false;
}

static bool needs_object(const struct op *op, const struct observed_object *o)
{
	switch (op->kind) {
	case OP_OBJECT_LOAD:
	case OP_EXTENSION_LOAD:
		return load_needs(&op->object, o);
	case OP_CHAIN_BUILD:
	case OP_SLOT_SET:
		return chain_needs(&op->chain, o);
	case OP_ROOT_SET:
	case OP_LINK_SET:
		return op->root.program.instance && is_program(&op->root.program, o);
	case OP_TC_SET:
		return op->tc.program.instance && is_program(&op->tc.program, o);
	case OP_SHARE_MOUNT:
	case OP_SHARE_PIN:
		return share_needs(&op->share, o);
	case OP_MAP_SYNC:
		return is_map(&op->sync.from, o) || is_map(&op->sync.to, o);
	default:
		return false;
	}
}

static bool needs_chain(const struct op *op, uint32_t id)
{
	switch (op->kind) {
	case OP_SLOT_SET:
		return op->chain.id == id;
	case OP_ROOT_SET:
	case OP_LINK_SET:
		return op->root.chain_id == id;
	case OP_TC_SET:
		return op->tc.chain_id == id;
	default:
		return false;
	}
}

/* --- the three kinds ------------------------------------------------------------------- */

static void object_restore(struct planner *p, const struct observed_object *o)
{
	const struct op_pins pins = { o->lost, o->lost_count };
	struct instance *i = lookup_instance(p, o->instance);
	const char *key = arena_printf(p->a, "object %s", o->instance);
	const char *subject =
		arena_printf(p->a, "pins of object %s version %s", o->instance, o->version);
	const struct failure *f;
	struct draft *d;

	if (!o->lost_count || object_goes(p, o))
		return;
	d = restore_draft(p, key, subject, &pins);
	f = d ? NULL : lookup_failure(p, subject, "");
	if (f && i && i->observed == o && i->condition.state == STATE_READY)
		condition_from_failure(&i->condition, f);
	if (!d)
		return;
	if (i && i->object->decl)
		d->op.origin = i->object->decl->origin;
	for (size_t k = 0; k < p->drafts.n; k++)
		if (needs_object(&p->drafts.v[k]->op, o))
			draft_need(p, p->drafts.v[k], d);
}

/* What runs serves on, but not as safely as declared. */
static void chain_suffers(struct planner *p, const struct chain *c, const char *subject)
{
	const struct failure *f = lookup_failure(p, subject, "");

	for (size_t i = 0; f && i < c->attachments.n; i++)
		if (c->attachments.v[i]->condition.state == STATE_READY)
			condition_from_failure(&c->attachments.v[i]->condition, f);
}

static const char *user_key(struct planner *p, const struct dispatcher *d)
{
	if (d->users.n)
		return chain_key(p, d->users.v[0]);
	return arena_printf(p->a, "chain %u", d->observed->id);
}

static void chain_restore(struct planner *p, const struct dispatcher *at)
{
	const struct op_pins pins = { at->observed->lost, at->observed->lost_count };
	const char *subject = arena_printf(p->a, "pins of chain %u", at->observed->id);
	struct draft *d;

	if (!pins.n || at->removal)
		return;
	d = restore_draft(p, user_key(p, at), subject, &pins);
	for (size_t i = 0; !d && i < at->users.n; i++)
		chain_suffers(p, at->users.v[i], subject);
	for (size_t k = 0; d && k < p->drafts.n; k++)
		if (needs_chain(&p->drafts.v[k]->op, at->observed->id))
			draft_need(p, p->drafts.v[k], d);
}

/* The interface that it is at, by what was found there; NULL: none that is seen. */
static const struct chain *link_chain(const struct planner *p, const struct observed_link *l)
{
	for (size_t i = 0; i < p->observed->interface_count; i++)
		if (p->chains[i].live.link == l)
			return &p->chains[i];
	for (size_t i = 0; i < p->tc_chain_count && l->hook == HOOK_TC; i++)
		for (size_t k = 0; k < p->tc_chains[i].entry_count; k++)
			if (p->tc_chains[i].entries[k].observed->link_id == l->id)
				return &p->tc_chains[i].chain;
	return NULL;
}

/* A root's link that somebody else holds is known by its place; one of tc is adopted there (tc_place.c). */
static void link_restore(struct planner *p, const struct observed_link *l)
{
	const char *subject = arena_printf(p->a, "pin of link %u", l->id);
	struct observed_lost *lost;
	const struct chain *c;
	struct op_pins pins;

	if (l->pinned || !l->ifindex || (!l->lost && l->hook != HOOK_XDP) || link_goes(p, l))
		return;
	c = link_chain(p, l);
	if (!c && !l->lost)
		return;
	lost = arena_new_of(p->a, struct observed_lost);
	lost->type = PIN_TYPE_LINK;
	lost->id = l->id;
	lost->path = layout_link_pin(p->a, l->id, l->lost ? l->netns : c->interface->netns);
	pins = (struct op_pins){ lost, 1 };
	if (!restore_draft(p, c ? chain_key(p, c) : arena_printf(p->a, "link %u", l->id), subject,
			   &pins) &&
	    c)
		chain_suffers(p, c, subject);
}

/* Where others can write, what is ours today is theirs tomorrow; nothing else may need the directory now. */
static void directory_restore(struct planner *p)
{
	const struct observed *o = p->observed;

	if (o->directory_opened && !p->in->purge && !base_failure(p) &&
	    o->object_count + o->chain_count + o->link_count > 0)
		(void)base_prepare(p);
}

void pins_restore(struct planner *p)
{
	directory_restore(p);
	for (size_t i = 0; i < p->observed->object_count; i++)
		object_restore(p, &p->observed->objects[i]);
	for (size_t i = 0; i < p->observed->chain_count; i++)
		chain_restore(p, &p->dispatchers[i]);
	for (size_t i = 0; i < p->observed->link_count; i++)
		link_restore(p, &p->observed->links[i]);
}
