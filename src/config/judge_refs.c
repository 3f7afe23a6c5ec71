/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* What refers to something else: maps.use, @set, and the maps of shares. */
#include "config/judge.h"

#include <string.h>

#include "config/graph.h"

const char *judge_cycle(struct judge *j, const char *const *names, size_t n)
{
	const char *text = "";

	for (size_t i = 0; i < n; i++)
		text = arena_printf(j->scratch, "%s%s -> ", text, names[i]);
	return arena_printf(j->scratch, "%s%s", text, names[0]);
}

/* A file of which nothing is in force may declare what is missed; of several one that has its name. */
static const struct desired_file *find_unread(const struct desired *d, const char *name)
{
	const struct desired_file *found = NULL;

	for (size_t i = 0; i < d->file_count; i++) {
		const struct desired_file *f = &d->files[i];

		if ((f->state != FILE_INVALID && f->state != FILE_REFUSED) ||
		    f->in_force != IN_FORCE_NONE)
			continue;
		if (!found || strstr(f->path, name))
			found = f;
	}
	return found;
}

/* "FILE:LINE" of the first that is wrong with it. */
static const char *first_fault(struct judge *j, const char *path)
{
	for (size_t i = 0; j->diags && i < j->diags->list.n; i++) {
		const struct diag *d = &j->diags->list.v[i];

		if (d->level == DIAG_ERROR && str_eq(d->origin.file, path) && d->origin.line)
			return arena_printf(j->scratch, "%s:%u", path, d->origin.line);
	}
	return path;
}

static const char *suggest_object(struct judge *j, const char *name)
{
	const struct desired *d = j->desired;
	const char **names = arena_calloc(j->scratch, d->object_count, sizeof(*names));
	const struct desired_file *unread = find_unread(d, name);

	if (unread)
		return arena_printf(
			j->scratch,
			"it may be in %s, which is invalid (FileInvalid) and of which no "
			"good version is known; repair that first",
			first_fault(j, unread->path));
	for (size_t i = 0; i < d->object_count; i++)
		names[i] = d->objects[i].name;
	return judge_suggest(j, name, "the objects are", names, d->object_count);
}

/* ---- maps.use ---- */

/* Appends "what is have, not want". */
static const char *add_difference(struct judge *j, const char *text, const char *what,
				  const char *have, const char *want)
{
	if (strcmp(have, want) == 0)
		return text;
	return arena_printf(j->scratch, "%s%s%s %s here and %s there", text ? text : "",
			    text ? ", " : "", what, have, want);
}

static const char *format_bytes(struct judge *j, uint32_t bytes)
{
	return arena_printf(j->scratch, "%u bytes", bytes);
}

static void compare_maps(struct judge *j, struct object_decl *o, const struct map_decl *m,
			 const struct elf_map *mine, const struct elf_map *theirs)
{
	const char *text = NULL;

	text = add_difference(j, text, "type", map_type_name(j->scratch, mine->type),
			      map_type_name(j->scratch, theirs->type));
	text = add_difference(j, text, "key", format_bytes(j, mine->key_size),
			      format_bytes(j, theirs->key_size));
	text = add_difference(j, text, "value", format_bytes(j, mine->value_size),
			      format_bytes(j, theirs->value_size));
	if (text)
		judge_fault(j, o, &m->use_origin, "MapMismatch",
			    "build both object files from one definition of the map",
			    "'%s' cannot be %s/%s: %s", m->name, m->use_object, m->use_map, text);
	else if (*mine->btf_hash && *theirs->btf_hash &&
		 strcmp(mine->btf_hash, theirs->btf_hash) != 0)
		diag_add(j->diags, DIAG_WARNING, &m->use_origin,
			 "build both object files from one definition of the map",
			 "'%s' and %s/%s have sizes in common, but different types of key or value",
			 m->name, m->use_object, m->use_map);
}

static void judge_use(struct judge *j, struct object_decl *o, const struct map_decl *m,
		      const struct object_decl *target)
{
	const struct elf_object *elf = judge_elf(target);
	const struct elf_map *mine = judge_elf(o) ? elf_find_map(judge_elf(o), m->name) : NULL;
	const struct elf_map *theirs = elf ? elf_find_map(elf, m->use_map) : NULL;

	if (target->instances == INSTANCES_INTERFACE && o->instances != INSTANCES_INTERFACE)
		judge_fault(j, o, &m->use_origin, "NoSuchMap",
			    "write 'instances: interface' for this object as well",
			    "%s/%s is not one map: %s has one for each interface", m->use_object,
			    m->use_map, m->use_object);
	else if (elf && !theirs)
		judge_fault(j, o, &m->use_origin, "NoSuchMap",
			    judge_suggest_map(j, elf, m->use_map),
			    "the object '%s' has no map '%s'", m->use_object, m->use_map);
	else if (mine && theirs && !mine->is_data)
		compare_maps(j, o, m, mine, theirs);
}

static const struct map_decl *find_use(const struct object_decl *o, const struct object_decl *of)
{
	for (size_t i = 0; i < o->map_count; i++)
		if (str_eq(o->maps[i].use_object, of->name))
			return &o->maps[i];
	return NULL;
}

static void report_use_cycle(struct judge *j, const struct graph_cycle *c)
{
	struct object_decl *objects = j->desired->objects;
	const char **names = arena_calloc(j->scratch, c->n, sizeof(*names));
	const char *text;

	for (size_t i = 0; i < c->n; i++)
		names[i] = objects[c->nodes[i]].name;
	text = arena_printf(j->scratch, "objects use each other's maps in a circle: %s",
			    judge_cycle(j, names, c->n));
	for (size_t i = 0; i < c->n; i++) {
		struct object_decl *o = &objects[c->nodes[i]];
		const struct map_decl *m = find_use(o, &objects[c->nodes[(i + 1) % c->n]]);

		if (i == 0)
			judge_fault(j, o, &m->use_origin, "UseCycle",
				    "let one of them have the map", "%s", text);
		else
			judge_set_fault(j, o, &m->use_origin, "UseCycle", text);
	}
}

void judge_uses(struct judge *j)
{
	struct desired *d = j->desired;
	struct graph g = { .arena = j->scratch, .n = d->object_count };
	struct graph_cycles cycles;

	for (size_t i = 0; i < d->object_count; i++) {
		struct object_decl *o = &d->objects[i];

		for (size_t k = 0; k < o->map_count; k++) {
			const struct map_decl *m = &o->maps[k];
			const struct object_decl *target;

			if (!m->use_object)
				continue;
			target = desired_find_object(d, m->use_object);
			if (!target) {
				judge_fault(j, o, &m->use_origin, "NoSuchObject",
					    suggest_object(j, m->use_object),
					    "no file declares the object '%s'", m->use_object);
				continue;
			}
			judge_use(j, o, m, target);
			graph_add(&g, i, (size_t)(target - d->objects));
		}
	}
	cycles = graph_find_cycles(&g);
	for (size_t i = 0; i < cycles.list.n; i++)
		report_use_cycle(j, &cycles.list.v[i]);
}

/* ---- @set ---- */

static void judge_selectors(struct judge *j, struct object_decl *o, const struct attach_decl *a)
{
	const struct desired *d = j->desired;

	for (size_t i = 0; i < a->interfaces.n; i++) {
		const char *s = a->interfaces.v[i];
		const char **names;

		if (*s != '@' || desired_find_set(d, s + 1))
			continue;
		names = arena_calloc(j->scratch, d->set_count, sizeof(*names));
		for (size_t k = 0; k < d->set_count; k++)
			names[k] = d->sets[k].name;
		judge_fault(j, o, &a->origin, "NoSuchSet",
			    judge_suggest(j, s + 1, "the interface sets are", names, d->set_count),
			    "no file declares the interface set '%s'", s + 1);
	}
}

void judge_sets(struct judge *j)
{
	for (size_t i = 0; i < j->desired->object_count; i++) {
		struct object_decl *o = &j->desired->objects[i];

		for (size_t k = 0; k < o->program_count; k++)
			for (size_t n = 0; n < o->programs[k].attach_count; n++)
				judge_selectors(j, o, &o->programs[k].attach[n]);
	}
}

/* ---- shares ---- */

static void judge_share_map(struct judge *j, const struct share_map *m)
{
	const char *at = strchr(m->object, '@');
	const char *name = at ? arena_strndup(j->scratch, m->object, (size_t)(at - m->object)) :
				m->object;
	const struct object_decl *o = desired_find_object(j->desired, name);
	const struct elf_object *elf = o ? judge_elf(o) : NULL;
	const struct elf_map *map = elf ? elf_find_map(elf, m->map) : NULL;

	if (!o)
		diag_add(j->diags, DIAG_ERROR, &m->origin, suggest_object(j, name),
			 "NoSuchObject: no file declares the object '%s'", name);
	else if (at && o->instances != INSTANCES_INTERFACE)
		diag_add(j->diags, DIAG_ERROR, &m->origin,
			 arena_printf(j->scratch, "write %s/%s", name, m->map),
			 "NoSuchMap: '%s' has no instance for an interface", name);
	else if (!at && o->instances == INSTANCES_INTERFACE)
		diag_add(j->diags, DIAG_ERROR, &m->origin,
			 arena_printf(j->scratch, "write for example %s@eth0/%s", name, m->map),
			 "NoSuchMap: %s/%s is not one map: '%s' has one for each interface", name,
			 m->map, name);
	else if (elf && !map)
		diag_add(j->diags, DIAG_ERROR, &m->origin, judge_suggest_map(j, elf, m->map),
			 "NoSuchMap: the object '%s' has no map '%s'", name, m->map);
	else if (map && m->access == ACCESS_RW && !m->unsafe && map_type_is_powerful(map->type))
		diag_add(
			j->diags, DIAG_ERROR, &m->origin,
			"share it read-only, or write 'unsafe: true' if every consumer may do that",
			"UnsafeMap: who can write '%s', a map of type %s, decides what the kernel "
			"runs or where packets go",
			m->map, map_type_name(j->scratch, map->type));
}

void judge_shares(struct judge *j)
{
	for (size_t i = 0; i < j->desired->share_count; i++)
		for (size_t k = 0; k < j->desired->shares[i].map_count; k++)
			judge_share_map(j, &j->desired->shares[i].maps[k]);
}
