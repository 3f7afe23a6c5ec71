/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* Reading one file: limits, hostile input, what a declaration holds, and how faults are shown. */
#include "unit/config_fixture.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/str.h"

/* ---- limits ---- */

/* head, then unit so many times, then tail. */
static char *repeat(const char *head, const char *unit, size_t count, const char *tail)
{
	struct strbuf b = { 0 };
	char *text;

	strbuf_add(&b, head);
	for (size_t i = 0; i < count; i++)
		strbuf_add(&b, unit);
	strbuf_add(&b, tail);
	/* An exact copy, so that the address sanitizer sees a read beyond the end. */
	text = xcalloc(1, b.len + 1);
	memcpy(text, strbuf_get(&b), b.len + 1);
	strbuf_done(&b);
	return text;
}

static void expect_limit(char *text, const char *message)
{
	NEW_ARENA(a);
	struct fragment *f = parse(a, text);

	if (message) {
		assert_false(f->valid);
		expect_diag(&f->diags, message);
	} else {
		expect_no_diags(&f->diags);
		assert_true(f->valid);
	}
	free(text);
}

static void file_size_is_bounded(void **state)
{
	(void)state;
	expect_limit(repeat("#", "x", LIMIT_FILE_BYTES - 1, ""), NULL);
	expect_limit(repeat("#", "x", LIMIT_FILE_BYTES, ""), "the file has 1048577 bytes");
}

static void depth_is_bounded(void **state)
{
	char head[LIMIT_DEPTH + 8], tail[LIMIT_DEPTH + 8];

	(void)state;
	for (size_t lists = LIMIT_DEPTH - 1; lists <= LIMIT_DEPTH; lists++) {
		(void)snprintf(head, sizeof(head), "x-a: %.*s", (int)lists,
			       "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[");
		(void)snprintf(tail, sizeof(tail), "%.*s", (int)lists,
			       "]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]");
		expect_limit(repeat(head, "", 0, tail),
			     lists < LIMIT_DEPTH ? NULL : "nested more than 32 deep");
	}
}

static void nodes_are_bounded(void **state)
{
	(void)state;
	/* The mapping, its key and the list are three. */
	expect_limit(repeat("x-a: [", "1,", LIMIT_FILE_NODES - 3, "]"), NULL);
	expect_limit(repeat("x-a: [", "1,", LIMIT_FILE_NODES - 2, "]"), "more than 65536 values");
}

static void keys_are_bounded(void **state)
{
	(void)state;
	expect_limit(repeat("x-", "k", LIMIT_KEY_BYTES - 2, ": 1"), NULL);
	expect_limit(repeat("x-", "k", LIMIT_KEY_BYTES - 1, ": 1"), "a key of 321 bytes");
}

static void paths_are_bounded(void **state)
{
	const char *head = "shares: {s: {maps: [], targets: [{bpffs: {path: ";

	(void)state;
	expect_limit(repeat(head, "/a", 2015, "}}]}}"), NULL);
	expect_limit(repeat(head, "/a", 2016, "}}]}}"), "is too long");
}

static void diagnostics_are_bounded(void **state)
{
	NEW_ARENA(a);
	struct fragment *f;
	const char *text;

	(void)state;
	for (size_t n = LIMIT_DIAGS; n <= LIMIT_DIAGS + 1; n++) {
		cleanup(strbuf_done) struct strbuf b = { 0 };

		for (size_t i = 0; i < n; i++)
			strbuf_addf(&b, "k%zu: 1\n", i);
		f = parse(a, strbuf_get(&b));
		assert_int_equal(f->diags.list.n, LIMIT_DIAGS);
		assert_int_equal(f->diags.errors, n);
		assert_int_equal(f->diags.dropped, n - LIMIT_DIAGS);
		text = format(a, &f->diags);
		assert_int_equal(strstr(text, "... and 1 more\n") != NULL, n > LIMIT_DIAGS);
	}
}

/* ---- hostile input ---- */

/* Each is refused or read in a moment; without bounds some of them take minutes. */
static void bombs_are_harmless(void **state)
{
	static const struct {
		const char *head, *unit, *tail;
		size_t count;
	} bombs[] = {
		{ "", "[", "", 64 * 1024 },
		{ "", "[", "", LIMIT_FILE_BYTES },
		{ "", "{", "", LIMIT_FILE_BYTES },
		{ "", "[{", "", LIMIT_FILE_BYTES / 2 },
		{ "", "- ", "", LIMIT_FILE_BYTES / 2 },
		{ "", "? ", "", LIMIT_FILE_BYTES / 2 },
		{ "", "a: ", "", LIMIT_FILE_BYTES / 3 },
		{ "x-a: [", "[],", "]", LIMIT_FILE_BYTES / 3 - 8 },
		{ "x-a: [", "{a: b},", "]", LIMIT_FILE_BYTES / 7 - 8 },
		{ "x-a: {", "a: b, ", "}", LIMIT_FILE_BYTES / 6 - 8 },
		{ "", "a: 1\n", "", LIMIT_FILE_BYTES / 5 },
		{ "", "\"a\": ", "", LIMIT_FILE_BYTES / 5 },
		{ "", "&a ", "", LIMIT_FILE_BYTES / 3 },
		{ "", "!a ", "", LIMIT_FILE_BYTES / 3 },
		{ "[", "*a,", "", LIMIT_FILE_BYTES / 3 - 1 },
		{ "x-a: \"", "\\n", "\"", LIMIT_FILE_BYTES / 2 - 8 },
		{ "x-a: \"", "\n", "\"", LIMIT_FILE_BYTES - 8 },
		{ "x-a: |\n", " a\n", "", LIMIT_FILE_BYTES / 3 - 8 },
		{ "", "\n", "", LIMIT_FILE_BYTES },
		{ "", "%a\n", "", LIMIT_FILE_BYTES / 3 },
		{ "", "---\n", "", LIMIT_FILE_BYTES / 4 },
		{ "objects:", "\n  a:\n    file: a", "", LIMIT_FILE_BYTES / 20 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bombs); i++) {
		NEW_ARENA(a);
		cleanup(freep) char *text =
			repeat(bombs[i].head, bombs[i].unit, bombs[i].count, bombs[i].tail);
		clock_t start = clock();

		assert_true(strlen(text) <= LIMIT_FILE_BYTES);
		(void)parse(a, text);
		assert_in_range(clock() - start, 0, 5 * CLOCKS_PER_SEC);
	}
}

/* The address sanitizer sees a read beyond the last byte. */
static void text_needs_no_end(void **state)
{
	static const char *const texts[] = { "",   "a",  "a:",           "\"",       "'",
					     "|",  "- ", "\xef\xbb\xbf", "\xef\xbb", "\xe4",
					     "\r", "%",  "x-a: 1" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		NEW_ARENA(a);
		size_t n = strlen(texts[i]);
		cleanup(freep) char *exact = xcalloc(1, MAX(n, (size_t)1));
		struct fragment *f;

		memcpy(exact, texts[i], n);
		f = config_parse(a, "t.yaml", exact, n, NULL);
		/* A lone byte order mark, a lone line end and an extension say nothing, and no more. */
		assert_int_equal(f->valid, i == 7 || i == 10 || i == 12);
	}
}

/* A file cut anywhere or with any byte changed gives diagnostics or a declaration, no crash. */
static void every_damage_is_survived(void **state)
{
	static const char text[] =
		"objects:\n  a: {file: \"a\\u00e9.o\", globals: {x: [1, -2.5, 'q']}}\n"
		"shares:\n  s:\n    maps:\n    - a/m\n    targets: [{bpffs: {mode: \"0750\"}}]\n";

	(void)state;
	for (size_t i = 0; i < sizeof(text) - 1; i++) {
		NEW_ARENA(a);
		cleanup(freep) char *damaged = xcalloc(1, sizeof(text));

		(void)config_parse(a, "t.yaml", text, i, NULL);
		for (unsigned int byte = 0; byte < 256; byte += 5) {
			memcpy(damaged, text, sizeof(text));
			damaged[i] = (char)byte;
			(void)config_parse(a, "t.yaml", damaged, sizeof(text) - 1, NULL);
		}
	}
}

/* ---- declarations ---- */

static void declarations_outlive_the_text(void **state)
{
	static const char source[] =
		"objects:\n  fw: {file: fw.o, globals: {g: [one, {k: two}]}}\n";
	char text[sizeof(source)];
	const struct value *v;
	struct fragment *f;
	NEW_ARENA(a);

	(void)state;
	memcpy(text, source, sizeof(text));
	f = parse(a, text);
	memset(text, '#', sizeof(text));
	assert_true(f->valid);
	assert_string_equal(f->objects[0].name, "fw");
	assert_string_equal(f->objects[0].path, "fw.o");
	v = f->objects[0].globals[0].value;
	assert_string_equal(v->items[0].text, "one");
	assert_string_equal(value_get(&v->items[1], "k")->text, "two");
	assert_null(value_get(&v->items[1], "j"));
	assert_null(value_get(&v->items[0], "k"));
}

static void expect_origin(const struct origin *o, unsigned int line, unsigned int column)
{
	assert_string_equal(o->file, "t.yaml");
	assert_int_equal(o->line, line);
	assert_int_equal(o->column, column);
}

static void declarations_know_their_place(void **state)
{
	NEW_ARENA(a);
	const struct desired *d =
		declare(a, "interfaces:\n"
			   "  i: {select: [{name: eth0}]}\n"
			   "objects:\n"
			   "  fw:\n"
			   "    description: \"äöü\"\n"
			   "    file: a.o\n"
			   "    when: {host: a}\n"
			   "    globals: {x-ä: 1, g: 2}\n"
			   "    maps: {m: {use: b/m}}\n"
			   "    programs: {f: {attach: [{xdp: {interface: eth0}}]}}\n"
			   "shares:\n"
			   "  s: {maps: [fw/n], targets: [{bpffs: {}}]}\n");
	const struct object_decl *o = &d->objects[0];

	(void)state;
	expect_origin(&d->sets[0].origin, 2, 3);
	expect_origin(&o->origin, 4, 3);
	expect_origin(&o->path_origin, 6, 11);
	expect_origin(&o->when.origin, 7, 11);
	expect_origin(&o->globals[0].origin, 8, 23); /* columns are characters, not bytes */
	expect_origin(&o->globals[0].value->origin, 8, 26);
	expect_origin(&o->maps[0].origin, 9, 12);
	expect_origin(&o->maps[0].use_origin, 9, 21);
	expect_origin(&o->programs[0].origin, 10, 16);
	expect_origin(&o->programs[0].attach[0].origin, 10, 29);
	expect_origin(&d->shares[0].origin, 12, 3);
	expect_origin(&d->shares[0].maps[0].origin, 12, 14);
	expect_origin(&d->shares[0].targets[0].origin, 12, 31);
}

static void sets_inherit_the_settings(void **state)
{
	static const char text[] = "interfaces:\n  a: {select: [{name: x}], xdp: {mode: native}}\n"
				   "  b: {select: [{name: y}]}\n";
	const struct settings defaults = {
		.xdp = { .mode = XDP_MODE_GENERIC,
			 .on_foreign = ON_FOREIGN_REPLACE,
			 .exclusive = true },
	};
	const struct interface_set *sets;
	NEW_ARENA(a);

	(void)state;
	sets = config_parse(a, "t.yaml", text, strlen(text), &defaults)->sets;
	assert_true(sets[0].has_xdp);
	assert_int_equal(sets[0].xdp.mode, XDP_MODE_NATIVE);
	assert_int_equal(sets[0].xdp.on_foreign, ON_FOREIGN_REPLACE);
	assert_true(sets[0].xdp.exclusive);
	assert_false(sets[1].has_xdp);
	assert_int_equal(sets[1].xdp.mode, XDP_MODE_GENERIC);
	assert_true(sets[1].optional);
}

static void settings_without_a_file_are_the_defaults(void **state)
{
	struct settings s;
	struct diags d;
	NEW_ARENA(a);

	(void)state;
	diags_init(&d, a);
	assert_true(config_parse_settings(a, "bpfshared.yaml", NULL, 0, &s, &d));
	assert_int_equal(s.settle_ms, 50);
	assert_int_equal(s.resync_s, 60);
	assert_string_equal(s.control_group, "bpfshare");
	/* An error that was there before is not held against it. */
	diag_add(&d, DIAG_ERROR, &(struct origin){ 0 }, NULL, "x");
	assert_true(config_parse_settings(a, "bpfshared.yaml", "{}", 2, &s, &d));
	assert_false(config_parse_settings(a, "bpfshared.yaml", "a: b", 4, &s, &d));
}

/* ---- how a fault is shown ---- */

static void expect_format(const char *text, struct origin at, const char *hint, const char *message,
			  const char *want)
{
	struct diags d;
	NEW_ARENA(a);

	diags_init(&d, a);
	diags_add_text(&d, "f", text, strlen(text));
	diag_add(&d, DIAG_ERROR, &at, hint, "%s", message);
	assert_string_equal(format(a, &d), want);
}

static void faults_are_shown_with_their_line(void **state)
{
	(void)state;
	expect_format("a\nb: c\n", (struct origin){ "f", 2, 4 }, NULL, "m",
		      "f:2:4: error: m\n    b: c\n       ^\n");
	expect_format("a\nb: c", (struct origin){ "f", 2, 1 }, "do x", "m",
		      "f:2:1: error: m; do x\n    b: c\n    ^\n");
	/* The file as a whole, no file at all, and a file that is not at hand. */
	expect_format("a\n", (struct origin){ .file = "f" }, NULL, "m", "f: error: m\n");
	expect_format("a\n", (struct origin){ 0 }, NULL, "m", "error: m\n");
	expect_format("a\n", (struct origin){ "g", 1, 1 }, NULL, "m", "g:1:1: error: m\n");
	/* Beyond the end of the line and of the text. */
	expect_format("ab\n", (struct origin){ "f", 1, 9 }, NULL, "m",
		      "f:1:9: error: m\n    ab\n      ^\n");
	expect_format("ab\n", (struct origin){ "f", 3, 1 }, NULL, "m", "f:3:1: error: m\n");
	expect_format("", (struct origin){ "f", 1, 1 }, NULL, "m", "f:1:1: error: m\n");
	/* All ends of line that YAML has; the byte order mark is no column. */
	expect_format("a\rb\r\nc", (struct origin){ "f", 2, 1 }, NULL, "m",
		      "f:2:1: error: m\n    b\n    ^\n");
	expect_format("a\rb\r\nc", (struct origin){ "f", 3, 1 }, NULL, "m",
		      "f:3:1: error: m\n    c\n    ^\n");
	expect_format("\xef\xbb\xbf"
		      "a: b",
		      (struct origin){ "f", 1, 4 }, NULL, "m",
		      "f:1:4: error: m\n    a: b\n       ^\n");
}

static void faults_are_shown_safely(void **state)
{
	(void)state;
	expect_format("\ta\tb\n", (struct origin){ "f", 1, 4 }, NULL, "m",
		      "f:1:4: error: m\n     a b\n       ^\n");
	expect_format("a\x1b[31m\x80\xe2\x80\xae\xc2\x9b"
		      "b: x\n",
		      (struct origin){ "f", 1, 12 }, NULL, "a\nb\x1b",
		      "f:1:12: error: a?b?\n    a?[31m???b: x\n               ^\n");
	/* Columns are characters. */
	expect_format("äöü: x\n", (struct origin){ "f", 1, 6 }, NULL, "m",
		      "f:1:6: error: m\n    äöü: x\n         ^\n");
}

static void long_lines_are_cut_around_the_column(void **state)
{
	cleanup(freep) char *line = repeat("", "0123456789", 30, "\n");
	NEW_ARENA(a);
	struct diags d;
	const struct diag *diag;

	(void)state;
	diags_init(&d, a);
	diags_add_text(&d, "f", line, strlen(line));
	for (unsigned int column = 1; column <= 300; column++) {
		d.list.n = 0;
		diag_add(&d, DIAG_ERROR, &(struct origin){ "f", 1, column }, NULL, "m");
		diag = &d.list.v[0];
		assert_in_range(strlen(diag->line), 50, 106);
		/* The caret is below the digit of its column. */
		assert_int_equal(diag->line[diag->caret], '0' + (column - 1) % 10);
		assert_int_equal(str_starts(diag->line, "..."), column > 51);
		assert_int_equal(str_ends(diag->line, "..."), column <= 250);
	}
}

static void faults_are_sorted_by_place(void **state)
{
	struct diags d;
	NEW_ARENA(a);

	(void)state;
	diags_init(&d, a);
	diag_add(&d, DIAG_ERROR, &(struct origin){ "b", 1, 1 }, NULL, "5");
	diag_add(&d, DIAG_WARNING, &(struct origin){ "a", 2, 1 }, NULL, "4");
	diag_add(&d, DIAG_NOTE, &(struct origin){ "a", 1, 2 }, NULL, "2");
	diag_add(&d, DIAG_NOTE, &(struct origin){ "a", 1, 2 }, NULL, "3");
	diag_add(&d, DIAG_ERROR, &(struct origin){ "a", 1, 1 }, NULL, "1");
	assert_string_equal(format(a, &d), "a:1:1: error: 1\na:1:2: note: 2\na:1:2: note: 3\n"
					   "a:2:1: warning: 4\nb:1:1: error: 5\n");
	assert_int_equal(d.errors, 2);
	diag_add(NULL, DIAG_ERROR, &(struct origin){ 0 }, NULL, "nobody listens");
}

static void quotations_are_short_and_safe(void **state)
{
	cleanup(freep) char *sixty = repeat("", "ä", 60, "");
	cleanup(freep) char *more = repeat("", "ä", 61, "");
	NEW_ARENA(a);

	(void)state;
	assert_string_equal(diag_quote(a, "a\nb"), "'a?b'");
	assert_string_equal(diag_quote(a, ""), "''");
	assert_string_equal(diag_quote(a, sixty), arena_printf(a, "'%s'", sixty));
	assert_string_equal(diag_quote(a, more), arena_printf(a, "'%s...'", sixty));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(file_size_is_bounded),
		cmocka_unit_test(depth_is_bounded),
		cmocka_unit_test(nodes_are_bounded),
		cmocka_unit_test(keys_are_bounded),
		cmocka_unit_test(paths_are_bounded),
		cmocka_unit_test(diagnostics_are_bounded),
		cmocka_unit_test(bombs_are_harmless),
		cmocka_unit_test(text_needs_no_end),
		cmocka_unit_test(every_damage_is_survived),
		cmocka_unit_test(declarations_outlive_the_text),
		cmocka_unit_test(declarations_know_their_place),
		cmocka_unit_test(sets_inherit_the_settings),
		cmocka_unit_test(settings_without_a_file_are_the_defaults),
		cmocka_unit_test(faults_are_shown_with_their_line),
		cmocka_unit_test(faults_are_shown_safely),
		cmocka_unit_test(long_lines_are_cut_around_the_column),
		cmocka_unit_test(faults_are_sorted_by_place),
		cmocka_unit_test(quotations_are_short_and_safe),
	};

	return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
