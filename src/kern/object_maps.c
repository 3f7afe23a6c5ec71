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

#include "base/macros.h"
#include "base/str.h"
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

/* --- maps of others ----------------------------------------------------------------------- */

static int use_map(struct object_maps *m, const struct object_map *map, struct op_result *ret)
{
	const struct op_map *want = map->want;
	int r = object_reuse_map(m->c, m->a, map->map, &want->from, &ret->error);

	if (r == 0)
		return 0;
	error_prefix(&ret->error, r, "map %s cannot be map %s of %s", map->name, want->from.map,
		     want->from.instance);
	return result_fail_as(ret, r, "MapCreateFailed");
}

/* The map of the version before; -ESTALE when its pin leads to another one than the plan decided about. */
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

static int prepare_map(struct object_maps *m, struct bpf_map *map, struct op_result *ret)
{
	struct object_map *entry = LIST_ADD(m->a, &m->list);

	entry->map = map;
	entry->name = object_map_name(m->a, map);
	entry->want = find_op_map(m->op, entry->name);
	/* Where LIBBPF_PIN_BY_NAME would pin is no place of ours. */
	(void)bpf_map__set_pin_path(map, NULL);
	if (!entry->want)
		return 0;
	switch (entry->want->action) {
	case MAP_USE:
		return use_map(m, entry, ret);
	case MAP_KEEP:
		return keep_map(m, entry, ret);
	default:
		return set_size(entry, ret);
	}
}

int object_maps_prepare(struct object_maps *m, struct op_result *ret)
{
	struct bpf_map *map;
	int r;

	/* By the names in the ELF file, which libbpf forgets when a map is reused: so values go first. */
	r = set_values(m, ret);
	bpf_object__for_each_map(map, m->object)
		r = r < 0 ? r : prepare_map(m, map, ret);
	return r;
}
