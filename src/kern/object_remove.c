/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * A version goes with all that its metadata lists. What others pinned in its directory is theirs: it stays where it is,
 * in a directory that nothing shows to be ours any more, until a version of that name is loaded again.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/macros.h"
#include "base/str.h"
#include "kern/object.h"
#include "kern/object_trace.h"
#include "kern/pin.h"
#include "model/layout.h"

struct removal {
	struct arena *a;
	const char *directory; /* absolute */
};

/* What a pin stands for is what `to` does. */
static bool is_same(const char *path, int to)
{
	cleanup(closep) int fd = -1;

	return pin_open_if(path, &fd, NULL) > 0 && pin_kind(fd) == pin_kind(to) &&
	       pin_id(fd) == pin_id(to);
}

/* With a tilde behind it, if a restoration was interrupted (recover.c). */
static int remove_named(const struct removal *r, const char *part, const char *name,
			struct error *e)
{
	const char *path =
		arena_printf(r->a, "%s/%s/%s", r->directory, part, layout_escape(r->a, name));
	const char *second = arena_printf(r->a, "%s~", path);
	cleanup(closep) int fd = -1;
	int code = 0;

	if (access(second, F_OK) == 0 && pin_open_if(path, &fd, NULL) > 0 && is_same(second, fd))
		code = pin_remove(second, e);
	return code < 0 ? code : pin_remove(path, e);
}

/* A directory in which somebody else has something stays. */
static int remove_directory(const char *directory, struct error *e)
{
	if (rmdir(directory) == 0 || errno == ENOENT || errno == ENOTEMPTY)
		return 0;
	return error_set(e, -errno, "cannot remove directory %s: %s", directory,
			 error_string(errno));
}

static int remove_parts(const struct removal *r, struct error *e)
{
	static const char *const parts[] = { LAYOUT_PROGRAMS, LAYOUT_MAPS, LAYOUT_EXTENSIONS };
	int code = 0;

	for (size_t i = 0; code == 0 && i < ARRAY_SIZE(parts); i++)
		code = remove_directory(arena_printf(r->a, "%s/%s", r->directory, parts[i]), e);
	return code;
}

/* All but the metadata, without which nobody would know whose the rest is. */
static int remove_pins(const struct removal *r, const struct meta_object *m, struct error *e)
{
	int code = 0;

	for (size_t i = 0; code == 0 && i < m->program_count; i++) {
		code = remove_named(r, LAYOUT_PROGRAMS, m->programs[i], e);
		if (code == 0)
			code = remove_named(r, LAYOUT_EXTENSIONS, m->programs[i], e);
	}
	for (size_t i = 0; code == 0 && i < m->map_count; i++)
		code = remove_named(r, LAYOUT_MAPS, m->maps[i].name, e);
	return code;
}

static int remove_meta(const struct removal *r, const struct object_trace *t, struct error *e)
{
	static const char *const names[] = { LAYOUT_UNFINISHED, LAYOUT_META };
	int code = 0;

	for (size_t i = 0; code == 0 && i < ARRAY_SIZE(names); i++) {
		const char *path = arena_printf(r->a, "%s/%s", r->directory, names[i]);

		if (is_same(path, t->fd))
			code = pin_remove(path, e);
	}
	return code;
}

static int remove_ours(const struct removal *r, const struct object_trace *t, struct error *e)
{
	int code = 0;

	/* The programs are what leads to it, and go before the maps. */
	if (!t->name)
		code = pin_put(t->fd, arena_printf(r->a, "%s/" LAYOUT_UNFINISHED, r->directory), e);
	if (code == 0)
		code = remove_pins(r, &t->meta, e);
	if (code == 0)
		code = remove_parts(r, e);
	return code < 0 ? code : remove_meta(r, t, e);
}

static int clear(const struct kern_context *c, struct arena *a, const struct op_object *o,
		 struct error *e)
{
	const struct removal r = { a,
				   pin_path(c, a, layout_object_dir(a, o->instance, o->version)) };
	cleanup(object_trace_done) struct object_trace t = OBJECT_TRACE_INIT;
	int code = object_trace_find(c, a, o->instance, o->version, &t, e);

	if (code > 0)
		code = remove_ours(&r, &t, e);
	else if (code == 0)
		code = remove_parts(&r, e);
	return code < 0 ? code : remove_directory(r.directory, e);
}

/* The instance's directory goes with its last version. */
static int remove_instance(const struct kern_context *c, struct arena *a, const char *instance,
			   struct error *e)
{
	return remove_directory(pin_path(c, a, layout_instance_dir(a, instance)), e);
}

int object_make_room(const struct kern_context *c, struct arena *a, const struct op_object *o,
		     struct error *e)
{
	const char *directory = pin_path(c, a, layout_object_dir(a, o->instance, o->version));
	const char *to = arena_printf(a, "%s-foreign", directory);
	int r = clear(c, a, o, e);

	if (r < 0 || access(directory, F_OK) < 0)
		return r;
	while (access(to, F_OK) == 0)
		to = arena_printf(a, "%s-foreign", to);
	if (rename(directory, to) == 0)
		return 0;
	return error_set(e, -errno, "cannot rename %s, in which others have pins, to %s: %s",
			 directory, to, error_string(errno));
}

int object_remove_version(const struct kern_context *c, struct arena *a, const struct op_object *o,
			  struct error *e)
{
	int r = *o->version ? clear(c, a, o, e) : 0;
	int last = remove_instance(c, a, o->instance, r < 0 ? NULL : e);

	return r < 0 ? r : last;
}

void object_remove(const struct kern_context *c, struct arena *a, const struct op *op,
		   struct op_result *ret)
{
	int r = object_remove_version(c, a, &op->object, &ret->error);

	if (r < 0)
		result_fail_as(ret, r, "RemoveFailed");
}
