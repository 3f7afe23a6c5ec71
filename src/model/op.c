/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
#include "model/op.h"

#include <string.h>

#include "base/macros.h"
#include "base/str.h"

const char *const op_kind_names[OP_KIND_COUNT] = {
	[OP_BPFFS_MOUNT] = "bpffs-mount",
	[OP_DIRECTORY_CREATE] = "directory-create",
	[OP_NETNS_RECORD] = "netns-record",
	[OP_PIN_RESTORE] = "pin-restore",
	[OP_OBJECT_LOAD] = "object-load",
	[OP_CHAIN_BUILD] = "chain-build",
	[OP_SLOT_SET] = "slot-set",
	[OP_ROOT_SET] = "root-set",
	[OP_EXTENSION_LOAD] = "extension-load",
	[OP_ROOT_PIN] = "root-pin",
	[OP_TC_SET] = "tc-set",
	[OP_TC_CLEAR] = "tc-clear",
	[OP_ROOT_UNPIN] = "root-unpin",
	[OP_NETNS_FORGET] = "netns-forget",
	[OP_LINK_SET] = "link-set",
	[OP_SHARE_MOUNT] = "share-mount",
	[OP_SHARE_PIN] = "share-pin",
	[OP_SHARE_OWNER] = "share-owner",
	[OP_SHARE_SEAL] = "share-seal",
	[OP_ROOT_CLEAR] = "root-clear",
	[OP_LINK_REMOVE] = "link-remove",
	[OP_GRACE] = "grace",
	[OP_MAP_SYNC] = "map-sync",
	[OP_SHARE_UNPIN] = "share-unpin",
	[OP_CHAIN_REMOVE] = "chain-remove",
	[OP_OBJECT_REMOVE] = "object-remove",
	[OP_SHARE_UNMOUNT] = "share-unmount",
};

/* Hashes are shown by their beginning; what is short is shown whole. */
#define HASH_SHOWN 12

static void add_hash(struct strbuf *b, const char *hash)
{
	if (!hash)
		strbuf_add(b, "?");
	else if (strlen(hash) <= HASH_SHOWN + 4)
		strbuf_add(b, hash);
	else
		strbuf_addf(b, "%.*s…", HASH_SHOWN, hash);
}

static void add_program(struct strbuf *b, const struct program_ref *p)
{
	if (!p->instance) {
		strbuf_addf(b, "program id %u", p->id);
		return;
	}
	strbuf_addf(b, "%s/%s version ", p->instance, p->function);
	add_hash(b, p->version);
}

static void add_object(struct strbuf *b, const struct op_object *o, bool with_programs)
{
	if (!*o->version) {
		strbuf_addf(b, "the empty directory of object %s", o->instance);
		return;
	}
	strbuf_addf(b, "object %s version ", o->instance);
	add_hash(b, o->version);
	if (!with_programs)
		return;
	for (size_t i = 0; i < o->program_count; i++)
		strbuf_addf(b, "%s%s", i ? ", " : " [", o->programs[i]);
	if (o->program_count > 0)
		strbuf_addc(b, ']');
}

static void add_chain(struct strbuf *b, uint32_t id, const char *signature)
{
	strbuf_add(b, "chain ");
	if (id)
		strbuf_addf(b, "%u", id);
	else
		add_hash(b, signature);
}

static void add_chain_build(struct strbuf *b, const struct op_chain *c)
{
	strbuf_addf(b, "build %s", c->meta.mechanism == MECHANISM_LIBXDP ? "libxdp " : "");
	add_chain(b, 0, c->signature);
	strbuf_add(b, " [");
	for (size_t i = 0; i < c->member_count; i++) {
		if (i > 0)
			strbuf_add(b, ", ");
		if (c->members[i].instance)
			strbuf_addf(b, "%s/%s", c->members[i].instance, c->members[i].function);
		else if (c->members[i].id)
			strbuf_addf(b, "program id %u", c->members[i].id);
		else
			strbuf_add(b, "empty");
	}
	strbuf_addc(b, ']');
}

static void add_slot(struct strbuf *b, const struct op_chain *c)
{
	const struct program_ref *member = op_slot_member(c);

	if (member) {
		strbuf_addf(b, "set slot %u of chain %u to ", c->slot, c->id);
		add_program(b, member);
	} else {
		strbuf_addf(b, "empty slot %u of chain %u", c->slot, c->id);
	}
}

static const char *attached_name(enum xdp_attached mode)
{
	static const char *const names[] = {
		[XDP_NONE] = "no",          [XDP_DRIVER] = "native",     [XDP_GENERIC] = "generic",
		[XDP_HARDWARE] = "offload", [XDP_MULTIPLE] = "multiple",
	};

	return (size_t)mode < ARRAY_SIZE(names) ? names[mode] : "unknown";
}

/* " in namespace blue", nothing for the daemon's own. */
static void add_netns(struct strbuf *b, const char *netns)
{
	if (netns)
		strbuf_addf(b, " in namespace %s", netns);
}

/* "swap root of eth0: program id 17 -> chain 3f2a…" and its variants. */
static void add_root_set(struct strbuf *b, const struct op_root *r, const char *what)
{
	strbuf_addf(b, "%s %s of %s",
		    r->detach_first ? "detach and re-attach" :
		    r->expected_id  ? "swap" :
				      "attach",
		    what, r->interface);
	add_netns(b, r->netns);
	strbuf_add(b, ": ");
	if (r->link_id)
		strbuf_addf(b, "link %u, ", r->link_id);
	if (r->expected_id)
		strbuf_addf(b, "program id %u (%s) -> ", r->expected_id,
			    attached_name(r->expected_mode));
	if (r->program.instance)
		add_program(b, &r->program);
	else
		add_chain(b, r->chain_id, r->signature);
	if (!r->expected_id || r->detach_first)
		strbuf_addf(b, ", mode %s", xdp_mode_names[r->mode]);
}

static void add_root_clear(struct strbuf *b, const struct op_root *r, const char *what)
{
	strbuf_addf(b, "detach %s of %s", what, r->interface);
	add_netns(b, r->netns);
	strbuf_add(b, ": ");
	if (r->link_id)
		strbuf_addf(b, "link %u, ", r->link_id);
	strbuf_addf(b, "program id %u", r->expected_id);
}

static void add_root(struct strbuf *b, const struct op *op)
{
	switch (op->kind) {
	case OP_ROOT_SET:
		add_root_set(b, &op->root, "root");
		break;
	case OP_LINK_SET:
		add_root_set(b, &op->root, "exclusive root");
		break;
	case OP_ROOT_CLEAR:
		add_root_clear(b, &op->root, "root");
		break;
	default:
		add_root_clear(b, &op->root, "exclusive root");
		break;
	}
}

static void add_root_pins(struct strbuf *b, const struct op *op)
{
	strbuf_addf(b, "%s libxdp's pins of chain %u at %s",
		    op->kind == OP_ROOT_PIN ? "make" : "remove", op->root.chain_id,
		    op->root.interface);
	add_netns(b, op->root.netns);
}

static void add_tc_target(struct strbuf *b, const struct op_tc *t)
{
	if (t->program.instance)
		add_program(b, &t->program);
	else
		add_chain(b, t->chain_id, t->signature);
}

static void add_tc_place(struct strbuf *b, const struct op_tc *t)
{
	static const char *const words[] = {
		[TC_PLACE_LAST] = ", last",
		[TC_PLACE_FIRST] = ", first",
		[TC_PLACE_BEFORE] = ", before ",
		[TC_PLACE_AFTER] = ", after ",
	};

	if (t->mechanism != MECHANISM_TCX || t->link_id)
		return;
	strbuf_add(b, words[t->place]);
	if (t->place != TC_PLACE_BEFORE && t->place != TC_PLACE_AFTER)
		return;
	if (t->relative.instance)
		add_program(b, &t->relative);
	else
		strbuf_addf(b, "program id %u", t->relative_id);
}

/* "attach to egress of eth0 by tcx: count/egress version 0123…, last" and its variants. */
static void add_tc(struct strbuf *b, const struct op *op)
{
	const struct op_tc *t = &op->tc;
	bool set = op->kind == OP_TC_SET;

	strbuf_addf(b, "%s %s of %s",
		    !set           ? "detach from" :
		    t->expected_id ? "replace at" :
				     "attach to",
		    tc_direction_names[t->direction], t->interface);
	add_netns(b, t->netns);
	strbuf_addf(b, " by %s: ", mechanism_names[t->mechanism]);
	if (t->link_id)
		strbuf_addf(b, "link %u, ", t->link_id);
	if (t->expected_id)
		strbuf_addf(b, "program id %u%s", t->expected_id, set ? " -> " : "");
	if (!set)
		return;
	add_tc_target(b, t);
	add_tc_place(b, t);
}

static void add_share_pins(struct strbuf *b, const struct op_share *s)
{
	for (size_t i = 0; i < s->pin_count; i++) {
		const struct op_share_pin *pin = &s->pins[i];

		strbuf_addf(b, "%s%s", i ? ", " : " [", pin->alias);
		if (pin->map.instance)
			strbuf_addf(b, " = %s/%s", pin->map.instance, pin->map.map);
	}
	if (s->pin_count > 0)
		strbuf_addc(b, ']');
}

static void add_share(struct strbuf *b, const struct op *op)
{
	const struct op_share *s = &op->share;

	switch (op->kind) {
	case OP_SHARE_MOUNT:
		strbuf_addf(b, "%s share %s at %s%s", s->replace ? "mount anew" : "mount", s->share,
			    s->path, s->read_only ? ", read-only" : "");
		add_share_pins(b, s);
		break;
	case OP_SHARE_PIN:
		strbuf_addf(b, "pin into share %s at %s", s->share, s->path);
		add_share_pins(b, s);
		break;
	case OP_SHARE_OWNER:
		strbuf_addf(b, "give %s%s%s of share %s to %u:%u, mode %04o", s->path,
			    s->pin ? "/" : "", s->pin ? s->pin : "", s->share, (unsigned int)s->uid,
			    (unsigned int)s->gid, s->mode);
		break;
	case OP_SHARE_SEAL:
		strbuf_addf(b, "seal share %s at %s%s", s->share, s->path,
			    s->read_only ? ", read-only" : "");
		break;
	case OP_SHARE_UNPIN:
		strbuf_addf(b, "unpin %s from share %s at %s", s->pin, s->share, s->path);
		break;
	default:
		strbuf_addf(b, "unmount share %s from %s", s->share, s->path);
		break;
	}
}

/* The first one stands for a long list. */
static void add_pins(struct strbuf *b, const struct op_pins *p)
{
	static const char *const types[] = {
		[PIN_TYPE_PROGRAM] = "program",
		[PIN_TYPE_MAP] = "map",
		[PIN_TYPE_LINK] = "link",
	};

	strbuf_addf(b, "pin again %s", p->n ? p->v[0].path : "nothing");
	if (p->n)
		strbuf_addf(b, " (%s id %u)", types[p->v[0].type], p->v[0].id);
	if (p->n > 1)
		strbuf_addf(b, " and %zu more", p->n - 1);
}

static void add_operation(struct strbuf *b, const struct op *op)
{
	switch (op->kind) {
	case OP_BPFFS_MOUNT:
		strbuf_addf(b, "mount bpffs for %s", op->key);
		break;
	case OP_DIRECTORY_CREATE:
		strbuf_addf(b, "create %s", op->key);
		break;
	case OP_OBJECT_LOAD:
	case OP_OBJECT_REMOVE:
		strbuf_add(b, op->kind == OP_OBJECT_LOAD ? "load " : "remove ");
		add_object(b, &op->object, op->kind == OP_OBJECT_LOAD);
		break;
	case OP_EXTENSION_LOAD:
		strbuf_add(b, "load as freplace programs ");
		add_object(b, &op->object, true);
		break;
	case OP_ROOT_PIN:
	case OP_ROOT_UNPIN:
		add_root_pins(b, op);
		break;
	case OP_TC_SET:
	case OP_TC_CLEAR:
		add_tc(b, op);
		break;
	case OP_NETNS_RECORD:
		strbuf_addf(b, "remember namespace %s", op->netns.name);
		break;
	case OP_NETNS_FORGET:
		strbuf_addf(b, "forget namespace %s", op->netns.name);
		break;
	case OP_CHAIN_BUILD:
		add_chain_build(b, &op->chain);
		break;
	case OP_SLOT_SET:
		add_slot(b, &op->chain);
		break;
	case OP_CHAIN_REMOVE:
		strbuf_addf(b,
			    op->chain.hand_over ? "leave chain %u to its foreign members" :
						  "remove chain %u",
			    op->chain.id);
		break;
	case OP_PIN_RESTORE:
		add_pins(b, &op->pins);
		break;
	case OP_GRACE:
		strbuf_add(b, "wait for a grace period");
		break;
	case OP_MAP_SYNC:
		strbuf_addf(b, "copy what changed in map %s of %s from version %s to version %s",
			    op->sync.to.map, op->sync.to.instance, op->sync.from.version,
			    op->sync.to.version);
		break;
	case OP_ROOT_SET:
	case OP_LINK_SET:
	case OP_ROOT_CLEAR:
	case OP_LINK_REMOVE:
		add_root(b, op);
		break;
	default:
		add_share(b, op);
		break;
	}
}

const struct program_ref *op_slot_member(const struct op_chain *c)
{
	const struct program_ref *member = NULL;

	if (c->slot < c->member_count)
		member = &c->members[c->slot];
	else if (c->member_count == 1)
		member = &c->members[0];
	return member && (member->instance || member->id) ? member : NULL;
}

const char *op_format(struct arena *a, const struct op *op)
{
	cleanup(strbuf_done) struct strbuf b = { 0 };

	add_operation(&b, op);
	if (op->reason)
		strbuf_addf(&b, ": %s", op->reason);
	if (op->origin.file && op->origin.line)
		strbuf_addf(&b, " (%s:%u)", op->origin.file, op->origin.line);
	else if (op->origin.file)
		strbuf_addf(&b, " (%s)", op->origin.file);
	return arena_strdup(a, strbuf_get(&b));
}
