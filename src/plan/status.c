/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * The status of everything that is declared, read off the finished comparison. It
 * tells what the observation found; `pending` marks where an operation is planned.
 */
#include <linux/bpf.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "plan/plan_internal.h"

/* --- conditions ----------------------------------------------------------------------- */

/* While the node is suspended, nothing that is planned will happen. */
static struct condition_status shown(const struct planner *p, struct condition_status c)
{
	if (p->newer && c.state != STATE_SKIPPED && c.state < STATE_FAILED) {
		c.state = STATE_BLOCKED;
		c.reason = REASON_NEWER_LAYOUT;
		c.message = p->newer;
	}
	if (p->in->suspended && !p->in->purge && str_eq(c.reason, REASON_PLANNED)) {
		c.state = STATE_SUSPENDED;
		c.reason = REASON_SUSPENDED;
		c.message = arena_printf(p->a, "changes are suspended on this node; %s", c.message);
	}
	return c;
}

/* The worst part; of what is ready the first that has something to say. */
static void aggregate(struct condition_status *c, const struct condition_status *part)
{
	if (part->state > c->state || (part->state == c->state && !c->reason))
		*c = *part;
}

static void aggregate_attachment(struct planner *p, struct condition_status *c,
				 const struct attachment *at, struct condition_status part)
{
	if (part.message && at->interface && part.state > c->state)
		part.message = arena_printf(p->a, "%s on %s: %s", at->program->name,
					    chain_name(p, at->chain), part.message);
	aggregate(c, &part);
}

/* --- objects ---------------------------------------------------------------------------- */

static enum mechanism attachment_mechanism(const struct attachment *at)
{
	if (!at->live)
		return MECHANISM_AUTO;
	return at->chain->hook == HOOK_TC ? tc_live_mechanism(at) :
					    live_mechanism(&at->chain->live);
}

static struct status_attachment status_attachment(struct planner *p, const struct attachment *at)
{
	const struct observed_interface *i = at->interface;

	return (struct status_attachment){
		.hook = at->decl->hook,
		.selector = at->selector,
		.interface = i ? i->name : NULL,
		.netns = i ? i->netns : at->decl->netns,
		.direction = at->decl->direction,
		.ifindex = i ? i->ifindex : 0,
		.priority = (uint16_t)at->priority,
		.position = at->position,
		.mechanism = attachment_mechanism(at),
		.condition = shown(p, at->condition),
		.origin = at->decl->origin,
	};
}

/* What is in the kernel for an instance, as observed. */
static const struct observed_object *version_observed(const struct instance *i)
{
	if (!i)
		return NULL;
	return i->load ? i->previous : i->observed;
}

static void add_loads(struct planner *p, struct status_program *s, const struct instance *i)
{
	const struct observed_object *v = version_observed(i);
	const struct observed_program *o = v ? observed_object_program(v, s->name) : NULL;
	const struct observed_program *e = v ? observed_object_extension(v, s->name) : NULL;
	bool by[MECHANISM_COUNT] = { 0 };

	if (!o)
		return;
	for (size_t k = 0; k < s->attachment_count; k++)
		by[s->attachments[k].mechanism] = true;
	by[MECHANISM_LIBXDP] = e != NULL;
	by[MECHANISM_AUTO] = !by[MECHANISM_DIRECT] && !by[MECHANISM_TAILCALL] &&
			     !by[MECHANISM_TCX] && !by[MECHANISM_CLSACT];
	s->loads = arena_calloc(p->a, MECHANISM_COUNT, sizeof(*s->loads));
	for (enum mechanism m = 0; m < MECHANISM_COUNT; m++)
		if (by[m])
			s->loads[s->load_count++] =
				m == MECHANISM_LIBXDP ? (struct status_load){ m, e->id, e->tag } :
							(struct status_load){ m, o->id, o->tag };
}

struct attachment_view {
	struct attachment *const *v;
	size_t n;
};

static void add_program(struct planner *p, struct status_object *s, const struct instance *i,
			const struct program_decl *decl, const struct attachment_view *all,
			const struct elf_object *elf)
{
	struct status_program *to = &s->programs[s->program_count++];
	const struct elf_program *e = elf ? elf_find_program(elf, decl->name) : NULL;

	to->name = decl->name;
	to->type = e ? e->type : BPF_PROG_TYPE_XDP;
	if (!e && decl->attach_count && decl->attach[0].hook == HOOK_TC)
		to->type = BPF_PROG_TYPE_SCHED_CLS;
	for (size_t k = 0; k < all->n; k++)
		to->attachment_count += all->v[k]->program == decl;
	to->attachments = arena_calloc(p->a, to->attachment_count, sizeof(*to->attachments));
	to->attachment_count = 0;
	for (size_t k = 0; k < all->n; k++) {
		struct status_attachment *at;

		if (all->v[k]->program != decl)
			continue;
		at = &to->attachments[to->attachment_count++];
		*at = status_attachment(p, all->v[k]);
		aggregate_attachment(p, &s->condition, all->v[k], at->condition);
	}
	add_loads(p, to, i);
}

/* Programs as the kernel has them, where there is no declaration to go by. */
static void add_observed_programs(struct planner *p, struct status_object *s,
				  const struct instance *i)
{
	const struct observed_object *v = version_observed(i);

	if (!v)
		return;
	s->programs = arena_calloc(p->a, v->program_count, sizeof(*s->programs));
	for (size_t k = 0; k < v->program_count; k++) {
		struct status_program *to = &s->programs[s->program_count++];

		to->name = v->programs[k].name;
		to->type = v->programs[k].type;
		add_loads(p, to, i);
	}
}

static uint32_t entries_declared(const struct object_decl *decl, const struct elf_map *m)
{
	for (size_t i = 0; i < decl->map_count; i++)
		if (str_eq(decl->maps[i].name, m->name) && decl->maps[i].max_entries)
			return decl->maps[i].max_entries;
	return m->max_entries;
}

static void add_maps(struct planner *p, struct status_object *s, const struct instance *i,
		     const struct object_decl *decl)
{
	const struct elf_object *elf = decl && decl->source ? decl->source->elf : NULL;
	const struct observed_object *v = version_observed(i);

	s->map_count = elf ? elf->map_count : v ? v->map_count : 0;
	s->maps = arena_calloc(p->a, s->map_count, sizeof(*s->maps));
	for (size_t k = 0; k < s->map_count; k++) {
		const char *name = elf ? elf->maps[k].name : v->maps[k].name;
		const struct observed_map *o = v ? observed_object_map(v, name) : NULL;

		s->maps[k].name = name;
		s->maps[k].id = o ? o->id : 0;
		s->maps[k].type = o ? o->type : elf->maps[k].type;
		s->maps[k].max_entries = o ? o->max_entries : entries_declared(decl, &elf->maps[k]);
	}
}

static bool source_is_usable(const struct object_decl *decl)
{
	return decl && decl->source && decl->source->code >= 0 && decl->source->elf &&
	       !decl->fault_reason;
}

static enum in_force in_force_of(struct planner *p, const struct instance *i)
{
	const struct observed_object *v = version_observed(i);

	if (!v)
		return IN_FORCE_NONE;
	if (i->load)
		return IN_FORCE_PREVIOUS;
	if (i->declared || (i->frozen && source_is_usable(i->object->decl) &&
			    declaration_is(p, i, v, declaration_hash(p, i))))
		return IN_FORCE_DECLARED;
	return IN_FORCE_PREVIOUS;
}

static void add_details(struct planner *p, struct status_object *s, const struct object *o,
			const struct instance *i, const struct attachment_view *all)
{
	const struct object_decl *decl = o->decl;

	if (decl) {
		s->programs = arena_calloc(p->a, decl->program_count, sizeof(*s->programs));
		for (size_t k = 0; k < decl->program_count; k++)
			add_program(p, s, i, &decl->programs[k], all,
				    decl->source ? decl->source->elf : NULL);
	} else {
		add_observed_programs(p, s, i);
	}
	add_maps(p, s, i, decl);
}

static struct status_object object_row(const struct object *o, const char *name)
{
	struct status_object s = { .name = name, .in_force = IN_FORCE_NONE };

	if (o->decl) {
		s.file = o->decl->source && o->decl->source->path ? o->decl->source->path :
								    o->decl->path;
		s.origin = o->decl->origin;
	}
	return s;
}

/* Its last good version is all that is wanted until the file is repaired, which is to be seen. */
static void file_is_faulty(struct planner *p, struct status_object *s,
			   const struct object_decl *decl)
{
	struct condition_status c = { .state = STATE_FAILED, .reason = decl->present_reason };

	c.message = arena_printf(p->a, "%s; its last good version %s", decl->present_message,
				 s->in_force == IN_FORCE_DECLARED ? "stays in force" :
								    "is to be in force instead");
	if (s->in_force == IN_FORCE_DECLARED)
		s->in_force = IN_FORCE_PREVIOUS;
	aggregate(&s->condition, &c);
}

static struct status_object instance_row(struct planner *p, const struct object *o,
					 const struct instance *i)
{
	struct status_object s = object_row(o, i->name);
	struct attachment_view all = { i->attachments.v, i->attachments.n };

	if (!o->decl && i->observed) {
		s.file = i->observed->meta.elf_path;
		s.origin = origin_parse(p->a, i->observed->meta.origin);
	}
	s.condition = shown(p, i->condition);
	s.log = i->log;
	s.in_force = in_force_of(p, i);
	if (o->decl && o->decl->present && !i->frozen)
		file_is_faulty(p, &s, o->decl);
	add_details(p, &s, o, i, &all);
	return s;
}

/* The declaration itself, where there is no instance to speak for it or for all of it. */
static bool plain_row(struct planner *p, const struct object *o, struct status_object *ret)
{
	struct attachment_view none = {
		.v = arena_calloc(p->a, o->attachments.n, sizeof(struct attachment *)),
	};
	struct attachment **v = (struct attachment **)none.v;

	for (size_t i = 0; i < o->attachments.n; i++)
		if (!o->attachments.v[i]->instance)
			v[none.n++] = o->attachments.v[i];
	if (o->instances.n && !none.n)
		return false;
	*ret = object_row(o, o->name);
	if (o->standing == STANDING_SKIPPED)
		condition_set(&ret->condition, STATE_SKIPPED, REASON_CONDITION_FALSE, o->skipped);
	else if (o->standing == STANDING_SUSPENDED)
		condition_set(&ret->condition, STATE_SUSPENDED, REASON_SUSPENDED,
			      "declared with `suspend: true`");
	else if (!none.n)
		condition_set(&ret->condition, STATE_WAITING, REASON_NO_INTERFACE_MATCHES,
			      "it has an instance per interface and attaches to none");
	add_details(p, ret, o, NULL, &none);
	return true;
}

static int by_object_name(const void *a, const void *b)
{
	return strcmp(((const struct status_object *)a)->name,
		      ((const struct status_object *)b)->name);
}

static void status_objects(struct planner *p, struct status *s)
{
	s->objects = arena_calloc(p->a, p->objects.n + p->instances.n, sizeof(*s->objects));
	for (size_t i = 0; i < p->objects.n; i++) {
		const struct object *o = p->objects.v[i];

		for (size_t k = 0; k < o->instances.n; k++)
			s->objects[s->object_count++] = instance_row(p, o, o->instances.v[k]);
		s->object_count += plain_row(p, o, &s->objects[s->object_count]);
	}
	if (s->object_count)
		qsort(s->objects, s->object_count, sizeof(*s->objects), by_object_name);
	for (size_t i = 0; i < s->object_count; i++)
		s->summary[s->objects[i].condition.state]++;
}

/* --- shares -------------------------------------------------------------------------------- */

static void add_share_maps(struct planner *p, struct status_share *to, const struct share_state *s)
{
	to->map_count = s->decl->map_count;
	to->maps = arena_calloc(p->a, to->map_count, sizeof(*to->maps));
	for (size_t i = 0; i < to->map_count; i++) {
		const struct share_map *m = &s->decl->maps[i];

		to->maps[i] = (struct status_share_map){
			.map = arena_printf(p->a, "%s/%s", m->object, m->map),
			.alias = m->alias,
			.access = m->access,
		};
		for (size_t k = 0; k < s->pins.n; k++)
			if (s->pins.v[k].decl == m)
				to->maps[i].id = s->pins.v[k].id;
	}
}

static void status_shares(struct planner *p, struct status *s)
{
	s->share_count = p->desired->share_count;
	s->shares = arena_calloc(p->a, s->share_count, sizeof(*s->shares));
	for (size_t i = 0; i < s->share_count; i++) {
		const struct share_state *from = &p->shares[i];
		struct status_share *to = &s->shares[i];

		to->name = from->decl->name;
		to->origin = from->decl->origin;
		to->condition = from->maps;
		add_share_maps(p, to, from);
		to->target_count = from->decl->target_count;
		to->targets = arena_calloc(p->a, to->target_count, sizeof(*to->targets));
		for (size_t t = 0; t < to->target_count; t++) {
			to->targets[t] = (struct status_target){
				.type = from->targets[t].decl->type,
				.path = from->targets[t].path,
				.condition = shown(p, from->targets[t].condition),
			};
			aggregate(&to->condition, &to->targets[t].condition);
		}
		s->summary[to->condition.state]++;
	}
}

/* --- the rest ------------------------------------------------------------------------------- */

static void status_sets(struct planner *p, struct status *s)
{
	s->set_count = p->desired->set_count;
	s->sets = arena_calloc(p->a, s->set_count, sizeof(*s->sets));
	for (size_t i = 0; i < s->set_count; i++) {
		const struct set_state *from = &p->sets[i];
		struct status_set *to = &s->sets[i];

		to->name = from->decl->name;
		to->origin = from->decl->origin;
		to->optional = from->decl->optional;
		to->matches = from->matches;
		if (from->conflict)
			condition_set(&to->condition, STATE_FAILED, REASON_SETTINGS_CONFLICT,
				      arena_printf(p->a,
						   "sets %s and %s give different %s settings to "
						   "%s; those of %s hold",
						   from->conflict->name, from->decl->name,
						   hook_names[from->conflict_hook],
						   from->conflict_interface, from->conflict->name));
		else if (from->absent)
			condition_set(&to->condition, STATE_WAITING, REASON_NETNS_ABSENT,
				      from->absent);
		else if (!from->matches)
			condition_set(&to->condition, STATE_WAITING, REASON_NO_INTERFACE_MATCHES,
				      "no interface matches yet");
	}
}

static bool file_is_skipped(const struct planner *p, const struct status *s, size_t file)
{
	size_t objects = 0;

	for (size_t i = 0; i < p->desired->share_count; i++)
		if (p->desired->shares[i].file == file)
			return false;
	for (size_t i = 0; i < p->objects.n; i++) {
		const struct object *o = p->objects.v[i];

		if (!o->decl || o->decl->file != file)
			continue;
		objects++;
		if (o->standing != STANDING_SKIPPED)
			return false;
	}
	return objects > 0 && s->files[file].state == FILE_APPLIED;
}

static void status_files(struct planner *p, struct status *s)
{
	const struct desired *d = p->in->desired;

	s->file_count = d->file_count;
	s->files = arena_calloc(p->a, d->file_count, sizeof(*s->files));
	for (size_t i = 0; i < d->file_count; i++) {
		s->files[i] = d->files[i];
		if (file_is_skipped(p, s, i))
			s->files[i].state = FILE_SKIPPED;
	}
}

static void status_held(struct planner *p, struct status *s, const struct plan *plan)
{
	s->held_token = *plan->held_token ? plan->held_token : NULL;
	s->held_count = plan->held_count;
	s->held = arena_calloc(p->a, s->held_count, sizeof(*s->held));
	for (size_t i = 0; i < s->held_count; i++)
		s->held[i] = (struct status_held){ plan->held[i].key, plan->held[i].reason,
						   plan->held[i].origin };
}

/* Whether one of its attachments tells it. */
static bool is_told(const struct chain *c, const struct failure *f)
{
	for (size_t i = 0; i < c->attachments.n; i++)
		if (str_eq(c->attachments.v[i]->condition.reason, f->reason))
			return true;
	return false;
}

/* A chain that could not be changed, while all that it should have is running: something else is, too. */
static void undone_add_chain(struct planner *p, const struct chain *c)
{
	const struct failure *f = c->failure ? c->failure : c->pins_failure;

	if (f && !is_told(c, f))
		undone_add(p, f);
}

static void status_failures(struct planner *p, struct status *s)
{
	for (size_t i = 0; i < p->observed->interface_count; i++)
		undone_add_chain(p, &p->chains[i]);
	for (size_t i = 0; i < p->tc_chain_count; i++)
		undone_add_chain(p, &p->tc_chains[i].chain);
	s->failures = arena_calloc(p->a, p->undone.n, sizeof(*s->failures));
	for (size_t i = 0; i < p->undone.n; i++) {
		const struct failure *f = p->undone.v[i];

		if (!str_eq(f->reason, RESULT_CHAIN_STILL_USED))
			s->failures[s->failure_count++] =
				(struct status_failure){ f->subject, f->reason, f->message };
	}
}

static bool is_converged(const struct planner *p, const struct status *s, const struct plan *plan)
{
	for (size_t i = 0; i < s->file_count; i++)
		if (s->files[i].state == FILE_INVALID || s->files[i].state == FILE_REFUSED)
			return false;
	for (size_t i = 0; i < s->set_count; i++)
		if (s->sets[i].condition.state == STATE_FAILED ||
		    (!s->sets[i].optional && !s->sets[i].matches))
			return false;
	return !p->newer && !plan->op_count && !plan->held_count && !s->failure_count &&
	       !s->summary[STATE_PENDING] && !s->summary[STATE_BLOCKED] &&
	       !s->summary[STATE_FAILED];
}

struct status *status_build(struct planner *p, const struct plan *plan)
{
	struct status *s = arena_new_of(p->a, struct status);

	s->generation = p->in->desired->generation;
	s->suspended = p->in->suspended && !p->in->purge;
	status_files(p, s);
	status_objects(p, s);
	status_chains(p, s);
	status_shares(p, s);
	status_sets(p, s);
	status_held(p, s, plan);
	status_failures(p, s);
	s->converged = is_converged(p, s, plan);
	return s;
}
