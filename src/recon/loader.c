/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * The order of things matters here: every file is parsed before any is judged,
 * since one may refer to another; a file that loses a name is replaced by its last
 * good version before the objects are read, since that version may name others.
 */
#include "recon/loader.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "base/num.h"
#include "base/str.h"
#include "kern/elf_reader.h"
#include "recon/loader_internal.h"

#define SWAP_ATTEMPTS \
	5 /* a volume that is swapped all the time is read as it is; its next event reads it again */

/* One file on its way through a load. */
struct item {
	const struct source_file *file;
	struct fragment *fragment; /* as the file is now; NULL: could not be read */
	struct fragment *in_force; /* what takes part in the merge; NULL: nothing */
	struct store_entry stored; /* of the last good version, when that is in force */
	bool previous;
};

struct load {
	struct loader *loader;
	struct generation *g;
	struct arena *a;
	struct item *items;
	size_t n;
	const struct name_owner *owners;
	size_t owner_count;
};

int loader_new(const struct loader_options *o, struct loader **ret, struct error *e)
{
	struct loader *l = xnew(struct loader);

	(void)e;
	l->options = *o;
	l->seen = xcalloc(o->directories.n ? o->directories.n : 1, sizeof(*l->seen));
	(void)loader_open_store(l, NULL);
	*ret = l;
	return 0;
}

void loader_trust(struct loader *l)
{
	for (size_t i = 0; i < l->options.directories.n; i++)
		seen_trust(&l->seen[i]);
}

void loader_free(struct loader *l)
{
	if (!l)
		return;
	for (size_t i = 0; i < l->n; i++) {
		free(l->v[i].path);
		free(l->v[i].text);
	}
	free(l->v);
	loader_forgive(l);
	loader_trust(l);
	free(l->seen);
	free(l->stored);
	free(l->store_trouble);
	store_free(l->store);
	free(l);
}

void generation_free(struct generation *g)
{
	if (!g)
		return;
	source_free(g->source);
	arena_free(g->arena);
	free(g);
}

/* What is kept of this path; a store that should have it and cannot give it is told. */
static bool load_stored(struct load *ld, const char *path, struct store_entry *ret)
{
	struct loader *l = ld->loader;
	struct origin origin = { .file = path };
	struct error e = { 0 };
	int code = -ENOENT;

	if (l->store)
		code = store_load(l->store, ld->a, path, ret, &e);
	else if (l->store_trouble)
		code = error_set(&e, -EIO, "%s", l->store_trouble);
	if (code < 0 && code != -ENOENT)
		diag_add(&ld->g->diags, DIAG_WARNING, &origin, NULL, "%s", e.text);
	if (code < 0)
		*ret = (struct store_entry){ 0 };
	return code == 0;
}

/*
 * The file is there but invalid: what this process saw last, else what an earlier one stored. The
 * stored version has the object files with it, but is older where it could not be written.
 */
static void use_previous(struct load *ld, struct item *it)
{
	struct loader *l = ld->loader;
	struct remembered *r = remembered_find(l, it->file->path);
	const char *text;
	size_t size;

	it->in_force = NULL;
	if (it->previous)
		return; /* even that one cannot be had */
	it->previous = true;
	(void)load_stored(ld, it->file->path, &it->stored);
	text = it->stored.text;
	size = it->stored.size;
	if (r) {
		r->seen = l->loads;
		if (!text || size != r->size || memcmp(text, r->text, size) != 0) {
			it->stored = (struct store_entry){ 0 };
			text = arena_dup(ld->a, r->text, r->size + 1);
			size = r->size;
		}
	}
	if (!text)
		return;
	it->in_force = config_parse(ld->a, it->file->path, text, size, &ld->g->settings);
	if (!it->in_force->valid)
		it->in_force = NULL;
}

/* --- directories and settings ------------------------------------------------ */

static bool id_parse(const char *name, uid_t *ret)
{
	struct passwd *pw;
	uint32_t id;

	if (num_parse_u32(name, UINT32_MAX - 1, &id) == 0) {
		*ret = id;
		return true;
	}
	pw = getpwnam(name);
	if (pw)
		*ret = pw->pw_uid;
	return pw != NULL;
}

static void resolve_owners(struct load *ld, struct source_options *o)
{
	const struct string_list *names = &ld->g->settings.allowed_owners;
	uid_t *owners = arena_calloc(ld->a, names->n ? names->n : 1, sizeof(*owners));

	for (size_t i = 0; i < names->n; i++) {
		if (id_parse(names->v[i], &owners[o->owner_count]))
			o->owner_count++;
		else
			diag_add(&ld->g->diags, DIAG_WARNING,
				 &(struct origin){ .file = ld->loader->options.settings_path },
				 "create the user or correct the name",
				 "allowed_owners: no user '%s'", names->v[i]);
	}
	o->owners = owners;
}

/* The first fault, as text; NULL when the settings are valid. text NULL: no file, all defaults. */
static const char *parse_settings(struct load *ld, const char *text, size_t size)
{
	const char *path = ld->loader->options.settings_path;
	struct diags *d = &ld->g->diags;
	size_t first = d->list.n;

	if (config_parse_settings(ld->a, path, text, size, &ld->g->settings, d))
		return NULL;
	while (first + 1 < d->list.n && d->list.v[first].level != DIAG_ERROR)
		first++;
	return arena_printf(ld->a, "%s:%u: %s", path, d->list.v[first].origin.line,
			    d->list.v[first].message);
}

/* Settings that are there but invalid: what they said last holds, so that nobody else's program is
 * touched and no file is trusted that was not before. */
static int previous_settings(struct load *ld, int code, const char *fault, struct error *e)
{
	struct loader *l = ld->loader;
	const char *path = l->options.settings_path;
	struct remembered *r = remembered_find(l, path);
	struct store_entry stored = { 0 };
	const struct diags *d = &ld->g->diags;
	size_t first = d->list.n; /* what load_stored() adds */

	if (r) {
		r->seen = l->loads;
		stored.text = arena_dup(ld->a, r->text, r->size + 1);
		stored.size = r->size;
	} else {
		(void)load_stored(ld, path, &stored);
	}
	if (!stored.text || parse_settings(ld, stored.text, stored.size))
		return error_set(e, code,
				 "settings: %s; nothing is changed until they are repaired%s%s",
				 fault, first < d->list.n ? "; " : "",
				 first < d->list.n ? d->list.v[first].message : "");
	ld->g->trouble = arena_printf(
		ld->a, "settings: %s; their last good version is in force until they are repaired",
		fault);
	return 0;
}

static int read_settings(struct load *ld, struct error *e)
{
	const struct loader_options *o = &ld->loader->options;
	struct source_options trust = { .any_owner = o->any_owner };
	struct source_blob blob = { 0 };
	const char *fault;
	int code = -ENOENT;

	if (o->settings_path)
		code = source_read_file(o->settings_path, &trust, &blob, e);
	if (code == -ENOENT && !o->settings_required) {
		fault = parse_settings(ld, NULL, 0);
		return fault ? error_set(e, -EINVAL, "settings: %s", fault) : 0;
	}
	if (code < 0)
		return previous_settings(ld, code, arena_strdup(ld->a, e ? e->text : ""), e);
	ld->g->settings_text = arena_strndup(ld->a, blob.data, blob.size);
	ld->g->settings_size = blob.size;
	source_blob_done(&blob);
	fault = parse_settings(ld, ld->g->settings_text, ld->g->settings_size);
	if (!fault)
		return 0;
	ld->g->settings_text = NULL;
	return previous_settings(ld, -EINVAL, fault, e);
}

static bool speaks(const struct item *it)
{
	return it->in_force || it->file->state == FILE_MASKED;
}

static bool declares(const struct fragment *f)
{
	return f && (f->set_count || f->object_count || f->share_count);
}

static const char *judge_directory(struct load *ld, const struct source_directory *d,
				   struct seen *seen)
{
	struct directory_now now = {
		.at = d,
		.owners = ld->owners,
		.owner_count = ld->owner_count,
		.desired = &ld->g->desired,
	};

	for (size_t i = 0; i < ld->n; i++) {
		if (!directory_has(d->path, ld->items[i].file->path))
			continue;
		now.speaks |= speaks(&ld->items[i]);
		now.declares |= declares(ld->items[i].in_force);
	}
	return directory_judge(ld->a, seen, &now, &ld->g->doubted);
}

/* Silence of a directory says something only if it could be read, or never was there. */
static void judge_directories(struct load *ld)
{
	size_t n, absent = 0;
	const struct source_directory *d = source_directories(ld->g->source, &n);

	for (size_t i = 0; i < n; i++) {
		const char *why = judge_directory(ld, &d[i], &ld->loader->seen[i]);

		if (why)
			ld->g->unknown = why;
		absent += d[i].state == DIRECTORY_ABSENT;
	}
	if (n && absent == n && !ld->g->unknown)
		ld->g->unknown =
			arena_printf(ld->a,
				     "no configuration directory exists, so everything stays as it "
				     "is; create %s",
				     d[0].path);
}

/* --- files -------------------------------------------------------------------- */

static void parse_item(struct load *ld, struct item *it)
{
	if (it->file->state != FILE_APPLIED) {
		if (it->file->state == FILE_INVALID || it->file->state == FILE_REFUSED)
			use_previous(ld, it);
		return;
	}
	it->fragment = config_parse(ld->a, it->file->path, it->file->text, it->file->size,
				    &ld->g->settings);
	if (it->fragment->valid)
		it->in_force = it->fragment;
	else
		use_previous(ld, it);
}

/* A file that claims another's name is out as a whole; its last good version takes its place. */
static void merge_items(struct load *ld)
{
	struct fragment **list = arena_calloc(ld->a, ld->n ? ld->n : 1, sizeof(*list));
	bool again = true;

	while (again) {
		size_t n = 0;

		again = false;
		for (size_t i = 0; i < ld->n; i++)
			if (ld->items[i].in_force)
				list[n++] = ld->items[i].in_force;
		memset(&ld->g->desired, 0, sizeof(ld->g->desired));
		config_merge(ld->a, list, n, ld->owners, ld->owner_count, &ld->g->desired);
		for (size_t i = 0; i < ld->n; i++) {
			struct item *it = &ld->items[i];

			if (it->in_force && !it->in_force->valid) {
				use_previous(ld, it);
				again = true;
			}
		}
	}
}

static void number_files(struct load *ld)
{
	struct desired *d = &ld->g->desired;

	for (size_t i = 0; i < d->object_count; i++)
		for (size_t k = 0; k < ld->n; k++)
			if (str_eq(d->objects[i].origin.file, ld->items[k].file->path))
				d->objects[i].file = k;
	for (size_t i = 0; i < d->share_count; i++)
		for (size_t k = 0; k < ld->n; k++)
			if (str_eq(d->shares[i].origin.file, ld->items[k].file->path))
				d->shares[i].file = k;
}

static void add_diags(struct generation *g, const struct diags *from)
{
	for (size_t i = 0; i < from->list.n; i++) {
		*LIST_ADD(g->arena, &g->diags.list) = from->list.v[i];
		g->diags.errors += from->list.v[i].level == DIAG_ERROR;
	}
}

/* What is wrong with the file itself, and with what it declares when held against object files. */
static void file_errors(struct load *ld, const struct item *it, struct desired_file *f)
{
	const struct diags *d = &ld->g->diags;
	LIST(struct file_error) errors = { 0 };

	if (it->file->error.message)
		*LIST_ADD(ld->a, &errors) = it->file->error;
	for (size_t i = 0; i < d->list.n; i++)
		if (d->list.v[i].level == DIAG_ERROR && d->list.v[i].origin.line &&
		    str_eq(d->list.v[i].origin.file, f->path))
			*LIST_ADD(ld->a, &errors) = (struct file_error){
				.line = d->list.v[i].origin.line,
				.column = d->list.v[i].origin.column,
				.message = d->list.v[i].message,
				.hint = d->list.v[i].hint,
			};
	f->errors = errors.v;
	f->error_count = errors.n;
}

static void list_files(struct load *ld)
{
	struct desired *d = &ld->g->desired;

	d->files = arena_calloc(ld->a, ld->n ? ld->n : 1, sizeof(*d->files));
	d->file_count = ld->n;
	for (size_t i = 0; i < ld->n; i++) {
		const struct item *it = &ld->items[i];
		struct desired_file *f = &d->files[i];

		f->path = it->file->path;
		f->state = it->file->state;
		if (it->fragment && !it->fragment->valid)
			f->state = FILE_INVALID;
		f->in_force = !it->in_force ? IN_FORCE_NONE :
			      it->previous  ? IN_FORCE_PREVIOUS :
					      IN_FORCE_DECLARED;
		if (it->fragment)
			add_diags(ld->g, &it->fragment->diags);
		if (it->file->error.message &&
		    (f->state == FILE_INVALID || f->state == FILE_REFUSED))
			diag_add(&ld->g->diags, DIAG_ERROR, &(struct origin){ .file = f->path },
				 it->file->error.hint, "%s", it->file->error.message);
	}
}

/* --- objects ------------------------------------------------------------------- */

static struct object_source *source_failed(struct load *ld, int code, const char *path,
					   const char *reason, const struct error *e)
{
	struct object_source *s = arena_new_of(ld->a, struct object_source);

	s->code = code;
	s->path = path;
	s->reason = reason;
	s->message = arena_strdup(ld->a, e->text);
	return s;
}

static struct object_source *source_parse(struct load *ld, const struct source_blob *blob,
					  const char *path)
{
	struct object_source *s = arena_new_of(ld->a, struct object_source);
	struct elf_object *elf = NULL;
	struct error e = { 0 };

	s->path = path;
	memcpy(s->sha256, blob->sha256, sizeof(s->sha256));
	s->code = elf_read(ld->a, blob->data, blob->size, &elf, &s->reason, &e);
	s->elf = elf;
	if (s->code < 0)
		s->message = arena_printf(ld->a, "%s: %s", path, e.text);
	return s;
}

static const char *stored_hash(const struct item *it, const char *path)
{
	for (size_t i = 0; it->previous && i < it->stored.object_count; i++)
		if (str_eq(it->stored.objects[i].path, path))
			return it->stored.objects[i].sha256;
	return NULL;
}

/* What the store has of an object file that cannot be used as it is. */
static const struct object_source *read_last_good(struct load *ld, const struct object_decl *o,
						  const char *path)
{
	struct item *it = &ld->items[o->file];
	const struct object_source *s = NULL;
	struct source_blob blob = { 0 };
	struct error e = { 0 };

	if (!it->stored.path && !load_stored(ld, it->file->path, &it->stored))
		return NULL;
	for (size_t i = 0; i < it->stored.object_count && !s; i++) {
		const struct store_object *kept = &it->stored.objects[i];

		if (!str_eq(kept->path, o->path) || (o->sha256 && !str_eq(kept->sha256, o->sha256)))
			continue;
		if (store_load_object(ld->loader->store, kept->sha256, &blob, &e) == 0)
			s = source_parse(ld, &blob, path);
		else
			diag_add(&ld->g->diags, DIAG_WARNING, &o->path_origin, NULL, "%s", e.text);
		source_blob_done(&blob);
	}
	return s && s->code == 0 ? s : NULL;
}

static struct object_source *read_object(struct load *ld, const struct object_decl *o)
{
	const struct item *it = &ld->items[o->file];
	const char *hash = stored_hash(it, o->path), *path = o->path, *reason = "ObjectUnreadable";
	struct object_source *s;
	struct source_blob blob = { 0 };
	struct error e = { 0 };
	int code;

	code = hash ? store_load_object(ld->loader->store, hash, &blob, &e) : -ENOENT;
	if (hash && code < 0)
		diag_add(&ld->g->diags, DIAG_WARNING, &o->origin, NULL,
			 "%s; %s is used as it is now", e.text, o->path);
	if (code < 0)
		code = source_read_object(ld->g->source, o->file, o->path, ld->a, &blob, &path,
					  &reason, &e);
	s = code < 0 ? source_failed(ld, code, path, reason, &e) : source_parse(ld, &blob, path);
	source_blob_done(&blob);
	return s;
}

/* Files of one directory that name one path mean one object file: it is read once. */
static bool same_object(const struct load *ld, const struct object_decl *a,
			const struct object_decl *b)
{
	const struct item *ia = &ld->items[a->file], *ib = &ld->items[b->file];

	return str_eq(a->path, b->path) && !ia->previous && !ib->previous &&
	       (a->path[0] == '/' || ia->file->directory == ib->file->directory);
}

bool source_is_faulty(const struct object_decl *o, const struct object_source *s)
{
	return s->code < 0 || (o->sha256 && !str_eq(o->sha256, s->sha256));
}

/* The same for a file with which nothing is wrong but that the kernel does not take it for this object. */
static struct object_source *judge_refused(struct load *ld, const struct object_decl *o,
					   struct object_source *s)
{
	const struct refused *f = refused_find(ld->loader, o->name, s->sha256);
	const struct object_source *good = f ? read_last_good(ld, o, s->path) : NULL;

	if (!good || str_eq(good->sha256, s->sha256))
		return s;
	s = arena_dup(ld->a, s, sizeof(*s));
	s->code = -ENOEXEC;
	s->reason = arena_strdup(ld->a, f->reason);
	s->message = arena_strdup(ld->a, f->message);
	s->elf = NULL;
	s->last_good = good;
	return s;
}

static void read_objects(struct load *ld)
{
	struct desired *d = &ld->g->desired;
	struct object_source **read = arena_calloc(ld->a, d->object_count, sizeof(*read));

	for (size_t i = 0; i < d->object_count; i++) {
		struct object_decl *o = &d->objects[i];

		for (size_t k = i; k-- > 0 && !read[i];)
			if (same_object(ld, o, &d->objects[k]))
				read[i] = read[k];
		if (!read[i])
			read[i] = read_object(ld, o);
		if (source_is_faulty(o, read[i]) && !read[i]->last_good)
			read[i]->last_good = read_last_good(ld, o, read[i]->path);
		o->source = judge_refused(ld, o, read[i]);
	}
}

/* --- the generation --------------------------------------------------------------- */

static int item_cmp(const void *a, const void *b)
{
	return strcmp((*(const struct item *const *)a)->file->name,
		      (*(const struct item *const *)b)->file->name);
}

static void name_generation(struct load *ld)
{
	const struct item **sorted = arena_calloc(ld->a, ld->n ? ld->n : 1, sizeof(*sorted));
	struct desired *d = &ld->g->desired;
	struct hasher *h = hasher_new(), *places = hasher_new();
	char hex[SHA256_HEX];

	for (size_t i = 0; i < ld->n; i++)
		sorted[i] = &ld->items[i];
	if (ld->n)
		qsort(sorted, ld->n, sizeof(*sorted), item_cmp);
	for (size_t i = 0; i < ld->n; i++) {
		const struct source_file *f = sorted[i]->file;

		if (f->state == FILE_MASKED || f->state == FILE_IGNORED)
			continue;
		hasher_add_field(places, f->path);
		hasher_add_field(h, f->name);
		hash_bytes(f->text ? f->text : "", f->text ? f->size : 0, hex);
		hasher_add_field(h, hex);
	}
	for (size_t i = 0; i < d->object_count; i++) { /* sorted by name */
		if (ld->items[d->objects[i].file].previous)
			continue; /* no part of what the files are now */
		hasher_add_field(h, d->objects[i].name);
		hasher_add_field(h, d->objects[i].present ? d->objects[i].present->sha256 :
							    d->objects[i].source->sha256);
	}
	hasher_finish(h, d->generation);
	hasher_finish(places, ld->g->places);
}

static int load_all(struct load *ld, struct error *e)
{
	struct source_options o = {
		.directories = ld->loader->options.directories,
		.any_owner = ld->loader->options.any_owner,
		.overlay = ld->loader->options.overlay,
	};
	const struct source_file *files;
	int code = read_settings(ld, e);

	if (code < 0)
		return code;
	resolve_owners(ld, &o);
	code = source_read(&o, &ld->g->source, e);
	if (code < 0)
		return code;
	files = source_files(ld->g->source, &ld->n);
	ld->items = arena_calloc(ld->a, ld->n ? ld->n : 1, sizeof(*ld->items));
	for (size_t i = 0; i < ld->n; i++) {
		ld->items[i].file = &files[i];
		parse_item(ld, &ld->items[i]);
	}
	merge_items(ld);
	judge_directories(ld);
	number_files(ld);
	list_files(ld);
	read_objects(ld);
	for (size_t i = 0; i < ld->n; i++)
		if (ld->items[i].in_force == ld->items[i].fragment && ld->items[i].fragment)
			diags_add_text(&ld->g->diags, files[i].path, files[i].text, files[i].size);
	config_judge(ld->a, &ld->g->desired, &ld->g->diags);
	for (size_t i = 0; i < ld->n; i++)
		file_errors(ld, &ld->items[i], &ld->g->desired.files[i]);
	name_generation(ld);
	return 0;
}

int loader_load(struct loader *l, const struct name_owner *owners, size_t owner_count,
		struct generation **ret, struct error *e)
{
	l->loads++;
	(void)loader_open_store(l, NULL);
	for (int attempt = 0;; attempt++) {
		cleanup(generation_freep) struct generation *g = xnew(struct generation);
		struct load ld = {
			.loader = l, .g = g, .owners = owners, .owner_count = owner_count
		};
		int code;

		g->arena = ld.a = arena_new();
		g->loader = l;
		diags_init(&g->diags, g->arena);
		code = load_all(&ld, e);
		if (code < 0)
			return code;
		/* A volume may have been swapped, and its old content deleted, before the objects were read. */
		if (attempt < SWAP_ATTEMPTS && source_is_stale(g->source))
			continue;
		*ret = take_ptr(g);
		return 0;
	}
}

void generation_rest(struct generation *g)
{
	source_rest(g->source);
	store_free(take_ptr(g->loader->store));
}

int generation_fetch(struct generation *g, const struct object_decl *decl, struct source_blob *ret,
		     struct error *e)
{
	cleanup(arena_freep) struct arena *a = arena_new();
	const char *path, *reason;
	int code = source_read_object(g->source, decl->file, decl->path, a, ret, &path, &reason, e);

	if (code == 0 && str_eq(ret->sha256, decl->source->sha256))
		return 0;
	if (code == 0)
		source_blob_done(ret);
	(void)loader_open_store(g->loader, NULL);
	if (g->loader->store &&
	    store_load_object(g->loader->store, decl->source->sha256, ret, NULL) == 0)
		return 0;
	return code < 0 ? code :
			  error_set(e, -EAGAIN, "%s: changed since it was read; it is read again",
				    path);
}
