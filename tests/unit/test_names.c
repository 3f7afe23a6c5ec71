/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* Words and names of the model: tables without holes, and rules at their limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <linux/bpf.h>
#include <string.h>

#include "base/arena.h"
#include "base/macros.h"
#include "model/desired.h"
#include "model/limits.h"

#define NEW_ARENA(a) cleanup(arena_freep) struct arena *a = arena_new()

static void expect_words(const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		assert_non_null(names[i]);
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(names[i], names[k]);
	}
}

static void every_word_has_a_name_of_its_own(void **state)
{
	(void)state;
	expect_words(hook_names, HOOK_COUNT);
	expect_words(xdp_mode_names, XDP_MODE_COUNT);
	expect_words(mechanism_names, MECHANISM_COUNT);
	expect_words(on_foreign_names, ON_FOREIGN_COUNT);
	expect_words(on_missing_names, ON_MISSING_COUNT);
	expect_words(on_change_names, ON_CHANGE_COUNT);
	expect_words(instances_names, INSTANCES_COUNT);
	expect_words(access_names, ACCESS_COUNT);
	expect_words(target_type_names, TARGET_COUNT);
	expect_words(state_names, STATE_COUNT);
	expect_words(xdp_verdict_names, XDP_VERDICT_COUNT);
	expect_words(file_state_names, FILE_STATE_COUNT);
	expect_words(in_force_names, IN_FORCE_COUNT);
	for (unsigned int kind = 0; kind < VALUE_KIND_COUNT; kind++)
		assert_non_null(value_kind_name(kind));
}

static void verdicts_are_listed(void **state)
{
	NEW_ARENA(a);

	(void)state;
	assert_string_equal(verdicts_format(a, HOOK_XDP, 0), "none");
	assert_string_equal(verdicts_format(a, HOOK_XDP, XDP_VERDICTS_DEFAULT), "pass");
	assert_string_equal(verdicts_format(a, HOOK_XDP, 1u << XDP_PASS | 1u << XDP_DROP),
			    "drop, pass");
	assert_string_equal(verdicts_format(a, HOOK_XDP, 0x1f),
			    "aborted, drop, pass, tx, redirect");
	assert_string_equal(verdicts_format(a, HOOK_XDP, 1u << 31), "none");
}

/* A string of n times c. */
static const char *line(struct arena *a, char c, size_t n)
{
	char *s = arena_alloc(a, n + 1);

	memset(s, c, n);
	return s;
}

static void names_follow_their_rule(void **state)
{
	NEW_ARENA(a);

	(void)state;
	assert_true(name_is_valid("a"));
	assert_true(name_is_valid("0_-z"));
	assert_true(name_is_valid(line(a, 'a', LIMIT_NAME)));
	assert_false(name_is_valid(line(a, 'a', LIMIT_NAME + 1)));
	assert_false(name_is_valid(""));
	assert_false(name_is_valid("-a"));
	assert_false(name_is_valid("_a"));
	assert_false(name_is_valid("A"));
	assert_false(name_is_valid("a.b"));
	assert_false(name_is_valid("a@b"));
	assert_false(name_is_valid("\xc3\xa4"));
}

static void aliases_follow_their_rule(void **state)
{
	NEW_ARENA(a);

	(void)state;
	assert_true(alias_is_valid("-Aa0_"));
	assert_true(alias_is_valid(line(a, 'A', LIMIT_NAME)));
	assert_false(alias_is_valid(line(a, 'A', LIMIT_NAME + 1)));
	assert_false(alias_is_valid(""));
	assert_false(alias_is_valid("a.b"));
	assert_false(alias_is_valid("a/b"));
	assert_false(alias_is_valid("a b"));
}

static void identifiers_are_those_of_c(void **state)
{
	(void)state;
	assert_true(identifier_is_valid("_a0Z"));
	assert_false(identifier_is_valid(""));
	assert_false(identifier_is_valid("0a"));
	assert_false(identifier_is_valid("a-b"));
	assert_false(identifier_is_valid(".bss"));
}

static void references_split_at_the_first_slash(void **state)
{
	const char *object, *item;
	NEW_ARENA(a);

	(void)state;
	assert_true(name_split(a, "fw@eth0/m/n", &object, &item));
	assert_string_equal(object, "fw@eth0");
	assert_string_equal(item, "m/n");
	assert_false(name_split(a, "fw", &object, &item));
	assert_false(name_split(a, "/m", &object, &item));
	assert_false(name_split(a, "fw/", &object, &item));
	assert_false(name_split(a, "/", &object, &item));
	assert_false(name_split(a, "", &object, &item));
}

/* The names are in the order of the kernel's numbers: spot checks all along. */
static void types_have_the_names_of_the_kernel(void **state)
{
	NEW_ARENA(a);

	(void)state;
	assert_string_equal(map_type_name(a, BPF_MAP_TYPE_HASH), "hash");
	assert_string_equal(map_type_name(a, BPF_MAP_TYPE_LPM_TRIE), "lpm_trie");
	assert_string_equal(map_type_name(a, BPF_MAP_TYPE_XSKMAP), "xskmap");
	assert_string_equal(map_type_name(a, BPF_MAP_TYPE_DEVMAP_HASH), "devmap_hash");
	assert_string_equal(map_type_name(a, BPF_MAP_TYPE_RINGBUF), "ringbuf");
	assert_string_equal(map_type_name(a, BPF_MAP_TYPE_CGRP_STORAGE), "cgrp_storage");
	assert_string_equal(map_type_name(a, 999), "type-999");
	assert_string_equal(program_type_name(a, BPF_PROG_TYPE_SCHED_CLS), "sched_cls");
	assert_string_equal(program_type_name(a, BPF_PROG_TYPE_XDP), "xdp");
	assert_string_equal(program_type_name(a, BPF_PROG_TYPE_TRACING), "tracing");
	assert_string_equal(program_type_name(a, BPF_PROG_TYPE_SYSCALL), "syscall");
	assert_string_equal(program_type_name(a, UINT32_MAX), "type-4294967295");
}

static void powerful_maps_are_known(void **state)
{
	(void)state;
	assert_true(map_type_is_powerful(BPF_MAP_TYPE_PROG_ARRAY));
	assert_true(map_type_is_powerful(BPF_MAP_TYPE_DEVMAP_HASH));
	assert_true(map_type_is_powerful(BPF_MAP_TYPE_CPUMAP));
	assert_true(map_type_is_powerful(BPF_MAP_TYPE_SOCKHASH));
	assert_true(map_type_is_powerful(BPF_MAP_TYPE_HASH_OF_MAPS));
	assert_false(map_type_is_powerful(BPF_MAP_TYPE_HASH));
	assert_false(map_type_is_powerful(BPF_MAP_TYPE_XSKMAP));
	assert_true(map_type_is_per_device(BPF_MAP_TYPE_XSKMAP));
	assert_false(map_type_is_per_device(BPF_MAP_TYPE_DEVMAP));
}

static void parts_of_an_object_file_are_found(void **state)
{
	struct elf_program programs[] = { { .name = "a" }, { .name = "b" } };
	struct elf_map maps[] = { { .name = "m" }, { .name = ".bss" } };
	struct elf_variable variables[] = { { .name = "v" } };
	const struct elf_object elf = {
		.programs = programs,
		.program_count = 2,
		.maps = maps,
		.map_count = 2,
		.variables = variables,
		.variable_count = 1,
	};

	(void)state;
	assert_ptr_equal(elf_find_program(&elf, "b"), &programs[1]);
	assert_null(elf_find_program(&elf, "m"));
	assert_ptr_equal(elf_find_map(&elf, ".bss"), &maps[1]);
	assert_null(elf_find_map(&elf, "bss"));
	assert_ptr_equal(elf_find_variable(&elf, "v"), &variables[0]);
	assert_null(elf_find_variable(&elf, ""));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_word_has_a_name_of_its_own),
		cmocka_unit_test(verdicts_are_listed),
		cmocka_unit_test(names_follow_their_rule),
		cmocka_unit_test(aliases_follow_their_rule),
		cmocka_unit_test(identifiers_are_those_of_c),
		cmocka_unit_test(references_split_at_the_first_slash),
		cmocka_unit_test(types_have_the_names_of_the_kernel),
		cmocka_unit_test(powerful_maps_are_known),
		cmocka_unit_test(parts_of_an_object_file_are_found),
	};

	return cmocka_run_group_tests_name("names", tests, NULL, NULL);
}
