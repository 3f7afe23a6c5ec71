// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* A sound ELF file whose program the verifier refuses: it reads a byte that may not be there. */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

SEC("xdp")
int xdp_refused(struct xdp_md *ctx)
{
	const __u8 *data = (void *)(long)ctx->data;

	return data[0] ? XDP_PASS : XDP_DROP;
}

char _license[] SEC("license") = "Dual BSD/GPL";
