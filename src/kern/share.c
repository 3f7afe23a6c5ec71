/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * One bpffs per share. It is built detached, complete with pins, owners and modes, made
 * read-only if everything in it is, and only then moved into place: at no moment can a consumer
 * find it half done.
 *
 * A read-only superblock is what makes a read-only share: file modes do not stop a consumer
 * that is root. So it is not written to again; a share that changes is built anew, moved
 * beneath the present instance, and that one is unmounted from the top (MOVE_MOUNT_BENEATH,
 * Linux 6.5). The path is never empty, never writable, and what is below is always the newer
 * one. Older kernels get the superblock writable for the moment of the change.
 *
 * Who sees a replacement (tried on 6.12 and 6.18, three in a row): processes of the host, and
 * containers that bound the directory above the path as a slave (rslave, HostToContainer), if
 * the mount that holds it is shared. A container that bound the path itself keeps the instance
 * of that moment. An empty instance kept below for good changes neither: a bind of the path
 * always takes the topmost mount, and mounts are passed on to copies of the mount that they are
 * mounted on, which is not that one. Shares with a writable map are not sealed, and are changed
 * in place, pin by pin: every consumer sees that.
 */
#include "kern/share.h"

#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/macros.h"
#include "base/str.h"
#include "kern/path.h"
#include "kern/syscalls.h"
#include "model/layout.h"

/* What is at a path can be unmounted between the look at it and the look into mountinfo. */
#define PLACE_ATTEMPTS 5

/* Directories in directories that are removed from a share; each costs a descriptor meanwhile. */
#define DEPTH_MAX 32

/* One share while an operation works on it. */
struct work {
	const struct kern_context *c;
	struct arena *a;
	const struct op_share *share;
	struct op_result *result;
	struct error *e; /* result's */
};

bool share_can_mount_beneath(void)
{
	/* An unknown flag is refused (EINVAL) before the descriptors are looked at (EBADF). */
	return move_mount(-1, "", -1, "",
			  MOVE_MOUNT_BENEATH | MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) <
		       0 &&
	       errno == EBADF;
}

/* Pins */

static int map_open(const struct work *w, const struct map_ref *map, int *ret_fd)
{
	cleanup(freep) char *path =
		xasprintf("%s/%s", w->c->bpffs_dir,
			  layout_map_pin(w->a, map->instance, map->version, map->map));
	int fd = bpf_obj_get(path);

	if (fd < 0)
		return error_set(w->e, -errno, "open map %s/%s (%s): %s", map->instance, map->map,
				 path, error_string(errno));
	*ret_fd = fd;
	return 0;
}

/*
 * By descriptor and without following links: a consumer that is root can put a link in the
 * place of a pin of a writable share.
 */
static int set_owner(int dirfd, const char *pin, const struct op_share *s, uint32_t mode,
		     struct error *e)
{
	cleanup(closep) int fd = openat(dirfd, pin ? pin : ".", O_PATH | O_NOFOLLOW | O_CLOEXEC);
	const char *what = pin ? pin : "directory of the share";

	if (fd < 0)
		return error_set(e, -errno, "open %s: %s", what, error_string(errno));
	/* Owner first: a change of owner may take bits off the mode. */
	if (fchownat(fd, "", pin ? 0 : s->uid, s->gid, AT_EMPTY_PATH) < 0)
		return error_set(e, -errno, "set owner of %s: %s", what, error_string(errno));
	if (chmod(fd_path(fd).s, mode) < 0)
		return error_set(e, -errno, "set mode of %s: %s", what, error_string(errno));
	return 0;
}

/*
 * Removes what consumers have put into a directory of the share that they made themselves. Opened
 * without following links and without crossing mounts, so nothing outside of the share is reached.
 */
static int empty_directory(int parent, const char *name, unsigned int depth)
{
	int fd = sys_openat2(parent, name, O_RDONLY | O_DIRECTORY,
			     RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;
	int r = fd < 0 ? fd : 0;

	if (!d)
		return r < 0 ? r : -errno;
	while (r == 0 && (entry = readdir(d))) {
		if (str_eq(entry->d_name, ".") || str_eq(entry->d_name, "..") ||
		    unlinkat(fd, entry->d_name, 0) == 0 || errno == ENOENT)
			continue;
		r = errno == EISDIR && depth ? empty_directory(fd, entry->d_name, depth - 1) :
					       -errno;
		if (r == 0 && unlinkat(fd, entry->d_name, AT_REMOVEDIR) < 0)
			r = -errno;
	}
	(void)closedir(d);
	return r;
}

static int alias_remove(const struct work *w, int dirfd, const char *name)
{
	int r = unlinkat(dirfd, name, 0) < 0 ? -errno : 0;

	if (r == -EISDIR) {
		r = empty_directory(dirfd, name, DEPTH_MAX);
		if (r == 0 && unlinkat(dirfd, name, AT_REMOVEDIR) < 0)
			r = -errno;
	}
	if (r == 0 || r == -ENOENT)
		return 0;
	return error_set(w->e, r, "remove pin %s: %s", name, error_string(r));
}

/* Atomically, but for a directory, which consumers make and which no pin can replace. */
static int alias_rename(const struct work *w, int dirfd, const char *temporary, const char *alias)
{
	int r = renameat(dirfd, temporary, dirfd, alias) < 0 ? -errno : 0;

	if (r == -EISDIR) {
		r = alias_remove(w, dirfd, alias);
		if (r < 0)
			return r;
		r = renameat(dirfd, temporary, dirfd, alias) < 0 ? -errno : 0;
	}
	return r < 0 ? error_set(w->e, r, "put pin %s in place: %s", alias, error_string(r)) : 0;
}

/* A pin appears under its name with its map, owner and mode, in place of whatever was there. */
static int alias_put(const struct work *w, int dirfd, const struct op_share_pin *pin, int map)
{
	const char *temporary = arena_printf(w->a, SHARE_TEMPORARY "%s", pin->alias);
	const char *path = arena_printf(w->a, "%s/%s", fd_path(dirfd).s, temporary);
	int r = alias_remove(w, dirfd, temporary);

	if (r < 0)
		return r;
	if (bpf_obj_pin(map, path) < 0)
		return error_set(w->e, -errno, "pin %s: %s", pin->alias, error_string(errno));
	r = set_owner(dirfd, temporary, w->share, pin->mode, w->e);
	if (r == 0)
		r = alias_rename(w, dirfd, temporary, pin->alias);
	if (r < 0)
		(void)unlinkat(dirfd, temporary, 0);
	return r;
}

/* Descriptors of all maps of an operation, opened before anything is changed. */
struct open_maps {
	int *fds;
	size_t n;
};

static void open_maps_done(struct open_maps *m)
{
	for (size_t i = 0; i < m->n; i++)
		(void)close(m->fds[i]);
}

static int open_maps_init(struct open_maps *m, const struct work *w)
{
	m->fds = arena_calloc(w->a, w->share->pin_count, sizeof(*m->fds));
	for (m->n = 0; m->n < w->share->pin_count; m->n++) {
		int r = map_open(w, &w->share->pins[m->n].map, &m->fds[m->n]);

		if (r < 0)
			return r;
	}
	return 0;
}

static int put_all(const struct work *w, int dirfd, const struct open_maps *maps)
{
	for (size_t i = 0; i < maps->n; i++) {
		int r = alias_put(w, dirfd, &w->share->pins[i], maps->fds[i]);

		if (r < 0)
			return r;
	}
	return 0;
}

/*
 * A sealed share is writable from window_open() to window_close(), and sealed again whatever
 * happens between.
 */
struct window {
	int mount; /* -1: none is open */
};

static int window_open(struct window *win, const struct work *w, const struct share_place *place)
{
	int r;

	if (!place->top->read_only)
		return 0;
	r = superblock_set_read_only(place->fd, false, w->e);
	if (r == 0)
		win->mount = place->fd;
	return r;
}

static int window_close(struct window *win, const struct work *w)
{
	int mount = win->mount, r;

	if (mount < 0)
		return 0;
	win->mount = -1;
	r = superblock_set_read_only(mount, true, w->e);
	w->result->reason = r < 0 ? "ReadOnlyNotEnforced" : "ReadOnlyWindow";
	w->result->note = "consumers that are root could write to the share while it was changed";
	return r;
}

static void window_done(struct window *win)
{
	if (win->mount >= 0)
		(void)superblock_set_read_only(win->mount, true, NULL);
}

/* Places */

static int place_open(const struct work *w, struct share_place *ret)
{
	int r = -ESTALE;

	for (int i = 0; r == -ESTALE && i < PLACE_ATTEMPTS; i++)
		r = share_place_open(w->c, w->a, NULL, w->share->path, ret, w->e);
	return r;
}

static int refuse_foreign(const struct work *w, const struct share_place *place)
{
	w->result->reason = "PathInUse";
	return error_set(
		w->e, -EBUSY,
		"%s: a mount that is not ours is there (%s of type %s); unmount it or give "
		"the share another path",
		w->share->path, place->top->source, place->top->type);
}

/* Opens the share's live instance. */
static int place_open_live(const struct work *w, struct share_place *ret)
{
	cleanup(share_place_done) struct share_place place = { .fd = -1 };
	int r = place_open(w, &place);

	if (r < 0)
		return r;
	if (place.top && !place.share)
		return refuse_foreign(w, &place);
	if (!str_eq(place.share, w->share->share))
		return error_set(w->e, -ESTALE, "%s: the share's mount is not there any more",
				 w->share->path);
	*ret = place;
	place.fd = -1;
	return 0;
}

/*
 * Of several mounts of ours the lowest is the newest: a crash came between moving it beneath
 * and unmounting the old one. The old ones go from the top.
 */
static int place_collapse(const struct work *w, struct share_place *place)
{
	while (place->share && place->stacked > 1) {
		int r = mount_detach(place->fd, w->e);

		if (r < 0)
			return error_prefix(w->e, r, "%s", w->share->path);
		share_place_done(place);
		place->fd = -1;
		r = place_open(w, place);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Mounting */

static int instance_create(const struct work *w, int *ret_mount)
{
	const char *source = layout_mount_source(w->a, w->c->tag, w->share->share);
	cleanup(closep) int mount = -1;
	int r = mount_create_bpffs(source, &mount, w->e);

	if (r == 0)
		r = mount_keeps_source(w->e);
	if (r < 0)
		return r;
	if (r == 0 && symlinkat(source, mount, SHARE_MARK) < 0)
		return error_set(w->e, -errno, "mark the share as ours: %s", error_string(errno));
	*ret_mount = take_fd(mount);
	return 0;
}

static int instance_build(const struct work *w, int *ret_mount)
{
	const struct op_share *s = w->share;
	cleanup(open_maps_done) struct open_maps maps = { 0 };
	cleanup(closep) int mount = -1;
	int r = open_maps_init(&maps, w);

	if (r == 0)
		r = instance_create(w, &mount);
	if (r == 0)
		r = put_all(w, mount, &maps);
	if (r == 0)
		r = set_owner(mount, NULL, s, s->mode, w->e);
	if (r == 0 && s->read_only)
		r = superblock_set_read_only(mount, true, w->e);
	if (r < 0)
		return r;
	*ret_mount = take_fd(mount);
	return 0;
}

/* Opens the place of a new mount, made if need be; it must be a directory that hides nothing. */
static int place_prepare(const struct work *w, int *ret_fd)
{
	const char *path = w->share->path;
	cleanup(closep) int fd = -1;
	uint64_t id;
	bool is_root;
	int r;

	path_restore_below(w->c->run_dir, path);
	r = path_open_trusted(path, true, &fd, &w->result->reason, w->e);
	if (r < 0)
		return r;
	r = mount_identify(fd, &id, &is_root, w->e);
	if (r == 0 && is_root) {
		w->result->reason = "PathInUse";
		return error_set(w->e, -EBUSY, "%s: something was mounted there meanwhile", path);
	}
	if (r == 0)
		r = path_is_empty(fd, w->e);
	if (r < 0)
		return error_prefix(w->e, r, "%s", path);
	if (r == 0) {
		w->result->reason = "PathNotEmpty";
		return error_set(
			w->e, -ENOTEMPTY,
			"%s is not empty, and a mount would hide what it holds; empty it or "
			"give the share another path",
			path);
	}
	*ret_fd = take_fd(fd);
	return 0;
}

/* Says so if the mount is of no use to containers. */
static void note_propagation(const struct work *w, int mount)
{
	const struct mountinfo_entry *self, *holder;
	struct mountinfo mounts;
	uint64_t id;
	bool is_root;

	if (mount_identify(mount, &id, &is_root, NULL) < 0 ||
	    share_read_mounts(w->a, &mounts, NULL) < 0)
		return;
	self = mountinfo_find(&mounts, id);
	holder = self ? mountinfo_find(&mounts, self->parent) : NULL;
	if (holder && !holder->shared)
		w->result->note = arena_printf(w->a,
					       "the mount at %s, which holds the share, is "
					       "private: containers that are already "
					       "running do not see it (mount --make-shared %s)",
					       holder->path, holder->path);
}

static int mount_new(const struct work *w)
{
	cleanup(closep) int mount = -1, target = -1;
	int r = place_prepare(w, &target);

	if (r == 0)
		r = instance_build(w, &mount);
	if (r < 0)
		return r;
	r = mount_move(mount, target, false, w->e);
	if (r == 0)
		r = mount_set_shared(mount, w->e);
	if (r < 0)
		return error_prefix(w->e, r, "%s", w->share->path);
	note_propagation(w, mount);
	return 0;
}

static int mount_beneath(const struct work *w, const struct share_place *place)
{
	cleanup(closep) int mount = -1;
	int r = instance_build(w, &mount);

	if (r < 0)
		return r;
	r = mount_move(mount, place->fd, true, w->e);
	if (r == 0)
		r = mount_set_shared(mount, w->e);
	if (r == 0)
		r = mount_detach(place->fd, w->e);
	return r < 0 ? error_prefix(w->e, r, "%s", w->share->path) : 0;
}

static bool is_wanted(const struct op_share *s, const char *name)
{
	for (size_t i = 0; i < s->pin_count; i++)
		if (str_eq(s->pins[i].alias, name))
			return true;
	return false;
}

static int remove_unwanted(const struct work *w, int dirfd, const struct observed_mount *present)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < present->pin_count; i++)
		if (!is_wanted(w->share, present->pins[i].name))
			r = alias_remove(w, dirfd, present->pins[i].name);
	return r;
}

/* Makes the live instance what a new one would be, pin by pin. */
static int mount_rewrite(const struct work *w, const struct share_place *place)
{
	const struct op_share *s = w->share;
	cleanup(open_maps_done) struct open_maps maps = { 0 };
	cleanup(window_done) struct window win = { -1 };
	struct observed_mount present = { 0 };
	int r = open_maps_init(&maps, w);

	if (r == 0)
		r = share_observe_pins(w->a, place->fd, &present, w->e);
	if (r == 0)
		r = window_open(&win, w, place);
	if (r == 0)
		r = put_all(w, place->fd, &maps);
	if (r == 0)
		r = remove_unwanted(w, place->fd, &present);
	if (r == 0)
		r = set_owner(place->fd, NULL, s, s->mode, w->e);
	if (r < 0)
		return error_prefix(w->e, r, "%s", s->path);
	if (!s->read_only)
		win.mount = -1; /* it was sealed and shall not be any more */
	else if (win.mount < 0)
		return superblock_set_read_only(place->fd, true, w->e);
	return window_close(&win, w);
}

static int share_mount(const struct work *w)
{
	cleanup(share_place_done) struct share_place place = { .fd = -1 };
	int r = place_open(w, &place);

	if (r == 0 && place.top && !place.share)
		return refuse_foreign(w, &place);
	if (r == 0)
		r = place_collapse(w, &place);
	if (r < 0)
		return r;
	if (!place.share)
		return mount_new(w);
	if (share_can_mount_beneath())
		return mount_beneath(w, &place);
	if (str_eq(place.share, w->share->share))
		return mount_rewrite(w, &place);
	/* The mark of another share cannot be rewritten: this is the one replacement with a gap. */
	r = mount_detach(place.fd, w->e);
	return r < 0 ? error_prefix(w->e, r, "%s", w->share->path) : mount_new(w);
}

/* Small changes of a live instance */

static int edit_pin(const struct work *w, const struct share_place *place, enum op_kind kind,
		    const struct open_maps *maps)
{
	const struct op_share *s = w->share;

	switch (kind) {
	case OP_SHARE_PIN:
		return put_all(w, place->fd, maps);
	case OP_SHARE_UNPIN:
		return alias_remove(w, place->fd, s->pin);
	default:
		return set_owner(place->fd, s->pin, s, s->mode, w->e);
	}
}

static int share_edit(const struct work *w, enum op_kind kind)
{
	const struct op_share *s = w->share;
	cleanup(share_place_done) struct share_place place = { .fd = -1 };
	cleanup(open_maps_done) struct open_maps maps = { 0 };
	cleanup(window_done) struct window win = { -1 };
	int r = place_open_live(w, &place);

	if (r == 0 && kind == OP_SHARE_PIN)
		r = open_maps_init(&maps, w);
	if (r == 0 && place.top->read_only && !s->window)
		r = error_set(w->e, -EROFS, "the share is sealed");
	if (r == 0)
		r = window_open(&win, w, &place);
	if (r == 0)
		r = edit_pin(w, &place, kind, &maps);
	if (r < 0)
		return error_prefix(w->e, r, "%s", s->path);
	return window_close(&win, w);
}

static int share_seal(const struct work *w)
{
	cleanup(share_place_done) struct share_place place = { .fd = -1 };
	int r = place_open_live(w, &place);

	if (r == 0)
		r = place_collapse(w, &place);
	if (r == 0 && place.fd >= 0 && place.top && place.top->read_only != w->share->read_only)
		r = superblock_set_read_only(place.fd, w->share->read_only, w->e);
	if (r == 0 && place.top && !place.top->shared)
		r = mount_set_shared(place.fd, w->e);
	return r < 0 ? error_prefix(w->e, r, "%s", w->share->path) : 0;
}

/* Unmounting */

/* Best effort: a directory that is in use or was filled by somebody stays. */
static void remove_directories(const struct work *w)
{
	cleanup(freep) char *path = xstrdup(w->share->path);
	const char *unused = NULL;
	size_t run = strlen(w->c->run_dir);
	char *slash;

	do {
		cleanup(closep) int parent = -1;

		slash = strrchr(path, '/');
		if (!slash || slash == path)
			return;
		*slash = '\0';
		if (path_open_trusted(path, false, &parent, &unused, NULL) < 0 ||
		    unlinkat(parent, slash + 1, AT_REMOVEDIR) < 0)
			return;
	} while (str_starts(path, w->c->run_dir) && path[run] == '/');
}

/* Ours, but the path does not lead there: where what covers it is mounted. NULL: it is not covered. */
static const char *place_cover(const struct work *w)
{
	struct mountinfo mounts;

	if (share_read_mounts(w->a, &mounts, NULL) < 0)
		return NULL;
	for (size_t i = 0; i < mounts.n; i++)
		if (str_eq(mounts.v[i].path, w->share->path) &&
		    share_of_mount(w->c, w->a, &mounts.v[i]))
			return share_mount_over(w->a, &mounts, w->share->path);
	return NULL;
}

static int share_unmount(const struct work *w)
{
	cleanup(share_place_done) struct share_place place = { .fd = -1 };
	int r = place_open(w, &place);
	const char *cover;

	while (r == 0 && place.share) {
		r = mount_detach(place.fd, w->e);
		if (r < 0)
			return error_prefix(w->e, r, "%s", w->share->path);
		share_place_done(&place);
		place.fd = -1;
		r = place_open(w, &place);
	}
	if (r < 0)
		return r;
	cover = place_cover(w);
	if (cover) {
		w->result->reason = "PathInUse";
		return error_set(
			w->e, -EBUSY,
			"%s: the share's mount is covered by one that is not ours, at %s; take "
			"that away first (umount -l %s)",
			w->share->path, cover, cover);
	}
	if (!place.top)
		remove_directories(w);
	return 0;
}

void share_apply(const struct kern_context *c, struct arena *a, const struct op *op,
		 struct op_result *ret)
{
	struct work w = { .c = c, .a = a, .share = &op->share, .result = ret, .e = &ret->error };
	int r;

	switch (op->kind) {
	case OP_SHARE_MOUNT:
		r = share_mount(&w);
		break;
	case OP_SHARE_SEAL:
		r = share_seal(&w);
		break;
	case OP_SHARE_UNMOUNT:
		r = share_unmount(&w);
		break;
	default:
		r = share_edit(&w, op->kind);
	}
	if (r < 0)
		result_fail(ret, r);
}
