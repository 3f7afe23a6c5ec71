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

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(a_kept_map_is_the_same_map),
		FIXTURE_TEST(both_versions_count_in_a_kept_map),
		FIXTURE_TEST(a_kept_map_of_maps_is_not_filled_again),
		FIXTURE_TEST(a_map_of_maps_that_is_new_is_filled),
		FIXTURE_TEST(a_map_that_went_is_not_kept),
		FIXTURE_TEST(a_map_of_another_shape_is_not_kept),
	};

	return FIXTURE_RUN("take_over", tests);
}
