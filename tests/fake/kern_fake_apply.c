/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* Every operation on the fake kernel, in the steps in which the real one does it. */
#include <errno.h>
#include <linux/bpf.h>
#include <string.h>

#include "fake/kern_fake_state.h"
#include "model/layout.h"

static const char *describe(struct kern_fake *k, const struct op *op)
{
	return arena_printf(k->a, "%s %s", op_kind_names[op->kind], op->key);
}

void fake_begin(void *ctx)
{
	struct kern_fake *k = ctx;

	k->builds.n = 0;
	k->last_kind = 0;
}

/* --- objects ---------------------------------------------------------------------------- */

bool fake_is_seen(const struct kern_fake *k, const struct fake_interface *i)
{
	for (size_t n = 0; n < k->netns.n; n++)
		if (str_eq(k->netns.v[n].name, i->o.netns))
			return k->netns.v[n].seen;
	return !i->o.netns;
}

/* In use where nobody looks. */
static bool is_elsewhere(const struct kern_fake *k, uint32_t id)
{
	for (size_t i = 0; i < k->interfaces.n; i++)
		if (k->interfaces.v[i].o.xdp_id == id && !fake_is_seen(k, &k->interfaces.v[i]))
			return true;
	for (size_t i = 0; i < k->elsewhere.n; i++)
		if (k->elsewhere.v[i] == id)
			return true;
	return fake_tc_is_attached(k, id, false);
}

/* To an interface that the last observation saw. */
static bool is_attached(const struct kern_fake *k, uint32_t id)
{
	for (size_t i = 0; id && i < k->interfaces.n; i++)
		if (k->interfaces.v[i].o.xdp_id == id && fake_is_seen(k, &k->interfaces.v[i]))
			return true;
	return fake_tc_is_attached(k, id, true);
}

static bool is_draining(const struct kern_fake *k, uint32_t id)
{
	for (size_t i = 0; i < k->draining.n; i++)
		if (k->draining.v[i] == id)
			return true;
	return false;
}

/* A root, or a member of a chain that is one. */
static bool is_running(const struct kern_fake *k, uint32_t id)
{
	if (is_attached(k, id))
		return true;
	for (size_t c = 0; c < k->chains.n; c++)
		for (size_t s = 0; s < k->chains.v[c].meta.member_count; s++)
			if (k->chains.v[c].slots[s] == id && is_attached(k, k->chains.v[c].id))
				return true;
	return false;
}

bool fake_may_run(const struct kern_fake *k, const struct fake_object *o)
{
	for (size_t i = 0; i < o->program_count; i++)
		if (is_running(k, o->programs[i].id) || is_draining(k, o->programs[i].id))
			return true;
	for (size_t i = 0; i < o->extensions.n; i++)
		if (is_running(k, o->extensions.v[i].id) || is_draining(k, o->extensions.v[i].id))
			return true;
	return false;
}

static void remove_object(struct kern_fake *k, const struct fake_object *o)
{
	FAKE_REMOVE(&k->objects, (size_t)(o - k->objects.v));
}

static bool is_refused(const struct kern_fake *k, const char *sha256)
{
	for (size_t i = 0; i < k->refused.n; i++)
		if (str_eq(k->refused.v[i], sha256))
			return true;
	return false;
}

static void load_programs(struct kern_fake *k, const struct op_object *op, struct fake_object *o)
{
	o->program_count = op->program_count;
	o->programs = arena_calloc(k->a, o->program_count, sizeof(*o->programs));
	for (size_t i = 0; i < o->program_count; i++) {
		struct fake_program *p = fake_add_program(k, op->programs[i]);
		const struct elf_program *e =
			elf_find_program(op->decl->source->elf, op->programs[i]);

		p->ours = true;
		p->instance = o->instance;
		p->version = o->version;
		p->type = e ? e->type : p->type;
		p->frags = op->meta.frags && e && e->frags;
		o->programs[i] = (struct fake_pin){ .name = p->name, .id = p->id };
	}
}

static void object_load(struct kern_fake *k, const struct op *op, struct op_result *ret)
{
	const struct op_object *from = &op->object;
	struct fake_object *o = fake_find_object(k, from->instance, from->version);

	if (!k->directory) {
		fake_refuse(ret, -ENOENT, FAILURE_TRANSIENT, "Vanished",
			    "our directory is not there");
		return;
	}
	if (o && fake_is_complete(o))
		fake_violation(k, "%s: a complete version is there", describe(k, op));
	if (o)
		remove_object(k, o);
	o = LIST_ADD(k->a, &k->objects);
	*o = (struct fake_object){ .instance = arena_strdup(k->a, from->instance),
				   .version = arena_strdup(k->a, from->version) };
	if (fake_step(k, describe(k, op)))
		return;
	fake_load_maps(k, from, o, ret);
	if (ret->code == 0 && is_refused(k, from->decl->source->sha256)) {
		fake_refuse(ret, -EACCES, FAILURE_KERNEL, "VerifierRefused",
			    "the verifier refuses %s", from->programs[0]);
		ret->log = "0: R1=ctx() R10=fp0\ninvalid access to packet";
	}
	if (ret->code < 0)
		return;
	load_programs(k, from, o);
	if (fake_step(k, describe(k, op)))
		return;
	o->meta = fake_copy_meta(k->a, &from->meta);
	o->meta.loaded_ns = ++k->clock;
	o->has_meta = true;
}

static void check_unused(struct kern_fake *k, const struct op *op, const struct fake_pin *pin)
{
	if (is_running(k, pin->id) && !pin->lost)
		fake_violation(k, "%s: %s still runs", describe(k, op), pin->name);
	if (is_draining(k, pin->id))
		fake_violation(k, "%s: no grace period since %s ran", describe(k, op), pin->name);
}

static void object_remove(struct kern_fake *k, const struct op *op)
{
	struct fake_object *o = fake_find_object(k, op->object.instance, op->object.version);

	if (!o)
		return;
	for (size_t i = 0; i < o->program_count; i++)
		check_unused(k, op, &o->programs[i]);
	for (size_t i = 0; i < o->extensions.n; i++)
		check_unused(k, op, &o->extensions.v[i]);
	o->has_meta = false;
	o->program_count = o->map_count = o->extensions.n = 0;
	if (!fake_step(k, describe(k, op)))
		remove_object(k, o);
}

/* --- dispatchers -------------------------------------------------------------------------- */

/* Without a pin an array lives while its dispatcher does, but the kernel empties it. */
void fake_chain_gc(struct kern_fake *k)
{
	for (size_t i = k->chains.n; i-- > 0;) {
		const struct fake_chain *c = &k->chains.v[i];

		if (!c->has_dir && !c->held && !is_attached(k, c->id) && !is_elsewhere(k, c->id))
			FAKE_REMOVE(&k->chains, i);
	}
}

static const uint32_t hook_types[HOOK_COUNT] = { BPF_PROG_TYPE_XDP, BPF_PROG_TYPE_SCHED_CLS };

static bool fill_slot(struct kern_fake *k, struct fake_chain *c, uint32_t slot,
		      const struct program_ref *from, bool frags, struct op_result *ret)
{
	uint32_t id = fake_program_id(k, from);
	const struct fake_program *p = fake_find_program(k, id);

	if (!id)
		fake_refuse(ret, -ENOENT, FAILURE_TRANSIENT, "MemberMissing",
			    "%s/%s version %s is not pinned", from->instance, from->function,
			    from->version);
	else if (p->type != hook_types[c->meta.hook])
		fake_violation(k, "%s/%s in a chain of %s", from->instance, from->function,
			       hook_names[c->meta.hook]);
	else if (p->frags != frags)
		fake_refuse(ret, -EINVAL, FAILURE_KERNEL, "MemberRefused", "%s/%s differs in frags",
			    from->instance, from->function);
	else
		c->slots[slot] = id;
	return id && p->frags == frags;
}

static void chain_build(struct kern_fake *k, const struct op *op, struct op_result *ret)
{
	const struct op_chain *from = &op->chain;
	struct fake_program *p = fake_add_program(k, "bpfshare_chain");
	struct fake_chain c = {
		.id = p->id,
		.meta = fake_copy_chain(k->a, &from->meta),
	};
	struct fake_chain *at;

	p->ours = true;
	c.slots = arena_calloc(k->a, from->member_count, sizeof(*c.slots));
	if (fake_is_libxdp(&c)) {
		p->name = PROTOCOL_DISPATCHER;
		fake_libxdp_build(k, op, &c, ret);
		if (ret->code < 0)
			return;
	}
	for (uint32_t i = 0; i < from->member_count && !fake_is_libxdp(&c); i++)
		if (from->members[i].instance &&
		    !fill_slot(k, &c, i, &from->members[i], from->frags, ret))
			return;
	if (fake_step(k, describe(k, op)))
		return; /* nothing is pinned yet, so nothing is left */
	c.has_dir = true;
	at = LIST_ADD(k->a, &k->chains);
	*at = c;
	if (fake_step(k, describe(k, op)))
		return;
	at->has_meta = true;
	for (size_t i = 0; i < k->builds.n; i++)
		if (str_eq(k->builds.v[i].signature, from->signature))
			fake_violation(k, "%s: two dispatchers of one signature", describe(k, op));
	*LIST_ADD(k->a, &k->builds) =
		(struct fake_build){ arena_strdup(k->a, from->signature), c.id };
}

static void slot_set(struct kern_fake *k, const struct op *op, struct op_result *ret)
{
	struct fake_chain *c = fake_find_chain(k, op->chain.id);
	const struct program_ref *member = op_slot_member(&op->chain);
	uint32_t old;

	if (!c || !c->has_dir) {
		fake_refuse(ret, -ENOENT, FAILURE_TRANSIENT, "ChainMissing", "no chain %u",
			    op->chain.id);
		return;
	}
	if (fake_is_libxdp(c)) {
		fake_link_set(k, c, op, ret);
		return;
	}
	old = c->slots[op->chain.slot];
	if (!member)
		c->slots[op->chain.slot] = 0;
	else if (!fill_slot(k, c, op->chain.slot, member, c->meta.frags, ret))
		return;
	if (old)
		*LIST_ADD(k->a, &k->draining) = old;
}

/* Foreign members go on by the pins of the protocol alone. */
static void hand_over(struct kern_fake *k, const struct op *op, struct fake_chain *c)
{
	for (size_t i = 0; i < k->interfaces.n; i++)
		if (k->interfaces.v[i].o.xdp_id == c->id &&
		    !fake_pins_are_whole(k, k->interfaces.v[i].o.ifindex, c))
			fake_violation(k, "%s: pins are missing", describe(k, op));
	for (size_t i = 0; i < c->meta.member_count; i++) {
		if (c->slots[i] && !fake_is_foreign_member(k, c->slots[i]))
			fake_violation(k, "%s: slot %zu is not foreign", describe(k, op), i);
		c->linked[i] = false;
	}
	c->has_dir = c->has_meta = false;
	fake_settle_links(k, c);
	fake_chain_gc(k);
}

static void chain_remove(struct kern_fake *k, const struct op *op, struct op_result *ret)
{
	struct fake_chain *c = fake_find_chain(k, op->chain.id);

	if (!c)
		return;
	if (op->chain.hand_over) {
		hand_over(k, op, c);
		return;
	}
	if (is_attached(k, c->id))
		fake_violation(k, "%s: it still runs", describe(k, op));
	if (is_draining(k, c->id))
		fake_violation(k, "%s: no grace period since it ran", describe(k, op));
	if (is_elsewhere(k, c->id)) {
		fake_refuse(ret, -EBUSY, FAILURE_FOREIGN, RESULT_CHAIN_STILL_USED,
			    "chain %u is in use", c->id);
		return;
	}
	c->has_meta = false;
	if (fake_step(k, describe(k, op)))
		return;
	fake_remove_all_pins(k, c->id);
	c->has_dir = c->held = false;
	fake_chain_gc(k);
}

/* --- roots ----------------------------------------------------------------------------------- */

/* Where it happens; NULL: the interface or its namespace is gone. */
static struct fake_interface *find_place(struct kern_fake *k, const struct op_root *op)
{
	const char *netns;

	return fake_find_netns(k, op->netns, &netns) ? fake_find_ifindex(k, netns, op->ifindex) :
						       NULL;
}

static uint32_t root_target(const struct kern_fake *k, const struct op_root *op)
{
	const struct fake_chain *chain = fake_find_chain(k, op->chain_id);

	if (op->program.instance)
		return fake_program_id(k, &op->program);
	if (op->chain_id)
		return chain && chain->has_dir ? op->chain_id : 0;
	for (size_t i = 0; i < k->builds.n; i++)
		if (str_eq(k->builds.v[i].signature, op->signature))
			return k->builds.v[i].id;
	return 0;
}

static enum xdp_attached choose_mode(const struct fake_interface *i, const struct op_root *op)
{
	switch (op->mode) {
	case XDP_MODE_GENERIC:
		return XDP_GENERIC;
	case XDP_MODE_OFFLOAD:
		return XDP_HARDWARE;
	case XDP_MODE_NATIVE:
		return i->refuses_native ? XDP_NONE : XDP_DRIVER;
	default:
		return i->refuses_native ? XDP_GENERIC : XDP_DRIVER;
	}
}

void fake_drain(struct kern_fake *k, uint32_t id)
{
	const struct fake_chain *c = fake_find_chain(k, id);

	if (id)
		*LIST_ADD(k->a, &k->draining) = id;
	for (size_t s = 0; c && s < c->meta.member_count; s++)
		if (c->slots[s])
			*LIST_ADD(k->a, &k->draining) = c->slots[s];
}

static struct observed_link *find_link(struct kern_fake *k, uint32_t id)
{
	for (size_t i = 0; id && i < k->links.n; i++)
		if (k->links.v[i].id == id)
			return &k->links.v[i];
	return NULL;
}

static void detach(struct kern_fake *k, struct fake_interface *i)
{
	fake_drain(k, i->o.xdp_id);
	fake_detach(k, i);
}

#define LARGE_MTU 3520

static bool target_has_frags(const struct kern_fake *k, const struct op_root *r)
{
	uint32_t id = root_target(k, r);
	const struct fake_chain *c = fake_find_chain(k, id);
	const struct fake_program *p = fake_find_program(k, id);

	return c ? c->meta.frags : p && p->frags;
}

static void check_mechanism(struct kern_fake *k, const struct op *op)
{
	const struct fake_chain *c = fake_find_chain(k, root_target(k, &op->root));
	enum mechanism is = c ? c->meta.mechanism : MECHANISM_DIRECT;

	if (op->root.mechanism != is)
		fake_violation(k, "%s: is %s", describe(k, op), mechanism_names[is]);
}

/* What the kernel checks before it swaps. */
static bool can_set(const struct kern_fake *k, const struct op *op, const struct fake_interface *i,
		    struct op_result *ret)
{
	const struct op_root *r = &op->root;
	bool by_link = op->kind == OP_LINK_SET;

	if (i->o.xdp_id != r->expected_id || i->o.xdp_mode != r->expected_mode)
		fake_refuse(ret, -EEXIST, FAILURE_TRANSIENT, "RootChanged",
			    "root of %s is %u, not %u", i->o.name, i->o.xdp_id, r->expected_id);
	else if (!root_target(k, r))
		fake_refuse(ret, -ENOENT, FAILURE_TRANSIENT, "Vanished", "root of %s: not pinned",
			    i->o.name);
	else if (i->o.xdp_id && !r->detach_first && (i->link_id != 0) != by_link)
		fake_refuse(ret, -EBUSY, FAILURE_FOREIGN, "RootHeld",
			    "root of %s: a link and netlink refuse each other", i->o.name);
	else if (i->link_id != r->link_id)
		fake_refuse(ret, -ENOENT, FAILURE_TRANSIENT, "Vanished", "link %u of %s is gone",
			    r->link_id, i->o.name);
	else if (i->o.mtu > LARGE_MTU && !target_has_frags(k, r))
		fake_refuse(ret, -EINVAL, FAILURE_KERNEL, "MtuTooLarge",
			    "the MTU of %s is too large for XDP without multi-buffer support",
			    i->o.name);
	else if ((!i->o.xdp_id || r->detach_first) && !choose_mode(i, r))
		fake_refuse(ret, -EOPNOTSUPP, FAILURE_KERNEL, "NativeRefused",
			    "the driver of %s has no native XDP", i->o.name);
	else
		return true;
	return false;
}

static void root_set(struct kern_fake *k, const struct op *op, struct op_result *ret)
{
	const struct op_root *r = &op->root;
	struct fake_interface *i;
	uint32_t target = root_target(k, r), old;
	struct observed_link *link;

	if (r->netns) {
		fake_add_netns(k, r->netns)->recorded = true;
		if (fake_step(k, describe(k, op)))
			return;
	}
	i = find_place(k, r);
	if (!i) {
		fake_refuse(ret, -ENODEV, FAILURE_TRANSIENT, "InterfaceGone", "no interface %s",
			    r->interface);
		return;
	}
	if (!can_set(k, op, i, ret))
		return;
	check_mechanism(k, op);
	old = i->o.xdp_id;
	if (r->mechanism == MECHANISM_LIBXDP) {
		fake_make_pins(k, r->ifindex, fake_find_chain(k, target));
		if (fake_step(k, describe(k, op)))
			return;
	}
	if (r->detach_first) {
		i->gap = true;
		detach(k, i);
		if (fake_step(k, describe(k, op)))
			return;
	}
	fake_drain(k, i->o.xdp_id);
	i->o.xdp_mode = i->o.xdp_id ? i->o.xdp_mode : choose_mode(i, r);
	i->o.xdp_id = target;
	if (op->kind == OP_LINK_SET && !i->link_id) {
		i->link_id = k->next_id++;
		*LIST_ADD(k->a, &k->links) =
			(struct observed_link){ .id = i->link_id,
						.ifindex = r->ifindex,
						.netns = r->netns ? arena_strdup(k->a, r->netns) :
								    NULL,
						.program_id = target,
						.pinned = true };
	}
	link = find_link(k, i->link_id);
	if (link)
		link->program_id = target;
	fake_chain_gc(k);
	if (old == target || !fake_find_pins(k, r->ifindex, old) || fake_step(k, describe(k, op)))
		return;
	fake_remove_pins(k, r->ifindex, old);
}

static void detach_root(struct kern_fake *k, const struct op *op, struct fake_interface *i)
{
	uint32_t old = i->o.xdp_id;

	detach(k, i);
	if (fake_find_pins(k, i->o.ifindex, old) && !fake_step(k, describe(k, op)))
		fake_remove_pins(k, i->o.ifindex, old);
}

static void root_pin(struct kern_fake *k, const struct op *op, struct op_result *ret)
{
	const struct fake_interface *i = find_place(k, &op->root);
	const struct fake_chain *c = fake_find_chain(k, op->root.chain_id);

	if (!i || !c || i->o.xdp_id != c->id)
		fake_refuse(ret, -ENOENT, FAILURE_TRANSIENT, "RootChanged", "chain %u is not there",
			    op->root.chain_id);
	else
		fake_make_pins(k, op->root.ifindex, c);
}

static void root_unpin(struct kern_fake *k, const struct op *op)
{
	if (fake_runs_at(k, op->root.ifindex, op->root.chain_id))
		fake_violation(k, "%s: it runs there", describe(k, op));
	fake_remove_pins(k, op->root.ifindex, op->root.chain_id);
}

static void root_clear(struct kern_fake *k, const struct op *op, struct op_result *ret)
{
	struct fake_interface *i = find_place(k, &op->root);

	if (!i)
		return;
	if (i->o.xdp_id != op->root.expected_id || i->o.xdp_mode != op->root.expected_mode)
		fake_refuse(ret, -EEXIST, FAILURE_TRANSIENT, "RootChanged", "root of %s is %u",
			    i->o.name, i->o.xdp_id);
	else if (i->link_id)
		fake_refuse(ret, -EBUSY, FAILURE_FOREIGN, "RootHeld", "root of %s is on a link",
			    i->o.name);
	else
		detach_root(k, op, i);
}

static void link_remove(struct kern_fake *k, const struct op *op)
{
	const struct observed_link *l = find_link(k, op->root.link_id);
	struct fake_interface *i = NULL;

	if (!l)
		return;
	for (size_t n = 0; n < k->interfaces.n; n++)
		if (k->interfaces.v[n].link_id == l->id)
			i = &k->interfaces.v[n];
	if (i) {
		detach_root(k, op, i);
		return;
	}
	fake_drain(k, l->program_id);
	FAKE_REMOVE(&k->links, (size_t)(l - k->links.v));
}

/* What is still in it would be found by nobody. */
static void netns_forget(struct kern_fake *k, const struct op *op)
{
	for (size_t i = 0; i < k->interfaces.n; i++) {
		const struct fake_program *p = fake_find_program(k, k->interfaces.v[i].o.xdp_id);

		if (fake_root_is_ours(k, &k->interfaces.v[i]) &&
		    str_eq(k->interfaces.v[i].o.netns, op->netns.name))
			fake_violation(k, "%s: %s of %s still runs there", describe(k, op), p->name,
				       k->interfaces.v[i].o.name);
	}
	fake_add_netns(k, op->netns.name)->recorded = false;
}

/* --- all ------------------------------------------------------------------------------------------ */

static void dispatch(struct kern_fake *k, const struct op *op, struct op_result *ret)
{
	switch (op->kind) {
	case OP_BPFFS_MOUNT:
		k->bpffs = true;
		break;
	case OP_DIRECTORY_CREATE:
		if (!k->bpffs)
			fake_refuse(ret, -ENOENT, FAILURE_TRANSIENT, "Vanished", "no bpffs");
		k->directory = k->bpffs;
		break;
	case OP_PIN_RESTORE:
		fake_restore_pins(k, op, ret);
		break;
	case OP_OBJECT_LOAD:
		object_load(k, op, ret);
		break;
	case OP_EXTENSION_LOAD:
		fake_extension_load(k, op, ret);
		break;
	case OP_ROOT_PIN:
		root_pin(k, op, ret);
		break;
	case OP_ROOT_UNPIN:
		root_unpin(k, op);
		break;
	case OP_CHAIN_BUILD:
		chain_build(k, op, ret);
		break;
	case OP_SLOT_SET:
		slot_set(k, op, ret);
		break;
	case OP_ROOT_SET:
	case OP_LINK_SET:
		root_set(k, op, ret);
		break;
	case OP_ROOT_CLEAR:
		root_clear(k, op, ret);
		break;
	case OP_LINK_REMOVE:
		link_remove(k, op);
		break;
	case OP_TC_SET:
	case OP_TC_CLEAR:
		fake_tc_apply(k, op, ret);
		break;
	case OP_GRACE:
		k->draining.n = 0;
		break;
	case OP_MAP_SYNC:
		fake_map_sync(k, op, ret);
		break;
	case OP_NETNS_RECORD:
		fake_add_netns(k, op->netns.name)->recorded = true;
		break;
	case OP_NETNS_FORGET:
		netns_forget(k, op);
		break;
	case OP_CHAIN_REMOVE:
		chain_remove(k, op, ret);
		break;
	case OP_OBJECT_REMOVE:
		object_remove(k, op);
		break;
	default:
		fake_share_apply(k, op, ret);
		break;
	}
}

void fake_apply(void *ctx, struct arena *a, const struct op *op, struct op_result *ret)
{
	struct kern_fake *k = ctx;

	(void)a;
	*ret = (struct op_result){ 0 };
	if (!k->crashed && k->crash_planned && k->steps >= k->crash_at)
		k->crashed = true;
	if (!k->crashed && k->fail_planned && k->operations++ == k->fail_at) {
		k->fail_planned = false;
		fake_refuse(ret, k->fail_code, k->fail_class, "Injected", "injected failure");
		return;
	}
	if (op->kind < k->last_kind)
		fake_violation(k, "%s after %s", op_kind_names[op->kind],
			       op_kind_names[k->last_kind]);
	k->last_kind = op->kind;
	fake_do_writes(k, op->kind);
	if (!k->crashed) {
		dispatch(k, op, ret);
		if (!k->crashed && ret->code == 0)
			(void)fake_step(k, describe(k, op));
	}
	if (k->crashed)
		fake_refuse(ret, -ESHUTDOWN, FAILURE_TRANSIENT, "Crashed", "the process is dead");
}
