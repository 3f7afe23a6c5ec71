/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Every file is written under a name of no meaning, synced, renamed and its directory synced:
 * after a crash at any point each name has its old or its new content, whole. The
 * entry comes after the objects that it refers to, and objects go only after the
 * entries that did. What is read back proves itself: an object by its name, an entry by
 * the hash in its last line.
 *
 *   bpfshare-last-good 1
 *   path LENGTH
 *   <path>
 *   object SHA256 LENGTH     for each object
 *   <path>
 *   text LENGTH
 *   <text>
 *   sha256 <of all before this line>
 *
 * The number in the first line is the version of this format. A higher one is what a newer bpfshare
 * wrote: nothing of it is judged, and while there is such an entry no object is removed, since it may
 * refer to any of them. It goes when its file is valid and so is kept in our own format.
 */
#include "kern/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/num.h"
#include "base/str.h"
#include "kern/source_walk.h"
#include "model/limits.h"

#define FORMAT     1
#define MAGIC_NAME "bpfshare-last-good "
#define MAGIC      MAGIC_NAME "1\n"
#define NEW_NAME   ".new"

/* The text, and as many objects as a file can declare with paths of a sensible length. */
#define ENTRY_BYTES_MAX (LIMIT_FILE_BYTES + LIMIT_OBJECTS * 1024)

struct store {
	char *dir;
	int files, objects; /* the two directories */
	bool synced;        /* what an earlier process renamed into place is on the disk as well */
};

void store_free(struct store *s)
{
	if (!s)
		return;
	closep(&s->files);
	closep(&s->objects);
	free(s->dir);
	free(s);
}

static void store_freep(struct store **s)
{
	store_free(*s);
}

/* 1: it was made, and its name is on the disk; 0: it was there. path is relative to the directory at. */
static int make_directory(int at, const char *path, mode_t mode)
{
	const char *slash = strrchr(path, '/');
	cleanup(freep) char *parent = slash ? xasprintf("%.*s", (int)(slash + 1 - path), path) :
					      xstrdup(".");
	cleanup(closep) int fd = -1;

	if (mkdirat(at, path, mode) < 0)
		return errno == EEXIST ? 0 : -errno;
	fd = openat(at, parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fsync(fd) < 0)
		return -errno;
	return 1;
}

static int make_parents(const char *dir, struct error *e)
{
	cleanup(freep) char *path = xstrdup(dir);

	for (char *c = path + 1; *c; c++) {
		int r;

		if (*c != '/')
			continue;
		*c = '\0';
		r = make_directory(AT_FDCWD, path, 0755);
		if (r < 0)
			return error_set(e, r, "%s cannot be created: %s", path, error_string(r));
		*c = '/';
	}
	return 0;
}

/* Opens a directory of ours, which nobody else may write to; others may not read it either. */
static int open_private(int at, const char *path, const char *shown, int *ret_fd, struct error *e)
{
	cleanup(closep) int fd = -1;
	struct stat st;
	int r = make_directory(at, path, 0700);

	if (r < 0)
		return error_set(e, r, "%s cannot be created: %s", shown, error_string(r));
	fd = openat(at, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return error_set(e, -errno, "%s cannot be opened: %s", shown, error_string(errno));
	if (st.st_uid != geteuid() || (st.st_mode & (S_IWGRP | S_IWOTH)))
		return error_set(e, -EPERM,
				 "%s can be written by others (owner %u, mode %04o), so "
				 "that its contents prove nothing: remove it; it is created anew",
				 shown, (unsigned int)st.st_uid, st.st_mode & 07777u);
	/* On a read-only disk it can still be read. */
	if ((st.st_mode & 0077) && fchmod(fd, 0700) < 0 && errno != EROFS)
		return error_set(e, -errno, "%s: mode 0700: %s", shown, error_string(errno));
	*ret_fd = take_fd(fd);
	return 0;
}

int store_open(const char *dir, struct store **ret, struct error *e)
{
	cleanup(store_freep) struct store *s = xnew(struct store);
	cleanup(closep) int top = -1;
	int r;

	s->files = s->objects = -1;
	s->dir = xstrdup(dir);
	r = make_parents(dir, e);
	if (r >= 0)
		r = open_private(AT_FDCWD, dir, dir, &top, e);
	if (r >= 0)
		r = open_private(top, "files", dir, &s->files, e);
	if (r >= 0)
		r = open_private(top, "objects", dir, &s->objects, e);
	if (r < 0)
		return error_prefix(e, r, "last good versions");
	*ret = take_ptr(s);
	return 0;
}

static bool is_at(int fd, const char *dir, const char *below)
{
	cleanup(freep) char *path = xasprintf("%s/%s", dir, below);
	struct stat held, present;

	return fstat(fd, &held) == 0 && lstat(path, &present) == 0 &&
	       held.st_dev == present.st_dev && held.st_ino == present.st_ino;
}

bool store_is_current(const struct store *s)
{
	return is_at(s->files, s->dir, "files") && is_at(s->objects, s->dir, "objects");
}

static int write_all(int fd, const char *data, size_t size)
{
	while (size > 0) {
		ssize_t n = write(fd, data, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		data += n;
		size -= (size_t)n;
	}
	return 0;
}

static int write_new(int dir, const void *data, size_t size)
{
	cleanup(closep) int fd = -1;
	int r;

	/* What a crash left behind. */
	if (unlinkat(dir, NEW_NAME, 0) < 0 && errno != ENOENT)
		return -errno;
	fd = openat(dir, NEW_NAME, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	r = write_all(fd, data, size);
	if (r >= 0 && fsync(fd) < 0)
		r = -errno;
	return r;
}

static const char *write_remedy(int code)
{
	switch (code) {
	case -ENOSPC:
	case -EDQUOT:
	case -EFBIG:
		return ": make room there";
	case -EROFS:
		return ": make it writable";
	case -EISDIR:
		return ": remove the directory";
	case -EIO:
		return ": see the kernel's log for the disk's own words";
	default:
		return "";
	}
}

static int write_file(struct store *s, int dir, const char *name, const void *data, size_t size,
		      struct error *e)
{
	const char *part = dir == s->files ? "files" : "objects", *at = NEW_NAME;
	int r = write_new(dir, data, size);

	if (r >= 0 && renameat(dir, NEW_NAME, dir, name) < 0) {
		r = -errno;
		at = name;
	}
	/* Until this comes through, both names may be what a crash leaves: the next save tries again. */
	if (r >= 0 && fsync(dir) < 0) {
		r = -errno;
		s->synced = false;
	}
	if (r >= 0)
		return 0;
	(void)unlinkat(dir, NEW_NAME, 0);
	return error_set(e, r,
			 "no last good version can be kept (the one before stays): %s/%s/%s: %s%s",
			 s->dir, part, at, error_string(r), write_remedy(r));
}

/* A process may have been killed between a rename and the end of its fsync. */
static int sync_directories(struct store *s, struct error *e)
{
	if (s->synced)
		return 0;
	/* A read-only disk has nothing that waits to be written. */
	if ((fsync(s->objects) < 0 || fsync(s->files) < 0) && errno != EROFS)
		return error_set(e, -errno, "%s: %s%s", s->dir, error_string(errno),
				 write_remedy(-errno));
	s->synced = true;
	return 0;
}

/*
 * Reads one of our own files; the data is from malloc and ends in NUL. -EPERM: somebody else's, or others
 * can write to it, so that its content proves nothing.
 */
static int read_file(int dir, const char *name, size_t limit, char **ret_data, size_t *ret_size)
{
	cleanup(closep) int fd =
		openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return errno == ELOOP ? -EBADMSG : -errno;
	if (!S_ISREG(st.st_mode))
		return -EBADMSG;
	if (st.st_uid != geteuid() || (st.st_mode & (S_IWGRP | S_IWOTH)))
		return -EPERM;
	return read_bytes(fd, limit, ret_data, ret_size);
}

static bool sha256_is_valid(const char *hex)
{
	return strlen(hex) == SHA256_HEX - 1 && strspn(hex, "0123456789abcdef") == SHA256_HEX - 1;
}

static void entry_encode(const struct store_entry *entry, struct strbuf *out)
{
	char sum[SHA256_HEX];

	strbuf_addf(out, MAGIC "path %zu\n%s\n", strlen(entry->path), entry->path);
	for (size_t i = 0; i < entry->object_count; i++) {
		const struct store_object *o = &entry->objects[i];

		strbuf_addf(out, "object %s %zu\n%s\n", o->sha256, strlen(o->path), o->path);
	}
	strbuf_addf(out, "text %zu\n", entry->size);
	strbuf_addn(out, entry->text, entry->size);
	strbuf_addc(out, '\n');
	hash_bytes(out->s, out->len, sum);
	strbuf_addf(out, "sha256 %s\n", sum);
}

/* What is left to decode. */
struct cursor {
	const char *at;
	size_t left;
};

/* Steps over literal if it comes next. */
static bool accept(struct cursor *c, const char *literal)
{
	size_t n = strlen(literal);

	if (c->left < n || memcmp(c->at, literal, n) != 0)
		return false;
	c->at += n;
	c->left -= n;
	return true;
}

/* "LENGTH\n<bytes>\n" */
static const char *accept_bytes(struct cursor *c, struct arena *a, size_t *ret_size)
{
	const char *end = memchr(c->at, '\n', MIN(c->left, (size_t)24));
	char digits[24];
	const char *bytes;
	uint32_t n;

	if (!end)
		return NULL;
	(void)memcpy(digits, c->at, (size_t)(end - c->at));
	digits[end - c->at] = '\0';
	if (num_parse_u32(digits, ENTRY_BYTES_MAX, &n) < 0)
		return NULL;
	c->left -= (size_t)(end + 1 - c->at);
	c->at = end + 1;
	if (c->left <= n || c->at[n] != '\n')
		return NULL;
	bytes = arena_dup(a, c->at, (size_t)n + 1);
	((char *)bytes)[n] = '\0';
	c->at += (size_t)n + 1;
	c->left -= (size_t)n + 1;
	*ret_size = n;
	return bytes;
}

static bool accept_object(struct cursor *c, struct arena *a, struct store_object *o)
{
	size_t size;

	if (c->left < SHA256_HEX)
		return false;
	memcpy(o->sha256, c->at, SHA256_HEX - 1);
	o->sha256[SHA256_HEX - 1] = '\0';
	c->at += SHA256_HEX - 1;
	c->left -= SHA256_HEX - 1;
	if (!sha256_is_valid(o->sha256) || !accept(c, " "))
		return false;
	o->path = accept_bytes(c, a, &size);
	return o->path != NULL;
}

static bool sum_is_right(const char *data, size_t size)
{
	const size_t tail = strlen("sha256 ") + SHA256_HEX; /* with the final newline */
	char sum[SHA256_HEX];

	if (size < tail || memcmp(data + size - tail, "sha256 ", strlen("sha256 ")) != 0 ||
	    data[size - 1] != '\n')
		return false;
	hash_bytes(data, size - tail, sum);
	return memcmp(data + size - SHA256_HEX, sum, SHA256_HEX - 1) == 0;
}

/* The format's number is above ours, and all else may be different. */
static bool entry_is_newer(const char *data, size_t size)
{
	const size_t n = strlen(MAGIC_NAME);
	const char *end = size > n ? memchr(data + n, '\n', MIN(size - n, (size_t)12)) : NULL;
	char digits[12];
	uint32_t version;

	if (!end || memcmp(data, MAGIC_NAME, n) != 0 || (size_t)(end - data) - n >= sizeof(digits))
		return false;
	memcpy(digits, data + n, (size_t)(end - data) - n);
	digits[(size_t)(end - data) - n] = '\0';
	return num_parse_u32(digits, UINT32_MAX, &version) == 0 && version > FORMAT;
}

static bool entry_decode(struct arena *a, const char *data, size_t size, struct store_entry *ret)
{
	struct cursor c = { .at = data, .left = size };
	LIST(struct store_object) objects = { 0 };
	size_t path_size;

	if (!sum_is_right(data, size) || !accept(&c, MAGIC) || !accept(&c, "path "))
		return false;
	ret->path = accept_bytes(&c, a, &path_size);
	if (!ret->path)
		return false;
	while (accept(&c, "object "))
		if (!accept_object(&c, a, LIST_ADD(a, &objects)))
			return false;
	ret->objects = objects.v;
	ret->object_count = objects.n;
	if (!accept(&c, "text "))
		return false;
	ret->text = accept_bytes(&c, a, &ret->size);
	return ret->text != NULL;
}

static void entry_name(const char *path, char ret[SHA256_HEX])
{
	hash_bytes(path, strlen(path), ret);
}

bool store_has_object(const struct store *s, const char *sha256)
{
	struct stat st;

	return sha256_is_valid(sha256) &&
	       fstatat(s->objects, sha256, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode);
}

/* With the content at hand, a copy that a disk damaged is found while it can still be made good. */
static bool object_is_stored(const struct store *s, const struct store_object *o)
{
	cleanup(freep) char *data = NULL;
	size_t size = 0;

	if (!o->data)
		return store_has_object(s, o->sha256);
	return read_file(s->objects, o->sha256, LIMIT_OBJECT_BYTES, &data, &size) >= 0 &&
	       size == o->size && memcmp(data, o->data, size) == 0;
}

static int save_objects(struct store *s, const struct store_entry *entry, struct error *e)
{
	for (size_t i = 0; i < entry->object_count; i++) {
		const struct store_object *o = &entry->objects[i];
		int r;

		if (!sha256_is_valid(o->sha256))
			return error_set(e, -EINVAL, "%s: object %s has no hash", entry->path,
					 o->path);
		if (object_is_stored(s, o))
			continue;
		if (!o->data)
			return error_set(e, -ENOENT, "%s: object %s (%s) is not kept", entry->path,
					 o->path, o->sha256);
		r = write_file(s, s->objects, o->sha256, o->data, o->size, e);
		if (r < 0)
			return r;
	}
	return 0;
}

int store_save(struct store *s, const struct store_entry *entry, struct error *e)
{
	cleanup(strbuf_done) struct strbuf text = { 0 };
	cleanup(freep) char *old = NULL;
	char name[SHA256_HEX];
	size_t old_size = 0;
	int r;

	entry_encode(entry, &text);
	if (text.len > ENTRY_BYTES_MAX)
		return error_set(e, -EFBIG, "%s: too large to be kept", entry->path);
	r = save_objects(s, entry, e);
	if (r < 0)
		return r;
	entry_name(entry->path, name);
	if (read_file(s->files, name, ENTRY_BYTES_MAX, &old, &old_size) >= 0 &&
	    old_size == text.len && memcmp(old, text.s, text.len) == 0)
		return sync_directories(s, e);
	return write_file(s, s->files, name, text.s, text.len, e);
}

static int load_entry(const struct store *s, struct arena *a, const char *name,
		      struct store_entry *ret)
{
	cleanup(freep) char *data = NULL;
	size_t size = 0;
	int r = read_file(s->files, name, ENTRY_BYTES_MAX, &data, &size);
	char expected[SHA256_HEX];

	if (r < 0)
		return r == -EFBIG ? -EBADMSG : r;
	*ret = (struct store_entry){ 0 };
	if (entry_is_newer(data, size))
		return -EOPNOTSUPP;
	if (!entry_decode(a, data, size, ret))
		return -EBADMSG;
	entry_name(ret->path, expected);
	return str_eq(name, expected) ? 0 : -EBADMSG;
}

int store_load(const struct store *s, struct arena *a, const char *path, struct store_entry *ret,
	       struct error *e)
{
	char name[SHA256_HEX];
	int r;

	entry_name(path, name);
	r = load_entry(s, a, name, ret);
	if (r == -ENOENT)
		return error_set(e, r, "no last good version of %s is kept", path);
	if (r == -EBADMSG)
		return error_set(e, r,
				 "the last good version of %s (%s/files/%s) is damaged and is "
				 "not used: it is replaced when the file is valid again",
				 path, s->dir, name);
	if (r == -EOPNOTSUPP)
		return error_set(e, r,
				 "the last good version of %s (%s/files/%s) was kept by a newer "
				 "bpfshare and is not used by this one: it is replaced when the "
				 "file is valid again",
				 path, s->dir, name);
	if (r == -EPERM)
		return error_set(e, r,
				 "the last good version of %s (%s/files/%s) belongs to or can be "
				 "written by others and is not used: it is replaced when the file "
				 "is valid again",
				 path, s->dir, name);
	if (r < 0)
		return error_set(e, r,
				 "the last good version of %s (%s/files/%s) cannot be read: %s",
				 path, s->dir, name, error_string(r));
	return 0;
}

int store_load_object(const struct store *s, const char *sha256, struct source_blob *ret,
		      struct error *e)
{
	cleanup(freep) char *data = NULL;
	char sum[SHA256_HEX];
	size_t size = 0;
	int r;

	if (!sha256_is_valid(sha256))
		return error_set(e, -EINVAL, "'%s' is not a SHA-256", sha256);
	r = read_file(s->objects, sha256, LIMIT_OBJECT_BYTES, &data, &size);
	if (r == -ENOENT)
		return error_set(e, r, "no object file with SHA-256 %s is kept", sha256);
	if (r >= 0)
		hash_bytes(data, size, sum);
	if (r == -EBADMSG || r == -EFBIG || r == -EPERM || (r >= 0 && !str_eq(sum, sha256))) {
		/* Gone, it is written again by the next store_save that has it. */
		bool gone = unlinkat(s->objects, sha256, 0) == 0;

		return error_set(
			e, -EBADMSG, "the kept copy of an object file (%s/objects/%s) %s and is %s",
			s->dir, sha256,
			r == -EPERM ? "belonged to or could be written by others" : "was damaged",
			gone ? "removed" : "not used");
	}
	if (r < 0)
		return error_set(e, r, "%s/objects/%s: %s", s->dir, sha256, error_string(r));
	*ret = (struct source_blob){ .data = take_ptr(data), .size = size };
	memcpy(ret->sha256, sum, sizeof(ret->sha256));
	return 0;
}

static int name_compare(const void *left, const void *right)
{
	return strcmp(*(const char *const *)left, *(const char *const *)right);
}

static void names_sort(struct string_list *names)
{
	if (names->n > 1)
		qsort(names->v, names->n, sizeof(*names->v), name_compare);
}

static bool names_have(const struct string_list *names, const char *name)
{
	return names->n > 0 &&
	       bsearch(&name, names->v, names->n, sizeof(*names->v), name_compare) != NULL;
}

/* All names but "." and "..", read before the first is removed. */
static int list_names(struct arena *a, int dir, struct string_list *ret)
{
	LIST(const char *) names = { 0 };
	const struct dirent *d;
	DIR *stream;
	int r, fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	stream = fdopendir(fd);
	if (!stream)
		abort(); /* only memory can be missing */
	while (errno = 0, (d = readdir(stream)))
		if (!str_eq(d->d_name, ".") && !str_eq(d->d_name, ".."))
			*LIST_ADD(a, &names) = arena_strdup(a, d->d_name);
	r = -errno;
	(void)closedir(stream);
	*ret = (struct string_list){ .v = names.v, .n = names.n };
	return r;
}

/* Names that are not ours, and directories of whatever name, were put there by somebody else. */
static int remove_others(int dir, struct arena *a, const struct string_list *keep)
{
	struct string_list names = { 0 };
	bool removed = false;
	int r = list_names(a, dir, &names);

	for (size_t i = 0; r >= 0 && i < names.n; i++) {
		if (names_have(keep, names.v[i]) ||
		    (!sha256_is_valid(names.v[i]) && !str_eq(names.v[i], NEW_NAME)))
			continue;
		if (unlinkat(dir, names.v[i], 0) == 0)
			removed = true;
		else if (errno != ENOENT && errno != EISDIR)
			r = -errno;
	}
	if (r >= 0 && removed && fsync(dir) < 0)
		r = -errno;
	return r;
}

int store_retain(struct store *s, const struct string_list *paths, struct error *e)
{
	cleanup(arena_freep) struct arena *a = arena_new();
	struct string_list files = { .v = arena_calloc(a, paths->n, sizeof(*files.v)) };
	LIST(const char *) hashes = { 0 };
	struct string_list objects;
	bool newer = false;
	int r;

	for (size_t i = 0; i < paths->n; i++) {
		struct store_entry entry;
		char name[SHA256_HEX];

		entry_name(paths->v[i], name);
		r = load_entry(s, a, name, &entry);
		if (r == -ENOENT || r == -EBADMSG || r == -EPERM)
			continue; /* a damaged entry is of no use to anybody */
		newer |= r == -EOPNOTSUPP;
		if (r < 0 && r != -EOPNOTSUPP) /* cannot look: then nothing may go */
			return error_set(e, r, "%s/files/%s: %s", s->dir, name, error_string(r));
		files.v[files.n++] = arena_strdup(a, name);
		for (size_t o = 0; o < entry.object_count; o++)
			*LIST_ADD(a, &hashes) = arena_strdup(a, entry.objects[o].sha256);
	}
	objects = (struct string_list){ .v = hashes.v, .n = hashes.n };
	names_sort(&files);
	names_sort(&objects);
	r = remove_others(s->files, a, &files);
	if (r >= 0 && !newer)
		r = remove_others(s->objects, a, &objects);
	return r < 0 ? error_set(e, r, "%s: old versions cannot be removed: %s", s->dir,
				 error_string(r)) :
		       0;
}
