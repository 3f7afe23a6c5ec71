/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Puts the directories together: of equal names the earliest directory's counts, and
 * the whole is read again if a ConfigMap was swapped meanwhile. The trust rules are
 * in source_walk.c, what is in one directory in source_dir.c.
 */
#include "kern/source.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "base/str.h"
#include "kern/source_dir.h"
#include "kern/source_walk.h"
#include "model/limits.h"

/* kubelet swaps every few seconds at most; who swaps faster than we read is not waited for. */
#define READ_ATTEMPTS 4

struct source {
	struct arena *arena;
	struct walker *walker; /* apart, since reading an object adds what has to be watched */
	struct source_place *places;
	struct source_directory *directories;
	size_t directory_count;
	struct source_file *files;
	size_t file_count;
	const struct source_overlay *overlay; /* NULL: none; not used after the read */
};

void source_free(struct source *s)
{
	if (!s)
		return;
	source_rest(s);
	arena_free(s->arena);
	free(s);
}

void source_rest(struct source *s)
{
	for (size_t i = 0; i < s->directory_count; i++)
		source_place_done(&s->places[i]);
}

static void source_freep(struct source **s)
{
	source_free(*s);
}

static struct source *source_new(const struct source_options *o)
{
	struct source *s = xnew(struct source);

	s->arena = arena_new();
	s->walker = arena_new_of(s->arena, struct walker);
	*s->walker = (struct walker){
		.arena = s->arena,
		.owners = arena_dup(s->arena, o->owners, o->owner_count * sizeof(*o->owners)),
		.owner_count = o->owner_count,
		.any_owner = o->any_owner,
	};
	s->directory_count = o->directories.n;
	s->places = arena_calloc(s->arena, s->directory_count, sizeof(*s->places));
	s->directories = arena_calloc(s->arena, s->directory_count, sizeof(*s->directories));
	for (size_t i = 0; i < s->directory_count; i++)
		s->places[i].top.fd = s->places[i].files.fd = -1;
	return s;
}

static void set_error(struct source_file *f, enum file_state state, const char *hint,
		      const char *message)
{
	f->state = state;
	f->error = (struct file_error){ .message = message, .hint = hint };
}

/* The path is in front of every message about the file; what begins with it would say it twice. */
static const char *without_path(struct arena *a, const struct source_file *f, const char *message)
{
	const char *rest = message + strlen(f->path);

	if (!str_starts(message, f->path))
		return message;
	if (str_starts(rest, ": "))
		return rest + 2;
	return *rest == ' ' ? arena_printf(a, "it%s", rest) : message;
}

/* Reads an open file into the arena; -errno with a complaint. */
static int read_open(struct walker *w, int fd, struct source_file *f, struct complaint *why)
{
	cleanup(freep) char *text = NULL;
	size_t size = 0;
	int r;

	r = read_bytes(fd, LIMIT_FILE_BYTES, &text, &size);
	if (r == -EFBIG)
		return complain(w, why, r, "split it into several files",
				"the file is larger than %d bytes", LIMIT_FILE_BYTES);
	if (r < 0)
		return complain(w, why, r, NULL, "the file cannot be read: %s", error_string(r));
	if (size == 0)
		return complain(w, why, -ENODATA,
				"write {} to declare nothing; only a link to /dev/null masks",
				"EmptyFile: the file is empty");
	f->text = arena_dup(w->arena, text, size + 1);
	f->size = size;
	return 0;
}

static int read_text(struct walker *w, const struct place *place, const char *name,
		     struct source_file *f, struct complaint *why)
{
	cleanup(closep) int fd = -1;
	int r = walk_file(w, place, name, &fd, why);

	return r < 0 ? r : read_open(w, fd, f, why);
}

static int read_overlay(struct walker *w, const struct source_overlay *overlay,
			struct source_file *f, struct complaint *why)
{
	cleanup(closep) int fd = open(overlay->file, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return complain(w, why, -EIO, NULL, "%s: %s", overlay->file, error_string(errno));
	return read_open(w, fd, f, why);
}

/* false: the entry vanished after its name was read. */
static bool read_entry(struct source *s, const struct source_entry *entry, struct source_file *f)
{
	const struct source_place *p = &s->places[entry->directory];
	struct complaint why = { 0 };
	struct stat st;
	int r;

	if (s->overlay && s->overlay->file && str_eq(s->overlay->path, f->path)) {
		r = read_overlay(s->walker, s->overlay, f, &why);
	} else {
		r = walk_is_mask(s->walker, &p->files, entry->name, &why);
		if (r > 0) {
			f->state = FILE_MASKED;
			return true;
		}
		if (r == 0)
			r = read_text(s->walker, &p->files, entry->name, f, &why);
	}
	if (r == -ENOENT && fstatat(p->files.fd, entry->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return false;
	if (r == -EPERM || r == -EXDEV || r == -ENOTSUP)
		set_error(f, FILE_REFUSED, why.hint, without_path(s->arena, f, why.what));
	else if (r < 0)
		set_error(f, FILE_INVALID, why.hint, without_path(s->arena, f, why.what));
	return true;
}

static int entry_compare(const void *left, const void *right)
{
	const struct source_entry *a = left, *b = right;
	int c = strcmp(a->name, b->name);

	if (c == 0)
		c = (int)b->is_file - (int)a->is_file; /* the one that counts first */
	return c != 0 ? c : (a->directory > b->directory) - (a->directory < b->directory);
}

static void read_entries(struct source *s, struct source_entries *entries)
{
	const struct source_entry *before = NULL; /* the last that counts */
	size_t counted = 0;

	if (entries->list.n > 0)
		qsort(entries->list.v, entries->list.n, sizeof(*entries->list.v), entry_compare);
	s->files = arena_calloc(s->arena, entries->list.n, sizeof(*s->files));
	for (size_t i = 0; i < entries->list.n; i++) {
		const struct source_entry *entry = &entries->list.v[i];
		struct source_file *f = &s->files[s->file_count];

		if (entry->is_file && before && str_eq(before->name, entry->name))
			continue;
		f->path = arena_printf(s->arena, "%s/%s", s->directories[entry->directory].path,
				       entry->name);
		f->name = entry->name;
		f->directory = entry->directory;
		if (!entry->is_file) {
			set_error(f, FILE_IGNORED, entry->hint, entry->message);
			s->file_count++;
			continue;
		}
		if (entry->message)
			set_error(f, FILE_INVALID, entry->hint, entry->message);
		else if (counted >= LIMIT_FILES)
			set_error(f, FILE_INVALID, "put more into one file",
				  arena_printf(s->arena, "more than %d configuration files",
					       LIMIT_FILES));
		else if (!read_entry(s, entry, f))
			continue;
		before = entry;
		counted++;
		s->file_count++;
	}
}

/* As configured, without the slashes at its end that would double in the paths of files. */
static const char *directory_path(struct arena *a, const char *path)
{
	size_t n = strlen(path);

	while (n > 1 && path[n - 1] == '/')
		n--;
	return n > 0 ? arena_strndup(a, path, n) : ".";
}

/* Puts the overlay's name among the entries, and takes the others away if it shall be alone. */
static void overlay_entries(struct source *s, struct source_entries *entries)
{
	const char *slash = strrchr(s->overlay->path, '/');
	size_t length = slash ? (size_t)(slash - s->overlay->path) : 0;

	if (s->overlay->alone)
		entries->list.n = 0;
	for (size_t i = 0; slash && i < s->directory_count; i++) {
		const char *path = s->directories[i].path;
		struct source_entry *entry;

		if (s->directories[i].state != DIRECTORY_READ || strlen(path) != length ||
		    memcmp(path, s->overlay->path, length) != 0)
			continue;
		for (size_t k = entries->list.n; k-- > 0;)
			if (entries->list.v[k].directory == i &&
			    str_eq(entries->list.v[k].name, slash + 1))
				entries->list.v[k] = entries->list.v[--entries->list.n];
		entry = LIST_ADD(s->arena, &entries->list);
		*entry = (struct source_entry){ .name = arena_strdup(s->arena, slash + 1),
						.directory = i,
						.is_file = true };
	}
}

static struct source *read_once(const struct source_options *o)
{
	struct source *s = source_new(o);
	struct source_entries entries = { 0 };

	for (size_t i = 0; i < s->directory_count; i++)
		source_place_read(s->walker, directory_path(s->arena, o->directories.v[i]), i,
				  &s->places[i], &entries, &s->directories[i]);
	s->overlay = o->overlay;
	if (s->overlay)
		overlay_entries(s, &entries);
	read_entries(s, &entries);
	return s;
}

bool source_is_stale(const struct source *s)
{
	for (size_t i = 0; i < s->directory_count; i++)
		if (source_place_moved(&s->places[i]))
			return true;
	return false;
}

/* What was read of a directory that does not hold still is a mixture: nothing of it may be used. */
static void drop_moving(struct source *s)
{
	size_t n = 0;

	for (size_t i = 0; i < s->directory_count; i++) {
		struct source_directory *d = &s->directories[i];

		if (!source_place_moved(&s->places[i]))
			continue;
		d->state = DIRECTORY_UNREADABLE;
		d->message = arena_printf(s->arena,
					  "%s/..data was replaced in each of %d attempts "
					  "to read it: let it rest",
					  d->path, READ_ATTEMPTS);
	}
	for (size_t i = 0; i < s->file_count; i++)
		if (s->directories[s->files[i].directory].state == DIRECTORY_READ)
			s->files[n++] = s->files[i];
	s->file_count = n;
}

int source_read(const struct source_options *o, struct source **ret, struct error *e)
{
	cleanup(source_freep) struct source *s = NULL;

	(void)e;
	for (int i = 0; i < READ_ATTEMPTS; i++) {
		source_free(s);
		s = read_once(o);
		if (!source_is_stale(s)) {
			*ret = take_ptr(s);
			return 0;
		}
	}
	drop_moving(s);
	*ret = take_ptr(s);
	return 0;
}

const struct source_file *source_files(const struct source *s, size_t *ret_count)
{
	*ret_count = s->file_count;
	return s->files;
}

const struct source_directory *source_directories(const struct source *s, size_t *ret_count)
{
	*ret_count = s->directory_count;
	return s->directories;
}

static int object_fail(struct error *e, int code, const struct complaint *why,
		       const char **ret_reason)
{
	if (code == -ENOENT || code == -ENOTDIR)
		*ret_reason = "ObjectMissing";
	else if (code == -EPERM || code == -EXDEV || code == -ENOTSUP)
		*ret_reason = "ObjectRefused";
	else if (code == -EFBIG)
		*ret_reason = "ObjectTooLarge";
	else
		*ret_reason = "ObjectUnreadable";
	if (why->hint)
		return error_set(e, code, "%s: %s", why->what, why->hint);
	return error_set(e, code, "%s", why->what);
}

/* After source_rest(). What is remembered of the way is only for as long as a. */
static int reopen(const struct source *s, size_t directory, struct arena *a,
		  struct source_place *ret, struct complaint *why)
{
	struct walker *w = arena_new_of(a, struct walker);

	*w = *s->walker;
	w->arena = a;
	w->watches.n = w->watches.cap = 0;
	w->watches.v = NULL;
	return source_place_open(w, s->places[directory].top.path, ret, why);
}

int source_read_object(const struct source *s, size_t file, const char *path, struct arena *a,
		       struct source_blob *ret, const char **ret_path, const char **ret_reason,
		       struct error *e)
{
	const size_t directory = s->files[file].directory;
	cleanup(source_place_done) struct source_place again = { .top.fd = -1, .files.fd = -1 };
	const struct place *base = &s->places[directory].files;
	struct walker *w = s->walker;
	struct complaint why = { 0 };
	cleanup(closep) int fd = -1;
	cleanup(freep) char *data = NULL;
	size_t size = 0;
	int r = 0;

	if (path[0] == '/')
		base = NULL;
	*ret_path = base ? arena_printf(a, "%s/%s", base->path, path) : arena_strdup(a, path);
	if (base && base->fd < 0) {
		r = reopen(s, directory, a, &again, &why);
		base = &again.files;
	}
	if (r >= 0)
		r = walk_file(w, base, path, &fd, &why);
	if (r >= 0) {
		r = read_bytes(fd, LIMIT_OBJECT_BYTES, &data, &size);
		if (r == -EFBIG)
			complain(w, &why, r, "is it stripped (llvm-strip -g)?",
				 "%s is larger than %d bytes", *ret_path, LIMIT_OBJECT_BYTES);
		else if (r < 0)
			complain(w, &why, r, NULL, "%s: %s", *ret_path, error_string(r));
	} else if (r == -ENOENT && !why.hint) {
		why.hint = "put the file there, or correct the path";
	}
	if (r < 0)
		return object_fail(e, r, &why, ret_reason);
	hash_bytes(data, size, ret->sha256);
	ret->data = take_ptr(data);
	ret->size = size;
	return 0;
}

void source_blob_done(struct source_blob *b)
{
	free(b->data);
	*b = (struct source_blob){ 0 };
}

void source_watch_paths(const struct source *s, struct arena *a, struct string_list *ret)
{
	ret->n = s->walker->watches.n;
	ret->v = arena_calloc(a, ret->n, sizeof(*ret->v));
	for (size_t i = 0; i < ret->n; i++)
		ret->v[i] = arena_strdup(a, s->walker->watches.v[i]);
}
