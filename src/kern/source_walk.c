/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * The trust rules. What the daemon loads runs in the kernel, so whoever can change a
 * file, put another one in its place or redirect a link on the way to it is as powerful
 * as root. A path is therefore walked one component at a time, each opened as O_PATH
 * relative to the one before, and each (directories, links and the file) must be
 * owned by root or an allowed owner and not be writable by anyone else. "Anyone else" includes
 * the group, unless that is root's.
 *
 * Write bits do not count where they give no power: on a mount that is read-only for us
 * (kubelet gives its ConfigMap volumes 0777), and on a sticky directory of root (others
 * cannot rename or remove what is not theirs; what they add is refused for its owner).
 *
 * A relative path must stay beneath its base. openat2() proves that against renames
 * under way; the walk, which checks trust, must then arrive at the same inode.
 */
#include "kern/source_walk.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/str.h"
#include "kern/syscalls.h"

/* The kernel's own bound (MAXSYMLINKS). */
#define LINKS_MAX 40

/* RESOLVE_BENEATH gives EAGAIN when a rename anywhere on the system raced with "..". */
#define OPENAT2_ATTEMPTS 16

struct walk {
	struct walker *walker;
	struct complaint *why;
	const char *shown;  /* the path as asked for, for messages */
	int parent, fd;     /* the last component, O_PATH, and the directory that holds it */
	struct stat st;     /* of what was found */
	struct strbuf real; /* of parent; "" stands for the root */
	char *name;    /* the last component; NULL: the path named the starting point, parent */
	char *pending; /* what is left of the path */
	unsigned int links;
	const char *missing; /* what the walk did not find, NULL: nothing */
};

static void walk_done(struct walk *w)
{
	closep(&w->parent);
	closep(&w->fd);
	strbuf_done(&w->real);
	free(w->name);
	free(w->pending);
}

int complain(struct walker *w, struct complaint *why, int code, const char *hint, const char *fmt,
	     ...)
{
	cleanup(freep) char *text = NULL;
	va_list args;

	va_start(args, fmt);
	text = xvasprintf(fmt, args);
	va_end(args);
	why->what = arena_strdup(w->arena, text);
	why->hint = arena_strdup(w->arena, hint);
	return code;
}

void walk_watch(struct walker *w, const char *real)
{
	if (!*real)
		real = "/";
	/* From the end: the next file is mostly in the directory of the one before. */
	for (size_t i = w->watches.n; i > 0; i--)
		if (str_eq(w->watches.v[i - 1], real))
			return;
	*LIST_ADD(w->arena, &w->watches) = arena_strdup(w->arena, real);
}

static bool owner_is_trusted(const struct walker *w, uid_t uid)
{
	if (uid == 0)
		return true;
	for (size_t i = 0; i < w->owner_count; i++)
		if (w->owners[i] == uid)
			return true;
	return false;
}

static bool write_bits_count(int fd, const struct stat *st)
{
	struct statvfs fs;

	if (S_ISDIR(st->st_mode) && (st->st_mode & S_ISVTX) && st->st_uid == 0)
		return false;
	return fstatvfs(fd, &fs) < 0 || !(fs.f_flag & ST_RDONLY);
}

static int check_trust(struct walker *w, int fd, const struct stat *st, const char *path,
		       struct complaint *why)
{
	mode_t bits = st->st_mode & (S_IWOTH | (st->st_gid != 0 ? S_IWGRP : 0));
	unsigned int mode = st->st_mode & 07777;

	if (w->any_owner)
		return 0;
	if (!owner_is_trusted(w, st->st_uid))
		return complain(w, why, -EPERM,
				arena_printf(w->arena,
					     "chown -h root %s, or add the owner to allowed_owners",
					     path),
				"%s is owned by uid %u, neither root nor an allowed owner", path,
				(unsigned int)st->st_uid);
	if (S_ISLNK(st->st_mode) || !bits || !write_bits_count(fd, st))
		return 0;
	if (bits & S_IWOTH)
		return complain(w, why, -EPERM,
				arena_printf(w->arena, "chmod %s-w %s", bits & S_IWGRP ? "go" : "o",
					     path),
				"%s is writable by others (mode %04o)", path, mode);
	return complain(w, why, -EPERM, arena_printf(w->arena, "chmod g-w %s", path),
			"%s is writable by its group, gid %u (mode %04o)", path,
			(unsigned int)st->st_gid, mode);
}

static int walk_fail(struct walk *w, int code, const char *path)
{
	walk_watch(w->walker, strbuf_get(&w->real));
	if (code == -ENOENT)
		w->missing = arena_strdup(w->walker->arena, path);
	if (code == -ESTALE)
		return complain(w->walker, w->why, code, NULL, "%s changed while it was being read",
				path);
	if (str_eq(path, w->shown))
		return complain(w->walker, w->why, code, NULL, "%s: %s", path, error_string(code));
	return complain(w->walker, w->why, code, NULL, "%s: %s: %s", w->shown, path,
			error_string(code));
}

/* Makes "/" the place that the next component is looked up in. */
static int walk_restart(struct walk *w)
{
	struct stat st;

	closep(&w->parent);
	strbuf_done(&w->real);
	w->parent = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (w->parent < 0 || fstat(w->parent, &st) < 0)
		return walk_fail(w, -errno, "/");
	return check_trust(w->walker, w->parent, &st, "/", w->why);
}

/* Takes the next component off the pending path; false when none is left. */
static bool next_component(struct walk *w, char **ret)
{
	char *start = w->pending + strspn(w->pending, "/");
	size_t n = strcspn(start, "/");

	if (n == 0)
		return false;
	*ret = strndup(start, n);
	if (!*ret)
		abort();
	memmove(w->pending, start + n, strlen(start + n) + 1);
	return true;
}

/* The component is a link: puts what it says in front of the pending path. */
static int follow_link(struct walk *w, int fd, const char *path)
{
	char target[PATH_MAX], *pending;
	ssize_t n;

	walk_watch(w->walker, strbuf_get(&w->real));
	if (++w->links > LINKS_MAX)
		return walk_fail(w, -ELOOP, path);
	n = readlinkat(fd, "", target, sizeof(target) - 1);
	if (n < 0)
		return walk_fail(w, -errno, path);
	target[n] = '\0';
	pending = xasprintf("%s/%s", target, w->pending);
	free(w->pending);
	w->pending = pending;
	return target[0] == '/' ? walk_restart(w) : 0;
}

/* The component was the directory that the following ones are looked up in. */
static void descend(struct walk *w)
{
	if (str_eq(w->name, "..")) {
		char *slash = w->real.s ? strrchr(w->real.s, '/') : NULL;

		if (slash) {
			*slash = '\0';
			w->real.len = (size_t)(slash - w->real.s);
		}
	} else {
		strbuf_addf(&w->real, "/%s", w->name);
	}
	closep(&w->parent);
	w->parent = take_fd(w->fd);
	free(take_ptr(w->name));
}

static int walk_component(struct walk *w, const char *name)
{
	cleanup(closep) int fd = openat(w->parent, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	cleanup(freep) char *path = NULL;
	struct stat st;
	int r;

	path = xasprintf("%s/%s", strbuf_get(&w->real), name);
	if (fd < 0 || fstat(fd, &st) < 0)
		return walk_fail(w, -errno, path);
	r = check_trust(w->walker, fd, &st, path, w->why);
	if (r < 0) {
		walk_watch(w->walker, strbuf_get(&w->real));
		return r;
	}
	if (S_ISLNK(st.st_mode))
		return follow_link(w, fd, path);
	w->fd = take_fd(fd);
	w->st = st;
	w->name = xstrdup(name);
	return 0;
}

/* Walks the path to its end; the last component is then in fd and name, with st. */
static int walk_path(struct walk *w)
{
	char *name;

	if (fstat(w->parent, &w->st) < 0)
		return walk_fail(w, -errno, w->shown);
	while (next_component(w, &name)) {
		cleanup(freep) char *component = name;
		int r;

		if (str_eq(component, "."))
			continue;
		if (w->name && !S_ISDIR(w->st.st_mode))
			return walk_fail(w, -ENOTDIR, w->shown);
		if (w->name)
			descend(w);
		r = walk_component(w, component);
		if (r < 0)
			return r;
	}
	return 0;
}

static int walk_start(struct walk *w, const struct place *base, const char *path)
{
	w->pending = xstrdup(path);
	if (!base)
		return walk_restart(w);
	strbuf_add(&w->real, str_eq(base->real, "/") ? "" : base->real);
	w->parent = fcntl(base->fd, F_DUPFD_CLOEXEC, 3);
	return w->parent < 0 ? walk_fail(w, -errno, path) : 0;
}

static bool is_same_inode(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* What lies beneath base at path by the kernel's own resolution. */
static int stat_beneath(struct walk *w, const struct place *base, const char *path,
			struct stat *ret)
{
	cleanup(closep) int fd = -EAGAIN;

	for (int i = 0; i < OPENAT2_ATTEMPTS && fd == -EAGAIN; i++)
		fd = sys_openat2(base->fd, path, O_PATH | O_CLOEXEC, RESOLVE_BENEATH);
	if (fd >= 0)
		return fstat(fd, ret) < 0 ? walk_fail(w, -errno, w->shown) : 0;
	if (fd == -ENOSYS || fd == -EPERM)
		return complain(
			w->walker, w->why, -ENOSYS,
			"Linux 5.6 has it; a container runtime's seccomp filter may refuse it",
			"%s: openat2: %s", w->shown, error_string(fd));
	return fd;
}

/* A link out of the base: where to is told by the walk, which r is the result of. */
static int refuse_outside(struct walk *w, const struct place *base, int r)
{
	const char *to = r >= 0 && w->name ? arena_printf(w->walker->arena, "%s/%s",
							  strbuf_get(&w->real), w->name) :
					     w->missing;
	const char *gone = r == -ENOENT ? ", which does not exist" : "";

	return complain(w->walker, w->why, -EXDEV,
			"copy the file there, or give an absolute path where a path is asked for",
			"%s leads out of %s%s%s%s", w->shown, base->path, to ? ", to " : "",
			to ? to : "", to ? gone : "");
}

static int walk_inside(struct walk *w, const struct place *base, const char *path)
{
	struct stat beneath;
	int r, inside = base ? stat_beneath(w, base, path, &beneath) : 0;
	bool refused = inside == -ENOSYS;
	struct complaint why = *w->why;

	/*
	 * In any case: only the walk knows the component at fault and the directories to watch.
	 * Where it goes beyond the base it only looks.
	 */
	r = walk_start(w, base, path);
	if (r >= 0)
		r = walk_path(w);
	if (inside == -EXDEV)
		return refuse_outside(w, base, r);
	if (refused) {
		*w->why = why;
		return inside;
	}
	if (r < 0)
		return r;
	if (inside < 0)
		return walk_fail(w, inside, w->shown);
	if (base && !is_same_inode(&beneath, &w->st))
		return walk_fail(w, -ESTALE, w->shown);
	return 0;
}

/* The path as the user knows it. */
static const char *shown_path(struct walker *w, const struct place *base, const char *path)
{
	return base ? arena_printf(w->arena, "%s/%s", base->path, path) : path;
}

int walk_directory(struct walker *walker, const struct place *base, const char *path,
		   struct place *ret, struct complaint *why)
{
	cleanup(walk_done) struct walk w = { .walker = walker, .why = why, .parent = -1, .fd = -1 };
	int r;

	w.shown = shown_path(walker, base, path);
	r = walk_inside(&w, base, path);
	if (r < 0)
		return r;
	if (!S_ISDIR(w.st.st_mode))
		return walk_fail(&w, -ENOTDIR, w.shown);
	if (w.name)
		descend(&w);
	*ret = (struct place){
		.fd = take_fd(w.parent),
		.path = w.shown,
		.real = arena_strdup(walker->arena, *strbuf_get(&w.real) ? w.real.s : "/"),
	};
	walk_watch(walker, ret->real);
	return 0;
}

static const char *kind_of(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFDIR:
		return "a directory";
	case S_IFIFO:
		return "a FIFO";
	case S_IFSOCK:
		return "a socket";
	case S_IFBLK:
		return "a block device";
	case S_IFCHR:
		return "a character device";
	default:
		return "of no known kind";
	}
}

int walk_file(struct walker *walker, const struct place *base, const char *path, int *ret_fd,
	      struct complaint *why)
{
	cleanup(walk_done) struct walk w = { .walker = walker, .why = why, .parent = -1, .fd = -1 };
	cleanup(closep) int fd = -1;
	struct stat st;
	int r;

	w.shown = shown_path(walker, base, path);
	r = walk_inside(&w, base, path);
	if (r < 0)
		return r;
	walk_watch(walker, strbuf_get(&w.real));
	if (!S_ISREG(w.st.st_mode))
		return complain(walker, why, -ENOTSUP, "only regular files are read", "%s is %s",
				w.shown, kind_of(w.st.st_mode));
	/*
	 * Opened anew by its name, since reopening an O_PATH descriptor needs /proc. That the name
	 * may lead to a FIFO by now is what O_NONBLOCK is for.
	 */
	fd = openat(w.parent, w.name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return walk_fail(&w, errno == ELOOP ? -ESTALE : -errno, w.shown);
	if (!is_same_inode(&st, &w.st))
		return walk_fail(&w, -ESTALE, w.shown);
	*ret_fd = take_fd(fd);
	return 0;
}

int walk_is_mask(struct walker *w, const struct place *base, const char *name,
		 struct complaint *why)
{
	static const char mask[] = "/dev/null";
	cleanup(closep) int fd = openat(base->fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	char target[sizeof(mask)];
	struct stat st;
	int r;

	/* Whatever is in the way is for the one to tell who then opens it. */
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISLNK(st.st_mode))
		return 0;
	if (readlinkat(fd, "", target, sizeof(target)) != (ssize_t)sizeof(mask) - 1 ||
	    memcmp(target, mask, sizeof(mask) - 1) != 0)
		return 0;
	r = check_trust(w, fd, &st, shown_path(w, base, name), why);
	return r < 0 ? r : 1;
}

int read_bytes(int fd, size_t limit, char **ret_data, size_t *ret_size)
{
	cleanup(freep) char *data = NULL;
	size_t size = 0, cap;
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_size > (off_t)limit)
		return -EFBIG;
	cap = (size_t)st.st_size + 2; /* a byte more tells a file that grew; and the NUL */
	data = xrealloc(NULL, cap);
	for (;;) {
		ssize_t n = read(fd, data + size, cap - 1 - size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		size += (size_t)n;
		if (size > limit)
			return -EFBIG;
		if (size == cap - 1) {
			cap *= 2;
			data = xrealloc(data, cap);
		}
	}
	data[size] = '\0';
	*ret_data = take_ptr(data);
	*ret_size = size;
	return 0;
}
