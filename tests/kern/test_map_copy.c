/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/macros.h"
#include "base/str.h"
#include "kern/map_copy.h"
#include "kern/map_reader.h"
#include "take_over_fixture.h"

static const uint32_t zero;

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
	struct op op = load_version("v2", "test_take_over", take_over_programs);

	for (size_t i = 0; i < ARRAY_SIZE(growable_maps); i++)
		take(&op, growable_maps[i].map, MAP_COPY)->max_entries = LARGER;
	return apply_fine(&op);
}

/* Both versions, the maps of the first with entries, which the second has copied. */
static struct op_result load_both(void)
{
	load_first();
	fill("v1");
	return load_larger();
}

static void a_larger_map_has_the_entries(void **state)
{
	struct op_result r;

	(void)state;
	r = load_both();
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
	load_both();
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
	load_both();
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
	load_both();
	op = load_version("v3", "test_take_over", take_over_programs);
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
	load_both();
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
	op = load_version("v2", "test_take_over", take_over_programs);
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
	op = load_version("v2", "test_take_over", take_over_programs);
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

/* It holds up everything else, and a watchdog waits. */
static void a_copy_has_its_time(void **state)
{
	static const char *const maps[] = { "hash", "array", "lpm", "percpu_array" };
	struct map_snapshots *snapshots = map_snapshots_new();

	(void)state;
	load_both();
	for (size_t i = 0; i < ARRAY_SIZE(maps); i++) {
		cleanup(closep) int from = map_fd("v1", maps[i]), to = map_fd("v2", maps[i]);
		struct error e = { 0 };
		uint64_t count;

		assert_int_equal(map_copy(snapshots, (const int[]){ from, to }, map_now_ns() - 1,
					  &count, &e),
				 -ETIMEDOUT);
		assert_non_null(strstr(e.text, "it takes too long"));
		assert_int_equal(map_copy(snapshots, (const int[]){ from, to },
					  map_now_ns() + UINT64_C(60000000000), &count, &e),
				 0);
		assert_int_equal(count, ENTRIES);
	}
	map_snapshots_free(snapshots);
}

static void a_plan_has_its_time(void **state)
{
	int64_t left = MAP_SWEEP_ALL_MS;
	struct kern_context c = { .sweep_ms = &left };
	struct map_sweep s = map_sweep_begin(&c);

	(void)state;
	assert_true(s.whole);
	assert_int_equal(s.deadline_ns - s.begun_ns, MAP_SWEEP_MS * UINT64_C(1000000));
	s.begun_ns -= UINT64_C(40000000000); /* it took so long */
	map_sweep_end(&s);
	s = map_sweep_begin(&c);
	assert_false(s.whole);
	assert_true(s.deadline_ns - s.begun_ns <= UINT64_C(20000000000));
	s.begun_ns -= UINT64_C(40000000000);
	map_sweep_end(&s);
	s = map_sweep_begin(&c);
	assert_false(s.whole);
	assert_int_equal(s.deadline_ns, s.begun_ns);
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
	op = load_version("v2", "test_take_over", take_over_programs);
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
	struct op op = load_version("v1", "test_take_over", take_over_programs);
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
	op = load_version("v2", "test_take_over", take_over_programs);
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
	assert_int_equal(map_reader_init(&reader, fd, UINT64_MAX, &e), 0);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
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
		FIXTURE_TEST(a_copy_has_its_time),
		FIXTURE_TEST(a_plan_has_its_time),
		FIXTURE_TEST(lists_of_all_cpus_are_filled),
		FIXTURE_TEST(a_busy_hash_is_copied),
		FIXTURE_TEST(a_busy_hash_without_preallocation_is_copied),
		FIXTURE_TEST(a_busy_array_is_copied),
		FIXTURE_TEST(values_with_a_lock_are_read_whole),
	};

	return FIXTURE_RUN("map_copy", tests);
}
