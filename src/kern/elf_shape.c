/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * BTF is a graph: types refer to each other by number, pointers close circles, and a
 * hostile file can close them without pointers, or make a type small in the file that
 * is huge when spelled out. So each type is visited once and remembered, a type met
 * within itself is unsupported, and the depth is bounded.
 */
#include "kern/elf_shape.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/str.h"
#include "model/limits.h"

/* Kernel and libbpf stop at 32 as well. */
#define MODIFIERS_MAX 32
#define DEPTH_MAX     32

/* libbpf looks each variable up in the table of symbols. */
#define VARIABLES_MAX 16384

static bool is_modifier(const struct btf_type *t)
{
	return btf_is_mod(t) || btf_is_typedef(t) || btf_is_type_tag(t);
}

static const struct btf_type *strip(const struct btf *btf, uint32_t *type)
{
	const struct btf_type *t = btf__type_by_id(btf, *type);

	while (t && is_modifier(t)) {
		*type = t->type;
		t = btf__type_by_id(btf, *type);
	}
	return t;
}

int btf_check(const struct btf *btf, struct error *e)
{
	uint32_t count = btf__type_cnt(btf), variables = 0;

	for (uint32_t i = 1; i < count; i++) {
		const struct btf_type *t = btf__type_by_id(btf, i);

		variables += btf_is_datasec(t) ? btf_vlen(t) : 0;
		if (variables > VARIABLES_MAX)
			return error_set(e, -EINVAL,
					 "more than %d global variables: split the "
					 "object file",
					 VARIABLES_MAX);
		for (int n = 0; t && is_modifier(t); n++) {
			if (n > MODIFIERS_MAX)
				return error_set(e, -EINVAL,
						 "damaged object file: its BTF has a "
						 "chain of typedefs without end: build it again");
			t = btf__type_by_id(btf, t->type);
		}
	}
	return 0;
}

struct shapes {
	struct arena *arena;
	const struct btf *btf;
	struct shape **known; /* by type, NULL: not yet */
	bool *open;           /* by type: being worked on */
	unsigned int depth;
};

struct shapes *shapes_new(struct arena *a, const struct btf *btf)
{
	struct shapes *s = arena_new_of(a, struct shapes);
	uint32_t count = btf__type_cnt(btf);

	*s = (struct shapes){
		.arena = a,
		.btf = btf,
		.known = arena_calloc(a, count, sizeof(*s->known)),
		.open = arena_calloc(a, count, sizeof(*s->open)),
	};
	return s;
}

/* A copy: shapes outlive the BTF. */
static const char *copy_name(const struct shapes *s, uint32_t offset)
{
	const char *name = btf__name_by_offset(s->btf, offset);

	for (const char *c = name; c && *c; c++)
		if (*c < ' ' || *c > '~')
			return ""; /* no name that C has; it would not survive JSON */
	return name ? arena_strdup(s->arena, name) : "";
}

static void shape_integer(const struct btf_type *t, struct shape *ret)
{
	uint8_t encoding = btf_int_encoding(t);

	if (btf_int_offset(t) != 0 || btf_int_bits(t) != t->size * 8 || t->size == 0 || t->size > 8)
		return; /* bit fields of old compilers; __int128 */
	ret->is_signed = encoding & BTF_INT_SIGNED;
	/* clang never says BTF_INT_CHAR; a plain `char` has this name. */
	if (encoding & BTF_INT_BOOL)
		ret->kind = SHAPE_BOOL;
	else if ((encoding & BTF_INT_CHAR) || (t->size == 1 && str_eq(ret->name, "char")))
		ret->kind = SHAPE_CHAR;
	else
		ret->kind = SHAPE_INTEGER;
}

/*
 * clang says since version 15 whether an enum is signed. From older ones every 32 bits
 * with the top bit set could be either; a number just below 2^32 is then taken for the negative
 * one that people write (-1), and one far below for a flag.
 */
static bool enum_is_signed(const struct btf_type *t)
{
	if (btf_kflag(t))
		return true;
	for (uint16_t i = 0; btf_is_enum(t) && i < btf_vlen(t); i++)
		if (btf_enum(t)[i].val < 0 && btf_enum(t)[i].val >= -65536)
			return true;
	return false;
}

static void shape_enum(struct shapes *s, const struct btf_type *t, struct shape *ret)
{
	struct shape_enumerator *values;
	uint16_t n = btf_vlen(t);

	if (t->size == 0 || t->size > 8)
		return;
	ret->is_signed = enum_is_signed(t);
	if (btf_is_enum(t) && t->size > sizeof(btf_enum(t)->val)) {
		/* clang 14 has no form for these: it cuts the values, so that only numbers can be given. */
		ret->kind = SHAPE_INTEGER;
		return;
	}
	values = arena_calloc(s->arena, n, sizeof(*values));
	for (uint16_t i = 0; i < n; i++) {
		if (btf_is_enum64(t)) {
			const struct btf_enum64 *v = &btf_enum64(t)[i];

			values[i].name = copy_name(s, v->name_off);
			values[i].value = (int64_t)btf_enum64_value(v);
		} else {
			const struct btf_enum *v = &btf_enum(t)[i];

			values[i].name = copy_name(s, v->name_off);
			values[i].value = ret->is_signed ? v->val : (int64_t)(uint32_t)v->val;
		}
	}
	ret->enumerators = values;
	ret->count = n;
	ret->kind = SHAPE_ENUM;
}

static void shape_array(struct shapes *s, const struct btf_type *t, struct shape *ret)
{
	const struct btf_array *array = btf_array(t);
	const struct shape *element = shape_of(s, array->type);
	uint64_t size = (uint64_t)array->nelems * element->size;

	/* libbpf does not count like this where an element is unsupported, or with no elements. */
	if (size == 0 || size != ret->size)
		return;
	ret->element = element;
	ret->count = array->nelems;
	if (element->kind != SHAPE_UNSUPPORTED)
		ret->kind = SHAPE_ARRAY;
}

static const struct shape unsupported = { .kind = SHAPE_UNSUPPORTED, .name = "" };

static void shape_composite(struct shapes *s, const struct btf_type *t, struct shape *ret)
{
	struct shape_member *members;
	uint16_t n = btf_vlen(t);

	if (t->size == 0)
		return; /* nothing can be set in it */
	members = arena_calloc(s->arena, n, sizeof(*members));
	for (uint16_t i = 0; i < n; i++) {
		const struct btf_member *m = &btf_members(t)[i];
		uint32_t bit = btf_member_bit_offset(t, i);
		const struct shape *shape = shape_of(s, m->type);

		members[i].name = copy_name(s, m->name_off);
		members[i].offset = bit / 8;
		if ((uint64_t)bit / 8 + shape->size > t->size)
			return;
		if (btf_member_bitfield_size(t, i) != 0 || bit % 8 != 0)
			shape = &unsupported;
		members[i].shape = shape;
	}
	ret->members = members;
	ret->count = n;
	ret->kind = btf_is_union(t) ? SHAPE_UNION : SHAPE_STRUCT;
}

static void fill_shape(struct shapes *s, uint32_t type, const struct btf_type *t, struct shape *ret)
{
	int64_t size = btf__resolve_size(s->btf, type);

	ret->kind = SHAPE_UNSUPPORTED;
	ret->name = copy_name(s, t->name_off);
	ret->size = size > 0 && size <= UINT32_MAX ? (uint32_t)size : 0;
	if (s->depth > DEPTH_MAX || ret->size > LIMIT_VARIABLE_BYTES)
		return;
	if (btf_is_int(t))
		shape_integer(t, ret);
	else if (btf_is_any_enum(t))
		shape_enum(s, t, ret);
	else if (btf_is_array(t))
		shape_array(s, t, ret);
	else if (btf_is_composite(t))
		shape_composite(s, t, ret);
}

const struct shape *shape_of(struct shapes *s, uint32_t type)
{
	const struct btf_type *t = strip(s->btf, &type);

	if (!t || type == 0 || s->open[type])
		return &unsupported;
	if (s->known[type])
		return s->known[type];
	s->known[type] = arena_new_of(s->arena, struct shape);
	s->open[type] = true;
	s->depth++;
	fill_shape(s, type, t, s->known[type]);
	s->depth--;
	s->open[type] = false;
	return s->known[type];
}

struct type_hasher {
	const struct btf *btf;
	struct hasher *hasher;
	uint32_t *seen; /* by type: in which place it was met, 0: not yet */
	uint32_t met;
	unsigned int depth;
};

static void add_number(struct type_hasher *h, uint64_t n)
{
	char text[24];

	(void)snprintf(text, sizeof(text), "%" PRIu64, n);
	hasher_add_field(h->hasher, text);
}

static void add_name(struct type_hasher *h, uint32_t offset)
{
	const char *name = btf__name_by_offset(h->btf, offset);

	hasher_add_field(h->hasher, name ? name : "");
}

static void add_type(struct type_hasher *h, uint32_t type);

static void add_members(struct type_hasher *h, const struct btf_type *t)
{
	for (uint16_t i = 0; i < btf_vlen(t); i++) {
		add_name(h, btf_members(t)[i].name_off);
		add_number(h, btf_member_bit_offset(t, i));
		add_number(h, btf_member_bitfield_size(t, i));
		add_type(h, btf_members(t)[i].type);
	}
}

static void add_enumerators(struct type_hasher *h, const struct btf_type *t)
{
	for (uint16_t i = 0; i < btf_vlen(t); i++) {
		bool wide = btf_is_enum64(t);

		add_name(h, wide ? btf_enum64(t)[i].name_off : btf_enum(t)[i].name_off);
		add_number(h, wide ? btf_enum64_value(&btf_enum64(t)[i]) :
				     (uint64_t)btf_enum(t)[i].val);
	}
}

static void add_variables(struct type_hasher *h, const struct btf_type *t)
{
	for (uint16_t i = 0; i < btf_vlen(t); i++) {
		const struct btf_var_secinfo *v = &btf_var_secinfos(t)[i];
		const struct btf_type *var = btf__type_by_id(h->btf, v->type);

		add_number(h, v->offset);
		add_number(h, v->size);
		if (var && btf_is_var(var)) {
			add_name(h, var->name_off);
			add_type(h, var->type);
		}
	}
}

/*
 * What a pointer points to is only named: its bytes are elsewhere, and here the circles close. Tags tell the
 * kernel who owns it (kptr), and so what the bytes mean.
 */
static void add_pointee(struct type_hasher *h, uint32_t type)
{
	const struct btf_type *t = btf__type_by_id(h->btf, type);

	for (; t && is_modifier(t); t = btf__type_by_id(h->btf, t->type))
		if (btf_is_type_tag(t))
			add_name(h, t->name_off);
	add_number(h, t ? btf_kind(t) : 0);
	add_name(h, t ? t->name_off : 0);
}

static void add_contents(struct type_hasher *h, const struct btf_type *t)
{
	switch (btf_kind(t)) {
	case BTF_KIND_INT:
		add_number(h, t->size);
		add_number(h, btf_int_encoding(t));
		add_number(h, btf_int_bits(t));
		break;
	case BTF_KIND_FLOAT:
		add_number(h, t->size);
		break;
	case BTF_KIND_ENUM:
	case BTF_KIND_ENUM64:
		add_number(h, t->size);
		add_number(h, btf_vlen(t));
		add_enumerators(h, t);
		break;
	case BTF_KIND_ARRAY:
		add_number(h, btf_array(t)->nelems);
		add_type(h, btf_array(t)->type);
		break;
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION:
		add_number(h, t->size);
		add_number(h, btf_vlen(t));
		add_members(h, t);
		break;
	case BTF_KIND_DATASEC:
		add_number(h, btf_vlen(t));
		add_variables(h, t);
		break;
	case BTF_KIND_PTR:
		add_pointee(h, t->type);
		break;
	default: /* functions and forward declarations have no layout */
		break;
	}
}

static void add_type(struct type_hasher *h, uint32_t type)
{
	const struct btf_type *t = strip(h->btf, &type);

	if (!t || h->depth > DEPTH_MAX) {
		hasher_add_field(h->hasher, NULL);
		return;
	}
	/* Numbers of types differ from build to build; the order in which they are met does not. */
	add_number(h, h->seen[type]);
	if (h->seen[type])
		return;
	h->seen[type] = ++h->met;
	add_number(h, btf_kind(t));
	add_name(h, t->name_off);
	h->depth++;
	add_contents(h, t);
	h->depth--;
}

void btf_hash_map(const struct btf *btf, uint32_t key, uint32_t value, char ret_hex[SHA256_HEX])
{
	cleanup(freep) uint32_t *seen = NULL;
	struct type_hasher h = { .btf = btf };

	if (!key && !value) {
		ret_hex[0] = '\0';
		return;
	}
	seen = xcalloc(btf__type_cnt(btf), sizeof(*seen));
	h.seen = seen;
	h.hasher = hasher_new();
	add_type(&h, key);
	add_type(&h, value);
	hasher_finish(h.hasher, ret_hex);
}

/*
 * Those have no bytes that user space could read, write or lock: the kernel shows zeros in their place. A
 * resilient lock is among them, since BPF_F_LOCK does not take it.
 */
static const char *const opaque_structs[] = {
	"bpf_timer",   "bpf_wq",       "bpf_list_head", "bpf_list_node", "bpf_rb_root",
	"bpf_rb_node", "bpf_refcount", "bpf_dynptr",    "bpf_task_work", "bpf_res_spin_lock",
};

static const char *const opaque_tags[] = { "kptr", "kptr_untrusted", "percpu_kptr", "uptr" };

struct opacity {
	const struct btf *btf;
	bool *seen; /* by type */
	unsigned int depth;
};

static bool is_one_of(const struct btf *btf, const struct btf_type *t, const char *const *names,
		      size_t count)
{
	const char *name = btf__name_by_offset(btf, t->name_off);

	for (size_t i = 0; name && i < count; i++)
		if (str_eq(names[i], name))
			return true;
	return false;
}

static bool is_opaque_pointer(const struct btf *btf, const struct btf_type *pointer)
{
	const struct btf_type *t = btf__type_by_id(btf, pointer->type);

	for (; t && is_modifier(t); t = btf__type_by_id(btf, t->type))
		if (btf_is_type_tag(t) && is_one_of(btf, t, opaque_tags, ARRAY_SIZE(opaque_tags)))
			return true;
	return false;
}

static bool is_opaque(struct opacity *o, uint32_t type);

static bool has_opaque_part(struct opacity *o, const struct btf_type *t)
{
	bool opaque = false;

	switch (btf_kind(t)) {
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION:
		opaque = is_one_of(o->btf, t, opaque_structs, ARRAY_SIZE(opaque_structs));
		for (uint16_t i = 0; !opaque && i < btf_vlen(t); i++)
			opaque = is_opaque(o, btf_members(t)[i].type);
		return opaque;
	case BTF_KIND_DATASEC:
		for (uint16_t i = 0; !opaque && i < btf_vlen(t); i++)
			opaque = is_opaque(o, btf_var_secinfos(t)[i].type);
		return opaque;
	case BTF_KIND_ARRAY:
		return is_opaque(o, btf_array(t)->type);
	case BTF_KIND_VAR:
		return is_opaque(o, t->type);
	case BTF_KIND_PTR:
		return is_opaque_pointer(o->btf, t);
	default:
		return false;
	}
}

static bool is_opaque(struct opacity *o, uint32_t type)
{
	const struct btf_type *t = strip(o->btf, &type);
	bool opaque;

	if (!t || o->seen[type] || o->depth > DEPTH_MAX)
		return false;
	o->seen[type] = true;
	o->depth++;
	opaque = has_opaque_part(o, t);
	o->depth--;
	return opaque;
}

bool btf_is_opaque(const struct btf *btf, uint32_t type)
{
	cleanup(freep) bool *seen = xcalloc(btf__type_cnt(btf), sizeof(*seen));
	struct opacity o = { .btf = btf, .seen = seen };

	return is_opaque(&o, type);
}
