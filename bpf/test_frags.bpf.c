// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* A program that takes packets in several buffers, and one that does not. */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

SEC("xdp.frags")
int xdp_frags(struct xdp_md *ctx)
{
	return XDP_PASS;
}

SEC("xdp")
int xdp_no_frags(struct xdp_md *ctx)
{
	return XDP_PASS;
}

char _license[] SEC("license") = "Dual BSD/GPL";
