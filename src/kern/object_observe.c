/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Metadata says which pins a loaded object must have, so the directories of pins are not
 * listed. What did not change since it was read comes from kern/object_cache.h.
 */
#include <errno.h>
#include <linux/bpf.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "base/str.h"
#include "kern/context.h"
#include "kern/keep.h"
#include "kern/object_cache.h"
#include "kern/object_trace.h"
#include "kern/pin.h"
#include "kern/recover.h"
#include "model/layout.h"

#define KERNEL_NAME 15

/*
 * A pin may have been replaced while no daemon held what was there. But all programs of a version are bound to its
 * metadata, and only root can open that to bind another.
 */
static bool is_of_version(const struct observed_program *p, uint32_t meta_id, const char *part,
			  const char *function)
{
	bool extension = p->type == BPF_PROG_TYPE_EXT;

	return observed_program_uses(p, meta_id) && extension == str_eq(part, LAYOUT_EXTENSIONS) &&
	       (!*p->name || strncmp(p->name, function, KERNEL_NAME) == 0);
}

/* 1: the program of this function is or was pinned below part, 0: it is not. */
static int observe_program(struct recover *look, const char *part, const char *function,
			   struct observed_program *ret, uint32_t meta_id, struct error *e)
{
	const char *name = arena_printf(look->a, "%s/%s", part, layout_escape(look->a, function));
	cleanup(closep) int fd = -1;
	int r = recover_open(look, name, PIN_TYPE_PROGRAM, &fd, e);

	if (r <= 0)
		return r;
	r = pin_program_info(look->a, fd, ret, e);
	if (r < 0 || !is_of_version(ret, meta_id, part, function))
		return MIN(r, 0);
	ret->name = function;
	return 1;
}

static int observe_map(struct recover *look, const char *map, struct observed_map *ret,
		       struct error *e)
{
	const char *name = arena_printf(look->a, LAYOUT_MAPS "/%s", layout_escape(look->a, map));
	cleanup(closep) int fd = -1;
	int r = recover_open(look, name, PIN_TYPE_MAP, &fd, e);

	if (r <= 0)
		return r;
	r = pin_map_info(look->a, fd, ret, e);
	if (r < 0)
		return r;
	ret->name = map;
	return 1;
}

static bool is_pinned_map(const struct observed_object *o, uint32_t id)
{
	for (size_t i = 0; i < o->map_count; i++)
		if (o->maps[i].id == id)
			return true;
	return false;
}

/*
 * All maps that a version's programs use are pinned with it. If one is not, though nothing is missing, it was replaced:
 * object_recover.c finds out in whose place it belongs.
 */
static bool has_all_maps(const struct observed_object *o)
{
	for (size_t i = 0; i < o->program_count; i++)
		for (size_t k = 0; k < o->programs[i].map_count; k++)
			if (o->programs[i].maps[k] != o->meta_id &&
			    !is_pinned_map(o, o->programs[i].maps[k]))
				return false;
	return true;
}

/* Of the freplace forms those that were loaded: no chain needs them all, and tail calls none. */
static int observe_pins(struct recover *look, struct observed_object *o, struct error *e)
{
	const struct meta_object *m = &o->meta;
	int r = 0;

	o->programs = arena_calloc(look->a, m->program_count, sizeof(*o->programs));
	o->maps = arena_calloc(look->a, m->map_count, sizeof(*o->maps));
	o->extensions = arena_calloc(look->a, m->program_count, sizeof(*o->extensions));
	for (size_t i = 0; r >= 0 && i < m->program_count; i++) {
		r = observe_program(look, LAYOUT_PROGRAMS, m->programs[i],
				    &o->programs[o->program_count], o->meta_id, e);
		o->program_count += r > 0;
	}
	for (size_t i = 0; r >= 0 && i < m->map_count; i++) {
		r = observe_map(look, m->maps[i].name, &o->maps[o->map_count], e);
		o->map_count += r > 0;
	}
	for (size_t i = 0; r >= 0 && i < m->program_count; i++) {
		r = observe_program(look, LAYOUT_EXTENSIONS, m->programs[i],
				    &o->extensions[o->extension_count], o->meta_id, e);
		o->extension_count += r > 0;
	}
	o->complete = o->program_count == m->program_count && o->map_count == m->map_count &&
		      has_all_maps(o);
	return MIN(r, 0);
}

/* 1: there is metadata of this version, 0: there is none that is understood. */
static int observe_meta(struct recover *look, struct object_record *record,
			struct observed_object *o, struct error *e)
{
	const char *what = pin_path(look->c, look->a, look->directory);
	struct error why = { 0 };
	cleanup(closep) int fd = -1;
	struct pin_meta meta;
	int r = recover_open(look, LAYOUT_META, PIN_TYPE_MAP, &fd, e);

	if (r <= 0)
		return r;
	r = pin_meta_read_fd(look->a, fd, what, &meta, &why);
	if (r == 0 && record)
		object_record_meta(record, meta.data, meta.size);
	if (r == 0)
		r = meta_object_decode(look->a, meta.data, meta.size, &o->meta, &why);
	o->newer = r == -EOPNOTSUPP ? meta_layout(meta.data, meta.size) : 0;
	if (r == -EBADMSG || o->newer)
		return 0;
	if (r < 0)
		return error_set(e, r, "%s", why.text);
	o->meta_id = meta.id;
	/* Metadata of another directory describes other pins. */
	if (str_eq(o->meta.instance, o->instance) && str_eq(o->meta.version, o->version))
		return 1;
	o->meta = (struct meta_object){ 0 };
	return 0;
}

static bool is_program(const struct meta_object *m, const char *name)
{
	for (size_t i = 0; name && i < m->program_count; i++)
		if (str_eq(m->programs[i], name))
			return true;
	return false;
}

static bool is_map(const struct meta_object *m, const char *name)
{
	for (size_t i = 0; name && i < m->map_count; i++)
		if (str_eq(m->maps[i].name, name))
			return true;
	return false;
}

static bool is_known(const struct meta_object *m, const char *part, const char *name)
{
	static const char *const own[] = { LAYOUT_PROGRAMS, LAYOUT_MAPS, LAYOUT_EXTENSIONS,
					   LAYOUT_META, LAYOUT_UNFINISHED };

	if (*part)
		return str_eq(part, LAYOUT_MAPS) ? is_map(m, name) : is_program(m, name);
	for (size_t i = 0; name && i < ARRAY_SIZE(own); i++)
		if (str_eq(own[i], name))
			return true;
	return false;
}

/* What lies in the directory without being of it. It is read only when the directory changed. */
static int observe_foreign(struct recover *look, struct observed_object *o, struct error *e)
{
	static const char *const parts[] = { "", LAYOUT_PROGRAMS, LAYOUT_MAPS, LAYOUT_EXTENSIONS };
	struct observed found = { 0 };
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(parts); i++) {
		const char *directory = arena_printf(look->a, "%s%s%s", look->directory,
						     *parts[i] ? "/" : "", parts[i]);
		struct string_list names;

		r = pin_directory_list(look->a, pin_path(look->c, look->a, directory), &names, e);
		for (size_t k = 0; r == 0 && k < names.n; k++)
			if (!is_known(&o->meta, parts[i], layout_unescape(look->a, names.v[k])))
				pin_foreign(look->a, &found,
					    arena_printf(look->a, "%s/%s", directory, names.v[k]));
	}
	o->foreign = found.foreign;
	return r;
}

/*
 * Of a version whose metadata is not there, or not understood, or another one's. What is not ours for sure is somebody's,
 * so that a load that was interrupted by an older version of bpfshare counts as such as well.
 */
static int observe_unknown(struct recover *look, struct observed_object *o, struct error *e)
{
	cleanup(object_trace_done) struct object_trace trace = OBJECT_TRACE_INIT;
	int r = object_trace_find(look->c, look->a, o->instance, o->version, &trace, e);

	if (r == 0)
		r = object_trace_others(look->c, look->a, o->instance, o->version, &o->foreign, e);
	o->unknown = o->foreign.n > 0;
	return MIN(r, 0);
}

/* record NULL: it is not to be remembered. */
static int observe_version(const struct kern_context *c, struct arena *a,
			   struct object_record *record, struct observed_object *o, struct error *e)
{
	struct recover look = { c, a, layout_object_dir(a, o->instance, o->version), { 0 } };
	struct observed_lost meta = { 0 };
	int r = observe_meta(&look, record, o, e);

	if (r == 0 && !o->newer)
		return observe_unknown(&look, o, e);
	if (r <= 0)
		return r;
	if (look.lost.n)
		meta = look.lost.v[--look.lost.n];
	r = observe_pins(&look, o, e);
	if (r == 0 && record)
		r = observe_foreign(&look, o, e);
	/* Whoever finds metadata finds all that it lists, so it is last. */
	if (meta.path)
		*LIST_ADD(a, &look.lost) = meta;
	o->lost = look.lost.v;
	o->lost_count = look.lost.n;
	return r;
}

int object_observe_foreign(const struct kern_context *c, struct arena *a, struct observed_object *o,
			   struct error *e)
{
	struct recover look = { c, a, layout_object_dir(a, o->instance, o->version), { 0 } };

	return observe_foreign(&look, o, e);
}

/* One look at all instances. */
struct reader {
	const struct kern_context *c;
	struct arena *a;
	const char *root; /* objects/ */
	struct object_scan *scan;
	LIST(struct observed_object) list;
	struct observed *observed;
};

/*
 * What is left when a removal, or a load, stopped between the directory of the instance and that of the version:
 * a version without a name, which the plan removes like any other that is unfinished.
 */
static void add_empty(struct reader *r, const char *instance)
{
	*LIST_ADD(r->a, &r->list) = (struct observed_object){ .instance = instance, .version = "" };
}

static void foreign_below(struct reader *r, const char *instance, const char *name)
{
	pin_foreign(r->a, r->observed, arena_printf(r->a, LAYOUT_OBJECTS "/%s/%s", instance, name));
}

static int read_instance(struct reader *r, const char *name, const char *instance, struct error *e)
{
	struct object_record *record = object_record_new(r->scan, name);
	size_t first = r->list.n;
	struct pin_names names;
	struct string_list versions;
	bool foreign;
	int code;

	code = pin_names_list(r->a, arena_printf(r->a, "%s/%s", r->root, name), &names, e);
	versions = names.directories;
	foreign = names.others.n > 0;
	object_record_reserve(record, versions.n);
	for (size_t i = 0; i < names.others.n; i++)
		foreign_below(r, name, names.others.v[i]);
	if (code == 0 && versions.n == 0 && !foreign)
		add_empty(r, instance);
	for (size_t i = 0; code == 0 && i < versions.n; i++) {
		const char *version = layout_unescape(r->a, versions.v[i]);
		struct observed_object *o;

		if (!version) {
			foreign_below(r, name, versions.v[i]);
			foreign = true;
			continue;
		}
		object_record_add(record, versions.v[i]);
		o = LIST_ADD(r->a, &r->list);
		o->instance = instance;
		o->version = version;
		code = observe_version(r->c, r->a, record, o, e);
	}
	/* What is not ours is of no version, and so in no record. */
	if (code == 0 && !foreign)
		object_record_keep(record, r->list.v + first, r->list.n - first);
	return code;
}

static int observe_instance(struct reader *r, const char *name, struct error *e)
{
	const char *instance = layout_unescape(r->a, name);
	struct object_versions known;

	if (!instance) {
		pin_foreign(r->a, r->observed, arena_printf(r->a, LAYOUT_OBJECTS "/%s", name));
		return 0;
	}
	if (!object_scan_find(r->scan, name, &known))
		return read_instance(r, name, instance, e);
	for (size_t i = 0; i < known.n; i++)
		*LIST_ADD(r->a, &r->list) = known.v[i];
	return 0;
}

static void sort(struct reader *r)
{
	if (r->list.n > 0)
		qsort(r->list.v, r->list.n, sizeof(*r->list.v), observed_compare_objects);
}

/* Versions whose directories are gone, while this daemon holds what was in them. */
static int observe_kept(struct reader *r, struct error *e)
{
	const size_t listed = r->list.n;
	struct string_list kept;
	int code = 0;

	keep_list(r->c->keep, r->a, LAYOUT_OBJECTS, LAYOUT_META, &kept);
	for (size_t i = 0; code == 0 && i < kept.n; i++) {
		const char *slash = strchr(kept.v[i], '/');
		struct observed_object key;

		key.instance = layout_unescape(r->a, arena_strndup(r->a, kept.v[i],
								   (size_t)(slash - kept.v[i])));
		key.version = layout_unescape(r->a, slash + 1);
		if (listed &&
		    bsearch(&key, r->list.v, listed, sizeof(key), observed_compare_objects))
			continue;
		*LIST_ADD(r->a, &r->list) = (struct observed_object){
			.instance = key.instance,
			.version = key.version,
		};
		code = observe_version(r->c, r->a, NULL, &r->list.v[r->list.n - 1], e);
	}
	return code;
}

int object_observe(const struct kern_context *c, struct arena *a, struct observed *ret,
		   struct error *e)
{
	struct reader reader = {
		.c = c, .a = a, .root = pin_path(c, a, LAYOUT_OBJECTS), .observed = ret
	};
	struct string_list instances = { 0 };
	int r = 0;

	if (ret->bpffs_mounted)
		r = pin_part_directories(c, a, LAYOUT_OBJECTS, &instances, ret, e);
	if (r == 0) {
		reader.scan = object_scan_begin(c->objects, a, reader.root);
		/* most have one version, and outgrown lists would stay in the arena */
		reader.list.v = arena_calloc(a, instances.n, sizeof(*reader.list.v));
		reader.list.cap = instances.n;
		for (size_t i = 0; r == 0 && i < instances.n; i++)
			r = observe_instance(&reader, instances.v[i], e);
		object_scan_end(reader.scan);
	}
	sort(&reader);
	if (r == 0)
		r = observe_kept(&reader, e);
	if (r < 0)
		return error_prefix(e, r, "loaded objects");
	sort(&reader);
	ret->objects = reader.list.v;
	ret->object_count = reader.list.n;
	return 0;
}
