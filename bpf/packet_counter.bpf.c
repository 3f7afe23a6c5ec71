// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Counts packets and bytes per IP protocol, through up to two VLAN tags, and
 * lets everything pass.
 *
 * Maps
 *   counters  per CPU, one struct traffic for each protocol number of IPv4 and
 *             IPv6 (6: TCP, 17: UDP, 58: ICMPv6, …) and one, at
 *             PACKET_COUNTER_NOT_IP, for all other frames. A packet with IPv6
 *             extension headers counts under the number of its first one.
 */
#include <linux/ip.h>
#include <linux/ipv6.h>

#include "examples.h"
#include "packet.h"

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, PACKET_COUNTER_NOT_IP + 1);
	__type(key, __u32);
	__type(value, struct traffic);
} counters SEC(".maps");

static __always_inline __u32 counter_of(void *data, void *data_end)
{
	void *header = data;
	struct iphdr *ipv4;
	struct ipv6hdr *ipv6;

	switch (packet_network_header(data, data_end, &header)) {
	case ETH_P_IP:
		ipv4 = header;
		return (void *)(ipv4 + 1) <= data_end ? ipv4->protocol : PACKET_COUNTER_NOT_IP;
	case ETH_P_IPV6:
		ipv6 = header;
		return (void *)(ipv6 + 1) <= data_end ? ipv6->nexthdr : PACKET_COUNTER_NOT_IP;
	default:
		return PACKET_COUNTER_NOT_IP;
	}
}

SEC("xdp")
int xdp_packet_counter(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *data_end = (void *)(long)ctx->data_end;
	__u32 key = counter_of(data, data_end);
	struct traffic *counter = bpf_map_lookup_elem(&counters, &key);

	if (counter) {
		counter->packets++;
		counter->bytes += data_end - data;
	}
	return XDP_PASS;
}

char _license[] SEC("license") = "Dual BSD/GPL";
