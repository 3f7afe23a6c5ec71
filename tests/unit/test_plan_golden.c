/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Each directory tests/golden/plan/NN-name is a test: the story of its file `scenario` (see
 * fake/scenario.h) over the fake kernel must read as in plan.txt. UPDATE_GOLDEN=1 writes that file from
 * what comes out.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/error.h"
#include "fake/scenario.h"

static void read_expected(const char *path, struct strbuf *ret)
{
	FILE *f = fopen(path, "re");
	char chunk[4096];
	size_t n;

	assert_non_null(f);
	while ((n = fread(chunk, 1, sizeof(chunk), f)) > 0)
		strbuf_addn(ret, chunk, n);
	assert_int_equal(fclose(f), 0);
}

static void update(const char *path, const char *text)
{
	FILE *f = fopen(path, "we");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static void golden_matches(void **state)
{
	const char *dir = *state;
	cleanup(arena_freep) struct arena *a = arena_new();
	cleanup(strbuf_done) struct strbuf out = { 0 }, want = { 0 };
	const char *path = arena_printf(a, "%s/plan.txt", dir);
	struct error e = { 0 };
	int r = scenario_run(dir, &out, &e);

	if (r < 0)
		fail_msg("%s\n%s", e.text, strbuf_get(&out));
	if (getenv("UPDATE_GOLDEN"))
		update(path, strbuf_get(&out));
	read_expected(path, &want);
	assert_string_equal(strbuf_get(&out), strbuf_get(&want));
}

static int is_case(const struct dirent *e)
{
	return e->d_name[0] >= '0' && e->d_name[0] <= '9';
}

int main(void)
{
	const char *top = getenv("abs_top_srcdir") ? getenv("abs_top_srcdir") : ".";
	cleanup(arena_freep) struct arena *a = arena_new();
	const char *dir = arena_printf(a, "%s/tests/golden/plan", top);
	struct CMUnitTest *tests;
	struct dirent **entries;
	int n = scandir(dir, &entries, is_case, alphasort);

	if (n <= 0) {
		(void)fprintf(stderr, "%s: no golden tests; set abs_top_srcdir\n", dir);
		return 1;
	}
	tests = arena_calloc(a, (size_t)n, sizeof(*tests));
	for (int i = 0; i < n; i++) {
		tests[i].name = arena_strdup(a, entries[i]->d_name);
		tests[i].test_func = golden_matches;
		tests[i].initial_state = arena_printf(a, "%s/%s", dir, entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
	return _cmocka_run_group_tests("plan_golden", tests, (size_t)n, NULL, NULL);
}
