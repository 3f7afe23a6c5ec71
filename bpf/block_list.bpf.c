// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Drops IP packets by their source address, looked up in lists of prefixes (the
 * longest match counts). Frames that are not IP pass: ARP always works, IPv6
 * neighbour discovery only if its sources, fe80::/10 and ::/128, may pass.
 *
 * Globals
 *   drop_by_default  false: what the lists hold is dropped, all else passes.
 *                    true: the lists hold the exceptions, so what they do *not*
 *                    hold is dropped.
 * Maps
 *   blocked_v4, blocked_v6  the lists; each entry counts what it matched.
 *   dropped                 per CPU, one entry: what was dropped.
 */
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <stdbool.h>
#include <stddef.h>

#include "examples.h"
#include "packet.h"

const volatile bool drop_by_default = false;

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, struct block_list_v4);
	__type(value, struct traffic);
} blocked_v4 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, struct block_list_v6);
	__type(value, struct traffic);
} blocked_v6 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct traffic);
} dropped SEC(".maps");

static __always_inline struct traffic *find_v4(const struct iphdr *ipv4)
{
	struct block_list_v4 key = { .prefix_length = 32 };

	__builtin_memcpy(key.address, &ipv4->saddr, sizeof(key.address));
	return bpf_map_lookup_elem(&blocked_v4, &key);
}

static __always_inline struct traffic *find_v6(const struct ipv6hdr *ipv6)
{
	struct block_list_v6 key = { .prefix_length = 128 };

	__builtin_memcpy(key.address, &ipv6->saddr, sizeof(key.address));
	return bpf_map_lookup_elem(&blocked_v6, &key);
}

static __always_inline int drop(__u64 bytes)
{
	__u32 key = 0;
	struct traffic *total = bpf_map_lookup_elem(&dropped, &key);

	if (total) {
		total->packets++;
		total->bytes += bytes;
	}
	return XDP_DROP;
}

SEC("xdp")
int xdp_block_list(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *data_end = (void *)(long)ctx->data_end;
	__u64 bytes = data_end - data;
	struct traffic *entry;
	void *header = data;

	switch (packet_network_header(data, data_end, &header)) {
	case ETH_P_IP:
		if (header + sizeof(struct iphdr) > data_end)
			return drop(bytes);
		entry = find_v4(header);
		break;
	case ETH_P_IPV6:
		if (header + sizeof(struct ipv6hdr) > data_end)
			return drop(bytes);
		entry = find_v6(header);
		break;
	default:
		return XDP_PASS;
	}
	if (entry) {
		__sync_fetch_and_add(&entry->packets, 1);
		__sync_fetch_and_add(&entry->bytes, bytes);
	}
	return (entry != NULL) != drop_by_default ? drop(bytes) : XDP_PASS;
}

char _license[] SEC("license") = "Dual BSD/GPL";
