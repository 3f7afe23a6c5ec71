/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Which version of every instance will be in force: the declared one if the kernel has
 * it or takes it, else the one that serves now. An owner of maps is decided before its users, since
 * their version depends on the one that their owner really has.
 */
#include <string.h>

#include "base/hash.h"
#include "base/str.h"
#include "plan/plan_internal.h"

#define VERSION_HEX 16

static bool version_is_live(const struct planner *p, const struct observed_object *v)
{
	for (size_t i = 0; i < v->program_count; i++)
		if (program_is_live(p, v->programs[i].id))
			return true;
	for (size_t i = 0; i < v->extension_count; i++)
		if (program_is_live(p, v->extensions[i].id))
			return true;
	return false;
}

/* What serves now: first of all what runs, then what is whole, then what serves others, then the newest. */
static const struct observed_object *find_previous(struct planner *p, const struct instance *i)
{
	const struct observed_object *best = NULL;
	int best_rank = 0;

	for (size_t k = 0; k < i->version_count; k++) {
		const struct observed_object *v = &i->versions[k];
		bool live = version_is_live(p, v);
		int rank = 4 * live + 2 * v->complete;

		if (v->newer || (!v->complete && !live))
			continue;
		rank += i->version_count > 1 && maps_are_served(p, v);
		if (!best || rank > best_rank ||
		    (rank == best_rank && v->meta.loaded_ns > best->meta.loaded_ns)) {
			best = v;
			best_rank = rank;
		}
	}
	return best;
}

/* Where nothing serves, an incomplete version may still hold what its maps had. */
static const struct observed_object *find_source(const struct instance *i)
{
	const struct observed_object *best = i->previous;

	for (size_t k = 0; !i->previous && k < i->version_count; k++) {
		const struct observed_object *v = &i->versions[k];

		if (!v->newer && v->map_count &&
		    (!best || v->meta.loaded_ns > best->meta.loaded_ns))
			best = v;
	}
	return best;
}

void instance_look_back(struct planner *p, struct instance *i)
{
	if (i->looked_back)
		return;
	i->looked_back = true; /* before all: a user may ask for its owner in turn */
	i->previous = find_previous(p, i);
	i->source = find_source(i);
}

static void keep_previous(struct planner *p, struct instance *i, const struct condition_status *why)
{
	i->condition = *why;
	i->observed = i->previous;
	i->version = i->previous ? i->previous->version : NULL;
	if (i->previous && why->message && !i->frozen)
		i->condition.message = arena_printf(p->a, "%s; version %s stays in force",
						    why->message, i->version);
}

static void resolve_frozen(struct planner *p, struct instance *i)
{
	struct condition_status why = { .state = STATE_SUSPENDED };

	if (i->object->standing == STANDING_ORPHANED) {
		why.reason = REASON_FILE_INVALID;
		why.message =
			"its file is invalid and no good version of it is known; what is in the "
			"kernel stays as it is until the file is repaired or removed";
	} else if (i->object->standing == STANDING_UNCONFIRMED) {
		why.state = STATE_PENDING;
		why.reason = REASON_NEEDS_CONFIRM;
		why.message = "nothing declares it any more; its removal waits for "
			      "`bpfsharectl confirm`";
	} else {
		why.reason = REASON_SUSPENDED;
		why.message = "declared with `suspend: true`";
	}
	keep_previous(p, i, &why);
}

/* --- maps of other objects --------------------------------------------------- */

static void instance_resolve(struct planner *p, struct instance *i);

bool instance_has_map(const struct instance *i, const char *map)
{
	if (i->load)
		return elf_find_map(i->object->decl->source->elf, map);
	return observed_object_map(i->observed, map);
}

/* False with a condition when the map cannot be had now. */
static bool owner_resolve(struct planner *p, struct instance *i, const struct map_decl *m,
			  struct condition_status *ret)
{
	struct instance *owner = instance_used(p, i, m);
	const char *what =
		arena_printf(p->a, "map %s is to be %s/%s", m->name, m->use_object, m->use_map);

	if (!owner && !desired_find_object(p->desired, m->use_object)) {
		condition_set(ret, STATE_FAILED, REASON_NO_SUCH_MAP,
			      arena_printf(p->a, "%s, but no file declares that object", what));
		return false;
	}
	if (owner && owner->progress == RESOLVING) {
		condition_set(ret, STATE_FAILED, REASON_USE_CYCLE,
			      arena_printf(p->a, "%s, which in turn uses a map of %s", what,
					   i->name));
		return false;
	}
	if (owner)
		instance_resolve(p, owner);
	if (!owner || !owner->version) {
		condition_set(ret, STATE_WAITING, REASON_MAP_NOT_LOADED,
			      arena_printf(p->a, "%s, but that object is not loaded", what));
		return false;
	}
	if (!instance_has_map(owner, m->use_map)) {
		condition_set(ret, STATE_FAILED, REASON_NO_SUCH_MAP,
			      arena_printf(p->a,
					   "%s, but version %s of that object has no such map",
					   what, owner->version));
		return false;
	}
	i->rank = MAX(i->rank, owner->rank + 1);
	return true;
}

static bool owners_resolve(struct planner *p, struct instance *i, struct condition_status *ret)
{
	const struct object_decl *decl = i->object->decl;

	for (size_t k = 0; k < decl->map_count; k++)
		if (decl->maps[k].use_object && !owner_resolve(p, i, &decl->maps[k], ret))
			return false;
	return true;
}

/*
 * Equal names are not enough: an owner whose pins were lost and that was loaded again has
 * the same version and other maps.
 */
static bool uses_current_maps(struct planner *p, const struct instance *i,
			      const struct observed_object *v)
{
	const struct object_decl *decl = i->object->decl;

	for (size_t k = 0; k < decl->map_count; k++) {
		const struct map_decl *m = &decl->maps[k];
		const struct instance *owner = m->use_object ? instance_used(p, i, m) : NULL;
		const struct observed_map *own = observed_object_map(v, m->name);
		uint32_t id = owner ? instance_map_id(owner, m->use_map) : 0;

		if (owner && (id ? own && own->id != id : owner->load != NULL))
			return false;
	}
	return true;
}

/* --- the declared version ------------------------------------------------------ */

/* *ret_alone: there is one, but those who use its maps were not loaded with it. */
static const struct observed_object *find_declared(struct planner *p, const struct instance *i,
						   const char *declaration, bool *ret_alone)
{
	*ret_alone = false;
	for (size_t k = 0; k < i->version_count; k++) {
		const struct observed_object *v = &i->versions[k];

		if (!v->complete || !declaration_is(p, i, v, declaration) ||
		    !uses_current_maps(p, i, v) || !take_over_is_done(p, i, v, declaration))
			continue;
		if (follow_is_done(p, i, v))
			return v;
		*ret_alone = true;
	}
	return NULL;
}

/* An unfinished directory is no obstacle: loading clears it, unless what it pins runs, is taken over, or is not ours. */
static bool version_is_free(const struct planner *p, const struct instance *i, const char *version)
{
	for (size_t k = 0; k < i->version_count; k++) {
		const struct observed_object *v = &i->versions[k];

		if (str_eq(v->version, version))
			return !v->complete && !v->newer && !v->unknown && v != i->source &&
			       !version_is_live(p, v);
	}
	return true;
}

static const char *version_name(struct planner *p, const struct instance *i,
				const char *declaration)
{
	const char *name = arena_strndup(p->a, declaration, VERSION_HEX);
	char hex[SHA256_HEX];

	while (!version_is_free(p, i, name)) {
		hash_bytes(name, strlen(name), hex);
		name = arena_strndup(p->a, hex, VERSION_HEX);
	}
	return name;
}

static void resolve_load(struct planner *p, struct instance *i, const char *declaration)
{
	const char *version = version_name(p, i, declaration);
	const char *subject = arena_printf(p->a, "object %s", i->name);
	const struct failure *f = base_failure(p);
	struct take_over maps = take_over(p, i, version, declaration);
	struct condition_status why;

	if (maps.refusal) {
		condition_set(&why, STATE_FAILED, REASON_MAP_CHANGED, maps.refusal);
		keep_previous(p, i, &why);
		return;
	}
	if (!f)
		f = lookup_failure(p, subject, maps.attempt);
	if (f) {
		condition_from_failure(&why, f);
		keep_previous(p, i, &why);
		i->log = f->log;
		return;
	}
	i->load = load_draft(p, i, declaration, &maps);
	i->version = version;
	follow_owners(p, i);
	i->declared = true;
	condition_set(&i->condition, STATE_PENDING, REASON_PLANNED,
		      arena_printf(p->a, "to be loaded: %s", i->load->op.reason));
}

/* Why no attempt makes sense, false when one does. */
static bool declaration_is_faulty(struct planner *p, struct instance *i,
				  struct condition_status *ret)
{
	const struct object_decl *decl = i->object->decl;

	if (decl->fault_reason)
		condition_set(ret, STATE_FAILED, decl->fault_reason, decl->fault_message);
	else if (!decl->source || decl->source->code < 0 || !decl->source->elf)
		condition_set(ret, STATE_FAILED,
			      decl->source && decl->source->reason ? decl->source->reason :
								     REASON_OBJECT_UNREADABLE,
			      decl->source && decl->source->message ?
				      decl->source->message :
				      arena_printf(p->a, "%s was not read", decl->path));
	else
		return !owners_resolve(p, i, ret);
	return true;
}

static void resolve_active(struct planner *p, struct instance *i)
{
	struct condition_status why;
	const char *declaration;
	bool alone;

	if (declaration_is_faulty(p, i, &why)) {
		keep_previous(p, i, &why);
		return;
	}
	if (i->hold) {
		condition_set(&why, STATE_FAILED, REASON_MAP_CHANGED, i->hold);
		keep_previous(p, i, &why);
		return;
	}
	declaration = declaration_hash(p, i);
	i->observed = find_declared(p, i, declaration, &alone);
	/* Under the same name it is the same attempt, whose failures are known: so it goes first. */
	if (!i->observed && alone) {
		condition_set(&why, STATE_PENDING, REASON_PLANNED,
			      "to be loaded anew, together with those who use its maps");
		keep_previous(p, i, &why);
		return;
	}
	if (!i->observed) {
		resolve_load(p, i, declaration);
		return;
	}
	i->version = i->observed->version;
	i->declared = true;
}

static void instance_resolve(struct planner *p, struct instance *i)
{
	if (i->progress != UNRESOLVED)
		return;
	i->progress = RESOLVING;
	if (i->frozen)
		resolve_frozen(p, i);
	else
		resolve_active(p, i);
	i->progress = RESOLVED;
}

/* As they were before any was resolved, but for what has been learnt. */
static void instances_reset(struct planner *p)
{
	for (size_t i = 0; i < p->instances.n; i++) {
		struct instance *at = p->instances.v[i];

		at->progress = UNRESOLVED;
		at->version = at->log = NULL;
		at->observed = NULL;
		at->load = NULL;
		at->declared = false;
		at->rank = 0;
		at->condition = (struct condition_status){ 0 };
	}
	p->drafts.n = 0; /* nothing else is drafted yet */
	p->bpffs = p->directory = NULL;
}

static void instances_resolve(struct planner *p)
{
	for (size_t i = 0; i < p->instances.n; i++)
		instance_resolve(p, p->instances.v[i]);
}

void instances_plan(struct planner *p)
{
	/* What serves now first: whether a map may change depends on its users as well. */
	for (size_t i = 0; i < p->instances.n; i++)
		instance_look_back(p, p->instances.v[i]);
	instances_resolve(p);
	while (follow_hold(p)) {
		instances_reset(p);
		instances_resolve(p);
	}
	for (size_t i = 0; i < p->instances.n; i++)
		follow_tell(p, p->instances.v[i]);
}
