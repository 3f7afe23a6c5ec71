/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
#include "kern/counters.h"

#include <errno.h>
#include <stdbool.h>
#include <time.h>

#include <bpf/bpf.h>

#include "base/alloc.h"
#include "base/macros.h"

/* Keys between two looks at the clock; about 100 µs. */
#define STRIDE 256

int counters_read_runs(uint32_t program, uint64_t *ret_count, uint64_t *ret_ns)
{
	cleanup(closep) int fd = bpf_prog_get_fd_by_id(program);
	struct bpf_prog_info info = { 0 };
	uint32_t size = sizeof(info);

	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &size) < 0)
		return -errno;
	*ret_count = info.run_cnt;
	*ret_ns = info.run_time_ns;
	return 0;
}

static bool has_fill(uint32_t type)
{
	switch (type) {
	case BPF_MAP_TYPE_HASH:
	case BPF_MAP_TYPE_PERCPU_HASH:
	case BPF_MAP_TYPE_LRU_HASH:
	case BPF_MAP_TYPE_LRU_PERCPU_HASH:
	case BPF_MAP_TYPE_LPM_TRIE:
	case BPF_MAP_TYPE_HASH_OF_MAPS:
	case BPF_MAP_TYPE_DEVMAP_HASH:
		return true;
	default:
		return false;
	}
}

static bool is_over(uint64_t deadline_ns)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec >= deadline_ns;
}

/*
 * A key that is deleted between two calls makes the kernel begin anew, so in a map that is written
 * to, keys may come twice, without end in a busy one: max_entries ends that.
 */
static int count_keys(int fd, const struct bpf_map_info *info, uint64_t deadline_ns, uint64_t *ret)
{
	cleanup(freep) void *key = xcalloc(1, info->key_size);
	const void *previous = NULL;
	uint64_t n = 0;

	while (n < info->max_entries && bpf_map_get_next_key(fd, previous, key) == 0) {
		previous = key;
		if (++n > COUNTERS_ENTRIES_MOST)
			return -E2BIG;
		if (n % STRIDE == 0 && is_over(deadline_ns))
			return -ETIMEDOUT;
	}
	if (n < info->max_entries && errno != ENOENT)
		return -errno;
	*ret = n;
	return 0;
}

int counters_count_entries(uint32_t map, uint64_t deadline_ns, uint64_t *ret)
{
	cleanup(closep) int fd = bpf_map_get_fd_by_id(map);
	struct bpf_map_info info = { 0 };
	uint32_t size = sizeof(info);

	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &size) < 0)
		return -errno;
	if (!has_fill(info.type))
		return -EOPNOTSUPP;
	return is_over(deadline_ns) ? -ETIMEDOUT : count_keys(fd, &info, deadline_ns, ret);
}
