/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Dispatchers by libxdp's protocol. The program id in a slot decides whose a member is: one of our
 * freplace programs is ours, whoever built the dispatcher around it; any other is foreign, and is carried along
 * as it is. A dispatcher that libxdp built, or ours without our directory, tells its members by its
 * configuration and by the directory of its interface in `xdp`, which is all that libxdp's own tools know.
 */
#include <linux/bpf.h>
#include <stdlib.h>

#include "base/str.h"
#include "model/layout.h"
#include "plan/plan_internal.h"

#ifndef BPF_F_XDP_HAS_FRAGS
#define BPF_F_XDP_HAS_FRAGS (1U << 5)
#endif

/* --- whose members ------------------------------------------------------------------------ */

/* Also one that no pin of ours tells any more: it goes when the chain is built anew. */
static bool is_ours(const struct observed_dispatch_member *m)
{
	return m->ours || str_eq(m->name, PROTOCOL_ABSENT);
}

static struct live_member live_member(const struct planner *p,
				      const struct observed_dispatch_member *m)
{
	const struct program_entry *entry = lookup_program(p, m->id);
	struct live_member to = {
		.instance = "",
		.program = m->name ? m->name : "?",
		.id = m->id,
		.priority = m->priority,
		.proceed_on = m->actions,
		.required = m->required,
		.frags = m->flags & BPF_F_XDP_HAS_FRAGS,
	};

	if (entry && entry->extension) {
		to.instance = entry->object->instance;
		to.program = entry->program->name;
		to.version = entry->object;
	} else if (!is_ours(m)) {
		to.foreign = true;
		to.foreign_id = m->id;
	}
	return to;
}

bool protocol_observe(struct planner *p, struct chain *c)
{
	const struct observed_dispatch *d = c->live.dispatch;
	struct live *l = &c->live;
	size_t known = 0;

	if (!d || d->fault)
		return false;
	for (size_t i = 0; i < d->member_count; i++)
		known += d->members[i].id != 0;
	/* Ours may have lost pins; of someone else's everything must be known, since it all is kept. */
	if (known < d->member_count && (!d->ours || !known))
		return false;
	l->members = arena_calloc(p->a, known, sizeof(*l->members));
	for (size_t i = 0; i < d->member_count; i++)
		if (d->members[i].id)
			l->members[l->member_count++] = live_member(p, &d->members[i]);
	return true;
}

void protocol_complete(struct chain *c)
{
	const struct observed_dispatch *d = c->live.dispatch;

	for (size_t i = 0; d && i < c->live.member_count && i < d->member_count; i++)
		if (c->live.members[i].foreign && !c->live.members[i].id)
			c->live.members[i].foreign_id = d->members[i].id;
}

bool live_has_foreign(const struct live *l)
{
	for (size_t i = 0; i < l->member_count; i++)
		if (l->members[i].foreign && l->members[i].foreign_id)
			return true;
	return false;
}

const char *protocol_foreign_names(struct arena *a, const struct live *l)
{
	const char *text = NULL;

	for (size_t i = 0; i < l->member_count; i++)
		if (l->members[i].foreign && l->members[i].foreign_id)
			text = arena_printf(a, "%s%s%s (id %u)", text ? text : "", text ? ", " : "",
					    l->members[i].program, l->members[i].foreign_id);
	return text ? text : "";
}

static bool member_fits(const struct observed_dispatch_member *m, const struct slot *s)
{
	return !s->load && s->id && m->id == s->id && m->linked && m->actions == s->proceed_on &&
	       m->required == s->required;
}

/*
 * A dispatcher by another daemon of bpfshare follows our rule of verdicts. Where it is what we would build
 * ourselves, it stays: two that each insisted on their own would replace each other for ever.
 */
bool protocol_suffices(const struct chain *c)
{
	const struct observed_dispatch *d = c->live.dispatch;

	if (c->want != WANT_LIBXDP || c->live.kind != LIVE_PROTOCOL || !d || !d->bpfshare ||
	    d->ours || d->version != c->protocol || d->frags != c->frags ||
	    d->member_count != c->slot_count || chain_takes_detach(c))
		return false;
	for (size_t i = 0; i < c->slot_count; i++)
		if (!member_fits(&d->members[i], &c->slots[i]))
			return false;
	return true;
}

/* --- pins ----------------------------------------------------------------------------------- */

static int compare_indexes(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static bool is_pinned_at(const struct dispatcher *d, uint32_t ifindex)
{
	return d->observed->pinned_count &&
	       bsearch(&ifindex, d->observed->pinned_at, d->observed->pinned_count, sizeof(ifindex),
		       compare_indexes);
}

/* A link that is lost itself is made again with its pins, so only those of what runs count. */
static bool lacks_pins(const struct chain *c)
{
	const struct dispatcher *d = c->live.dispatcher;
	const struct observed_dispatch *o = c->live.dispatch;

	if (!is_pinned_at(d, c->interface->ifindex))
		return true;
	for (size_t i = 0; o && i < o->member_count && i < d->member_count; i++)
		if (d->observed->slots[i] &&
		    !(o->members[i].id == d->observed->slots[i] && o->members[i].linked))
			return true;
	return false;
}

static struct draft *pins_draft(struct planner *p, enum op_kind kind, const struct dispatcher *d,
				const char *interface)
{
	struct draft *draft = draft_add(p, kind, arena_printf(p->a, "%s/xdp", interface));

	draft->op.version = arena_printf(p->a, "chain %u", d->observed->id);
	draft->op.root.interface = interface;
	draft->op.root.chain_id = d->observed->id;
	draft->op.root.mechanism = MECHANISM_LIBXDP;
	return draft;
}

static const char *pins_subject(struct planner *p, const char *interface, uint32_t ifindex)
{
	return arena_printf(p->a, "%s#%u/pins", interface, ifindex);
}

static void pins_make(struct planner *p, struct chain *c)
{
	const struct observed_interface *i = c->interface;
	const char *subject = pins_subject(p, i->name, i->ifindex);
	const struct dispatcher *d = c->live.dispatcher;

	c->pins_failure =
		lookup_failure(p, subject, arena_printf(p->a, "chain %u", d->observed->id));
	if (c->pins_failure)
		return;
	c->pins = pins_draft(p, OP_ROOT_PIN, d, i->name);
	c->pins->op.subject = subject;
	c->pins->op.reason = "libxdp's tools cannot tell its members without them";
	c->pins->op.root.netns = i->netns;
	c->pins->op.root.ifindex = i->ifindex;
	c->pins->op.root.expected_id = i->xdp_id;
	c->pins->op.root.expected_mode = i->xdp_mode;
}

void protocol_pins_make(struct planner *p)
{
	for (size_t i = 0; i < p->observed->interface_count; i++) {
		struct chain *c = &p->chains[i];

		if (c->live.kind == LIVE_CHAIN && live_is_libxdp(&c->live) && !c->root &&
		    lacks_pins(c))
			pins_make(p, c);
	}
}

static bool runs(const struct chain *c, const struct dispatcher *d)
{
	return c->live.dispatcher == d || c->dispatcher == d;
}

/*
 * The interface of this index that runs the dispatcher, or does after this plan; else any. The directories do
 * not tell namespaces apart, and mostly it is the daemon's own.
 */
static const struct chain *find_at(const struct planner *p, const struct dispatcher *d,
				   uint32_t ifindex)
{
	const struct observed_interface *own = observed_find_interface(p->observed, NULL, ifindex);
	const struct chain *found = own ? &p->chains[own - p->observed->interfaces] : NULL;

	for (size_t i = 0; !(found && runs(found, d)) && i < p->observed->interface_count; i++)
		if (p->chains[i].interface->ifindex == ifindex &&
		    (!found || runs(&p->chains[i], d)))
			found = &p->chains[i];
	return found;
}

static void pins_remove(struct planner *p, struct dispatcher *d, uint32_t ifindex)
{
	const struct chain *c = find_at(p, d, ifindex);
	const char *name = c ? c->interface->name : arena_printf(p->a, "interface %u", ifindex);
	const char *subject = pins_subject(p, name, ifindex);
	struct draft *draft;

	if ((c && runs(c, d)) ||
	    lookup_undone(p, subject, arena_printf(p->a, "chain %u", d->observed->id)))
		return;
	draft = pins_draft(p, OP_ROOT_UNPIN, d, name);
	draft->op.subject = subject;
	draft->op.reason = c ? "it runs something else now" : "it is gone";
	draft->op.root.netns = c ? c->interface->netns : NULL;
	draft->op.root.ifindex = ifindex;
	if (d->removal)
		draft_need(p, d->removal, draft);
}

void protocol_pins_remove(struct planner *p)
{
	for (size_t i = 0; i < p->observed->chain_count; i++) {
		struct dispatcher *d = &p->dispatchers[i];

		/* A chain takes all its pins with it, except where it is handed over. */
		if (d->removal && !d->removal->op.chain.hand_over)
			continue;
		for (size_t k = 0; k < d->observed->pinned_count && !d->observed->newer; k++)
			pins_remove(p, d, d->observed->pinned_at[k]);
	}
}

/* --- the end of our part ---------------------------------------------------------------------- */

static bool is_left_to_others(const struct chain *c)
{
	for (size_t i = 0; i < c->live.member_count; i++)
		if (!c->live.members[i].foreign)
			return false;
	return c->live.member_count && !c->live.link && !c->root && !c->pins_failure &&
	       c->want == WANT_AS_IS;
}

bool protocol_hands_over(const struct dispatcher *d)
{
	for (size_t i = 0; i < d->users.n; i++)
		if (!is_left_to_others(d->users.v[i]))
			return false;
	return d->users.n > 0;
}
