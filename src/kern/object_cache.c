/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
#include "kern/object_cache.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/macros.h"
#include "base/str.h"
#include "kern/counters.h"
#include "kern/stamp.h"
#include "model/layout.h"

enum { DIR_VERSION, DIR_PROGRAMS, DIR_MAPS, DIR_EXTENSIONS, DIR_COUNT };

struct version {
	const char *paths[DIR_COUNT]; /* relative to objects/ */
	struct stamp stamps[DIR_COUNT];
	const void *meta; /* as read, until it is kept; the reader's */
	size_t meta_size;
	struct observed_object object;
};

struct object_record {
	struct object_scan *scan; /* while it is made */
	struct arena *a;
	const char *name;
	struct stamp stamp;
	struct version *versions;
	size_t count;
	bool settled; /* nothing changed in the tick in which it was read */
	bool kept;    /* else it was not worth it */
	size_t references;
};

struct record_list {
	struct object_record **v;
	size_t n, cap;
};

struct object_cache {
	struct record_list list;
};

struct object_scan {
	struct object_cache *cache;
	int root;
	size_t next; /* of the cache's list, whose records go into this one or to their end */
	struct record_list list, borrowed;
	struct arena *a;
	struct timespec now;
	bool counting;
};

/* The cache has one reference, and each observation that was told of it another. */
static void record_release(struct object_record *r)
{
	if (r && --r->references == 0)
		arena_free(r->a); /* which it is in */
}

static void list_free(struct record_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		record_release(l->v[i]);
	free(l->v);
}

static void list_add(struct record_list *l, struct object_record *r)
{
	if (l->n == l->cap) {
		l->cap = l->cap ? 2 * l->cap : 16;
		l->v = xrealloc(l->v, l->cap * sizeof(*l->v));
	}
	l->v[l->n++] = r;
}

struct object_cache *object_cache_new(void)
{
	return xnew(struct object_cache);
}

void object_cache_free(struct object_cache *k)
{
	if (!k)
		return;
	list_free(&k->list);
	free(k);
}

/* --- directories ------------------------------------------------------------------ */

/* A directory that was missing and is made changes the one above it, which is looked at as well. */
static bool is_unchanged(int root, const char *path, const struct stamp *before)
{
	const struct stamp now = before->inode ? stamp_of(root, path) : *before;

	return !before->inode || stamp_same(&now, before);
}

static bool version_is_unchanged(int root, const struct version *v)
{
	for (size_t i = 0; i < DIR_COUNT; i++)
		if (!is_unchanged(root, v->paths[i], &v->stamps[i]))
			return false;
	return true;
}

static bool record_is_unchanged(int root, const struct object_record *r)
{
	if (!r->settled || !is_unchanged(root, r->name, &r->stamp))
		return false;
	for (size_t i = 0; i < r->count; i++)
		if (!version_is_unchanged(root, &r->versions[i]))
			return false;
	return true;
}

/* --- what is known ---------------------------------------------------------------- */

static bool kernel_counts_runs(void)
{
	cleanup(closep) int fd = open("/proc/sys/kernel/bpf_stats_enabled", O_RDONLY | O_CLOEXEC);
	char value = '0';

	return fd >= 0 && read(fd, &value, 1) == 1 && value != '0';
}

/* That a program cannot be asked is no matter: it is pinned, and so still what it was. */
static void count_runs(struct observed_program *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		(void)counters_read_runs(p[i].id, &p[i].run_count, &p[i].run_ns);
}

/* What is told lasts as long as the arena that it is told in, whatever becomes of the cache. */
static void borrow(struct object_scan *s, struct object_record *r)
{
	r->references++;
	list_add(&s->borrowed, r);
}

static void give_back(void *arg)
{
	struct record_list *borrowed = arg;

	list_free(borrowed);
	free(borrowed);
}

static void restore(struct object_scan *s, struct object_record *r, struct object_versions *ret)
{
	ret->n = r->count;
	ret->v = arena_calloc(s->a, ret->n, sizeof(*ret->v));
	for (size_t i = 0; i < ret->n; i++) {
		struct observed_object *o = &r->versions[i].object;

		if (s->counting) {
			count_runs(o->programs, o->program_count);
			count_runs(o->extensions, o->extension_count);
		}
		ret->v[i] = *o;
	}
	borrow(s, r);
}

/* The record of this name, taken out of the cache's list; those before it are of nobody any more. */
static struct object_record *take_record(struct object_scan *s, const char *name)
{
	struct record_list *l = &s->cache->list;

	while (s->next < l->n) {
		struct object_record *r = l->v[s->next];
		int order = strcmp(r->name, name);

		if (order > 0)
			break;
		l->v[s->next++] = NULL;
		if (order == 0)
			return r;
		record_release(r);
	}
	return NULL;
}

bool object_scan_find(struct object_scan *s, const char *name, struct object_versions *ret)
{
	struct object_record *r = take_record(s, name);

	if (r && record_is_unchanged(s->root, r)) {
		restore(s, r, ret);
		list_add(&s->list, r);
		return true;
	}
	record_release(r);
	return false;
}

/* --- a new record ----------------------------------------------------------------- */

static struct stamp stamp_take(struct object_record *r, const char *path)
{
	struct stamp stamp = stamp_of(r->scan->root, path);

	if (!stamp_settled(&stamp, &r->scan->now))
		r->settled = false;
	return stamp;
}

struct object_record *object_record_new(struct object_scan *s, const char *name)
{
	struct arena *a = arena_new_small();
	struct object_record *r = arena_new_of(a, struct object_record);

	r->scan = s;
	r->a = a;
	r->name = arena_strdup(a, name);
	r->settled = true;
	r->references = 1;
	r->stamp = stamp_take(r, name);
	list_add(&s->list, r);
	return r;
}

void object_record_reserve(struct object_record *r, size_t most)
{
	r->versions = arena_calloc(r->a, most, sizeof(*r->versions));
}

void object_record_add(struct object_record *r, const char *version)
{
	static const char *const below[DIR_COUNT] = { NULL, LAYOUT_PROGRAMS, LAYOUT_MAPS,
						      LAYOUT_EXTENSIONS };
	const char *directory = arena_printf(r->a, "%s/%s", r->name, version);
	struct version *v = &r->versions[r->count++];

	for (size_t i = 0; i < DIR_COUNT; i++) {
		v->paths[i] = below[i] ? arena_printf(r->a, "%s/%s", directory, below[i]) :
					 directory;
		v->stamps[i] = stamp_take(r, v->paths[i]);
	}
}

void object_record_meta(struct object_record *r, const void *data, size_t size)
{
	struct version *v = &r->versions[r->count - 1];

	v->meta = data;
	v->meta_size = size;
}

static struct observed_program *copy_programs(struct arena *a, const struct observed_program *p,
					      size_t n)
{
	struct observed_program *copy = arena_dup(a, p, n * sizeof(*p));

	for (size_t i = 0; i < n; i++) {
		copy[i].name = arena_strdup(a, p[i].name);
		copy[i].maps = arena_dup(a, p[i].maps, p[i].map_count * sizeof(*p[i].maps));
	}
	return copy;
}

static struct observed_map *copy_maps(struct arena *a, const struct observed_map *m, size_t n)
{
	struct observed_map *copy = arena_dup(a, m, n * sizeof(*m));

	for (size_t i = 0; i < n; i++)
		copy[i].name = arena_strdup(a, m[i].name);
	return copy;
}

/* False: metadata that was understood is not any more, which cannot be. */
static bool copy_object(struct arena *a, const struct observed_object *o, struct version *ret)
{
	struct observed_object copy = *o;

	copy.foreign.v = arena_calloc(a, o->foreign.n, sizeof(*copy.foreign.v));
	for (size_t i = 0; i < o->foreign.n; i++)
		copy.foreign.v[i] = arena_strdup(a, o->foreign.v[i]);
	copy.instance = arena_strdup(a, o->instance);
	copy.version = arena_strdup(a, o->version);
	copy.programs = copy_programs(a, o->programs, o->program_count);
	copy.extensions = copy_programs(a, o->extensions, o->extension_count);
	copy.maps = copy_maps(a, o->maps, o->map_count);
	copy.meta = (struct meta_object){ 0 };
	ret->object = copy;
	return meta_object_decode(a, ret->meta, ret->meta_size, &ret->object.meta, NULL) == 0;
}

static bool keep_version(struct object_record *r, size_t i, const struct observed_object *o)
{
	struct version *v = &r->versions[i];
	bool good = o->complete && !o->lost_count && v->meta && copy_object(r->a, o, v);

	v->meta = NULL;
	return good;
}

void object_record_keep(struct object_record *r, const struct observed_object *v, size_t n)
{
	bool good = r->stamp.inode && n == r->count;

	for (size_t i = 0; good && i < n; i++)
		good = keep_version(r, i, &v[i]);
	r->kept = good;
}

/* --- a scan ----------------------------------------------------------------------- */

struct object_scan *object_scan_begin(struct object_cache *k, struct arena *a, const char *root)
{
	struct object_scan *s = xnew(struct object_scan);

	s->cache = k;
	s->a = a;
	s->root = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	s->counting = kernel_counts_runs();
	s->now = stamp_now();
	return s;
}

void object_scan_end(struct object_scan *s)
{
	struct record_list kept = { 0 }, *borrowed = xnew(struct record_list);

	*borrowed = s->borrowed;
	arena_at_end(s->a, give_back, borrowed);

	for (size_t i = 0; i < s->list.n; i++) {
		if (s->list.v[i]->kept)
			list_add(&kept, s->list.v[i]);
		else
			record_release(s->list.v[i]);
	}
	free(s->list.v);
	list_free(&s->cache->list); /* what was taken out is NULL there */
	s->cache->list = kept;
	closep(&s->root);
	free(s);
}
