/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/macros.h"
#include "base/str.h"
#include "fixture.h"
#include "model/layout.h"

static const char *const all_programs[] = { "xdp_count", "xdp_inner", "xdp_jump", NULL };

static const uint32_t zero;

static void must(long r, const char *what)
{
	if (r < 0)
		fail_msg("%s: %s", what, strerror(errno));
}
#define MUST(call) must((call), #call)

/* --- two versions of an object ---------------------------------------------- */

static int map_fd(const char *version, const char *map)
{
	int fd = bpf_obj_get(below("%s", layout_map_pin(fixture.a, "o", version, map)));

	if (fd < 0)
		fail_msg("map %s of version %s: %s", map, version, strerror(errno));
	return fd;
}

static struct bpf_map_info map_info(const char *version, const char *map)
{
	cleanup(closep) int fd = map_fd(version, map);
	struct bpf_map_info info = { 0 };
	uint32_t size = sizeof(info);

	MUST(bpf_obj_get_info_by_fd(fd, &info, &size));
	return info;
}

static struct op_map *take(struct op *op, const char *map, enum map_action action)
{
	for (size_t i = 0; i < op->object.map_count; i++) {
		struct op_map *m = &op->object.maps[i];

		if (!str_eq(m->name, map))
			continue;
		m->action = action;
		m->from = (struct map_ref){ "o", "v1", map };
		m->from_id = map_info("v1", map).id;
		return m;
	}
	fail_msg("no map %s", map);
	return NULL;
}

static struct op load_version(const char *version, const char *file, const char *const *programs)
{
	return load_op(declare("o", file), version, programs);
}

static void load_first(void)
{
	struct op op = load_version("v1", "test_take_over", all_programs);

	apply_fine(&op);
}

static uint32_t run(const char *version, const char *function)
{
	unsigned char packet[64] = { 0 };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = packet, .data_size_in = sizeof(packet),
		    .repeat = 1);
	cleanup(closep) int fd =
		bpf_obj_get(below("%s", layout_program_pin(fixture.a, "o", version, function)));

	MUST(fd);
	MUST(bpf_prog_test_run_opts(fd, &opts));
	return opts.retval;
}

static uint64_t value_of(const char *version, const char *map, uint32_t key)
{
	cleanup(closep) int fd = map_fd(version, map);
	uint64_t value = 0;

	MUST(bpf_map_lookup_elem(fd, &key, &value));
	return value;
}

/* Data sections: variables changed and counted. */
static uint64_t data_of(const char *version, const char *section)
{
	return value_of(version, section, 0);
}

static void put(const char *version, const char *map, uint32_t key, uint64_t value)
{
	cleanup(closep) int fd = map_fd(version, map);

	MUST(bpf_map_update_elem(fd, &key, &value, BPF_ANY));
}

/* --- MAP_KEEP -------------------------------------------------------------------- */

static const char *const kept_maps[] = {
	".bss",
	".data",
	"array",
	"cpus",
	"devices",
	"devices_hash",
	"filled_outer",
	"hash",
	"hash_no_prealloc",
	"inner_one",
	"jumps",
	"locked_array",
	"locked_hash",
	"lpm",
	"lru_hash",
	"lru_per_cpu_lists",
	"lru_percpu_hash",
	"outer",
	"outer_of_two",
	"percpu_array",
	"percpu_hash",
	"percpu_odd",
	"perf",
	"queue",
	"ring",
	"sockets",
	"stack",
	"xsks",
};

static void keep_all(struct op *op)
{
	for (size_t i = 0; i < ARRAY_SIZE(kept_maps); i++)
		take(op, kept_maps[i], MAP_KEEP);
}

static void a_kept_map_is_the_same_map(void **state)
{
	struct op op;

	(void)state;
	load_first();
	op = load_version("v2", "test_take_over", all_programs);
	keep_all(&op);
	apply_fine(&op);
	for (size_t i = 0; i < ARRAY_SIZE(kept_maps); i++)
		assert_int_equal(map_info("v2", kept_maps[i]).id, map_info("v1", kept_maps[i]).id);
	assert_int_not_equal(map_info("v2", "filled_jumps").id, map_info("v1", "filled_jumps").id);
	assert_int_equal(run("v2", "xdp_jump"), XDP_DROP);
}

static void both_versions_count_in_a_kept_map(void **state)
{
	struct op op;

	(void)state;
	load_first();
	run("v1", "xdp_count");
	op = load_version("v2", "test_take_over", all_programs);
	keep_all(&op);
	apply_fine(&op);
	run("v2", "xdp_count");
	run("v1", "xdp_count");
	assert_int_equal(value_of("v2", "array", 0), 3);
	assert_int_equal(value_of("v2", "hash", 2), 2);
	assert_int_equal(data_of("v2", ".bss"), 3);
	assert_int_equal(data_of("v2", ".data"), 10);
}

/* The file would put its own inner map there again. */
static void a_kept_map_of_maps_is_not_filled_again(void **state)
{
	cleanup(closep) int outer = -1, other = -1;
	struct op op;

	(void)state;
	load_first();
	outer = map_fd("v1", "filled_outer");
	other = bpf_map_create(BPF_MAP_TYPE_ARRAY, "other", 4, 8, 1, NULL);
	MUST(bpf_map_update_elem(other, &zero, &(uint64_t){ 3 }, BPF_ANY));
	MUST(bpf_map_update_elem(outer, &zero, &other, BPF_ANY));
	op = load_version("v2", "test_take_over", all_programs);
	keep_all(&op);
	apply_fine(&op);
	assert_int_equal(run("v1", "xdp_inner"), 3);
	assert_int_equal(run("v2", "xdp_inner"), 3);
}

/* Also beside maps that are kept, for which the file's bytes are changed. */
static void a_map_of_maps_that_is_new_is_filled(void **state)
{
	struct op op;

	(void)state;
	load_first();
	op = load_version("v2", "test_take_over", all_programs);
	take(&op, "hash", MAP_KEEP);
	apply_fine(&op);
	put("v2", "inner_one", 0, 4);
	assert_int_equal(run("v2", "xdp_inner"), 4);
	assert_int_equal(run("v2", "xdp_jump"), XDP_DROP);
}

static void a_map_that_went_is_not_kept(void **state)
{
	struct op op;

	(void)state;
	load_first();
	op = load_version("v2", "test_take_over", all_programs);
	take(&op, "hash", MAP_KEEP)->from_id++;
	apply_fails(&op, -ESTALE, "Vanished", FAILURE_TRANSIENT,
		    "map hash of version v1 cannot be kept: its pin has map id");
	take(&op, "hash", MAP_KEEP);
	MUST(unlink(below("%s", layout_map_pin(fixture.a, "o", "v1", "hash"))));
	apply_fails(&op, -ENOENT, "Vanished", FAILURE_TRANSIENT,
		    "map hash of version v1 cannot be kept: cannot open pin");
	assert_int_equal(access(below("objects/o/v2"), F_OK), -1);
}

static void a_map_of_another_shape_is_not_kept(void **state)
{
	struct op_map *m;
	struct op op;

	(void)state;
	load_first();
	op = load_version("v2", "test_take_over", all_programs);
	m = take(&op, "hash", MAP_KEEP);
	m->from.map = "array";
	m->from_id = map_info("v1", "array").id;
	apply_fails(&op, -EINVAL, "MapChanged", FAILURE_KERNEL, "it is another kind of map");
	assert_int_equal(access(below("objects/o/v2"), F_OK), -1);
}

/* --- MAP_COPY ----------------------------------------------------------------------- */

#define KEYS 64

/* Every type that can grow, with keys and values of 4 and 8 bytes. */
static const struct {
	const char *map;
	bool per_cpu;
	uint32_t keys;
} simple_maps[] = {
	{ "hash", false, KEYS },
	{ "hash_no_prealloc", false, KEYS },
	{ "percpu_hash", true, KEYS },
	{ "lru_hash", false, KEYS },
	{ "lru_per_cpu_lists", false, 16 * KEYS },
	{ "lru_percpu_hash", true, KEYS },
	{ "array", false, 16 },
	{ "percpu_array", true, 16 },
};

static uint32_t cpus(void)
{
	int n = libbpf_num_possible_cpus();

	MUST(n);
	return (uint32_t)n;
}

/* The value of a CPU under a key: told from all others. */
static uint64_t expected_value(uint32_t key, uint32_t cpu)
{
	return UINT64_C(0x100000000) * (cpu + 1) + key + 1;
}

static void fill_map(const char *map, uint32_t keys, bool per_cpu)
{
	uint64_t *values = arena_calloc(fixture.a, cpus(), sizeof(*values));
	cleanup(closep) int fd = map_fd("v1", map);

	for (uint32_t key = 0; key < keys; key++) {
		for (uint32_t i = 0; i < (per_cpu ? cpus() : 1); i++)
			values[i] = expected_value(key, i);
		MUST(bpf_map_update_elem(fd, &key, values, BPF_ANY));
	}
}

/* How many of the keys that fill_map() wrote are there, with the right values. */
static uint32_t count_filled(const char *version, const char *map, uint32_t keys, bool per_cpu)
{
	uint64_t *values = arena_calloc(fixture.a, cpus(), sizeof(*values));
	cleanup(closep) int fd = map_fd(version, map);
	uint32_t found = 0;

	for (uint32_t key = 0; key < keys; key++) {
		if (bpf_map_lookup_elem(fd, &key, values) < 0)
			continue;
		found++;
		for (uint32_t i = 0; i < (per_cpu ? cpus() : 1); i++)
			if (values[i] != expected_value(key, i))
				fail_msg("%s: key %u, cpu %u: %llx", map, key, i,
					 (unsigned long long)values[i]);
	}
	return found;
}

static struct op grow_op(const char *map, uint32_t max_entries)
{
	struct op op = load_version("v2", "test_take_over", all_programs);

	take(&op, map, MAP_COPY)->max_entries = max_entries;
	return op;
}

static void a_larger_map_has_the_entries(void **state)
{
	struct op_result r;
	struct op op;

	(void)state;
	load_first();
	op = load_version("v2", "test_take_over", all_programs);
	for (size_t i = 0; i < ARRAY_SIZE(simple_maps); i++) {
		const char *map = simple_maps[i].map;

		fill_map(map, simple_maps[i].keys, simple_maps[i].per_cpu);
		take(&op, map, MAP_COPY)->max_entries = 4 * simple_maps[i].keys;
	}
	r = apply_fine(&op);
	for (size_t i = 0; i < ARRAY_SIZE(simple_maps); i++) {
		const char *map = simple_maps[i].map;
		uint32_t keys = simple_maps[i].keys;
		uint32_t there = count_filled("v1", map, keys, simple_maps[i].per_cpu);

		assert_int_equal(count_filled("v2", map, keys, simple_maps[i].per_cpu), there);
		/* An LRU list of one CPU holds less than all. */
		if (!strstr(map, "lru"))
			assert_int_equal(there, keys);
		assert_int_not_equal(map_info("v1", map).id, map_info("v2", map).id);
		assert_true(map_info("v2", map).max_entries >= 4 * keys);
		assert_true(map_info("v2", map).max_entries > map_info("v1", map).max_entries);
		assert_non_null(strstr(
			r.note, arena_printf(fixture.a, "map %s: %u entries of version v1 copied",
					     map, there)));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(a_kept_map_is_the_same_map),
		FIXTURE_TEST(both_versions_count_in_a_kept_map),
		FIXTURE_TEST(a_kept_map_of_maps_is_not_filled_again),
		FIXTURE_TEST(a_map_of_maps_that_is_new_is_filled),
		FIXTURE_TEST(a_map_that_went_is_not_kept),
		FIXTURE_TEST(a_map_of_another_shape_is_not_kept),
		FIXTURE_TEST(a_larger_map_has_the_entries),
	};

	return FIXTURE_RUN("take_over", tests);
}
