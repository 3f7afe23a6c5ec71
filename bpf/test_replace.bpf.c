// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Members that not every dispatcher takes: they change packets, or are not what a stub looks like. */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

/* Moves the beginning there and back: the packet is as before, but the verifier has seen it change. */
SEC("xdp")
int xdp_adjusts(struct xdp_md *ctx)
{
	if (bpf_xdp_adjust_head(ctx, 4) || bpf_xdp_adjust_head(ctx, -4))
		return XDP_ABORTED;
	return XDP_TX;
}

/* Fine for an interface; a function that replaces another must have its very prototype. */
SEC("xdp")
int xdp_other_prototype(void *ctx)
{
	return XDP_PASS;
}

/* Its name is longer than the kernel keeps. */
SEC("xdp")
int xdp_with_a_name_of_many_characters(struct xdp_md *ctx)
{
	return XDP_DROP;
}

char _license[] SEC("license") = "Dual BSD/GPL";
