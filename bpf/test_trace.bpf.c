// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A chain member for tests: notes which packets it saw, and when in relation to
 * other members.
 *
 * Globals
 *   id         who this is, in the trace
 *   verdict    what is returned for a packet that is watched
 *   ethertype  0: IPv4 with UDP or ICMP is watched; else only this EtherType (host
 *              order), for example 0x88b5, which no protocol uses. All other
 *              packets pass: neighbour discovery works and leaves no trace.
 *   record     false: count only, for tests under load
 * Maps
 *   trace    one struct test_trace; share it between objects with `use`
 *   packets  per CPU, one entry: watched packets seen by this object
 *
 * The packet's number is, in network order, the first four bytes of the UDP
 * payload, the identifier and sequence number of the ICMP message, or the first
 * four bytes behind the Ethernet header (and VLAN tags).
 */
#include <linux/in.h>
#include <linux/ip.h>
#include <stdbool.h>
#include <stddef.h>

#include "packet.h"
#include "test_trace_map.h"

const volatile __u32 id = 0;
const volatile __u32 verdict = XDP_PASS;
const volatile __u16 ethertype = 0;
const volatile bool record = true;

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} packets SEC(".maps");

/* Where the number of a watched packet is; NULL for any other packet. */
static __always_inline __be32 *find_number(void *data, void *data_end)
{
	void *header = data, *number;
	__u16 protocol = packet_network_header(data, data_end, &header);
	struct iphdr *ipv4 = header;

	if (ethertype) {
		number = protocol == ethertype ? header : NULL;
	} else {
		if (protocol != ETH_P_IP || (void *)(ipv4 + 1) > data_end)
			return NULL;
		number = header + ipv4->ihl * 4;
		if (ipv4->protocol == IPPROTO_UDP)
			number += 8;
		else if (ipv4->protocol == IPPROTO_ICMP)
			number += 4;
		else
			return NULL;
	}
	return number && number + sizeof(__be32) <= data_end ? number : NULL;
}

SEC("xdp")
int xdp_trace(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *data_end = (void *)(long)ctx->data_end;
	__be32 *number = find_number(data, data_end);
	__u32 key = 0;
	__u64 *seen;

	if (!number)
		return XDP_PASS;
	seen = bpf_map_lookup_elem(&packets, &key);
	if (seen)
		++*seen;
	if (record)
		trace_append(id, bpf_ntohl(*number));
	return verdict;
}

char _license[] SEC("license") = "Dual BSD/GPL";
