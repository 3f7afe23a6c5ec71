/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Builds of one object whose maps outlive them, or do not; the including file defines TEST_UPGRADE:
 *
 *   1  the first
 *   2  one variable more; everything else means the same
 *   3  the values of `flows` are as large as before and mean something else
 *   4  as 3, but the verifier refuses it
 *
 * Each counts frames of the EtherType 0x88b5, which begin with a number, and lets everything pass.
 *
 * Globals
 *   build    in .rodata
 *   limit    in .data, 100 at first; no program writes to it
 *   scratch  in .data, 5 at first; 1 is added for each frame
 *   packets  in .bss
 * Maps
 *   builds  per CPU, frames by number of the build
 *   flows   by the frame's number modulo 48: how many there were, and the last number
 */
#pragma once

#include "packet.h"

#define TEST_UPGRADE_ETHERTYPE 0x88b5
#define TEST_UPGRADE_FLOWS     48

const volatile __u32 build = TEST_UPGRADE;

#if TEST_UPGRADE == 2
__u64 bytes = 0;
#endif
__u64 packets = 0;
__u64 limit = 100;
__u64 scratch = 5;

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 8);
	__type(key, __u32);
	__type(value, __u64);
} builds SEC(".maps");

struct flow {
#if TEST_UPGRADE >= 3
	__u64 last, count;
#else
	__u64 count, last;
#endif
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, struct flow);
} flows SEC(".maps");

static __always_inline void count_flow(__u32 number)
{
	__u32 key = number % TEST_UPGRADE_FLOWS;
	struct flow first = { .count = 1, .last = number }, *flow;

	flow = bpf_map_lookup_elem(&flows, &key);
	if (!flow) {
		bpf_map_update_elem(&flows, &key, &first, BPF_NOEXIST);
		return;
	}
	__sync_fetch_and_add(&flow->count, 1);
	flow->last = number;
}

SEC("xdp")
int xdp_upgrade(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *data_end = (void *)(long)ctx->data_end;
	void *header = data;
	__u32 key = build;
	__u64 *count;

#if TEST_UPGRADE == 4
	/* Of a frame that may be shorter; clang would leave out a plain read. */
	(void)*(volatile __u64 *)data;
#endif
	if (packet_network_header(data, data_end, &header) != TEST_UPGRADE_ETHERTYPE ||
	    header + sizeof(__u32) > data_end)
		return XDP_PASS;
	__sync_fetch_and_add(&packets, 1);
	if (limit)
		__sync_fetch_and_add(&scratch, 1);
#if TEST_UPGRADE == 2
	__sync_fetch_and_add(&bytes, data_end - data);
#endif
	count = bpf_map_lookup_elem(&builds, &key);
	if (count)
		++*count;
	count_flow(bpf_ntohl(*(__u32 *)header));
	return XDP_PASS;
}

char _license[] SEC("license") = "Dual BSD/GPL";
