/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * A version goes with all its pins. What others pinned in its directory is theirs: it stays, in a directory
 * whose name has a tilde behind it and so is no version any more.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/macros.h"
#include "base/str.h"
#include "kern/object.h"
#include "kern/pin.h"
#include "model/layout.h"

/* 1: what its metadata lists is in *ret, 0: there is none that is understood. */
static int read_meta(struct arena *a, const char *directory, struct meta_object *ret,
		     struct error *e)
{
	cleanup(closep) int fd = -1;
	struct pin_meta meta;
	int r = pin_open_if(arena_printf(a, "%s/" LAYOUT_META, directory), &fd, e);

	if (r <= 0)
		return r;
	return pin_meta_read_fd(a, fd, directory, &meta, NULL) == 0 &&
	       meta_object_decode(a, meta.data, meta.size, ret, NULL) == 0;
}

static int remove_named(struct arena *a, const char *directory, const char *part, const char *name,
			struct error *e)
{
	return pin_remove(arena_printf(a, "%s/%s/%s", directory, part, layout_escape(a, name)), e);
}

/* A directory in which somebody else has something stays. */
static int remove_directory(const char *directory, struct error *e)
{
	if (rmdir(directory) == 0 || errno == ENOENT || errno == ENOTEMPTY)
		return 0;
	return error_set(e, -errno, "cannot remove directory %s: %s", directory,
			 error_string(errno));
}

/* All but the metadata, without which nobody would know whose the rest is. */
static int remove_ours(struct arena *a, const char *directory, const struct meta_object *m,
		       struct error *e)
{
	static const char *const parts[] = { LAYOUT_PROGRAMS, LAYOUT_MAPS, LAYOUT_EXTENSIONS };
	int r = 0;

	for (size_t i = 0; r == 0 && i < m->program_count; i++) {
		r = remove_named(a, directory, LAYOUT_PROGRAMS, m->programs[i], e);
		if (r == 0)
			r = remove_named(a, directory, LAYOUT_EXTENSIONS, m->programs[i], e);
	}
	for (size_t i = 0; r == 0 && i < m->map_count; i++)
		r = remove_named(a, directory, LAYOUT_MAPS, m->maps[i].name, e);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(parts); i++)
		r = remove_directory(arena_printf(a, "%s/%s", directory, parts[i]), e);
	return r;
}

static int leave_foreign(struct arena *a, const char *directory, struct error *e)
{
	const char *to = arena_printf(a, "%s~", directory);

	while (access(to, F_OK) == 0)
		to = arena_printf(a, "%s~", to);
	if (rename(directory, to) == 0)
		return pin_remove(arena_printf(a, "%s/" LAYOUT_META, to), e);
	return error_set(e, -errno, "cannot rename %s, in which others have pins, to %s: %s",
			 directory, to, error_string(errno));
}

/* Metadata and directory, or what others have there besides: an interruption must not make that ours. */
static int remove_rest(struct arena *a, const char *directory, struct error *e)
{
	struct string_list left;
	int r = pin_directory_list(a, directory, &left, e);

	if (r == 0 && left.n > 1)
		return leave_foreign(a, directory, e);
	if (r == 0)
		r = pin_remove(arena_printf(a, "%s/" LAYOUT_META, directory), e);
	return r < 0 ? r : remove_directory(directory, e);
}

static const char *parent_of(struct arena *a, const char *directory)
{
	return arena_strndup(a, directory, (size_t)(strrchr(directory, '/') - directory));
}

/* The instance's directory goes with its last version. */
static int remove_instance(struct arena *a, const char *directory, struct error *e)
{
	return remove_directory(parent_of(a, directory), e);
}

int object_remove_version(struct arena *a, const char *directory, struct error *e)
{
	int r = str_ends(directory, "/") ? 0 : pin_directory_remove(a, directory, e);
	int last = remove_instance(a, directory, r < 0 ? NULL : e);

	return r < 0 ? r : last;
}

void object_remove(const struct kern_context *c, struct arena *a, const struct op *op,
		   struct op_result *ret)
{
	const struct op_object *o = &op->object;
	const char *directory = pin_path(c, a, layout_object_dir(a, o->instance, o->version));
	struct meta_object meta;
	int r = read_meta(a, directory, &meta, &ret->error);

	if (r > 0) {
		r = remove_ours(a, directory, &meta, &ret->error);
		if (r == 0)
			r = remove_rest(a, directory, &ret->error);
		if (r == 0)
			r = remove_instance(a, directory, &ret->error);
	} else if (r == 0) {
		r = object_remove_version(a, directory, &ret->error);
	}
	if (r < 0)
		result_fail_as(ret, r, "RemoveFailed");
}
