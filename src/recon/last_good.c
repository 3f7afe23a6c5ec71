/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * What was good: in memory for as long as the process lives, in the store for the next one. The
 * store may lag behind, on a full disk; what it has stays until there is something newer to put in its place.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "recon/loader_internal.h"

/* A full or read-only disk takes the next start's safety net away, not this one's work. */
int loader_open_store(struct loader *l, struct error *e)
{
	struct error local = { 0 };
	int code;

	/* Removed, or covered by a mount that came late: what is written there now nobody finds again. */
	if (l->store && !store_is_current(l->store)) {
		store_free(take_ptr(l->store));
		l->stored_count = 0;
	}
	if (l->store || !l->options.state_dir)
		return 0;
	e = e ? e : &local;
	code = store_open(l->options.state_dir, &l->store, e);
	free(l->store_trouble);
	l->store_trouble = code < 0 ? xstrdup(e->text) : NULL;
	return code;
}

struct remembered *remembered_find(struct loader *l, const char *path)
{
	for (size_t i = 0; i < l->n; i++)
		if (str_eq(l->v[i].path, path))
			return &l->v[i];
	return NULL;
}

static void remember(struct loader *l, const char *path, const char *text, size_t size)
{
	struct remembered *r = remembered_find(l, path);

	if (!r) {
		if (l->n == l->cap) {
			l->cap = l->cap ? 2 * l->cap : 16;
			l->v = xrealloc(l->v, l->cap * sizeof(*l->v));
		}
		r = &l->v[l->n++];
		*r = (struct remembered){ .path = xstrdup(path) };
	}
	r->seen = l->loads;
	if (r->text && r->size == size && !memcmp(r->text, text, size))
		return;
	free(r->text);
	r->text = xcalloc(1, size + 1);
	memcpy(r->text, text, size);
	r->size = size;
}

static bool is_listed(const struct loader *l, const char *sha256)
{
	for (size_t i = 0; i < l->stored_count; i++)
		if (str_eq(l->stored[i], sha256))
			return true;
	return false;
}

/* The store may have lost what it had. */
static bool is_stored(const struct loader *l, const char *sha256)
{
	return is_listed(l, sha256) && store_has_object(l->store, sha256);
}

static void stored_add(struct loader *l, const char *sha256)
{
	if (is_listed(l, sha256))
		return;
	if (l->stored_count == l->stored_cap) {
		l->stored_cap = l->stored_cap ? 2 * l->stored_cap : 16;
		l->stored = xrealloc(l->stored, l->stored_cap * sizeof(*l->stored));
	}
	memcpy(l->stored[l->stored_count++], sha256, SHA256_HEX);
}

/* What no entry refers to goes from the store. */
static void stored_prune(struct loader *l, const struct desired *d)
{
	size_t n = 0;

	for (size_t i = 0; i < l->stored_count; i++) {
		bool used = false;

		for (size_t k = 0; k < d->object_count && !used; k++)
			used = str_eq(d->objects[k].source->sha256, l->stored[i]);
		if (used)
			memmove(l->stored[n++], l->stored[i], SHA256_HEX);
	}
	l->stored_count = n;
}

/* --- what the kernel refuses --------------------------------------------------------- */

const struct refused *refused_find(const struct loader *l, const char *object, const char *sha256)
{
	for (size_t i = 0; i < l->refused_count; i++)
		if (str_eq(l->refused[i].object, object) && str_eq(l->refused[i].sha256, sha256))
			return &l->refused[i];
	return NULL;
}

static void refused_done(struct refused *f)
{
	free(f->object);
	free(f->reason);
	free(f->message);
}

void loader_forgive(struct loader *l)
{
	for (size_t i = 0; i < l->refused_count; i++)
		refused_done(&l->refused[i]);
	free(take_ptr(l->refused));
	l->refused_count = 0;
}

static bool other_is_kept(const struct loader *l, const char *file, const struct object_decl *o)
{
	cleanup(arena_freep) struct arena *a = arena_new();
	struct store_entry entry;

	if (!l->store || store_load(l->store, a, file, &entry, NULL) < 0)
		return false;
	for (size_t i = 0; i < entry.object_count; i++)
		if (str_eq(entry.objects[i].path, o->path) &&
		    !str_eq(entry.objects[i].sha256, o->source->sha256) &&
		    store_has_object(l->store, entry.objects[i].sha256))
			return true;
	return false;
}

bool loader_refuse(struct generation *g, const struct object_decl *o, const char *reason,
		   const char *message)
{
	struct loader *l = g->loader;
	struct refused *f;
	size_t i = 0;

	(void)loader_open_store(l, NULL);
	if (refused_find(l, o->name, o->source->sha256) ||
	    !other_is_kept(l, g->desired.files[o->file].path, o))
		return false;
	while (i < l->refused_count && !str_eq(l->refused[i].object, o->name))
		i++;
	if (i < l->refused_count) { /* an earlier content of it */
		f = &l->refused[i];
		refused_done(f);
	} else {
		l->refused = xrealloc(l->refused, (l->refused_count + 1) * sizeof(*l->refused));
		f = &l->refused[l->refused_count++];
	}
	*f = (struct refused){ .object = xstrdup(o->name),
			       .reason = xstrdup(reason),
			       .message = xstrdup(message) };
	memcpy(f->sha256, o->source->sha256, sizeof(f->sha256));
	return true;
}

/* --- keeping -------------------------------------------------------------------------- */

/* An entry of the store in the making; blobs[i] is what objects.v[i] has for data, or empty. */
struct keeping {
	struct arena *a;
	struct generation *g;
	const struct string_list *refused; /* as of generation_keep() */
	LIST(struct store_object) objects;
	LIST(struct source_blob) blobs;
	struct store_entry before; /* what is kept so far; path NULL: nothing, or not looked yet */
};

static void keep_object(struct keeping *k, const char *path, const char *sha256,
			const struct source_blob *blob)
{
	struct store_object *o = LIST_ADD(k->a, &k->objects);

	o->path = path;
	memcpy(o->sha256, sha256, SHA256_HEX);
	o->data = blob->data;
	o->size = blob->size;
	*LIST_ADD(k->a, &k->blobs) = *blob;
}

/* What was good at this path before is still the last that was. False: nothing was. */
static bool carry_over(struct keeping *k, const char *file, const char *path)
{
	const struct store *s = k->g->loader->store;
	size_t before = k->objects.n;

	if (!k->before.path && store_load(s, k->a, file, &k->before, NULL) < 0)
		k->before = (struct store_entry){ 0 };
	for (size_t i = 0; i < k->before.object_count; i++) {
		const struct store_object *o = &k->before.objects[i];

		if (str_eq(o->path, path) && store_has_object(s, o->sha256))
			keep_object(k, path, o->sha256, &(struct source_blob){ 0 });
	}
	return k->objects.n > before;
}

static bool is_refused(const struct keeping *k, const char *object)
{
	for (size_t i = 0; i < k->refused->n; i++)
		if (str_eq(k->refused->v[i], object))
			return true;
	return false;
}

static void keep_object_of(struct keeping *k, const struct object_decl *o, const char *file)
{
	const char *sha256 = o->source->sha256;
	struct source_blob blob = { 0 };

	for (size_t i = 0; i < k->objects.n; i++)
		if (str_eq(k->objects.v[i].path, o->path))
			return;
	/* Better than none, which is what there is before the first that is good. */
	if (is_refused(k, o->name) && carry_over(k, file, o->path))
		return;
	if (source_is_faulty(o, o->source) ||
	    (!is_stored(k->g->loader, sha256) && generation_fetch(k->g, o, &blob, NULL) < 0))
		(void)carry_over(k, file, o->path);
	else
		keep_object(k, o->path, sha256, &blob);
}

static int keep_file(struct generation *g, size_t file, const struct string_list *refused,
		     struct error *e)
{
	cleanup(arena_freep) struct arena *a = arena_new();
	struct keeping k = { .a = a, .g = g, .refused = refused };
	size_t n;
	const struct source_file *f = &source_files(g->source, &n)[file];
	const struct desired *d = &g->desired;
	struct store_entry entry = { .path = f->path, .text = f->text, .size = f->size };
	int code;

	for (size_t i = 0; i < d->object_count; i++)
		if (d->objects[i].file == file)
			keep_object_of(&k, &d->objects[i], f->path);
	entry.objects = k.objects.v;
	entry.object_count = k.objects.n;
	code = store_save(g->loader->store, &entry, e);
	for (size_t i = 0; i < k.blobs.n; i++) {
		if (code == 0 && k.blobs.v[i].data)
			stored_add(g->loader, k.objects.v[i].sha256);
		source_blob_done(&k.blobs.v[i]);
	}
	return code;
}

static bool is_in_force(const struct generation *g, size_t file)
{
	return g->desired.files[file].in_force == IN_FORCE_DECLARED;
}

static void remember_all(struct generation *g)
{
	struct loader *l = g->loader;
	size_t n;
	const struct source_file *files = source_files(g->source, &n);

	if (g->settings_text)
		remember(l, l->options.settings_path, g->settings_text, g->settings_size);
	for (size_t i = 0; i < n; i++)
		if (is_in_force(g, i))
			remember(l, files[i].path, files[i].text, files[i].size);
}

/* One that cannot be kept is no reason not to keep the others; the first error is told. */
static int save_all(struct generation *g, const struct string_list *refused, struct error *e)
{
	struct loader *l = g->loader;
	struct store_entry settings = { .path = l->options.settings_path,
					.text = g->settings_text,
					.size = g->settings_size };
	int code = g->settings_text ? store_save(l->store, &settings, e) : 0;

	for (size_t i = 0; i < g->desired.file_count; i++) {
		int r = is_in_force(g, i) ? keep_file(g, i, refused, code ? NULL : e) : 0;

		code = code ? code : r;
	}
	return code;
}

/* Files that are gone are forgotten; those that are there but invalid are what this is for. */
static int forget_others(struct generation *g, struct error *e)
{
	struct loader *l = g->loader;
	struct string_list paths = { 0 };

	paths.v = arena_calloc(g->arena, g->desired.file_count + 2, sizeof(*paths.v));
	if (g->settings_text || g->trouble)
		paths.v[paths.n++] = l->options.settings_path;
	for (size_t i = 0; i < g->desired.file_count; i++)
		if (g->desired.files[i].state != FILE_MASKED)
			paths.v[paths.n++] = g->desired.files[i].path;
	for (size_t i = l->n; i-- > 0;) {
		if (l->v[i].seen == l->loads)
			continue;
		free(l->v[i].path);
		free(l->v[i].text);
		l->v[i] = l->v[--l->n];
	}
	stored_prune(l, &g->desired);
	return l->store ? store_retain(l->store, &paths, e) : 0;
}

int generation_keep(struct generation *g, const struct string_list *refused, struct error *e)
{
	struct loader *l = g->loader;
	struct error local = { 0 };
	int code = loader_open_store(l, e), r;

	e = e ? e : &local;
	remember_all(g);
	if (l->store)
		code = save_all(g, refused, e);
	if (g->unknown)
		return code; /* what is not seen may be there */
	r = forget_others(g, code < 0 ? NULL : e);
	if (code < 0 && l->store && r == 0)
		code = save_all(g, refused, e); /* on a full disk that may have made room */
	return code < 0 ? code : r;
}
