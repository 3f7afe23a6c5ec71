/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Versions of objects whose pins were deleted while no daemon held descriptors of them. What runs keeps its
 * programs, those keep their maps, and among these is the metadata that each program of ours is bound to: it says
 * which version they are of and what the version consists of. Programs are told apart by the names of their
 * functions, maps by what the kernel keeps of theirs: 15 characters, those of data sections behind a part of the
 * object's name.
 *
 * Anybody who may make maps can make one that looks like metadata, with any contents. It is believed only of
 * programs that this user loaded, and in no case to be consistent with what was found before.
 */
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "base/str.h"
#include "kern/pin.h"
#include "kern/recover.h"
#include "model/layout.h"

#define KERNEL_NAME 15

/* A program that is bound to metadata of ours. */
struct found_program {
	struct observed_program program;
	const char *function; /* whole name, by BTF; else the kernel's */
};

/* One version of which something was found. */
struct found_version {
	struct meta_object meta;
	uint32_t meta_id;
	LIST(struct found_program) programs;
};

struct scan {
	const struct kern_context *c;
	struct arena *a;
	LIST(struct found_version) versions;
	LIST(uint32_t) foreign; /* maps that were looked at and are no metadata of objects */
};

static void btfp(struct btf **b)
{
	btf__free(*b);
}

/* --- what needs it ------------------------------------------------------------------- */

/*
 * What a crash left of a removal looks the same, and is looked for in vain until it is cleared away. What stays for good,
 * because it may be somebody else's, is looked for only if something runs.
 */
static bool lacks_something(const struct observed_object *o)
{
	return !o->newer && !o->complete && !o->unknown;
}

static bool is_known(const struct observed *o, uint32_t id)
{
	if (observed_find_chain(o, id))
		return true;
	for (size_t i = 0; i < o->object_count; i++) {
		const struct observed_object *at = &o->objects[i];

		for (size_t k = 0; k < at->program_count; k++)
			if (at->programs[k].id == id)
				return true;
		for (size_t k = 0; k < at->extension_count; k++)
			if (at->extensions[k].id == id)
				return true;
	}
	return false;
}

/* Programs that run though no pin tells of them: roots and tc programs by their mark, members by their slots. */
static bool runs_unknown(const struct observed *o, uint32_t id)
{
	for (size_t i = 0; i < o->program_count; i++)
		if (o->programs[i].id == id && o->programs[i].ours)
			return !is_known(o, id);
	for (size_t i = 0; i < o->chain_count; i++)
		for (size_t k = 0; o->chains[i].complete && k < o->chains[i].meta.member_count; k++)
			if (id && o->chains[i].slots[k] == id &&
			    *o->chains[i].meta.members[k].instance &&
			    !o->chains[i].meta.members[k].absent)
				return !is_known(o, id);
	return false;
}

static bool is_needed(const struct observed *o)
{
	for (size_t i = 0; i < o->object_count; i++)
		if (lacks_something(&o->objects[i]))
			return true;
	for (size_t i = 0; i < o->program_count; i++)
		if (runs_unknown(o, o->programs[i].id))
			return true;
	for (size_t i = 0; i < o->chain_count; i++)
		for (size_t k = 0; o->chains[i].complete && k < o->chains[i].meta.member_count; k++)
			if (runs_unknown(o, o->chains[i].slots[k]))
				return true;
	return false;
}

/* --- looking ------------------------------------------------------------------------- */

static const char *function_by_btf(struct arena *a, int fd)
{
	struct bpf_func_info first = { 0 };
	struct bpf_prog_info info = { .nr_func_info = 1,
				      .func_info_rec_size = sizeof(first),
				      .func_info = (uintptr_t)&first };
	uint32_t size = sizeof(info);
	cleanup(btfp) struct btf *btf = NULL;
	const struct btf_type *t;

	if (bpf_obj_get_info_by_fd(fd, &info, &size) < 0 || !info.btf_id || !first.type_id)
		return NULL;
	btf = btf__load_from_kernel_by_id(info.btf_id);
	t = btf ? btf__type_by_id(btf, first.type_id) : NULL;
	return t && btf_is_func(t) ? arena_strdup(a, btf__name_by_offset(btf, t->name_off)) : NULL;
}

static struct found_version *find_version(struct scan *s, uint32_t meta_id)
{
	for (size_t i = 0; i < s->versions.n; i++)
		if (s->versions.v[i].meta_id == meta_id)
			return &s->versions.v[i];
	return NULL;
}

static bool was_looked_at(const struct scan *s, uint32_t id)
{
	for (size_t i = 0; i < s->foreign.n; i++)
		if (s->foreign.v[i] == id)
			return true;
	return false;
}

/* What runs at our hooks; of an object that has such a program the others are taken as well. */
static bool is_of_our_types(const struct observed_program *p)
{
	return p->type == BPF_PROG_TYPE_XDP || p->type == BPF_PROG_TYPE_SCHED_CLS ||
	       p->type == BPF_PROG_TYPE_EXT;
}

/* The version whose metadata this map of the program is; NULL: it is something else, or gone by now. */
static struct found_version *look_at_map(struct scan *s, const struct observed_program *p,
					 uint32_t id)
{
	cleanup(closep) int fd = -1;
	struct found_version *v = find_version(s, id);
	struct observed_map map;
	struct meta_object meta;
	struct pin_meta data;

	if (!pin_is_by_us(p))
		return NULL;
	if (v || was_looked_at(s, id) || !is_of_our_types(p))
		return v;
	fd = bpf_map_get_fd_by_id(id);
	if (fd < 0 || pin_map_info(s->a, fd, &map, NULL) < 0 ||
	    !pin_is_meta(fd, &map, pin_meta_name(s->a, s->c->tag)) ||
	    pin_meta_read_fd(s->a, fd, map.name, &data, NULL) < 0 ||
	    meta_object_decode(s->a, data.data, data.size, &meta, NULL) < 0) {
		*LIST_ADD(s->a, &s->foreign) = id;
		return NULL;
	}
	v = LIST_ADD(s->a, &s->versions);
	v->meta = meta;
	v->meta_id = id;
	return v;
}

static int look_at_program(struct scan *s, uint32_t id, struct error *e)
{
	cleanup(closep) int fd = bpf_prog_get_fd_by_id(id);
	struct observed_program program;
	struct found_version *v = NULL;
	struct found_program *p;
	const char *function;
	int r;

	if (fd < 0)
		return errno == ENOENT ? 0 :
					 error_set(e, -errno, "cannot look at program id %u: %s",
						   id, error_string(errno));
	r = pin_program_info(s->a, fd, &program, e);
	if (r < 0)
		return r;
	/*
	 * Metadata is bound to what is loaded already, so it is the last. The others are let alone: a program array
	 * that is opened by its id right after its last pin went, and closed before the kernel has emptied
	 * it, is never freed (prog_array_map_clear() takes a reference for a work item that is queued already; Linux
	 * 6.18 still does).
	 */
	if (program.map_count > 0)
		v = look_at_map(s, &program, program.maps[program.map_count - 1]);
	if (!v)
		return 0;
	function = strlen(program.name) < KERNEL_NAME ? NULL : function_by_btf(s->a, fd);
	p = LIST_ADD(s->a, &v->programs);
	p->program = program;
	p->function = function ? function : program.name;
	return 0;
}

static int look(struct scan *s, struct error *e)
{
	uint32_t id = 0;
	int r = 0;

	while (r == 0 && bpf_prog_get_next_id(id, &id) == 0)
		r = look_at_program(s, id, e);
	if (r == 0 && errno != ENOENT)
		r = error_set(e, -errno, "cannot list programs: %s", error_string(errno));
	return r;
}

/* --- programs of a version -------------------------------------------------------------- */

static const struct found_program *find_program(const struct found_version *v, const char *function,
						bool extension)
{
	for (size_t i = 0; i < v->programs.n; i++) {
		const struct found_program *p = &v->programs.v[i];

		if (str_eq(p->function, function) &&
		    (p->program.type == BPF_PROG_TYPE_EXT) == extension)
			return p;
	}
	return NULL;
}

static bool has_program(const struct observed_program *v, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(v[i].name, name))
			return true;
	return false;
}

static void take_programs(struct recover *r, const struct found_version *v,
			  struct observed_object *o, bool extension)
{
	struct observed_program *list = extension ? o->extensions : o->programs;
	size_t *count = extension ? &o->extension_count : &o->program_count;
	const char *part = extension ? LAYOUT_EXTENSIONS : LAYOUT_PROGRAMS;

	for (size_t i = 0; i < o->meta.program_count && *count < o->meta.program_count; i++) {
		const char *function = o->meta.programs[i];
		const struct found_program *p = find_program(v, function, extension);

		if (!p || has_program(list, *count, function))
			continue;
		list[*count] = p->program;
		list[(*count)++].name = function;
		recover_add_unless_pinned(
			r, arena_printf(r->a, "%s/%s", part, layout_escape(r->a, function)),
			PIN_TYPE_PROGRAM, p->program.id);
	}
}

/* --- maps of a version ------------------------------------------------------------------- */

/* Whether a map that the kernel calls name may be this one of the ELF file. */
static bool may_be_map(const char *kernel, const char *elf)
{
	char shown[KERNEL_NAME + 1];

	(void)snprintf(shown, sizeof(shown), "%s", elf);
	if (*elf != '.' || strchr(elf + 1, '.'))
		return str_eq(kernel, shown);
	return str_ends(kernel, elf);
}

static bool has_map(const struct observed_object *o, const char *name, uint32_t id)
{
	for (size_t i = 0; i < o->map_count; i++)
		if (str_eq(o->maps[i].name, name) || (id && o->maps[i].id == id))
			return true;
	return false;
}

/* What the owner of a map that is another object's calls it. */
static const char *kernel_source(const struct meta_map *m)
{
	const char *slash = m->use ? strchr(m->use, '/') : NULL;

	return slash ? slash + 1 : m->name;
}

struct candidates {
	LIST(struct observed_map) list;
};

static bool is_candidate(const struct candidates *c, uint32_t id)
{
	for (size_t i = 0; i < c->list.n; i++)
		if (c->list.v[i].id == id)
			return true;
	return false;
}

static void add_candidates(struct scan *s, const struct found_program *p, struct candidates *ret)
{
	for (size_t i = 0; i < p->program.map_count; i++) {
		uint32_t id = p->program.maps[i];
		cleanup(closep) int fd = -1;
		struct observed_map map;

		if (is_candidate(ret, id) || find_version(s, id))
			continue;
		fd = bpf_map_get_fd_by_id(id);
		if (fd >= 0 && pin_map_info(s->a, fd, &map, NULL) == 0)
			*LIST_ADD(s->a, &ret->list) = map;
	}
}

/* Two of equal beginnings cannot be told apart: neither is taken. */
static const struct observed_map *
choose_map(const struct candidates *c, const struct observed_object *o, const struct meta_map *m)
{
	const struct observed_map *found = NULL;

	for (size_t i = 0; i < c->list.n; i++) {
		const struct observed_map *at = &c->list.v[i];

		if (!may_be_map(at->name, kernel_source(m)) || has_map(o, "", at->id))
			continue;
		if (found)
			return NULL;
		found = at;
	}
	return found;
}

/* Another map of the version that would be taken for the same. */
static bool is_ambiguous(const struct observed_object *o, const struct meta_map *m)
{
	char shown[KERNEL_NAME + 1];

	(void)snprintf(shown, sizeof(shown), "%s", kernel_source(m));
	for (size_t i = 0; i < o->meta.map_count; i++)
		if (&o->meta.maps[i] != m && !has_map(o, o->meta.maps[i].name, 0) &&
		    may_be_map(shown, kernel_source(&o->meta.maps[i])))
			return true;
	return false;
}

/*
 * Whether something else is pinned as this map: it is not the one of that name that a program uses, and another that
 * nobody has is. A map that no program uses is told by its pin alone.
 */
static bool is_replaced(const struct candidates *c, const struct observed_object *o,
			const struct observed_map *map, const struct meta_map *m)
{
	bool found = false;

	for (size_t i = 0; i < c->list.n; i++) {
		const struct observed_map *at = &c->list.v[i];

		if (!may_be_map(at->name, kernel_source(m)))
			continue;
		if (at->id == map->id)
			return false;
		found |= !has_map(o, "", at->id);
	}
	return found && !is_ambiguous(o, m);
}

static const struct meta_map *meta_of(const struct observed_object *o, const char *name)
{
	for (size_t i = 0; i < o->meta.map_count; i++)
		if (str_eq(o->meta.maps[i].name, name))
			return &o->meta.maps[i];
	return NULL;
}

static void drop_replaced(const struct candidates *c, struct observed_object *o)
{
	size_t i = 0;

	while (i < o->map_count) {
		const struct meta_map *m = meta_of(o, o->maps[i].name);

		if (m && is_replaced(c, o, &o->maps[i], m))
			o->maps[i] = o->maps[--o->map_count];
		else
			i++;
	}
}

static void take_maps(struct scan *s, struct recover *r, const struct found_version *v,
		      struct observed_object *o)
{
	struct candidates candidates = { 0 };

	for (size_t i = 0; i < v->programs.n; i++)
		add_candidates(s, &v->programs.v[i], &candidates);
	drop_replaced(&candidates, o);
	for (size_t i = 0; i < o->meta.map_count && o->map_count < o->meta.map_count; i++) {
		const struct meta_map *m = &o->meta.maps[i];
		const struct observed_map *map;

		if (has_map(o, m->name, 0) || is_ambiguous(o, m))
			continue;
		map = choose_map(&candidates, o, m);
		if (!map)
			continue;
		o->maps[o->map_count] = *map;
		o->maps[o->map_count++].name = m->name;
		recover_add_unless_pinned(
			r, arena_printf(r->a, LAYOUT_MAPS "/%s", layout_escape(r->a, m->name)),
			PIN_TYPE_MAP, map->id);
	}
}

/* --- the whole ---------------------------------------------------------------------------- */

/* What other metadata listed is not this version's: that metadata is not what the programs were bound to. */
static void forget(struct observed_object *o)
{
	*o = (struct observed_object){
		.instance = o->instance,
		.version = o->version,
		.unknown = o->unknown,
		.foreign = o->foreign,
	};
}

static struct observed_program *room_for_programs(struct arena *a, const struct observed_program *v,
						  size_t n, size_t most)
{
	struct observed_program *room = arena_calloc(a, MAX(n, most), sizeof(*room));

	for (size_t i = 0; i < n; i++)
		room[i] = v[i];
	return room;
}

static void prepare(struct arena *a, struct observed_object *o, const struct found_version *v)
{
	const size_t programs = v->meta.program_count;
	const struct observed_map *before;

	if (o->meta_id != v->meta_id)
		forget(o);
	o->meta = v->meta;
	o->programs = room_for_programs(a, o->programs, o->program_count, programs);
	o->extensions = room_for_programs(a, o->extensions, o->extension_count, programs);
	before = o->maps;
	o->maps = arena_calloc(a, MAX(o->map_count, v->meta.map_count), sizeof(*o->maps));
	for (size_t i = 0; i < o->map_count; i++)
		o->maps[i] = before[i];
}

/* True: something was found that was not there before. */
static bool complete(struct scan *s, const struct found_version *v, struct observed_object *o)
{
	struct recover r = { s->c, s->a, layout_object_dir(s->a, o->instance, o->version), { 0 } };
	size_t before;

	prepare(s->a, o, v);
	before = o->lost_count;
	for (size_t i = 0; i < before; i++)
		*LIST_ADD(s->a, &r.lost) = o->lost[i];
	take_programs(&r, v, o, false);
	take_maps(s, &r, v, o);
	take_programs(&r, v, o, true);
	if (o->meta_id != v->meta_id) {
		o->meta_id = v->meta_id;
		recover_add_unless_pinned(&r, LAYOUT_META, PIN_TYPE_MAP, v->meta_id);
	}
	o->complete = o->program_count == o->meta.program_count &&
		      o->map_count == o->meta.map_count;
	o->lost = r.lost.v;
	o->lost_count = r.lost.n;
	if (o->unknown)
		(void)object_observe_foreign(s->c, s->a, o, NULL);
	o->unknown = false;
	return o->lost_count > before;
}

/* A version without a directory is of use only if it runs: others may hold what we let go long ago. */
static bool runs(const struct observed *o, const struct found_version *v)
{
	for (size_t i = 0; i < v->programs.n; i++)
		if (runs_unknown(o, v->programs.v[i].program.id))
			return true;
	return false;
}

static size_t live_programs(const struct found_version *v)
{
	size_t n = 0;

	for (size_t i = 0; i < v->meta.program_count; i++)
		n += find_program(v, v->meta.programs[i], false) != NULL;
	return n;
}

static bool is_version(const struct found_version *v, const struct meta_object *m)
{
	return str_eq(v->meta.instance, m->instance) && str_eq(v->meta.version, m->version);
}

/*
 * Of all metadata of one version: that which is pinned, else that of most programs and of those that run. Between
 * equals nothing tells which is right, and neither is taken.
 */
static const struct found_version *choose(const struct scan *s, const struct observed *o,
					  const struct meta_object *of,
					  const struct observed_object *at)
{
	const struct found_version *best = NULL;
	size_t most = 0;
	bool tie = false;

	for (size_t i = 0; i < s->versions.n; i++) {
		const struct found_version *v = &s->versions.v[i];
		size_t n = 2 * live_programs(v) + runs(o, v);

		if (!is_version(v, of))
			continue;
		if (at && at->meta_id == v->meta_id)
			return v;
		tie = n == most || (tie && n < most);
		best = n > most ? v : best;
		most = MAX(n, most);
	}
	return tie ? NULL : best;
}

static struct observed_object *find_object(const struct observed *o, const struct meta_object *m)
{
	return (struct observed_object *)observed_find_object(o, m->instance, m->version);
}

static void add_object(struct scan *s, struct observed *o, const struct found_version *v)
{
	struct observed_object *list = arena_calloc(s->a, o->object_count + 1, sizeof(*o->objects));

	if (o->object_count)
		memcpy(list, o->objects, o->object_count * sizeof(*list));
	list[o->object_count].instance = v->meta.instance;
	list[o->object_count].version = v->meta.version;
	(void)complete(s, v, &list[o->object_count]);
	o->objects = list;
	o->object_count++;
	qsort(list, o->object_count, sizeof(*list), observed_compare_objects);
}

struct version_list {
	LIST(const struct found_version *) list;
};

int object_recover(const struct kern_context *c, struct arena *a, struct observed *o,
		   bool *ret_found, struct error *e)
{
	struct scan s = { .c = c, .a = a };
	struct version_list lacking = { 0 }, bare = { 0 };
	int r;

	*ret_found = false;
	if (!is_needed(o))
		return 0;
	r = look(&s, e);
	if (r < 0)
		return error_prefix(e, r, "lost pins");
	/* Judged before anything is added, since what is added counts as known. */
	for (size_t i = 0; i < s.versions.n; i++) {
		const struct found_version *v = &s.versions.v[i];
		struct observed_object *at = find_object(o, &v->meta);

		if (at && !at->unknown ? !lacks_something(at) : !runs(o, v))
			continue;
		if (choose(&s, o, &v->meta, at) == v)
			*LIST_ADD(a, at ? &lacking.list : &bare.list) = v;
	}
	for (size_t i = 0; i < lacking.list.n; i++)
		*ret_found |=
			complete(&s, lacking.list.v[i], find_object(o, &lacking.list.v[i]->meta));
	for (size_t i = 0; i < bare.list.n; i++)
		add_object(&s, o, bare.list.v[i]);
	*ret_found |= bare.list.n > 0;
	return 0;
}
