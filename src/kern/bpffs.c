/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/macros.h"
#include "base/str.h"
#include "kern/context.h"
#include "kern/keep.h"
#include "kern/path.h"
#include "kern/pin.h"
#include "kern/syscalls.h"
#include "model/layout.h"

/* The mark is made last: it says that the others are as it says. */
static const char *const parts[] = { LAYOUT_OBJECTS, LAYOUT_CHAINS, LAYOUT_LINKS, LAYOUT_MARK };

static char *parent_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return !slash || slash == path ? xstrdup("/") :
					 xasprintf("%.*s", (int)(slash - path), path);
}

/* 1: a bpffs, 0: another file system or nothing there. */
static int path_is_bpffs(const char *path, struct error *e)
{
	struct statfs st;

	if (statfs(path, &st) == 0)
		return st.f_type == BPF_FS_MAGIC;
	if (errno == ENOENT || errno == ENOTDIR)
		return 0;
	return error_set(e, -errno, "statfs %s: %s", path, error_string(errno));
}

/*
 * 1: root's and closed to others' writing; a bpffs mounted by others can be 1777, where anybody
 * makes directories.
 */
static int directory_is_ours(int dirfd, const char *name, struct error *e)
{
	struct stat st;

	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ?
			       0 :
			       error_set(e, -errno, "stat %s: %s", name, error_string(errno));
	return S_ISDIR(st.st_mode) && st.st_uid == 0 && !(st.st_mode & (S_IWGRP | S_IWOTH));
}

static int directory_is_ready(const char *path, int *ret_fd, struct error *e)
{
	int r = directory_is_ours(AT_FDCWD, path, e);

	if (r <= 0)
		return r;
	*ret_fd = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (*ret_fd < 0)
		return error_set(e, -errno, "open %s: %s", path, error_string(errno));
	for (size_t i = 0; r > 0 && i < ARRAY_SIZE(parts); i++)
		r = directory_is_ours(*ret_fd, parts[i], e);
	return r;
}

/* What others than root can have made says nothing. */
static int find_layout(const struct kern_context *c, struct arena *a, uint32_t *ret,
		       struct error *e)
{
	struct string_list names;
	int r = pin_part_list(c, a, ".", &names, e);

	*ret = 0;
	for (size_t i = 0; r == 0 && i < names.n; i++)
		*ret = MAX(*ret, layout_mark_parse(names.v[i]));
	return r;
}

static bool is_directory(int dirfd, const char *name)
{
	struct stat st;

	return fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

/* Not ready, and yet all of it is there; fd -1: the directory itself is not ours. */
static bool is_opened(const char *path, int fd)
{
	bool all = is_directory(AT_FDCWD, path);

	for (size_t i = 0; all && fd >= 0 && i < ARRAY_SIZE(parts); i++)
		all = is_directory(fd, parts[i]);
	return all;
}

int bpffs_observe(const struct kern_context *c, struct arena *a, struct observed *ret,
		  struct error *e)
{
	cleanup(closep) int fd = -1;
	cleanup(freep) char *parent = parent_of(c->bpffs_dir);
	int r = path_is_bpffs(c->bpffs_dir, e);

	if (r == 0)
		r = path_is_bpffs(parent, e);
	if (r < 0)
		return r;
	ret->bpffs_mounted = r > 0;
	ret->directory_ready = false;
	if (!ret->bpffs_mounted)
		return 0;
	r = directory_is_ready(c->bpffs_dir, &fd, e);
	if (r < 0)
		return r;
	ret->directory_ready = r > 0;
	ret->directory_opened = r == 0 && is_opened(c->bpffs_dir, fd);
	ret->directory_moved = keep_directory(c->keep, a, fd, c->bpffs_dir);
	return find_layout(c, a, &ret->layout, e);
}

static int mount_parent(const struct kern_context *c, const char **ret_reason, struct error *e)
{
	cleanup(freep) char *parent = parent_of(c->bpffs_dir);
	cleanup(closep) int target = -1, mount = -1;
	uint64_t id;
	bool is_root;
	int r = path_is_bpffs(parent, e);

	if (r != 0)
		return MIN(r, 0);
	r = path_open_trusted(parent, true, &target, ret_reason, e);
	if (r < 0)
		return r;
	r = mount_identify(target, &id, &is_root, e);
	if (r < 0)
		return error_prefix(e, r, "%s", parent);
	if (is_root) {
		*ret_reason = "PathInUse";
		return error_set(
			e, -EBUSY,
			"%s is a mount of another file system; unmount it or give another --bpffs",
			parent);
	}
	r = path_is_empty(target, e);
	if (r < 0)
		return error_prefix(e, r, "%s", parent);
	if (r == 0) {
		*ret_reason = "PathNotEmpty";
		return error_set(
			e, -ENOTEMPTY,
			"%s is not empty: a bpf file system there would hide what it holds",
			parent);
	}
	r = mount_create_bpffs("bpf", &mount, e);
	if (r == 0)
		r = mount_move(mount, target, false, e);
	return r < 0 ? error_prefix(e, r, "%s", parent) : 0;
}

/*
 * Gives back to root alone what this very process had seen as ours: what is pinned in it is known by its ids, so what
 * others may have put there is not believed. 1: done, 0: it was never seen.
 */
static int take_back(int dirfd, const char *name, bool known, struct error *e)
{
	cleanup(closep) int fd =
		known ? openat(dirfd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) : -1;

	if (fd < 0)
		return 0;
	if (fchownat(fd, "", 0, 0, AT_EMPTY_PATH) < 0 || chmod(fd_path(fd).s, 0700) < 0)
		return error_set(e, -errno, "cannot take back %s: %s", name, error_string(errno));
	return 1;
}

/*
 * Makes the last name of path, which is in dirfd, or takes the one that is there if nobody else
 * can have made it.
 */
static int make_part(int dirfd, const char *path, bool known, const char **ret_reason,
		     struct error *e)
{
	const char *name = strrchr(path, '/') + 1;
	int r;

	if (mkdirat(dirfd, name, 0700) == 0)
		return 0;
	if (errno != EEXIST)
		return error_set(e, -errno, "create directory %s: %s", path, error_string(errno));
	r = directory_is_ours(dirfd, name, e);
	if (r == 0)
		r = take_back(dirfd, name, known, e);
	if (r != 0)
		return MIN(r, 0);
	*ret_reason = "UntrustedPath";
	if (!is_directory(dirfd, name))
		return error_set(e, -EPERM, "%s is there and is not a directory; move it away",
				 path);
	return error_set(e, -EPERM,
			 "%s is there, but others than root can write to it; if you trust what is "
			 "in it: chown root:root %s && chmod 700 %s",
			 path, path, path);
}

/* Whether the directory at the path is one that was ours. */
static bool is_known(const struct kern_context *c)
{
	cleanup(closep) int fd = open(c->bpffs_dir, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return fd >= 0 && keep_knows_directory(c->keep, fd);
}

/* Ours is there by now, so a crash leaves both, of which the higher one counts. */
static int remove_old_marks(const struct kern_context *c, struct arena *a, struct error *e)
{
	struct string_list names;
	int r = pin_part_list(c, a, ".", &names, e);

	for (size_t i = 0; r == 0 && i < names.n; i++) {
		const char *path = arena_printf(a, "%s/%s", c->bpffs_dir, names.v[i]);
		uint32_t version = layout_mark_parse(names.v[i]);

		if (version && version < LAYOUT_VERSION && rmdir(path) < 0 && errno != ENOENT)
			r = error_set(e, -errno, "remove %s: %s", path, error_string(errno));
	}
	return r;
}

static int make_directory(const struct kern_context *c, struct arena *a, const char **ret_reason,
			  struct error *e)
{
	const bool known = is_known(c);
	cleanup(freep) char *parent = parent_of(c->bpffs_dir);
	cleanup(closep) int parent_fd = -1, fd = -1;
	int r = path_open_trusted(parent, false, &parent_fd, ret_reason, e);

	if (r == 0)
		r = make_part(parent_fd, c->bpffs_dir, known, ret_reason, e);
	if (r < 0)
		return r;
	fd = open(c->bpffs_dir, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return error_set(e, -errno, "open %s: %s", c->bpffs_dir, error_string(errno));
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		cleanup(freep) char *path = xasprintf("%s/%s", c->bpffs_dir, parts[i]);

		r = make_part(fd, path, known, ret_reason, e);
		if (r < 0)
			return r;
	}
	return remove_old_marks(c, a, e);
}

void bpffs_apply(const struct kern_context *c, struct arena *a, const struct op *op,
		 struct op_result *ret)
{
	int r = op->kind == OP_BPFFS_MOUNT ? mount_parent(c, &ret->reason, &ret->error) :
					     make_directory(c, a, &ret->reason, &ret->error);

	if (r < 0)
		result_fail(ret, r);
}
