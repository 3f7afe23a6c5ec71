/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Dispatchers by libxdp's protocol in the fake kernel: links that live as long as one of their pins, the
 * directories in `xdp`, and the tools of others, which read them and build all anew.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fake/kern_fake_state.h"
#include "model/layout.h"

#define HAS_FRAGS (1u << 5)

bool fake_is_libxdp(const struct fake_chain *c)
{
	return c->meta.mechanism == MECHANISM_LIBXDP;
}

bool fake_is_foreign_member(const struct kern_fake *k, uint32_t id)
{
	const struct fake_program *p = fake_find_program(k, id);

	return p && p->extension && !p->ours;
}

/* --- pins ------------------------------------------------------------------------------------ */

struct fake_pins *fake_find_pins(const struct kern_fake *k, uint32_t ifindex, uint32_t id)
{
	for (size_t i = 0; i < k->protocol_pins.n; i++)
		if (k->protocol_pins.v[i].ifindex == ifindex && k->protocol_pins.v[i].id == id)
			return &k->protocol_pins.v[i];
	return NULL;
}

bool fake_runs_at(const struct kern_fake *k, uint32_t ifindex, uint32_t id)
{
	for (size_t i = 0; i < k->interfaces.n; i++)
		if (k->interfaces.v[i].o.ifindex == ifindex && k->interfaces.v[i].o.xdp_id == id)
			return true;
	return false;
}

void fake_make_pins(struct kern_fake *k, uint32_t ifindex, const struct fake_chain *c)
{
	struct fake_pins *p = fake_find_pins(k, ifindex, c->id);

	if (!p)
		p = LIST_ADD(k->a, &k->protocol_pins);
	*p = (struct fake_pins){ .ifindex = ifindex, .id = c->id };
	for (size_t i = 0; i < c->meta.member_count; i++) {
		/* Without its link a foreign program is still there to be pinned. */
		p->programs[i] = c->slots[i] ? c->slots[i] : c->meta.members[i].id;
		p->links[i] = c->slots[i] != 0;
	}
}

void fake_remove_pins(struct kern_fake *k, uint32_t ifindex, uint32_t id)
{
	struct fake_pins *p = fake_find_pins(k, ifindex, id);
	struct fake_chain *c = fake_find_chain(k, id);

	if (p)
		FAKE_REMOVE(&k->protocol_pins, (size_t)(p - k->protocol_pins.v));
	if (c && fake_is_libxdp(c))
		fake_settle_links(k, c);
}

void fake_remove_all_pins(struct kern_fake *k, uint32_t id)
{
	for (size_t i = k->protocol_pins.n; i-- > 0;)
		if (k->protocol_pins.v[i].id == id)
			FAKE_REMOVE(&k->protocol_pins, i);
}

bool fake_pins_are_whole(const struct kern_fake *k, uint32_t ifindex, const struct fake_chain *c)
{
	const struct fake_pins *p = fake_find_pins(k, ifindex, c->id);

	/* What has lost its link itself is nothing that pins could keep. */
	for (size_t i = 0; p && i < c->meta.member_count; i++)
		if (c->slots[i] && (!p->programs[i] || !p->links[i]))
			return false;
	return p != NULL;
}

void fake_settle_links(struct kern_fake *k, struct fake_chain *c)
{
	for (size_t s = 0; s < c->meta.member_count; s++) {
		bool held = c->linked[s];

		for (size_t i = 0; i < k->protocol_pins.n && !held; i++)
			held = k->protocol_pins.v[i].id == c->id && k->protocol_pins.v[i].links[s];
		if (!held)
			c->slots[s] = 0;
	}
}

/* A program lives while it is pinned or linked; those of objects are looked up by their pins. */
static bool exists(const struct kern_fake *k, uint32_t id)
{
	for (size_t i = 0; i < k->protocol_pins.n; i++)
		for (size_t s = 0; s < LIMIT_CHAIN_LIBXDP; s++)
			if (k->protocol_pins.v[i].programs[s] == id)
				return true;
	for (size_t i = 0; i < k->chains.n; i++)
		for (size_t s = 0; s < k->chains.v[i].meta.member_count; s++)
			if (k->chains.v[i].slots[s] == id)
				return true;
	return false;
}

/* --- operations --------------------------------------------------------------------------------- */

static bool is_listed(const char *const *v, size_t n, const char *s)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(v[i], s))
			return true;
	return false;
}

void fake_extension_load(struct kern_fake *k, const struct op *op, struct op_result *ret)
{
	const struct op_object *from = &op->object;
	struct fake_object *o = fake_find_object(k, from->instance, from->version);

	if (!o || !fake_is_complete(o)) {
		fake_refuse(ret, -ENOENT, FAILURE_TRANSIENT, "Vanished", "%s %s is not whole",
			    from->instance, from->version);
		return;
	}
	if (is_listed(k->unextendable.v, k->unextendable.n, from->decl->source->sha256)) {
		fake_refuse(ret, -EINVAL, FAILURE_KERNEL, "VerifierRefused",
			    "the kernel refuses %s as a freplace program", from->programs[0]);
		return;
	}
	for (size_t i = 0; i < from->program_count; i++) {
		struct fake_program *p;

		if (fake_find_pin(o->extensions.v, o->extensions.n, from->programs[i]))
			fake_violation(k, "extension %s/%s is there", from->instance,
				       from->programs[i]);
		if (!fake_find_pin(o->programs, o->program_count, from->programs[i]))
			fake_violation(k, "no program %s/%s", from->instance, from->programs[i]);
		p = fake_add_program(k, from->programs[i]);
		p->ours = p->extension = true;
		p->instance = o->instance;
		p->version = o->version;
		*LIST_ADD(k->a, &o->extensions) = (struct fake_pin){ .name = p->name, .id = p->id };
		if (i + 1 < from->program_count && fake_step(k, op->key))
			return;
	}
}

static uint32_t extension_id(const struct kern_fake *k, const struct program_ref *r)
{
	const struct fake_object *o = r->instance ? fake_find_object(k, r->instance, r->version) :
						    NULL;
	const struct fake_pin *pin =
		o ? fake_find_pin(o->extensions.v, o->extensions.n, r->function) : NULL;

	if (!r->instance)
		return exists(k, r->id) ? r->id : 0;
	return pin ? pin->id : 0;
}

static uint32_t absent_program(struct kern_fake *k)
{
	struct fake_program *p = fake_add_program(k, PROTOCOL_ABSENT);

	p->ours = p->extension = true;
	return p->id;
}

struct member {
	uint32_t id;
	const char *name; /* of the program that is in the slot */
	struct meta_member meta;
};

static struct member member_of(const struct kern_fake *k, uint32_t id, const struct meta_member *m)
{
	const struct fake_program *p = fake_find_program(k, id);

	return (struct member){ id, p ? p->name : "", *m };
}

static int sort_order(const struct member *x, const struct member *y)
{
	if (x->meta.run_priority != y->meta.run_priority)
		return x->meta.run_priority < y->meta.run_priority ? -1 : 1;
	return strcmp(x->name, y->name);
}

static bool is_sorted(const struct kern_fake *k, const struct fake_chain *c, size_t i)
{
	struct member before = member_of(k, c->slots[i - 1], &c->meta.members[i - 1]);
	struct member at = member_of(k, c->slots[i], &c->meta.members[i]);

	return sort_order(&before, &at) < 0;
}

/* What libxdp's tools, or a careful reader, would find wrong with the dispatcher. */
static void check_dispatcher(struct kern_fake *k, const struct fake_chain *c)
{
	bool frags = c->meta.frags;

	for (size_t i = 0; i < c->meta.member_count; i++) {
		const struct meta_member *m = &c->meta.members[i];
		bool foreign = fake_is_foreign_member(k, c->slots[i]);

		if (foreign != !*m->instance || (foreign && m->id != c->slots[i]))
			fake_violation(k, "chain %u: whose is slot %zu?", c->id, i);
		if (frags && !m->frags && !m->absent)
			fake_violation(k, "chain %u: frags without slot %zu", c->id, i);
		if (i && !(foreign && !*m[-1].instance) && !is_sorted(k, c, i))
			fake_violation(k, "chain %u: libxdp would sort slot %zu elsewhere", c->id,
				       i);
		for (size_t n = 0; n < i; n++)
			if (c->slots[n] == c->slots[i])
				fake_violation(k, "chain %u: program %u twice", c->id, c->slots[i]);
	}
	if (c->meta.protocol != 2 && c->meta.protocol != 3)
		fake_violation(k, "chain %u: protocol %u", c->id, c->meta.protocol);
	if (c->meta.member_count > LIMIT_CHAIN_LIBXDP)
		fake_violation(k, "chain %u: too many members", c->id);
}

void fake_libxdp_build(struct kern_fake *k, const struct op *op, struct fake_chain *c,
		       struct op_result *ret)
{
	const struct op_chain *from = &op->chain;

	c->linked = arena_calloc(k->a, from->member_count, sizeof(*c->linked));
	for (size_t i = 0; i < from->member_count; i++) {
		const struct program_ref *r = &from->members[i];
		bool absent = !r->instance && !r->id;

		if (absent != from->meta.members[i].absent)
			fake_violation(k, "%s: slot %zu is%s absent", op->key, i,
				       absent ? "" : " not");
		c->slots[i] = absent ? absent_program(k) : extension_id(k, r);
		c->linked[i] = true;
		if (c->slots[i])
			continue;
		fake_refuse(ret, -ENOENT, FAILURE_TRANSIENT, "MemberMissing",
			    "member %zu of %s is not there", i, op->key);
		return;
	}
	check_dispatcher(k, c);
}

void fake_link_set(struct kern_fake *k, struct fake_chain *c, const struct op *op,
		   struct op_result *ret)
{
	const struct program_ref *member = op_slot_member(&op->chain);
	uint32_t slot = op->chain.slot, id = member ? extension_id(k, member) : 0;

	if (!id) {
		fake_refuse(ret, -ENOENT, FAILURE_TRANSIENT, "MemberMissing", "slot %u", slot);
		return;
	}
	if (c->slots[slot]) {
		fake_refuse(ret, -EBUSY, FAILURE_KERNEL, "SlotBusy", "slot %u has a link", slot);
		return;
	}
	c->slots[slot] = id;
	c->linked[slot] = true;
	for (size_t i = 0; i < k->protocol_pins.n; i++) {
		if (k->protocol_pins.v[i].id != c->id)
			continue;
		k->protocol_pins.v[i].programs[slot] = id;
		k->protocol_pins.v[i].links[slot] = true;
	}
}

/* --- as recon sees it ------------------------------------------------------------------------------ */

static int by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static void observe_pinned_at(const struct kern_fake *k, struct arena *a,
			      struct observed_chain *ret)
{
	ret->pinned_at = arena_calloc(a, k->protocol_pins.n, sizeof(*ret->pinned_at));
	for (size_t i = 0; i < k->protocol_pins.n; i++)
		if (k->protocol_pins.v[i].id == ret->id)
			ret->pinned_at[ret->pinned_count++] = k->protocol_pins.v[i].ifindex;
	if (ret->pinned_count)
		qsort(ret->pinned_at, ret->pinned_count, sizeof(*ret->pinned_at), by_number);
}

static void observe_dispatch(const struct kern_fake *k, struct arena *a, const struct fake_chain *c,
			     struct observed_dispatch *ret)
{
	const struct fake_pins *pins = fake_find_pins(k, ret->ifindex, c->id);

	ret->id = c->id;
	ret->version = c->meta.protocol;
	ret->frags = c->meta.frags;
	ret->ours = fake_find_program(k, c->id)->ours;
	ret->fault = c->fault ? c->fault : pins ? NULL : "its pins are missing";
	if (ret->fault)
		return;
	ret->member_count = c->meta.member_count;
	ret->members = arena_calloc(a, ret->member_count, sizeof(*ret->members));
	for (size_t i = 0; i < ret->member_count; i++) {
		const struct fake_program *p = fake_find_program(k, pins->programs[i]);

		ret->members[i] = (struct observed_dispatch_member){
			.id = pins->programs[i],
			.name = p ? arena_strdup(a, p->name) : NULL,
			.tag = "fedcba9876543210",
			.priority = c->meta.members[i].run_priority,
			.actions = c->meta.members[i].proceed_on,
			.flags = c->meta.members[i].frags ? HAS_FRAGS : 0,
			.linked = pins->links[i],
			.ours = p && p->ours,
		};
	}
}

void fake_observe_libxdp(const struct kern_fake *k, struct arena *a,
			 const struct observe_request *want, struct observed *ret)
{
	ret->libxdp_protocol = want->libxdp_protocol ? want->libxdp_protocol : k->protocol;
	for (size_t i = 0; i < ret->chain_count; i++)
		observe_pinned_at(k, a, &ret->chains[i]);
	ret->dispatches = arena_calloc(a, ret->interface_count, sizeof(*ret->dispatches));
	/* They have been sorted. */
	for (size_t i = 0; i < ret->interface_count; i++) {
		const struct fake_chain *c = fake_find_chain(k, ret->interfaces[i].xdp_id);

		if (!c || !fake_is_libxdp(c))
			continue;
		ret->dispatches[ret->dispatch_count].netns = ret->interfaces[i].netns;
		ret->dispatches[ret->dispatch_count].ifindex = ret->interfaces[i].ifindex;
		observe_dispatch(k, a, c, &ret->dispatches[ret->dispatch_count++]);
	}
}

/* --- what others do ----------------------------------------------------------------------------------- */

struct members {
	struct member v[LIMIT_CHAIN_LIBXDP + 1];
	size_t n;
};

/* What a tool of libxdp can tell of the interface, from the pins alone. */
static bool read_members(const struct kern_fake *k, const struct fake_interface *i,
			 struct members *ret)
{
	const struct fake_chain *c = fake_find_chain(k, i->o.xdp_id);
	const struct fake_pins *pins = c ? fake_find_pins(k, i->o.ifindex, c->id) : NULL;

	ret->n = 0;
	if (!i->o.xdp_id)
		return true;
	if (!c || !fake_is_libxdp(c) || !pins || c->fault || i->link_id ||
	    c->meta.protocol != k->protocol)
		return false;
	for (size_t s = 0; s < c->meta.member_count; s++) {
		if (!pins->programs[s])
			return false;
		ret->v[ret->n++] = member_of(k, pins->programs[s], &c->meta.members[s]);
	}
	return true;
}

static int by_priority(const void *a, const void *b)
{
	const struct member *x = a, *y = b;
	int r = sort_order(x, y);

	return r ? r : (x->id > y->id) - (x->id < y->id);
}

static void rebuild(struct kern_fake *k, struct fake_interface *i, struct members *m)
{
	struct fake_chain *c = LIST_ADD(k->a, &k->chains);
	uint32_t old = i->o.xdp_id;

	qsort(m->v, m->n, sizeof(*m->v), by_priority);
	*c = (struct fake_chain){ .id = fake_add_program(k, PROTOCOL_DISPATCHER)->id };
	c->meta.mechanism = MECHANISM_LIBXDP;
	c->meta.protocol = k->protocol;
	c->meta.frags = true;
	c->meta.member_count = m->n;
	c->meta.members = arena_calloc(k->a, m->n, sizeof(*c->meta.members));
	c->slots = arena_calloc(k->a, m->n, sizeof(*c->slots));
	c->linked = arena_calloc(k->a, m->n, sizeof(*c->linked));
	for (size_t s = 0; s < m->n; s++) {
		c->meta.members[s] = m->v[s].meta;
		c->meta.members[s].required = c->meta.members[s].absent = false;
		c->slots[s] = m->v[s].id;
		c->meta.frags &= m->v[s].meta.frags;
	}
	fake_make_pins(k, i->o.ifindex, c);
	i->o.xdp_mode = old ? i->o.xdp_mode : XDP_DRIVER;
	i->o.xdp_id = c->id;
	fake_remove_pins(k, i->o.ifindex, old);
	fake_chain_gc(k);
}

bool kern_fake_libxdp_load(struct kern_fake *k, const char *interface, const struct fake_member *m)
{
	struct fake_interface *i = fake_find_interface(k, interface);
	struct members all;
	struct fake_program *p;

	if (!read_members(k, i, &all) || all.n == LIMIT_CHAIN_LIBXDP)
		return false;
	p = fake_add_program(k, m->name);
	p->extension = true;
	all.v[all.n++] = (struct member){ p->id,
					  p->name,
					  { .instance = "",
					    .program = p->name,
					    .id = p->id,
					    .run_priority = m->priority,
					    .proceed_on = m->actions,
					    .frags = m->frags } };
	rebuild(k, i, &all);
	return true;
}

bool kern_fake_libxdp_unload(struct kern_fake *k, const char *interface, const char *name)
{
	struct fake_interface *i = fake_find_interface(k, interface);
	struct members all;
	size_t n = 0;

	if (!i->o.xdp_id || !read_members(k, i, &all))
		return false;
	while (n < all.n && !str_eq(fake_find_program(k, all.v[n].id)->name, name))
		n++;
	if (n == all.n)
		return false;
	FAKE_REMOVE(&all, n);
	if (!all.n)
		return kern_fake_libxdp_unload_all(k, interface);
	rebuild(k, i, &all);
	return true;
}

bool kern_fake_libxdp_unload_all(struct kern_fake *k, const char *interface)
{
	struct fake_interface *i = fake_find_interface(k, interface);
	uint32_t old = i->o.xdp_id;

	if (!old)
		return false;
	kern_fake_detach(k, interface);
	fake_remove_pins(k, i->o.ifindex, old);
	return true;
}

void kern_fake_libxdp_rebuild(struct kern_fake *k, const char *interface)
{
	struct fake_interface *i = fake_find_interface(k, interface);
	struct members all;

	if (i->o.xdp_id && read_members(k, i, &all))
		rebuild(k, i, &all);
}

void kern_fake_set_protocol(struct kern_fake *k, uint32_t version)
{
	k->protocol = version;
}

void kern_fake_set_dispatch_fault(struct kern_fake *k, const char *interface, const char *fault)
{
	struct fake_chain *c = fake_find_chain(k, kern_fake_root(k, interface));

	if (c)
		c->fault = arena_strdup(k->a, fault);
}

void kern_fake_lose_link(struct kern_fake *k, const char *interface, uint32_t slot)
{
	struct fake_chain *c = fake_find_chain(k, kern_fake_root(k, interface));

	if (!c || !fake_is_libxdp(c) || slot >= c->meta.member_count)
		return;
	c->linked[slot] = false;
	for (size_t i = 0; i < k->protocol_pins.n; i++)
		if (k->protocol_pins.v[i].id == c->id)
			k->protocol_pins.v[i].links[slot] = false;
	fake_settle_links(k, c);
}

void kern_fake_lose_protocol_pins(struct kern_fake *k, const char *interface)
{
	const struct fake_interface *i = fake_find_interface(k, interface);

	fake_remove_pins(k, i->o.ifindex, i->o.xdp_id);
}

void kern_fake_refuse_extension(struct kern_fake *k, const char *sha256)
{
	*LIST_ADD(k->a, &k->unextendable) = arena_strdup(k->a, sha256);
}

bool kern_fake_foreign_member(const struct kern_fake *k, const char *interface, size_t n,
			      struct fake_member *ret)
{
	const struct fake_chain *c = fake_find_chain(k, kern_fake_root(k, interface));

	for (size_t s = 0; c && fake_is_libxdp(c) && s < c->meta.member_count; s++) {
		const struct meta_member *m = &c->meta.members[s];

		if (!fake_is_foreign_member(k, c->slots[s]) || n-- > 0)
			continue;
		*ret = (struct fake_member){ fake_find_program(k, c->slots[s])->name,
					     m->run_priority, m->proceed_on, m->frags };
		return true;
	}
	return false;
}

bool kern_fake_has_own_libxdp(const struct kern_fake *k, const char *interface)
{
	const struct fake_chain *c = fake_find_chain(k, kern_fake_root(k, interface));

	return c && fake_is_libxdp(c) && c->has_dir;
}
