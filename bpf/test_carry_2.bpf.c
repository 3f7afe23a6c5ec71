// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* See test_carry_1. */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

typedef __u64 counter_t;

struct state {
	__u32 first;
	__u64 second;
};

struct state state = { 11, 21 };
__u32 fresh = 99;
__u32 limit = 6;
static volatile __u32 hidden = 31;
counter_t total = 2;
__u64 seen;
__u32 unseen;

SEC("xdp")
int xdp_carry(struct xdp_md *ctx)
{
	__sync_fetch_and_add(&total, 1);
	__sync_fetch_and_add(&seen, 1);
	__sync_fetch_and_add(&state.second, 1);
	hidden++;
	return limit + fresh + unseen > 0 ? XDP_PASS : XDP_DROP;
}

char _license[] SEC("license") = "Dual BSD/GPL";
