// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * One map of each type that a new version of an object may meet, for tests of what becomes of their contents.
 *
 * Globals
 *   changed   in .data, 7 at first
 *   counted   in .bss
 * Programs
 *   xdp_count   adds 1 to entry 0 of array and percpu_array, and to changed and counted; puts the number of
 *               the run into hash, and 8 bytes of it into the ring buffer
 *   xdp_xsk     sends packets to the AF_XDP socket in slot 0 of xsks
 *   xdp_jump    jumps through slot 1 of filled_jumps to xdp_target, which returns XDP_DROP
 *   xdp_inner   returns what entry 0 of the map in slot 0 of filled_outer holds
 */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

__u64 changed = 7;
__u64 counted = 0;

#define MAP(name, map_type, entries, flag)             \
	struct {                                       \
		__uint(type, BPF_MAP_TYPE_##map_type); \
		__uint(max_entries, entries);          \
		__uint(map_flags, map_flags_##flag);   \
		__type(key, __u32);                    \
		__type(value, __u64);                  \
	} name SEC(".maps")
#define map_flags_none        0
#define map_flags_no_prealloc BPF_F_NO_PREALLOC
#define map_flags_per_cpu_lru BPF_F_NO_COMMON_LRU

MAP(hash, HASH, 64, none);
MAP(hash_no_prealloc, HASH, 64, no_prealloc);
MAP(percpu_hash, PERCPU_HASH, 64, none);
/* Some CPUs may hold 128 free entries each, which the others cannot have. */
MAP(lru_hash, LRU_HASH, 2048, none);
MAP(lru_per_cpu_lists, LRU_HASH, 1024, per_cpu_lru);
MAP(lru_percpu_hash, LRU_PERCPU_HASH, 2048, none);
MAP(array, ARRAY, 16, none);
MAP(percpu_array, PERCPU_ARRAY, 16, none);

struct odd_value {
	__u8 bytes[5];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, struct odd_value);
} percpu_odd SEC(".maps");

struct lpm_key {
	__u32 prefix_length;
	__u32 address;
};

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 64);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct lpm_key);
	__type(value, __u64);
} lpm SEC(".maps");

struct locked_value {
	struct bpf_spin_lock lock;
	__u32 first;
	__u64 second;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, struct locked_value);
} locked_hash SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 16);
	__type(key, __u32);
	__type(value, struct locked_value);
} locked_array SEC(".maps");

struct large_value {
	struct bpf_spin_lock lock;
	__u32 unused;
	__u64 words[500];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, struct large_value);
} locked_large SEC(".maps");

struct inner {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} inner_one SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 2);
	__type(key, __u32);
	__array(values, struct inner);
} filled_outer SEC(".maps") = {
	.values = { [0] = &inner_one },
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH_OF_MAPS);
	__uint(max_entries, 2);
	__type(key, __u32);
	__array(values, struct inner);
} outer SEC(".maps");

struct inner_of_two {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u64);
};

/* Differs from `outer` in the size of what it holds alone. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH_OF_MAPS);
	__uint(max_entries, 2);
	__type(key, __u32);
	__array(values, struct inner_of_two);
} outer_of_two SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u32);
} jumps SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_XSKMAP);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u32);
} xsks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u32);
} devices SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP_HASH);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u32);
} devices_hash SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_CPUMAP);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u32);
} cpus SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_SOCKMAP);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u64);
} sockets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} ring SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
} perf SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, 8);
	__type(value, __u64);
} queue SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_STACK);
	__uint(max_entries, 8);
	__type(value, __u64);
} stack SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_SOCKHASH);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u64);
} sockets_hash SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_REUSEPORT_SOCKARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u64);
} reuseport SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_CGROUP_ARRAY);
	__uint(max_entries, 4);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
} cgroups SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_STACK_TRACE);
	__uint(max_entries, 4);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, 8 * sizeof(__u64));
} stacks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, __u64);
} socket_storage SEC(".maps");

SEC("xdp")
int xdp_target(struct xdp_md *ctx)
{
	return XDP_DROP;
}

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__array(values, int(struct xdp_md *));
} filled_jumps SEC(".maps") = {
	.values = { [1] = &xdp_target },
};

SEC("xdp")
int xdp_count(struct xdp_md *ctx)
{
	__u64 *value, number = counted;
	__u32 zero = 0, key = (__u32)number;

	/* Without the value, which Linux 5.10 cannot fetch. */
	__sync_fetch_and_add(&counted, 1);
	__sync_fetch_and_add(&changed, 1);
	value = bpf_map_lookup_elem(&array, &zero);
	if (value)
		__sync_fetch_and_add(value, 1);
	value = bpf_map_lookup_elem(&percpu_array, &zero);
	if (value)
		++*value;
	bpf_map_update_elem(&hash, &key, &number, BPF_ANY);
	bpf_ringbuf_output(&ring, &number, sizeof(number), 0);
	return XDP_PASS;
}

SEC("xdp")
int xdp_xsk(struct xdp_md *ctx)
{
	return bpf_redirect_map(&xsks, 0, XDP_PASS);
}

SEC("xdp")
int xdp_jump(struct xdp_md *ctx)
{
	bpf_tail_call(ctx, &filled_jumps, 1);
	return XDP_ABORTED;
}

SEC("xdp")
int xdp_inner(struct xdp_md *ctx)
{
	__u32 zero = 0;
	void *map = bpf_map_lookup_elem(&filled_outer, &zero);
	__u64 *value = map ? bpf_map_lookup_elem(map, &zero) : NULL;

	return value ? (int)*value : XDP_ABORTED;
}

char _license[] SEC("license") = "GPL";
