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
#include <linux/if_link.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/macros.h"
#include "base/str.h"
#include "fixture.h"
#include "kern/map_reader.h"
#include "model/layout.h"
#include "tools/xsk.h"

static const char *const all_programs[] = { "xdp_count", "xdp_inner", "xdp_jump", "xdp_xsk", NULL };

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

/* The programs of another version would be put into it. */
static void a_kept_program_array_is_not_filled_again(void **state)
{
	uint32_t before = 0, after = 0;
	const uint32_t slot = 1;
	cleanup(closep) int fd = -1;
	struct op op;

	(void)state;
	load_first();
	fd = map_fd("v1", "filled_jumps");
	MUST(bpf_map_lookup_elem(fd, &slot, &before));
	op = load_version("v2", "test_take_over", all_programs);
	take(&op, "filled_jumps", MAP_KEEP);
	apply_fine(&op);
	MUST(bpf_map_lookup_elem(fd, &slot, &after));
	assert_int_equal(before, after);
	put("v2", "inner_one", 0, 4); /* filled as ever */
	assert_int_equal(run("v2", "xdp_inner"), 4);
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

/* --- entries, of whatever type -------------------------------------------------- */

enum form { PLAIN, PER_CPU, ODD_PER_CPU, LOCKED, TRIE };

struct growable {
	const char *map;
	enum form form;
	bool is_array;
};

static const struct growable growable_maps[] = {
	{ "hash", PLAIN, false },          { "hash_no_prealloc", PLAIN, false },
	{ "percpu_hash", PER_CPU, false }, { "percpu_odd", ODD_PER_CPU, false },
	{ "lru_hash", PLAIN, false },      { "lru_percpu_hash", PER_CPU, false },
	{ "locked_hash", LOCKED, false },  { "lpm", TRIE, false },
	{ "array", PLAIN, true },          { "percpu_array", PER_CPU, true },
	{ "locked_array", LOCKED, true },
};

/* At most 16, which is what the arrays have. */
#define ENTRIES 10

struct locked_value {
	uint32_t lock, first;
	uint64_t second;
};

/* Prefixes within each other, so that a lookup of one that is missing finds a shorter one. */
struct key {
	uint32_t first, second;
};

static struct key key_of(const struct growable *g, uint32_t n)
{
	const uint32_t address = 0xffffff0a;

	return g->form == TRIE ? (struct key){ 8 + n, address } : (struct key){ n, 0 };
}

static uint32_t cpus(void)
{
	int n = libbpf_num_possible_cpus();

	MUST(n);
	return (uint32_t)n;
}

/* A value that stands for a number, different on each CPU. */
static void *value_for(const struct growable *g, uint64_t number)
{
	uint64_t *values = arena_calloc(fixture.a, cpus() + 2, sizeof(*values));
	struct locked_value locked = { 0, (uint32_t)number, number };

	if (g->form == LOCKED)
		memcpy(values, &locked, sizeof(locked));
	else
		values[0] = number;
	for (uint32_t i = 1; (g->form == PER_CPU || g->form == ODD_PER_CPU) && i < cpus(); i++)
		values[i] = number + 1000 * i;
	return values;
}

static size_t value_bytes(const struct growable *g)
{
	if (g->form == LOCKED)
		return sizeof(struct locked_value);
	return g->form == PER_CPU || g->form == ODD_PER_CPU ? cpus() * sizeof(uint64_t) :
							      sizeof(uint64_t);
}

static void set_entry(const char *version, const struct growable *g, uint32_t n, uint64_t number)
{
	cleanup(closep) int fd = map_fd(version, g->map);
	struct key key = key_of(g, n);

	MUST(bpf_map_update_elem(fd, &key, value_for(g, number), BPF_ANY));
}

static void delete_entry(const char *version, const struct growable *g, uint32_t n)
{
	cleanup(closep) int fd = map_fd(version, g->map);
	struct key key = key_of(g, n);

	MUST(bpf_map_delete_elem(fd, &key));
}

static bool has_key(int fd, const struct growable *g, const struct key *wanted)
{
	size_t size = g->form == TRIE ? sizeof(*wanted) : sizeof(wanted->first);
	struct key key, next = { 0 };

	for (bool first = true;; first = false) {
		if (bpf_map_get_next_key(fd, first ? NULL : &key, &next) < 0)
			return false;
		if (memcmp(&next, wanted, size) == 0)
			return true;
		key = next;
	}
}

/* number 0: nothing may be there, or the zeros of an array. */
static void assert_entry(const char *version, const struct growable *g, uint32_t n, uint64_t number)
{
	cleanup(closep) int fd = map_fd(version, g->map);
	struct key key = key_of(g, n);
	uint64_t *values = arena_calloc(fixture.a, cpus() + 2, sizeof(*values));

	if (!number && !g->is_array) {
		if (has_key(fd, g, &key))
			fail_msg("%s of %s has entry %u", g->map, version, n);
		return;
	}
	if (!has_key(fd, g, &key))
		fail_msg("%s of %s lacks entry %u", g->map, version, n);
	MUST(bpf_map_lookup_elem(fd, &key, values));
	if (!number)
		assert_int_equal(values[0], 0);
	else if (memcmp(values, value_for(g, number), value_bytes(g)) != 0)
		fail_msg("entry %u of %s of %s is %llx, not %llx", n, g->map, version,
			 (unsigned long long)values[0], (unsigned long long)number);
}

static void fill(const char *version)
{
	for (size_t i = 0; i < ARRAY_SIZE(growable_maps); i++)
		for (uint32_t n = 0; n < ENTRIES; n++)
			set_entry(version, &growable_maps[i], n, n + 1);
}

/* --- MAP_COPY ----------------------------------------------------------------------- */

#define LARGER 4096 /* than any of them */

static struct op_result load_larger(void)
{
	struct op op = load_version("v2", "test_take_over", all_programs);

	for (size_t i = 0; i < ARRAY_SIZE(growable_maps); i++)
		take(&op, growable_maps[i].map, MAP_COPY)->max_entries = LARGER;
	return apply_fine(&op);
}

static void a_larger_map_has_the_entries(void **state)
{
	struct op_result r;

	(void)state;
	load_first();
	fill("v1");
	r = load_larger();
	for (size_t i = 0; i < ARRAY_SIZE(growable_maps); i++) {
		const struct growable *g = &growable_maps[i];

		for (uint32_t n = 0; n < ENTRIES; n++)
			assert_entry("v2", g, n, n + 1);
		assert_entry("v2", g, ENTRIES, 0);
		assert_int_equal(map_info("v2", g->map).max_entries, LARGER);
		assert_non_null(strstr(
			r.note, arena_printf(fixture.a, "map %s: %d entries of version v1 copied",
					     g->map, ENTRIES)));
	}
	run("v2", "xdp_count");
	assert_int_equal(value_of("v2", "array", 0), 2);
	assert_int_equal(value_of("v1", "array", 0), 1);
}

static struct op_result sync_map(const char *map)
{
	struct op op = { .kind = OP_MAP_SYNC,
			 .key = "o",
			 .sync = { .from = { "o", "v1", map }, .to = { "o", "v2", map } } };

	return apply_fine(&op);
}

/* What each of the two versions does to a copied map after the first sweep. */
static void change_both(const struct growable *g)
{
	set_entry("v1", g, 0, 100);
	set_entry("v2", g, 1, 201);
	set_entry("v1", g, 2, 102);
	set_entry("v2", g, 2, 202);
	set_entry("v1", g, 3, 103);
	set_entry("v2", g, 3, 103);
	set_entry("v1", g, ENTRIES, 110);
	set_entry("v2", g, ENTRIES + 1, 211);
	set_entry("v1", g, ENTRIES + 2, 112);
	set_entry("v2", g, ENTRIES + 2, 212);
	if (g->is_array)
		return;
	delete_entry("v1", g, 4);
	delete_entry("v2", g, 5);
	delete_entry("v1", g, 6);
	set_entry("v2", g, 6, 206);
	set_entry("v1", g, 7, 107);
	delete_entry("v2", g, 7);
}

static void assert_both(const struct growable *g)
{
	assert_entry("v2", g, 0, 100);
	assert_entry("v2", g, 1, 201);
	assert_entry("v2", g, 2, 202);
	assert_entry("v2", g, 3, 103);
	assert_entry("v2", g, 8, 9);
	assert_entry("v2", g, ENTRIES, 110);
	assert_entry("v2", g, ENTRIES + 1, 211);
	assert_entry("v2", g, ENTRIES + 2, 212);
	if (g->is_array)
		return;
	assert_entry("v2", g, 4, 0);
	assert_entry("v2", g, 5, 0);
	assert_entry("v2", g, 6, 206);
	assert_entry("v2", g, 7, 0);
}

static void the_second_sweep_brings_what_the_old_version_changed(void **state)
{
	(void)state;
	load_first();
	fill("v1");
	load_larger();
	for (size_t i = 0; i < ARRAY_SIZE(growable_maps); i++) {
		const struct growable *g = &growable_maps[i];
		struct op_result r;

		change_both(g);
		r = sync_map(g->map);
		assert_both(g);
		/* In an array, what nobody wrote yet is an entry like others. */
		assert_non_null(strstr(
			r.note, g->is_array ? "changed 2 entries, added 0 and deleted 0; 2 that" :
					      "changed 1 entries, added 1 and deleted 1; 4 that"));
	}
}

static void a_second_sweep_can_be_repeated(void **state)
{
	(void)state;
	load_first();
	fill("v1");
	load_larger();
	for (size_t i = 0; i < ARRAY_SIZE(growable_maps); i++) {
		const struct growable *g = &growable_maps[i];
		struct op_result r;

		change_both(g);
		sync_map(g->map);
		set_entry("v2", g, 0, 300);
		if (!g->is_array)
			delete_entry("v2", g, ENTRIES);
		r = sync_map(g->map);
		assert_entry("v2", g, 0, 300);
		assert_entry("v2", g, 1, 201);
		if (!g->is_array)
			assert_entry("v2", g, ENTRIES, 0);
		assert_non_null(strstr(r.note, "changed 0 entries, added 0 and deleted 0"));
	}
}

/* The version after the next keeps the larger map before the second sweep was done. */
static void the_second_sweep_finds_a_map_that_was_kept_since(void **state)
{
	const struct growable *g = &growable_maps[0];
	struct op sync = { .kind = OP_MAP_SYNC,
			   .key = "o",
			   .sync = { .from = { "o", "v1", g->map }, .to = { "o", "v3", g->map } } };
	struct op remove = { .kind = OP_OBJECT_REMOVE,
			     .object = { .instance = "o", .version = "v2" } };
	struct op_map *map;
	struct op op;

	(void)state;
	load_first();
	fill("v1");
	load_larger();
	op = load_version("v3", "test_take_over", all_programs);
	map = take(&op, g->map, MAP_KEEP);
	map->from.version = "v2";
	map->from_id = map_info("v2", g->map).id;
	apply_fine(&op);
	change_both(g);
	apply_fine(&remove);
	(void)observe();
	assert_non_null(strstr(apply_fine(&sync).note, "changed 1 entries, added 1 and deleted 1"));
	assert_entry("v3", g, 0, 100);
	assert_entry("v3", g, 4, 0);
}

/* A daemon that was restarted between the sweeps. */
static void without_a_snapshot_only_new_entries_come(void **state)
{
	struct kern_linux_options options = { .bpffs_dir = fixture.bpffs_dir,
					      .run_dir = fixture.root };

	(void)state;
	load_first();
	fill("v1");
	load_larger();
	kern_linux_free(fixture.k);
	assert_int_equal(kern_linux_new(&options, &fixture.k, NULL), 0);
	for (size_t i = 0; i < ARRAY_SIZE(growable_maps); i++) {
		const struct growable *g = &growable_maps[i];
		struct op_result r;

		set_entry("v1", g, 0, 100);
		set_entry("v1", g, ENTRIES, 110);
		r = sync_map(g->map);
		assert_entry("v2", g, 0, 1);
		assert_entry("v2", g, ENTRIES, g->is_array ? 0 : 110);
		assert_non_null(strstr(r.note, g->is_array ? ": 0 entries added that the old" :
							     ": 1 entries added that the old"));
		assert_non_null(strstr(r.note, "is not known any more"));
	}
}

static void a_version_that_is_gone_leaves_nothing_to_sync(void **state)
{
	struct op remove = { .kind = OP_OBJECT_REMOVE,
			     .object = { .instance = "o", .version = "v1" } };
	struct op sync = { .kind = OP_MAP_SYNC,
			   .key = "o",
			   .sync = { .from = { "o", "v2", "hash" }, .to = { "o", "v3", "hash" } } };

	(void)state;
	load_first();
	load_larger();
	apply_fine(&remove);
	assert_non_null(strstr(sync_map("hash").note, "the old version's is gone"));
	apply_fails(&sync, -ENOENT, "Vanished", FAILURE_TRANSIENT,
		    "map hash cannot take over what changed in version v2");
}

static struct op sync_op_of(const char *from, const char *to)
{
	return (struct op){ .kind = OP_MAP_SYNC,
			    .key = "o",
			    .sync = { .from = { "o", "v1", from }, .to = { "o", "v1", to } } };
}

static void maps_of_different_kinds_do_not_sync(void **state)
{
	struct op kinds = sync_op_of("hash", "array"), type = sync_op_of("queue", "queue");

	(void)state;
	load_first();
	apply_fails(&kinds, -EINVAL, "MapCopyFailed", FAILURE_KERNEL, "different kinds");
	apply_fails(&type, -EOPNOTSUPP, "MapCopyFailed", FAILURE_KERNEL,
		    "type 22 cannot be copied");
}

/* A new map that is too small after all, as when it is changed beneath the plan. */
static void a_copy_that_fails_leaves_the_old_version_alone(void **state)
{
	struct op op;

	(void)state;
	load_first();
	fill("v1");
	op = load_version("v2", "test_take_over", all_programs);
	take(&op, "hash", MAP_COPY)->max_entries = ENTRIES - 1;
	apply_fails(
		&op, -E2BIG, "MapCopyFailed", FAILURE_KERNEL,
		"map hash of version v1 cannot be copied: cannot write an entry of the new one, "
		"after 9: Argument list too long; version v1 stays: `on_change: reset`");
	assert_int_equal(access(below("objects/o/v2"), F_OK), -1);
	assert_int_equal(observe().object_count, 1);
	assert_true(observe().objects[0].complete);
	for (uint32_t n = 0; n < ENTRIES; n++)
		assert_entry("v1", &growable_maps[0], n, n + 1);
}

static void a_frozen_map_is_copied_and_frozen(void **state)
{
	const uint64_t value = 5;
	cleanup(closep) int fd = -1;
	struct op op;

	(void)state;
	load_first();
	put("v1", "hash", 1, 4711);
	fd = map_fd("v1", "hash");
	MUST(bpf_map_freeze(fd));
	op = load_version("v2", "test_take_over", all_programs);
	take(&op, "hash", MAP_COPY)->max_entries = 100;
	apply_fine(&op);
	assert_int_equal(value_of("v2", "hash", 1), 4711);
	sync_map("hash");
	closep(&fd);
	fd = map_fd("v2", "hash");
	assert_int_equal(bpf_map_update_elem(fd, &zero, &value, BPF_ANY), -EPERM);
	assert_non_null(strstr(sync_map("hash").note, "map hash is frozen"));
}

/* The flags bind the descriptor that creates a map, and nobody who has another one. */
static void maps_with_access_flags_are_copied(void **state)
{
	static const char *const programs[] = { "xdp_access", NULL };
	static const char *const maps[] = { "unreadable", "unwritable" };
	struct op op = load_version("v1", "test_access", programs);

	(void)state;
	apply_fine(&op);
	op = load_version("v2", "test_access", programs);
	for (size_t i = 0; i < ARRAY_SIZE(maps); i++) {
		put("v1", maps[i], 1, 4711);
		take(&op, maps[i], MAP_COPY)->max_entries = 100;
	}
	apply_fine(&op);
	for (size_t i = 0; i < ARRAY_SIZE(maps); i++) {
		assert_int_equal(value_of("v2", maps[i], 1), 4711);
		put("v1", maps[i], 2, 4712);
		sync_map(maps[i]);
		assert_int_equal(value_of("v2", maps[i], 2), 4712);
	}
}

/* Each CPU has a list of its own there: written from one CPU alone, most would be pushed out. */
static void lists_of_all_cpus_are_filled(void **state)
{
	cleanup(closep) int old = -1, new = -1;
	cpu_set_t all, one;
	uint32_t keys, there = 0;
	struct op op;

	(void)state;
	load_first();
	keys = map_info("v1", "lru_per_cpu_lists").max_entries;
	old = map_fd("v1", "lru_per_cpu_lists");
	MUST(sched_getaffinity(0, sizeof(all), &all));
	for (uint32_t key = 0, cpu = 0; key < keys; key++) {
		do
			cpu = (cpu + 1) % CPU_SETSIZE;
		while (!CPU_ISSET(cpu, &all));
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		MUST(sched_setaffinity(0, sizeof(one), &one));
		MUST(bpf_map_update_elem(old, &key, &(uint64_t){ key }, BPF_ANY));
	}
	MUST(sched_setaffinity(0, sizeof(all), &all));
	op = load_version("v2", "test_take_over", all_programs);
	take(&op, "lru_per_cpu_lists", MAP_COPY)->max_entries = keys + 64 * cpus();
	apply_fine(&op);
	MUST(sched_getaffinity(0, sizeof(one), &one));
	assert_memory_equal(&one, &all, sizeof(all));
	new = map_fd("v2", "lru_per_cpu_lists");
	for (uint32_t key = 0; key < keys; key++) {
		uint64_t value;
		bool is_there = bpf_map_lookup_elem(old, &key, &value) == 0;

		there += is_there;
		assert_int_equal(bpf_map_lookup_elem(new, &key, &value) == 0, is_there);
	}
	assert_true(there > keys / 2);
}

/* --- a map that does not hold still ------------------------------------------------ */

#define BUSY_ENTRIES 20000
#define BUSY_STILL   5000 /* keys that the writer never deletes */

/* Adds and deletes all keys but the first ones, and counts those up; never returns. */
static void no_return write_for_ever(int fd)
{
	uint64_t count = 1;

	for (uint32_t key = 0;; key = (key + 7919) % BUSY_ENTRIES, count++) {
		if (key < BUSY_STILL || count % 2)
			(void)bpf_map_update_elem(fd, &key, &count, BPF_ANY);
		else
			(void)bpf_map_delete_elem(fd, &key);
	}
}

static pid_t start_writer(const char *map)
{
	cleanup(closep) int fd = map_fd("v1", map);
	pid_t pid = fork();

	MUST(pid);
	if (pid == 0)
		write_for_ever(fd);
	return pid;
}

static void stop_writer(pid_t pid)
{
	MUST(kill(pid, SIGKILL));
	MUST(waitpid(pid, NULL, 0));
}

static void assert_equal_maps(const char *map)
{
	cleanup(closep) int old = map_fd("v1", map), new = map_fd("v2", map);
	uint32_t there = 0;

	for (uint32_t key = 0; key < BUSY_ENTRIES; key++) {
		uint64_t then = 0, now = 0;
		int in_old = bpf_map_lookup_elem(old, &key, &then);
		int in_new = bpf_map_lookup_elem(new, &key, &now);

		if (in_old != in_new || then != now)
			fail_msg("%s: key %u: %d %llu, %d %llu", map, key, in_old,
				 (unsigned long long)then, in_new, (unsigned long long)now);
		there += in_old == 0;
	}
	assert_true(there >= BUSY_STILL);
}

static void copy_while_it_is_written(const char *map)
{
	struct op op = load_version("v1", "test_take_over", all_programs);
	pid_t writer;
	int fd;

	for (size_t i = 0; i < op.object.map_count; i++)
		if (str_eq(op.object.maps[i].name, map))
			op.object.maps[i].max_entries = BUSY_ENTRIES;
	apply_fine(&op);
	fd = map_fd("v1", map);
	for (uint32_t key = 0; key < BUSY_STILL; key++)
		MUST(bpf_map_update_elem(fd, &key, &(uint64_t){ 0 }, BPF_ANY));
	closep(&fd);
	op = load_version("v2", "test_take_over", all_programs);
	take(&op, map, MAP_COPY)->max_entries = 2 * BUSY_ENTRIES;
	writer = start_writer(map);
	apply_fine(&op);
	fd = map_fd("v2", map);
	for (uint32_t key = 0; key < BUSY_STILL; key++) {
		uint64_t value;

		if (bpf_map_lookup_elem(fd, &key, &value) < 0)
			fail_msg("%s lacks key %u", map, key);
	}
	closep(&fd);
	stop_writer(writer);
	print_message("# %s\n", sync_map(map).note);
	assert_equal_maps(map);
}

static void a_busy_hash_is_copied(void **state)
{
	(void)state;
	copy_while_it_is_written("hash");
}

static void a_busy_hash_without_preallocation_is_copied(void **state)
{
	(void)state;
	copy_while_it_is_written("hash_no_prealloc");
}

static void a_busy_array_is_copied(void **state)
{
	(void)state;
	copy_while_it_is_written("array");
}

#define LARGE_WORDS 500

struct large_value {
	uint32_t lock, unused;
	uint64_t words[LARGE_WORDS];
};

static void no_return write_large_for_ever(int fd)
{
	struct large_value value = { 0 };

	for (uint64_t n = 0;; n++) {
		uint32_t key = n % 2;

		for (size_t i = 0; i < LARGE_WORDS; i++)
			value.words[i] = n;
		(void)bpf_map_update_elem(fd, &key, &value, BPF_F_LOCK);
	}
}

static int must_be_whole(void *arg, const unsigned char *keys, const unsigned char *values,
			 uint32_t count, struct error *e)
{
	const struct large_value *v = (const void *)values;

	(void)arg;
	(void)keys;
	for (uint32_t k = 0; k < count; k++)
		for (size_t i = 1; i < LARGE_WORDS; i++)
			if (v[k].words[i] != v[k].words[0])
				return error_set(e, -EIO, "word %zu is %llu, word 0 is %llu", i,
						 (unsigned long long)v[k].words[i],
						 (unsigned long long)v[k].words[0]);
	return 0;
}

static void values_with_a_lock_are_read_whole(void **state)
{
	cleanup(closep) int fd = -1;
	struct map_reader reader;
	struct error e = { 0 };
	int r = 0;
	pid_t pid;

	(void)state;
	load_first();
	fd = map_fd("v1", "locked_large");
	assert_int_equal(map_reader_init(&reader, fd, map_deadline(60), &e), 0);
	assert_true(reader.locked);
	pid = fork();
	MUST(pid);
	if (pid == 0)
		write_large_for_ever(fd);
	for (int i = 0; r == 0 && i < 20000; i++)
		r = map_read(&reader, must_be_whole, NULL, &e);
	stop_writer(pid);
	if (r < 0)
		fail_msg("%s", e.text);
}

/* --- MAP_CARRY ---------------------------------------------------------------------- */

static const char *const carry_programs[] = { "xdp_carry", NULL };

static uint64_t variable_of(const char *version, const struct op *op, const char *name, size_t part)
{
	const struct elf_variable *v = elf_find_variable(op->object.decl->source->elf, name);
	unsigned char bytes[4096];
	uint64_t value = 0;
	cleanup(closep) int fd = -1;

	assert_non_null(v);
	fd = map_fd(version, v->section);
	assert_true(map_info(version, v->section).value_size <= sizeof(bytes));
	MUST(bpf_map_lookup_elem(fd, &zero, bytes));
	memcpy(&value, bytes + v->offset + part, MIN(v->size - part, sizeof(value)));
	return value;
}

static struct op load_variables(void)
{
	struct op op = load_version("v1", "test_carry_1", carry_programs);

	apply_fine(&op);
	assert_int_equal(run("v1", "xdp_carry"), XDP_PASS);
	return op;
}

static void variables_go_over_by_name(void **state)
{
	struct op_result r;
	struct op op;

	(void)state;
	load_variables();
	op = load_version("v2", "test_carry_2", carry_programs);
	take(&op, ".data", MAP_CARRY);
	take(&op, ".bss", MAP_CARRY);
	r = apply_fine(&op);
	assert_int_equal(variable_of("v2", &op, "total", 0), 2);
	assert_int_equal(variable_of("v2", &op, "limit", 0), 5);
	assert_int_equal(variable_of("v2", &op, "state", 0) & UINT32_MAX, 10);
	assert_int_equal(variable_of("v2", &op, "state", 8), 21);
	assert_int_equal(variable_of("v2", &op, "hidden", 0), 31);
	assert_int_equal(variable_of("v2", &op, "fresh", 0), 99);
	assert_int_equal(variable_of("v2", &op, "seen", 0), 1);
	assert_int_equal(variable_of("v2", &op, "unseen", 0), 0);
	assert_non_null(
		strstr(r.note, ".data: 4 variables have the values of version v1, 1 are new"));
	assert_int_not_equal(map_info("v1", ".data").id, map_info("v2", ".data").id);
	assert_int_equal(run("v2", "xdp_carry"), XDP_PASS);
	assert_int_equal(variable_of("v2", &op, "total", 0), 3);
}

static void a_declared_variable_has_its_declared_value(void **state)
{
	struct op op;

	(void)state;
	load_variables();
	op = load_version("v2", "test_carry_2", carry_programs);
	declare_value((struct object_decl *)op.object.decl, "limit", 77);
	take(&op, ".data", MAP_CARRY);
	apply_fine(&op);
	assert_int_equal(variable_of("v2", &op, "limit", 0), 77);
	assert_int_equal(variable_of("v2", &op, "total", 0), 2);
}

/* Its value came from a declaration that is gone. */
static void a_variable_that_is_declared_no_more_has_the_value_of_the_file(void **state)
{
	static const char *fresh[] = { "limit" };
	struct op_map *map;
	struct op op;

	(void)state;
	load_variables();
	op = load_version("v2", "test_carry_2", carry_programs);
	map = take(&op, ".data", MAP_CARRY);
	map->fresh = fresh;
	map->fresh_count = ARRAY_SIZE(fresh);
	apply_fine(&op);
	assert_int_equal(variable_of("v2", &op, "limit", 0), 6);
	assert_int_equal(variable_of("v2", &op, "total", 0), 2);
}

static void a_variable_of_another_type_is_told(void **state)
{
	struct op op;

	(void)state;
	load_variables();
	op = load_version("v2", "test_carry_3", carry_programs);
	take(&op, ".data", MAP_CARRY);
	apply_fails(&op, -EINVAL, "MapChanged", FAILURE_KERNEL,
		    "the values of .data of version v1 cannot be taken over: variable state has "
		    "another type, variable total has another type; `on_change: reset`");
	assert_int_equal(access(below("objects/o/v2"), F_OK), -1);
	assert_int_equal(run("v1", "xdp_carry"), XDP_PASS);
	/* What is declared does not go over, so its type does not matter. */
	declare_value((struct object_decl *)op.object.decl, "total", 5);
	apply_fails(&op, -EINVAL, "MapChanged", FAILURE_KERNEL,
		    "cannot be taken over: variable state has another type; ");
}

static void a_section_without_types_is_not_carried(void **state)
{
	struct op op;

	(void)state;
	load_variables();
	op = load_version("v2", "test_carry_2", carry_programs);
	take(&op, ".data", MAP_CARRY)->from = (struct map_ref){ "o", "v1", ".plain" };
	{
		cleanup(closep) int fd =
			bpf_map_create(BPF_MAP_TYPE_ARRAY, "plain", 4, 64, 1, NULL);
		struct bpf_map_info info = { 0 };
		uint32_t size = sizeof(info);

		MUST(fd);
		MUST(bpf_obj_pin(fd, below("%s", layout_map_pin(fixture.a, "o", "v1", ".plain"))));
		MUST(bpf_obj_get_info_by_fd(fd, &info, &size));
		for (size_t i = 0; i < op.object.map_count; i++)
			if (op.object.maps[i].action == MAP_CARRY)
				op.object.maps[i].from_id = info.id;
	}
	apply_fails(&op, -EINVAL, "MapChanged", FAILURE_KERNEL,
		    "the kernel has no types of its variables");
}

/* --- what only programs and sockets can tell --------------------------------------- */

static void remove_first(void)
{
	struct op remove = { .kind = OP_OBJECT_REMOVE,
			     .object = { .instance = "o", .version = "v1" } };

	apply_fine(&remove);
}

static struct op keep_op(const char *file, const char *const *programs, const char *const *maps)
{
	struct op op = load_version("v2", file, programs);

	for (; *maps; maps++)
		take(&op, *maps, MAP_KEEP);
	return op;
}

static bool load_or_skip(const struct op *op, const char *what)
{
	struct op_result r = apply(op);

	if (r.code == 0)
		return true;
	print_message("# this kernel has no %s: %s\n", what, r.error.text);
	return false;
}

static void a_timer_of_a_kept_map_goes_on(void **state)
{
	static const char *const programs[] = { "xdp_timer", NULL };
	static const char *const maps[] = { "expired", "timers", NULL };
	const struct timespec pause = { .tv_nsec = 1000 * 1000 };
	struct op op = load_version("v1", "test_opaque", programs);

	(void)state;
	if (!load_or_skip(&op, "timers (Linux 5.15)"))
		skip();
	op = keep_op("test_opaque", programs, maps);
	assert_int_equal(run("v1", "xdp_timer"), XDP_PASS);
	apply_fine(&op);
	remove_first();
	for (int i = 0; value_of("v2", "expired", 0) == 0; i++) {
		assert_true(i < 10000);
		(void)nanosleep(&pause, NULL);
	}
	assert_int_equal(run("v2", "xdp_timer"), XDP_PASS);
}

/*
 * A pointer to something of the program's own has its type by the BTF of the version that made the map, which the kernel
 * takes for another one than that of the next version, however equal they are.
 */
static void a_pointer_to_a_type_of_the_version_before_is_told(void **state)
{
	static const char *const programs[] = { "xdp_get", "xdp_put", NULL };
	static const char *const maps[] = { "numbers", NULL };
	struct op op = load_version("v1", "test_opaque", programs);

	(void)state;
	if (!load_or_skip(&op, "allocated objects (Linux 6.2)"))
		skip();
	assert_int_equal(run("v1", "xdp_put"), XDP_PASS);
	op = keep_op("test_opaque", programs, maps);
	apply_fails(
		&op, -EACCES, "VerifierRefused", FAILURE_KERNEL,
		"map numbers is kept, and what its values point to has the types of the version "
		"that made it");
	assert_int_equal(run("v1", "xdp_get"), XDP_DROP);
}

struct records {
	uint64_t numbers[8];
	size_t n;
};

static int on_record(void *arg, void *data, size_t size)
{
	struct records *r = arg;

	assert_int_equal(size, sizeof(uint64_t));
	assert_true(r->n < ARRAY_SIZE(r->numbers));
	memcpy(&r->numbers[r->n++], data, size);
	return 0;
}

static void a_consumer_goes_on_with_a_kept_ring(void **state)
{
	static const char *const maps[] = { "ring", ".bss", NULL };
	struct ring_buffer *consumer;
	struct records records = { 0 };
	struct op op;

	(void)state;
	load_first();
	{
		cleanup(closep) int fd = map_fd("v1", "ring");

		consumer = ring_buffer__new(fd, on_record, &records, NULL);
	}
	assert_non_null(consumer);
	run("v1", "xdp_count");
	op = keep_op("test_take_over", all_programs, maps);
	apply_fine(&op);
	run("v2", "xdp_count");
	run("v1", "xdp_count");
	remove_first();
	run("v2", "xdp_count");
	while (records.n < 4)
		assert_true(ring_buffer__poll(consumer, 10000) > 0);
	for (uint64_t i = 0; i < 4; i++)
		assert_int_equal(records.numbers[i], i);
	ring_buffer__free(consumer);
}

static void a_socket_stays_in_a_kept_map(void **state)
{
	static const char *const maps[] = { "xsks", NULL };
	uint32_t ifindex = make_veth("t0");
	struct xsk socket = { .fd = -1 };
	struct op op;

	(void)state;
	load_first();
	if (xsk_open(ifindex, &socket) < 0) {
		print_message("# no AF_XDP sockets here: %s\n", strerror(errno));
		skip();
	}
	{
		cleanup(closep) int fd = map_fd("v1", "xsks");

		MUST(bpf_map_update_elem(fd, &zero, &socket.fd, BPF_ANY));
	}
	op = keep_op("test_take_over", all_programs, maps);
	apply_fine(&op);
	remove_first();
	{
		cleanup(closep) int fd = bpf_obj_get(
			below("%s", layout_program_pin(fixture.a, "o", "v2", "xdp_xsk")));

		MUST(bpf_xdp_attach((int)ifindex, fd, XDP_FLAGS_SKB_MODE, NULL));
	}
	send_packet("t0-p", 1);
	MUST(xsk_wait(&socket, 1, 10000));
	(void)close(socket.fd);
}

static void what_a_program_array_was_given_stays(void **state)
{
	static const char *const maps[] = { "jumps", NULL };
	cleanup(closep) int program = -1, array = -1;
	uint32_t id = 0;
	struct op op;

	(void)state;
	load_first();
	program = bpf_obj_get(below("%s", layout_program_pin(fixture.a, "o", "v1", "xdp_count")));
	MUST(program);
	array = map_fd("v1", "jumps");
	MUST(bpf_map_update_elem(array, &zero, &program, BPF_ANY));
	op = keep_op("test_take_over", all_programs, maps);
	apply_fine(&op);
	closep(&array);
	array = map_fd("v2", "jumps");
	remove_first();
	MUST(bpf_map_lookup_elem(array, &zero, &id));
	assert_int_equal(id, id_of_program(program));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(a_kept_map_is_the_same_map),
		FIXTURE_TEST(both_versions_count_in_a_kept_map),
		FIXTURE_TEST(a_kept_map_of_maps_is_not_filled_again),
		FIXTURE_TEST(a_map_of_maps_that_is_new_is_filled),
		FIXTURE_TEST(a_kept_program_array_is_not_filled_again),
		FIXTURE_TEST(a_map_that_went_is_not_kept),
		FIXTURE_TEST(a_map_of_another_shape_is_not_kept),
		FIXTURE_TEST(a_larger_map_has_the_entries),
		FIXTURE_TEST(the_second_sweep_brings_what_the_old_version_changed),
		FIXTURE_TEST(a_second_sweep_can_be_repeated),
		FIXTURE_TEST(the_second_sweep_finds_a_map_that_was_kept_since),
		FIXTURE_TEST(without_a_snapshot_only_new_entries_come),
		FIXTURE_TEST(a_version_that_is_gone_leaves_nothing_to_sync),
		FIXTURE_TEST(maps_of_different_kinds_do_not_sync),
		FIXTURE_TEST(a_copy_that_fails_leaves_the_old_version_alone),
		FIXTURE_TEST(a_frozen_map_is_copied_and_frozen),
		FIXTURE_TEST(maps_with_access_flags_are_copied),
		FIXTURE_TEST(lists_of_all_cpus_are_filled),
		FIXTURE_TEST(a_busy_hash_is_copied),
		FIXTURE_TEST(a_busy_hash_without_preallocation_is_copied),
		FIXTURE_TEST(a_busy_array_is_copied),
		FIXTURE_TEST(values_with_a_lock_are_read_whole),
		FIXTURE_TEST(variables_go_over_by_name),
		FIXTURE_TEST(a_declared_variable_has_its_declared_value),
		FIXTURE_TEST(a_variable_that_is_declared_no_more_has_the_value_of_the_file),
		FIXTURE_TEST(a_variable_of_another_type_is_told),
		FIXTURE_TEST(a_section_without_types_is_not_carried),
		FIXTURE_TEST(a_timer_of_a_kept_map_goes_on),
		FIXTURE_TEST(a_pointer_to_a_type_of_the_version_before_is_told),
		FIXTURE_TEST(a_consumer_goes_on_with_a_kept_ring),
		FIXTURE_TEST(a_socket_stays_in_a_kept_map),
		FIXTURE_TEST(what_a_program_array_was_given_stays),
	};

	return FIXTURE_RUN("take_over", tests);
}
