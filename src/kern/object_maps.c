/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * An upgrade must not forget what the version before knew. A kept map is the same kernel map under a second pin,
 * so old and new programs see each other's updates and nothing can be lost; all that matters here is that nothing fills it
 * again: libbpf leaves the data of reused maps alone, and what the file puts into maps of maps is not in the bytes.
 */
#include "kern/object_maps.h"

#include <errno.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/alloc.h"
#include "base/macros.h"
#include "base/str.h"
#include "kern/map_carry.h"
#include "kern/map_copy.h"
#include "kern/map_reader.h"
#include "kern/object.h"
#include "kern/object_fill.h"
#include "kern/pin.h"
#include "model/layout.h"

static const struct op_map *find_op_map(const struct op_object *op, const char *name)
{
	for (size_t i = 0; i < op->map_count; i++)
		if (str_eq(op->maps[i].name, name))
			return &op->maps[i];
	return NULL;
}

static bool is_kept(void *arg, const char *map)
{
	const struct op_map *want = find_op_map(arg, map);

	return want && want->action == MAP_KEEP;
}

const void *object_maps_bytes(struct arena *a, const struct op_object *op, const void *elf,
			      size_t size)
{
	for (size_t i = 0; i < op->map_count; i++)
		if (op->maps[i].action == MAP_KEEP)
			return object_without_fill(a, elf, size, is_kept, (void *)op);
	return elf;
}

/* The map that is to be taken; -ESTALE when its pin leads to another one than the plan decided about. */
static int open_from(struct object_maps *m, const struct op_map *want, int *ret_fd, struct error *e)
{
	const struct map_ref *from = &want->from;
	const char *pin = layout_map_pin(m->a, from->instance, from->version, from->map);
	struct observed_map found;
	cleanup(closep) int fd = -1;
	int r;

	r = pin_open(pin_path(m->c, m->a, pin), &fd, e);
	if (r == 0)
		r = pin_map_info(m->a, fd, &found, e);
	if (r < 0)
		return r;
	if (found.id != want->from_id)
		return error_set(e, -ESTALE,
				 "its pin has map id %u now instead of %u; it is looked at again",
				 found.id, want->from_id);
	*ret_fd = take_fd(fd);
	return 0;
}

static void printf_like(2, 3) add_note(struct object_maps *m, const char *fmt, ...)
{
	cleanup(freep) char *text = NULL;
	va_list args;

	va_start(args, fmt);
	text = xvasprintf(fmt, args);
	va_end(args);
	strbuf_addf(&m->note, "%s%s", *strbuf_get(&m->note) ? "; " : "", text);
}

void object_maps_done(struct object_maps *m)
{
	for (size_t i = 0; i < m->list.n; i++)
		closep(&m->list.v[i].from);
	strbuf_done(&m->note);
}

/* --- values of data sections ------------------------------------------------------------ */

static int set_values(struct object_maps *m, struct op_result *ret)
{
	const struct object_decl *decl = m->op->decl;

	for (size_t i = 0; i < decl->value_count; i++) {
		const struct global_value *v = &decl->values[i];
		struct bpf_map *map = bpf_object__find_map_by_name(m->object, v->section);
		size_t size = 0;
		char *data = map ? bpf_map__initial_value(map, &size) : NULL;

		if (!data || v->offset > size || v->size > size - v->offset) {
			error_set(&ret->error, -EINVAL,
				  "global at %s+%u of %u bytes is not in the ELF file", v->section,
				  v->offset, v->size);
			return result_fail_as(ret, -EINVAL, "LoadFailed");
		}
		memcpy(data + v->offset, v->bytes, v->size);
	}
	return 0;
}

static int carry_values(struct object_maps *m, const struct op_map *want, struct op_result *ret)
{
	struct map_carried carried = { 0 };
	cleanup(closep) int fd = -1;
	int r = open_from(m, want, &fd, &ret->error);

	if (r == 0)
		r = map_carry(m->op, m->object, want, fd, &carried, &ret->error);
	if (r == 0) {
		add_note(m, "%s: %zu variables have the values of version %s, %zu are new",
			 want->name, carried.variables, want->from.version, carried.fresh);
		return 0;
	}
	error_prefix(&ret->error, r, "the values of %s of version %s cannot be taken over",
		     want->name, want->from.version);
	if (r != -EINVAL) {
		result_fail(ret, r);
		return r;
	}
	error_set(&ret->error, r,
		  "%s; `on_change: reset` for map %s starts with those of the file, the old file "
		  "brings the old version back",
		  ret->error.text, want->name);
	return result_fail_as(ret, r, "MapChanged");
}

/* --- maps of others ----------------------------------------------------------------------- */

static int use_map(struct object_maps *m, const struct object_map *map, struct op_result *ret)
{
	const struct op_map *want = map->want;
	cleanup(closep) int fd = -1;
	int r = 0;

	/* Without an id it is a map that this very plan made. */
	if (want->from_id)
		r = open_from(m, want, &fd, &ret->error);
	if (r == 0)
		r = want->from_id ?
			    object_reuse_fd(m->a, map->map, fd, &ret->error) :
			    object_reuse_map(m->c, m->a, map->map, &want->from, &ret->error);
	if (r == 0)
		return 0;
	error_prefix(&ret->error, r, "map %s cannot be map %s of %s", map->name, want->from.map,
		     want->from.instance);
	return result_fail_as(ret, r, "MapCreateFailed");
}

static int keep_map(struct object_maps *m, const struct object_map *map, struct op_result *ret)
{
	const struct op_map *want = map->want;
	cleanup(closep) int fd = -1;
	int r = open_from(m, want, &fd, &ret->error);

	if (r == 0)
		r = object_reuse_fd(m->a, map->map, fd, &ret->error);
	if (r == 0)
		return 0;
	error_prefix(&ret->error, r, "map %s of version %s cannot be kept", map->name,
		     want->from.version);
	if (r == -EINVAL)
		return result_fail_as(ret, r, "MapChanged");
	result_fail(ret, r);
	return r;
}

static int set_size(const struct object_map *map, struct op_result *ret)
{
	uint32_t max_entries = map->want->max_entries;
	int r = max_entries ? bpf_map__set_max_entries(map->map, max_entries) : 0;

	if (r == 0)
		return 0;
	error_set(&ret->error, r, "map %s cannot have max_entries %u: %s", map->name, max_entries,
		  error_string(r));
	return result_fail_as(ret, r, "MapCreateFailed");
}

static int prepare_copy(struct object_maps *m, struct object_map *map, struct op_result *ret)
{
	int r = open_from(m, map->want, &map->from, &ret->error);

	if (r == 0)
		return set_size(map, ret);
	error_prefix(&ret->error, r, "map %s of version %s cannot be copied", map->name,
		     map->want->from.version);
	result_fail(ret, r);
	return r;
}

/* Kernels know the types of all of these, though not every key's. */
static bool may_be_typed(const struct bpf_map *map)
{
	switch (bpf_map__type(map)) {
	case BPF_MAP_TYPE_HASH:
	case BPF_MAP_TYPE_PERCPU_HASH:
	case BPF_MAP_TYPE_LRU_HASH:
	case BPF_MAP_TYPE_LRU_PERCPU_HASH:
	case BPF_MAP_TYPE_ARRAY:
	case BPF_MAP_TYPE_PERCPU_ARRAY:
	case BPF_MAP_TYPE_LPM_TRIE:
		return bpf_map__btf_value_type_id(map) != 0;
	default:
		return false;
	}
}

static bool is_created(const struct op_map *want)
{
	return !want || (want->action != MAP_USE && want->action != MAP_KEEP);
}

static int prepare_map(struct object_maps *m, struct bpf_map *map, struct op_result *ret)
{
	struct object_map *entry = LIST_ADD(m->a, &m->list);

	entry->map = map;
	entry->from = -1;
	entry->name = object_map_name(m->a, map);
	entry->want = find_op_map(m->op, entry->name);
	entry->typed = is_created(entry->want) && may_be_typed(map);
	/* Where LIBBPF_PIN_BY_NAME would pin is no place of ours. */
	(void)bpf_map__set_pin_path(map, NULL);
	if (!entry->want)
		return 0;
	switch (entry->want->action) {
	case MAP_USE:
		return use_map(m, entry, ret);
	case MAP_KEEP:
		return keep_map(m, entry, ret);
	case MAP_COPY:
		return prepare_copy(m, entry, ret);
	default:
		return set_size(entry, ret);
	}
}

int object_maps_prepare(struct object_maps *m, struct op_result *ret)
{
	struct bpf_map *map;
	int r = 0;

	/*
	 * By the names in the ELF file, which libbpf forgets when a map is reused: so values go first. What is declared goes
	 * over what was there.
	 */
	for (size_t i = 0; r == 0 && i < m->op->map_count; i++)
		if (m->op->maps[i].action == MAP_CARRY)
			r = carry_values(m, &m->op->maps[i], ret);
	if (r == 0)
		r = set_values(m, ret);
	bpf_object__for_each_map(map, m->object)
		r = r < 0 ? r : prepare_map(m, map, ret);
	return r;
}

bool object_maps_lost_types(const struct object_maps *m)
{
	for (size_t i = 0; i < m->list.n; i++)
		if (m->list.v[i].typed && !bpf_map__btf_value_type_id(m->list.v[i].map))
			return true;
	return false;
}

/* BPF_F_RDONLY and BPF_F_WRONLY are of the descriptor that creating the map gave, not of the map. */
static int reopen(const struct bpf_map *map, int *ret_fd, struct error *e)
{
	struct bpf_map_info info = { 0 };
	uint32_t size = sizeof(info);

	if (bpf_obj_get_info_by_fd(bpf_map__fd(map), &info, &size) == 0)
		*ret_fd = bpf_map_get_fd_by_id(info.id);
	if (*ret_fd < 0)
		return error_set(e, -errno, "cannot open the new one: %s", error_string(errno));
	return 0;
}

static int copy_map(struct object_maps *m, const struct object_map *map,
		    const struct map_sweep *time, struct op_result *ret)
{
	cleanup(closep) int fd = -1;
	uint64_t count = 0;
	int r = reopen(map->map, &fd, &ret->error);

	if (r == 0)
		r = map_copy(m->c->snapshots, (const int[]){ map->from, fd }, time->deadline_ns,
			     &count, &ret->error);
	if (r == 0) {
		add_note(m, "map %s: %llu entries of version %s copied", map->name,
			 (unsigned long long)count, map->want->from.version);
		return 0;
	}
	error_prefix(&ret->error, r, "map %s of version %s cannot be copied", map->name,
		     map->want->from.version);
	error_set(&ret->error, r,
		  "%s; version %s stays: `on_change: reset` for this map starts with an empty one",
		  ret->error.text, map->want->from.version);
	result_fail_as(ret, r, "MapCopyFailed");
	/* It would take as long again, and the daemon does nothing else meanwhile. */
	if (r == -ETIMEDOUT && time->whole)
		ret->class = FAILURE_KERNEL;
	return r;
}

int object_maps_copy(struct object_maps *m, struct op_result *ret)
{
	cleanup(map_sweep_end) struct map_sweep time = map_sweep_begin(m->c);
	int r = 0;

	for (size_t i = 0; r == 0 && i < m->list.n; i++)
		if (m->list.v[i].from >= 0)
			r = copy_map(m, &m->list.v[i], &time, ret);
	if (r == 0 && *strbuf_get(&m->note))
		ret->note = arena_strdup(m->a, strbuf_get(&m->note));
	return r;
}

/* What the verifier says of pointers, lists and trees in values that have not the type that it expects. */
static bool is_about_types(const char *log)
{
	return strstr(log, "kptr") || strstr(log, "bpf_list_") || strstr(log, "bpf_rb_");
}

void object_maps_explain(const struct object_maps *m, struct op_result *ret)
{
	const struct elf_object *elf = m->op->decl->source->elf;

	for (size_t i = 0; ret->log && is_about_types(ret->log) && elf && i < m->list.n; i++) {
		const struct object_map *map = &m->list.v[i];
		const struct elf_map *known = elf_find_map(elf, map->name);

		if (!map->want || map->want->action != MAP_KEEP || !known || !known->opaque)
			continue;
		error_set(&ret->error, ret->error.code,
			  "%s; map %s is kept, and what its values point to has the types of the "
			  "version that made it, which are others to the kernel than equal ones of "
			  "this file: `on_change: reset` for this map starts with an empty one",
			  ret->error.text, map->name);
	}
}
