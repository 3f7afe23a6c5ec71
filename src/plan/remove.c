/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * What nothing needs once this plan is done: links without an interface, dispatchers that
 * nobody runs, versions of objects. Each goes after exactly those operations that take its
 * last users away, so that where one of them fails the old things stay; and after a grace period,
 * since a packet may still be on its way through them.
 */
#include <string.h>

#include "base/ids.h"
#include "base/str.h"
#include "plan/plan_internal.h"

/* By index of observed->objects. */
struct release {
	bool needed;
	LIST(struct draft *) after; /* what takes its users away */
};

struct removal {
	struct planner *p;
	struct release *objects;
};

static struct release *release_of(struct removal *r, const struct observed_object *o)
{
	return o ? &r->objects[o - r->p->observed->objects] : NULL;
}

/* draft NULL: the user stays. */
static void note_user(struct removal *r, const struct observed_object *o, struct draft *draft)
{
	struct release *at = release_of(r, o);

	if (!at)
		return;
	if (draft)
		*LIST_ADD(r->p->a, &at->after) = draft;
	else
		at->needed = true;
}

static void note_slots(struct removal *r, const struct slot *slots, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (slots[i].version && !slots[i].load)
			note_user(r,
				  observed_find_object(r->p->observed, slots[i].instance,
						       slots[i].version),
				  NULL);
}

static struct draft *grace_draft(struct planner *p)
{
	if (!p->grace) {
		p->grace = draft_add(p, OP_GRACE, "kernel");
		p->grace->op.subject = "grace";
		p->grace->op.reason = "packets may still be on their way through what was replaced";
	}
	return p->grace;
}

/* --- links -------------------------------------------------------------------------- */

static struct draft *link_remove(struct planner *p, const struct observed_link *l)
{
	const char *key = arena_printf(p->a, "link %u", l->id);
	struct draft *d;

	if (lookup_undone(p, key, "remove"))
		return NULL;
	d = draft_add(p, l->hook == HOOK_TC ? OP_TC_CLEAR : OP_LINK_REMOVE, key);
	d->op.version = "remove";
	d->op.reason = "its interface is gone";
	if (l->hook == HOOK_TC) {
		d->op.reason = "its interface is gone, or somebody detached it";
		d->op.tc = (struct op_tc){ .interface = "nothing",
					   .direction = l->direction,
					   .mechanism = MECHANISM_TCX,
					   .link_id = l->id,
					   .expected_id = l->program_id };
		return d;
	}
	d->op.root.interface = "an interface that is gone";
	d->op.root.link_id = l->id;
	d->op.root.expected_id = l->program_id;
	return d;
}

/* The links that something observed at an interface is attached by. */
static void list_seen(const struct planner *p, struct ids *ret)
{
	for (size_t i = 0; i < p->observed->interface_count; i++)
		if (p->chains[i].live.link)
			ids_add(p->a, ret, p->chains[i].live.link->id);
	for (size_t i = 0; i < p->tc_chain_count; i++)
		for (size_t k = 0; k < p->tc_chains[i].entry_count; k++)
			if (p->tc_chains[i].entries[k].observed->link_id)
				ids_add(p->a, ret, p->tc_chains[i].entries[k].observed->link_id);
	ids_sort(ret);
}

/*
 * What stays and what goes at an interface is decided with it. A link whose interface is not seen (in a namespace
 * that nobody names) keeps what it runs.
 */
static void links_plan(struct removal *r)
{
	struct planner *p = r->p;
	struct ids seen = { 0 };

	list_seen(p, &seen);
	for (size_t i = 0; i < p->observed->link_count; i++) {
		const struct observed_link *l = &p->observed->links[i];
		const struct program_entry *entry = lookup_program(p, l->program_id);
		const struct observed_chain *c = observed_find_chain(p->observed, l->program_id);
		struct draft *d;

		if (ids_has(&seen, l->id))
			continue;
		d = l->ifindex ? NULL : link_remove(p, l);
		if (entry)
			note_user(r, entry->object, d);
		if (c && d)
			*LIST_ADD(p->a, &p->dispatchers[c - p->observed->chains].leaving) = d;
		else if (c)
			p->dispatchers[c - p->observed->chains].needed = true;
	}
}

/* --- dispatchers ---------------------------------------------------------------------- */

/* What an interface leaves behind, and what it needs from now on. */
static void chain_note_users(struct removal *r, struct chain *c)
{
	struct dispatcher *live = c->live.dispatcher;
	bool alone = c->live.kind == LIVE_DIRECT || c->live.kind == LIVE_PROTOCOL;

	if (c->dispatcher)
		c->dispatcher->needed = true;
	if (live && !c->root)
		live->needed = true;
	/* Also someone else's dispatcher around our programs keeps them. */
	for (size_t i = 0; alone && i < c->live.member_count; i++)
		note_user(r, c->live.members[i].version, c->root);
	if (c->want == WANT_DIRECT || chain_wants_dispatcher(c))
		note_slots(r, c->slots, c->slot_count);
}

/* Likewise for tc, where several entries may have what one chain is made of. */
static void place_note_users(struct removal *r, struct tc_chain *t)
{
	const struct chain *c = &t->chain;

	if (c->dispatcher)
		c->dispatcher->needed = true;
	for (size_t i = 0; i < t->entry_count; i++) {
		const struct tc_entry *e = &t->entries[i];

		if (e->program)
			note_user(r, e->program->object, e->draft);
		if (e->dispatcher && e->draft)
			*LIST_ADD(r->p->a, &e->dispatcher->leaving) = e->draft;
		else if (e->dispatcher)
			e->dispatcher->needed = true;
	}
	if (c->want == WANT_DIRECT || c->want == WANT_TAILCALL)
		note_slots(r, c->slots, c->slot_count);
}

static void dispatcher_remove(struct planner *p, struct dispatcher *d)
{
	const char *key = arena_printf(p->a, "chain %u", d->observed->id);

	if (lookup_undone(p, key, "remove")) {
		d->needed = true; /* someone uses it whom we do not see */
		return;
	}
	d->removal = draft_add(p, OP_CHAIN_REMOVE, key);
	d->removal->op.version = "remove";
	d->removal->op.reason = d->observed->complete ? "nothing runs it any more" :
							"it was left unfinished";
	d->removal->op.chain.id = d->observed->id;
	d->removal->op.chain.signature = d->observed->complete ? d->observed->meta.signature : NULL;
	for (size_t i = 0; i < d->users.n; i++)
		draft_need(p, d->removal, d->users.v[i]->root);
	for (size_t i = 0; i < d->leaving.n; i++)
		draft_need(p, d->removal, d->leaving.v[i]);
	draft_need(p, d->removal, grace_draft(p));
}

/* Foreign members do without us; only what tells of us goes. */
static bool dispatcher_hand_over(struct planner *p, struct dispatcher *d)
{
	const char *key = arena_printf(p->a, "chain %u", d->observed->id);

	if (d->observed->newer || !protocol_hands_over(d) || lookup_undone(p, key, "hand over"))
		return false;
	d->removal = draft_add(p, OP_CHAIN_REMOVE, key);
	d->removal->op.version = "hand over";
	d->removal->op.reason = "none of its members is ours any more";
	d->removal->op.chain.id = d->observed->id;
	d->removal->op.chain.hand_over = true;
	for (size_t i = 0; i < d->users.n; i++)
		draft_need(p, d->removal, d->users.v[i]->pins);
	return true;
}

static void dispatcher_note_members(struct removal *r, const struct dispatcher *d)
{
	if (d->slots)
		note_slots(r, d->slots, d->member_count);
	for (size_t i = 0; i < d->member_count; i++) {
		const struct live_member *m = &d->members[i];

		if (!d->needed)
			note_user(r, m->version, d->removal);
		else if (!d->slots || d->slots[i].id == m->id)
			note_user(r, m->version, NULL);
	}
	for (size_t i = 0; i < d->edits.n; i++)
		note_user(r, d->members[d->edits.v[i]->op.chain.slot].version, d->edits.v[i]);
}

static void dispatchers_remove(struct removal *r)
{
	struct planner *p = r->p;

	for (size_t i = 0; i < p->observed->interface_count; i++)
		chain_note_users(r, &p->chains[i]);
	for (size_t i = 0; i < p->tc_chain_count; i++)
		place_note_users(r, &p->tc_chains[i]);
	for (size_t i = 0; i < p->observed->chain_count; i++) {
		struct dispatcher *d = &p->dispatchers[i];

		d->needed |= d->observed->newer;
		if (dispatcher_hand_over(p, d))
			d->needed = false;
		else if (!d->needed && !lookup_undone(p, "grace", ""))
			dispatcher_remove(p, d);
		else
			d->needed = true;
		dispatcher_note_members(r, d);
	}
}

/* --- objects ---------------------------------------------------------------------------- */

static void instances_note_users(struct removal *r)
{
	struct planner *p = r->p;

	for (size_t i = 0; i < p->instances.n; i++) {
		struct instance *at = p->instances.v[i];

		note_user(r, at->observed, NULL);
		/* Nothing serves: what it had in its maps waits for the version that takes them over. */
		if (!at->version)
			note_user(r, at->source, NULL);
		for (size_t k = 0; k < at->version_count; k++) {
			if (at->frozen)
				note_user(r, &at->versions[k], NULL);
			else if (at->load)
				note_user(r, &at->versions[k], at->load);
		}
	}
}

/* Maps that are the object's own, that is, not another's which it uses. */
static bool owns_map(const struct observed_object *o, const struct observed_map *m)
{
	for (size_t i = 0; i < o->meta.map_count; i++)
		if (str_eq(o->meta.maps[i].name, m->name))
			return !o->meta.maps[i].use;
	return true;
}

/* Its owner is there when this plan is done: in force, needed otherwise, or loaded with this very map. */
static bool has_staying_owner(struct removal *r, uint32_t id)
{
	const struct map_entry *m;
	size_t n = lookup_maps(r->p, id, &m);

	for (size_t k = 0; k < n; k++) {
		const struct instance *i = lookup_instance(r->p, m[k].object->instance);

		if (!owns_map(m[k].object, m[k].map))
			continue;
		if (release_of(r, m[k].object)->needed ||
		    (i && i->load && instance_map_id(i, m[k].map->name) == id))
			return true;
	}
	return false;
}

/* Of several versions that have the map the newest is as good as all. True: something was added. */
static bool need_owner(struct removal *r, uint32_t id)
{
	const struct observed_object *newest = NULL;
	const struct map_entry *m;
	size_t n = lookup_maps(r->p, id, &m);

	if (has_staying_owner(r, id))
		return false;
	for (size_t k = 0; k < n; k++)
		if (owns_map(m[k].object, m[k].map) &&
		    (!newest || m[k].object->meta.loaded_ns > newest->meta.loaded_ns))
			newest = m[k].object;
	note_user(r, newest, NULL);
	return newest;
}

static void owners_wait_for(struct removal *r, uint32_t id, struct draft *draft)
{
	const struct map_entry *m;
	size_t n = lookup_maps(r->p, id, &m);

	for (size_t k = 0; k < n; k++)
		if (owns_map(m[k].object, m[k].map))
			note_user(r, m[k].object, draft);
}

static void pins_note_users(struct removal *r)
{
	for (size_t i = 0; i < r->p->pin_fates.n; i++) {
		const struct pin_fate *f = &r->p->pin_fates.v[i];

		if (f->draft)
			owners_wait_for(r, f->map_id, f->draft);
		else
			(void)need_owner(r, f->map_id);
	}
}

/*
 * The owners of maps that a version uses are needed for as long as it is. What it took over from an earlier
 * version of itself is its own by now. True: something was added.
 */
static bool note_owners(struct removal *r, const struct observed_object *user)
{
	bool added = false;

	for (size_t i = 0; i < user->map_count; i++)
		if (!owns_map(user, &user->maps[i]))
			added |= need_owner(r, user->maps[i].id);
	return added;
}

static void owners_note_users(struct removal *r)
{
	bool added = true;

	while (added) {
		added = false;
		for (size_t i = 0; i < r->p->observed->object_count; i++)
			if (r->objects[i].needed)
				added |= note_owners(r, &r->p->observed->objects[i]);
	}
}

static bool is_to_be_loaded(const struct instance *i, const char *version)
{
	return i && i->load && str_eq(i->load->op.object.version, version);
}

/* An empty directory of an instance takes the version that is loaded. */
static bool is_to_be_filled(const struct instance *i, const struct observed_object *o)
{
	return i && i->load && !*o->version;
}

static const char *removal_version(struct planner *p, const struct observed_object *o)
{
	return arena_printf(p->a, "remove %s", o->version);
}

static const char *object_key(struct planner *p, const char *instance)
{
	return arena_printf(p->a, "object %s", instance);
}

/* Nothing needs it. */
static bool is_released(struct removal *r, const struct observed_object *o)
{
	const struct instance *i = lookup_instance(r->p, o->instance);

	return !o->newer && !o->unknown && !release_of(r, o)->needed &&
	       !is_to_be_loaded(i, o->version) && !is_to_be_filled(i, o);
}

/* Nothing needs it, and its removal has not just failed. */
static bool is_leaving(struct removal *r, const struct observed_object *o)
{
	struct planner *p = r->p;

	return is_released(r, o) && !lookup_undone(p, "grace", "") &&
	       !lookup_undone(p, object_key(p, o->instance), removal_version(p, o));
}

/* --- second sweeps ----------------------------------------------------------------------- */

/* A version that has the copy of a map, and the operation that makes it so; NULL: it is there. */
struct copier {
	const struct meta_object *meta;
	const char *version;
	struct draft *load;
	uint32_t age; /* 0: in force; else the one before it, … */
};

/*
 * Versions that kept one map write to it alike, so no entry of it is the last one until all of them are
 * through.
 */
static bool holders_are_leaving(struct removal *r, uint32_t id)
{
	const struct map_entry *m;
	size_t n = lookup_maps(r->p, id, &m);

	for (size_t i = 0; i < n; i++)
		if (!is_leaving(r, m[i].object))
			return false;
	return true;
}

/* What comes later, as the removal of a dispatcher, has itself waited for the last that ran it. */
static void need_end_of_use(struct planner *p, struct draft *d, struct draft *after)
{
	if (after->op.kind <= OP_MAP_SYNC) {
		draft_need(p, d, after);
		return;
	}
	for (size_t i = 0; i < after->needs.n; i++)
		if (after->needs.v[i]->op.kind < OP_MAP_SYNC)
			draft_need(p, d, after->needs.v[i]);
}

static void need_end_of_holders(struct removal *r, struct draft *d, uint32_t id)
{
	const struct map_entry *m;
	size_t n = lookup_maps(r->p, id, &m);

	for (size_t i = 0; i < n; i++) {
		const struct release *at = release_of(r, m[i].object);

		for (size_t k = 0; k < at->after.n; k++)
			need_end_of_use(r->p, d, at->after.v[k]);
		if (m[i].object->meta.program_count)
			draft_need(r->p, d, grace_draft(r->p));
	}
}

static struct draft *sync_add(struct removal *r, const struct copier *to, const char *map,
			      const struct observed_object *from)
{
	struct planner *p = r->p;
	const char *key = arena_printf(p->a, "map %s/%s", from->instance, map);
	struct draft *d = draft_add(p, OP_MAP_SYNC, key);

	d->op.version = arena_printf(p->a, "%s to %s", from->version, to->version);
	d->op.reason = "what was written to it since it was copied";
	d->op.origin = origin_parse(p->a, to->meta->origin);
	d->rank = UINT16_MAX - to->age; /* the oldest first */
	d->op.sync.from = (struct map_ref){ from->instance, from->version, map };
	d->op.sync.to = (struct map_ref){ from->instance, to->version, map };
	draft_need(p, d, to->load);
	need_end_of_holders(r, d, observed_object_map(from, map)->id);
	*LIST_ADD(p->a, &release_of(r, from)->after) = d;
	return d;
}

/* The version that the map's entries come from, while it is there and it is another map. */
static const struct observed_object *sync_source(struct removal *r, const struct copier *to,
						 const struct meta_map *m)
{
	const struct observed_object *from = NULL, *own = NULL;
	const struct observed_map *theirs, *mine = NULL;

	if (m->from)
		from = observed_find_object(r->p->observed, to->meta->instance, m->from);
	theirs = from ? observed_object_map(from, m->name) : NULL;
	if (!theirs)
		return NULL;
	own = observed_find_object(r->p->observed, to->meta->instance, to->version);
	if (own && !to->load)
		mine = observed_object_map(own, m->name);
	return from == own || (mine && mine->id == theirs->id) ? NULL : from;
}

/*
 * An old version may go once everything that was written to its maps to the last is where its entries
 * are. Returns the operation to wait for, NULL: none; *ret_stays: it is not to be had now.
 */
static struct draft *map_sync(struct removal *r, const struct copier *to, const struct meta_map *m,
			      bool *ret_stays)
{
	const struct observed_object *from = sync_source(r, to, m);
	const char *key = arena_printf(r->p->a, "map %s/%s", to->meta->instance, m->name);
	struct copier before;
	struct draft *d, *older = NULL;

	if (!from)
		return NULL;
	before = (struct copier){ &from->meta, from->version, NULL, to->age + 1 };
	for (size_t i = 0; to->age < UINT8_MAX && i < from->meta.map_count; i++)
		if (str_eq(from->meta.maps[i].name, m->name))
			older = map_sync(r, &before, &from->meta.maps[i], ret_stays);
	if (*ret_stays || !holders_are_leaving(r, observed_object_map(from, m->name)->id) ||
	    lookup_undone(r->p, key,
			  arena_printf(r->p->a, "%s to %s", from->version, to->version))) {
		release_of(r, from)->needed = true;
		*ret_stays = true;
		return NULL;
	}
	d = sync_add(r, to, m->name, from);
	draft_need(r->p, d, older);
	return d;
}

static void maps_sync(struct removal *r)
{
	struct planner *p = r->p;

	for (size_t i = 0; i < p->instances.n; i++) {
		const struct instance *at = p->instances.v[i];
		struct copier to = { .version = at->version, .load = at->load };

		if (at->load)
			to.meta = &at->load->op.object.meta;
		else if (at->observed)
			to.meta = &at->observed->meta;
		if (at->load)
			to.version = at->load->op.object.version;
		for (size_t k = 0; to.meta && k < to.meta->map_count; k++) {
			bool stays = false;

			(void)map_sync(r, &to, &to.meta->maps[k], &stays);
		}
	}
}

/* --- removal ------------------------------------------------------------------------------- */

/* Why it goes; *ret_declared: whether its declaration is still there. */
static const char *removal_reason(struct planner *p, const struct observed_object *o,
				  const struct instance *at, bool *ret_declared)
{
	const char *name = arena_strndup(p->a, o->instance, strcspn(o->instance, "@"));
	const struct object_decl *decl = desired_find_object(p->desired, name);

	*ret_declared = at || (decl && !condition_unmet(p, &decl->when));
	if (!decl)
		return "no file declares it any more";
	if (!*ret_declared)
		return "its condition does not hold any more";
	if (!at)
		return "nothing asks for this instance any more";
	if (!o->complete)
		return "it was left unfinished";
	return at->load || at->declared ? "another version has replaced it" :
					  "no program or map of it is in use";
}

static void object_remove(struct removal *r, const struct observed_object *o)
{
	struct planner *p = r->p;
	const struct release *at = &r->objects[o - p->observed->objects];
	const struct instance *i = lookup_instance(p, o->instance);
	struct draft *d;
	bool declared;

	if (!is_released(r, o) || lookup_undone(p, "grace", "") ||
	    lookup_undone(p, object_key(p, o->instance), removal_version(p, o)))
		return;
	d = draft_add(p, OP_OBJECT_REMOVE, object_key(p, o->instance));
	d->op.version = removal_version(p, o);
	d->op.reason = removal_reason(p, o, i, &declared);
	d->op.removes = !declared && o->complete;
	if (o->complete)
		d->op.origin = origin_parse(p->a, o->meta.origin);
	d->op.object.instance = o->instance;
	d->op.object.version = o->version;
	for (size_t k = 0; k < at->after.n; k++)
		draft_need(p, d, at->after.v[k]);
	/* Also of a program whose pin is lost: it may have run to the end. */
	if (o->meta.program_count)
		draft_need(p, d, grace_draft(p));
}

void leftovers_remove(struct planner *p)
{
	struct removal r = {
		.p = p,
		.objects = arena_calloc(p->a, p->observed->object_count, sizeof(*r.objects)),
	};

	links_plan(&r);
	dispatchers_remove(&r);
	for (size_t i = 0; i < p->builds.n; i++)
		note_slots(&r, p->builds.v[i]->slots, p->builds.v[i]->slot_count);
	instances_note_users(&r);
	pins_note_users(&r);
	owners_note_users(&r);
	for (size_t i = 0; i < p->in->waiting.kept_count; i++)
		note_user(&r, kept_version(p, &p->in->waiting.kept[i]), NULL);
	maps_sync(&r);
	for (size_t i = 0; i < p->observed->object_count; i++)
		object_remove(&r, &p->observed->objects[i]);
}
