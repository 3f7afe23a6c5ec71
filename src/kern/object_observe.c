/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Metadata says which pins a loaded object must have, so the directories of pins are not
 * listed. What did not change since it was read comes from kern/object_cache.h.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "base/str.h"
#include "kern/context.h"
#include "kern/object_cache.h"
#include "kern/pin.h"
#include "model/layout.h"

/* 1: a program of this function is pinned, 0: none is. */
static int observe_program(const struct kern_context *c, struct arena *a,
			   const struct observed_object *o, const char *function,
			   struct observed_program *ret, struct error *e)
{
	const char *relative = layout_program_pin(a, o->instance, o->version, function);
	cleanup(closep) int fd = -1;
	int r;

	r = pin_open_if(pin_path(c, a, relative), &fd, e);
	if (r <= 0)
		return r;
	r = pin_program_info(a, fd, ret, e);
	if (r < 0)
		return r;
	ret->name = function;
	return 1;
}

static int observe_map(const struct kern_context *c, struct arena *a,
		       const struct observed_object *o, const char *name, struct observed_map *ret,
		       struct error *e)
{
	const char *relative = layout_map_pin(a, o->instance, o->version, name);
	cleanup(closep) int fd = -1;
	int r;

	r = pin_open_if(pin_path(c, a, relative), &fd, e);
	if (r <= 0)
		return r;
	r = pin_map_info(a, fd, ret, e);
	if (r < 0)
		return r;
	ret->name = name;
	return 1;
}

/* Those that were loaded as well: no chain needs them all, and tail calls none. */
static int observe_extension(const struct kern_context *c, struct arena *a,
			     struct observed_object *o, const char *function, struct error *e)
{
	const char *relative = layout_extension_pin(a, o->instance, o->version, function);
	cleanup(closep) int fd = -1;
	int r;

	r = pin_open_if(pin_path(c, a, relative), &fd, e);
	if (r > 0)
		r = pin_program_info(a, fd, &o->extensions[o->extension_count], e);
	if (r < 0 || fd < 0)
		return r;
	o->extensions[o->extension_count++].name = function;
	return 0;
}

static int observe_pins(const struct kern_context *c, struct arena *a, struct observed_object *o,
			struct error *e)
{
	const struct meta_object *m = &o->meta;

	o->programs = arena_calloc(a, m->program_count, sizeof(*o->programs));
	o->maps = arena_calloc(a, m->map_count, sizeof(*o->maps));
	for (size_t i = 0; i < m->program_count; i++) {
		int r = observe_program(c, a, o, m->programs[i], &o->programs[o->program_count], e);

		if (r < 0)
			return r;
		o->program_count += (size_t)r;
	}
	for (size_t i = 0; i < m->map_count; i++) {
		int r = observe_map(c, a, o, m->maps[i].name, &o->maps[o->map_count], e);

		if (r < 0)
			return r;
		o->map_count += (size_t)r;
	}
	o->extensions = arena_calloc(a, m->program_count, sizeof(*o->extensions));
	for (size_t i = 0; i < m->program_count; i++) {
		int r = observe_extension(c, a, o, m->programs[i], e);

		if (r < 0)
			return r;
	}
	o->complete = o->program_count == m->program_count && o->map_count == m->map_count;
	return 0;
}

static int observe_version(const struct kern_context *c, struct arena *a,
			   struct object_record *record, struct observed_object *o, struct error *e)
{
	const char *directory = pin_path(c, a, layout_object_dir(a, o->instance, o->version));
	struct error why = { 0 };
	const void *data;
	size_t size;
	int r;

	r = pin_meta_read(a, directory, &data, &size, &why);
	if (r == 0)
		object_record_meta(record, data, size);
	if (r == 0)
		r = meta_object_decode(a, data, size, &o->meta, &why);
	o->newer = r == -EOPNOTSUPP;
	if (r == -ENOENT || r == -EBADMSG || o->newer)
		return 0;
	if (r < 0)
		return error_set(e, r, "%s", why.text);
	/* Metadata of another directory describes other pins. */
	if (!str_eq(o->meta.instance, o->instance) || !str_eq(o->meta.version, o->version)) {
		o->meta = (struct meta_object){ 0 };
		return 0;
	}
	return observe_pins(c, a, o, e);
}

/* One look at all instances. */
struct reader {
	const struct kern_context *c;
	struct arena *a;
	const char *root; /* objects/ */
	struct object_scan *scan;
	LIST(struct observed_object) list;
};

static int read_instance(struct reader *r, const char *name, const char *instance, struct error *e)
{
	struct object_record *record = object_record_new(r->scan, name);
	size_t first = r->list.n;
	struct string_list versions;
	int code;

	code = pin_directory_list(r->a, arena_printf(r->a, "%s/%s", r->root, name), &versions, e);
	object_record_reserve(record, versions.n);
	for (size_t i = 0; code == 0 && i < versions.n; i++) {
		const char *version = layout_unescape(r->a, versions.v[i]);
		struct observed_object *o;

		if (!version)
			continue;
		object_record_add(record, versions.v[i]);
		o = LIST_ADD(r->a, &r->list);
		o->instance = instance;
		o->version = version;
		code = observe_version(r->c, r->a, record, o, e);
	}
	if (code == 0)
		object_record_keep(record, r->list.v + first, r->list.n - first);
	return code;
}

static int observe_instance(struct reader *r, const char *name, struct error *e)
{
	const char *instance = layout_unescape(r->a, name);
	struct object_versions known;

	if (!instance)
		return 0;
	if (!object_scan_find(r->scan, r->a, name, &known))
		return read_instance(r, name, instance, e);
	for (size_t i = 0; i < known.n; i++)
		*LIST_ADD(r->a, &r->list) = known.v[i];
	return 0;
}

static int by_instance_and_version(const void *a, const void *b)
{
	const struct observed_object *x = a, *y = b;
	int r = strcmp(x->instance, y->instance);

	return r ? r : strcmp(x->version, y->version);
}

int object_observe(const struct kern_context *c, struct arena *a, struct observed *ret,
		   struct error *e)
{
	struct reader reader = { .c = c, .a = a, .root = pin_path(c, a, LAYOUT_OBJECTS) };
	struct string_list instances;
	int r;

	r = pin_part_list(c, a, LAYOUT_OBJECTS, &instances, e);
	if (r == 0) {
		reader.scan = object_scan_begin(c->objects, reader.root);
		for (size_t i = 0; r == 0 && i < instances.n; i++)
			r = observe_instance(&reader, instances.v[i], e);
		object_scan_end(reader.scan);
	}
	if (r < 0)
		return error_prefix(e, r, "loaded objects");
	if (reader.list.n > 0)
		qsort(reader.list.v, reader.list.n, sizeof(*reader.list.v),
		      by_instance_and_version);
	ret->objects = reader.list.v;
	ret->object_count = reader.list.n;
	return 0;
}
