// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A program with a program array of its own that is filled at load time: whoever
 * asks for xdp_prog_array alone must load xdp_jump_target as well.
 *
 * Globals
 *   verdict  what xdp_jump_target returns; a jump that failed is XDP_ABORTED
 * Maps
 *   jumps    the program array
 *   reached  one entry: how often xdp_jump_target ran
 */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

const volatile __u32 verdict = XDP_PASS;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} reached SEC(".maps");

SEC("xdp")
int xdp_jump_target(struct xdp_md *ctx)
{
	__u32 key = 0;
	__u64 *count = bpf_map_lookup_elem(&reached, &key);

	if (count)
		__sync_fetch_and_add(count, 1);
	return verdict;
}

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__array(values, int(struct xdp_md *));
} jumps SEC(".maps") = {
	.values = { [1] = &xdp_jump_target },
};

SEC("xdp")
int xdp_prog_array(struct xdp_md *ctx)
{
	bpf_tail_call(ctx, &jumps, 1);
	return XDP_ABORTED;
}

char _license[] SEC("license") = "Dual BSD/GPL";
