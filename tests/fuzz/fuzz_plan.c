/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Any declarations over any observation, also such as no kernel should make: directories without
 * a part of their pins, roots that are nobody's, slots with programs of others. The first nine
 * bytes choose a random node, every further four change one thing of what is observed there. The plan must be well
 * formed, and may only touch what was ours.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "fake/random_world.h"
#include "model/layout.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define EXPECT(claim)            \
	do {                     \
		if (!(claim))    \
			abort(); \
	} while (0)

#define HEAD        9
#define CHANGES_MAX 64

/* One change: which list, which element, which field, and the value to put there. */
struct change {
	uint8_t list, element, field, value;
};

/* A program or dispatcher that exists, or one that does not. */
static uint32_t some_id(const struct observed *o, uint8_t value)
{
	if (value < 64 && o->chain_count)
		return o->chains[value % o->chain_count].id;
	if (value < 192 && o->object_count) {
		const struct observed_object *v = &o->objects[value % o->object_count];

		return v->program_count ? v->programs[value % v->program_count].id : 0;
	}
	return value % 2 ? 10000u + value : 0;
}

static const char *some_instance(const struct observed *o, uint8_t value)
{
	return o->object_count ? o->objects[value % o->object_count].instance : "nobody";
}

static void change_interface(struct observed *o, const struct change *c)
{
	struct observed_interface *i = &o->interfaces[c->element % o->interface_count];

	switch (c->field % 4) {
	case 0:
		i->xdp_id = some_id(o, c->value);
		i->xdp_mode = i->xdp_id ? XDP_DRIVER : XDP_NONE;
		break;
	case 1:
		i->xdp_mode = i->xdp_id ? (enum xdp_attached)(1 + c->value % 4) : XDP_NONE;
		break;
	case 2:
		i->master_ifindex = o->interfaces[c->value % o->interface_count].ifindex;
		i->master_kind = c->value % 2 ? "bond" : "bridge";
		break;
	default:
		i->loopback = c->value % 2;
		break;
	}
}

static void change_object(struct observed *o, const struct change *c)
{
	struct observed_object *v = &o->objects[c->element % o->object_count];

	switch (c->field % 6) {
	case 0:
		v->complete = false;
		break;
	case 1:
		v->newer = true;
		v->complete = false;
		break;
	case 2:
		if (v->program_count)
			v->programs[c->value % v->program_count].id = some_id(o, c->value);
		break;
	case 3:
		if (v->map_count)
			v->maps[c->value % v->map_count].id = 10000u + c->value;
		break;
	case 4:
		v->program_count = v->map_count = 0;
		v->complete = false;
		break;
	default:
		v->meta.frags = c->value % 2;
		break;
	}
}

static void change_chain(struct observed *o, const struct change *c)
{
	struct observed_chain *v = &o->chains[c->element % o->chain_count];
	size_t n = v->complete ? v->meta.member_count : 0;

	switch (c->field % 8) {
	case 0:
		v->complete = false;
		break;
	case 1:
		v->newer = true;
		v->complete = false;
		break;
	case 2:
		if (n)
			v->slots[c->value % n] = some_id(o, c->value);
		break;
	case 3:
		if (n)
			v->meta.members[c->value % n].instance = some_instance(o, c->value);
		break;
	case 4:
		v->pinned_count = c->value % (v->pinned_count + 1);
		break;
	case 5:
		if (n)
			v->meta.members[c->value % n].run_priority = c->value;
		break;
	case 6:
		v->meta.hook = c->value % 2 ? HOOK_TC : HOOK_XDP;
		break;
	default:
		v->meta.frags = c->value % 2;
		break;
	}
}

static void change_link(struct observed *o, const struct change *c)
{
	struct observed_link *l = &o->links[c->element % o->link_count];

	if (c->field % 2)
		l->program_id = some_id(o, c->value);
	else
		l->ifindex = c->value % 8;
}

static void change_tc_program(struct observed *o, struct observed_tc_program *v, size_t n,
			      const struct change *c)
{
	struct observed_tc_program *at = n ? &v[c->value % n] : NULL;

	if (!at)
		return;
	switch (c->field % 4) {
	case 0:
		at->id = some_id(o, c->value);
		break;
	case 1:
		at->ours = !at->ours;
		break;
	case 2:
		at->link_id = c->value % 2 ? c->value : 0;
		break;
	default:
		at->filter_priority = c->value;
		break;
	}
}

static void change_tc(struct observed *o, const struct change *c)
{
	struct observed_tc *t = &o->tc[c->element % o->tc_count];

	switch (c->field / 4 % 5) {
	case 0:
		change_tc_program(o, t->programs, t->program_count, c);
		break;
	case 1:
		change_tc_program(o, t->filters, t->filter_count, c);
		break;
	case 2:
		t->qdisc = (enum tc_qdisc)(c->value % 3);
		break;
	case 3:
		t->program_count /= 2;
		break;
	default:
		t->revision = c->value;
		break;
	}
}

static void change_mount(struct observed *o, const struct change *c)
{
	struct observed_mount *m = &o->mounts[c->element % o->mount_count];

	switch (c->field % 6) {
	case 0:
		m->ours = m->covered = false;
		break;
	case 1:
		m->covered = m->ours;
		break;
	case 2:
		m->read_only = c->value % 2;
		break;
	case 3:
		m->stacked = 1 + c->value % 3;
		break;
	case 4:
		if (m->pin_count)
			m->pins[c->value % m->pin_count].map_id = c->value;
		break;
	default:
		m->share = c->value % 2 ? "s0" : "s1";
		break;
	}
}

static void change_dispatch(struct observed *o, const struct change *c)
{
	struct observed_dispatch *d = &o->dispatches[c->element % o->dispatch_count];
	struct observed_dispatch_member *m =
		d->member_count ? &d->members[c->value % d->member_count] : NULL;

	switch (c->field % 8) {
	case 0:
		d->fault = "it is broken";
		d->member_count = 0;
		break;
	case 1:
		d->ours = c->value % 2;
		break;
	case 2:
		d->id = some_id(o, c->value);
		break;
	case 3:
		if (m)
			m->id = c->value % 3 ? some_id(o, c->value) : 0;
		break;
	case 4:
		if (m)
			m->linked = c->value % 2;
		break;
	case 5:
		if (m)
			m->priority = c->value * 0x01010101u;
		break;
	case 6:
		if (m)
			m->ours = !m->ours;
		break;
	default:
		d->version = c->value % 5;
		break;
	}
}

static void change(struct observed *o, const struct change *c)
{
	switch (c->list % 7) {
	case 6:
		if (o->dispatch_count)
			change_dispatch(o, c);
		break;
	case 0:
		if (o->interface_count)
			change_interface(o, c);
		break;
	case 1:
		if (o->object_count)
			change_object(o, c);
		break;
	case 2:
		if (o->chain_count)
			change_chain(o, c);
		break;
	case 3:
		if (o->link_count)
			change_link(o, c);
		break;
	case 4:
		if (o->mount_count)
			change_mount(o, c);
		break;
	case 5:
		if (o->tc_count)
			change_tc(o, c);
		break;
	default:
		o->bpffs_mounted = c->value % 2;
		o->directory_ready &= o->bpffs_mounted;
		break;
	}
}

/* --- what must be true of any plan ----------------------------------------------------------- */

static bool program_is_ours(const struct observed *o, uint32_t id)
{
	for (size_t i = 0; i < o->object_count; i++)
		for (size_t k = 0; k < o->objects[i].program_count; k++)
			if (o->objects[i].programs[k].id == id)
				return true;
	/* Without its pins it is known by its mark. */
	return observed_find_chain(o, id) ||
	       (observed_find_program(o, id) && observed_find_program(o, id)->ours);
}

static bool member_is_ours(const struct observed *o, const struct observed_dispatch_member *m)
{
	for (size_t i = 0; i < o->object_count; i++)
		for (size_t k = 0; k < o->objects[i].extension_count; k++)
			if (o->objects[i].extensions[k].id == m->id)
				return true;
	return m->ours || str_eq(m->name, PROTOCOL_ABSENT);
}

/* Whether what becomes the root has this foreign member. */
static bool target_has(const struct observed *o, const struct plan *plan, const struct op *op,
		       uint32_t id)
{
	const struct observed_chain *c =
		op->root.chain_id ? observed_find_chain(o, op->root.chain_id) : NULL;

	for (size_t i = 0; c && i < c->meta.member_count; i++)
		if (c->meta.members[i].id == id)
			return true;
	for (size_t i = 0; !c && i < plan->op_count; i++) {
		const struct op_chain *build = &plan->ops[i].chain;

		if (plan->ops[i].kind != OP_CHAIN_BUILD ||
		    !str_eq(build->signature, op->root.signature))
			continue;
		for (size_t k = 0; k < build->member_count; k++)
			if (!build->members[k].instance && build->members[k].id == id)
				return true;
	}
	return false;
}

/* A dispatcher by libxdp's protocol may be replaced by one with all that is not ours. */
static bool root_is_joined(const struct observed *o, const struct plan *plan, const struct op *op)
{
	const struct observed_dispatch *d =
		observed_find_dispatch(o, op->root.netns, op->root.ifindex);

	if (!d || d->id != op->root.expected_id || d->fault)
		return false;
	for (size_t i = 0; i < d->member_count; i++)
		if (d->members[i].id && !member_is_ours(o, &d->members[i]) &&
		    (op->kind == OP_ROOT_CLEAR || !target_has(o, plan, op, d->members[i].id)))
			return false;
	return true;
}

static bool tc_is_ours(const struct observed *o, const struct op_tc *op)
{
	const struct observed_tc *t = observed_find_tc(o, op->netns, op->ifindex, op->direction);

	for (size_t i = 0; t && i < t->program_count; i++)
		if (op->mechanism == MECHANISM_TCX && t->programs[i].link_id == op->link_id &&
		    t->programs[i].id == op->expected_id && t->programs[i].ours)
			return true;
	for (size_t i = 0; t && i < t->filter_count; i++)
		if (op->mechanism == MECHANISM_CLSACT && t->filters[i].id == op->expected_id &&
		    t->filters[i].ours)
			return true;
	/* Attached to nothing any more. */
	for (size_t i = 0; !op->ifindex && i < o->link_count; i++)
		if (o->links[i].id == op->link_id && !o->links[i].ifindex)
			return true;
	return false;
}

static void check_target(const struct observed *o, const struct plan *plan, const struct op *op)
{
	const struct observed_object *v;
	const struct observed_mount *m;

	switch (op->kind) {
	case OP_ROOT_SET:
	case OP_LINK_SET:
	case OP_ROOT_CLEAR:
		EXPECT(!op->root.expected_id || program_is_ours(o, op->root.expected_id) ||
		       root_is_joined(o, plan, op));
		break;
	case OP_TC_SET:
	case OP_TC_CLEAR:
		EXPECT(!op->tc.expected_id || tc_is_ours(o, &op->tc));
		break;
	case OP_CHAIN_REMOVE:
		EXPECT(!observed_find_chain(o, op->chain.id)->newer);
		break;
	case OP_OBJECT_LOAD:
	case OP_OBJECT_REMOVE:
		v = observed_find_object(o, op->object.instance, op->object.version);
		EXPECT(!v || !v->newer);
		break;
	case OP_SHARE_MOUNT:
	case OP_SHARE_PIN:
	case OP_SHARE_UNPIN:
	case OP_SHARE_UNMOUNT:
		m = observed_find_mount(o, op->share.path);
		EXPECT(!m || (m->ours && !m->covered));
		break;
	default:
		break;
	}
}

static void check_plan(struct arena *a, const struct observed *o, const struct plan *plan)
{
	for (size_t i = 0; i < plan->op_count; i++) {
		const struct op *op = &plan->ops[i];

		EXPECT(op->key && op->subject && op->version && op->reason);
		EXPECT(i == 0 || op->kind >= op[-1].kind);
		for (size_t k = 0; k < op->need_count; k++)
			EXPECT(op->needs[k] < i);
		EXPECT(*op_format(a, op));
		check_target(o, plan, op);
	}
	EXPECT(!plan->held_count == !*plan->held_token);
	EXPECT(!plan->newer || (!plan->op_count && !plan->status->converged));
	EXPECT(!plan->status->converged || (!plan->op_count && !plan->held_count));
}

static void prepare(struct world *w, const uint8_t *head)
{
	uint64_t seed = 0;

	for (size_t i = 0; i < 8; i++)
		seed = seed << 8 | head[i];
	world_init(w, seed, (enum world_kind)(head[8] % (WORLD_WILD + 1)));
	for (size_t i = 0; i < head[8] / 64u; i++) {
		(void)driver_converge(&w->driver);
		world_change(w, false);
	}
	w->driver.in.purge = head[8] % 32 == 31;
	w->driver.in.suspended = head[8] % 32 == 30;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct observe_request want;
	struct observed o;
	struct world w;

	if (size < HEAD)
		return 0;
	prepare(&w, data);
	plan_observe_request(w.a, w.driver.in.desired, w.driver.in.settings, w.driver.in.run_dir,
			     &want);
	EXPECT(kern_fake_ops.observe(w.kernel, w.a, &want, &o, NULL) == 0);
	data += HEAD;
	size -= HEAD;
	for (size_t i = 0; i < CHANGES_MAX && size >= sizeof(struct change); i++) {
		struct change c;

		memcpy(&c, data, sizeof(c));
		change(&o, &c);
		data += sizeof(c);
		size -= sizeof(c);
	}
	w.driver.in.observed = &o;
	check_plan(w.a, &o, plan_build(w.a, &w.driver.in));
	world_done(&w);
	return 0;
}
