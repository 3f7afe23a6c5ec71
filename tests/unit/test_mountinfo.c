/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/arena.h"
#include "base/macros.h"
#include "kern/mountinfo.h"

#define NEW_ARENA(a) cleanup(arena_freep) struct arena *a = arena_new()

static struct mountinfo parse(struct arena *a, const char *text)
{
	struct mountinfo m;
	struct error e = { 0 };

	if (mountinfo_parse(a, text, &m, &e) < 0)
		fail_msg("%s", e.text);
	return m;
}

static void a_line_is_understood(void **state)
{
	NEW_ARENA(a);
	struct mountinfo m = parse(a,
				   "55 27 0:44 / /run/bpfshare/shares/d/maps rw,nosuid shared:7 - "
				   "bpf bpfshare:0badcafe:d ro,mode=700\n");

	(void)state;
	assert_int_equal(m.n, 1);
	assert_int_equal(m.v[0].id, 55);
	assert_int_equal(m.v[0].parent, 27);
	assert_int_equal(m.v[0].major, 0);
	assert_int_equal(m.v[0].minor, 44);
	assert_string_equal(m.v[0].root, "/");
	assert_string_equal(m.v[0].path, "/run/bpfshare/shares/d/maps");
	assert_string_equal(m.v[0].type, "bpf");
	assert_string_equal(m.v[0].source, "bpfshare:0badcafe:d");
	assert_true(m.v[0].read_only);
	assert_true(m.v[0].shared);
	assert_false(m.v[0].slave);
}

/* Of mount and superblock, only the latter stops writers who have another mount of it. */
static void read_only_is_said_of_the_superblock(void **state)
{
	NEW_ARENA(a);
	struct mountinfo m = parse(a, "1 0 0:1 / /a ro,nosuid - bpf x rw\n"
				      "2 0 0:1 / /b rw - bpf x ro\n"
				      "3 0 0:1 / /c rw - bpf x rw,errors=ro\n"
				      "4 0 0:1 / /d rw - bpf x rotten\n");

	(void)state;
	assert_int_equal(m.n, 4);
	assert_false(m.v[0].read_only);
	assert_true(m.v[1].read_only);
	assert_false(m.v[2].read_only);
	assert_false(m.v[3].read_only);
}

static void optional_fields_come_in_any_number(void **state)
{
	NEW_ARENA(a);
	struct mountinfo m =
		parse(a, "1 0 0:1 / /a rw - tmpfs none rw\n"
			 "2 0 0:1 / /b rw master:3 - tmpfs none rw\n"
			 "3 0 0:1 / /c rw shared:1 master:2 propagate_from:1 - tmpfs none rw\n"
			 "4 0 0:1 / /d rw unbindable some:day - tmpfs none rw\n");

	(void)state;
	assert_int_equal(m.n, 4);
	assert_false(m.v[0].shared || m.v[0].slave);
	assert_true(!m.v[1].shared && m.v[1].slave);
	assert_true(m.v[2].shared && m.v[2].slave);
	assert_false(m.v[3].shared || m.v[3].slave);
}

static void escapes_are_undone(void **state)
{
	NEW_ARENA(a);
	struct mountinfo m =
		parse(a, "1 0 0:1 /r\\011t /a\\040b\\012c\\134d\\043 rw - fuse.x a\\040b rw\n"
			 "2 0 0:1 / /no\\04escape\\ rw - tmpfs - rw\n");

	(void)state;
	assert_string_equal(m.v[0].root, "/r\tt");
	assert_string_equal(m.v[0].path, "/a b\nc\\d#");
	assert_string_equal(m.v[0].source, "a b");
	assert_string_equal(m.v[1].path, "/no\\04escape\\");
	assert_string_equal(m.v[1].source, "-");
}

static void an_empty_source_is_a_source(void **state)
{
	NEW_ARENA(a);
	struct mountinfo m = parse(a, "1 0 0:1 / /a rw - tmpfs  ro\n");

	(void)state;
	assert_string_equal(m.v[0].source, "");
	assert_true(m.v[0].read_only);
}

static void mounts_are_found_by_id_in_any_order(void **state)
{
	NEW_ARENA(a);
	struct mountinfo m = parse(a, "30 1 0:1 / /c rw - tmpfs c rw\n"
				      "4294967297 1 0:1 / /b rw - tmpfs b rw\n"
				      "2 1 0:1 / /a rw - tmpfs a rw\n");

	(void)state;
	assert_string_equal(mountinfo_find(&m, 2)->path, "/a");
	assert_string_equal(mountinfo_find(&m, 30)->path, "/c");
	assert_string_equal(mountinfo_find(&m, 4294967297)->path, "/b");
	assert_null(mountinfo_find(&m, 1));
}

static void nothing_is_no_mounts(void **state)
{
	NEW_ARENA(a);
	struct mountinfo m = parse(a, "");

	(void)state;
	assert_int_equal(m.n, 0);
	assert_null(mountinfo_find(&m, 1));
}

/* A mount that is overlooked would read as one that is not there. */
static void what_is_not_understood_fails_the_whole(void **state)
{
	static const char *const lines[] = {
		"2",
		"2 1 0:1 / /a",
		"2 1 0:1 / /a rw tmpfs a rw", /* no hyphen */
		"2 1 0:1 / /a rw - tmpfs a",
		"2 1 0:1 / /a rw -",
		"x 1 0:1 / /a rw - tmpfs a rw",
		"2 -1 0:1 / /a rw - tmpfs a rw",
		"2 1 01 / /a rw - tmpfs a rw",
		" 2 1 0:1 / /a rw - tmpfs a rw",
	};
	NEW_ARENA(a);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		const char *text = arena_printf(a, "1 0 0:1 / / rw - ext4 x rw\n%s\n", lines[i]);
		struct error e = { 0 };
		struct mountinfo m;

		assert_int_equal(mountinfo_parse(a, text, &m, &e), -EBADMSG);
		assert_non_null(strstr(e.text, lines[i]));
		assert_null(strstr(e.text, "ext4"));
	}
}

static void the_kernels_own_list_is_understood(void **state)
{
	NEW_ARENA(a);
	struct error e = { 0 };
	struct mountinfo m;
	size_t proc = 0;

	(void)state;
	if (mountinfo_read(a, "self", &m, &e) < 0)
		fail_msg("%s", e.text);
	for (size_t i = 0; i < m.n; i++)
		proc += strcmp(m.v[i].path, "/proc") == 0 && strcmp(m.v[i].type, "proc") == 0;
	assert_int_not_equal(proc, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_is_understood),
		cmocka_unit_test(read_only_is_said_of_the_superblock),
		cmocka_unit_test(optional_fields_come_in_any_number),
		cmocka_unit_test(escapes_are_undone),
		cmocka_unit_test(an_empty_source_is_a_source),
		cmocka_unit_test(mounts_are_found_by_id_in_any_order),
		cmocka_unit_test(nothing_is_no_mounts),
		cmocka_unit_test(what_is_not_understood_fails_the_whole),
		cmocka_unit_test(the_kernels_own_list_is_understood),
	};

	return cmocka_run_group_tests_name("mountinfo", tests, NULL, NULL);
}
