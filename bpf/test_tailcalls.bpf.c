// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A member that makes two tail calls of its own for each packet. Since 6.12 those count against the same
 * budget of 33 as the dispatcher's (up to 6.11 every sub-program call starts anew).
 */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} reached SEC(".maps");

SEC("xdp")
int xdp_last(struct xdp_md *ctx)
{
	__u32 key = 0;
	__u64 *count = bpf_map_lookup_elem(&reached, &key);

	if (count)
		++*count;
	return XDP_PASS;
}

int xdp_between(struct xdp_md *ctx);

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__array(values, int(struct xdp_md *));
} jumps SEC(".maps") = {
	.values = { &xdp_between, &xdp_last },
};

SEC("xdp")
int xdp_between(struct xdp_md *ctx)
{
	bpf_tail_call(ctx, &jumps, 1);
	return XDP_PASS;
}

SEC("xdp")
int xdp_first(struct xdp_md *ctx)
{
	bpf_tail_call(ctx, &jumps, 0);
	return XDP_PASS;
}

char _license[] SEC("license") = "Dual BSD/GPL";
