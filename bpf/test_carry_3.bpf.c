// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* See test_carry_1: total is smaller, and a member of state has another name. */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

struct state {
	__u32 first;
	__u64 last;
};

__u32 total = 2;
__u32 limit = 6;
struct state state = { 11, 21 };

SEC("xdp")
int xdp_carry(struct xdp_md *ctx)
{
	__sync_fetch_and_add(&total, 1);
	__sync_fetch_and_add(&state.last, 1);
	return limit > 0 ? XDP_PASS : XDP_DROP;
}

char _license[] SEC("license") = "Dual BSD/GPL";
