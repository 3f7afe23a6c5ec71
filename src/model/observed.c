/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Finders. They rely on the order that the lists have by contract: interfaces, chains and
 * programs by number, objects by instance and version, mounts by path, names by name and
 * users before groups; strings as strcmp() orders them. What belongs to one object is few, so it is
 * walked.
 */
#include "model/observed.h"

#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "base/str.h"

static int compare_numbers(uint32_t a, uint32_t b)
{
	return (a > b) - (a < b);
}

int observed_compare_objects(const void *x, const void *y)
{
	const struct observed_object *a = x, *b = y;
	int r = strcmp(a->instance, b->instance);

	return r ? r : strcmp(a->version, b->version);
}

static int compare_chain(const void *key, const void *element)
{
	return compare_numbers(*(const uint32_t *)key,
			       ((const struct observed_chain *)element)->id);
}

/* Where something is on the network; the direction is 0 where there is none. */
struct place {
	const char *netns;
	uint32_t ifindex;
	enum tc_direction direction;
};

int netns_compare(const char *x, const char *y)
{
	if (!x || !y)
		return (x != NULL) - (y != NULL);
	return strcmp(x, y);
}

static int compare_places(const struct place *x, const struct place *y)
{
	int r = netns_compare(x->netns, y->netns);

	if (!r)
		r = compare_numbers(x->ifindex, y->ifindex);
	return r ? r : (int)x->direction - (int)y->direction;
}

static int compare_interface(const void *key, const void *element)
{
	const struct observed_interface *i = element;
	const struct place at = { i->netns, i->ifindex, 0 };

	return compare_places(key, &at);
}

static int compare_dispatch(const void *key, const void *element)
{
	const struct observed_dispatch *d = element;
	const struct place at = { d->netns, d->ifindex, 0 };

	return compare_places(key, &at);
}

static int compare_tc(const void *key, const void *element)
{
	const struct observed_tc *t = element;
	const struct place at = { t->netns, t->ifindex, t->direction };

	return compare_places(key, &at);
}

static int compare_netns(const void *key, const void *element)
{
	return strcmp(key, ((const struct observed_netns *)element)->name);
}

static int compare_program(const void *key, const void *element)
{
	const struct observed_program *p = element;

	return compare_numbers(*(const uint32_t *)key, p->id);
}

static int compare_mount(const void *key, const void *element)
{
	return strcmp(key, ((const struct observed_mount *)element)->path);
}

static int compare_name(const void *key, const void *element)
{
	const struct observed_name *k = key, *n = element;
	int r = strcmp(k->name, n->name);

	return r ? r : (int)k->is_group - (int)n->is_group;
}

/* bsearch() must not be given NULL, which is what an empty list is. */
static const void *find(const void *key, const void *v, size_t n, size_t size,
			int (*compare)(const void *, const void *))
{
	return n ? bsearch(key, v, n, size, compare) : NULL;
}

const struct observed_object *observed_find_object(const struct observed *o, const char *instance,
						   const char *version)
{
	struct observed_object key = { .instance = instance, .version = version };

	return find(&key, o->objects, o->object_count, sizeof(*o->objects),
		    observed_compare_objects);
}

const struct observed_chain *observed_find_chain(const struct observed *o, uint32_t id)
{
	return find(&id, o->chains, o->chain_count, sizeof(*o->chains), compare_chain);
}

const struct observed_interface *observed_find_interface(const struct observed *o,
							 const char *netns, uint32_t ifindex)
{
	const struct place key = { netns, ifindex, 0 };

	return find(&key, o->interfaces, o->interface_count, sizeof(*o->interfaces),
		    compare_interface);
}

const struct observed_dispatch *observed_find_dispatch(const struct observed *o, const char *netns,
						       uint32_t ifindex)
{
	const struct place key = { netns, ifindex, 0 };

	return find(&key, o->dispatches, o->dispatch_count, sizeof(*o->dispatches),
		    compare_dispatch);
}

const struct observed_tc *observed_find_tc(const struct observed *o, const char *netns,
					   uint32_t ifindex, enum tc_direction direction)
{
	const struct place key = { netns, ifindex, direction };

	return find(&key, o->tc, o->tc_count, sizeof(*o->tc), compare_tc);
}

const struct observed_netns *observed_find_netns(const struct observed *o, const char *name)
{
	return find(name, o->netns, o->netns_count, sizeof(*o->netns), compare_netns);
}

const struct observed_program *observed_find_program(const struct observed *o, uint32_t id)
{
	return find(&id, o->programs, o->program_count, sizeof(*o->programs), compare_program);
}

bool observed_program_uses(const struct observed_program *p, uint32_t map_id)
{
	for (size_t i = 0; i < p->map_count; i++)
		if (p->maps[i] == map_id)
			return true;
	return false;
}

const struct observed_program *observed_object_program(const struct observed_object *o,
						       const char *function)
{
	for (size_t i = 0; i < o->program_count; i++)
		if (str_eq(o->programs[i].name, function))
			return &o->programs[i];
	return NULL;
}

const struct observed_program *observed_object_extension(const struct observed_object *o,
							 const char *function)
{
	for (size_t i = 0; i < o->extension_count; i++)
		if (str_eq(o->extensions[i].name, function))
			return &o->extensions[i];
	return NULL;
}

const struct observed_map *observed_object_map(const struct observed_object *o, const char *map)
{
	for (size_t i = 0; i < o->map_count; i++)
		if (str_eq(o->maps[i].name, map))
			return &o->maps[i];
	return NULL;
}

const struct observed_mount *observed_find_mount(const struct observed *o, const char *path)
{
	return find(path, o->mounts, o->mount_count, sizeof(*o->mounts), compare_mount);
}

const struct observed_name *observed_find_name(const struct observed *o, const char *name,
					       bool is_group)
{
	struct observed_name key = { .name = name, .is_group = is_group };

	return find(&key, o->names, o->name_count, sizeof(*o->names), compare_name);
}

bool observed_has_feature(const struct observed *o, const char *name)
{
	for (size_t i = 0; i < o->feature_count; i++)
		if (str_eq(o->features[i].name, name))
			return o->features[i].available;
	return false;
}
