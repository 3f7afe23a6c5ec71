/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* Which operation brings back what was there, and what had become of it. */
#include "recon/drift_judge.h"

#include <string.h>

#include "base/str.h"
#include "plan/reason.h"

struct judge {
	const struct in_place *was;
	struct arena *a;
	const struct observed *o;
	const struct op *op;
};

static const struct drift_cause none;

static struct drift_cause cause(const char *reason, const char *text)
{
	return (struct drift_cause){ reason, text };
}

static bool was(const struct judge *j, const char *key, const char *value)
{
	const char *before = in_place_find(j->was, key);

	return before && value && str_eq(before, value);
}

/* "program evil (id 17, loaded by uid 0)" */
static const char *who(const struct judge *j, uint32_t id)
{
	const struct observed_program *p = observed_find_program(j->o, id);

	if (!p)
		return arena_printf(j->a, "program id %u", id);
	return arena_printf(j->a, "program %s (id %u, loaded by uid %u)",
			    p->name && *p->name ? p->name : "without a name", id, p->uid);
}

/* --- our tree -------------------------------------------------------------------------- */

static struct drift_cause judge_directory(const struct judge *j)
{
	const char *to = j->o->directory_moved;

	if (!in_place_find(j->was, IN_PLACE_DIRECTORY))
		return none;
	if (to)
		return cause("DirectoryMoved",
			     arena_printf(j->a,
					  "our directory was renamed to %s; that one is left alone "
					  "and still holds what is pinned in it",
					  to));
	if (!j->o->bpffs_mounted)
		return cause("BpffsUnmounted", "the bpffs of our directory was unmounted");
	if (j->o->directory_opened)
		return cause("ModeChanged", "owner or mode of our directory were changed");
	return cause("DirectoryRemoved", "our directory, or a part of it, was removed");
}

static struct drift_cause judge_pins(const struct judge *j)
{
	const struct op_pins *p = &j->op->pins;
	size_t replaced = 0;

	for (size_t i = 0; i < p->n; i++)
		replaced += p->v[i].replaced;
	if (replaced)
		return cause("PinReplaced",
			     arena_printf(j->a, "something else was pinned as %s%s", p->v[0].path,
					  p->n > 1 ? " and more" : ""));
	if (p->n && p->v[0].type == PIN_TYPE_LINK)
		return cause("LinkPinRemoved",
			     arena_printf(j->a, "the pin %s was removed", p->v[0].path));
	/* Of what happened before the first pass only the outcome is known. */
	if (!in_place_find(j->was, IN_PLACE_DIRECTORY))
		return cause("PinRemoved",
			     arena_printf(j->a,
					  "%s was not pinned any more, though the kernel holds it",
					  p->v[0].path));
	if (p->n == 1)
		return cause("PinRemoved",
			     arena_printf(j->a, "the pin %s was removed", p->v[0].path));
	return cause("PinRemoved", arena_printf(j->a, "%zu pins were removed, %s among them", p->n,
						p->v[0].path));
}

static struct drift_cause judge_load(const struct judge *j)
{
	const struct op_object *o = &j->op->object;

	if (!in_place_find(j->was, in_place_object_key(j->a, o->instance, o->meta.declaration)) ||
	    observed_find_object(j->o, o->instance, o->version))
		return none;
	for (size_t i = 0; i < j->o->object_count; i++)
		if (str_eq(j->o->objects[i].instance, o->instance) && j->o->objects[i].complete &&
		    str_eq(j->o->objects[i].meta.declaration, o->meta.declaration))
			return none; /* it is there, and follows a map that it uses */
	return cause("ObjectLost", "its pins were removed, and nothing holds what they were for");
}

/* --- chains and roots ---------------------------------------------------------------------- */

static uint32_t slot_now(const struct judge *j)
{
	const struct observed_chain *c = observed_find_chain(j->o, j->op->chain.id);

	return c && c->complete && j->op->chain.slot < c->meta.member_count ?
		       c->slots[j->op->chain.slot] :
		       0;
}

static struct drift_cause judge_slot(const struct judge *j)
{
	const struct op_chain *c = &j->op->chain;
	const struct program_ref *member = op_slot_member(c);
	const char *key = in_place_slot_key(j->a, c->id, c->slot);
	uint32_t now = slot_now(j);

	if (!member || !was(j, key, in_place_target(j->a, j->o, member, 0, NULL)))
		return none;
	/* Nobody can detach a link of freplace, so what its slot lacks is our pin. */
	if (c->meta.mechanism == MECHANISM_LIBXDP)
		return cause("LinkPinRemoved",
			     arena_printf(j->a, "the pin of the link of slot %u was removed",
					  c->slot));
	if (!now)
		return cause("SlotChanged",
			     arena_printf(j->a, "slot %u of its program array was emptied",
					  c->slot));
	return cause("SlotChanged", arena_printf(j->a, "%s was put into slot %u of its array",
						 who(j, now), c->slot));
}

static bool is_ours(const struct judge *j, uint32_t id)
{
	const struct observed_program *p = observed_find_program(j->o, id);

	return (p && p->ours) || in_place_program(j->a, j->o, id);
}

/*
 * A chain of the same members is built anew as well when several of them have new versions, which its signature
 * does not tell. What it replaces is whole then.
 */
static bool is_upgraded(const struct judge *j, uint32_t expected, const char *signature)
{
	const struct observed_chain *c = observed_find_chain(j->o, expected);

	return c && c->complete && str_eq(c->meta.signature, signature);
}

/* Several slots that hold something else than after the last pass: they are put right together, by a new chain. */
static struct drift_cause judge_slots(const struct judge *j, uint32_t id)
{
	const struct observed_chain *c = observed_find_chain(j->o, id);
	size_t changed = 0;

	for (size_t i = 0; c && c->complete && i < c->meta.member_count; i++) {
		const char *before =
			in_place_find(j->was, in_place_slot_key(j->a, id, (uint32_t)i));
		const char *now = in_place_program(j->a, j->o, c->slots[i]);

		changed += before && (!now || !str_eq(before, now));
	}
	if (!changed)
		return none;
	return cause("SlotChanged",
		     arena_printf(j->a, "%zu of its slots were emptied or got other programs",
				  changed));
}

static struct drift_cause judge_root(const struct judge *j)
{
	const struct op_root *r = &j->op->root;
	const char *key = in_place_root_key(j->a, r->netns, r->ifindex);
	const char *target = in_place_target(j->a, j->o, &r->program, r->chain_id, r->signature);

	if (!was(j, key, target))
		return none;
	if (is_upgraded(j, r->expected_id, r->signature))
		return judge_slots(j, r->expected_id);
	if (!r->expected_id && j->op->kind == OP_LINK_SET)
		return cause("LinkDetached", "the link of its root was detached");
	if (!r->expected_id)
		return cause("RootRemoved", "its root program was detached");
	if (is_ours(j, r->expected_id))
		return cause("PinRemoved", "what its root needs was taken from our directory");
	return cause("RootReplaced",
		     arena_printf(j->a, "%s was attached instead", who(j, r->expected_id)));
}

static struct drift_cause judge_tc(const struct judge *j)
{
	const struct op_tc *t = &j->op->tc;
	const char *target = in_place_target(j->a, j->o, &t->program, t->chain_id, t->signature);
	bool tcx = t->mechanism == MECHANISM_TCX;

	if (!was(j, in_place_tc_key(j->a, t, target), target))
		return none;
	if (is_upgraded(j, t->expected_id, t->signature))
		return judge_slots(j, t->expected_id);
	if (!t->expected_id)
		return tcx ? cause("LinkDetached", "its link was detached, or its pin removed "
						   "while nobody held it") :
			     cause("FilterRemoved", "its filter was removed");
	if (is_ours(j, t->expected_id))
		return cause(tcx ? "LinkPinRemoved" : "PinRemoved",
			     tcx ? "the pin of its link was removed" :
				   "what its filter needs was taken from our directory");
	return cause(tcx ? "LinkChanged" : "FilterChanged",
		     arena_printf(j->a, "%s was put into its place", who(j, t->expected_id)));
}

static struct drift_cause judge_protocol(const struct judge *j)
{
	const struct op_root *r = &j->op->root;

	if (!in_place_find(j->was, in_place_protocol_key(j->a, r->ifindex, r->chain_id)))
		return none;
	return cause("PinRemoved", "pins of libxdp's protocol were removed");
}

/* --- shares ------------------------------------------------------------------------------------ */

static const struct observed_pin *find_pin(const struct observed_mount *m, const char *name)
{
	for (size_t i = 0; m && name && i < m->pin_count; i++)
		if (str_eq(m->pins[i].name, name))
			return &m->pins[i];
	return NULL;
}

/* A declared pin as it was: the same map under the same name. */
static bool pin_was(const struct judge *j, const struct op_share_pin *pin)
{
	return was(j, in_place_pin_key(j->a, j->op->share.path, pin->alias),
		   in_place_map(j->a, j->o, &pin->map));
}

static bool all_pins_were(const struct judge *j)
{
	for (size_t i = 0; i < j->op->share.pin_count; i++)
		if (!pin_was(j, &j->op->share.pins[i]))
			return false;
	return true;
}

static struct drift_cause pin_cause(const struct judge *j, const struct observed_mount *m,
				    const char *alias)
{
	const struct observed_pin *now = find_pin(m, alias);

	if (!now)
		return cause("PinRemoved",
			     arena_printf(j->a, "the pin %s of the share was removed", alias));
	return cause("PinReplaced",
		     now->map_id ?
			     arena_printf(j->a, "map id %u was pinned as %s instead", now->map_id,
					  alias) :
			     arena_printf(j->a, "something else than a map was put as %s", alias));
}

static struct drift_cause owner_cause(const struct judge *j, const char *what, uid_t uid, gid_t gid)
{
	if (uid != 0 || gid != j->op->share.gid)
		return cause("OwnerChanged", arena_printf(j->a, "%s was given to %u:%u", what,
							  (unsigned int)uid, (unsigned int)gid));
	return cause("ModeChanged", arena_printf(j->a, "the mode of %s was changed", what));
}

/* A sealed share is mounted anew as a whole, whatever was changed in it. */
static struct drift_cause changed_inside(const struct judge *j, const struct observed_mount *m)
{
	const struct op_share *s = &j->op->share;

	for (size_t i = 0; i < s->pin_count; i++) {
		const struct observed_pin *now = find_pin(m, s->pins[i].alias);
		const char *key = in_place_mode_key(j->a, s->path, s->pins[i].alias);

		if (!now || !was(j, in_place_pin_key(j->a, s->path, s->pins[i].alias),
				 arena_printf(j->a, "map %u", now->map_id)))
			return pin_cause(j, m, s->pins[i].alias);
		if (now->uid || !was(j, key, in_place_mode(j->a, now->gid, now->mode)))
			return owner_cause(j, arena_printf(j->a, "its pin %s", now->name), now->uid,
					   now->gid);
	}
	if (m->uid || m->gid != s->gid || m->mode != s->mode)
		return owner_cause(j, "its directory", m->uid, m->gid);
	for (size_t i = 0; i < m->pin_count; i++)
		if (m->pins[i].map_id &&
		    !in_place_find(j->was, in_place_pin_key(j->a, s->path, m->pins[i].name)))
			return cause(REASON_FOREIGN_PIN,
				     arena_printf(j->a, "map id %u was pinned in it as %s",
						  m->pins[i].map_id, m->pins[i].name));
	return none;
}

static struct drift_cause judge_mount(const struct judge *j)
{
	const struct op_share *s = &j->op->share;
	const struct observed_mount *m = observed_find_mount(j->o, s->path);

	if (!was(j, in_place_mount_key(j->a, s->path), s->share) || !all_pins_were(j) ||
	    !was(j, in_place_mode_key(j->a, s->path, NULL), in_place_mode(j->a, s->gid, s->mode)))
		return none;
	if (!m || !m->ours)
		return cause("ShareUnmounted", "the share was unmounted");
	return changed_inside(j, m);
}

static struct drift_cause judge_owner(const struct judge *j)
{
	const struct op_share *s = &j->op->share;
	const struct observed_mount *m = observed_find_mount(j->o, s->path);
	const struct observed_pin *pin = find_pin(m, s->pin);
	const char *key = in_place_mode_key(j->a, s->path, s->pin);

	if (!m || (s->pin && !pin) || !was(j, key, in_place_mode(j->a, s->gid, s->mode)))
		return none;
	return pin ? owner_cause(j, arena_printf(j->a, "its pin %s", pin->name), pin->uid,
				 pin->gid) :
		     owner_cause(j, "its directory", m->uid, m->gid);
}

static struct drift_cause judge_seal(const struct judge *j)
{
	const struct op_share *s = &j->op->share;
	const struct observed_mount *m = observed_find_mount(j->o, s->path);

	if (!m || !was(j, in_place_seal_key(j->a, s->path), in_place_seal(j->a, s->read_only)))
		return none;
	if (!m->shared)
		return cause("PropagationChanged", "its mount was made private or a slave");
	if (m->read_only != s->read_only)
		return cause("MountChanged",
			     m->read_only ? "it was made read-only" : "it was made writable");
	return none;
}

static struct drift_cause judge_unpin(const struct judge *j)
{
	const struct op_share *s = &j->op->share;
	const struct observed_pin *pin = find_pin(observed_find_mount(j->o, s->path), s->pin);

	/* What was there before has been undeclared; what was not somebody else made. */
	if (!pin || !in_place_find(j->was, in_place_mount_key(j->a, s->path)) ||
	    in_place_find(j->was, in_place_pin_key(j->a, s->path, s->pin)))
		return none;
	return cause(REASON_FOREIGN_PIN, arena_printf(j->a, "map id %u was pinned in it as %s",
						      pin->map_id, pin->name));
}

/* --- what is left as it is ------------------------------------------------------------------------ */

static void notice(struct arena *a, struct drift_notices *l, const char *key, const char *reason,
		   const char *text)
{
	*LIST_ADD(a, &l->list) = (struct drift_notice){ key, { reason, text } };
}

static void look_at_share(struct arena *a, const struct observed_mount *m, struct drift_notices *l)
{
	const char *key = arena_printf(a, "share %s", m->share);

	if (m->covered)
		notice(a, l, key, REASON_MOUNT_COVERED,
		       arena_printf(a, "something is mounted over it at %s; it is left alone",
				    m->cover ? m->cover : m->path));
	for (size_t i = 0; i < m->pin_count; i++)
		if (!m->pins[i].map_id)
			notice(a, l, key, REASON_FOREIGN_PIN,
			       arena_printf(a, "%s/%s is no map; it is left alone", m->path,
					    m->pins[i].name));
}

/* Numbers that do not change with every pin, so that it is told once. */
static void look_at_descriptors(struct arena *a, const struct observed *o, struct drift_notices *l)
{
	size_t limit = 1024;

	if (!o->pins_unheld)
		return;
	while (limit < 2 * (o->pins_held + o->pins_unheld))
		limit *= 2;
	notice(a, l, "daemon", REASON_DESCRIPTOR_LIMIT,
	       arena_printf(
		       a,
		       "there are more pins than the %zu descriptors by which this process may hold "
		       "them; if somebody deletes one of the others, what it was for may be gone: "
		       "give the unit LimitNOFILE=%zu",
		       o->pins_held, limit));
}

void drift_look(struct arena *a, const struct observed *o, struct drift_notices *ret)
{
	for (size_t i = 0; i < o->foreign.n; i++)
		notice(a, ret, "our directory", REASON_FOREIGN_PIN,
		       arena_printf(a, "%s in it is not ours; it is left alone", o->foreign.v[i]));
	look_at_descriptors(a, o, ret);
	for (size_t i = 0; i < o->mount_count; i++)
		if (o->mounts[i].ours)
			look_at_share(a, &o->mounts[i], ret);
}

/* --- all -------------------------------------------------------------------------------------- */

struct drift_cause drift_judge_op(const struct in_place *before, struct arena *a,
				  const struct observed *o, const struct op *op)
{
	const struct judge j = { before, a, o, op };

	switch (op->kind) {
	case OP_BPFFS_MOUNT:
		return in_place_find(before, IN_PLACE_BPFFS) ?
			       cause("BpffsUnmounted", "the bpffs of our directory was unmounted") :
			       none;
	case OP_DIRECTORY_CREATE:
		return judge_directory(&j);
	case OP_PIN_RESTORE:
		return judge_pins(&j);
	case OP_OBJECT_LOAD:
		return judge_load(&j);
	case OP_SLOT_SET:
		return judge_slot(&j);
	case OP_ROOT_SET:
	case OP_LINK_SET:
		return judge_root(&j);
	case OP_ROOT_PIN:
		return judge_protocol(&j);
	case OP_TC_SET:
		return judge_tc(&j);
	case OP_SHARE_MOUNT:
		return judge_mount(&j);
	case OP_SHARE_PIN:
		return pin_was(&j, &op->share.pins[0]) ?
			       pin_cause(&j, observed_find_mount(o, op->share.path),
					 op->share.pins[0].alias) :
			       none;
	case OP_SHARE_OWNER:
		return judge_owner(&j);
	case OP_SHARE_SEAL:
		return judge_seal(&j);
	case OP_SHARE_UNPIN:
		return judge_unpin(&j);
	default:
		return none;
	}
}
