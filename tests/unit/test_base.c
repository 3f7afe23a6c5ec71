/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "base/alloc.h"
#include "base/arena.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/ids.h"
#include "base/log.h"
#include "base/macros.h"
#include "base/num.h"
#include "base/str.h"

/* True if fn ends its process by abort(). */
static bool aborts(void (*fn)(void))
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		struct rlimit no_core = { 0 };

		(void)setrlimit(RLIMIT_CORE, &no_core);
		(void)signal(SIGABRT, SIG_DFL);
		fn();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

/* macros.h */

static void take_leaves_nothing_behind(void **state)
{
	char *p = xstrdup("x"), *q;
	int fd = 5;

	(void)state;
	q = take_ptr(p);
	assert_null(p);
	assert_string_equal(q, "x");
	free(q);
	assert_int_equal(take_fd(fd), 5);
	assert_int_equal(fd, -1);
}

static void cleanup_runs_at_end_of_scope(void **state)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	(void)state;
	assert_true(fd >= 0);
	{
		cleanup(closep) int none = -1;
		cleanup(closep) int owned = fd;
		cleanup(freep) char *text = xstrdup("freed here");

		assert_int_equal(none, -1);
		assert_int_equal(owned, fd);
		assert_non_null(text);
	}
	assert_int_equal(fcntl(fd, F_GETFD), -1);
	assert_int_equal(errno, EBADF);
}

/* alloc.h */

static void allocations_are_usable(void **state)
{
	unsigned char *zeroed = xcalloc(100, 3);
	char *text = xasprintf("%s/%d", "eth0", 7);
	char *copy = xstrdup(text);
	void *empty = xcalloc(0, 8);

	(void)state;
	for (size_t i = 0; i < 300; i++)
		assert_int_equal(zeroed[i], 0);
	zeroed[0] = 9;
	zeroed = xrealloc(zeroed, 100000);
	assert_int_equal(zeroed[0], 9);
	zeroed = xrealloc(zeroed, 0);
	assert_non_null(zeroed);
	assert_non_null(empty);
	assert_string_equal(copy, "eth0/7");
	assert_ptr_not_equal(copy, text);
	free(zeroed);
	free(text);
	free(copy);
	free(empty);
}

/* The sanitizer's own allocator ends the process before ours can; that is as good. */
#if defined(__SANITIZE_ADDRESS__)
#define ALLOCATOR_ABORTS 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ALLOCATOR_ABORTS 0
#endif
#endif
#ifndef ALLOCATOR_ABORTS
#define ALLOCATOR_ABORTS 1
#endif

static void overflow_calloc(void)
{
	free(xcalloc(SIZE_MAX / 2, 4));
}

static void overflow_realloc(void)
{
	free(xrealloc(NULL, SIZE_MAX - 4096));
}

static void overflow_arena(void)
{
	arena_calloc(arena_new(), SIZE_MAX / 2, 4);
}

static void overflow_arena_block(void)
{
	arena_alloc(arena_new(), SIZE_MAX - 2);
}

static void overflow_strbuf(void)
{
	struct strbuf b = { 0 };

	strbuf_addn(&b, "x", SIZE_MAX - 1);
}

static void impossible_sizes_abort(void **state)
{
	(void)state;
	assert_true(aborts(overflow_arena));
	assert_true(aborts(overflow_arena_block));
	assert_true(aborts(overflow_strbuf));
	if (ALLOCATOR_ABORTS) {
		assert_true(aborts(overflow_calloc));
		assert_true(aborts(overflow_realloc));
	}
}

/* arena.h */

static void arena_objects_are_zeroed_aligned_and_apart(void **state)
{
	static const size_t sizes[] = { 0, 1, 7, 8, 63, 4096, 4097, 16384, 16385, 1000000, 3 };
	cleanup(arena_freep) struct arena *a = arena_new();
	unsigned char *objects[40][ARRAY_SIZE(sizes)];

	(void)state;
	for (size_t round = 0; round < ARRAY_SIZE(objects); round++)
		for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
			unsigned char *p = arena_alloc(a, sizes[i]);

			assert_int_equal((uintptr_t)p % _Alignof(max_align_t), 0);
			for (size_t k = 0; k < sizes[i]; k++)
				if (p[k])
					fail_msg("byte %zu of %zu not zeroed", k, sizes[i]);
			memset(p, (int)(round + i + 1), sizes[i]);
			objects[round][i] = p;
		}
	/* Nothing written later has touched what was written earlier. */
	for (size_t round = 0; round < ARRAY_SIZE(objects); round++)
		for (size_t i = 0; i < ARRAY_SIZE(sizes); i++)
			for (size_t k = 0; k < sizes[i]; k++)
				if (objects[round][i][k] != (unsigned char)(round + i + 1))
					fail_msg("object %zu/%zu overwritten", round, i);
}

static void arena_copies_text(void **state)
{
	cleanup(arena_freep) struct arena *a = arena_new();
	static const char raw[4] = { 'a', '\0', 'b', 'c' };
	const char *copy;

	(void)state;
	assert_null(arena_strdup(a, NULL));
	assert_string_equal(arena_strdup(a, ""), "");
	assert_string_equal(arena_strdup(a, "eth0"), "eth0");
	assert_string_equal(arena_strndup(a, "eth0", 3), "eth");
	assert_string_equal(arena_strndup(a, "eth0", 99), "eth0");
	assert_string_equal(arena_strndup(a, "eth0", 0), "");
	assert_string_equal(arena_printf(a, "%s@%d", "fwd", 12), "fwd@12");
	assert_string_equal(arena_printf(a, "%s", ""), "");
	copy = arena_printf(a, "%50000d", 1);
	assert_int_equal(strlen(copy), 50000);
	assert_memory_equal(arena_dup(a, raw, sizeof(raw)), raw, sizeof(raw));
	assert_non_null(arena_dup(a, NULL, 0));
}

struct point {
	int x;
	char text[40];
};

static void list_grows_and_keeps_order(void **state)
{
	cleanup(arena_freep) struct arena *a = arena_new();
	LIST(struct point) points = { 0 };
	struct point *first = NULL;

	(void)state;
	for (int i = 0; i < 5000; i++) {
		struct point *p = LIST_ADD(a, &points);

		assert_int_equal(p->x, 0);
		assert_int_equal(p->text[0], 0);
		p->x = i;
		(void)snprintf(p->text, sizeof(p->text), "point %d", i);
		if (i == 0)
			first = p;
	}
	assert_int_equal(points.n, 5000);
	assert_true(points.cap >= points.n);
	for (int i = 0; i < 5000; i++) {
		char text[40];

		(void)snprintf(text, sizeof(text), "point %d", i);
		assert_int_equal(points.v[i].x, i);
		assert_string_equal(points.v[i].text, text);
	}
	/* The array that was left behind stays readable until the arena goes. */
	assert_string_equal(first->text, "point 0");
}

static void list_element_is_zeroed_again_after_shortening(void **state)
{
	cleanup(arena_freep) struct arena *a = arena_new();
	LIST(struct point) points = { 0 };

	(void)state;
	LIST_ADD(a, &points)->x = 1;
	LIST_ADD(a, &points)->x = 2;
	points.n = 1;
	assert_int_equal(LIST_ADD(a, &points)->x, 0);
	assert_int_equal(points.v[0].x, 1);
	assert_int_equal(points.n, 2);
}

static void arena_free_accepts_null(void **state)
{
	(void)state;
	arena_free(NULL);
}

/* error.h */

static void error_set_formats_and_returns_code(void **state)
{
	struct error e = { 0 };

	(void)state;
	assert_int_equal(error_set(&e, -ENOENT, "open %s: %s", "/x", error_string(-ENOENT)),
			 -ENOENT);
	assert_int_equal(e.code, -ENOENT);
	assert_string_equal(e.text, "open /x: No such file or directory");
	assert_int_equal(error_set(NULL, -EPERM, "nobody reads this"), -EPERM);
	assert_int_equal(error_prefix(NULL, -EPERM, "nor this"), -EPERM);
	/* An errno of 0 must not turn a failure into a success. */
	assert_int_equal(error_set(&e, 0, "lost"), -EIO);
	assert_int_equal(error_prefix(&e, 0, "lost"), -EIO);
}

static void error_text_is_one_line(void **state)
{
	struct error e = { 0 };

	(void)state;
	error_set(&e, -EINVAL, "bad\tname \033[31m\nsecond\n\n");
	assert_string_equal(e.text, "bad name  [31m second");
	error_set(&e, -EINVAL, "\n");
	assert_string_equal(e.text, "");
}

static void error_prefix_adds_context_once_per_call(void **state)
{
	struct error e = { 0 };

	(void)state;
	error_set(&e, -EBUSY, "busy");
	assert_int_equal(error_prefix(&e, -EBUSY, "chain %s", "eth0"), -EBUSY);
	assert_int_equal(error_prefix(&e, -EAGAIN, "apply"), -EAGAIN);
	assert_string_equal(e.text, "apply: chain eth0: busy");
	assert_int_equal(e.code, -EAGAIN);
	/* The text may be its own argument. */
	error_set(&e, -EIO, "again: %s", e.text);
	assert_string_equal(e.text, "again: apply: chain eth0: busy");
	error_prefix(&e, -EIO, "<%s>", e.text);
	assert_string_equal(e.text,
			    "<again: apply: chain eth0: busy>: again: apply: chain eth0: busy");
}

static void error_text_is_cut_with_dots(void **state)
{
	char text[3 * ERROR_TEXT_MAX];
	struct error e = { 0 };

	(void)state;
	memset(text, 'x', sizeof(text));
	text[ERROR_TEXT_MAX - 1] = '\0';
	error_set(&e, -EIO, "%s", text);
	assert_string_equal(e.text, text); /* fits exactly */

	error_prefix(&e, -EIO, "p");
	assert_int_equal(strlen(e.text), ERROR_TEXT_MAX - 1);
	assert_true(str_starts(e.text, "p: xxx"));
	assert_true(str_ends(e.text, "x..."));

	text[ERROR_TEXT_MAX - 1] = 'x';
	text[sizeof(text) - 1] = '\0';
	error_set(&e, -EIO, "short");
	error_prefix(&e, -EIO, "%s", text);
	assert_int_equal(strlen(e.text), ERROR_TEXT_MAX - 1);
	assert_true(str_ends(e.text, "x..."));
	assert_null(strstr(e.text, "short"));
}

static void error_text_is_cut_between_characters(void **state)
{
	(void)state;
	/* Every alignment of a three-byte character against the end of the buffer. */
	for (int shift = 0; shift < 3; shift++) {
		struct strbuf b = { 0 };
		struct error e = { 0 };
		size_t n;

		strbuf_pad(&b, (size_t)shift + 1);
		while (b.len < ERROR_TEXT_MAX + 10)
			strbuf_add(&b, "\xe2\x82\xac");
		error_set(&e, -EIO, "%s", strbuf_get(&b));
		n = strlen(e.text);
		assert_true(n >= ERROR_TEXT_MAX - 3 && n <= ERROR_TEXT_MAX - 1);
		assert_true(str_ends(e.text, "\xe2\x82\xac..."));
		strbuf_done(&b);
	}
}

static void error_string_knows_both_signs(void **state)
{
	(void)state;
	assert_string_equal(error_string(-EACCES), "Permission denied");
	assert_string_equal(error_string(EACCES), "Permission denied");
	assert_string_equal(error_string(-99999), "Unknown error");
	assert_string_equal(error_string(INT32_MIN), "Unknown error");
}

/* str.h */

static void comparisons_accept_null(void **state)
{
	(void)state;
	assert_true(str_eq(NULL, NULL));
	assert_false(str_eq(NULL, ""));
	assert_false(str_eq("", NULL));
	assert_true(str_eq("a", "a"));
	assert_false(str_eq("a", "A"));
	assert_true(str_cmp(NULL, "") < 0);
	assert_true(str_cmp("", NULL) > 0);
	assert_int_equal(str_cmp(NULL, NULL), 0);
	assert_true(str_cmp("a", "b") < 0);
	assert_true(str_starts("eth0", "eth"));
	assert_true(str_starts("eth0", ""));
	assert_false(str_starts("et", "eth"));
	assert_true(str_ends("a.yaml", ".yaml"));
	assert_true(str_ends("a", ""));
	assert_false(str_ends("yaml", ".yaml"));
}

static void globs_match_whole_names(void **state)
{
	static const struct {
		const char *pattern, *s;
		bool match;
	} cases[] = {
		{ "", "", true },
		{ "", "a", false },
		{ "*", "", true },
		{ "*", "anything/.at all", true },
		{ "**", "x", true },
		{ "?", "", false },
		{ "?", "x", true },
		{ "?*", "", false },
		{ "eth0", "eth0", true },
		{ "eth0", "eth01", false },
		{ "eth01", "eth0", false },
		{ "eth*", "eth", true },
		{ "eth?", "eth", false },
		{ "*0", "eth0", true },
		{ "*0", "eth01", false },
		{ "e*t*0", "ethernet10", true },
		{ "*aab", "aaaaab", true },
		{ "*.conf", ".conf", true },
		{ "[01]", "1", true },
		{ "eth[01]", "eth2", false },
		{ "eth[0-9]", "eth7", true },
		{ "eth[!0-9]", "eth7", false },
		{ "eth[^0-9]", "ethx", true },
		{ "[]]", "]", true },
		{ "[!]]", "x", true },
		{ "[!]]", "]", false },
		{ "[a-]", "-", true },
		{ "[-a]", "-", true },
		{ "[z-a]", "m", false },
		{ "[x-z0-3]q", "2q", true },
		{ "eth[0", "eth[0", true },
		{ "eth[0", "eth0", false },
		{ "[", "[", true },
		{ "*[0-9]*x", "ab7cx", true },
		{ "[\xc3-\xc4]", "\xc3", true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		if (str_glob(cases[i].pattern, cases[i].s) != cases[i].match)
			fail_msg("'%s' against '%s' is not %d", cases[i].pattern, cases[i].s,
				 cases[i].match);
}

/* A matcher that retried every star would be at this until the end of days. */
static void glob_of_many_stars_is_cheap(void **state)
{
	char s[4096], pattern[2048];

	(void)state;
	memset(s, 'a', sizeof(s));
	s[sizeof(s) - 1] = '\0';
	for (size_t i = 0; i + 2 < sizeof(pattern); i += 2)
		memcpy(pattern + i, "*a", 2);
	pattern[sizeof(pattern) - 2] = 'b';
	pattern[sizeof(pattern) - 1] = '\0';
	assert_false(str_glob(pattern, s));
}

static void globs_are_told_from_names(void **state)
{
	(void)state;
	assert_true(str_is_glob("eth*"));
	assert_true(str_is_glob("eth?"));
	assert_true(str_is_glob("eth[01]"));
	assert_false(str_is_glob("eth0]"));
	assert_false(str_is_glob(""));
}

static void suggestions_are_near_or_absent(void **state)
{
	static const char *const keys[] = { "priority", "proceed_on", "on_missing", "before",
					    "after",    "xdp",        "tc",         "" };
	static const struct {
		const char *word, *guess;
	} cases[] = {
		{ "priorty", "priority" },
		{ "pirority", "priority" }, /* one transposition */
		{ "PRIORITY", "priority" },
		{ "onmissing", "on_missing" },
		{ "on-missing", "on_missing" },
		{ "befor", "before" },
		{ "befroe", "before" },
		{ "afetr", "after" },
		{ "xpd", "xdp" },
		{ "tx", "tc" },
		{ "frequency", NULL },
		{ "zzz", NULL },
		{ "x", NULL },
		{ "", NULL },
	};
	char long_word[500];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *guess = str_suggest(cases[i].word, keys, ARRAY_SIZE(keys));

		if (!str_eq(guess, cases[i].guess))
			fail_msg("'%s' suggests '%s'", cases[i].word, guess ? guess : "nothing");
	}
	assert_null(str_suggest("xdp", keys, 0));
	memset(long_word, 'p', sizeof(long_word));
	long_word[sizeof(long_word) - 1] = '\0';
	assert_null(str_suggest(long_word, keys, ARRAY_SIZE(keys)));
	/* The longest words that are compared at all. */
	long_word[64] = '\0';
	assert_ptr_equal(str_suggest(long_word, (const char *const[]){ long_word }, 1), long_word);
}

static void nearest_suggestion_wins_then_first(void **state)
{
	static const char *const words[] = { "maps", "map", "mab" };

	(void)state;
	assert_string_equal(str_suggest("map", words, 3), "map");
	assert_string_equal(str_suggest("mapp", words, 3), "maps");
	assert_string_equal(str_suggest("mac", words + 1, 2), "map");
}

static void strbuf_grows_and_terminates(void **state)
{
	struct strbuf b = { 0 };
	char *text;

	(void)state;
	assert_string_equal(strbuf_get(&b), "");
	strbuf_add(&b, "");
	assert_string_equal(strbuf_get(&b), "");
	strbuf_add(&b, "abc");
	strbuf_addc(&b, '-');
	strbuf_addn(&b, "defgh", 2);
	strbuf_addf(&b, "%03d%s", 7, "");
	assert_string_equal(strbuf_get(&b), "abc-de007");
	assert_int_equal(b.len, 9);
	for (int i = 0; i < 10000; i++)
		strbuf_addf(&b, "%d,", i);
	assert_int_equal(strlen(b.s), b.len);
	assert_true(str_ends(b.s, ",9998,9999,"));
	text = strbuf_take(&b);
	assert_true(str_starts(text, "abc-de0070,1,"));
	assert_null(b.s);
	assert_int_equal(b.len, 0);
	free(text);
	text = strbuf_take(&b);
	assert_string_equal(text, "");
	free(text);
	strbuf_addn(&b, NULL, 0);
	strbuf_addn(&b, "a\0b", 3);
	assert_int_equal(b.len, 3);
	assert_memory_equal(b.s, "a\0b", 4);
	strbuf_done(&b);
	assert_null(b.s);
}

static void strbuf_pads_last_line_to_column(void **state)
{
	struct strbuf b = { 0 };

	(void)state;
	strbuf_pad(&b, 2);
	strbuf_add(&b, "a");
	strbuf_pad(&b, 6);
	strbuf_add(&b, "b\nlong line");
	strbuf_pad(&b, 4); /* already beyond */
	strbuf_add(&b, "\n\xc3\xbc");
	strbuf_pad(&b, 3); /* one character, two bytes */
	strbuf_add(&b, "|");
	assert_string_equal(strbuf_get(&b), "  a   b\nlong line\n\xc3\xbc  |");
	strbuf_done(&b);
}

/* num.h */

static void unsigned_numbers(void **state)
{
	static const struct {
		const char *s;
		int r;
		uint64_t value;
	} cases[] = {
		{ "0", 0, 0 },
		{ "7", 0, 7 },
		{ "+7", 0, 7 },
		{ "-0", 0, 0 },
		{ "0755", 0, 755 },
		{ "0x1F", 0, 31 },
		{ "0xffffffffffffffff", 0, UINT64_MAX },
		{ "0x10000000000000000", -ERANGE, 0 },
		{ "0o17", 0, 15 },
		{ "0o1777777777777777777777", 0, UINT64_MAX },
		{ "0o2000000000000000000000", -ERANGE, 0 },
		{ "18446744073709551615", 0, UINT64_MAX },
		{ "18446744073709551616", -ERANGE, 0 },
		{ "99999999999999999999999999", -ERANGE, 0 },
		{ "99999999999999999999999999x", -EINVAL, 0 },
		{ "-1", -ERANGE, 0 },
		{ "", -EINVAL, 0 },
		{ "+", -EINVAL, 0 },
		{ "-", -EINVAL, 0 },
		{ "+-1", -EINVAL, 0 },
		{ " 1", -EINVAL, 0 },
		{ "1 ", -EINVAL, 0 },
		{ "1_000", -EINVAL, 0 },
		{ "1.0", -EINVAL, 0 },
		{ "12a", -EINVAL, 0 },
		{ "0x", -EINVAL, 0 },
		{ "0o", -EINVAL, 0 },
		{ "0o8", -EINVAL, 0 },
		{ "0xg", -EINVAL, 0 },
		{ "0X1F", -EINVAL, 0 },
		{ "-0x1", -EINVAL, 0 },
		{ NULL, -EINVAL, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint64_t value = 12345;
		int r = num_parse_u64(cases[i].s, &value);

		/* The output is written only on success. */
		if (r != cases[i].r || value != (r < 0 ? 12345 : cases[i].value))
			fail_msg("'%s' gives %d and %ju", cases[i].s ? cases[i].s : "NULL", r,
				 (uintmax_t)value);
	}
}

static void signed_numbers(void **state)
{
	static const struct {
		const char *s;
		int r;
		int64_t value;
	} cases[] = {
		{ "0", 0, 0 },
		{ "-0", 0, 0 },
		{ "-1", 0, -1 },
		{ "+1", 0, 1 },
		{ "0x7fffffffffffffff", 0, INT64_MAX },
		{ "0x8000000000000000", -ERANGE, 0 },
		{ "9223372036854775807", 0, INT64_MAX },
		{ "9223372036854775808", -ERANGE, 0 },
		{ "-9223372036854775808", 0, INT64_MIN },
		{ "-9223372036854775809", -ERANGE, 0 },
		{ "-0o7", -EINVAL, 0 },
		{ "", -EINVAL, 0 },
		{ "--1", -EINVAL, 0 },
		{ NULL, -EINVAL, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int64_t value = 12345;
		int r = num_parse_i64(cases[i].s, &value);

		if (r != cases[i].r || value != (r < 0 ? 12345 : cases[i].value))
			fail_msg("'%s' gives %d and %jd", cases[i].s ? cases[i].s : "NULL", r,
				 (intmax_t)value);
	}
}

static void bounded_numbers(void **state)
{
	static const struct {
		const char *s;
		uint32_t max;
		int r;
		uint32_t value;
	} cases[] = {
		{ "65535", 65535, 0, 65535 },
		{ "65536", 65535, -ERANGE, 0 },
		{ "0", 0, 0, 0 },
		{ "1", 0, -ERANGE, 0 },
		{ "4294967295", UINT32_MAX, 0, UINT32_MAX },
		{ "4294967296", UINT32_MAX, -ERANGE, 0 },
		{ "18446744073709551616", UINT32_MAX, -ERANGE, 0 },
		{ "-1", UINT32_MAX, -ERANGE, 0 },
		{ "many", UINT32_MAX, -EINVAL, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint32_t value = 12345;
		int r = num_parse_u32(cases[i].s, cases[i].max, &value);

		if (r != cases[i].r || value != (r < 0 ? 12345 : cases[i].value))
			fail_msg("'%s' up to %u gives %d and %u", cases[i].s, cases[i].max, r,
				 value);
	}
}

/* hash.h */

static void hash_agrees_with_the_standard(void **state)
{
	/* The example of FIPS 180-4 for "abc", and the hash of nothing. */
	static const char *const abc =
		"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
	static const char *const empty =
		"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
	char hex[SHA256_HEX];
	struct hasher *h;

	(void)state;
	hash_bytes("abc", 3, hex);
	assert_string_equal(hex, abc);
	hash_bytes(NULL, 0, hex);
	assert_string_equal(hex, empty);
	h = hasher_new();
	hasher_add(h, "a", 1);
	hasher_add(h, NULL, 0);
	hasher_add(h, "bc", 2);
	hasher_finish(h, hex);
	assert_string_equal(hex, abc);
}

static void hash_of_fields(const char *a, const char *b, char ret_hex[SHA256_HEX])
{
	struct hasher *h = hasher_new();

	hasher_add_field(h, a);
	hasher_add_field(h, b);
	hasher_finish(h, ret_hex);
}

static void hash_fields_keep_their_borders(void **state)
{
	static const char *const pairs[][2] = {
		{ "ab", "c" },   { "a", "bc" },   { "abc", "" },
		{ "abc", NULL }, { NULL, "abc" }, { "", "abc" },
	};
	char hex[ARRAY_SIZE(pairs)][SHA256_HEX], again[SHA256_HEX];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
		hash_of_fields(pairs[i][0], pairs[i][1], hex[i]);
		hash_of_fields(pairs[i][0], pairs[i][1], again);
		assert_string_equal(hex[i], again);
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(hex[i], hex[k]);
	}
}

static void hash_of_a_field_is_its_length_and_text(void **state)
{
	static const unsigned char bytes[] = { 3, 0, 0, 0, 0, 0, 0, 0, 'a', 'b', 'c' };
	char hex[SHA256_HEX], expected[SHA256_HEX];
	struct hasher *h = hasher_new();

	(void)state;
	hasher_add_field(h, "abc");
	hasher_finish(h, hex);
	hash_bytes(bytes, sizeof(bytes), expected);
	assert_string_equal(hex, expected);
}

/* log.h */

static struct {
	unsigned int calls;
	enum log_level level;
	const char *const *fields;
	char text[200];
} seen;

static void remember(enum log_level level, const char *const *fields, const char *text)
{
	seen.calls++;
	seen.level = level;
	seen.fields = fields;
	(void)snprintf(seen.text, sizeof(seen.text), "%s", text);
	errno = EBADF;
}

static int reset_log(void **state)
{
	(void)state;
	log_set_level(LOG_LEVEL_INFO);
	log_set_sink(NULL);
	memset(&seen, 0, sizeof(seen));
	return 0;
}

static void log_levels_have_names(void **state)
{
	static const struct {
		const char *name;
		enum log_level level;
	} cases[] = {
		{ "error", LOG_LEVEL_ERROR },   { "warning", LOG_LEVEL_WARNING },
		{ "notice", LOG_LEVEL_NOTICE }, { "info", LOG_LEVEL_INFO },
		{ "debug", LOG_LEVEL_DEBUG },
	};
	static const char *const wrong[] = { "", "Error", "err", "7", "debugging", NULL };
	enum log_level level;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		level = (enum log_level)0;
		assert_int_equal(log_level_parse(cases[i].name, &level), 0);
		assert_int_equal(level, cases[i].level);
	}
	level = LOG_LEVEL_NOTICE;
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		assert_int_equal(log_level_parse(wrong[i], &level), -EINVAL);
	assert_int_equal(level, LOG_LEVEL_NOTICE);
}

static void log_passes_level_and_fields_to_sink(void **state)
{
	static const char *const fields[] = { "BPFSHARE_OBJECT", "firewall", NULL };

	(void)state;
	log_set_sink(remember);
	errno = ENOENT;
	log_write(LOG_LEVEL_NOTICE, fields, "chain %s", "eth0");
	assert_int_equal(errno, ENOENT);
	assert_int_equal(seen.calls, 1);
	assert_int_equal(seen.level, LOG_LEVEL_NOTICE);
	assert_ptr_equal(seen.fields, fields);
	assert_string_equal(seen.text, "chain eth0");
	log_warning("forged\n<3>line\033[0m");
	assert_int_equal(seen.level, LOG_LEVEL_WARNING);
	assert_null(seen.fields);
	assert_string_equal(seen.text, "forged <3>line [0m");
}

static void log_drops_what_is_above_the_level(void **state)
{
	(void)state;
	log_set_sink(remember);
	log_debug("no");
	assert_int_equal(seen.calls, 0);
	log_set_level(LOG_LEVEL_DEBUG);
	assert_int_equal(log_get_level(), LOG_LEVEL_DEBUG);
	log_debug("yes");
	assert_int_equal(seen.calls, 1);
	log_set_level(LOG_LEVEL_ERROR);
	log_warning("no");
	log_notice("no");
	log_info("no");
	assert_int_equal(seen.calls, 1);
	log_error("yes");
	assert_int_equal(seen.calls, 2);
	assert_int_equal(seen.level, LOG_LEVEL_ERROR);
}

static void log_writes_lines_to_stderr(void **state)
{
	char text[500] = "", expected[500];
	int saved = dup(STDERR_FILENO), pipe_fd[2];
	ssize_t n;

	(void)state;
	assert_true(saved >= 0);
	assert_int_equal(pipe(pipe_fd), 0);
	assert_int_equal(dup2(pipe_fd[1], STDERR_FILENO), STDERR_FILENO);
	(void)close(pipe_fd[1]);
	log_error("first %d", 1);
	log_info("second");
	log_debug("not at this level");
	assert_int_equal(dup2(saved, STDERR_FILENO), STDERR_FILENO);
	(void)close(saved);
	n = read(pipe_fd[0], text, sizeof(text) - 1);
	(void)close(pipe_fd[0]);
	assert_true(n > 0);
	(void)snprintf(expected, sizeof(expected), "%s: error: first 1\n%s: second\n",
		       program_invocation_short_name, program_invocation_short_name);
	assert_string_equal(text, expected);
}

/* Adds its letter when its arena ends. */
struct ending_note {
	char *text;
	char letter;
};

static void note_ending(void *arg)
{
	const struct ending_note *n = arg;

	n->text[strlen(n->text)] = n->letter;
}

static void what_an_arena_borrows_is_given_back_last_first(void **state)
{
	struct arena *a = arena_new_small();
	char text[8] = "";
	struct ending_note first = { text, 'a' }, second = { text, 'b' };

	(void)state;
	arena_at_end(a, note_ending, &first);
	assert_non_null(arena_alloc(a, 5000)); /* in a block of its own */
	arena_at_end(a, note_ending, &second);
	assert_string_equal(text, "");
	arena_free(a);
	assert_string_equal(text, "ba");
}

static void sets_of_ids_have_each_once(void **state)
{
	static const uint32_t ids[] = { 7, UINT32_MAX, 0, 7, 3, 0, 3, UINT32_MAX - 1 };
	static const uint32_t sorted[] = { 0, 3, 7, UINT32_MAX - 1, UINT32_MAX };
	cleanup(arena_freep) struct arena *a = arena_new();
	struct ids s = { 0 };

	(void)state;
	ids_sort(&s);
	assert_int_equal(s.list.n, 0);
	assert_false(ids_has(&s, 0));
	for (size_t i = 0; i < ARRAY_SIZE(ids); i++)
		ids_add(a, &s, ids[i]);
	ids_sort(&s);
	assert_int_equal(s.list.n, ARRAY_SIZE(sorted));
	assert_memory_equal(s.list.v, sorted, sizeof(sorted));
	for (size_t i = 0; i < ARRAY_SIZE(ids); i++)
		assert_true(ids_has(&s, ids[i]));
	assert_false(ids_has(&s, 1));
	assert_false(ids_has(&s, 8));
	assert_false(ids_has(&s, 0x80000000));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(take_leaves_nothing_behind),
		cmocka_unit_test(cleanup_runs_at_end_of_scope),
		cmocka_unit_test(allocations_are_usable),
		cmocka_unit_test(impossible_sizes_abort),
		cmocka_unit_test(arena_objects_are_zeroed_aligned_and_apart),
		cmocka_unit_test(arena_copies_text),
		cmocka_unit_test(list_grows_and_keeps_order),
		cmocka_unit_test(list_element_is_zeroed_again_after_shortening),
		cmocka_unit_test(arena_free_accepts_null),
		cmocka_unit_test(what_an_arena_borrows_is_given_back_last_first),
		cmocka_unit_test(error_set_formats_and_returns_code),
		cmocka_unit_test(error_text_is_one_line),
		cmocka_unit_test(error_prefix_adds_context_once_per_call),
		cmocka_unit_test(error_text_is_cut_with_dots),
		cmocka_unit_test(error_text_is_cut_between_characters),
		cmocka_unit_test(error_string_knows_both_signs),
		cmocka_unit_test(comparisons_accept_null),
		cmocka_unit_test(globs_match_whole_names),
		cmocka_unit_test(glob_of_many_stars_is_cheap),
		cmocka_unit_test(globs_are_told_from_names),
		cmocka_unit_test(suggestions_are_near_or_absent),
		cmocka_unit_test(nearest_suggestion_wins_then_first),
		cmocka_unit_test(strbuf_grows_and_terminates),
		cmocka_unit_test(strbuf_pads_last_line_to_column),
		cmocka_unit_test(sets_of_ids_have_each_once),
		cmocka_unit_test(unsigned_numbers),
		cmocka_unit_test(signed_numbers),
		cmocka_unit_test(bounded_numbers),
		cmocka_unit_test(hash_agrees_with_the_standard),
		cmocka_unit_test(hash_fields_keep_their_borders),
		cmocka_unit_test(hash_of_a_field_is_its_length_and_text),
		cmocka_unit_test_setup_teardown(log_levels_have_names, reset_log, reset_log),
		cmocka_unit_test_setup_teardown(log_passes_level_and_fields_to_sink, reset_log,
						reset_log),
		cmocka_unit_test_setup_teardown(log_drops_what_is_above_the_level, reset_log,
						reset_log),
		cmocka_unit_test_setup_teardown(log_writes_lines_to_stderr, reset_log, reset_log),
	};

	return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
