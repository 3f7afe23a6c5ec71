// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A member that moves packet data: takes the head off and puts it back. Since 6.12 the verifier lets such
 * a program replace only a function that may move packet data itself.
 */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#define HEAD 4

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} packets SEC(".maps");

SEC("xdp")
int xdp_move(struct xdp_md *ctx)
{
	__u32 key = 0;
	__u64 *seen = bpf_map_lookup_elem(&packets, &key);

	if (bpf_xdp_adjust_head(ctx, HEAD) < 0 || bpf_xdp_adjust_head(ctx, -HEAD) < 0)
		return XDP_ABORTED;
	if (seen)
		++*seen;
	return XDP_PASS;
}

char _license[] SEC("license") = "Dual BSD/GPL";
