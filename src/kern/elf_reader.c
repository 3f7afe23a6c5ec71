/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Two readers of the same bytes. libbpf tells what it will make of them when it loads
 * them: programs with their types, maps, variables with their offsets (which compilers
 * leave to the loader). What libbpf keeps to itself, the use of maps by programs, comes from
 * the relocations. The bytes are checked by elf_image.c and the BTF by btf_check()
 * before libbpf gets them. Opening an object makes no bpf() call; per map libbpf takes a
 * descriptor (an empty memfd) to hold its place, for as long as the object is open.
 */
#include "kern/elf_reader.h"

#include <elf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <string.h>

#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include "base/str.h"
#include "kern/elf_image.h"
#include "kern/elf_run_config.h"
#include "kern/elf_shape.h"
#include "kern/elf_usage.h"
#include "kern/libbpf_words.h"
#include "model/limits.h"

struct elf_reader {
	struct arena *arena;
	struct elf_image image;
	struct btf *checked; /* NULL: the file has no BTF */
	struct bpf_object *bpf;
	const struct btf *btf; /* of bpf, with offsets of variables; may be NULL */
	struct elf_object *object;
	struct libbpf_words words; /* why libbpf refused something */
	struct error *e;
};

static void reader_done(struct elf_reader *r)
{
	bpf_object__close(r->bpf);
	btf__free(r->checked);
}

/* Names come from the file; what follows prints them and compares them with what people write. */
static int check_name(struct elf_reader *r, const char *kind, const char *name)
{
	bool text = *name != '\0';

	for (const char *c = name; *c; c++)
		text = text && *c > ' ' && *c <= '~';
	return text ? 0 :
		      error_set(r->e, -EINVAL,
				"damaged object file: a %s has no proper name: "
				"build it again",
				kind);
}

/* What libbpf said, and its error number where that says more. */
static const char *libbpf_cause(struct elf_reader *r, int code)
{
	char text[128];

	(void)libbpf_strerror(code, text, sizeof(text));
	return arena_printf(r->arena, "%s%s%s", r->words.last, r->words.last[0] ? ": " : "", text);
}

static int check_btf(struct elf_reader *r)
{
	for (size_t i = 0; i < r->image.section_count; i++) {
		const struct elf_section *s = &r->image.sections[i];

		if (!str_eq(s->name, BTF_ELF_SEC) || s->size == 0)
			continue;
		if (r->checked)
			return error_set(r->e, -EINVAL,
					 "damaged object file: it has BTF twice: "
					 "build it again");
		r->checked = btf__new(s->data, (uint32_t)s->size);
		if (!r->checked)
			return error_set(r->e, -EINVAL,
					 "damaged object file: its BTF cannot be read "
					 "(%s): build it again by clang -g",
					 libbpf_cause(r, errno));
	}
	return r->checked ? btf_check(r->checked, r->e) : 0;
}

static int open_bpf(struct elf_reader *r, const void *data, size_t size)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts, .object_name = "object");

	r->bpf = bpf_object__open_mem(data, size, &opts);
	if (!r->bpf)
		return error_set(r->e, -EINVAL,
				 "libbpf cannot open it (%s): was it built by clang "
				 "-g -O2 -target bpf?",
				 libbpf_cause(r, errno));
	r->btf = bpf_object__btf(r->bpf);
	return 0;
}

/* To libbpf a data section's name begins with the object's; people know the section's own. */
static const char *map_name(const struct bpf_map *map)
{
	static const char *const sections[] = { ".rodata", ".data", ".bss", ".kconfig" };
	const char *name = bpf_map__name(map);

	for (size_t i = 0; bpf_map__is_internal(map) && i < ARRAY_SIZE(sections); i++)
		if (str_ends(name, sections[i]))
			return sections[i];
	return name;
}

static uint32_t find_datasec(const struct btf *btf, const char *name)
{
	int32_t id = btf ? btf__find_by_name_kind(btf, name, BTF_KIND_DATASEC) : -ENOENT;

	return id > 0 ? (uint32_t)id : 0;
}

/* What a map of maps may hold is part of what it is. */
static void add_inner(const struct btf *btf, const struct bpf_map *inner, struct elf_map *map)
{
	const uint32_t numbers[] = { bpf_map__type(inner), bpf_map__key_size(inner),
				     bpf_map__value_size(inner), bpf_map__max_entries(inner),
				     bpf_map__map_flags(inner) };
	struct hasher *h = hasher_new();
	char types[SHA256_HEX] = "";

	if (btf)
		btf_hash_map(btf, bpf_map__btf_key_type_id(inner),
			     bpf_map__btf_value_type_id(inner), types);
	hasher_add_field(h, map->btf_hash);
	hasher_add(h, numbers, sizeof(numbers));
	hasher_add_field(h, types);
	hasher_finish(h, map->btf_hash);
}

static void read_map(struct elf_reader *r, struct bpf_map *in, struct elf_map *map)
{
	const struct bpf_map *inner = bpf_map__inner_map(in);
	uint32_t key = bpf_map__btf_key_type_id(in), value = bpf_map__btf_value_type_id(in);

	*map = (struct elf_map){
		.name = arena_strdup(r->arena, map_name(in)),
		.type = bpf_map__type(in),
		.key_size = bpf_map__key_size(in),
		.value_size = bpf_map__value_size(in),
		.max_entries = bpf_map__max_entries(in),
		.flags = bpf_map__map_flags(in),
		.is_data = bpf_map__is_internal(in),
		.pin_by_name = bpf_map__pin_path(in) != NULL,
	};
	if (map->is_data) {
		key = 0;
		value = find_datasec(r->btf, map->name);
	}
	if (r->btf) {
		btf_hash_map(r->btf, key, value, map->btf_hash);
		map->opaque = value && btf_is_opaque(r->btf, value);
	}
	if (inner)
		add_inner(r->btf, inner, map);
}

static int read_maps(struct elf_reader *r)
{
	LIST(struct elf_map) maps = { 0 };
	struct bpf_map *in = NULL;

	while ((in = bpf_object__next_map(r->bpf, in))) {
		if (check_name(r, "map", bpf_map__name(in)) < 0)
			return -EINVAL;
		if (maps.n == LIMIT_PROGRAMS)
			return error_set(r->e, -EINVAL, "more than %d maps: split the object file",
					 LIMIT_PROGRAMS);
		read_map(r, in, LIST_ADD(r->arena, &maps));
	}
	r->object->maps = maps.v;
	r->object->map_count = maps.n;
	return 0;
}

static int read_programs(struct elf_reader *r)
{
	LIST(struct elf_program) programs = { 0 };
	struct bpf_program *in = NULL;

	while ((in = bpf_object__next_program(r->bpf, in))) {
		const char *section = bpf_program__section_name(in);

		if (check_name(r, "program", bpf_program__name(in)) < 0)
			return -EINVAL;
		if (programs.n == LIMIT_PROGRAMS)
			return error_set(r->e, -EINVAL,
					 "more than %d programs: split the object file",
					 LIMIT_PROGRAMS);
		*LIST_ADD(r->arena, &programs) = (struct elf_program){
			.name = arena_strdup(r->arena, bpf_program__name(in)),
			.section = arena_strdup(r->arena, section),
			.type = bpf_program__type(in),
			.expected_attach_type = bpf_program__expected_attach_type(in),
			/* libbpf turns the section's name into the flag only when it loads. */
			.frags = str_eq(section, "xdp.frags") ||
				 str_starts(section, "xdp.frags/") ||
				 (bpf_program__flags(in) & BPF_F_XDP_HAS_FRAGS),
		};
	}
	r->object->programs = programs.v;
	r->object->program_count = programs.n;
	return 0;
}

struct variables {
	LIST(struct elf_variable) list;
};

static int add_btf_variables(struct elf_reader *r, struct shapes *shapes, uint32_t datasec,
			     const struct elf_section *section, struct variables *ret)
{
	const struct btf_type *t = btf__type_by_id(r->btf, datasec);

	for (uint16_t i = 0; i < btf_vlen(t); i++) {
		const struct btf_var_secinfo *in = &btf_var_secinfos(t)[i];
		const struct btf_type *var = btf__type_by_id(r->btf, in->type);
		const char *name;
		struct elf_variable *v;

		if (!var || !btf_is_var(var))
			continue;
		name = btf__name_by_offset(r->btf, var->name_off);
		if (check_name(r, "variable", name ? name : "") < 0)
			return -EINVAL;
		if ((uint64_t)in->offset + in->size > section->size)
			return error_set(r->e, -EINVAL,
					 "damaged object file: variable '%s' is beyond "
					 "the end of its section: build it again",
					 name);
		v = LIST_ADD(r->arena, &ret->list);
		v->name = arena_strdup(r->arena, name);
		v->section = arena_strdup(r->arena, section->name);
		v->offset = in->offset;
		v->size = in->size;
		v->shape = shape_of(shapes, var->type);
		if (v->shape->size != v->size)
			v->shape = shape_of(shapes, 0); /* of no use: the two must fit */
	}
	return 0;
}

/* Without BTF the symbols still tell names, places and sizes. */
static void add_symbol_variables(struct elf_reader *r, uint32_t index, struct variables *ret)
{
	const struct elf_section *section = &r->image.sections[index];

	for (size_t i = 0; i < r->image.symbol_count; i++) {
		const struct elf_symbol *s = &r->image.symbols[i];

		if (s->section != index || s->type != STT_OBJECT || s->size == 0 || !*s->name ||
		    s->name[0] == '.' || s->value + s->size > UINT32_MAX)
			continue;
		*LIST_ADD(r->arena, &ret->list) = (struct elf_variable){
			.name = arena_strdup(r->arena, s->name),
			.section = arena_strdup(r->arena, section->name),
			.offset = (uint32_t)s->value,
			.size = (uint32_t)s->size,
		};
	}
}

static int read_variables(struct elf_reader *r)
{
	struct shapes *shapes = r->btf ? shapes_new(r->arena, r->btf) : NULL;
	struct variables found = { 0 };

	for (uint32_t i = 1; i < r->image.section_count; i++) {
		const struct elf_section *section = &r->image.sections[i];
		uint32_t datasec;

		if (!elf_section_is_data(section->name))
			continue;
		datasec = find_datasec(r->btf, section->name);
		if (!datasec)
			add_symbol_variables(r, i, &found);
		else if (add_btf_variables(r, shapes, datasec, section, &found) < 0)
			return -EINVAL;
	}
	r->object->variables = found.list.v;
	r->object->variable_count = found.list.n;
	return 0;
}

static void read_license(struct elf_reader *r)
{
	const struct elf_section *s = elf_image_section(&r->image, "license");
	char *license = s && s->data ? arena_strndup(r->arena, (const char *)s->data,
						     MIN(s->size, (uint64_t)127)) :
				       NULL;

	for (char *c = license; c && *c; c++)
		if (*c < ' ' || *c > '~')
			*c = '?';
	r->object->license = license ? license : "";
}

static int read_object(struct elf_reader *r, const void *data, size_t size)
{
	int code = check_btf(r);

	if (code >= 0)
		code = open_bpf(r, data, size);
	if (code >= 0)
		code = read_maps(r);
	if (code >= 0)
		code = read_programs(r);
	if (code >= 0)
		elf_run_config_fill(r->arena, r->object, r->btf,
				    elf_image_section(&r->image, BTF_EXT_ELF_SEC) != NULL);
	if (code >= 0)
		code = read_variables(r);
	if (code >= 0)
		code = elf_usage_fill(r->arena, &r->image, r->object, r->e);
	if (code >= 0 && r->object->program_count + r->object->map_count == 0)
		code = error_set(r->e, -EINVAL,
				 "neither a program nor a map is in it: functions "
				 "need SEC(\"xdp\") or the like, maps SEC(\".maps\")");
	read_license(r);
	return code;
}

int elf_read(struct arena *a, const void *data, size_t size, struct elf_object **ret,
	     const char **ret_reason, struct error *e)
{
	cleanup(reader_done) struct elf_reader r = { .arena = a, .e = e };
	int code;

	if (size > LIMIT_OBJECT_BYTES) {
		*ret_reason = "ObjectInvalid";
		return error_set(e, -EINVAL, "larger than %d bytes", LIMIT_OBJECT_BYTES);
	}
	code = elf_image_open(a, data, size, &r.image, ret_reason, e);
	if (code < 0)
		return code;
	*ret_reason = "ObjectInvalid";
	r.object = arena_new_of(a, struct elf_object);
	libbpf_words_begin(&r.words);
	code = read_object(&r, data, size);
	libbpf_words_end();
	if (code < 0)
		return code;
	*ret = r.object;
	return 0;
}
