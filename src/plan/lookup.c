/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Indexes over the observation and the memory of failures: with a thousand interfaces a
 * walk per question would be a million steps per pass.
 */
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "base/str.h"
#include "plan/plan_internal.h"

static int by_id(const void *a, const void *b)
{
	uint32_t x = ((const struct program_entry *)a)->id,
		 y = ((const struct program_entry *)b)->id;

	return (x > y) - (x < y);
}

static int by_map_id(const void *a, const void *b)
{
	uint32_t x = ((const struct map_entry *)a)->id, y = ((const struct map_entry *)b)->id;

	return (x > y) - (x < y);
}

static int compare_failures(const struct failure *x, const struct failure *y)
{
	int r = str_cmp(x->subject, y->subject);

	return r ? r : str_cmp(x->version, y->version);
}

static int by_subject(const void *a, const void *b)
{
	return compare_failures(*(const struct failure *const *)a,
				*(const struct failure *const *)b);
}

static int by_instance_name(const void *a, const void *b)
{
	const struct instance *x = *(struct instance *const *)a, *y = *(struct instance *const *)b;

	return strcmp(x->name, y->name);
}

static void index_object_programs(struct planner *p, const struct observed_object *o)
{
	for (size_t k = 0; k < o->program_count; k++)
		p->programs_by_id[p->program_count++] = (struct program_entry){
			.id = o->programs[k].id,
			.object = o,
			.program = &o->programs[k],
		};
	for (size_t k = 0; k < o->extension_count; k++)
		p->programs_by_id[p->program_count++] = (struct program_entry){
			.id = o->extensions[k].id,
			.object = o,
			.program = &o->extensions[k],
			.extension = true,
		};
}

static void index_programs(struct planner *p)
{
	const struct observed *o = p->observed;
	size_t n = 0;

	for (size_t i = 0; i < o->object_count; i++)
		n += o->objects[i].program_count + o->objects[i].extension_count;
	p->programs_by_id = arena_calloc(p->a, n, sizeof(*p->programs_by_id));
	for (size_t i = 0; i < o->object_count; i++)
		index_object_programs(p, &o->objects[i]);
	if (n)
		qsort(p->programs_by_id, n, sizeof(*p->programs_by_id), by_id);
}

static void index_maps(struct planner *p)
{
	const struct observed *o = p->observed;
	size_t n = 0;

	for (size_t i = 0; i < o->object_count; i++)
		n += o->objects[i].map_count;
	p->maps_by_id = arena_calloc(p->a, n, sizeof(*p->maps_by_id));
	for (size_t i = 0; i < o->object_count; i++)
		for (size_t k = 0; k < o->objects[i].map_count; k++)
			p->maps_by_id[p->map_count++] = (struct map_entry){
				.id = o->objects[i].maps[k].id,
				.object = &o->objects[i],
				.map = &o->objects[i].maps[k],
			};
	if (n)
		qsort(p->maps_by_id, n, sizeof(*p->maps_by_id), by_map_id);
}

static void index_failures(struct planner *p)
{
	size_t n = p->in->failure_count;

	p->failures = arena_calloc(p->a, n, sizeof(*p->failures));
	for (size_t i = 0; i < n; i++)
		p->failures[i] = &p->in->failures[i];
	if (n)
		qsort(p->failures, n, sizeof(*p->failures), by_subject);
}

static int by_interface_name(const void *a, const void *b)
{
	const struct interface_entry *x = a, *y = b;
	int r = netns_compare(x->netns, y->netns);

	return r ? r : strcmp(x->name, y->name);
}

static void index_interfaces(struct planner *p)
{
	const struct observed *o = p->observed;
	size_t n = o->interface_count;

	for (size_t i = 0; i < o->interface_count; i++)
		n += o->interfaces[i].altnames.n;
	p->interfaces_by_name = arena_calloc(p->a, n, sizeof(*p->interfaces_by_name));
	n = 0;
	for (size_t i = 0; i < o->interface_count; i++) {
		const struct observed_interface *at = &o->interfaces[i];

		p->interfaces_by_name[n++] = (struct interface_entry){ at->netns, at->name, i };
		for (size_t k = 0; k < at->altnames.n; k++)
			p->interfaces_by_name[n++] =
				(struct interface_entry){ at->netns, at->altnames.v[k], i };
	}
	if (n)
		qsort(p->interfaces_by_name, n, sizeof(*p->interfaces_by_name), by_interface_name);
	p->interface_name_count = n;
}

void lookup_build(struct planner *p)
{
	index_interfaces(p);
	index_programs(p);
	index_maps(p);
	index_failures(p);
}

void lookup_build_instances(struct planner *p)
{
	size_t n = p->instances.n;

	p->instance_name_count = n;
	if (!n)
		return;
	p->instances_by_name = arena_dup(p->a, p->instances.v, n * sizeof(struct instance *));
	qsort(p->instances_by_name, n, sizeof(struct instance *), by_instance_name);
}

const struct program_entry *lookup_program(const struct planner *p, uint32_t id)
{
	struct program_entry key = { .id = id };

	if (!id || !p->program_count)
		return NULL;
	return bsearch(&key, p->programs_by_id, p->program_count, sizeof(key), by_id);
}

size_t lookup_maps(const struct planner *p, uint32_t id, const struct map_entry **ret)
{
	size_t low = 0, high = p->map_count, n = 0;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (p->maps_by_id[middle].id < id)
			low = middle + 1;
		else
			high = middle;
	}
	while (id && low + n < p->map_count && p->maps_by_id[low + n].id == id)
		n++;
	*ret = n ? &p->maps_by_id[low] : NULL;
	return n;
}

struct instance *lookup_instance(const struct planner *p, const char *name)
{
	struct instance key = { .name = name }, *at = &key, **found;

	if (!p->instance_name_count)
		return NULL;
	found = bsearch(&at, p->instances_by_name, p->instance_name_count, sizeof(at),
			by_instance_name);
	return found ? *found : NULL;
}

size_t lookup_versions(const struct planner *p, const char *instance,
		       const struct observed_object **ret)
{
	const struct observed *o = p->observed;
	size_t low = 0, high = o->object_count, n = 0;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(o->objects[middle].instance, instance) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	while (low + n < o->object_count && str_eq(o->objects[low + n].instance, instance))
		n++;
	*ret = n ? &o->objects[low] : NULL;
	return n;
}

size_t lookup_interface(const struct planner *p, const char *netns, const char *name)
{
	struct interface_entry key = { .netns = netns, .name = name }, *found;

	if (!p->interface_name_count)
		return NO_INTERFACE;
	found = bsearch(&key, p->interfaces_by_name, p->interface_name_count, sizeof(key),
			by_interface_name);
	return found ? found->index : NO_INTERFACE;
}

/* The first interface that is in netns or behind it; with after the first that is behind it. */
static size_t find_border(const struct observed *o, const char *netns, bool after)
{
	size_t low = 0, high = o->interface_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int r = netns_compare(o->interfaces[middle].netns, netns);

		if (r < 0 || (after && r == 0))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const char *lookup_netns(const struct planner *p, const char *netns, struct interface_range *ret)
{
	const struct observed_netns *n = netns ? observed_find_netns(p->observed, netns) : NULL;

	*ret = (struct interface_range){ 0 };
	if (netns && (!n || !n->found))
		return arena_printf(p->a, "there is no network namespace %s yet%s%s", netns,
				    n && n->fault ? ": " : "", n && n->fault ? n->fault : "");
	if (n && n->same_as)
		netns = *n->same_as ? n->same_as : NULL;
	ret->netns = netns;
	ret->first = find_border(p->observed, netns, false);
	ret->end = find_border(p->observed, netns, true);
	return NULL;
}

const char *interface_label(const struct planner *p, const struct observed_interface *i)
{
	return i->netns ? arena_printf(p->a, "%s:%s", i->netns, i->name) : i->name;
}

static int compare_ids(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

bool program_is_live(const struct planner *p, uint32_t id)
{
	return id && p->live_id_count &&
	       bsearch(&id, p->live_ids, p->live_id_count, sizeof(id), compare_ids);
}

const struct failure *lookup_past_failure(const struct planner *p, const char *subject,
					  const char *version)
{
	struct failure key = { .subject = subject, .version = version };
	const struct failure *at = &key, **found;

	if (!p->in->failure_count)
		return NULL;
	found = bsearch(&at, p->failures, p->in->failure_count, sizeof(at), by_subject);
	return found ? *found : NULL;
}

const struct failure *lookup_failure(const struct planner *p, const char *subject,
				     const char *version)
{
	const struct failure *f = lookup_past_failure(p, subject, version);

	if (!f || f->due)
		f = lookup_past_failure(p, subject, FAILURE_ANY_VERSION);
	return f && !f->due ? f : NULL;
}

void undone_add(struct planner *p, const struct failure *f)
{
	for (size_t i = 0; i < p->undone.n; i++)
		if (p->undone.v[i] == f)
			return;
	*LIST_ADD(p->a, &p->undone) = f;
}

const struct failure *lookup_undone(struct planner *p, const char *subject, const char *version)
{
	const struct failure *f = lookup_failure(p, subject, version);

	if (f)
		undone_add(p, f);
	return f;
}

void condition_set(struct condition_status *c, enum state state, const char *reason,
		   const char *message)
{
	*c = (struct condition_status){ .state = state, .reason = reason, .message = message };
}

void condition_from_failure(struct condition_status *c, const struct failure *f)
{
	static const enum state states[FAILURE_CLASS_COUNT] = {
		[FAILURE_TRANSIENT] = STATE_PENDING,
		[FAILURE_KERNEL] = STATE_FAILED,
		[FAILURE_FOREIGN] = STATE_BLOCKED,
	};

	condition_set(c, states[f->class], f->reason, f->message);
}

void condition_worsen(struct condition_status *c, const struct condition_status *other)
{
	if (other->state > c->state)
		*c = *other;
}

struct origin origin_parse(struct arena *a, const char *s)
{
	struct origin at = { 0 };
	const char *colon = s ? strrchr(s, ':') : NULL;
	uint32_t line;

	if (!s || !*s)
		return at;
	at.file = s;
	if (colon && num_parse_u32(colon + 1, UINT32_MAX, &line) == 0) {
		at.file = arena_strndup(a, s, (size_t)(colon - s));
		at.line = line;
	}
	return at;
}
