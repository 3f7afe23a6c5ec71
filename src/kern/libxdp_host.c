/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Which version of the structure the tools of this host write. libxdp loads its dispatcher from a file, whose BTF
 * names the version: an array type of that many elements, as libbpf's __uint() makes it.
 */
#include "kern/libxdp.h"

#include <unistd.h>

#include <bpf/btf.h>

#include "base/alloc.h"
#include "base/macros.h"
#include "base/str.h"
#include "kern/libbpf_words.h"

#define DISPATCHER_FILE  "xdp-dispatcher.o"
#define METADATA_SECTION "xdp_metadata"
#define VERSION_VARIABLE "dispatcher_version"

#if defined(__x86_64__)
#define MULTIARCH "x86_64-linux-gnu"
#elif defined(__aarch64__)
#define MULTIARCH "aarch64-linux-gnu"
#elif defined(__s390x__)
#define MULTIARCH "s390x-linux-gnu"
#elif defined(__riscv)
#define MULTIARCH "riscv64-linux-gnu"
#elif defined(__powerpc64__)
#define MULTIARCH "powerpc64le-linux-gnu"
#elif defined(__loongarch__)
#define MULTIARCH "loongarch64-linux-gnu"
#else
#define MULTIARCH "unknown"
#endif

/* What is installed by hand is meant to come first. */
const char *const libxdp_host_directories[] = {
	"/usr/local/lib/bpf", "/usr/local/lib64/bpf", "/usr/lib/" MULTIARCH "/bpf",
	"/usr/lib64/bpf",     "/usr/lib/bpf",         NULL
};

static void btfp(struct btf **b)
{
	btf__free(*b);
}

static uint32_t array_count(const struct btf *btf, uint32_t type)
{
	const struct btf_type *t = btf__type_by_id(btf, type);

	if (!t || !btf_is_ptr(t))
		return 0;
	t = btf__type_by_id(btf, t->type);
	return t && btf_is_array(t) ? btf_array(t)->nelems : 0;
}

static uint32_t read_version(const char *path)
{
	struct libbpf_words words;
	cleanup(btfp) struct btf *btf = NULL;
	const struct btf_type *section;
	int32_t id;

	libbpf_words_begin(&words);
	btf = btf__parse_elf(path, NULL);
	libbpf_words_end();
	id = btf ? btf__find_by_name_kind(btf, METADATA_SECTION, BTF_KIND_DATASEC) : -1;
	if (id <= 0)
		return 0;
	section = btf__type_by_id(btf, (uint32_t)id);
	for (uint16_t i = 0; i < btf_vlen(section); i++) {
		const struct btf_type *var =
			btf__type_by_id(btf, btf_var_secinfos(section)[i].type);

		if (var && btf_is_var(var) &&
		    str_eq(btf__name_by_offset(btf, var->name_off), VERSION_VARIABLE))
			return array_count(btf, var->type);
	}
	return 0;
}

/* The nearest that we can write: readers take lower versions, and version 1 has no place for what we need. */
uint32_t libxdp_host_version(const char *const *directories)
{
	for (; *directories; directories++) {
		cleanup(freep) char *path = xasprintf("%s/" DISPATCHER_FILE, *directories);
		uint32_t version = access(path, R_OK) == 0 ? read_version(path) : 0;

		if (version)
			return MIN(MAX(version, (uint32_t)LIBXDP_VERSION_MIN),
				   (uint32_t)LIBXDP_VERSION_MAX);
	}
	return 0;
}
