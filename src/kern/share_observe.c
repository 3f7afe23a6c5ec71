/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Which mounts are ours, and what is in them. The source string of a mount is the only mark (or
 * what stands for it, see SHARE_MARK). It is copied with the mount, so a bind mount that
 * somebody made of a share carries it too: of several mounts of one superblock only one is
 * taken for ours, the one at a path that was asked for, else one below the run directory, else
 * the oldest.
 */
#include "kern/share.h"

#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/macros.h"
#include "base/str.h"
#include "kern/path.h"
#include "kern/syscalls.h"
#include "model/layout.h"

/* Mounts can come and go between the list and the look at a path. */
#define OBSERVE_ATTEMPTS 5

struct observation {
	const struct kern_context *c;
	struct arena *a;
	struct mountinfo mounts;
	bool *seen; /* by index into mounts: reported, or not to be */
	LIST(struct observed_mount) found;
};

const char *share_of_mount(const struct kern_context *c, struct arena *a,
			   const struct mountinfo_entry *m)
{
	if (!str_eq(m->type, "bpf") || !str_eq(m->root, "/"))
		return NULL;
	return layout_mount_share(a, c->tag, m->source);
}

/* The mark in the instance, if the path leads to it: what is covered cannot be read. */
static const char *read_mark(struct arena *a, const struct mountinfo_entry *m)
{
	cleanup(closep) int fd = -1;
	char mark[256];
	uint64_t id;
	bool is_root;
	ssize_t n;

	if (path_open_present(m->path, &fd, NULL) < 0 || fd < 0 ||
	    mount_identify(fd, &id, &is_root, NULL) < 0 || id != m->id)
		return NULL;
	n = readlinkat(fd, SHARE_MARK, mark, sizeof(mark));
	return n > 0 ? arena_strndup(a, mark, (size_t)n) : NULL;
}

int share_read_mounts(struct arena *a, struct mountinfo *ret, struct error *e)
{
	int r = mountinfo_read(a, "self", ret, e);

	for (size_t i = 0; r == 0 && i < ret->n; i++) {
		struct mountinfo_entry *m = &ret->v[i];
		const char *mark = NULL;

		if (str_eq(m->type, "bpf") && str_eq(m->source, "none"))
			mark = read_mark(a, m);
		m->source = mark ? mark : m->source;
	}
	return r;
}

/* The mount that m is stacked on at the same path, or NULL. */
static const struct mountinfo_entry *mount_below(const struct mountinfo *mounts,
						 const struct mountinfo_entry *m)
{
	const struct mountinfo_entry *below = mountinfo_find(mounts, m->parent);

	return below && below != m && str_eq(below->path, m->path) ? below : NULL;
}

int share_place_open(const struct kern_context *c, struct arena *a, const struct mountinfo *m,
		     const char *path, struct share_place *ret, struct error *e)
{
	cleanup(share_place_done) struct share_place place = { .fd = -1 };
	struct mountinfo now;
	uint64_t id;
	bool is_root = false;
	int r = path_open_present(path, &place.fd, e);

	if (r == 0 && place.fd >= 0)
		r = mount_identify(place.fd, &id, &is_root, e);
	if (r == 0 && is_root && !m) {
		r = share_read_mounts(a, &now, e);
		m = &now;
	}
	if (r < 0)
		return error_prefix(e, r, "%s", path);
	if (is_root) {
		place.top = mountinfo_find(m, id);
		if (!place.top)
			return error_set(e, -ESTALE, "%s: mounts have changed meanwhile", path);
		place.share = share_of_mount(c, a, place.top);
	}
	for (const struct mountinfo_entry *i = place.top; i; i = mount_below(m, i))
		place.stacked += share_of_mount(c, a, i) != NULL;
	*ret = place;
	place.fd = -1;
	return 0;
}

const char *share_mount_over(struct arena *a, const struct mountinfo *m, const char *path)
{
	for (const char *at = path; *at; at = arena_strndup(a, at, strrchr(at, '/') - at)) {
		const struct mountinfo_entry *mount = NULL;
		cleanup(closep) int fd = -1;
		uint64_t id;
		bool is_root;

		/* What covers it need not have all of its directories. */
		if (path_open_present(at, &fd, NULL) < 0 || fd < 0)
			continue;
		if (mount_identify(fd, &id, &is_root, NULL) == 0)
			mount = mountinfo_find(m, id);
		return mount ? mount->path : at;
	}
	return path;
}

static int map_id_of(int fd, uint32_t *ret_id)
{
	struct bpf_map_info info = { 0 };
	uint32_t size = sizeof(info);
	char kind[32];
	ssize_t n = readlink(fd_path(fd).s, kind, sizeof(kind) - 1);

	/* A program's information would be taken for a map's. */
	if (n < 0)
		return -errno;
	kind[n] = '\0';
	if (!str_ends(kind, "bpf-map"))
		return 0;
	if (bpf_map_get_info_by_fd(fd, &info, &size) < 0)
		return -errno;
	*ret_id = info.id;
	return 0;
}

/*
 * Opened without following links and without crossing mounts: a consumer that is root
 * may have put either in the place of a pin.
 */
int share_pin_map_id(int dirfd, const char *name, uint32_t *ret_id, struct error *e)
{
	LIBBPF_OPTS(bpf_obj_get_opts, opts, .file_flags = BPF_F_RDONLY);
	cleanup(closep) int pin = sys_openat2(dirfd, name, O_PATH | O_NOFOLLOW, RESOLVE_NO_XDEV);
	cleanup(closep) int fd = -1;
	int r;

	*ret_id = 0;
	if (pin == -ENOENT || pin == -EXDEV)
		return 0;
	if (pin < 0)
		return error_set(e, pin, "open pin %s: %s", name, error_string(pin));
	fd = bpf_obj_get_opts(fd_path(pin).s, &opts);
	if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == EPERM))
		return error_set(e, -errno, "open pin %s: %s", name, error_string(errno));
	r = fd < 0 ? 0 : map_id_of(fd, ret_id);
	return r < 0 ? error_set(e, r, "look at pin %s: %s", name, error_string(r)) : 0;
}

static int observe_pin(struct arena *a, int dirfd, const char *name, struct observed_pin *ret,
		       struct error *e)
{
	struct stat st;

	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) < 0)
		return error_set(e, -errno, "stat pin %s: %s", name, error_string(errno));
	ret->name = arena_strdup(a, name);
	ret->uid = st.st_uid;
	ret->gid = st.st_gid;
	ret->mode = st.st_mode & 07777;
	return S_ISREG(st.st_mode) ? share_pin_map_id(dirfd, name, &ret->map_id, e) : 0;
}

static int compare_pins(const void *a, const void *b)
{
	return strcmp(((const struct observed_pin *)a)->name,
		      ((const struct observed_pin *)b)->name);
}

static void closedirp(DIR **d)
{
	if (*d)
		(void)closedir(*d);
}

int share_observe_pins(struct arena *a, int place, struct observed_mount *ret, struct error *e)
{
	cleanup(closep) int fd = openat(place, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup(closedirp) DIR *d = fd < 0 ? NULL : fdopendir(fd);
	LIST(struct observed_pin) pins = { 0 };
	struct dirent *entry;

	if (!d)
		return error_set(e, -errno, "read directory: %s", error_string(errno));
	(void)take_fd(fd); /* belongs to d now */
	while (errno = 0, (entry = readdir(d))) {
		int r;

		/*
		 * No pin of anybody's has a dot, only ., .. and what the kernel itself puts
		 * there (maps.debug).
		 */
		if (strchr(entry->d_name, '.') || str_eq(entry->d_name, SHARE_MARK))
			continue;
		r = observe_pin(a, place, entry->d_name, LIST_ADD(a, &pins), e);
		if (r == -ENOENT)
			pins.n--;
		else if (r < 0)
			return r;
	}
	if (errno)
		return error_set(e, -errno, "read directory: %s", error_string(errno));
	if (pins.n)
		qsort(pins.v, pins.n, sizeof(*pins.v), compare_pins);
	ret->pins = pins.v;
	ret->pin_count = pins.n;
	return 0;
}

static int inspect(struct arena *a, int place, struct observed_mount *ret, struct error *e)
{
	struct stat st;

	if (fstat(place, &st) < 0)
		return error_set(e, -errno, "stat: %s", error_string(errno));
	ret->uid = st.st_uid;
	ret->gid = st.st_gid;
	ret->mode = st.st_mode & 07777;
	return share_observe_pins(a, place, ret, e);
}

/* Marks all of ours at the path of m, and yields the share of one of them, or NULL. */
static const char *take_path(struct observation *o, const char *path)
{
	const char *share = NULL;

	for (size_t i = 0; i < o->mounts.n; i++) {
		const char *s;

		if (o->seen[i] || !str_eq(o->mounts.v[i].path, path))
			continue;
		s = share_of_mount(o->c, o->a, &o->mounts.v[i]);
		o->seen[i] |= s != NULL;
		share = s ? s : share;
	}
	return share;
}

static int observe_path(struct observation *o, const char *path, struct error *e)
{
	cleanup(share_place_done) struct share_place place = { .fd = -1 };
	const char *hidden;
	struct observed_mount *m;
	int r = share_place_open(o->c, o->a, &o->mounts, path, &place, e);

	if (r < 0)
		return r;
	hidden = take_path(o, place.top ? place.top->path : path);
	if (!place.top && !hidden)
		return 0;
	m = LIST_ADD(o->a, &o->found);
	m->path = path;
	m->stacked = place.stacked;
	m->ours = place.share || hidden;
	m->share = place.share ? place.share : hidden;
	m->covered = !place.share && hidden;
	if (m->covered)
		m->cover = share_mount_over(o->a, &o->mounts, path);
	if (!place.top)
		return 0;
	m->mount_id = place.top->id;
	m->read_only = place.top->read_only;
	m->shared = place.top->shared;
	r = place.share ? inspect(o->a, place.fd, m, e) : 0;
	return r < 0 ? error_prefix(e, r, "%s", path) : 0;
}

static bool same_superblock(const struct mountinfo_entry *a, const struct mountinfo_entry *b)
{
	return a->major == b->major && a->minor == b->minor;
}

static bool is_below(const char *path, const char *dir)
{
	return str_starts(path, dir) && path[strlen(dir)] == '/';
}

/* Whether another mount of the same superblock has a better claim to be the one that we made. */
static bool is_copy(const struct observation *o, size_t index)
{
	const struct mountinfo_entry *m = &o->mounts.v[index];
	bool is_home = is_below(m->path, o->c->run_dir);

	if (m->slave)
		return true;
	for (size_t i = 0; i < o->mounts.n; i++) {
		const struct mountinfo_entry *other = &o->mounts.v[i];
		bool other_is_home = is_below(other->path, o->c->run_dir);

		if (i == index || !same_superblock(m, other) || !str_eq(other->root, "/"))
			continue;
		if (o->seen[i] || other_is_home > is_home ||
		    (other_is_home == is_home && other->id < m->id))
			return true;
	}
	return false;
}

static int observe_once(struct observation *o, const struct string_list *paths, struct error *e)
{
	int r = share_read_mounts(o->a, &o->mounts, e);

	if (r < 0)
		return r;
	o->found.n = 0;
	o->seen = arena_calloc(o->a, o->mounts.n, sizeof(*o->seen));
	for (size_t i = 0; i < paths->n; i++) {
		r = observe_path(o, paths->v[i], e);
		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < o->mounts.n; i++) {
		if (o->seen[i] || !share_of_mount(o->c, o->a, &o->mounts.v[i]) || is_copy(o, i))
			continue;
		r = observe_path(o, o->mounts.v[i].path, e);
		if (r < 0)
			return r;
	}
	return 0;
}

static int compare_mounts(const void *a, const void *b)
{
	return strcmp(((const struct observed_mount *)a)->path,
		      ((const struct observed_mount *)b)->path);
}

int share_observe(const struct kern_context *c, struct arena *a, const struct string_list *paths,
		  struct observed *ret, struct error *e)
{
	struct observation o = { .c = c, .a = a };
	int r = -ESTALE;

	for (int i = 0; r == -ESTALE && i < OBSERVE_ATTEMPTS; i++)
		r = observe_once(&o, paths, e);
	if (r < 0)
		return error_prefix(e, r, "observe shares");
	if (o.found.n)
		qsort(o.found.v, o.found.n, sizeof(*o.found.v), compare_mounts);
	ret->mounts = o.found.v;
	ret->mount_count = o.found.n;
	return 0;
}

/*
 * By the mounts and not by /proc/1/ns/mnt, which only a process with all of the capabilities of
 * process 1 may read. A mount has a number of its own on the whole machine and is in one namespace.
 */
int share_check_namespace(struct error *e)
{
	cleanup(arena_freep) struct arena *a = arena_new();
	struct mountinfo ours, first;
	int r = mountinfo_read(a, "self", &ours, e);

	if (r == 0)
		r = mountinfo_read(a, "1", &first, e);
	if (r < 0)
		return error_prefix(e, r, "compare mount namespaces");
	for (size_t i = 0; i < ours.n; i++)
		if (mountinfo_find(&first, ours.v[i].id))
			return 0;
	return error_set(
		e, -EXDEV,
		"this process has a mount namespace of its own: shares that it mounts may be "
		"invisible to their consumers; run it in that of process 1 (a unit without "
		"PrivateMounts=, ProtectSystem= and the like)");
}
