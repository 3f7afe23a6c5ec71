/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* Several files: who has a name, what a loser takes with it, and what comes out sorted. */
#include "unit/config_fixture.h"

#include <string.h>

#include "base/alloc.h"
#include "base/str.h"

#define FILES_MAX 8

struct merge_case {
	struct arena *arena;
	struct fragment *fragments[FILES_MAX];
	size_t n;
	struct desired desired;
};

static void add_file(struct merge_case *c, const char *path, const char *text)
{
	struct fragment *f = config_parse(c->arena, path, text, strlen(text), NULL);

	expect_no_diags(&f->diags);
	c->fragments[c->n++] = f;
}

static void merge(struct merge_case *c, const struct name_owner *owners, size_t n)
{
	config_merge(c->arena, c->fragments, c->n, owners, n, &c->desired);
}

static void running_owner_keeps_its_name(void **state)
{
	static const struct name_owner owners[] = {
		{ NAME_SHARE, "fw", "a.yaml" }, /* another kind of name */
		{ NAME_OBJECT, "fw", "b.yaml" },
		{ NAME_SET, "fw", "a.yaml" },
	};
	NEW_ARENA(a);
	struct merge_case c = { .arena = a };

	(void)state;
	add_file(&c, "a.yaml", "objects: {fw: {file: a.o}, other: {file: a.o}}");
	add_file(&c, "b.yaml", "objects: {fw: {file: b.o}}");
	merge(&c, owners, ARRAY_SIZE(owners));
	assert_false(c.fragments[0]->valid);
	assert_true(c.fragments[1]->valid);
	expect_diag(&c.fragments[0]->diags,
		    "the object 'fw' belongs to b.yaml:1, which is in force");
	assert_int_equal(c.desired.object_count, 1);
	assert_string_equal(c.desired.objects[0].path, "b.o");
	assert_int_equal(c.desired.objects[0].file, 1);
}

static void released_name_goes_to_the_next(void **state)
{
	static const struct name_owner owners[] = { { NAME_OBJECT, "fw", "b.yaml" } };
	NEW_ARENA(a);
	struct merge_case c = { .arena = a };

	(void)state;
	add_file(&c, "a.yaml", "objects: {fw: {file: a.o}}");
	add_file(&c, "b.yaml", "objects: {other: {file: b.o}}");
	merge(&c, owners, ARRAY_SIZE(owners));
	assert_true(c.fragments[0]->valid);
	assert_true(c.fragments[1]->valid);
	assert_int_equal(c.desired.object_count, 2);
}

/* Each wants what the other has: neither file as it is now can be in force. */
static void swap_of_names_fails_for_both(void **state)
{
	static const struct name_owner owners[] = {
		{ NAME_OBJECT, "x", "a.yaml" },
		{ NAME_OBJECT, "y", "b.yaml" },
	};
	NEW_ARENA(a);
	struct merge_case c = { .arena = a };

	(void)state;
	add_file(&c, "a.yaml", "objects: {x: {file: a.o}, y: {file: a.o}}");
	add_file(&c, "b.yaml", "objects: {x: {file: b.o}, y: {file: b.o}}");
	merge(&c, owners, ARRAY_SIZE(owners));
	assert_false(c.fragments[0]->valid);
	assert_false(c.fragments[1]->valid);
	expect_diag(&c.fragments[0]->diags, "the object 'y' belongs to b.yaml:1");
	expect_diag(&c.fragments[1]->diags, "the object 'x' belongs to a.yaml:1");
	assert_int_equal(c.desired.object_count, 0);
}

static void loser_frees_its_other_names(void **state)
{
	NEW_ARENA(a);
	struct merge_case c = { .arena = a };

	(void)state;
	add_file(&c, "a.yaml", "objects: {x: {file: a.o}}");
	add_file(&c, "b.yaml",
		 "objects: {x: {file: b.o}, y: {file: b.o}, z: {file: b.o}}\n"
		 "shares: {s: {maps: [], targets: [{bpffs: {path: /s}}]}}");
	add_file(&c, "c.yaml",
		 "objects: {y: {file: c.o}}\n"
		 "shares: {t: {maps: [], targets: [{bpffs: {path: /s}}]}}");
	merge(&c, NULL, 0);
	assert_true(c.fragments[0]->valid);
	assert_false(c.fragments[1]->valid);
	assert_true(c.fragments[2]->valid);
	assert_int_equal(c.fragments[1]->diags.errors, 1);
	assert_string_equal(desired_find_object(&c.desired, "y")->path, "c.o");
	assert_null(desired_find_object(&c.desired, "z"));
	assert_non_null(desired_find_share(&c.desired, "t"));
}

static void all_lost_names_are_reported(void **state)
{
	NEW_ARENA(a);
	struct merge_case c = { .arena = a };

	(void)state;
	add_file(&c, "a.yaml",
		 "objects: {x: {file: a.o}}\ninterfaces: {i: {select: [{name: a}]}}\n"
		 "shares: {s: {maps: [], targets: []}}");
	add_file(&c, "b.yaml",
		 "objects: {x: {file: a.o}}\ninterfaces: {i: {select: [{name: a}]}}\n"
		 "shares: {s: {maps: [], targets: []}}");
	merge(&c, NULL, 0);
	assert_int_equal(c.fragments[1]->diags.errors, 3);
	expect_diag(&c.fragments[1]->diags, "object 'x' belongs to a.yaml:1, which comes first");
	expect_diag(&c.fragments[1]->diags, "interface set 'i' belongs to a.yaml:2");
	expect_diag(&c.fragments[1]->diags, "share 's' belongs to a.yaml:3");
}

static void running_share_keeps_its_path(void **state)
{
	static const struct name_owner owners[] = { { NAME_SHARE, "t", "b.yaml" } };
	NEW_ARENA(a);
	struct merge_case c = { .arena = a };

	(void)state;
	add_file(&c, "a.yaml", "shares: {s: {maps: [], targets: [{bpffs: {path: /srv/a/b}}]}}");
	add_file(&c, "b.yaml", "shares: {t: {maps: [], targets: [{bpffs: {path: /srv/a}}]}}");
	merge(&c, owners, ARRAY_SIZE(owners));
	assert_false(c.fragments[0]->valid);
	assert_true(c.fragments[1]->valid);
}

static void invalid_and_absent_files_claim_nothing(void **state)
{
	NEW_ARENA(a);
	struct merge_case c = { .arena = a };

	(void)state;
	c.fragments[c.n++] = NULL;
	c.fragments[c.n++] = parse(a, "objects: {x: {file: a.o, oops: 1}}");
	add_file(&c, "c.yaml", "objects: {x: {file: c.o}}");
	merge(&c, NULL, 0);
	assert_int_equal(c.desired.object_count, 1);
	assert_int_equal(c.desired.objects[0].file, 2);
	/* Again with what is left, as after a substitution: nothing is said twice. */
	merge(&c, NULL, 0);
	assert_int_equal(c.desired.object_count, 1);
	assert_int_equal(c.fragments[1]->diags.errors, 1);
}

static void result_is_sorted_over_all_files(void **state)
{
	NEW_ARENA(a);
	struct merge_case c = { .arena = a };

	(void)state;
	add_file(&c, "a.yaml",
		 "objects: {m: {file: a.o}, a: {file: a.o}}\n"
		 "interfaces: {z: {select: [{name: a}]}, k: {select: [{name: a}]}}");
	add_file(&c, "b.yaml",
		 "objects: {z: {file: a.o}, b: {file: a.o}}\n"
		 "shares: {y: {maps: [], targets: []}, x: {maps: [], targets: []}}");
	merge(&c, NULL, 0);
	assert_int_equal(c.desired.object_count, 4);
	for (size_t i = 1; i < 4; i++)
		assert_true(strcmp(c.desired.objects[i - 1].name, c.desired.objects[i].name) < 0);
	assert_ptr_equal(desired_find_object(&c.desired, "a"), &c.desired.objects[0]);
	assert_ptr_equal(desired_find_object(&c.desired, "z"), &c.desired.objects[3]);
	assert_ptr_equal(desired_find_set(&c.desired, "k"), &c.desired.sets[0]);
	assert_ptr_equal(desired_find_share(&c.desired, "y"), &c.desired.shares[1]);
	assert_int_equal(c.desired.shares[1].file, 1);
	assert_null(desired_find_object(&c.desired, "q"));
	assert_null(desired_find_set(&c.desired, "q"));
	assert_null(desired_find_share(&c.desired, ""));
}

static void nothing_merges_to_nothing(void **state)
{
	NEW_ARENA(a);
	struct merge_case c = { .arena = a };
	cleanup(strbuf_done) struct strbuf b = { 0 };

	(void)state;
	merge(&c, NULL, 0);
	assert_int_equal(c.desired.object_count + c.desired.set_count + c.desired.share_count, 0);
	assert_null(desired_find_object(&c.desired, "x"));
	config_dump(&c.desired, &b);
	assert_string_equal(strbuf_get(&b), "version: 1\n");
}

static void objects_are_bounded(void **state)
{
	NEW_ARENA(a);
	struct merge_case c = { .arena = a };
	cleanup(strbuf_done) struct strbuf b = { 0 };

	(void)state;
	strbuf_add(&b, "objects:\n");
	for (size_t i = 0; i < LIMIT_OBJECTS; i++)
		strbuf_addf(&b, "  o%zu: {file: a.o}\n", i);
	add_file(&c, "a.yaml", strbuf_get(&b));
	merge(&c, NULL, 0);
	assert_true(c.fragments[0]->valid);
	assert_int_equal(c.desired.object_count, LIMIT_OBJECTS);
	add_file(&c, "b.yaml", "objects: {p: {file: a.o}}");
	add_file(&c, "c.yaml", "shares: {s: {maps: [], targets: []}}");
	merge(&c, NULL, 0);
	assert_false(c.fragments[1]->valid);
	assert_true(c.fragments[2]->valid);
	expect_diag(&c.fragments[1]->diags, "more than 4096 objects");
	assert_int_equal(c.desired.object_count, LIMIT_OBJECTS);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(running_owner_keeps_its_name),
		cmocka_unit_test(released_name_goes_to_the_next),
		cmocka_unit_test(swap_of_names_fails_for_both),
		cmocka_unit_test(loser_frees_its_other_names),
		cmocka_unit_test(all_lost_names_are_reported),
		cmocka_unit_test(running_share_keeps_its_path),
		cmocka_unit_test(invalid_and_absent_files_claim_nothing),
		cmocka_unit_test(result_is_sorted_over_all_files),
		cmocka_unit_test(nothing_merges_to_nothing),
		cmocka_unit_test(objects_are_bounded),
	};

	return cmocka_run_group_tests_name("config_merge", tests, NULL, NULL);
}
