/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Each directory tests/golden/config/NN-name is a test: its *.yaml, except out.yaml, are parsed
 * and merged in sort order (and judged, if the name begins with "judge"); the diagnostics must be
 * diags.txt, and what is declared out.yaml, which must also parse to itself. A file settings.yaml
 * is bpfshared.yaml instead, with its result in settings.txt. No such file means nothing is
 * expected. UPDATE_GOLDEN=1 writes the files from what comes out.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/str.h"
#include "config/config.h"
#include "unit/config_equal.h"

#define FILES_MAX 16

struct golden {
	struct arena *arena;
	const char *dir;
	const char *names[FILES_MAX];
	struct fragment *fragments[FILES_MAX];
	size_t n;
	struct strbuf diags, out;
};

static void read_all(const char *path, struct strbuf *ret)
{
	FILE *f = fopen(path, "re");
	char chunk[4096];
	size_t n;

	if (!f)
		fail_msg("%s: %s", path, strerror(errno));
	while ((n = fread(chunk, 1, sizeof(chunk), f)) > 0)
		strbuf_addn(ret, chunk, n);
	assert_int_equal(ferror(f), 0);
	assert_int_equal(fclose(f), 0);
}

static bool exists(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0;
}

static void update(const char *path, const char *text)
{
	FILE *f;

	if (!*text) {
		assert_true(unlink(path) == 0 || errno == ENOENT);
		return;
	}
	f = fopen(path, "we");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static void expect_file(struct golden *g, const char *name, const char *text)
{
	cleanup(strbuf_done) struct strbuf want = { 0 };
	const char *path = arena_printf(g->arena, "%s/%s", g->dir, name);

	if (getenv("UPDATE_GOLDEN"))
		update(path, text);
	if (exists(path))
		read_all(path, &want);
	assert_string_equal(text, strbuf_get(&want));
}

static const char *read_input(struct golden *g, const char *name, size_t *ret_size)
{
	struct strbuf b = { 0 };
	char *text;

	read_all(arena_printf(g->arena, "%s/%s", g->dir, name), &b);
	*ret_size = b.len;
	text = arena_dup(g->arena, strbuf_get(&b), b.len + 1);
	strbuf_done(&b);
	return text;
}

static int compare_names(const void *left, const void *right)
{
	return strcmp(*(const char *const *)left, *(const char *const *)right);
}

static void list_inputs(struct golden *g)
{
	DIR *dir = opendir(g->dir);
	const struct dirent *e;

	assert_non_null(dir);
	while ((e = readdir(dir))) {
		if (!str_ends(e->d_name, ".yaml") || str_eq(e->d_name, "out.yaml"))
			continue;
		assert_true(g->n < FILES_MAX);
		g->names[g->n++] = arena_strdup(g->arena, e->d_name);
	}
	assert_int_equal(closedir(dir), 0);
	assert_true(g->n > 0);
	qsort(g->names, g->n, sizeof(g->names[0]), compare_names);
}

/* The dump must parse, declare the same, and dump to the same text. */
static void check_round_trip(struct golden *g, const struct desired *d, const char *text)
{
	cleanup(strbuf_done) struct strbuf again = { 0 };
	struct fragment *f = config_parse(g->arena, "out.yaml", text, strlen(text), NULL);
	struct desired parsed = { 0 };

	if (!f->valid)
		diags_format(&f->diags, &again);
	assert_string_equal(strbuf_get(&again), "");
	config_merge(g->arena, &f, 1, NULL, 0, &parsed);
	assert_true(f->valid);
	assert_true(desired_equal(d, &parsed));
	config_dump(&parsed, &again);
	assert_string_equal(strbuf_get(&again), text);
}

static void run_files(struct golden *g)
{
	struct desired d = { 0 };
	struct diags judged;
	size_t valid = 0;

	for (size_t i = 0; i < g->n; i++) {
		size_t size;
		const char *text = read_input(g, g->names[i], &size);

		g->fragments[i] = config_parse(g->arena, g->names[i], text, size, NULL);
	}
	config_merge(g->arena, g->fragments, g->n, NULL, 0, &d);
	diags_init(&judged, g->arena);
	for (size_t i = 0; i < g->n; i++) {
		diags_format(&g->fragments[i]->diags, &g->diags);
		assert_int_equal(g->fragments[i]->valid, g->fragments[i]->diags.errors == 0);
		valid += g->fragments[i]->valid ? 1 : 0;
		diags_add_text(&judged, g->names[i], g->fragments[i]->diags.texts.v[0].text,
			       g->fragments[i]->diags.texts.v[0].size);
	}
	if (strstr(g->dir, "-judge-")) {
		config_judge(g->arena, &d, &judged);
		diags_format(&judged, &g->diags);
	}
	if (valid)
		config_dump(&d, &g->out);
	expect_file(g, "diags.txt", strbuf_get(&g->diags));
	expect_file(g, "out.yaml", strbuf_get(&g->out));
	if (valid)
		check_round_trip(g, &d, strbuf_get(&g->out));
}

static void add_setting_strings(struct strbuf *out, const char *key, const struct string_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		strbuf_addf(out, "%s: %s\n", key, l->v[i]);
}

static void run_settings(struct golden *g)
{
	struct settings s;
	struct diags diags;
	size_t size;
	const char *text = read_input(g, "settings.yaml", &size);
	bool ok;

	diags_init(&diags, g->arena);
	ok = config_parse_settings(g->arena, "bpfshared.yaml", text, size, &s, &diags);
	assert_int_equal(ok, diags.errors == 0);
	diags_format(&diags, &g->diags);
	expect_file(g, "diags.txt", strbuf_get(&g->diags));
	for (size_t i = 0; ok && i < s.label_count; i++)
		strbuf_addf(&g->out, "label: %s=%s\n", s.labels[i].key, s.labels[i].value);
	add_setting_strings(&g->out, "owner", &s.allowed_owners);
	strbuf_addf(&g->out, "xdp: %s %s %s%s\n", xdp_mode_names[s.xdp.mode],
		    mechanism_names[s.xdp.mechanism], on_foreign_names[s.xdp.on_foreign],
		    s.xdp.exclusive ? " exclusive" : "");
	strbuf_addf(&g->out, "settle_ms: %u\nresync_s: %u\nmass_removal: %u%% %u\n", s.settle_ms,
		    s.resync_s, s.mass_removal_percent, s.mass_removal_least);
	strbuf_addf(&g->out, "control_group: %s\nlog_level: %s\n", s.control_group, s.log_level);
	expect_file(g, "settings.txt", ok ? strbuf_get(&g->out) : "");
}

static void golden_matches(void **state)
{
	struct golden g = { .arena = arena_new(), .dir = *state };

	list_inputs(&g);
	if (str_eq(g.names[0], "settings.yaml"))
		run_settings(&g);
	else
		run_files(&g);
	strbuf_done(&g.diags);
	strbuf_done(&g.out);
	arena_free(g.arena);
}

static int is_case(const struct dirent *e)
{
	return e->d_name[0] >= '0' && e->d_name[0] <= '9';
}

int main(void)
{
	const char *top = getenv("abs_top_srcdir") ? getenv("abs_top_srcdir") : ".";
	cleanup(arena_freep) struct arena *a = arena_new();
	const char *dir = arena_printf(a, "%s/tests/golden/config", top);
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
	return _cmocka_run_group_tests("config_golden", tests, (size_t)n, NULL, NULL);
}
