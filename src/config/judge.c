/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* Every object against its ELF file: programs, types for the hook, maps. */
#include "config/judge.h"

#include <linux/bpf.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/macros.h"
#include "base/str.h"
#include "model/map_policy.h"

/* So many names of what is there are listed in a message. */
#define NAMES_SHOWN 12

void judge_set_fault(struct judge *j, struct object_decl *o, const struct origin *at,
		     const char *token, const char *message)
{
	if (o->fault_reason)
		return;
	o->fault_reason = token;
	o->fault_message = arena_strdup(j->arena, message);
	o->fault_origin = *at;
}

void judge_fault(struct judge *j, struct object_decl *o, const struct origin *at, const char *token,
		 const char *hint, const char *fmt, ...)
{
	cleanup(freep) char *text = NULL;
	va_list args;

	va_start(args, fmt);
	text = xvasprintf(fmt, args);
	va_end(args);
	judge_set_fault(j, o, at, token,
			hint ? arena_printf(j->scratch, "%s; %s", text, hint) : text);
	diag_add(j->diags, DIAG_ERROR, at, hint, "%s: %s", token, text);
}

const struct elf_object *judge_elf(const struct object_decl *o)
{
	return o->source && o->source->code >= 0 ? o->source->elf : NULL;
}

const char *judge_suggest(struct judge *j, const char *word, const char *what,
			  const char *const *candidates, size_t n)
{
	const char *list = arena_printf(j->scratch, "%s:", what);

	for (size_t i = 0; i < n && i < NAMES_SHOWN; i++)
		list = arena_printf(j->scratch, "%s%s %s", list, i ? "," : "", candidates[i]);
	if (n > NAMES_SHOWN)
		list = arena_printf(j->scratch, "%s, … (%zu in all)", list, n);
	if (!n)
		list = arena_printf(j->scratch, "%s none", list);
	return diag_suggest(j->scratch, word, candidates, n, list);
}

/* ---- the file ---- */

static void judge_source(struct judge *j, struct object_decl *o)
{
	const struct object_source *s = o->source;

	if (!s)
		return;
	if (s->code < 0)
		judge_fault(j, o, &o->path_origin, s->reason, NULL, "%s", s->message);
	else if (o->sha256 && strcmp(o->sha256, s->sha256) != 0)
		judge_fault(j, o, &o->path_origin, "Sha256Mismatch",
			    "install the file that was meant, or correct 'sha256'",
			    "%s has the SHA-256 %s, not the %s that is asked for", s->path,
			    s->sha256, o->sha256);
}

/* ---- programs ---- */

/* Of each hook: the programs that it takes. */
static const struct {
	uint32_t type;
	const char *section;
} hook_programs[HOOK_COUNT] = {
	[HOOK_XDP] = { BPF_PROG_TYPE_XDP, "xdp" },
	[HOOK_TC] = { BPF_PROG_TYPE_SCHED_CLS, "tc" },
};

static bool judge_hook(struct judge *j, struct object_decl *o, const struct elf_program *found,
		       const struct attach_decl *a)
{
	const char *other = NULL;

	if (found->type == hook_programs[a->hook].type)
		return true;
	for (enum hook h = 0; h < HOOK_COUNT; h++)
		if (hook_programs[h].type == found->type)
			other = arena_printf(j->scratch, "write '%s' instead of '%s'",
					     hook_names[h], hook_names[a->hook]);
	judge_fault(j, o, &a->origin, "WrongProgramType",
		    arena_printf(j->scratch, "%s, or compile it with SEC(\"%s\")",
				 other ? other : "choose a hook of its kind",
				 hook_programs[a->hook].section),
		    "'%s' is in section \"%s\" and so of type %s; the hook %s takes programs of "
		    "type %s",
		    found->name, found->section, program_type_name(j->scratch, found->type),
		    hook_names[a->hook],
		    program_type_name(j->scratch, hook_programs[a->hook].type));
	return false;
}

static void judge_program(struct judge *j, struct object_decl *o, const struct program_decl *p)
{
	const struct elf_object *elf = judge_elf(o);
	const struct elf_program *found = elf_find_program(elf, p->name);
	const char **names = arena_calloc(j->scratch, elf->program_count, sizeof(*names));

	if (!found) {
		for (size_t i = 0; i < elf->program_count; i++)
			names[i] = elf->programs[i].name;
		judge_fault(j, o, &p->origin, "NoSuchProgram",
			    judge_suggest(j, p->name, "its programs are", names,
					  elf->program_count),
			    "the object file has no program '%s'", p->name);
		return;
	}
	for (size_t i = 0; i < p->attach_count; i++)
		if (!judge_hook(j, o, found, &p->attach[i]))
			return;
	if (p->attach_count && found->type == BPF_PROG_TYPE_XDP &&
	    (found->expected_attach_type == BPF_XDP_DEVMAP ||
	     found->expected_attach_type == BPF_XDP_CPUMAP))
		judge_fault(
			j, o, &p->attach[0].origin, "WrongProgramType",
			"compile it with SEC(\"xdp\"), or leave out 'attach'",
			"'%s' is in section \"%s\": it can run as an entry of a %s only, not on "
			"an interface",
			p->name, found->section,
			found->expected_attach_type == BPF_XDP_DEVMAP ? "devmap" : "cpumap");
}

/* ---- maps ---- */

/* Types whose size is no choice: the kernel refuses anything but what the ELF file says. */
static bool map_size_is_fixed(uint32_t type)
{
	switch (type) {
	case BPF_MAP_TYPE_CGROUP_STORAGE:
	case BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE:
	case BPF_MAP_TYPE_SK_STORAGE:
	case BPF_MAP_TYPE_INODE_STORAGE:
	case BPF_MAP_TYPE_TASK_STORAGE:
	case BPF_MAP_TYPE_CGRP_STORAGE:
	case BPF_MAP_TYPE_STRUCT_OPS:
		return true;
	default:
		return false;
	}
}

const char *judge_suggest_map(struct judge *j, const struct elf_object *elf, const char *name)
{
	const char **names = arena_calloc(j->scratch, elf->map_count, sizeof(*names));

	for (size_t i = 0; i < elf->map_count; i++)
		names[i] = elf->maps[i].name;
	return judge_suggest(j, name, "its maps are", names, elf->map_count);
}

static void judge_on_change(struct judge *j, struct object_decl *o, const struct map_decl *m,
			    const struct elf_map *found)
{
	struct map_policy policy = map_policy(found);

	if (!m->on_change_origin.line)
		return;
	if (found->is_data && policy.keeping == MAP_BY_FILE)
		judge_fault(j, o, &m->on_change_origin, "BadOnChange",
			    "leave out 'on_change'; 'globals' sets variables",
			    "'%s' has no contents of its own: read-only data is always that of the "
			    "file",
			    m->name);
	else if (m->on_change == ON_CHANGE_GROW && policy.growth == MAP_GROWS_NOT &&
		 policy.keeping != MAP_BY_VARIABLE)
		judge_fault(j, o, &m->on_change_origin, "BadOnChange",
			    "write 'keep', or 'reset' for a map that may start empty",
			    "'%s' cannot grow with what is in it: %s", m->name, policy.why);
}

/* By this a map is given up that the file does not have any more, and afterwards it harms nothing. */
static bool is_only_let_go(const struct map_decl *m)
{
	return m->on_change_origin.line && m->on_change == ON_CHANGE_RESET && !m->max_entries &&
	       !m->use_object;
}

static void judge_map(struct judge *j, struct object_decl *o, const struct map_decl *m)
{
	const struct elf_object *elf = judge_elf(o);
	const struct elf_map *found = elf_find_map(elf, m->name);

	if (!found && is_only_let_go(m)) {
		diag_add(
			j->diags, DIAG_WARNING, &m->on_change_origin,
			judge_suggest_map(j, elf, m->name),
			"the object file has no map '%s'; if the version in force has one, it goes with "
			"all that it holds",
			m->name);
		return;
	}
	if (!found) {
		judge_fault(j, o, &m->origin, "NoSuchMap", judge_suggest_map(j, elf, m->name),
			    "the object file has no map '%s'", m->name);
		return;
	}
	judge_on_change(j, o, m, found);
	if (found->is_data && m->use_object)
		judge_fault(j, o, &m->use_origin, "MapMismatch", "share single values by a map",
			    "'%s' holds the variables of this object file, so it cannot be the map "
			    "of another",
			    m->name);
	else if (found->is_data && m->max_entries)
		judge_fault(j, o, &m->origin, "BadMaxEntries",
			    "leave out 'max_entries'; 'globals' sets variables",
			    "'%s' holds the variables of the object file, so its size is no choice",
			    m->name);
	else if (m->max_entries && map_size_is_fixed(found->type))
		judge_fault(j, o, &m->origin, "BadMaxEntries", "leave out 'max_entries'",
			    "the size of '%s' is no choice: it is a map of type %s", m->name,
			    map_type_name(j->scratch, found->type));
}

static const struct map_decl *find_map_decl(const struct object_decl *o, const char *name)
{
	for (size_t i = 0; i < o->map_count; i++)
		if (strcmp(o->maps[i].name, name) == 0)
			return &o->maps[i];
	return NULL;
}

static void note_pin_by_name(struct judge *j, const struct object_decl *o)
{
	const struct elf_object *elf = judge_elf(o);

	for (size_t i = 0; i < elf->map_count; i++) {
		const struct map_decl *m = find_map_decl(o, elf->maps[i].name);

		if (elf->maps[i].pin_by_name)
			diag_add(j->diags, DIAG_NOTE, m ? &m->origin : &o->path_origin,
				 "to use the map of another object, write 'use'",
				 "the object file wants its map '%s' pinned by name "
				 "(LIBBPF_PIN_BY_NAME), which is ignored",
				 elf->maps[i].name);
	}
}

/* ---- maps that belong to one device ---- */

static bool program_uses_map(const struct elf_object *elf, const char *program, uint32_t map)
{
	const struct elf_program *p = elf_find_program(elf, program);

	for (size_t i = 0; p && i < p->map_count; i++)
		if (p->maps[i] == map)
			return true;
	return false;
}

/* The first name of an interface that differs from name; the first of all for NULL. */
static const char *find_interface(const struct program_decl *p, const char *name)
{
	for (size_t i = 0; i < p->attach_count; i++) {
		const struct string_list *l = &p->attach[i].interfaces;

		for (size_t k = 0; k < l->n; k++)
			if (l->v[k][0] != '@' && !str_is_glob(l->v[k]) && !str_eq(l->v[k], name))
				return l->v[k];
	}
	return NULL;
}

/* What a pattern or a set makes of it on a node is seen when the plan is made. */
static void judge_device_map(struct judge *j, struct object_decl *o, uint32_t map)
{
	const struct elf_object *elf = judge_elf(o);
	const char *first = NULL;

	for (size_t i = 0; i < o->program_count; i++) {
		const struct program_decl *p = &o->programs[i];
		const char *other;

		if (!program_uses_map(elf, p->name, map))
			continue;
		if (!first)
			first = find_interface(p, NULL);
		other = find_interface(p, first);
		if (!first || !other)
			continue;
		judge_fault(
			j, o, &p->origin, "PerDeviceMap",
			"write 'instances: interface' for a map for each interface",
			"the map '%s' is of type %s and so belongs to one device, but what uses "
			"it is attached to %s and %s",
			elf->maps[map].name, map_type_name(j->scratch, elf->maps[map].type), first,
			other);
		return;
	}
}

static void judge_device_maps(struct judge *j, struct object_decl *o)
{
	const struct elf_object *elf = judge_elf(o);

	for (uint32_t i = 0; o->instances == INSTANCES_ONE && i < elf->map_count; i++)
		if (map_type_is_per_device(elf->maps[i].type))
			judge_device_map(j, o, i);
}

/* ---- all ---- */

/* What is in the file, as far as it could be read. */
static void judge_content(struct judge *j, struct object_decl *o)
{
	if (!judge_elf(o))
		return;
	for (size_t i = 0; i < o->program_count; i++)
		judge_program(j, o, &o->programs[i]);
	judge_globals(j, o);
	for (size_t i = 0; i < o->map_count; i++)
		judge_map(j, o, &o->maps[i]);
	note_pin_by_name(j, o);
	judge_device_maps(j, o);
}

/*
 * The object file is at fault and its declaration is not: what was good at its path last serves, if it
 * does all that is declared now. Faults found in that are not the operator's business.
 */
static bool use_last_good(struct judge *j, struct object_decl *o)
{
	struct judge quiet = { .arena = j->arena, .scratch = j->scratch, .desired = j->desired };
	const struct object_decl faulty = *o;

	o->source = faulty.source->last_good;
	if (o->sha256 && !str_eq(o->sha256, o->source->sha256))
		o->source = NULL;
	o->fault_reason = o->fault_message = NULL;
	judge_content(&quiet, o);
	if (!judge_elf(o) || o->fault_reason) {
		*o = faulty;
		return false;
	}
	o->present = faulty.source;
	o->present_reason = faulty.fault_reason;
	o->present_message = faulty.fault_message;
	return true;
}

static void judge_object(struct judge *j, struct object_decl *o)
{
	judge_source(j, o);
	if (!o->fault_reason || !o->source->last_good || !use_last_good(j, o))
		judge_content(j, o);
}

void config_judge(struct arena *a, struct desired *d, struct diags *diags)
{
	cleanup(arena_freep) struct arena *scratch = arena_new();
	struct judge j = { .arena = a, .scratch = scratch, .desired = d, .diags = diags };

	for (size_t i = 0; i < d->object_count; i++)
		judge_object(&j, &d->objects[i]);
	judge_uses(&j);
	judge_sets(&j);
	judge_order(&j);
	judge_shares(&j);
}
