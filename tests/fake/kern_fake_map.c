/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Maps of the fake kernel: what is in them, how a new version gets it, and who writes while that happens.
 * Entries are numbers; those of a data section stand for its variables, by a hash of the name.
 */
#include <errno.h>
#include <linux/bpf.h>
#include <string.h>

#include "base/hash.h"
#include "fake/kern_fake_state.h"

#define FILE_VALUE 1 /* what every variable is in its object file */

struct fake_map *fake_find_map(const struct kern_fake *k, uint32_t id)
{
	for (size_t i = 0; id && i < k->maps.n; i++)
		if (k->maps.v[i].id == id)
			return &k->maps.v[i];
	return NULL;
}

static struct fake_entry *find_entry(const struct fake_map *m, uint32_t key)
{
	for (size_t i = 0; i < m->entries.n; i++)
		if (m->entries.v[i].key == key)
			return &m->entries.v[i];
	return NULL;
}

static void put(struct kern_fake *k, struct fake_map *m, uint32_t key, uint32_t value)
{
	struct fake_entry *e = find_entry(m, key);

	if (!e)
		e = LIST_ADD(k->a, &m->entries);
	e->key = key;
	e->value = value;
}

static uint32_t digest(const void *data, size_t size)
{
	unsigned char first[4];
	char hex[SHA256_HEX];

	hash_bytes(data, size, hex);
	memcpy(first, hex, sizeof(first));
	return (uint32_t)first[0] << 24 | (uint32_t)first[1] << 16 | (uint32_t)first[2] << 8 |
	       first[3];
}

uint32_t kern_fake_variable(const char *name)
{
	return digest(name, strlen(name));
}

/* --- loading ---------------------------------------------------------------------------------- */

static const struct op_map *find_op(const struct op_object *op, const char *map)
{
	for (size_t i = 0; i < op->map_count; i++)
		if (str_eq(op->maps[i].name, map))
			return &op->maps[i];
	return NULL;
}

static const struct global_value *find_declared(const struct object_decl *decl,
						const struct elf_variable *v)
{
	for (size_t i = 0; i < decl->value_count; i++)
		if (str_eq(decl->values[i].section, v->section) &&
		    decl->values[i].offset == v->offset)
			return &decl->values[i];
	return NULL;
}

static bool is_fresh(const struct op_map *op, const char *variable)
{
	for (size_t i = 0; i < op->fresh_count; i++)
		if (str_eq(op->fresh[i], variable))
			return true;
	return false;
}

/* old NULL: all as in the file. */
static void fill_section(struct kern_fake *k, const struct op_object *op, struct fake_map *m,
			 const struct op_map *how, const struct fake_map *old)
{
	const struct elf_object *elf = op->decl->source->elf;

	for (size_t i = 0; i < elf->variable_count; i++) {
		const struct elf_variable *v = &elf->variables[i];
		const struct global_value *declared = find_declared(op->decl, v);
		const struct fake_entry *was = old ? find_entry(old, kern_fake_variable(v->name)) :
						     NULL;
		uint32_t value = FILE_VALUE;

		if (!str_eq(v->section, m->o.name))
			continue;
		if (declared)
			value = digest(declared->bytes, declared->size);
		else if (was && !is_fresh(how, v->name))
			value = was->value;
		put(k, m, kern_fake_variable(v->name), value);
		find_entry(m, kern_fake_variable(v->name))->name = arena_strdup(k->a, v->name);
	}
}

static struct fake_map *create(struct kern_fake *k, const struct op_object *op,
			       const struct elf_map *elf, const struct op_map *how)
{
	struct fake_map *m = LIST_ADD(k->a, &k->maps);

	*m = (struct fake_map){
		.id = k->next_id++,
		.born = arena_strdup(k->a, op->version),
		.is_data = elf->is_data,
		.o = { .name = arena_strdup(k->a, elf->name),
		       .type = elf->type,
		       .key_size = elf->key_size,
		       .value_size = elf->value_size,
		       .max_entries = how && how->max_entries ? how->max_entries : elf->max_entries,
		       .flags = elf->flags },
	};
	m->o.id = m->id;
	return m;
}

/* The kernel's and libbpf's ideas of what may stand for a map of the file. */
static bool may_keep(const struct fake_map *m, const struct elf_map *elf, struct op_result *ret)
{
	if (m->o.type == elf->type && m->o.key_size == elf->key_size &&
	    m->o.value_size == elf->value_size)
		return true;
	fake_refuse(ret, -EINVAL, FAILURE_KERNEL, "MapCreateFailed",
		    "map %s is another kind of map", elf->name);
	return false;
}

static void sweep(struct kern_fake *k, struct fake_map *to, const struct fake_map *from)
{
	to->has_snapshot = true;
	for (size_t i = 0; i < from->entries.n; i++) {
		put(k, to, from->entries.v[i].key, from->entries.v[i].value);
		*LIST_ADD(k->a, &to->snapshot) = from->entries.v[i];
	}
}

static uint32_t load_map(struct kern_fake *k, const struct op_object *op, const struct elf_map *elf,
			 struct op_result *ret)
{
	const struct op_map *how = find_op(op, elf->name);
	enum map_action action = how ? how->action : MAP_CREATE;
	uint32_t id = action == MAP_CREATE ? 0 : fake_map_id(k, &how->from);
	struct fake_map *m;

	if (action != MAP_CREATE && (!id || (how->from_id && how->from_id != id))) {
		fake_refuse(ret, -ESTALE, FAILURE_TRANSIENT, "Vanished", "map %s/%s is not pinned",
			    how->from.instance, how->from.map);
		return 0;
	}
	if (action == MAP_USE || action == MAP_KEEP)
		return may_keep(fake_find_map(k, id), elf, ret) ? id : 0;
	m = create(k, op, elf, how);
	if (elf->is_data)
		fill_section(k, op, m, how, action == MAP_CARRY ? fake_find_map(k, id) : NULL);
	else if (action == MAP_COPY)
		sweep(k, m, fake_find_map(k, id));
	return m->id;
}

void fake_load_maps(struct kern_fake *k, const struct op_object *op, struct fake_object *o,
		    struct op_result *ret)
{
	const struct elf_object *elf = op->decl->source->elf;

	o->map_count = elf->map_count;
	o->maps = arena_calloc(k->a, o->map_count, sizeof(*o->maps));
	for (size_t i = 0; i < o->map_count; i++) {
		const struct op_map *how = find_op(op, elf->maps[i].name);

		o->maps[i] = (struct fake_pin){
			.name = arena_strdup(k->a, elf->maps[i].name),
			.used = how && how->action == MAP_USE,
			.id = ret->code == 0 ? load_map(k, op, &elf->maps[i], ret) : 0,
		};
	}
}

/* --- the second sweep --------------------------------------------------------------------------- */

static const struct fake_entry *find_snapshot(const struct fake_map *m, uint32_t key)
{
	for (size_t i = 0; i < m->snapshot.n; i++)
		if (m->snapshot.v[i].key == key)
			return &m->snapshot.v[i];
	return NULL;
}

/* What changed on one side only is had; without a memory of the first sweep, what is missing. */
static void sync_entry(struct kern_fake *k, struct fake_map *to, const struct fake_entry *from)
{
	const struct fake_entry *now = find_entry(to, from->key);
	const struct fake_entry *then = to->has_snapshot ? find_snapshot(to, from->key) : NULL;

	if ((!now && !then) || (now && then && now->value == then->value))
		put(k, to, from->key, from->value);
}

void fake_map_sync(struct kern_fake *k, const struct op *op, struct op_result *ret)
{
	struct fake_map *from = fake_find_map(k, fake_map_id(k, &op->sync.from));
	struct fake_map *to = fake_find_map(k, fake_map_id(k, &op->sync.to));

	if (!from || !to) {
		fake_refuse(ret, -ENOENT, FAILURE_TRANSIENT, "Vanished", "%s is not pinned",
			    op->key);
		return;
	}
	if (from == to)
		fake_violation(k, "%s: one map", op->key);
	for (size_t i = 0; i < from->entries.n; i++)
		sync_entry(k, to, &from->entries.v[i]);
	to->has_snapshot = false;
	from->swept = true;
}

/* --- who writes ---------------------------------------------------------------------------------- */

static struct fake_object *find_holder(const struct kern_fake *k, const char *instance,
				       const char *map, bool oldest)
{
	struct fake_object *best = NULL;

	for (size_t i = 0; i < k->objects.n; i++) {
		struct fake_object *o = &k->objects.v[i];

		if (str_eq(o->instance, instance) && o->has_meta &&
		    fake_find_pin(o->maps, o->map_count, map) &&
		    (!best || (o->meta.loaded_ns > best->meta.loaded_ns) != oldest))
			best = o;
	}
	return best;
}

bool kern_fake_write(struct kern_fake *k, const struct fake_write *w)
{
	struct fake_object *o = find_holder(k, w->instance, w->map, w->oldest);
	struct fake_map *m =
		o ? fake_find_map(k, fake_find_pin(o->maps, o->map_count, w->map)->id) : NULL;

	if (m)
		put(k, m, w->key, w->value);
	return m;
}

void kern_fake_write_before(struct kern_fake *k, enum op_kind kind, const struct fake_write *w)
{
	*LIST_ADD(k->a, &k->writes) = (struct fake_planned_write){
		.kind = kind,
		.w = { .instance = arena_strdup(k->a, w->instance),
		       .map = arena_strdup(k->a, w->map),
		       .key = w->key,
		       .value = w->value,
		       .oldest = w->oldest },
	};
}

void fake_do_writes(struct kern_fake *k, enum op_kind kind)
{
	for (size_t i = 0; i < k->writes.n; i++)
		if (k->writes.v[i].kind == kind) {
			(void)kern_fake_write(k, &k->writes.v[i].w);
			FAKE_REMOVE(&k->writes, i);
			i--;
		}
}

void kern_fake_set_old_metadata(struct kern_fake *k)
{
	for (size_t i = 0; i < k->objects.n; i++) {
		struct meta_object *meta = &k->objects.v[i].meta;

		for (size_t n = 0; n < meta->map_count; n++)
			meta->maps[n] = (struct meta_map){
				.name = meta->maps[n].name,
				.btf_hash = meta->maps[n].btf_hash,
				.use = meta->maps[n].use,
				.born = meta->version,
				.values = "",
			};
	}
}

void kern_fake_set_declaration(struct kern_fake *k, const char *instance, const char *hash)
{
	for (size_t i = 0; i < k->objects.n; i++)
		if (str_eq(k->objects.v[i].instance, instance))
			k->objects.v[i].meta.declaration = arena_strdup(k->a, hash);
}

void kern_fake_set_map(struct kern_fake *k, const char *instance, const char *map,
		       uint32_t max_entries, uint32_t flags)
{
	const struct fake_object *o = find_holder(k, instance, map, false);
	struct fake_map *m = o ? fake_find_map(k, fake_find_pin(o->maps, o->map_count, map)->id) :
				 NULL;

	if (!m)
		return;
	m->o.max_entries = max_entries;
	m->o.flags = flags;
}

/* --- traffic ------------------------------------------------------------------------------------- */

/* Every program that runs, or may still run, writes a key of its own into each of its maps. */
void fake_traffic(struct kern_fake *k)
{
	for (size_t i = 0; k->traffic && i < k->objects.n; i++) {
		const struct fake_object *o = &k->objects.v[i];

		for (size_t n = 0; n < o->map_count; n++) {
			struct fake_map *m = fake_find_map(k, o->maps[n].id);

			if (!m || m->is_data || !fake_may_run(k, o))
				continue;
			if (m->swept)
				fake_violation(k, "%s %s still writes to its map %s", o->instance,
					       o->version, m->o.name);
			put(k, m, ++k->traffic, 0);
		}
	}
	/* Consumers open the share anew for each write; a share that is about to go is not written to. */
	for (size_t i = 0; k->traffic && i < k->mounts.n; i++)
		for (size_t n = 0; n < k->mounts.v[i].pins.n; n++) {
			struct fake_map *m = fake_find_map(k, k->mounts.v[i].pins.v[n].map_id);

			if (m && !m->swept)
				put(k, m, ++k->traffic, 0);
		}
}

void kern_fake_set_traffic(struct kern_fake *k)
{
	k->traffic = 1;
}

/* --- what is in them ---------------------------------------------------------------------------------- */

static const char *entry_name(struct arena *a, const struct fake_entry *e)
{
	return e->name ? e->name : arena_printf(a, "%u", e->key);
}

const char *kern_fake_contents(const struct kern_fake *k, struct arena *a, const char *instance,
			       const char *map)
{
	const char *text = "";

	for (size_t i = 0; i < k->objects.n; i++) {
		const struct fake_object *o = &k->objects.v[i];
		const struct fake_pin *pin = fake_find_pin(o->maps, o->map_count, map);
		const struct fake_map *m = pin ? fake_find_map(k, pin->id) : NULL;

		if (!str_eq(o->instance, instance) || !m)
			continue;
		text = arena_printf(a, "%s  %s/%s of %s, made by %s, max_entries %u:", text,
				    instance, map, o->version, m->born, m->o.max_entries);
		for (size_t n = 0; n < m->entries.n; n++)
			text = arena_printf(a, "%s %s=%u", text, entry_name(a, &m->entries.v[n]),
					    m->entries.v[n].value);
		text = arena_printf(a, "%s\n", text);
	}
	return text;
}

size_t kern_fake_own_maps(const struct kern_fake *k, struct arena *a, const char *map,
			  struct fake_own_map **ret)
{
	size_t n = 0;

	*ret = arena_calloc(a, k->objects.n, sizeof(**ret));
	for (size_t i = 0; i < k->objects.n; i++) {
		const struct fake_object *o = &k->objects.v[i];
		const struct fake_pin *pin = fake_find_pin(o->maps, o->map_count, map);
		const struct fake_map *m = pin ? fake_find_map(k, pin->id) : NULL;
		struct fake_own_map *to = &(*ret)[n];

		if (!m || pin->used || find_holder(k, o->instance, map, false) != o)
			continue;
		*to = (struct fake_own_map){ .instance = o->instance,
					     .id = m->id,
					     .value_size = m->o.value_size,
					     .max_entries = m->o.max_entries };
		for (size_t v = 0; v < k->objects.n; v++)
			to->versions += str_eq(k->objects.v[v].instance, o->instance);
		n++;
	}
	return n;
}

bool kern_fake_map_has_all(const struct kern_fake *k, uint32_t map, uint32_t of)
{
	const struct fake_map *m = fake_find_map(k, map), *other = fake_find_map(k, of);

	for (size_t i = 0; i < other->entries.n; i++)
		if (!find_entry(m, other->entries.v[i].key))
			return false;
	return true;
}
