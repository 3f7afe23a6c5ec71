/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "kern/map_snapshot.h"

static const struct map_pair pair = { 1, 2 }, other = { 1, 3 };

static uint64_t hash_number(const struct map_snapshot *s, uint64_t n)
{
	return map_snapshot_hash(s, &n, sizeof(n));
}

static int setup(void **state)
{
	*state = map_snapshots_new();
	return 0;
}

static int teardown(void **state)
{
	map_snapshots_free(*state);
	return 0;
}

static void what_was_put_is_found(void **state)
{
	struct map_snapshot *s = map_snapshots_begin(*state, pair);
	uint64_t value;

	assert_false(map_snapshot_find(s, 1, &value));
	for (uint64_t n = 0; n < 10000; n++)
		map_snapshot_put(s, hash_number(s, n), n);
	for (uint64_t n = 0; n < 10000; n++) {
		assert_true(map_snapshot_find(s, hash_number(s, n), &value));
		assert_int_equal(value, n);
	}
	assert_false(map_snapshot_find(s, hash_number(s, 10000), &value));
	map_snapshot_put(s, hash_number(s, 7), 4711);
	assert_true(map_snapshot_find(s, hash_number(s, 7), &value));
	assert_int_equal(value, 4711);
	assert_int_equal(map_snapshot_gone(s), 0);
}

static void what_nobody_asked_for_is_gone(void **state)
{
	struct map_snapshot *s = map_snapshots_begin(*state, pair);
	uint64_t value;

	map_snapshot_put(s, 10, 1);
	map_snapshot_put(s, 20, 2);
	map_snapshot_put(s, 30, 3);
	assert_true(map_snapshot_find(s, 10, &value));
	assert_true(map_snapshot_find(s, 10, &value));
	map_snapshot_renew(s, 20, 5);
	map_snapshot_renew(s, 40, 6);
	assert_int_equal(map_snapshot_gone(s), 1);
	assert_false(map_snapshot_find_gone(s, 10, &value));
	assert_false(map_snapshot_find_gone(s, 20, &value));
	assert_false(map_snapshot_find_gone(s, 40, &value));
	assert_false(map_snapshot_find_gone(s, 50, &value));
	assert_true(map_snapshot_find_gone(s, 30, &value));
	assert_int_equal(value, 3);
	map_snapshot_rewind(s);
	assert_int_equal(map_snapshot_gone(s), 4);
	assert_true(map_snapshot_find_gone(s, 20, &value));
	assert_int_equal(value, 5);
}

static void hashes_tell_lengths_and_tables_apart(void **state)
{
	static const unsigned char zeros[32];
	struct map_snapshots *another = map_snapshots_new();
	struct map_snapshot *s = map_snapshots_begin(*state, pair);
	struct map_snapshot *t = map_snapshots_begin(another, pair);
	uint64_t seen[sizeof(zeros) + 1];

	for (size_t n = 0; n <= sizeof(zeros); n++) {
		seen[n] = map_snapshot_hash(s, zeros, n);
		assert_true(seen[n] > 0 && seen[n] < UINT64_C(1) << 63);
		for (size_t i = 0; i < n; i++)
			assert_true(seen[i] != seen[n]);
		assert_true(map_snapshot_hash(s, zeros, n) == seen[n]);
	}
	/* Nobody knows beforehand what collides. */
	assert_true(map_snapshot_hash(t, zeros, 8) != seen[8]);
	map_snapshots_free(another);
}

static void each_pair_of_maps_has_its_own(void **state)
{
	struct map_snapshot *s = map_snapshots_begin(*state, pair), *t;
	uint64_t value;

	map_snapshot_put(s, 1, 1);
	assert_null(map_snapshots_find(*state, other));
	t = map_snapshots_begin(*state, other);
	assert_ptr_equal(map_snapshots_find(*state, other), t);
	assert_ptr_equal(map_snapshots_find(*state, pair), s);
	map_snapshots_drop(*state, other);
	map_snapshots_drop(*state, other);
	assert_null(map_snapshots_find(*state, other));
	/* Begun again, it is empty. */
	assert_false(map_snapshot_find(map_snapshots_begin(*state, pair), 1, &value));
}

static void those_of_maps_that_are_gone_are_dropped(void **state)
{
	struct observed_map maps[] = { { .id = 1 }, { .id = 3 } };
	struct observed_object object = { .maps = maps, .map_count = 2 };
	struct observed o = { .objects = &object, .object_count = 1 };

	(void)map_snapshots_begin(*state, pair);
	(void)map_snapshots_begin(*state, other);
	map_snapshots_prune(*state, &o);
	assert_null(map_snapshots_find(*state, pair));
	assert_non_null(map_snapshots_find(*state, other));
	maps[0].id = 4;
	map_snapshots_prune(*state, &o);
	assert_null(map_snapshots_find(*state, other));
}

/* One that lacks entries would take them for new. */
static void a_snapshot_is_whole_or_none(void **state)
{
	struct map_snapshot *first = map_snapshots_begin(*state, other);
	struct map_snapshot *s = map_snapshots_begin(*state, pair);
	uint64_t value;

	map_snapshot_put(first, 1, 1);
	for (uint64_t n = 1; n < MAP_SNAPSHOT_ENTRIES_MAX; n++)
		map_snapshot_put(s, hash_number(s, n), n);
	map_snapshot_put(s, hash_number(s, 1), 2); /* is there already */
	assert_false(map_snapshot_overflowed(s));
	assert_ptr_equal(map_snapshots_find(*state, pair), s);
	map_snapshot_put(s, hash_number(s, MAP_SNAPSHOT_ENTRIES_MAX), 1);
	assert_true(map_snapshot_overflowed(s));
	assert_null(map_snapshots_find(*state, pair));
	assert_false(map_snapshot_find(s, hash_number(s, 1), &value));
	map_snapshot_put(s, 5, 5);
	assert_false(map_snapshot_find(s, 5, &value));
	/* The room is free again for others. */
	map_snapshot_put(first, 2, 2);
	assert_true(map_snapshot_find(first, 1, &value));
	assert_true(map_snapshot_find(first, 2, &value));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_was_put_is_found, setup, teardown),
		cmocka_unit_test_setup_teardown(what_nobody_asked_for_is_gone, setup, teardown),
		cmocka_unit_test_setup_teardown(hashes_tell_lengths_and_tables_apart, setup,
						teardown),
		cmocka_unit_test_setup_teardown(each_pair_of_maps_has_its_own, setup, teardown),
		cmocka_unit_test_setup_teardown(those_of_maps_that_are_gone_are_dropped, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_snapshot_is_whole_or_none, setup, teardown),
	};

	return cmocka_run_group_tests_name("map_snapshot", tests, NULL, NULL);
}
