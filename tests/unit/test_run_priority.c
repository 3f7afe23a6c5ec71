/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* Numbers by which libxdp's own sort gives the order of ours, by hand and over random chains. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "model/limits.h"
#include "plan/run_priority.h"

#define OURS(name, value)                    \
	{                                    \
		name, value, false, false, 0 \
	}
#define FOREIGN(name, value)                \
	{                                   \
		name, value, true, false, 0 \
	}

static void number(struct run_priority *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		v[i].index = i;
}

/* "10 a, 20 b" in the order that came out; "!": displaced. */
static void expect(struct run_priority *v, size_t n, const char *text)
{
	char out[512] = "";

	number(v, n);
	run_priorities_assign(v, n);
	for (size_t i = 0; i < n; i++)
		(void)snprintf(out + strlen(out), sizeof(out) - strlen(out), "%s%u %s%s",
			       i ? ", " : "", v[i].value, v[i].name, v[i].displaced ? "!" : "");
	assert_string_equal(out, text);
}

#define EXPECT(text, ...)                                   \
	do {                                                \
		struct run_priority _v[] = { __VA_ARGS__ }; \
		expect(_v, sizeof(_v) / sizeof(*_v), text); \
	} while (0)

static void declared_values_are_kept(void **state)
{
	(void)state;
	EXPECT("10 b, 20 a, 20 c", OURS("b", 10), OURS("a", 20), OURS("c", 20));
	EXPECT("10 a, 50 f, 60 b", OURS("a", 10), FOREIGN("f", 50), OURS("b", 60));
	run_priorities_assign(NULL, 0);
}

static void names_decide_between_equals(void **state)
{
	(void)state;
	EXPECT("50 b, 51 a", OURS("b", 50), OURS("a", 50));
	EXPECT("50 p, 51 p, 52 p", OURS("p", 50), OURS("p", 50), OURS("p", 50));
	EXPECT("50 f, 50 g", FOREIGN("f", 50), OURS("g", 50));
	EXPECT("50 f, 51 a", FOREIGN("f", 50), OURS("a", 50));
}

static void before_and_after_move_values(void **state)
{
	(void)state;
	EXPECT("90 b, 91 a", OURS("b", 90), OURS("a", 10));
	EXPECT("50 a, 50 f", OURS("a", 90), FOREIGN("f", 50));
	EXPECT("49 z, 50 f", OURS("z", 90), FOREIGN("f", 50));
	EXPECT("9 z, 10 y, 11 x", OURS("z", 10), OURS("y", 10), FOREIGN("x", 11));
	EXPECT("50 a, 50 b, 50 c", FOREIGN("a", 50), OURS("b", 10), FOREIGN("c", 50));
}

static void foreign_goes_first_where_no_value_is_left(void **state)
{
	(void)state;
	EXPECT("0 f, 1 z!", OURS("z", 1), FOREIGN("f", 0));
	EXPECT("50 a, 50 b, 51 a!", FOREIGN("a", 50), OURS("a", 50), FOREIGN("b", 50));
	EXPECT("0 z, 1 x, 1 y!", OURS("z", 0), OURS("y", 0), FOREIGN("x", 1));
	EXPECT("4294967295 f, 4294967295 a", FOREIGN("f", UINT32_MAX), OURS("a", 7));
}

/* --- any chain ---------------------------------------------------------------------------- */

static uint64_t next_random(uint64_t *state, uint64_t below)
{
	uint64_t z = (*state += 0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return (z ^ (z >> 31)) % below;
}

static int as_libxdp(const void *a, const void *b)
{
	const struct run_priority *x = a, *y = b;

	if (x->value != y->value)
		return x->value < y->value ? -1 : 1;
	return strcmp(x->name, y->name);
}

static size_t random_chain(uint64_t *state, struct run_priority *v)
{
	static const char *const names[] = { "a", "b", "c", "d", "e" };
	size_t n = next_random(state, LIMIT_CHAIN_TAILCALL + 1);
	uint32_t last = 0;

	for (size_t i = 0; i < n; i++) {
		v[i] = (struct run_priority)OURS(names[next_random(state, ARRAY_SIZE(names))],
						 (uint32_t)next_random(state, 8));
		if (next_random(state, 3))
			continue;
		last += (uint32_t)next_random(state, 4);
		v[i].foreign = true;
		v[i].value = last;
	}
	number(v, n);
	return n;
}

/* Equal names and values of two foreign members are libxdp's own affair. */
static bool sorts_strictly(const struct run_priority *v, size_t n)
{
	for (size_t i = 1; i < n; i++)
		if (as_libxdp(&v[i - 1], &v[i]) >= 0 && !(v[i - 1].foreign && v[i].foreign))
			return false;
	return true;
}

static void check_chain(uint64_t seed)
{
	struct run_priority asked[LIMIT_CHAIN_TAILCALL] = { 0 }, got[LIMIT_CHAIN_TAILCALL];
	size_t n = random_chain(&seed, asked);
	bool displaced = false;

	memcpy(got, asked, sizeof(got));
	run_priorities_assign(got, n);
	assert_true(sorts_strictly(got, n));
	for (size_t i = 0; i < n; i++) {
		const struct run_priority *was = &asked[got[i].index];

		assert_string_equal(got[i].name, was->name);
		assert_int_equal(got[i].foreign, was->foreign);
		if (was->foreign)
			assert_int_equal(got[i].value, was->value);
		displaced |= got[i].displaced;
		/* Ours among each other, and foreign ones likewise, stay in order. */
		for (size_t k = 0; k < i; k++)
			if (got[k].foreign == got[i].foreign)
				assert_true(got[k].index < got[i].index);
	}
	if (!displaced)
		for (size_t i = 0; i < n; i++)
			assert_int_equal(got[i].index, i);
	if (sorts_strictly(asked, n))
		for (size_t i = 0; i < n; i++)
			assert_int_equal(got[i].value, asked[i].value);
}

static void sort_of_libxdp_gives_the_order(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 20000; seed++)
		check_chain(seed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(declared_values_are_kept),
		cmocka_unit_test(names_decide_between_equals),
		cmocka_unit_test(before_and_after_move_values),
		cmocka_unit_test(foreign_goes_first_where_no_value_is_left),
		cmocka_unit_test(sort_of_libxdp_gives_the_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
