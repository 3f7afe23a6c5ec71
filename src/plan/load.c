/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * What it takes to load one instance. A version is named by a hash of everything that
 * decides what the kernel gets: the file's content, the programs, the values of globals, the sizes of
 * maps and, where a map is another object's, the version of that object that made it; so the users of a map
 * follow its owner by the same rule by which a changed file is loaded anew, and only to another map.
 */
#include <linux/bpf.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/str.h"
#include "plan/plan_internal.h"

static int by_string(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int by_place(const void *a, const void *b)
{
	const struct global_value *x = a, *y = b;
	int r = strcmp(x->section, y->section);

	return r ? r : (x->offset > y->offset) - (x->offset < y->offset);
}

static int by_map_name(const void *a, const void *b)
{
	return strcmp((*(const struct map_decl *const *)a)->name,
		      (*(const struct map_decl *const *)b)->name);
}

static bool is_declared(const struct object_decl *decl, const char *function)
{
	for (size_t i = 0; i < decl->program_count; i++)
		if (str_eq(decl->programs[i].name, function))
			return true;
	return false;
}

const char **programs_wanted(struct planner *p, const struct object_decl *decl, size_t *ret_count)
{
	const struct elf_object *elf = decl->source->elf;
	const char **v = arena_calloc(p->a, decl->program_count + elf->program_count, sizeof(*v));
	size_t n = 0;

	for (size_t i = 0; i < decl->program_count; i++)
		v[n++] = decl->programs[i].name;
	for (size_t i = 0; i < elf->program_count; i++)
		if (elf->programs[i].needed && !is_declared(decl, elf->programs[i].name))
			v[n++] = elf->programs[i].name;
	if (n)
		qsort(v, n, sizeof(*v), by_string);
	*ret_count = n;
	return v;
}

/* What is said of the map makes another one of it; `on_change` does not. */
static bool is_defined(const struct map_decl *m)
{
	return m->max_entries || m->use_object;
}

/* all: also those of which nothing is said that makes another map of it. */
static const struct map_decl **maps_sorted(struct planner *p, const struct object_decl *decl,
					   bool all, size_t *ret_count)
{
	const struct map_decl **v = arena_calloc(p->a, decl->map_count, sizeof(*v));
	size_t n = 0;

	for (size_t i = 0; i < decl->map_count; i++)
		if (all || is_defined(&decl->maps[i]))
			v[n++] = &decl->maps[i];
	if (n)
		qsort(v, n, sizeof(*v), by_map_name);
	*ret_count = n;
	return v;
}

static void hash_number(struct hasher *h, uint64_t n)
{
	unsigned char bytes[8];

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (unsigned char)(n >> (8 * i));
	hasher_add(h, bytes, sizeof(bytes));
}

static void hash_values(struct planner *p, struct hasher *h, const struct object_decl *decl)
{
	struct global_value *v;

	hash_number(h, decl->value_count);
	if (!decl->value_count)
		return;
	v = arena_dup(p->a, decl->values, decl->value_count * sizeof(*v));
	qsort(v, decl->value_count, sizeof(*v), by_place);
	for (size_t i = 0; i < decl->value_count; i++) {
		hasher_add_field(h, v[i].section);
		hash_number(h, v[i].offset);
		hash_number(h, v[i].size);
		hasher_add(h, v[i].bytes, v[i].size);
	}
}

static void hash_maps(struct planner *p, struct hasher *h, const struct instance *i, bool all)
{
	size_t n;
	const struct map_decl **maps = maps_sorted(p, i->object->decl, all, &n);

	hash_number(h, n);
	for (size_t k = 0; k < n; k++) {
		const struct map_decl *m = maps[k];
		const struct instance *owner = m->use_object ? instance_used(p, i, m) : NULL;

		hasher_add_field(h, m->name);
		hash_number(h, m->max_entries);
		hasher_add_field(h, owner ? owner->name : NULL);
		hasher_add_field(h, owner ? instance_map_born(owner, m->use_map) : NULL);
		hasher_add_field(h, m->use_map);
	}
}

static const char *hash_declaration(struct planner *p, const struct instance *i, bool all)
{
	struct hasher *h = hasher_new();
	char hex[SHA256_HEX];
	const char **programs;
	size_t n;

	hasher_add_field(h, i->object->decl->source->sha256);
	programs = programs_wanted(p, i->object->decl, &n);
	hash_number(h, n);
	for (size_t k = 0; k < n; k++)
		hasher_add_field(h, programs[k]);
	hash_values(p, h, i->object->decl);
	hash_maps(p, h, i, all);
	hasher_finish(h, hex);
	return arena_strdup(p->a, hex);
}

const char *declaration_hash(struct planner *p, const struct instance *i)
{
	return hash_declaration(p, i, false);
}

/* The hash once covered all maps that are named, and what was loaded by it is none the worse for that. */
bool declaration_is(struct planner *p, const struct instance *i, const struct observed_object *v,
		    const char *declaration)
{
	const struct object_decl *decl = i->object->decl;
	bool all_defined = true;

	for (size_t k = 0; k < decl->map_count; k++)
		all_defined &= is_defined(&decl->maps[k]);
	return str_eq(v->meta.declaration, declaration) ||
	       (!all_defined && v->meta.declaration &&
		str_eq(v->meta.declaration, hash_declaration(p, i, true)));
}

static bool has_frags(const struct object_decl *decl, const char **programs, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct elf_program *e = elf_find_program(decl->source->elf, programs[i]);

		if (e && e->type == BPF_PROG_TYPE_XDP && e->frags)
			return true;
	}
	return false;
}

static void fill_meta(struct planner *p, struct op_object *o, const struct instance *i,
		      const char *declaration, const struct take_over *maps)
{
	const struct object_decl *decl = i->object->decl;
	const struct elf_object *elf = decl->source->elf;
	struct meta_object *m = &o->meta;

	m->instance = i->name;
	m->object = decl->name;
	m->interface = i->interface ? i->interface->name : NULL;
	m->version = o->version;
	m->origin = arena_printf(p->a, "%s:%u", decl->origin.file ? decl->origin.file : "",
				 decl->origin.line);
	m->elf_path = decl->source->path;
	m->elf_sha256 = decl->source->sha256;
	m->declaration = declaration;
	m->ancestors = file_ancestors(p, i);
	m->frags = has_frags(decl, o->programs, o->program_count);
	m->programs = o->programs;
	m->program_count = o->program_count;
	m->map_count = elf->map_count;
	m->maps = maps->metas;
}

const struct failure *base_failure(const struct planner *p)
{
	return p->observed->directory_ready ? NULL : lookup_failure(p, "bpffs", "");
}

struct draft *base_prepare(struct planner *p)
{
	if (!p->observed->bpffs_mounted && !p->bpffs) {
		p->bpffs = draft_add(p, OP_BPFFS_MOUNT, "our directory");
		p->bpffs->op.subject = "bpffs";
		p->bpffs->op.reason = "no bpffs is mounted there";
	}
	if (!p->observed->directory_ready && !p->directory) {
		p->directory = draft_add(p, OP_DIRECTORY_CREATE, "our directory");
		p->directory->op.subject = "bpffs";
		p->directory->op.reason = p->observed->directory_opened ?
						  "others than root can write to it" :
					  p->observed->object_count || p->observed->chain_count ?
						  "it is of an older layout, or incomplete" :
						  "it does not exist yet";
		draft_need(p, p->directory, p->bpffs);
	}
	return p->directory ? p->directory : p->bpffs;
}

/* Its owner makes the map that it uses anew. */
static bool follows(struct planner *p, const struct instance *i, const struct map_decl *m)
{
	const struct instance *owner = m->use_object ? instance_used(p, i, m) : NULL;

	return owner && owner->load && !instance_map_id(owner, m->use_map);
}

/* A member of the same object and of another instance; NULL: there is none. */
static const char *find_other(const struct live *l, const struct instance *i)
{
	const size_t length = strlen(i->object->decl->name);

	for (size_t k = 0; k < l->member_count; k++) {
		const struct observed_object *v = l->members[k].version;

		if (v && str_starts(v->instance, i->object->decl->name) &&
		    strchr("@", v->instance[length]) && !str_eq(v->instance, i->name))
			return v->instance;
	}
	return NULL;
}

/*
 * The instance that runs where this one is to run: an interface was renamed, or `instances` changed. Instances are known
 * by their names, so what the other has in its maps stays with it.
 */
static const char *other_instance(const struct planner *p, const struct instance *i)
{
	const char *other = NULL;

	for (size_t k = 0; k < p->observed->interface_count && !other; k++)
		if (!i->interface || p->chains[k].interface == i->interface)
			other = find_other(&p->chains[k].live, i);
	for (size_t k = 0; k < p->tc_chain_count && !other; k++)
		if (!i->interface || p->tc_chains[k].chain.interface == i->interface)
			other = find_other(&p->tc_chains[k].chain.live, i);
	return other;
}

static const char *first_load_reason(struct planner *p, const struct instance *i)
{
	const char *other = other_instance(p, i);

	return other ? arena_printf(
			       p->a,
			       "it is not loaded yet; its maps begin empty, since %s, which runs "
			       "in its place, is another instance",
			       other) :
		       "it is not loaded yet";
}

static const char *load_reason(struct planner *p, const struct instance *i, const char *declaration)
{
	if (!i->source)
		return first_load_reason(p, i);
	if (!i->source->complete)
		return "its pins are incomplete";
	if (!str_eq(i->source->meta.elf_sha256, i->object->decl->source->sha256))
		return "the file has a new content";
	if (declaration_is(p, i, i->source, declaration))
		return "the maps that it uses are others now";
	for (size_t k = 0; k < i->object->decl->map_count; k++)
		if (follows(p, i, &i->object->decl->maps[k]))
			return arena_printf(p->a, "it follows object %s, whose map it uses",
					    i->object->decl->maps[k].use_object);
	return "its declaration changed";
}

struct draft *load_draft(struct planner *p, struct instance *i, const char *declaration,
			 const struct take_over *maps)
{
	const char *key = arena_printf(p->a, "object %s", i->name);
	struct draft *d = draft_add(p, OP_OBJECT_LOAD, key);
	struct op_object *o = &d->op.object;

	d->op.version = maps->attempt;
	d->op.origin = i->object->decl->origin;
	d->op.reason = arena_printf(p->a, "%s%s", load_reason(p, i, declaration), maps->summary);
	d->rank = i->rank;
	o->instance = i->name;
	o->version = maps->version;
	o->decl = i->object->decl;
	o->programs = programs_wanted(p, o->decl, &o->program_count);
	o->maps = maps->maps;
	o->map_count = maps->map_count;
	fill_meta(p, o, i, declaration, maps);
	draft_need(p, d, base_prepare(p));
	for (size_t k = 0; k < o->decl->map_count; k++)
		if (o->decl->maps[k].use_object)
			draft_need(p, d, instance_used(p, i, &o->decl->maps[k])->load);
	return d;
}

/* --- freplace forms --------------------------------------------------------------------------- */

static const char *extension_subject(struct planner *p, const struct instance *i)
{
	return arena_printf(p->a, "extensions of %s", i->name);
}

const struct failure *extension_failure(struct planner *p, const struct instance *i)
{
	const struct failure *f = base_failure(p);

	return f ? f : lookup_failure(p, extension_subject(p, i), i->version);
}

static void add_function(struct planner *p, struct op_object *o, const char *function)
{
	const char **v;

	for (size_t i = 0; i < o->program_count; i++)
		if (str_eq(o->programs[i], function))
			return;
	v = arena_calloc(p->a, o->program_count + 1, sizeof(*v));
	for (size_t i = 0; i < o->program_count; i++)
		v[i] = o->programs[i];
	v[o->program_count++] = function;
	qsort(v, o->program_count, sizeof(*v), by_string);
	o->programs = v;
}

struct draft *extension_draft(struct planner *p, const struct instance *i, const char *function)
{
	struct draft *d = NULL;

	for (size_t k = 0; k < p->extensions.n && !d; k++)
		if (str_eq(p->extensions.v[k]->op.object.instance, i->name))
			d = p->extensions.v[k];
	if (!d) {
		d = draft_add(p, OP_EXTENSION_LOAD, arena_printf(p->a, "object %s", i->name));
		d->op.subject = extension_subject(p, i);
		d->op.version = i->version;
		d->op.origin = i->object->decl->origin;
		d->op.reason = "a chain by libxdp's protocol takes this form";
		d->rank = i->rank;
		d->op.object.instance = i->name;
		d->op.object.version = i->version;
		d->op.object.decl = i->object->decl;
		draft_need(p, d, i->load);
		draft_need(p, d, base_prepare(p));
		*LIST_ADD(p->a, &p->extensions) = d;
	}
	add_function(p, &d->op.object, function);
	return d;
}
