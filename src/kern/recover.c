/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
#include "kern/recover.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/macros.h"
#include "base/str.h"
#include "kern/keep.h"
#include "kern/pin.h"
#include "model/layout.h"

/* --- observe ------------------------------------------------------------------------ */

static const char *relative_path(const struct recover *r, const char *name)
{
	return *name ? arena_printf(r->a, "%s/%s", r->directory, name) : r->directory;
}

void recover_add(struct recover *r, const char *name, enum pin_type type, uint32_t id,
		 bool replaced)
{
	*LIST_ADD(r->a, &r->lost) = (struct observed_lost){
		.type = type,
		.path = relative_path(r, name),
		.id = id,
		.replaced = replaced,
	};
}

static bool is_of_type(int fd, enum pin_type type)
{
	static const enum pin_kind kinds[] = {
		[PIN_TYPE_PROGRAM] = PIN_PROGRAM,
		[PIN_TYPE_MAP] = PIN_MAP,
		[PIN_TYPE_LINK] = PIN_LINK,
	};

	return pin_kind(fd) == kinds[type];
}

void recover_add_unless_pinned(struct recover *r, const char *name, enum pin_type type, uint32_t id)
{
	cleanup(closep) int fd = -1;
	int there = pin_open_if(pin_path(r->c, r->a, relative_path(r, name)), &fd, NULL);

	if (there <= 0 || !is_of_type(fd, type) || pin_id(fd) != id)
		recover_add(r, name, type, id, there > 0);
}

int recover_open(struct recover *r, const char *name, enum pin_type type, int *ret_fd,
		 struct error *e)
{
	cleanup(closep) int fd = -1;
	uint32_t id;
	int kept = keep_find(r->c->keep, r->directory, name, &id);
	int pinned = pin_open_if(pin_path(r->c, r->a, relative_path(r, name)), &fd, e);

	if (pinned < 0)
		return pinned;
	/* Programs, maps and links count their ids apart: one of another type may have the same number. */
	if (pinned > 0 && (kept < 0 || pin_id(fd) == id) && (kept >= 0 || is_of_type(fd, type))) {
		*ret_fd = take_fd(fd);
		return 1;
	}
	if (kept < 0)
		return 0;
	*ret_fd = fcntl(kept, F_DUPFD_CLOEXEC, 3);
	if (*ret_fd < 0)
		return error_set(e, -errno, "cannot duplicate a descriptor: %s",
				 error_string(errno));
	recover_add(r, name, type, id, pinned > 0);
	return 1;
}

/* --- restore ------------------------------------------------------------------------ */

static int open_by_id(const struct observed_lost *lost, int *ret_fd, struct error *e)
{
	static const char *const names[] = {
		[PIN_TYPE_PROGRAM] = "program",
		[PIN_TYPE_MAP] = "map",
		[PIN_TYPE_LINK] = "link",
	};

	*ret_fd = lost->type == PIN_TYPE_PROGRAM ? bpf_prog_get_fd_by_id(lost->id) :
		  lost->type == PIN_TYPE_MAP     ? bpf_map_get_fd_by_id(lost->id) :
						   bpf_link_get_fd_by_id(lost->id);
	return *ret_fd >= 0 ? 0 :
			      error_set(e, -errno, "cannot open %s id %u: %s", names[lost->type],
					lost->id, error_string(errno));
}

/* All directories of the path but ours, which is there. */
static int make_parents(const struct kern_context *c, struct arena *a, const char *path,
			struct error *e)
{
	int r = 0;

	for (const char *slash = strchr(path, '/'); r == 0 && slash; slash = strchr(slash + 1, '/'))
		r = pin_directory_create(
			pin_path(c, a, arena_strndup(a, path, (size_t)(slash - path))), e);
	return r;
}

static bool is_pinned_at(int fd, const char *path)
{
	cleanup(closep) int there = -1;

	return pin_open_if(path, &there, NULL) > 0 && pin_kind(there) == pin_kind(fd) &&
	       pin_id(there) == pin_id(fd);
}

/*
 * Over what somebody else pinned there: so the path is never without. No name of ours has a tilde, so whatever has one
 * is another's, unless it is what an interruption left of this.
 */
static int pin_over(struct arena *a, int fd, const char *path, struct error *e)
{
	const char *new = arena_printf(a, "%s~", path);
	int r = 0;

	while (access(new, F_OK) == 0 && !is_pinned_at(fd, new))
		new = arena_printf(a, "%s~", new);
	if (access(new, F_OK) < 0)
		r = pin_put(fd, new, e);
	if (r < 0 || rename(new, path) == 0)
		return r;
	r = error_set(e, -errno, "cannot put a pin in the place of %s: %s", path,
		      error_string(errno));
	(void)unlink(new);
	return r;
}

/* True: a load was interrupted right before its end, and that has been made up for. */
static bool finish(struct arena *a, int fd, const char *path)
{
	const char *slash = strrchr(path, '/'), *unfinished;

	if (!str_eq(slash, "/" LAYOUT_META))
		return false;
	unfinished = arena_printf(a, "%.*s/" LAYOUT_UNFINISHED, (int)(slash - path), path);
	return is_pinned_at(fd, unfinished) && rename(unfinished, path) == 0;
}

static int restore(const struct kern_context *c, struct arena *a, const struct observed_lost *lost,
		   struct error *e)
{
	const char *path = pin_path(c, a, lost->path);
	cleanup(closep) int fd = -1;
	int r = open_by_id(lost, &fd, e);

	if (r == 0)
		r = make_parents(c, a, lost->path, e);
	if (r < 0)
		return r;
	if (finish(a, fd, path))
		return 0;
	return lost->replaced ? pin_over(a, fd, path, e) : pin_put(fd, path, e);
}

void recover_apply(const struct kern_context *c, struct arena *a, const struct op *op,
		   struct op_result *ret)
{
	for (size_t i = 0; i < op->pins.n; i++) {
		int r = restore(c, a, &op->pins.v[i], &ret->error);

		if (r < 0) {
			result_fail_as(ret, r, "PinFailed");
			return;
		}
	}
}
