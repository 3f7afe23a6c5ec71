/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/bpf.h>
#include <linux/filter.h>
#include <linux/seccomp.h>

#include "base/alloc.h"
#include "base/arena.h"
#include "base/str.h"
#include "kern/elf_reader.h"
#include "kern/elf_shape.h"
#include "model/limits.h"

#define NEW_ARENA(a) cleanup(arena_freep) struct arena *a = arena_new()

struct bytes {
	unsigned char *data;
	size_t size;
};

/* An object that the build made from bpf/NAME.bpf.c. */
static struct bytes load(struct arena *a, const char *name)
{
	const char *build = getenv("abs_top_builddir");
	const char *path = arena_printf(a, "%s/bpf/%s.bpf.o", build ? build : ".", name);
	FILE *f = fopen(path, "re");
	struct bytes b;

	if (!f)
		fail_msg("%s: %s", path, strerror(errno));
	b.data = arena_alloc(a, 1024 * 1024);
	b.size = fread(b.data, 1, 1024 * 1024, f);
	(void)fclose(f);
	assert_true(b.size > 0);
	return b;
}

static struct elf_object *read_object(struct arena *a, const char *name)
{
	struct bytes b = load(a, name);
	struct elf_object *object = NULL;
	const char *reason = NULL;
	struct error e = { 0 };

	if (elf_read(a, b.data, b.size, &object, &reason, &e) < 0)
		fail_msg("%s: %s: %s", name, reason, e.text);
	return object;
}

static void assert_refused(const void *data, size_t size, const char *expected, const char *part)
{
	NEW_ARENA(a);
	struct elf_object *object = NULL;
	const char *reason = NULL;
	struct error e = { 0 };

	assert_int_equal(elf_read(a, data, size, &object, &reason, &e), -EINVAL);
	assert_null(object);
	assert_string_equal(reason, expected);
	if (!strstr(e.text, part))
		fail_msg("\"%s\" not in \"%s\"", part, e.text);
}

static const char *maps_of(struct arena *a, const struct elf_object *o, const char *program)
{
	const struct elf_program *p = elf_find_program(o, program);
	cleanup(strbuf_done) struct strbuf text = { 0 };

	assert_non_null(p);
	for (size_t i = 0; i < p->map_count; i++)
		strbuf_addf(&text, "%s%s", i ? " " : "", o->maps[p->maps[i]].name);
	return arena_strdup(a, strbuf_get(&text));
}

static void format_shape(struct strbuf *text, const struct shape *s)
{
	static const char *const kinds[] = {
		[SHAPE_INTEGER] = "int",
		[SHAPE_BOOL] = "bool",
		[SHAPE_CHAR] = "char",
		[SHAPE_ENUM] = "enum",
		[SHAPE_STRUCT] = "struct",
		[SHAPE_UNION] = "union",
		[SHAPE_UNSUPPORTED] = "unsupported",
	};

	if (s->kind == SHAPE_ARRAY) {
		format_shape(text, s->element);
		strbuf_addf(text, "[%u]", s->count);
		return;
	}
	strbuf_addf(text, "%s%s%u", s->is_signed ? "s" : "", kinds[s->kind], s->size * 8);
	if (s->kind == SHAPE_ENUM) {
		for (uint32_t i = 0; i < s->count; i++)
			strbuf_addf(text, "%s%s=%lld", i ? "," : "{", s->enumerators[i].name,
				    (long long)s->enumerators[i].value);
		strbuf_addc(text, '}');
	}
	if (s->kind != SHAPE_STRUCT && s->kind != SHAPE_UNION)
		return;
	for (uint32_t i = 0; i < s->count; i++) {
		strbuf_addf(text, "%s%s@%u:", i ? "," : "{", s->members[i].name,
			    s->members[i].offset);
		format_shape(text, s->members[i].shape);
	}
	strbuf_addc(text, '}');
}

static const char *shape_text(struct arena *a, const struct shape *s)
{
	cleanup(strbuf_done) struct strbuf text = { 0 };

	assert_non_null(s);
	format_shape(&text, s);
	return arena_strdup(a, strbuf_get(&text));
}

/* "section+offset size shape" */
static const char *variable_text(struct arena *a, const struct elf_object *o, const char *name)
{
	const struct elf_variable *v = elf_find_variable(o, name);

	if (!v)
		fail_msg("no variable %s", name);
	return arena_printf(a, "%s+%u %u %s", v->section, v->offset, v->size,
			    shape_text(a, v->shape));
}

static void a_small_object_is_read_whole(void **state)
{
	NEW_ARENA(a);
	const struct elf_object *o = read_object(a, "xsk_redirect");
	const struct elf_map *m = elf_find_map(o, "xsks_map");

	(void)state;
	assert_string_equal(o->license, "Dual BSD/GPL");
	assert_int_equal(o->program_count, 1);
	assert_string_equal(o->programs[0].name, "xdp_xsk_redirect");
	assert_string_equal(o->programs[0].section, "xdp");
	assert_int_equal(o->programs[0].type, BPF_PROG_TYPE_XDP);
	assert_int_equal(o->programs[0].expected_attach_type, BPF_XDP);
	assert_false(o->programs[0].frags);
	assert_false(o->programs[0].needed);
	assert_string_equal(maps_of(a, o, "xdp_xsk_redirect"), "xsks_map");
	assert_int_equal(o->map_count, 1);
	assert_non_null(m);
	assert_int_equal(m->type, BPF_MAP_TYPE_XSKMAP);
	assert_int_equal(m->key_size, 4);
	assert_int_equal(m->value_size, 4);
	assert_int_equal(m->max_entries, 64);
	assert_false(m->is_data);
	assert_false(m->pin_by_name);
	assert_int_equal(strlen(m->btf_hash), 64);
	assert_int_equal(o->variable_count, 0);
}

static void programs_tell_their_hook(void **state)
{
	NEW_ARENA(a);
	const struct elf_object *o = read_object(a, "test_reader");

	(void)state;
	assert_int_equal(read_object(a, "test_wrong_type")->programs[0].type,
			 BPF_PROG_TYPE_SCHED_CLS);
	assert_int_equal(o->program_count, 6); /* functions they call are none */
	assert_true(elf_find_program(o, "xdp_static_call")->frags);
	assert_string_equal(elf_find_program(o, "xdp_static_call")->section, "xdp.frags");
	assert_false(elf_find_program(o, "xdp_global_call")->frags);
	assert_string_equal(elf_find_program(o, "xdp_inner")->section, "xdp");
	assert_int_equal(elf_find_program(o, "xdp_after_redirect")->expected_attach_type,
			 BPF_XDP_DEVMAP);
	assert_int_equal(elf_find_program(o, "unknown_hook")->type, BPF_PROG_TYPE_UNSPEC);
}

static void uses_of_maps_are_followed(void **state)
{
	NEW_ARENA(a);
	const struct elf_object *o = read_object(a, "test_reader");

	(void)state;
	assert_string_equal(maps_of(a, o, "xdp_static_call"), "sockets .data");
	assert_string_equal(maps_of(a, o, "xdp_global_call"), "pinned");
	assert_string_equal(maps_of(a, o, "xdp_callback"), "called_back");
	assert_string_equal(maps_of(a, o, "xdp_inner"), "inner outer .data");
	assert_string_equal(maps_of(a, o, "xdp_after_redirect"), "");
	assert_string_equal(maps_of(a, o, "unknown_hook"), ".rodata .bss");
}

static void programs_of_a_filled_array_are_needed(void **state)
{
	NEW_ARENA(a);
	const struct elf_object *o = read_object(a, "test_prog_array");

	(void)state;
	assert_true(elf_find_program(o, "xdp_jump_target")->needed);
	assert_false(elf_find_program(o, "xdp_prog_array")->needed);
	assert_string_equal(maps_of(a, o, "xdp_jump_target"), "reached .rodata");
	/* Where it jumps, it uses what is used there. */
	assert_string_equal(maps_of(a, o, "xdp_prog_array"), "reached jumps .rodata");
}

static void filled_maps_are_told(void **state)
{
	static const char *const filled[] = { "filled_outer", "filled_jumps" };
	NEW_ARENA(a);
	const struct elf_object *o = read_object(a, "test_take_over");
	size_t n = 0;

	(void)state;
	for (size_t i = 0; i < o->map_count; i++)
		n += o->maps[i].filled;
	assert_int_equal(n, ARRAY_SIZE(filled));
	for (size_t i = 0; i < ARRAY_SIZE(filled); i++)
		assert_true(elf_find_map(o, filled[i])->filled);
}

static void opaque_values_are_told(void **state)
{
	NEW_ARENA(a);
	const struct elf_object *o = read_object(a, "test_opaque");

	(void)state;
	assert_true(elf_find_map(o, "timers")->opaque);
	assert_true(elf_find_map(o, "deep_timers")->opaque);
	assert_true(elf_find_map(o, "numbers")->opaque);
	assert_false(elf_find_map(o, "watchers")->opaque);
	assert_false(elf_find_map(o, "locks")->opaque);
	assert_false(elf_find_map(o, "expired")->opaque);
}

static void what_a_map_of_maps_holds_is_part_of_its_hash(void **state)
{
	NEW_ARENA(a);
	const struct elf_object *o = read_object(a, "test_take_over");

	(void)state;
	assert_int_equal(strlen(elf_find_map(o, "outer")->btf_hash), 64);
	assert_string_equal(elf_find_map(o, "outer")->btf_hash,
			    elf_find_map(o, "filled_outer")->btf_hash);
	assert_string_not_equal(elf_find_map(o, "outer")->btf_hash,
				elf_find_map(o, "outer_of_two")->btf_hash);
}

static void maps_have_their_own_names(void **state)
{
	static const char *const data[] = { ".rodata", ".data", ".bss", ".data.tunable",
					    ".rodata.tunable" };
	NEW_ARENA(a);
	const struct elf_object *o = read_object(a, "test_globals");

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(data); i++) {
		const struct elf_map *m = elf_find_map(o, data[i]);

		assert_non_null(m);
		assert_true(m->is_data);
		assert_int_equal(m->type, BPF_MAP_TYPE_ARRAY);
		assert_int_equal(m->max_entries, 1);
		assert_int_equal(!!(m->flags & BPF_F_RDONLY_PROG), str_starts(data[i], ".rodata"));
		assert_int_equal(strlen(m->btf_hash), 64);
	}
	assert_int_equal(o->map_count, ARRAY_SIZE(data) + 1);
	o = read_object(a, "test_reader");
	assert_true(elf_find_map(o, "pinned")->pin_by_name);
	assert_int_equal(elf_find_map(o, "pinned")->flags, BPF_F_NO_PREALLOC);
	assert_false(elf_find_map(o, "called_back")->pin_by_name);
}

static void variables_have_places_and_shapes(void **state)
{
	NEW_ARENA(a);
	const struct elf_object *o = read_object(a, "test_globals");
	static const struct {
		const char *name, *section;
		uint32_t size;
		const char *shape;
	} rows[] = {
		{ "ro_u8", ".rodata", 1, "int8" },
		{ "ro_s8", ".rodata", 1, "sint8" },
		{ "ro_u16", ".rodata", 2, "int16" },
		{ "ro_s16", ".rodata", 2, "sint16" },
		{ "ro_u32", ".rodata", 4, "int32" },
		{ "ro_s64", ".rodata", 8, "sint64" },
		{ "ro_bool", ".rodata", 1, "bool8" },
		{ "ro_ports", ".rodata", 8, "int16[4]" },
		{ "ro_grid", ".rodata", 6, "int8[3][2]" },
		{ "ro_static", ".rodata", 4, "int32" },
		{ "ro_level", ".rodata", 4,
		  "enum32{TEST_LOW=1,TEST_HIGH=7,TEST_HIGHEST=4000000000}" },
		{ "ro_direction", ".rodata", 4,
		  "senum32{TEST_BACKWARD=-1,TEST_STILL=0,TEST_FORWARD=1}" },
		{ "ro_word", ".rodata", 4, "union32{whole@0:int32,bytes@0:int8[4]}" },
		{ "rw_u64", ".data", 8, "int64" },
		{ "zero_u64", ".bss", 8, "int64" },
		{ "rw_tunable", ".data.tunable", 4, "int32" },
		{ "ro_tunable", ".rodata.tunable", 4, "int32" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct elf_variable *v = elf_find_variable(o, rows[i].name);

		assert_non_null(v);
		assert_string_equal(v->section, rows[i].section);
		assert_int_equal(v->size, rows[i].size);
		assert_string_equal(shape_text(a, v->shape), rows[i].shape);
	}
	assert_int_equal(elf_find_variable(o, "ro_char")->shape->kind, SHAPE_CHAR);
	assert_int_equal(elf_find_variable(o, "ro_label")->shape->element->kind, SHAPE_CHAR);
	assert_string_equal(elf_find_variable(o, "ro_settings")->shape->name, "test_settings");
	assert_non_null(strstr(variable_text(a, o, "ro_settings"),
			       "range@8:struct32{first@0:int16,last@2:int16},ports@12:int32[3],"));
}

/* The bytes in the file at the place that is told are the initial value. */
static void places_of_variables_are_right(void **state)
{
	NEW_ARENA(a);
	struct bytes b = load(a, "test_globals");
	const struct elf_object *o = read_object(a, "test_globals");
	const Elf64_Ehdr *header = (const void *)b.data;
	const Elf64_Shdr *sections = (const void *)(b.data + header->e_shoff);
	const char *names = (const char *)b.data + sections[header->e_shstrndx].sh_offset;
	static const struct {
		const char *name;
		uint64_t value;
	} rows[] = {
		{ "ro_u8", 1 },     { "ro_u16", 2 },  { "ro_u32", 3 },      { "ro_u64", 4 },
		{ "ro_static", 7 }, { "rw_u64", 10 }, { "rw_tunable", 20 }, { "ro_tunable", 21 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct elf_variable *v = elf_find_variable(o, rows[i].name);
		uint64_t value = 0;
		size_t s;

		assert_non_null(v);
		for (s = 0; s < header->e_shnum; s++)
			if (str_eq(names + sections[s].sh_name, v->section))
				break;
		assert_true(s < header->e_shnum);
		memcpy(&value, b.data + sections[s].sh_offset + v->offset, v->size);
		assert_int_equal(value, rows[i].value); /* little-endian, as this machine's BPF */
	}
}

static void what_cannot_be_given_is_unsupported(void **state)
{
	NEW_ARENA(a);
	const struct elf_object *o = read_object(a, "test_reader");

	(void)state;
	assert_string_equal(variable_text(a, o, "ro_value"),
			    ".rodata+0 16 struct128{low@0:"
			    "unsupported0,high@4:int32,pointer@8:unsupported64}");
	assert_string_equal(shape_text(a, elf_find_variable(o, "rw_pointer")->shape),
			    "unsupported64");
	/* Larger than LIMIT_VARIABLE_BYTES. */
	assert_string_equal(shape_text(a, elf_find_variable(o, "rw_huge")->shape),
			    "unsupported800000");
	assert_string_equal(shape_text(a, elf_find_variable(o, "rw_anonymous")->shape),
			    "struct128{text@0:schar8[4],number@8:int64}");
}

static void hashes_follow_the_layout(void **state)
{
	NEW_ARENA(a);
	const struct elf_object *one = read_object(a, "test_version_1");
	const struct elf_object *two = read_object(a, "test_version_2");
	const struct elf_object *reader = read_object(a, "test_reader");
	const struct elf_object *trace = read_object(a, "test_trace");

	(void)state;
	/* Other files, other numbers of types: the same layout. */
	assert_string_equal(elf_find_map(one, "versions")->btf_hash,
			    elf_find_map(two, "versions")->btf_hash);
	assert_string_equal(elf_find_map(one, "versions")->btf_hash,
			    elf_find_map(trace, "packets")->btf_hash);
	assert_string_equal(elf_find_map(reader, "pinned")->btf_hash,
			    elf_find_map(reader, "called_back")->btf_hash);
	assert_string_not_equal(elf_find_map(trace, "trace")->btf_hash,
				elf_find_map(trace, "packets")->btf_hash);
	assert_string_equal(elf_find_map(reader, "unused")->btf_hash, ""); /* sizes only */
}

/* Types that no compiler here makes. */

static int32_t add_struct(struct btf *btf, const char *name, const char *member, int32_t type,
			  uint32_t size)
{
	int32_t id = btf__add_struct(btf, name, size);

	assert_true(id > 0);
	assert_int_equal(btf__add_field(btf, member, type, 0, 0), 0);
	return id;
}

static const char *hash_of(struct arena *a, const struct btf *btf, int32_t type)
{
	char hex[SHA256_HEX];

	btf_hash_map(btf, 0, (uint32_t)type, hex);
	return arena_strdup(a, hex);
}

static void hashes_tell_names_and_sizes_apart(void **state)
{
	NEW_ARENA(a);
	struct btf *btf = btf__new_empty();
	int32_t u32 = btf__add_int(btf, "unsigned int", 4, 0);
	int32_t s32 = btf__add_int(btf, "int", 4, BTF_INT_SIGNED);
	int32_t alias = btf__add_typedef(btf, "__u32", btf__add_const(btf, u32));
	int32_t first = add_struct(btf, "s", "m", u32, 4);
	int32_t same = add_struct(btf, "s", "m", alias, 4);
	int32_t member = add_struct(btf, "s", "n", u32, 4);
	int32_t type = add_struct(btf, "s", "m", s32, 4);
	int32_t padded = add_struct(btf, "s", "m", u32, 8);
	int32_t other = add_struct(btf, "t", "m", u32, 4);
	char key[SHA256_HEX], value[SHA256_HEX];

	(void)state;
	assert_string_equal(hash_of(a, btf, first), hash_of(a, btf, same));
	assert_string_not_equal(hash_of(a, btf, first), hash_of(a, btf, member));
	assert_string_not_equal(hash_of(a, btf, first), hash_of(a, btf, type));
	assert_string_not_equal(hash_of(a, btf, first), hash_of(a, btf, padded));
	assert_string_not_equal(hash_of(a, btf, first), hash_of(a, btf, other));
	btf_hash_map(btf, (uint32_t)u32, (uint32_t)s32, key);
	btf_hash_map(btf, (uint32_t)s32, (uint32_t)u32, value);
	assert_string_not_equal(key, value);
	btf__free(btf);
}

/* Whose number it is, is part of what the bytes mean. */
static void a_tag_is_part_of_the_hash(void **state)
{
	NEW_ARENA(a);
	struct btf *btf = btf__new_empty();
	int32_t u32 = btf__add_int(btf, "unsigned int", 4, 0);
	int32_t plain = btf__add_ptr(btf, u32);
	int32_t owned = btf__add_ptr(btf, btf__add_type_tag(btf, "kptr", u32));
	int32_t other = btf__add_ptr(btf, btf__add_type_tag(btf, "rcu", u32));
	int32_t constant = btf__add_ptr(btf, btf__add_const(btf, u32));

	(void)state;
	assert_true(btf_is_opaque(btf, (uint32_t)owned));
	assert_false(btf_is_opaque(btf, (uint32_t)plain));
	assert_false(btf_is_opaque(btf, (uint32_t)other));
	assert_string_not_equal(hash_of(a, btf, owned), hash_of(a, btf, plain));
	assert_string_not_equal(hash_of(a, btf, owned), hash_of(a, btf, other));
	assert_string_equal(hash_of(a, btf, constant), hash_of(a, btf, plain));
	btf__free(btf);
}

/* Through unions, arrays and sections of data, and not for ever where types go in circles. */
static void opaque_parts_are_found_everywhere(void **state)
{
	struct btf *btf = btf__new_empty();
	int32_t u64 = btf__add_int(btf, "unsigned long", 8, 0);
	int32_t timer = add_struct(btf, "bpf_timer", "opaque", u64, 8);
	int32_t array = btf__add_array(btf, u64, timer, 2);
	int32_t container, variable, section, circle;

	(void)state;
	container = btf__add_union(btf, "u", 16);
	assert_int_equal(btf__add_field(btf, "a", array, 0, 0), 0);
	variable = btf__add_var(btf, "v", BTF_VAR_STATIC, container);
	section = btf__add_datasec(btf, ".bss", 16);
	assert_int_equal(btf__add_datasec_var_info(btf, variable, 0, 16), 0);
	circle = add_struct(btf, "circle", "self", (int32_t)btf__type_cnt(btf), 8);
	assert_true(btf_is_opaque(btf, (uint32_t)section));
	assert_true(btf_is_opaque(btf, (uint32_t)array));
	assert_false(btf_is_opaque(btf, (uint32_t)u64));
	assert_false(btf_is_opaque(btf, (uint32_t)circle));
	assert_false(btf_is_opaque(btf, 0));
	btf__free(btf);
}

static void circles_of_types_end(void **state)
{
	NEW_ARENA(a);
	struct btf *btf = btf__new_empty();
	int32_t node = add_struct(btf, "node", "self", 1, 8); /* contains itself */
	int32_t list = btf__add_struct(btf, "list", 8);
	struct shapes *shapes;

	(void)state;
	assert_int_equal(node, 1);
	assert_int_equal(btf__add_field(btf, "next", list + 1, 0, 0), 0);
	assert_int_equal(btf__add_ptr(btf, list), list + 1);
	shapes = shapes_new(a, btf);
	assert_int_equal(btf_check(btf, NULL), 0);
	assert_string_equal(shape_text(a, shape_of(shapes, 1)), "struct64{self@0:unsupported0}");
	assert_string_equal(shape_text(a, shape_of(shapes, (uint32_t)list)),
			    "struct64{next@0:unsupported64}");
	assert_int_equal(strlen(hash_of(a, btf, node)), 64);
	assert_int_equal(strlen(hash_of(a, btf, list)), 64);
	btf__free(btf);
}

static void endless_typedefs_are_refused(void **state)
{
	struct btf *btf = btf__new_empty();
	struct error e = { 0 };

	(void)state;
	assert_int_equal(btf__add_typedef(btf, "a", 2), 1);
	assert_int_equal(btf__add_typedef(btf, "b", 1), 2);
	assert_int_equal(btf_check(btf, &e), -EINVAL);
	assert_non_null(strstr(e.text, "without end"));
	btf__free(btf);
}

static void shapes_are_bounded_in_depth(void **state)
{
	NEW_ARENA(a);
	struct btf *btf = btf__new_empty();
	int32_t type = btf__add_int(btf, "int", 4, BTF_INT_SIGNED);
	const struct shape *s;
	unsigned int depth = 0;

	(void)state;
	for (int i = 0; i < 100; i++)
		type = add_struct(btf, "s", "m", type, 4);
	for (s = shape_of(shapes_new(a, btf), (uint32_t)type); s->kind == SHAPE_STRUCT; depth++)
		s = s->members[0].shape;
	assert_int_equal(s->kind, SHAPE_UNSUPPORTED);
	assert_int_equal(depth, 32);
	assert_int_equal(strlen(hash_of(a, btf, type)), 64);
	btf__free(btf);
}

static void members_do_not_leave_their_struct(void **state)
{
	NEW_ARENA(a);
	struct btf *btf = btf__new_empty();
	int32_t u64 = btf__add_int(btf, "unsigned long long", 8, 0);
	int32_t wide = add_struct(btf, "s", "m", u64, 4);
	int32_t odd = btf__add_struct(btf, "odd", 16);
	struct shapes *shapes;

	(void)state;
	assert_int_equal(btf__add_field(btf, "m", u64, 4, 8), 0); /* bits 4 to 11 */
	shapes = shapes_new(a, btf);
	assert_string_equal(shape_text(a, shape_of(shapes, (uint32_t)wide)), "unsupported32");
	assert_string_equal(shape_text(a, shape_of(shapes, (uint32_t)odd)),
			    "struct128{m@0:unsupported0}");
	btf__free(btf);
}

static void wide_enums_keep_their_values(void **state)
{
	NEW_ARENA(a);
	struct btf *btf = btf__new_empty();
	int32_t wide = btf__add_enum64(btf, "wide", 8, true);
	int32_t cut;

	(void)state;
	assert_int_equal(btf__add_enum64_value(btf, "A", (uint64_t)1 << 40), 0);
	assert_int_equal(btf__add_enum64_value(btf, "B", (uint64_t)-2), 0);
	cut = btf__add_enum(btf, "cut", 8); /* clang 14: the values do not fit */
	assert_int_equal(btf__add_enum_value(btf, "C", 0), 0);
	assert_string_equal(shape_text(a, shape_of(shapes_new(a, btf), (uint32_t)wide)),
			    "senum64{A=1099511627776,B=-2}");
	assert_string_equal(shape_text(a, shape_of(shapes_new(a, btf), (uint32_t)cut)), "int64");
	btf__free(btf);
}

/* Files that are none. */

static void what_is_not_elf_is_told(void **state)
{
	static const char text[] = "version: 1\nobjects: {}\n";

	(void)state;
	assert_refused("", 0, "NotElf", "not an ELF file");
	assert_refused(text, sizeof(text) - 1, "NotElf", "clang -target bpf");
	assert_refused("\177ELF", 4, "NotElf", "not an ELF file");
}

static void elf_of_another_kind_is_told(void **state)
{
	NEW_ARENA(a);
	struct bytes b = load(a, "xsk_redirect");
	Elf64_Ehdr *header = (void *)b.data;

	(void)state;
	b.data[EI_DATA] = b.data[EI_DATA] == ELFDATA2LSB ? ELFDATA2MSB : ELFDATA2LSB;
	assert_refused(b.data, b.size, "NotBpf", "other byte order");
	b = load(a, "xsk_redirect");
	b.data[EI_CLASS] = ELFCLASS32;
	assert_refused(b.data, b.size, "NotBpf", "not of BPF");
	b = load(a, "xsk_redirect");
	header = (void *)b.data;
	header->e_machine = EM_X86_64;
	assert_refused(b.data, b.size, "NotBpf", "machine 62");
	header->e_machine = EM_BPF;
	header->e_type = ET_EXEC;
	assert_refused(b.data, b.size, "NotBpf", "type 2");
}

static void a_file_that_was_cut_is_refused(void **state)
{
	NEW_ARENA(a);
	struct bytes b = load(a, "test_prog_array");

	(void)state;
	for (size_t size = 0; size < b.size; size++) {
		/* A heap block of exactly this size: a sanitizer sees a byte beyond. */
		unsigned char *cut = xrealloc(NULL, size + !size);

		memcpy(cut, b.data, size);
		assert_refused(cut, size, size < EI_NIDENT ? "NotElf" : "ObjectInvalid",
			       size < EI_NIDENT ? "not an ELF" : "damaged");
		free(cut);
	}
}

static Elf64_Shdr *section_of_type(struct bytes b, uint32_t type)
{
	const Elf64_Ehdr *header = (const void *)b.data;
	Elf64_Shdr *sections = (void *)(b.data + header->e_shoff);

	for (size_t i = 0; i < header->e_shnum; i++)
		if (sections[i].sh_type == type)
			return &sections[i];
	fail_msg("no section of type %u", type);
	return NULL;
}

static void places_outside_the_file_are_refused(void **state)
{
	NEW_ARENA(a);
	struct bytes b = load(a, "test_prog_array");
	Elf64_Shdr *s = section_of_type(b, SHT_SYMTAB);
	Elf64_Sym *symbols = (void *)(b.data + s->sh_offset);
	Elf64_Rel *relocation;
	size_t i;

	(void)state;
	/* The overflow of CVE-2025-29481. */
	for (i = 0; ELF64_ST_TYPE(symbols[i].st_info) != STT_FUNC; i++)
		;
	symbols[i].st_size = UINT64_MAX - 7;
	symbols[i].st_value = 8;
	assert_refused(b.data, b.size, "ObjectInvalid", "beyond the end of its section");

	b = load(a, "test_prog_array");
	s = section_of_type(b, SHT_SYMTAB);
	s->sh_offset = UINT64_MAX - 7;
	assert_refused(b.data, b.size, "ObjectInvalid", "behind the end of the file");

	b = load(a, "test_prog_array");
	s = section_of_type(b, SHT_REL);
	relocation = (void *)(b.data + s->sh_offset);
	relocation->r_info = ELF64_R_INFO(UINT32_MAX, 1);
	assert_refused(b.data, b.size, "ObjectInvalid", "leads nowhere");

	b = load(a, "test_prog_array");
	s = section_of_type(b, SHT_PROGBITS);
	s->sh_offset = 0;
	s->sh_size = b.size;
	assert_refused(b.data, b.size, "ObjectInvalid", "damaged");

	b = load(a, "test_prog_array");
	section_of_type(b, SHT_STRTAB)->sh_size = 1;
	assert_refused(b.data, b.size, "ObjectInvalid", "proper name");
}

static void an_object_without_anything_is_invalid(void **state)
{
	/* A header, the empty section, the table of names and an empty table of symbols. */
	struct {
		Elf64_Ehdr header;
		Elf64_Shdr sections[3];
		Elf64_Sym symbols[1];
		char names[32];
	} file = {
		.header = {
			.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64,
				     __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? ELFDATA2LSB :
										 ELFDATA2MSB,
				     EV_CURRENT },
			.e_type = ET_REL, .e_machine = EM_BPF, .e_version = EV_CURRENT,
			.e_ehsize = sizeof(Elf64_Ehdr), .e_shentsize = sizeof(Elf64_Shdr),
			.e_shoff = sizeof(Elf64_Ehdr), .e_shnum = 3, .e_shstrndx = 1,
		},
		.names = "\0.strtab\0.symtab",
	};

	(void)state;
	file.sections[1] = (Elf64_Shdr){ .sh_name = 1,
					 .sh_type = SHT_STRTAB,
					 .sh_offset = offsetof(__typeof__(file), names),
					 .sh_size = sizeof(file.names),
					 .sh_addralign = 1 };
	file.sections[2] = (Elf64_Shdr){ .sh_name = 9,
					 .sh_type = SHT_SYMTAB,
					 .sh_link = 1,
					 .sh_info = 1,
					 .sh_entsize = sizeof(Elf64_Sym),
					 .sh_offset = offsetof(__typeof__(file), symbols),
					 .sh_size = sizeof(file.symbols),
					 .sh_addralign = 8 };
	assert_refused(&file, sizeof(file), "ObjectInvalid", "neither a program nor a map");
}

/* Bytes anywhere in the file changed: refused or not, but never worse; and nothing is printed. */
static void changed_bytes_do_no_harm(void **state)
{
	NEW_ARENA(outer);
	struct bytes b = load(outer, "test_prog_array");
	static const unsigned char changes[] = { 0x00, 0x01, 0x7f, 0x80, 0xff };
	size_t refused = 0;

	(void)state;
	for (size_t i = 0; i < b.size; i++) {
		NEW_ARENA(a);
		struct elf_object *object = NULL;
		const char *reason = NULL;
		struct error e = { 0 };
		unsigned char before = b.data[i];

		b.data[i] = changes[i % ARRAY_SIZE(changes)];
		if (elf_read(a, b.data, b.size, &object, &reason, &e) < 0) {
			assert_non_null(reason);
			assert_int_equal(e.code, -EINVAL);
			refused++;
		}
		b.data[i] = before;
	}
	assert_true(refused > 0);
}

/* From here on bpf(2) kills the process. */
static bool forbid_bpf(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_bpf, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { .len = ARRAY_SIZE(filter), .filter = filter };

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

static void reading_needs_no_bpf_call(void **state)
{
	NEW_ARENA(a);
	struct bytes b = load(a, "test_reader");
	int status;
	pid_t pid;

	(void)state;
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct elf_object *object;
		const char *reason;

		if (!forbid_bpf())
			_exit(77);
		_exit(elf_read(a, b.data, b.size, &object, &reason, NULL) == 0 ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
		(void)puts("# needs seccomp filters");
		(void)fflush(stdout);
		skip();
	}
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static const struct elf_program *program_of(const struct elf_object *o, const char *name)
{
	const struct elf_program *p = elf_find_program(o, name);

	assert_non_null(p);
	return p;
}

static void a_run_configuration_is_read(void **state)
{
	NEW_ARENA(a);
	const struct elf_object *o = read_object(a, "test_run_config");
	const struct elf_program *p = program_of(o, "xdp_configured");

	(void)state;
	assert_true(p->has_run_priority && p->has_run_actions);
	assert_int_equal(p->run_priority, 7);
	assert_int_equal(p->run_actions, 1 << XDP_DROP | 1 << XDP_TX);
	p = program_of(o, "xdp_late");
	assert_true(p->has_run_priority && !p->has_run_actions);
	assert_int_equal(p->run_priority, 65535);
	p = program_of(o, "xdp_redirecting");
	assert_true(!p->has_run_priority && p->has_run_actions);
	assert_int_equal(p->run_actions, 1 << XDP_PASS | 1 << XDP_REDIRECT);
	p = program_of(o, "xdp_odd");
	assert_false(p->has_run_priority || p->has_run_actions);
	p = program_of(o, "xdp_plain");
	assert_false(p->has_run_priority || p->has_run_actions);
	assert_int_equal(p->run_actions, 0);
}

static void btf_of_functions_is_told(void **state)
{
	NEW_ARENA(a);
	struct bytes b = load(a, "test_run_config");
	struct elf_object *o = read_object(a, "test_run_config");
	const char *reason;

	(void)state;
	assert_true(program_of(o, "xdp_plain")->has_btf);
	/* The names of sections are what tells: without them there is no BTF, as without clang -g. */
	for (size_t i = 0; i + 8 < b.size; i++) {
		if (memcmp(b.data + i, ".BTF.ext", 9) == 0)
			memcpy(b.data + i, ".XXX.ext", 9);
		else if (memcmp(b.data + i, ".rel.BTF.ext", 13) == 0)
			memcpy(b.data + i, ".rel.XXX.ext", 13);
	}
	assert_int_equal(elf_read(a, b.data, b.size, &o, &reason, NULL), 0);
	assert_false(program_of(o, "xdp_plain")->has_btf);
}

static void a_file_beyond_the_limit_is_not_looked_at(void **state)
{
	(void)state;
	assert_refused("", (size_t)LIMIT_OBJECT_BYTES + 1, "ObjectInvalid", "larger than 67108864");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_small_object_is_read_whole),
		cmocka_unit_test(programs_tell_their_hook),
		cmocka_unit_test(uses_of_maps_are_followed),
		cmocka_unit_test(programs_of_a_filled_array_are_needed),
		cmocka_unit_test(filled_maps_are_told),
		cmocka_unit_test(opaque_values_are_told),
		cmocka_unit_test(what_a_map_of_maps_holds_is_part_of_its_hash),
		cmocka_unit_test(maps_have_their_own_names),
		cmocka_unit_test(variables_have_places_and_shapes),
		cmocka_unit_test(places_of_variables_are_right),
		cmocka_unit_test(what_cannot_be_given_is_unsupported),
		cmocka_unit_test(hashes_follow_the_layout),
		cmocka_unit_test(hashes_tell_names_and_sizes_apart),
		cmocka_unit_test(a_tag_is_part_of_the_hash),
		cmocka_unit_test(opaque_parts_are_found_everywhere),
		cmocka_unit_test(circles_of_types_end),
		cmocka_unit_test(endless_typedefs_are_refused),
		cmocka_unit_test(shapes_are_bounded_in_depth),
		cmocka_unit_test(members_do_not_leave_their_struct),
		cmocka_unit_test(wide_enums_keep_their_values),
		cmocka_unit_test(what_is_not_elf_is_told),
		cmocka_unit_test(elf_of_another_kind_is_told),
		cmocka_unit_test(a_file_that_was_cut_is_refused),
		cmocka_unit_test(places_outside_the_file_are_refused),
		cmocka_unit_test(an_object_without_anything_is_invalid),
		cmocka_unit_test(changed_bytes_do_no_harm),
		cmocka_unit_test(reading_needs_no_bpf_call),
		cmocka_unit_test(a_run_configuration_is_read),
		cmocka_unit_test(btf_of_functions_is_told),
		cmocka_unit_test(a_file_beyond_the_limit_is_not_looked_at),
	};

	return cmocka_run_group_tests_name("elf_reader", tests, NULL, NULL);
}
