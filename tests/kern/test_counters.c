/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <bpf/bpf.h>
#include <errno.h>

#include "base/macros.h"
#include "fixture.h"
#include "kern/counters.h"

#define NO_DEADLINE UINT64_MAX

struct trie_key {
	uint32_t length, bits;
};

static int make(enum bpf_map_type type, uint32_t key_size, uint32_t max_entries)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts,
		    .map_flags = type == BPF_MAP_TYPE_LPM_TRIE ? BPF_F_NO_PREALLOC : 0);
	int fd = bpf_map_create(type, "counted", key_size, sizeof(uint64_t), max_entries, &opts);

	assert_true(fd >= 0);
	return fd;
}

static uint32_t id_of(int fd)
{
	struct bpf_map_info info = { 0 };
	uint32_t size = sizeof(info);

	assert_int_equal(bpf_obj_get_info_by_fd(fd, &info, &size), 0);
	return info.id;
}

static void fill(int fd, uint32_t count)
{
	const uint64_t value[1024] = { 0 }; /* one for each CPU of a per-CPU map */

	for (uint32_t key = 0; key < count; key++)
		assert_int_equal(bpf_map_update_elem(fd, &key, value, BPF_ANY), 0);
}

static void keys_are_counted(void **state)
{
	static const enum bpf_map_type types[] = { BPF_MAP_TYPE_HASH, BPF_MAP_TYPE_PERCPU_HASH,
						   BPF_MAP_TYPE_LRU_HASH,
						   BPF_MAP_TYPE_LRU_PERCPU_HASH };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		cleanup(closep) int fd = make(types[i], sizeof(uint32_t), 4096);
		uint64_t n = 99;

		assert_int_equal(counters_count_entries(id_of(fd), NO_DEADLINE, &n), 0);
		assert_int_equal(n, 0);
		fill(fd, 17);
		assert_int_equal(counters_count_entries(id_of(fd), NO_DEADLINE, &n), 0);
		assert_int_equal(n, 17);
	}
}

static void a_full_map_is_full(void **state)
{
	cleanup(closep) int fd = make(BPF_MAP_TYPE_HASH, sizeof(uint32_t), 1000);
	uint64_t n = 0;

	(void)state;
	fill(fd, 1000);
	assert_int_equal(counters_count_entries(id_of(fd), NO_DEADLINE, &n), 0);
	assert_int_equal(n, 1000);
}

static void prefixes_are_counted(void **state)
{
	cleanup(closep) int fd = make(BPF_MAP_TYPE_LPM_TRIE, sizeof(struct trie_key), 4096);
	uint64_t value = 0, n = 0;

	(void)state;
	for (uint32_t i = 0; i < 5; i++)
		assert_int_equal(
			bpf_map_update_elem(fd, &(struct trie_key){ 32, i }, &value, BPF_ANY), 0);
	assert_int_equal(counters_count_entries(id_of(fd), NO_DEADLINE, &n), 0);
	assert_int_equal(n, 5);
}

static void an_array_has_no_fill(void **state)
{
	cleanup(closep) int fd = make(BPF_MAP_TYPE_ARRAY, sizeof(uint32_t), 8);
	uint64_t n;

	(void)state;
	assert_int_equal(counters_count_entries(id_of(fd), NO_DEADLINE, &n), -EOPNOTSUPP);
}

static void counting_ends_in_time(void **state)
{
	cleanup(closep) int fd = make(BPF_MAP_TYPE_HASH, sizeof(uint32_t), 16);
	uint64_t n;

	(void)state;
	assert_int_equal(counters_count_entries(id_of(fd), 1, &n), -ETIMEDOUT);
}

static void what_is_gone_is_not_counted(void **state)
{
	uint64_t count, ns;

	(void)state;
	assert_int_equal(counters_count_entries(UINT32_MAX, NO_DEADLINE, &count), -ENOENT);
	assert_int_equal(counters_read_runs(UINT32_MAX, &count, &ns), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(keys_are_counted),      FIXTURE_TEST(a_full_map_is_full),
		FIXTURE_TEST(prefixes_are_counted),  FIXTURE_TEST(an_array_has_no_fill),
		FIXTURE_TEST(counting_ends_in_time), FIXTURE_TEST(what_is_gone_is_not_counted),
	};

	return FIXTURE_RUN("counters", tests);
}
