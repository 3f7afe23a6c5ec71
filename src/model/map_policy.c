/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
#include "model/map_policy.h"

#include <linux/bpf.h>
#include <string.h>

#include "base/str.h"

#define REFERENCES \
	"it holds references to maps, programs, sockets or devices, which cannot be read back"

/* Read-only sections are verified together with the programs; .kconfig is the running kernel's. */
static struct map_policy section_policy(const char *name)
{
	if (str_starts(name, ".rodata") || str_starts(name, ".kconfig"))
		return (struct map_policy){ .keeping = MAP_BY_FILE,
					    .growth = MAP_GROWS_NOT,
					    .why = "it holds read-only data of the object file" };
	return (struct map_policy){ .keeping = MAP_BY_VARIABLE,
				    .growth = MAP_GROWS_NOT,
				    .why = "it holds variables of the object file" };
}

static struct map_policy type_policy(const struct elf_map *m)
{
	switch (m->type) {
	case BPF_MAP_TYPE_HASH:
	case BPF_MAP_TYPE_PERCPU_HASH:
	case BPF_MAP_TYPE_LRU_HASH:
	case BPF_MAP_TYPE_LRU_PERCPU_HASH:
	case BPF_MAP_TYPE_ARRAY:
	case BPF_MAP_TYPE_PERCPU_ARRAY:
	case BPF_MAP_TYPE_LPM_TRIE:
		return (struct map_policy){ .keeping = MAP_KEPT,
					    .growth = MAP_GROWS_COPIED,
					    .typed = true };
	case BPF_MAP_TYPE_RINGBUF:
	case BPF_MAP_TYPE_USER_RINGBUF:
	case BPF_MAP_TYPE_PERF_EVENT_ARRAY:
		return (struct map_policy){ .keeping = MAP_KEPT, .growth = MAP_GROWS_EMPTY };
	/* Filled by the file, they hold the programs of that very version. */
	case BPF_MAP_TYPE_PROG_ARRAY:
		return (struct map_policy){ .keeping = m->filled ? MAP_BY_FILE : MAP_KEPT,
					    .growth = MAP_GROWS_NOT,
					    .why = REFERENCES };
	case BPF_MAP_TYPE_STRUCT_OPS:
		return (struct map_policy){ .keeping = MAP_BY_FILE,
					    .growth = MAP_GROWS_NOT,
					    .why = "it holds the programs of the object file" };
	case BPF_MAP_TYPE_ARRAY_OF_MAPS:
	case BPF_MAP_TYPE_HASH_OF_MAPS:
	case BPF_MAP_TYPE_XSKMAP:
	case BPF_MAP_TYPE_DEVMAP:
	case BPF_MAP_TYPE_DEVMAP_HASH:
	case BPF_MAP_TYPE_CPUMAP:
	case BPF_MAP_TYPE_SOCKMAP:
	case BPF_MAP_TYPE_SOCKHASH:
	case BPF_MAP_TYPE_REUSEPORT_SOCKARRAY:
	case BPF_MAP_TYPE_CGROUP_ARRAY:
		return (struct map_policy){ .keeping = MAP_KEPT,
					    .growth = MAP_GROWS_NOT,
					    .why = REFERENCES };
	default:
		return (struct map_policy){
			.keeping = MAP_KEPT,
			.growth = MAP_GROWS_NOT,
			.why = "maps of this type cannot be copied entry by entry",
			.typed = true
		};
	}
}

struct map_policy map_policy(const struct elf_map *m)
{
	struct map_policy p = m->is_data ? section_policy(m->name) : type_policy(m);

	if (m->opaque && p.growth == MAP_GROWS_COPIED) {
		p.growth = MAP_GROWS_NOT;
		p.why = "its values hold timers, kernel pointers, lists or trees, which cannot be "
			"copied";
	}
	return p;
}
