/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Which maps a share publishes, and for which group. A map that cannot be had now is left
 * out (its old pin, if any, stays); the share publishes the others meanwhile.
 */
#include <string.h>

#include "base/num.h"
#include "base/str.h"
#include "plan/plan_internal.h"

static const char *map_text(struct planner *p, const struct share_map *m)
{
	return arena_printf(p->a, "map %s/%s is not published", m->object, m->map);
}

/* Why there is no instance of this name. */
static void explain_no_instance(struct planner *p, const struct share_map *m,
				struct condition_status *ret)
{
	const char *name = arena_strndup(p->a, m->object, strcspn(m->object, "@"));
	const struct object_decl *decl = desired_find_object(p->desired, name);
	bool of_interface = strchr(m->object, '@') != NULL;
	const char *what = map_text(p, m);

	if (!decl)
		condition_set(ret, STATE_FAILED, REASON_NO_SUCH_MAP,
			      arena_printf(p->a, "%s: no file declares an object %s", what, name));
	else if (condition_unmet(p, &decl->when))
		condition_set(ret, STATE_SKIPPED, REASON_CONDITION_FALSE,
			      arena_printf(p->a, "%s: object %s is skipped on this node", what,
					   name));
	else if (of_interface && decl->instances == INSTANCES_ONE)
		condition_set(ret, STATE_FAILED, REASON_NO_SUCH_MAP,
			      arena_printf(p->a,
					   "%s: object %s has one instance for all interfaces; "
					   "name the map %s/%s",
					   what, name, name, m->map));
	else if (!of_interface && decl->instances == INSTANCES_INTERFACE)
		condition_set(ret, STATE_FAILED, REASON_NO_SUCH_MAP,
			      arena_printf(p->a,
					   "%s: object %s has an instance per interface; name the "
					   "map %s@INTERFACE/%s",
					   what, name, name, m->map));
	else
		condition_set(ret, STATE_WAITING, REASON_MAP_NOT_LOADED,
			      arena_printf(p->a, "%s: there is no instance %s yet", what,
					   m->object));
}

/* Type of the map in the version that is in force; false when it has no such map. */
static bool map_in_force(const struct instance *i, const char *map, uint32_t *ret_type,
			 uint32_t *ret_id)
{
	const struct observed_map *o;
	const struct elf_map *e;

	*ret_id = instance_map_id(i, map);
	if (i->load) {
		e = elf_find_map(i->object->decl->source->elf, map);
		*ret_type = e ? e->type : 0;
		return e;
	}
	o = observed_object_map(i->observed, map);
	*ret_type = o ? o->type : 0;
	return o;
}

/* True when the map can be published; else why not, and whether an old pin may stay. */
static bool map_resolve(struct planner *p, const struct share_map *m, struct wanted_pin *pin,
			bool *ret_stays, struct condition_status *why)
{
	const struct instance *i = lookup_instance(p, m->object);
	const char *what = map_text(p, m);
	uint32_t type;

	*ret_stays = false;
	if (!i) {
		explain_no_instance(p, m, why);
		return false;
	}
	if (!i->version) {
		*ret_stays = true;
		condition_set(why, STATE_WAITING, REASON_MAP_NOT_LOADED,
			      arena_printf(p->a, "%s: object %s is not loaded", what, i->name));
		return false;
	}
	if (!map_in_force(i, m->map, &type, &pin->id)) {
		condition_set(why, i->declared ? STATE_FAILED : STATE_WAITING,
			      i->declared ? REASON_NO_SUCH_MAP : REASON_MAP_NOT_LOADED,
			      arena_printf(p->a, "%s: version %s of object %s has no such map",
					   what, i->version, i->name));
		return false;
	}
	if (m->access == ACCESS_RW && !m->unsafe && map_type_is_powerful(type)) {
		condition_set(why, STATE_FAILED, REASON_UNSAFE_MAP,
			      arena_printf(p->a,
					   "%s: who writes to a map of type %s reaches more than "
					   "data; allow it with `unsafe: true` on the entry",
					   what, map_type_name(p->a, type)));
		return false;
	}
	pin->map = (struct map_ref){ i->name, i->version, m->map };
	pin->load = i->load;
	return true;
}

void share_resolve(struct planner *p, struct share_state *s)
{
	s->read_only = true;
	for (size_t i = 0; i < s->decl->map_count; i++) {
		const struct share_map *m = &s->decl->maps[i];
		struct wanted_pin pin = {
			.decl = m,
			.mode = m->access == ACCESS_RW ? 0660 : 0440,
		};
		struct condition_status why;
		bool stays;

		if (map_resolve(p, m, &pin, &stays, &why)) {
			s->publishes = true;
			*LIST_ADD(p->a, &s->pins) = pin;
		} else {
			condition_worsen(&s->maps, &why);
			s->publishes |= why.state == STATE_WAITING;
			if (stays)
				*LIST_ADD(p->a, &s->pins) = pin;
			if (str_eq(why.reason, REASON_UNSAFE_MAP))
				continue;
		}
		if (m->access == ACCESS_RW)
			s->read_only = false;
	}
}

static bool group_of_name(const struct planner *p, const char *group, gid_t *ret)
{
	const struct observed_name *n = observed_find_name(p->observed, group, true);
	uint32_t gid;

	if (n && n->found)
		*ret = n->id;
	else if (num_parse_u32(group, UINT32_MAX - 1, &gid) == 0)
		*ret = gid;
	else
		return false;
	return true;
}

static bool group_of_user(struct planner *p, struct target_state *t)
{
	const char *user = t->decl->user;
	const struct observed_name *n = observed_find_name(p->observed, user, false);

	if (!n || !n->found) {
		condition_set(&t->condition, STATE_FAILED, REASON_NO_SUCH_USER,
			      arena_printf(p->a,
					   "there is no user %s on this node; %s stays as it is",
					   user, t->path));
		return false;
	}
	t->gid = n->primary_gid;
	if (n->shared_group)
		condition_set(&t->condition, STATE_READY, REASON_SHARED_GROUP,
			      arena_printf(p->a,
					   "the primary group of user %s (gid %u) has other "
					   "members, who may use the share as well",
					   user, n->primary_gid));
	return true;
}

bool target_resolve_group(struct planner *p, struct target_state *t)
{
	const char *group = t->decl->group;

	if (!group)
		return !t->decl->user || group_of_user(p, t);
	if (group_of_name(p, group, &t->gid))
		return true;
	condition_set(&t->condition, STATE_FAILED, REASON_NO_SUCH_GROUP,
		      arena_printf(p->a, "there is no group %s on this node; %s stays as it is",
				   group, t->path));
	return false;
}
