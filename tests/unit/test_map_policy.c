/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* The table of map types in bpfshare.d(5), row for row. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <linux/bpf.h>

#include "base/macros.h"
#include "model/map_policy.h"

#define ARENA_TYPE  33 /* the headers of a build may not know it yet */
#define FUTURE_TYPE 99 /* nor does anybody know this one */

#define KEPT(type_, growth_)                                        \
	{                                                           \
		{ .name = "m", .type = (type_) }, MAP_KEPT, growth_ \
	}

static const struct {
	struct elf_map map;
	enum map_keeping keeping;
	enum map_growth growth;
} rows[] = {
	KEPT(BPF_MAP_TYPE_HASH, MAP_GROWS_COPIED),
	KEPT(BPF_MAP_TYPE_PERCPU_HASH, MAP_GROWS_COPIED),
	KEPT(BPF_MAP_TYPE_LRU_HASH, MAP_GROWS_COPIED),
	KEPT(BPF_MAP_TYPE_LRU_PERCPU_HASH, MAP_GROWS_COPIED),
	KEPT(BPF_MAP_TYPE_ARRAY, MAP_GROWS_COPIED),
	KEPT(BPF_MAP_TYPE_PERCPU_ARRAY, MAP_GROWS_COPIED),
	KEPT(BPF_MAP_TYPE_LPM_TRIE, MAP_GROWS_COPIED),
	{ { .name = "m", .type = BPF_MAP_TYPE_HASH, .opaque = true }, MAP_KEPT, MAP_GROWS_NOT },
	{ { .name = "m", .type = BPF_MAP_TYPE_ARRAY, .opaque = true }, MAP_KEPT, MAP_GROWS_NOT },
	KEPT(BPF_MAP_TYPE_RINGBUF, MAP_GROWS_EMPTY),
	KEPT(BPF_MAP_TYPE_USER_RINGBUF, MAP_GROWS_EMPTY),
	KEPT(BPF_MAP_TYPE_PERF_EVENT_ARRAY, MAP_GROWS_EMPTY),
	KEPT(BPF_MAP_TYPE_PROG_ARRAY, MAP_GROWS_NOT),
	{ { .name = "m", .type = BPF_MAP_TYPE_PROG_ARRAY, .filled = true },
	  MAP_BY_FILE,
	  MAP_GROWS_NOT },
	KEPT(BPF_MAP_TYPE_ARRAY_OF_MAPS, MAP_GROWS_NOT),
	KEPT(BPF_MAP_TYPE_HASH_OF_MAPS, MAP_GROWS_NOT),
	{ { .name = "m", .type = BPF_MAP_TYPE_ARRAY_OF_MAPS, .filled = true },
	  MAP_KEPT,
	  MAP_GROWS_NOT },
	{ { .name = "m", .type = BPF_MAP_TYPE_HASH_OF_MAPS, .filled = true },
	  MAP_KEPT,
	  MAP_GROWS_NOT },
	KEPT(BPF_MAP_TYPE_XSKMAP, MAP_GROWS_NOT),
	KEPT(BPF_MAP_TYPE_DEVMAP, MAP_GROWS_NOT),
	KEPT(BPF_MAP_TYPE_DEVMAP_HASH, MAP_GROWS_NOT),
	KEPT(BPF_MAP_TYPE_CPUMAP, MAP_GROWS_NOT),
	KEPT(BPF_MAP_TYPE_SOCKMAP, MAP_GROWS_NOT),
	KEPT(BPF_MAP_TYPE_SOCKHASH, MAP_GROWS_NOT),
	KEPT(BPF_MAP_TYPE_REUSEPORT_SOCKARRAY, MAP_GROWS_NOT),
	KEPT(BPF_MAP_TYPE_CGROUP_ARRAY, MAP_GROWS_NOT),
	KEPT(BPF_MAP_TYPE_QUEUE, MAP_GROWS_NOT),
	KEPT(BPF_MAP_TYPE_STACK, MAP_GROWS_NOT),
	KEPT(BPF_MAP_TYPE_BLOOM_FILTER, MAP_GROWS_NOT),
	KEPT(BPF_MAP_TYPE_STACK_TRACE, MAP_GROWS_NOT),
	KEPT(BPF_MAP_TYPE_SK_STORAGE, MAP_GROWS_NOT),
	KEPT(BPF_MAP_TYPE_INODE_STORAGE, MAP_GROWS_NOT),
	KEPT(BPF_MAP_TYPE_TASK_STORAGE, MAP_GROWS_NOT),
	KEPT(BPF_MAP_TYPE_CGRP_STORAGE, MAP_GROWS_NOT),
	KEPT(BPF_MAP_TYPE_CGROUP_STORAGE, MAP_GROWS_NOT),
	KEPT(BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE, MAP_GROWS_NOT),
	KEPT(ARENA_TYPE, MAP_GROWS_NOT),
	KEPT(FUTURE_TYPE, MAP_GROWS_NOT),
	{ { .name = "m", .type = BPF_MAP_TYPE_STRUCT_OPS }, MAP_BY_FILE, MAP_GROWS_NOT },
	{ { .name = ".rodata", .type = BPF_MAP_TYPE_ARRAY, .is_data = true },
	  MAP_BY_FILE,
	  MAP_GROWS_NOT },
	{ { .name = ".rodata.words", .type = BPF_MAP_TYPE_ARRAY, .is_data = true },
	  MAP_BY_FILE,
	  MAP_GROWS_NOT },
	{ { .name = ".kconfig", .type = BPF_MAP_TYPE_ARRAY, .is_data = true },
	  MAP_BY_FILE,
	  MAP_GROWS_NOT },
	{ { .name = ".data", .type = BPF_MAP_TYPE_ARRAY, .is_data = true },
	  MAP_BY_VARIABLE,
	  MAP_GROWS_NOT },
	{ { .name = ".data.locked", .type = BPF_MAP_TYPE_ARRAY, .is_data = true, .opaque = true },
	  MAP_BY_VARIABLE,
	  MAP_GROWS_NOT },
	{ { .name = ".bss", .type = BPF_MAP_TYPE_ARRAY, .is_data = true },
	  MAP_BY_VARIABLE,
	  MAP_GROWS_NOT },
};

static void every_type_is_decided(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct map_policy p = map_policy(&rows[i].map);

		if (p.keeping != rows[i].keeping || p.growth != rows[i].growth)
			fail_msg("row %zu: type %u, %s", i, rows[i].map.type, rows[i].map.name);
		/* Who cannot grow says why; who can has no reason not to. */
		if (!p.why != (p.growth != MAP_GROWS_NOT))
			fail_msg("row %zu: type %u: %s", i, rows[i].map.type, p.why);
	}
}

/* A section's map is an array that could grow, were it not for what it stands for. */
static void names_matter_for_sections_only(void **state)
{
	const struct elf_map m = { .name = ".rodata", .type = BPF_MAP_TYPE_ARRAY };

	(void)state;
	assert_int_equal(map_policy(&m).keeping, MAP_KEPT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_type_is_decided),
		cmocka_unit_test(names_matter_for_sections_only),
	};

	return cmocka_run_group_tests_name("map_policy", tests, NULL, NULL);
}
