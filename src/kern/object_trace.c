/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
#include "kern/object_trace.h"

#include <bpf/bpf.h>

#include "base/macros.h"
#include "base/str.h"
#include "kern/pin.h"
#include "model/layout.h"

static const char *const parts[] = { LAYOUT_PROGRAMS, LAYOUT_MAPS, LAYOUT_EXTENSIONS };

void object_trace_done(struct object_trace *t)
{
	closep(&t->fd);
}

/* One directory of a version. */
struct look {
	const struct kern_context *c;
	struct arena *a;
	const char *instance, *version;
	const char *directory; /* absolute */
};

/* --- metadata --------------------------------------------------------------------- */

/* Takes fd if it is metadata of an object. */
static bool take(struct arena *a, int *fd, struct object_trace *t)
{
	struct pin_meta meta;

	if (pin_meta_read_fd(a, *fd, LAYOUT_META, &meta, NULL) < 0 ||
	    meta_object_decode(a, meta.data, meta.size, &t->meta, NULL) < 0)
		return false;
	t->fd = take_fd(*fd);
	return true;
}

static int find_pinned(const struct look *l, struct object_trace *t, struct error *e)
{
	static const char *const names[] = { LAYOUT_META, LAYOUT_UNFINISHED };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const char *path = arena_printf(l->a, "%s/%s", l->directory, names[i]);
		cleanup(closep) int fd = -1;
		int r = pin_open_if(path, &fd, e);

		if (r < 0)
			return r;
		if (r > 0 && pin_kind(fd) == PIN_MAP && take(l->a, &fd, t)) {
			t->name = names[i];
			return 1;
		}
	}
	return 0;
}

/* It is bound after the load, so it is the last; other maps are not to be opened by id (object_recover.c). */
static bool take_of_program(const struct look *l, int program, struct object_trace *t)
{
	struct observed_program p;
	cleanup(closep) int fd = -1;
	struct observed_map map;

	if (pin_kind(program) != PIN_PROGRAM || pin_program_info(l->a, program, &p, NULL) < 0 ||
	    !pin_is_by_us(&p) || p.map_count == 0)
		return false;
	fd = bpf_map_get_fd_by_id(p.maps[p.map_count - 1]);
	return fd >= 0 && pin_map_info(l->a, fd, &map, NULL) == 0 &&
	       pin_is_meta(fd, &map, pin_meta_name(l->a, l->c->tag)) && take(l->a, &fd, t);
}

/*
 * What somebody pinned here of another version of ours says nothing of the rest; nor does a program of this one by a name
 * that is not in the list, which stays when the version goes, and would show for ever that there is one to be removed.
 */
static bool is_of(const struct look *l, const struct meta_object *m, const char *pin)
{
	const char *program = layout_unescape(l->a, pin);

	if (!str_eq(m->instance, l->instance) || !str_eq(m->version, l->version))
		return false;
	for (size_t i = 0; i < m->program_count; i++)
		if (str_eq(m->programs[i], program))
			return true;
	return false;
}

static int find_bound_to(const struct look *l, const char *part, struct object_trace *t,
			 struct error *e)
{
	struct string_list names;
	int r = pin_directory_list(l->a, part, &names, e);

	for (size_t i = 0; r == 0 && i < names.n; i++) {
		cleanup(closep) int fd = -1;

		if (pin_open_if(arena_printf(l->a, "%s/%s", part, names.v[i]), &fd, NULL) <= 0 ||
		    !take_of_program(l, fd, t))
			continue;
		if (is_of(l, &t->meta, names.v[i]))
			return 1;
		object_trace_done(t);
	}
	return r;
}

int object_trace_find(const struct kern_context *c, struct arena *a, const char *instance,
		      const char *version, struct object_trace *ret, struct error *e)
{
	const struct look l = { c, a, instance, version,
				pin_path(c, a, layout_object_dir(a, instance, version)) };
	int r = find_pinned(&l, ret, e);

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(parts); i++)
		if (!str_eq(parts[i], LAYOUT_MAPS))
			r = find_bound_to(&l, arena_printf(a, "%s/%s", l.directory, parts[i]), ret,
					  e);
	return r;
}

/* --- what is not ours ------------------------------------------------------------- */

static bool is_part(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		if (str_eq(name, parts[i]))
			return true;
	return false;
}

struct paths {
	LIST(const char *) list;
};

int object_trace_others(const struct kern_context *c, struct arena *a, const char *instance,
			const char *version, struct string_list *ret, struct error *e)
{
	const char *directory = layout_object_dir(a, instance, version);
	struct paths paths = { 0 };
	struct pin_names names;
	int r = pin_names_list(a, pin_path(c, a, directory), &names, e);

	for (size_t i = 0; r == 0 && i < names.others.n; i++)
		*LIST_ADD(a, &paths.list) = arena_printf(a, "%s/%s", directory, names.others.v[i]);
	for (size_t i = 0; r == 0 && i < names.directories.n; i++) {
		const char *part = arena_printf(a, "%s/%s", directory, names.directories.v[i]);
		struct string_list pins = { 0 };

		if (!is_part(names.directories.v[i])) {
			*LIST_ADD(a, &paths.list) = part;
			continue;
		}
		r = pin_directory_list(a, pin_path(c, a, part), &pins, e);
		for (size_t k = 0; r == 0 && k < pins.n; k++)
			*LIST_ADD(a, &paths.list) = arena_printf(a, "%s/%s", part, pins.v[k]);
	}
	*ret = (struct string_list){ paths.list.v, paths.list.n };
	return r;
}
