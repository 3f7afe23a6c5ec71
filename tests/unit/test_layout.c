/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/arena.h"
#include "base/macros.h"
#include "model/layout.h"
#include "model/observed.h"

#define NEW_ARENA(a) cleanup(arena_freep) struct arena *a = arena_new()

static void names_are_escaped(void **state)
{
	static const char *const pairs[][2] = {
		{ "plain_Name-09", "plain_Name-09" },
		{ "fwd@eth0", "fwd@eth0" },
		{ "fwd@eth0.100", "fwd@eth0%2E100" },
		{ ".rodata", "%2Erodata" },
		{ "a/b%c d", "a%2Fb%25c%20d" },
		{ "\x01\xff\xc3\xa9", "%01%FF%C3%A9" },
		{ "~", "%7E" },
	};
	NEW_ARENA(a);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
		assert_string_equal(layout_escape(a, pairs[i][0]), pairs[i][1]);
		assert_string_equal(layout_unescape(a, pairs[i][1]), pairs[i][0]);
	}
}

/* Every byte survives, and the escaped form has none that bpffs or a path would take amiss. */
static void every_byte_survives(void **state)
{
	NEW_ARENA(a);
	char all[256];
	const char *escaped;

	(void)state;
	for (int i = 1; i < 256; i++)
		all[i - 1] = (char)i;
	all[255] = '\0';
	escaped = layout_escape(a, all);
	assert_null(strpbrk(escaped, "./~ "));
	assert_string_equal(layout_unescape(a, escaped), all);
}

static void other_spellings_are_no_names(void **state)
{
	static const char *const foreign[] = {
		"",    "a.b", "~a", "a b",        "%",
		"%2",  "%2e", /* digits are upper case */
		"%41",        /* 'A' needs no escape */
		"%00", "%2G", "a%", "maps.debug", "\xc3\xa9",
	};
	NEW_ARENA(a);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(foreign); i++)
		assert_null(layout_unescape(a, foreign[i]));
}

static void marks_tell_their_version(void **state)
{
	(void)state;
	assert_int_equal(layout_mark_parse(LAYOUT_MARK), LAYOUT_VERSION);
	assert_int_equal(layout_mark_parse("layout-12"), 12);
	assert_int_equal(layout_mark_parse("layout-"), 0);
	assert_int_equal(layout_mark_parse("layout-x"), 0);
	assert_int_equal(layout_mark_parse("layout-99999999999"), 0);
	assert_int_equal(layout_mark_parse("objects"), 0);
}

static void paths_are_those_of_the_layout(void **state)
{
	NEW_ARENA(a);

	(void)state;
	assert_string_equal(layout_object_dir(a, "fwd@eth0.1", "0123"),
			    "objects/fwd@eth0%2E1/0123");
	assert_string_equal(layout_program_pin(a, "fwd", "0123", "xdp_main"),
			    "objects/fwd/0123/programs/xdp_main");
	assert_string_equal(layout_map_pin(a, "fwd", "0123", ".bss"),
			    "objects/fwd/0123/maps/%2Ebss");
	assert_string_equal(layout_chain_dir(a, UINT32_MAX), "chains/4294967295");
	assert_string_equal(layout_link_pin(a, 7, NULL), "links/7");
	assert_string_equal(layout_link_pin(a, 7, "/proc/1/ns/net"),
			    "links/7@%2Fproc%2F1%2Fns%2Fnet");
}

static void a_mount_is_known_by_its_source(void **state)
{
	NEW_ARENA(a);
	const char *source = layout_mount_source(a, "0badcafe", "dashboard");

	(void)state;
	assert_string_equal(layout_mount_share(a, "0badcafe", source), "dashboard");
	assert_null(layout_mount_share(a, "0badcaff", source));
	assert_null(layout_mount_share(a, "0badcaf", source));
	assert_null(layout_mount_share(a, "0badcafe", "bpf"));
	assert_null(layout_mount_share(a, "0badcafe", ""));
	assert_null(layout_mount_share(a, "0badcafe", "bpfshare:0badcafe"));
	assert_null(layout_mount_share(a, "0badcafe", "bpfshare:0badcafe:"));
}

static void objects_are_found(void **state)
{
	struct observed_object objects[] = {
		{ .instance = "a", .version = "1" },
		{ .instance = "a", .version = "2" },
		{ .instance = "a@eth0", .version = "1" },
		{ .instance = "b", .version = "1" },
	};
	struct observed o = { .objects = objects, .object_count = ARRAY_SIZE(objects) };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(objects); i++)
		assert_ptr_equal(observed_find_object(&o, objects[i].instance, objects[i].version),
				 &objects[i]);
	assert_null(observed_find_object(&o, "a", "3"));
	assert_null(observed_find_object(&o, "c", "1"));
}

static void numbered_things_are_found(void **state)
{
	struct observed_chain chains[] = { { .id = 3 }, { .id = UINT32_MAX } };
	struct observed_interface interfaces[] = { { .ifindex = 1 }, { .ifindex = 4 } };
	struct observed_program programs[] = { { .id = 9 } };
	struct observed o = {
		.chains = chains,
		.chain_count = 2,
		.interfaces = interfaces,
		.interface_count = 2,
		.programs = programs,
		.program_count = 1,
	};

	(void)state;
	assert_ptr_equal(observed_find_chain(&o, 3), &chains[0]);
	assert_ptr_equal(observed_find_chain(&o, UINT32_MAX), &chains[1]);
	assert_null(observed_find_chain(&o, 4));
	assert_ptr_equal(observed_find_interface(&o, NULL, 4), &interfaces[1]);
	assert_null(observed_find_interface(&o, NULL, 0));
	assert_ptr_equal(observed_find_program(&o, 9), &programs[0]);
	assert_null(observed_find_program(&o, 8));
}

static void named_things_are_found(void **state)
{
	struct observed_mount mounts[] = { { .path = "/run/a" }, { .path = "/run/a/b" } };
	struct observed_name names[] = {
		{ .name = "dash", .id = 1 },
		{ .name = "dash", .is_group = true, .id = 2 },
		{ .name = "root", .is_group = true },
	};
	struct feature features[] = { { .name = "tcx" },
				      { .name = "tailcall", .available = true } };
	struct observed o = {
		.mounts = mounts,
		.mount_count = 2,
		.names = names,
		.name_count = 3,
		.features = features,
		.feature_count = 2,
	};

	(void)state;
	assert_ptr_equal(observed_find_mount(&o, "/run/a/b"), &mounts[1]);
	assert_null(observed_find_mount(&o, "/run"));
	assert_ptr_equal(observed_find_name(&o, "dash", false), &names[0]);
	assert_ptr_equal(observed_find_name(&o, "dash", true), &names[1]);
	assert_null(observed_find_name(&o, "root", false));
	assert_true(observed_has_feature(&o, "tailcall"));
	assert_false(observed_has_feature(&o, "tcx"));
	assert_false(observed_has_feature(&o, "unheard-of"));
}

static void parts_of_an_object_are_found(void **state)
{
	struct observed_program programs[] = { { .name = "xdp_b" }, { .name = "xdp_a" } };
	struct observed_map maps[] = { { .name = "seen" } };
	struct observed_object o = {
		.programs = programs, .program_count = 2, .maps = maps, .map_count = 1
	};

	(void)state;
	assert_ptr_equal(observed_object_program(&o, "xdp_a"), &programs[1]);
	assert_null(observed_object_program(&o, "xdp_c"));
	assert_ptr_equal(observed_object_map(&o, "seen"), &maps[0]);
	assert_null(observed_object_map(&o, "see"));
}

static void nothing_is_found_in_nothing(void **state)
{
	struct observed o = { 0 };

	(void)state;
	assert_null(observed_find_object(&o, "a", "1"));
	assert_null(observed_find_chain(&o, 1));
	assert_null(observed_find_interface(&o, NULL, 1));
	assert_null(observed_find_program(&o, 1));
	assert_null(observed_find_mount(&o, "/"));
	assert_null(observed_find_name(&o, "root", false));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_escaped),
		cmocka_unit_test(every_byte_survives),
		cmocka_unit_test(other_spellings_are_no_names),
		cmocka_unit_test(paths_are_those_of_the_layout),
		cmocka_unit_test(marks_tell_their_version),
		cmocka_unit_test(a_mount_is_known_by_its_source),
		cmocka_unit_test(objects_are_found),
		cmocka_unit_test(numbered_things_are_found),
		cmocka_unit_test(named_things_are_found),
		cmocka_unit_test(parts_of_an_object_are_found),
		cmocka_unit_test(nothing_is_found_in_nothing),
	};

	return cmocka_run_group_tests_name("layout", tests, NULL, NULL);
}
