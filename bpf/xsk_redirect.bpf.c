// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Hands the packets of every receive queue to the AF_XDP socket that is
 * registered for it. Queues without a socket go on to the next program of the
 * chain, or to the kernel: XDP_PASS.
 *
 * A socket receives only from the device and queue it is bound to, so a map
 * serves one interface: declare the object with `instances: interface` to attach
 * it to several.
 *
 * Maps
 *   xsks_map  from receive queue to AF_XDP socket; libxdp, DPDK and others look
 *             for this name.
 */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_XSKMAP);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, __u32);
} xsks_map SEC(".maps");

SEC("xdp")
int xdp_xsk_redirect(struct xdp_md *ctx)
{
	return bpf_redirect_map(&xsks_map, ctx->rx_queue_index, XDP_PASS);
}

char _license[] SEC("license") = "Dual BSD/GPL";
