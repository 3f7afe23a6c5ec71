/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * What every interface runs now. A root is ours if its program is one that we have pinned (a
 * program of a loaded object, or the dispatcher after which one of our chain directories is named) or
 * carries our mark though its pins are gone. Everything else is foreign, whatever its name says; but the
 * members of a dispatcher by libxdp's protocol are known one by one, and some may be ours.
 */
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "base/str.h"
#include "plan/plan_internal.h"

static void dispatcher_observe(struct planner *p, struct dispatcher *d,
			       const struct observed_chain *c)
{
	d->observed = c;
	if (!c->complete)
		return;
	d->member_count = c->meta.member_count;
	d->members = arena_calloc(p->a, d->member_count, sizeof(*d->members));
	for (size_t i = 0; i < d->member_count; i++) {
		const struct meta_member *m = &c->meta.members[i];
		/* What stands in for a member without a version is nothing that runs. */
		uint32_t id = m->absent ? 0 : c->slots[i];
		const struct program_entry *entry = lookup_program(p, id);
		bool foreign = c->meta.mechanism == MECHANISM_LIBXDP && !*m->instance;

		d->members[i] = (struct live_member){
			.instance = m->instance,
			.program = m->program,
			.id = id,
			.version = entry && !foreign ? entry->object : NULL,
			.priority = foreign ? m->run_priority : m->priority,
			.proceed_on = m->proceed_on,
			.required = m->required,
			.foreign = foreign,
			.frags = m->frags,
			.foreign_id = foreign ? id : 0,
		};
	}
}

struct dispatcher *dispatcher_find(struct planner *p, uint32_t id)
{
	const struct observed_chain *c = observed_find_chain(p->observed, id);

	return c ? &p->dispatchers[c - p->observed->chains] : NULL;
}

struct live_member live_lone_member(const struct program_entry *entry, enum hook hook)
{
	return (struct live_member){
		.instance = entry->object->instance,
		.program = entry->program->name,
		.id = entry->id,
		.version = entry->object,
		.proceed_on = verdicts_default(hook),
		.lone = true,
	};
}

static void live_direct(struct planner *p, struct live *l, const struct program_entry *entry)
{
	l->kind = LIVE_DIRECT;
	l->member_count = 1;
	l->members = arena_new_of(p->a, struct live_member);
	l->members[0] = live_lone_member(entry, HOOK_XDP);
}

static void live_chain(struct chain *c, const struct dispatcher *d)
{
	c->live.kind = LIVE_CHAIN;
	c->live.members = d->members;
	c->live.member_count = d->member_count;
	if (d->observed->meta.mechanism == MECHANISM_LIBXDP)
		protocol_complete(c);
}

static bool is_marked(const struct planner *p, uint32_t id)
{
	const struct observed_program *program = observed_find_program(p->observed, id);

	return program && program->ours;
}

static void live_of_interface(struct planner *p, struct chain *c)
{
	const struct observed_interface *i = c->interface;
	const struct program_entry *entry = lookup_program(p, i->xdp_id);
	struct dispatcher *d = dispatcher_find(p, i->xdp_id);
	struct live *l = &c->live;

	if (!i->xdp_id)
		return; /* LIVE_NONE */
	l->kind = LIVE_FOREIGN;
	/* Two roots in two modes: at most one of them is known here, so none is touched. */
	if (i->xdp_mode == XDP_MULTIPLE)
		return;
	l->dispatch = observed_find_dispatch(p->observed, i->netns, i->ifindex);
	if (l->dispatch && l->dispatch->id != i->xdp_id)
		l->dispatch = NULL;
	if (d && d->observed->newer)
		l->kind = LIVE_NEWER;
	else if (d && d->observed->complete)
		live_chain(c, d);
	else if (protocol_observe(p, c))
		l->kind = LIVE_PROTOCOL;
	else if (d)
		live_chain(c, d);
	else if (entry && !entry->extension)
		live_direct(p, l, entry);
	else if (is_marked(p, i->xdp_id) || (l->dispatch && l->dispatch->ours))
		l->kind = LIVE_LOST;
	l->dispatcher = l->kind == LIVE_NEWER ? NULL : d;
	if (l->dispatcher)
		*LIST_ADD(p->a, &d->users) = c;
}

/*
 * A link tells the number of its interface, but not in which namespace that is: its pin does. One that lost
 * its pin is known again where only one interface can be meant; a guess could take another one's root.
 */
static void link_find_interface(struct planner *p, const struct observed_link *link)
{
	struct chain *found = NULL;

	for (size_t i = 0; link->ifindex && i < p->observed->interface_count; i++) {
		struct chain *c = &p->chains[i];

		if (c->interface->ifindex != link->ifindex ||
		    c->interface->xdp_id != link->program_id ||
		    (!live_is_ours(&c->live) && c->live.kind != LIVE_PROTOCOL) || c->live.link)
			continue;
		if ((link->pinned || link->lost) &&
		    netns_compare(link->netns, c->interface->netns) != 0)
			continue;
		if (found)
			return;
		found = c;
	}
	if (found)
		found->live.link = link;
}

static int compare_ids(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static void collect_live_ids(struct planner *p)
{
	size_t n = p->observed->interface_count;

	for (size_t i = 0; i < p->observed->chain_count; i++)
		n += p->dispatchers[i].member_count;
	for (size_t i = 0; i < p->tc_chain_count; i++)
		n += p->tc_chains[i].entry_count;
	for (size_t i = 0; i < p->observed->interface_count; i++)
		if (p->chains[i].live.kind == LIVE_PROTOCOL)
			n += p->chains[i].live.member_count;
	p->live_ids = arena_calloc(p->a, n, sizeof(uint32_t));
	for (size_t i = 0; i < p->observed->interface_count; i++) {
		const struct live *l = &p->chains[i].live;

		if (l->kind == LIVE_DIRECT)
			p->live_ids[p->live_id_count++] = p->chains[i].interface->xdp_id;
		for (size_t k = 0; l->kind == LIVE_PROTOCOL && k < l->member_count; k++)
			p->live_ids[p->live_id_count++] = l->members[k].id;
	}
	for (size_t i = 0; i < p->observed->chain_count; i++) {
		const struct dispatcher *d = &p->dispatchers[i];

		for (size_t k = 0; k < d->member_count && d->users.n; k++)
			p->live_ids[p->live_id_count++] = d->members[k].id;
	}
	for (size_t i = 0; i < p->tc_chain_count; i++)
		for (size_t k = 0; k < p->tc_chains[i].entry_count; k++)
			p->live_ids[p->live_id_count++] = p->tc_chains[i].entries[k].observed->id;
	if (p->live_id_count)
		qsort(p->live_ids, p->live_id_count, sizeof(uint32_t), compare_ids);
}

void live_observe(struct planner *p)
{
	const struct observed *o = p->observed;

	p->dispatchers = arena_calloc(p->a, o->chain_count, sizeof(*p->dispatchers));
	for (size_t i = 0; i < o->chain_count; i++)
		dispatcher_observe(p, &p->dispatchers[i], &o->chains[i]);
	p->chains = arena_calloc(p->a, o->interface_count, sizeof(*p->chains));
	for (size_t i = 0; i < o->interface_count; i++) {
		p->chains[i].interface = &o->interfaces[i];
		p->chains[i].index = i;
		live_of_interface(p, &p->chains[i]);
	}
	for (size_t i = 0; i < o->link_count; i++)
		if (o->links[i].hook == HOOK_XDP)
			link_find_interface(p, &o->links[i]);
	tc_chains_observe(p);
	collect_live_ids(p);
}

bool live_has_own(const struct live *l)
{
	for (size_t i = 0; i < l->member_count; i++)
		if (!l->members[i].foreign)
			return true;
	return false;
}

bool live_is_ours(const struct live *l)
{
	return l->kind == LIVE_DIRECT || l->kind == LIVE_CHAIN ||
	       (l->kind == LIVE_PROTOCOL && live_has_own(l));
}

bool live_is_libxdp(const struct live *l)
{
	return l->kind == LIVE_PROTOCOL ||
	       (l->kind == LIVE_CHAIN && l->dispatcher &&
		l->dispatcher->observed->meta.mechanism == MECHANISM_LIBXDP);
}

const char *xdp_attached_name(enum xdp_attached mode)
{
	static const char *const names[] = {
		[XDP_NONE] = "no",          [XDP_DRIVER] = "native",    [XDP_GENERIC] = "generic",
		[XDP_HARDWARE] = "offload", [XDP_MULTIPLE] = "several",
	};

	return (size_t)mode < ARRAY_SIZE(names) ? names[mode] : "unknown";
}

enum mechanism live_mechanism(const struct live *l)
{
	if (live_is_libxdp(l))
		return MECHANISM_LIBXDP;
	if (l->kind == LIVE_CHAIN)
		return MECHANISM_TAILCALL;
	return l->kind == LIVE_DIRECT ? MECHANISM_DIRECT : MECHANISM_AUTO;
}
