// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Global variables before an upgrade; test_carry_2 has them in another order, with other initial values
 * and one more, test_carry_3 with other types.
 *
 * Programs
 *   xdp_carry  adds 1 to total, seen, state.second and hidden
 */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

struct state {
	__u32 first;
	__u64 second;
};

__u64 total = 1;
__u32 limit = 5;
struct state state = { 10, 20 };
__u64 dropped = 1;
static volatile __u32 hidden = 30;
__u64 seen;

SEC("xdp")
int xdp_carry(struct xdp_md *ctx)
{
	__sync_fetch_and_add(&total, 1);
	__sync_fetch_and_add(&seen, 1);
	__sync_fetch_and_add(&state.second, 1);
	hidden++;
	return limit + dropped > 0 ? XDP_PASS : XDP_DROP;
}

char _license[] SEC("license") = "Dual BSD/GPL";
