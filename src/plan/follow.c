/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Objects that have one map in common move to another one together, or not at all: a filter that goes on with
 * the old block list while everybody else writes to the new one looks healthy and is not. So nothing of an
 * owner's new version is put in force before those who use its maps are loaded with the new ones (the
 * followers of its load); and once it is known that one of them cannot be, the owner stays where it is.
 */
#include <string.h>

#include "base/str.h"
#include "plan/plan_internal.h"

#define CHAIN_MOST 16 /* of maps that are maps of others; more would be a circle */

/* Of the entry of a map: what serves of another object, NULL: it is none. */
static struct instance *user_of(const struct planner *p, const struct map_entry *m,
				const struct instance *owner)
{
	struct instance *user = lookup_instance(p, m->object->instance);

	return user && user != owner && user->previous == m->object ? user : NULL;
}

static bool is_owner(const struct observed_object *v, const char *map)
{
	for (size_t k = 0; k < v->meta.map_count; k++)
		if (str_eq(v->meta.maps[k].name, map))
			return !v->meta.maps[k].use;
	return true;
}

/* --- who cannot --------------------------------------------------------------------------------------- */

static bool stays(const struct instance *i)
{
	return !i->load && i->observed == i->previous;
}

static const char *hold_by(struct planner *p, const struct observed_map *old,
			   const struct instance *user)
{
	const struct condition_status *c = &user->condition;

	return arena_printf(
		p->a,
		"in the new version map %s is another map, and object %s, which uses it, "
		"cannot move to that one (%s%s%s); see to object %s first, or let it do "
		"without the map",
		old->name, user->name, c->reason ? c->reason : "it stays as it is",
		c->message ? ": " : "", c->message ? c->message : "", user->name);
}

/* Why the owner is to stay as it is, NULL: nobody hinders it. */
static const char *find_hold(struct planner *p, const struct instance *owner)
{
	const struct observed_object *before = owner->previous;

	for (size_t k = 0; k < before->map_count; k++) {
		const struct observed_map *old = &before->maps[k];
		const struct map_entry *m;
		size_t n = lookup_maps(p, old->id, &m);

		if (!is_owner(before, old->name) || instance_map_id(owner, old->name) == old->id)
			continue;
		for (size_t u = 0; u < n; u++) {
			const struct instance *user = user_of(p, &m[u], owner);

			if (user && stays(user))
				return hold_by(p, old, user);
		}
	}
	return NULL;
}

bool follow_hold(struct planner *p)
{
	bool held = false;

	for (size_t i = 0; i < p->instances.n; i++) {
		struct instance *owner = p->instances.v[i];

		if (!owner->previous || stays(owner))
			continue;
		owner->hold = find_hold(p, owner);
		held |= owner->hold != NULL;
	}
	return held;
}

/* --- who is to -------------------------------------------------------------------------------------------- */

void follow_owners(struct planner *p, const struct instance *user)
{
	const struct object_decl *decl = user->object->decl;

	for (size_t k = 0; user->previous && k < decl->map_count; k++) {
		const struct map_decl *m = &decl->maps[k];
		const struct instance *owner = m->use_object ? instance_used(p, user, m) : NULL;
		const struct observed_map *own, *old;

		if (!owner || !owner->load || !owner->previous)
			continue;
		own = observed_object_map(user->previous, m->name);
		old = observed_object_map(owner->previous, m->use_map);
		if (own && old && own->id == old->id)
			*LIST_ADD(p->a, &owner->load->followers) = user->load;
	}
}

/* Whether the user's map of this name is, by declaration and at last, the owner's. */
static bool leads_to(struct planner *p, const struct instance *user, const struct map_decl *m,
		     const struct instance *owner, const char *map)
{
	for (int i = 0; m && m->use_object && i < CHAIN_MOST; i++) {
		const struct instance *next = instance_used(p, user, m);
		const char *name = m->use_map;

		if (next == owner && str_eq(name, map))
			return true;
		if (!next)
			break;
		user = next;
		m = user->object->decl ? object_map_decl(user->object->decl, name) : NULL;
	}
	return false;
}

static bool is_to_use(struct planner *p, const struct instance *user, const struct instance *owner,
		      const char *map)
{
	const struct object_decl *decl = user->object->decl;

	for (size_t k = 0; decl && k < decl->map_count; k++)
		if (leads_to(p, user, &decl->maps[k], owner, map))
			return true;
	return false;
}

static bool has_version_with(const struct planner *p, const struct instance *user, uint32_t id)
{
	const struct map_entry *m;
	size_t n = lookup_maps(p, id, &m);

	for (size_t k = 0; k < n; k++)
		if (str_eq(m[k].object->instance, user->name) && m[k].object->complete)
			return true;
	return false;
}

bool follow_is_done(struct planner *p, const struct instance *owner,
		    const struct observed_object *v)
{
	const struct observed_object *before = owner->previous;

	for (size_t k = 0; before && before != v && k < before->map_count; k++) {
		const struct observed_map *old = &before->maps[k];
		const struct observed_map *new = observed_object_map(v, old->name);
		const struct map_entry *m;
		size_t n = lookup_maps(p, old->id, &m);

		if (!new || new->id == old->id || !is_owner(before, old->name))
			continue;
		for (size_t u = 0; u < n; u++) {
			const struct instance *user = user_of(p, &m[u], owner);

			if (user && is_to_use(p, user, owner, old->name) &&
			    !has_version_with(p, user, new->id))
				return false;
		}
	}
	return true;
}

bool maps_are_served(struct planner *p, const struct observed_object *v)
{
	for (size_t k = 0; k < v->map_count; k++) {
		const struct map_entry *m;
		size_t n = lookup_maps(p, v->maps[k].id, &m);

		for (size_t u = 0; u < n; u++) {
			struct instance *user = lookup_instance(p, m[u].object->instance);

			if (!user || str_eq(user->name, v->instance) ||
			    is_owner(m[u].object, m[u].map->name))
				continue;
			instance_look_back(p, user);
			if (user->previous == m[u].object)
				return true;
		}
	}
	return false;
}

/* --- who did not ------------------------------------------------------------------------------------------ */

/* The owner, if what is in force of it has another map by now than the version has. */
static const struct instance *find_split(const struct planner *p, const struct observed_object *v,
					 const struct meta_map *m)
{
	const char *slash = m->use ? strrchr(m->use, '/') : NULL;
	const struct observed_map *own = observed_object_map(v, m->name);
	const struct instance *owner =
		slash ? lookup_instance(p, arena_strndup(p->a, m->use, (size_t)(slash - m->use))) :
			NULL;

	if (!own || !owner || !owner->version || !instance_has_map(owner, slash + 1))
		return NULL;
	return instance_map_id(owner, slash + 1) == own->id ? NULL : owner;
}

void follow_tell(struct planner *p, struct instance *user)
{
	const struct observed_object *v = user->observed;

	if (!v || user->load || !user->condition.message)
		return;
	for (size_t k = 0; k < v->meta.map_count; k++) {
		const struct instance *owner = find_split(p, v, &v->meta.maps[k]);

		if (owner)
			user->condition.message = arena_printf(
				p->a,
				"%s; until then its map %s is one that object %s had before and "
				"nobody else uses any more",
				user->condition.message, v->meta.maps[k].name, owner->name);
	}
}
