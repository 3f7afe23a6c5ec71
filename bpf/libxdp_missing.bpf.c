// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What runs in the slot of a member that must not be missing and is (`on_missing: drop`). libxdp wants a
 * program for every slot, and knows nothing of slots that drop when they are empty.
 */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

SEC("freplace")
int bpfshare_missing(struct xdp_md *ctx)
{
	return XDP_DROP;
}

char _license[] SEC("license") = "Dual BSD/GPL";
