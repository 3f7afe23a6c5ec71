// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Maps of types that are younger than Linux 5.10, the youngest of 6.9. */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

/* Not in the headers of Debian 12. */
#define MAP_TYPE_USER_RINGBUF 31
#define MAP_TYPE_ARENA        33

struct {
	__uint(type, BPF_MAP_TYPE_BLOOM_FILTER);
	__uint(max_entries, 64);
	__type(value, __u32);
} bloom SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, __u64);
} task_storage SEC(".maps");

struct {
	__uint(type, MAP_TYPE_USER_RINGBUF);
	__uint(max_entries, 4096);
} user_ring SEC(".maps");

struct {
	__uint(type, MAP_TYPE_ARENA);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
} arena SEC(".maps");

SEC("xdp")
int xdp_bloom(struct xdp_md *ctx)
{
	__u32 value = 4711;

	return bpf_map_peek_elem(&bloom, &value) ? XDP_PASS : XDP_DROP;
}

char _license[] SEC("license") = "Dual BSD/GPL";
