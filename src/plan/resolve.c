/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Declarations meet this node: its name and kernel (`when`), its interfaces (selectors),
 * and what of them is in the kernel already. The result is the list of instances that
 * should exist and, per interface, of the attachments that should be made.
 */
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "model/layout.h"
#include "plan/plan_internal.h"

/* Scratch by index of the interface, so that a thousand interfaces take no quadratic walk. */
struct resolver {
	struct planner *p;
	const struct program_decl **taken; /* by place: the last program that has it */
	struct instance **instances;       /* the last instance per interface made for it */
};

static struct object *object_add(struct planner *p, const char *name,
				 const struct object_decl *decl, enum standing standing)
{
	struct object *o = arena_new_of(p->a, struct object);

	o->name = name;
	o->decl = decl;
	o->standing = standing;
	*LIST_ADD(p->a, &p->objects) = o;
	return o;
}

static struct instance *instance_add(struct planner *p, struct object *o, const char *name)
{
	struct instance *i = arena_new_of(p->a, struct instance);

	i->object = o;
	i->name = name;
	i->version_count = lookup_versions(p, name, &i->versions);
	*LIST_ADD(p->a, &o->instances) = i;
	*LIST_ADD(p->a, &p->instances) = i;
	return i;
}

/* What the file does not say, the program's .xdp_run_config may. */
static void attachment_set_order(struct attachment *at)
{
	const struct attach_decl *decl = at->decl;
	const struct object_source *source = at->object->decl->source;
	const struct elf_program *e = decl->hook == HOOK_XDP && source && source->elf ?
					      elf_find_program(source->elf, at->program->name) :
					      NULL;

	at->priority = decl->priority;
	at->proceed_on = decl->proceed_on;
	if (e && e->has_run_priority && !decl->has_priority)
		at->priority = e->run_priority;
	if (e && e->has_run_actions && !decl->has_proceed_on)
		at->proceed_on = e->run_actions;
}

static struct attachment *attachment_add(struct planner *p, struct object *o,
					 const struct program_decl *program,
					 const struct attach_decl *decl, const char *selector)
{
	struct attachment *at = arena_new_of(p->a, struct attachment);

	at->object = o;
	at->program = program;
	at->decl = decl;
	attachment_set_order(at);
	at->selector = selector;
	at->position = -1;
	*LIST_ADD(p->a, &o->attachments) = at;
	return at;
}

/* --- attachments ----------------------------------------------------------- */

/* The instance that serves an attachment at an interface; made when it is the first. */
static struct instance *instance_at(struct resolver *r, struct object *o, size_t interface)
{
	const struct observed_interface *i = &r->p->observed->interfaces[interface];
	struct instance *at = r->instances[interface];

	if (o->decl->instances == INSTANCES_ONE)
		return o->instances.v[0];
	if (at && at->object == o)
		return at;
	at = instance_add(r->p, o, layout_instance(r->p->a, o->name, i->netns, i->name));
	at->interface = i;
	r->instances[interface] = at;
	return at;
}

static void attachment_assign(struct planner *p, struct attachment *at, struct instance *i)
{
	at->instance = i;
	if (i)
		*LIST_ADD(p->a, &i->attachments) = at;
}

/* An interface is one place for XDP and one for each direction of tc. */
#define PLACES (1 + TC_DIRECTION_COUNT)

static const struct program_decl **taken_at(const struct resolver *r,
					    const struct attach_decl *decl, size_t interface)
{
	return &r->taken[interface * PLACES + (decl->hook == HOOK_TC ? 1 + decl->direction : 0)];
}

static struct chain *chain_at(struct planner *p, const struct attach_decl *decl, size_t interface)
{
	if (decl->hook == HOOK_TC)
		return &tc_chain_at(p, interface, decl->direction)->chain;
	return &p->chains[interface];
}

/* Per program and place the first matching entry holds, so a later one adds nothing. */
static bool attach_at(struct resolver *r, struct object *o, const struct program_decl *program,
		      const struct attach_decl *decl, const char *selector, size_t interface)
{
	struct attachment *at;

	if (*taken_at(r, decl, interface) == program)
		return true;
	*taken_at(r, decl, interface) = program;
	at = attachment_add(r->p, o, program, decl, selector);
	at->chain = chain_at(r->p, decl, interface);
	at->interface = at->chain->interface;
	if (o->standing == STANDING_ACTIVE)
		attachment_assign(r->p, at, instance_at(r, o, interface));
	*LIST_ADD(r->p->a, &at->chain->attachments) = at;
	return true;
}

/* absent: why the namespace is not there, NULL: it is. */
static void attach_nowhere(struct planner *p, struct attachment *at, const char *absent)
{
	const struct object *o = at->object;
	const char *s = at->selector;

	if (o->standing == STANDING_ACTIVE && o->decl->instances == INSTANCES_ONE)
		attachment_assign(p, at, o->instances.v[0]);
	at->settled = true;
	if (absent)
		condition_set(&at->condition, STATE_WAITING, REASON_NETNS_ABSENT, absent);
	else if (selector_is_literal(s))
		condition_set(&at->condition, STATE_WAITING, REASON_INTERFACE_ABSENT,
			      arena_printf(p->a, "there is no interface %s%s%s yet", s,
					   at->decl->netns ? " in namespace " : "",
					   at->decl->netns ? at->decl->netns : ""));
	else if (*s == '@' && !desired_find_set(p->desired, s + 1))
		condition_set(&at->condition, STATE_FAILED, REASON_NO_SUCH_SET,
			      arena_printf(p->a, "no file declares an interface set %s", s + 1));
	else
		condition_set(&at->condition, STATE_WAITING, REASON_NO_INTERFACE_MATCHES,
			      arena_printf(p->a, "no interface%s%s matches %s yet",
					   *s != '@' && at->decl->netns ? " in namespace " : "",
					   *s != '@' && at->decl->netns ? at->decl->netns : "", s));
}

static void resolve_selector(struct resolver *r, struct object *o,
			     const struct program_decl *program, const struct attach_decl *decl,
			     const char *selector)
{
	struct planner *p = r->p;
	struct interface_range at;
	const char *absent = selector_range(p, decl, selector, &at);
	bool any = false;

	if (!absent && selector_is_literal(selector)) {
		size_t i = lookup_interface(p, at.netns, selector);

		any = i != NO_INTERFACE && attach_at(r, o, program, decl, selector, i);
	} else {
		for (size_t i = at.first; i < at.end; i++)
			if (selector_selects(p, selector, i))
				any = attach_at(r, o, program, decl, selector, i);
	}
	if (!any)
		attach_nowhere(p, attachment_add(p, o, program, decl, selector), absent);
}

static void resolve_attachments(struct resolver *r, struct object *o)
{
	for (size_t i = 0; i < o->decl->program_count; i++) {
		const struct program_decl *program = &o->decl->programs[i];

		for (size_t k = 0; k < program->attach_count; k++) {
			const struct attach_decl *decl = &program->attach[k];

			for (size_t s = 0; s < decl->interfaces.n; s++)
				resolve_selector(r, o, program, decl, decl->interfaces.v[s]);
		}
	}
}

/* --- maps that belong to one device ---------------------------------------- */

static const char *per_device_map(const struct object_decl *decl, const char *function)
{
	const struct elf_object *elf = decl->source ? decl->source->elf : NULL;
	const struct elf_program *program = elf ? elf_find_program(elf, function) : NULL;

	for (size_t i = 0; program && i < program->map_count; i++)
		if (map_type_is_per_device(elf->maps[program->maps[i]].type))
			return elf->maps[program->maps[i]].name;
	return NULL;
}

static size_t count_places(const struct object *o, const struct program_decl *program)
{
	size_t n = 0;

	for (size_t i = 0; i < o->attachments.n; i++)
		n += o->attachments.v[i]->program == program && o->attachments.v[i]->interface;
	return n;
}

static void refuse_per_device(struct planner *p, struct object *o,
			      const struct program_decl *program)
{
	const char *map = per_device_map(o->decl, program->name);
	size_t places = map ? count_places(o, program) : 0;

	for (size_t i = 0; places > 1 && i < o->attachments.n; i++) {
		struct attachment *at = o->attachments.v[i];

		if (at->program != program || !at->interface)
			continue;
		at->per_device = at->settled = true;
		condition_set(
			&at->condition, STATE_FAILED, REASON_PER_DEVICE_MAP,
			arena_printf(p->a,
				     "map %s belongs to the queues of one device, but %s attaches "
				     "to %zu interfaces; give each its own with "
				     "`instances: interface`",
				     map, program->name, places));
	}
}

/* --- objects ---------------------------------------------------------------- */

static void resolve_object(struct resolver *r, const struct object_decl *decl)
{
	struct planner *p = r->p;
	const char *unmet = condition_unmet(p, &decl->when);
	struct object *o;

	if (unmet) {
		o = object_add(p, decl->name, decl, STANDING_SKIPPED);
		o->skipped = unmet;
		return;
	}
	o = object_add(p, decl->name, decl, decl->suspend ? STANDING_SUSPENDED : STANDING_ACTIVE);
	if (o->standing == STANDING_ACTIVE && decl->instances == INSTANCES_ONE)
		instance_add(p, o, decl->name);
	resolve_attachments(r, o);
	if (o->standing == STANDING_ACTIVE && decl->instances == INSTANCES_ONE)
		for (size_t i = 0; i < decl->program_count; i++)
			refuse_per_device(p, o, &decl->programs[i]);
}

/* --- what is in the kernel without being declared ---------------------------- */

static const char *object_of_instance(struct arena *a, const char *instance)
{
	return arena_strndup(a, instance, strcspn(instance, "@"));
}

/* Its file is there and invalid, and no earlier good version of it is known. */
static bool is_orphaned(struct planner *p, const struct observed_object *v, size_t n)
{
	const struct desired *d = p->desired;

	for (size_t i = 0; i < n; i++) {
		const char *path = v[i].complete ? origin_parse(p->a, v[i].meta.origin).file : NULL;

		for (size_t f = 0; path && f < d->file_count; f++)
			if (str_eq(d->files[f].path, path) &&
			    (d->files[f].state == FILE_INVALID ||
			     d->files[f].state == FILE_REFUSED) &&
			    d->files[f].in_force == IN_FORCE_NONE)
				return true;
	}
	return false;
}

static struct object *find_object(struct planner *p, const char *name)
{
	for (size_t i = 0; i < p->objects.n; i++)
		if (str_eq(p->objects.v[i]->name, name))
			return p->objects.v[i];
	return NULL;
}

/* The object under which an undeclared instance is kept, NULL: it may go. */
static struct object *find_keeper(struct planner *p, const char *instance,
				  const struct observed_object *v, size_t n)
{
	const char *name = object_of_instance(p->a, instance);
	struct object *o = find_object(p, name);

	if (o && o->standing != STANDING_ACTIVE && o->standing != STANDING_SKIPPED)
		return o;
	if (!o && is_orphaned(p, v, n))
		return object_add(p, name, NULL, STANDING_ORPHANED);
	return p->held ? object_add(p, name, NULL, STANDING_UNCONFIRMED) : NULL;
}

static void keep_instances(struct planner *p)
{
	const struct observed *o = p->observed;

	for (size_t i = 0; i < o->object_count;) {
		const char *name = o->objects[i].instance;
		const struct observed_object *v;
		size_t n = lookup_versions(p, name, &v);
		struct object *keeper = NULL;

		if (!lookup_instance(p, name))
			keeper = find_keeper(p, name, v, n);
		if (keeper)
			instance_add(p, keeper, name)->frozen = true;
		i += n;
	}
}

static void suspend_attachments(struct planner *p, struct object *o)
{
	for (size_t i = 0; i < o->attachments.n; i++) {
		struct attachment *at = o->attachments.v[i];
		const char *name = o->name;

		if (o->decl->instances == INSTANCES_INTERFACE)
			name = at->interface ? layout_instance(p->a, o->name, at->interface->netns,
							       at->interface->name) :
					       NULL;
		if (name)
			attachment_assign(p, at, lookup_instance(p, name));
		at->settled = true;
		condition_set(&at->condition, STATE_SUSPENDED, REASON_SUSPENDED,
			      "declared with `suspend: true`");
	}
}

static int by_name(const void *a, const void *b)
{
	const struct object *x = *(struct object *const *)a, *y = *(struct object *const *)b;
	int r = strcmp(x->name, y->name);

	return r ? r : (int)x->standing - (int)y->standing;
}

void objects_resolve(struct planner *p)
{
	size_t n = p->observed->interface_count;
	struct resolver r = {
		.p = p,
		.taken = arena_calloc(p->a, n * PLACES, sizeof(*r.taken)),
		.instances = arena_calloc(p->a, n, sizeof(*r.instances)),
	};

	for (size_t i = 0; i < p->desired->object_count; i++)
		resolve_object(&r, &p->desired->objects[i]);
	lookup_build_instances(p);
	keep_instances(p);
	lookup_build_instances(p);
	for (size_t i = 0; i < p->objects.n; i++)
		if (p->objects.v[i]->standing == STANDING_SUSPENDED)
			suspend_attachments(p, p->objects.v[i]);
	if (p->objects.n)
		qsort(p->objects.v, p->objects.n, sizeof(*p->objects.v), by_name);
}

struct instance *instance_used(struct planner *p, const struct instance *user,
			       const struct map_decl *m)
{
	const struct object_decl *decl = desired_find_object(p->desired, m->use_object);
	const char *name = m->use_object;
	struct instance *owner;

	/* An object with an instance per interface serves the one of the same interface. */
	if (decl && decl->instances == INSTANCES_INTERFACE && user->interface)
		name = layout_instance(p->a, m->use_object, user->interface->netns,
				       user->interface->name);
	owner = lookup_instance(p, name);
	/* Nothing new shall come to depend on what goes with the operator's word. */
	return owner && owner->object->standing == STANDING_UNCONFIRMED ? NULL : owner;
}
