/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Compilers and linkers put variables where they like, so their bytes go over one by one, by name and only with the very same
 * type. What the sections hold is told by the BTF that the kernel keeps with the old map, since the old file may be
 * gone. (Kernels older than the kinds of types in it have it simplified by libbpf; such a variable then counts as changed.)
 */
#include "kern/map_carry.h"

#include <errno.h>
#include <linux/bpf.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include "base/alloc.h"
#include "base/macros.h"
#include "base/str.h"
#include "kern/elf_shape.h"

/* An array of bytes with its variables by name. */
struct section {
	const struct btf *btf;
	unsigned char *data;
	size_t size;
	struct place {
		const char *name;
		uint32_t type, offset, size;
	} * places;
	size_t count;
};

static int by_name(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	return strcmp(x->name, y->name);
}

/* datasec is the number of a type; places outside of the data are left out. */
static void section_init(struct section *s, const struct btf *btf, uint32_t datasec)
{
	const struct btf_type *t = btf__type_by_id(btf, datasec);

	s->btf = btf;
	s->places = xcalloc((size_t)btf_vlen(t) + 1, sizeof(*s->places));
	for (uint16_t i = 0; i < btf_vlen(t); i++) {
		const struct btf_var_secinfo *v = &btf_var_secinfos(t)[i];
		const struct btf_type *var = btf__type_by_id(btf, v->type);
		const char *name = var ? btf__name_by_offset(btf, var->name_off) : NULL;

		if (!name || !btf_is_var(var) || (size_t)v->offset + v->size > s->size)
			continue;
		s->places[s->count++] = (struct place){ name, var->type, v->offset, v->size };
	}
	qsort(s->places, s->count, sizeof(*s->places), by_name);
}

static bool is_section(const struct btf *btf, uint32_t type)
{
	const struct btf_type *t = type ? btf__type_by_id(btf, type) : NULL;

	return t && btf_is_datasec(t);
}

struct old_section {
	struct btf *btf;
	struct section s;
};

static void old_section_done(struct old_section *o)
{
	btf__free(o->btf);
	free(o->s.data);
	free(o->s.places);
}

static int read_old(struct old_section *o, int fd, struct error *e)
{
	struct bpf_map_info info = { 0 };
	uint32_t size = sizeof(info);
	const uint32_t key = 0;
	int r;

	if (bpf_obj_get_info_by_fd(fd, &info, &size) < 0)
		return error_set(e, -errno, "cannot look at it: %s", error_string(errno));
	o->btf = info.btf_id ? btf__load_from_kernel_by_id(info.btf_id) : NULL;
	if (info.btf_id && !o->btf)
		return error_set(e, -errno, "cannot read its types: %s", error_string(errno));
	if (!o->btf || !is_section(o->btf, info.btf_value_type_id))
		return error_set(e, -EINVAL, "the kernel has no types of its variables");
	o->s.size = info.value_size;
	o->s.data = xcalloc(1, o->s.size);
	r = bpf_map_lookup_elem(fd, &key, o->s.data);
	if (r < 0)
		return error_set(e, r, "cannot read it: %s", error_string(r));
	section_init(&o->s, o->btf, info.btf_value_type_id);
	return 0;
}

/* Its value is the file's or the declaration's, whatever it was before. */
static bool is_fresh(const struct object_decl *decl, const struct op_map *map,
		     const struct place *p)
{
	for (size_t i = 0; i < map->fresh_count; i++)
		if (str_eq(map->fresh[i], p->name))
			return true;
	for (size_t i = 0; i < decl->value_count; i++) {
		const struct global_value *v = &decl->values[i];

		if (str_eq(v->section, map->name) && v->offset == p->offset && v->size == p->size)
			return true;
	}
	return false;
}

static bool same_type(const struct section *a, const struct place *x, const struct section *b,
		      const struct place *y)
{
	char one[SHA256_HEX], other[SHA256_HEX];

	btf_hash_map(a->btf, 0, x->type, one);
	btf_hash_map(b->btf, 0, y->type, other);
	return x->size == y->size && str_eq(one, other);
}

/* Two static variables of one name, of files that were linked. */
static bool is_ambiguous(const struct section *s, const struct place *p)
{
	return (p > s->places && by_name(p, p - 1) == 0) ||
	       (p + 1 < s->places + s->count && by_name(p, p + 1) == 0);
}

/* NULL: the value can go over. */
static const char *find_fault(const struct section *old, const struct place *from,
			      const struct section *new, const struct place *to)
{
	if (is_ambiguous(old, from) || is_ambiguous(new, to))
		return "is there more than once";
	return same_type(old, from, new, to) ? NULL : "has another type";
}

static int carry(const struct section *old, const struct section *new, const struct op_object *op,
		 const struct op_map *map, struct map_carried *ret, struct error *e)
{
	cleanup(strbuf_done) struct strbuf faults = { 0 };

	for (size_t i = 0; i < new->count; i++) {
		const struct place *to = &new->places[i];
		const struct place *from =
			old->count ? bsearch(to, old->places, old->count, sizeof(*to), by_name) :
				     NULL;
		const char *fault;

		if (!from || is_fresh(op->decl, map, to)) {
			ret->fresh++;
			continue;
		}
		fault = find_fault(old, from, new, to);
		if (fault) {
			strbuf_addf(&faults, "%svariable %s %s", strbuf_get(&faults)[0] ? ", " : "",
				    to->name, fault);
			continue;
		}
		memcpy(new->data + to->offset, old->data + from->offset, to->size);
		ret->variables++;
	}
	if (!strbuf_get(&faults)[0])
		return 0;
	return error_set(e, -EINVAL, "%s", strbuf_get(&faults));
}

int map_carry(const struct op_object *op, struct bpf_object *object, const struct op_map *map,
	      int fd, struct map_carried *ret, struct error *e)
{
	cleanup(old_section_done) struct old_section old = { 0 };
	struct bpf_map *bpf_map = bpf_object__find_map_by_name(object, map->name);
	const struct btf *btf = bpf_object__btf(object);
	int32_t datasec = btf ? btf__find_by_name_kind(btf, map->name, BTF_KIND_DATASEC) : -ENOENT;
	struct section new = { 0 };
	int r;

	new.data = bpf_map ? bpf_map__initial_value(bpf_map, &new.size) : NULL;
	if (!new.data || datasec < 0)
		return error_set(e, -EINVAL, "the file has no types of its variables");
	r = read_old(&old, fd, e);
	if (r < 0)
		return r;
	section_init(&new, btf, (uint32_t)datasec);
	r = carry(&old.s, &new, op, map, ret, e);
	free(new.places);
	return r;
}
