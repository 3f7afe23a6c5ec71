/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Two builds of one object, told apart by what they do: the including file
 * defines TEST_VERSION. Each counts IPv4 packets under its own number, so that
 * a test sees which build was on the wire, and lets everything pass.
 *
 * Maps
 *   versions  per CPU, packets by version number; share it between the builds
 *             with `use` to compare their counts
 */
#pragma once

#include "packet.h"

#define TEST_VERSION_MAX 4

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, TEST_VERSION_MAX);
	__type(key, __u32);
	__type(value, __u64);
} versions SEC(".maps");

SEC("xdp")
int xdp_version(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *data_end = (void *)(long)ctx->data_end;
	void *header = data;
	__u32 key = TEST_VERSION;
	__u64 *count;

	if (packet_network_header(data, data_end, &header) != ETH_P_IP)
		return XDP_PASS;
	count = bpf_map_lookup_elem(&versions, &key);
	if (count)
		++*count;
	return XDP_PASS;
}

char _license[] SEC("license") = "Dual BSD/GPL";
