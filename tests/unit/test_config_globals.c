/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* `globals` as the bytes that go into the data sections, and what is refused. */
#include "unit/config_fixture.h"

#include <string.h>

#include "base/str.h"

/* ---- the variables ---- */

static const struct shape u8 = { .kind = SHAPE_INTEGER, .name = "unsigned char", .size = 1 };
static const struct shape s8 = { .kind = SHAPE_INTEGER, .name = "s8", .size = 1, .is_signed = true };
static const struct shape u16 = { .kind = SHAPE_INTEGER, .name = "u16", .size = 2 };
static const struct shape u32 = { .kind = SHAPE_INTEGER, .name = "u32", .size = 4 };
static const struct shape s32 = {
	.kind = SHAPE_INTEGER, .name = "int", .size = 4, .is_signed = true
};
static const struct shape u64 = { .kind = SHAPE_INTEGER, .name = "u64", .size = 8 };
static const struct shape s64 = {
	.kind = SHAPE_INTEGER, .name = "s64", .size = 8, .is_signed = true
};
static const struct shape boolean = { .kind = SHAPE_BOOL, .name = "bool", .size = 1 };
static const struct shape character = {
	.kind = SHAPE_CHAR, .name = "char", .size = 1, .is_signed = true
};
static const struct shape pointer = { .kind = SHAPE_UNSUPPORTED, .name = "", .size = 8 };

static const struct shape u128 = { .kind = SHAPE_INTEGER, .name = "__int128", .size = 16 };

static const struct shape_enumerator modes[] = { { "SLOW", 0 }, { "FAST", 7 }, { "ODD", -2 } };
static const struct shape mode = { .kind = SHAPE_ENUM,
				   .name = "mode",
				   .size = 4,
				   .is_signed = true,
				   .count = 3,
				   .enumerators = modes };
static const struct shape_enumerator big_values[] = { { "TOP", (int64_t)0x8000000000000001 } };
static const struct shape big = {
	.kind = SHAPE_ENUM, .name = "", .size = 8, .count = 1, .enumerators = big_values
};

static const struct shape name8 = {
	.kind = SHAPE_ARRAY, .name = "", .size = 8, .count = 8, .element = &character
};
static const struct shape ports = {
	.kind = SHAPE_ARRAY, .name = "", .size = 8, .count = 4, .element = &u16
};
static const struct shape names = {
	.kind = SHAPE_ARRAY, .name = "", .size = 16, .count = 2, .element = &name8
};
static const struct shape grid = {
	.kind = SHAPE_ARRAY, .name = "", .size = 16, .count = 2, .element = &ports
};
static const struct shape empty_array = {
	.kind = SHAPE_ARRAY, .name = "", .size = 0, .count = 0, .element = &character
};

static const struct shape_member word_members[] = { { "bytes", 0, &ports }, { "number", 0, &u64 } };
static const struct shape word = {
	.kind = SHAPE_UNION, .name = "word", .size = 8, .count = 2, .members = word_members
};
static const struct shape_member inner_members[] = { { "low", 0, &u8 }, { "high", 1, &s8 } };
static const struct shape inner = {
	.kind = SHAPE_STRUCT, .name = "", .size = 2, .count = 2, .members = inner_members
};
static const struct shape_member config_members[] = {
	{ "limit", 0, &u32 },  { "mode", 4, &mode }, { "ports", 8, &ports },
	{ "word", 16, &word }, { "", 24, &inner },   { "next", 32, &pointer },
};
static const struct shape config = {
	.kind = SHAPE_STRUCT, .name = "config", .size = 40, .count = 6, .members = config_members
};
static const struct shape configs = {
	.kind = SHAPE_ARRAY, .name = "", .size = 80, .count = 2, .element = &config
};

/* As large as can be set, and a byte more. */
static const struct shape large = { .kind = SHAPE_ARRAY,
				    .name = "",
				    .size = LIMIT_VARIABLE_BYTES,
				    .count = LIMIT_VARIABLE_BYTES,
				    .element = &u8 };
static const struct shape larger = { .kind = SHAPE_ARRAY,
				     .name = "",
				     .size = LIMIT_VARIABLE_BYTES + 1,
				     .count = LIMIT_VARIABLE_BYTES + 1,
				     .element = &u8 };

/* The size is that of the shape, see set_globals(). */
#define VARIABLE(variable, at, its_section, of)                                     \
	{                                                                           \
		.name = variable, .section = its_section, .offset = at, .shape = of \
	}

static struct elf_variable variables[] = {
	VARIABLE("b", 0, ".rodata", &boolean),
	VARIABLE("c", 1, ".rodata", &character),
	VARIABLE("w8", 2, ".rodata", &u8),
	VARIABLE("i8", 3, ".rodata", &s8),
	VARIABLE("w32", 4, ".rodata", &u32),
	VARIABLE("i32", 8, ".rodata", &s32),
	VARIABLE("w64", 16, ".rodata", &u64),
	VARIABLE("i64", 24, ".rodata", &s64),
	VARIABLE("mode", 32, ".data", &mode),
	VARIABLE("big", 40, ".data", &big),
	VARIABLE("name", 48, ".data.x", &name8),
	VARIABLE("ports", 56, ".bss", &ports),
	VARIABLE("names", 64, ".bss", &names),
	VARIABLE("grid", 80, ".bss", &grid),
	VARIABLE("none", 96, ".bss", &empty_array),
	VARIABLE("cfg", 100, ".bss", &config),
	VARIABLE("cfgs", 200, ".bss", &configs),
	VARIABLE("word", 300, ".bss", &word),
	VARIABLE("large", 0, ".data.large", &large),
	VARIABLE("larger", 0, ".data.larger", &larger),
	VARIABLE("pointer", 400, ".bss", &pointer),
	VARIABLE("w128", 416, ".bss", &u128),
	{ .name = "untyped", .section = ".bss", .offset = 500, .size = 4 },
	{ .name = "lying", .section = ".bss", .offset = 504, .size = 4, .shape = &u64 },
	VARIABLE("description", 508, ".bss", &u32),
};
static struct elf_object elf = { .variables = variables, .variable_count = ARRAY_SIZE(variables) };
static const struct object_source source = { .path = "/a.o", .elf = &elf };

static struct object_decl *set_globals(struct arena *a, const char *globals, struct diags *ret)
{
	struct desired *d =
		declare(a, arena_printf(a, "objects: {a: {file: a.o, globals: {%s}}}", globals));

	for (size_t i = 0; i < ARRAY_SIZE(variables); i++)
		if (variables[i].shape && !variables[i].size)
			variables[i].size = variables[i].shape->size;
	d->objects[0].source = &source;
	diags_init(ret, a);
	config_judge(a, d, ret);
	return &d->objects[0];
}

/* "SECTION+OFFSET: bytes in hex", one line for each value. */
static const char *format_values(struct arena *a, const struct object_decl *o)
{
	cleanup(strbuf_done) struct strbuf b = { 0 };

	for (size_t i = 0; i < o->value_count; i++) {
		const struct global_value *v = &o->values[i];
		const unsigned char *bytes = v->bytes;

		strbuf_addf(&b, "%s+%u:", v->section, v->offset);
		for (uint32_t k = 0; k < v->size; k++)
			strbuf_addf(&b, "%s%02x", k % 4 ? "" : " ", bytes[k]);
		strbuf_addc(&b, '\n');
	}
	return arena_strdup(a, strbuf_get(&b));
}

/* Written for machines that store the low byte first, as nearly all are. */
static bool is_little_endian(void)
{
	const uint16_t one = 1;

	return *(const unsigned char *)&one == 1;
}

static void expect_bytes(const char *globals, const char *want)
{
	NEW_ARENA(a);
	struct diags diags;
	const struct object_decl *o = set_globals(a, globals, &diags);

	assert_string_equal(o->fault_message ? o->fault_message : "", "");
	if (is_little_endian())
		assert_string_equal(format_values(a, o), want);
}

static void expect_refusal(const char *globals, const char *token, const char *message)
{
	NEW_ARENA(a);
	struct diags diags;
	const struct object_decl *o = set_globals(a, globals, &diags);

	assert_string_equal(o->fault_reason ? o->fault_reason : "(none)", token);
	if (!strstr(o->fault_message, message))
		fail_msg("'%s' has no '%s'", o->fault_message, message);
	assert_true(diags.errors > 0);
}

/* ---- tests ---- */

static void integers_have_their_size_and_sign(void **state)
{
	(void)state;
	expect_bytes("w8: 0", ".rodata+2: 00\n");
	expect_bytes("w8: 255", ".rodata+2: ff\n");
	expect_bytes("i8: -128", ".rodata+3: 80\n");
	expect_bytes("i8: 127", ".rodata+3: 7f\n");
	expect_bytes("w32: 0x01020304", ".rodata+4: 04030201\n");
	expect_bytes("i32: -1", ".rodata+8: ffffffff\n");
	expect_bytes("i32: -2147483648", ".rodata+8: 00000080\n");
	expect_bytes("w64: 18446744073709551615", ".rodata+16: ffffffff ffffffff\n");
	expect_bytes("i64: -9223372036854775808", ".rodata+24: 00000000 00000080\n");
	expect_bytes("i64: 9223372036854775807", ".rodata+24: ffffffff ffffff7f\n");
}

static void integers_out_of_range_are_refused(void **state)
{
	(void)state;
	expect_refusal("w8: 256", "BadGlobal",
		       "globals.w8 must be from 0 to 255 (unsigned char, 1 bytes), not 256");
	expect_refusal("w8: -1", "BadGlobal", "must be from 0 to 255");
	expect_refusal("i8: 128", "BadGlobal", "must be from -128 to 127");
	expect_refusal("i8: -129", "BadGlobal", "must be from -128 to 127");
	expect_refusal("w32: 4294967296", "BadGlobal", "must be from 0 to 4294967295");
	expect_refusal("i32: 2147483648", "BadGlobal", "-2147483648 to 2147483647");
	expect_refusal("w64: -1", "BadGlobal", "from 0 to 18446744073709551615");
	expect_refusal("i64: 9223372036854775808", "BadGlobal", "to 9223372036854775807");
	expect_refusal("i64: -9223372036854775809", "BadGlobal", "from -9223372036854775808");
	expect_refusal("w64: 18446744073709551616", "BadGlobal", "must be an integer");
}

static void types_are_not_mixed(void **state)
{
	(void)state;
	expect_refusal("w32: \"5\"", "BadGlobal",
		       "must be an integer, not a string; perhaps without the quotes");
	expect_refusal("w32: true", "BadGlobal", "must be an integer, not true or false");
	expect_refusal("w32: 1.5", "BadGlobal", "not a fractional number");
	expect_refusal("w32: [5]", "BadGlobal", "not a list");
	expect_refusal("w32: ", "BadGlobal", "not nothing");
	expect_refusal("b: 1", "BadGlobal", "must be true or false, not an integer");
	expect_refusal("b: yes", "BadGlobal", "must be true or false, not a string");
	expect_refusal("ports: 80", "BadGlobal", "must be a list, not an integer");
	expect_refusal("ports: text", "BadGlobal", "must be a list, not a string");
	expect_refusal("cfg: [1]", "BadGlobal", "must be a mapping, not a list");
	expect_refusal("mode: 1.5", "BadGlobal", "must be the name of a value, or an integer");
	expect_refusal("pointer: 0", "BadGlobal", "has a type that cannot be set");
	expect_refusal("w128: 0", "BadGlobal", "has a type that cannot be set");
}

static void bools_and_characters(void **state)
{
	(void)state;
	expect_bytes("b: true", ".rodata+0: 01\n");
	expect_bytes("b: false", ".rodata+0: 00\n");
	expect_bytes("c: x", ".rodata+1: 78\n");
	expect_bytes("c: -1", ".rodata+1: ff\n");
	expect_refusal("c: xy", "BadGlobal", "must be an integer or a string of one byte");
	expect_refusal("c: ä", "BadGlobal", "must be an integer or a string of one byte");
	expect_refusal("c: 200", "BadGlobal", "must be from -128 to 127");
}

static void enums_go_by_name_or_number(void **state)
{
	(void)state;
	expect_bytes("mode: FAST", ".data+32: 07000000\n");
	expect_bytes("mode: ODD", ".data+32: feffffff\n");
	expect_bytes("mode: 9", ".data+32: 09000000\n");
	expect_bytes("big: TOP", ".data+40: 01000000 00000080\n");
	expect_refusal("mode: FASST", "BadGlobal",
		       "globals.mode has no value 'FASST' (enum mode); did you mean 'FAST'?");
	expect_refusal("mode: x", "BadGlobal", "its values are: SLOW, FAST, ODD");
	expect_refusal("mode: 2147483648", "BadGlobal", "must be from");
}

static void strings_leave_room_for_the_end(void **state)
{
	(void)state;
	expect_bytes("name: \"\"", ".data.x+48: 00000000 00000000\n");
	expect_bytes("name: edge", ".data.x+48: 65646765 00000000\n");
	expect_bytes("name: seventy", ".data.x+48: 73657665 6e747900\n");
	expect_bytes("name: \"\\u00e4\\t\"", ".data.x+48: c3a40900 00000000\n");
	expect_refusal("name: eighteen", "BadGlobal",
		       "globals.name has room for 7 bytes and the final NUL, not for 8");
	expect_refusal("names: [ok, eighteen]", "BadGlobal", "globals.names[1] has room for 7");
	expect_refusal("name: 5", "BadGlobal", "must be a string or a list, not an integer");
}

static void lists_fill_with_zeros(void **state)
{
	(void)state;
	expect_bytes("ports: [80, 443]", ".bss+56: 5000\n.bss+58: bb01\n.bss+60: 00000000\n");
	expect_bytes("ports: []", ".bss+56: 00000000 00000000\n");
	expect_bytes("ports: [1, 2, 3, 4]",
		     ".bss+56: 0100\n.bss+58: 0200\n.bss+60: 0300\n.bss+62: 0400\n");
	expect_bytes("name: [97, b]",
		     ".data.x+48: 61\n.data.x+49: 62\n.data.x+50: 00000000 0000\n");
	expect_bytes("names: [ab, c]", ".bss+64: 61620000 00000000\n.bss+72: 63000000 00000000\n");
	expect_bytes("grid: [[1]]", ".bss+80: 0100\n.bss+82: 00000000 0000\n"
				    ".bss+88: 00000000 00000000\n");
	expect_bytes("none: []", "");
	expect_refusal("ports: [1, 2, 3, 4, 5]", "BadGlobal", "has 4 elements, not 5");
	expect_refusal("ports: [1, 65536]", "BadGlobal",
		       "globals.ports[1] must be from 0 to 65535");
	expect_refusal("grid: [[1], [2, -3]]", "BadGlobal", "globals.grid[1][1] must be");
	expect_refusal("none: x", "BadGlobal", "has room for 0 bytes");
}

static void structs_keep_what_is_not_named(void **state)
{
	(void)state;
	expect_bytes("cfg: {}", "");
	expect_bytes("cfg: {limit: 1}", ".bss+100: 01000000\n");
	expect_bytes("cfg: {mode: FAST, limit: 1}", ".bss+100: 01000000\n.bss+104: 07000000\n");
	expect_bytes("cfg: {ports: [1]}", ".bss+108: 0100\n.bss+110: 00000000 0000\n");
	/* Members of a member without a name. */
	expect_bytes("cfg: {high: -1, low: 2}", ".bss+124: 02\n.bss+125: ff\n");
	expect_bytes("cfgs: [{limit: 1}]",
		     ".bss+200: 01000000\n"
		     ".bss+240: 00000000 00000000 00000000 00000000 00000000 00000000 00000000 "
		     "00000000 00000000 00000000\n");
	expect_bytes("cfg: {description: as everywhere, x-note: [1]}", "");
	expect_refusal("cfg: {limt: 1}", "BadGlobal",
		       "globals.cfg has no member 'limt'; did you mean 'limit'?");
	expect_refusal("cfg: {ports: [1, 2, 3, -4]}", "BadGlobal", "globals.cfg.ports[3] must be");
	expect_refusal("cfg: {next: 0}", "BadGlobal", "globals.cfg.next has a type");
	expect_refusal("cfg: {low: 256}", "BadGlobal", "globals.cfg.low must be");
}

static void unions_take_one_member(void **state)
{
	(void)state;
	expect_bytes("word: {number: 258}", ".bss+300: 02010000 00000000\n");
	expect_bytes("cfg: {word: {bytes: [1]}}", ".bss+116: 0100\n.bss+118: 00000000 0000\n");
	expect_refusal("word: {}", "BadGlobal", "takes exactly one of its members");
	expect_refusal("word: {number: 1, bytes: []}", "BadGlobal", "exactly one");
	expect_refusal("word: {numbr: 1}", "BadGlobal", "did you mean 'number'?");
}

static void variables_must_be_there_and_typed(void **state)
{
	(void)state;
	expect_refusal("w46: 1", "NoSuchVariable", "no global variable 'w46'; did you mean 'w64'?");
	expect_refusal("completely_else: 1", "NoSuchVariable", "its variables are: b, c, w8");
	expect_refusal("untyped: 1", "NoBtf", "compile the object file with -g");
	expect_refusal("lying: 1", "BadGlobal", "has 4 bytes, but its type has 8");
}

static void variables_are_bounded(void **state)
{
	struct diags diags;
	NEW_ARENA(a);
	const struct object_decl *o = set_globals(a, "large: []", &diags);

	(void)state;
	assert_int_equal(o->value_count, 1);
	assert_int_equal(o->values[0].size, LIMIT_VARIABLE_BYTES);
	expect_refusal("larger: []", "BadGlobal", "has 65537 bytes; up to 65536 can be set");
}

/* `description` is a comment everywhere, except where the object file has such a variable. */
static void a_variable_may_be_called_description(void **state)
{
	struct elf_object other = { .variables = variables, .variable_count = 1 };
	const struct object_source without = { .path = "/a.o", .elf = &other };
	struct diags diags;
	struct desired *d;
	NEW_ARENA(a);

	(void)state;
	expect_bytes("description: 3", ".bss+508: 03000000\n");
	d = declare(a,
		    "objects: {a: {file: a.o, globals: {description: of these values, b: true}}}");
	d->objects[0].source = &without;
	diags_init(&diags, a);
	config_judge(a, d, &diags);
	assert_null(d->objects[0].fault_reason);
	assert_string_equal(format_values(a, &d->objects[0]), ".rodata+0: 01\n");
}

static void values_are_sorted_by_place(void **state)
{
	(void)state;
	expect_bytes("w8: 1, mode: SLOW, b: true, ports: [1,2,3,4]",
		     ".bss+56: 0100\n.bss+58: 0200\n.bss+60: 0300\n.bss+62: 0400\n"
		     ".data+32: 00000000\n.rodata+0: 01\n.rodata+2: 01\n");
}

/* A type whose members without a name nest so widely that nobody can visit all of them. */
static void wide_types_do_not_take_forever(void **state)
{
	struct shape_member members[48][2];
	struct shape levels[49];
	struct elf_variable variable = { .name = "v", .section = ".bss", .size = 8 };
	struct elf_object hostile = { .variables = &variable, .variable_count = 1 };
	const struct object_source hostile_source = { .path = "/a.o", .elf = &hostile };
	struct diags diags;
	struct desired *d;
	NEW_ARENA(a);

	(void)state;
	levels[48] = u64;
	for (size_t i = 48; i-- > 0;) {
		members[i][0] = members[i][1] = (struct shape_member){ "", 0, &levels[i + 1] };
		levels[i] = (struct shape){ .kind = SHAPE_UNION,
					    .name = "",
					    .size = 8,
					    .count = 2,
					    .members = members[i] };
	}
	variable.shape = &levels[0];
	d = declare(a, "objects: {a: {file: a.o, globals: {v: {absent: 1}}}}");
	d->objects[0].source = &hostile_source;
	diags_init(&diags, a);
	config_judge(a, d, &diags);
	expect_diag(&diags, "globals.v has no member 'absent'");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(integers_have_their_size_and_sign),
		cmocka_unit_test(integers_out_of_range_are_refused),
		cmocka_unit_test(types_are_not_mixed),
		cmocka_unit_test(bools_and_characters),
		cmocka_unit_test(enums_go_by_name_or_number),
		cmocka_unit_test(strings_leave_room_for_the_end),
		cmocka_unit_test(lists_fill_with_zeros),
		cmocka_unit_test(structs_keep_what_is_not_named),
		cmocka_unit_test(unions_take_one_member),
		cmocka_unit_test(variables_must_be_there_and_typed),
		cmocka_unit_test(variables_are_bounded),
		cmocka_unit_test(a_variable_may_be_called_description),
		cmocka_unit_test(values_are_sorted_by_place),
		cmocka_unit_test(wide_types_do_not_take_forever),
	};

	return cmocka_run_group_tests_name("config_globals", tests, NULL, NULL);
}
