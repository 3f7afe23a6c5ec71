// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Counts packets and bytes that an interface receives and sends, at tc, and leaves
 * each packet to whoever comes next. What XDP drops or sends elsewhere never gets here, and what
 * the machine sends itself never passes XDP: this is the traffic of the machine.
 *
 * Maps
 *   traffic  per CPU, one struct traffic for each direction (TRAFFIC_COUNTER_…)
 */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>

#include <bpf/bpf_helpers.h>

#include "examples.h"

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, TRAFFIC_COUNTER_DIRECTIONS);
	__type(key, __u32);
	__type(value, struct traffic);
} traffic SEC(".maps");

static __always_inline int count(const struct __sk_buff *skb, __u32 direction)
{
	struct traffic *counter = bpf_map_lookup_elem(&traffic, &direction);

	if (counter) {
		counter->packets++;
		counter->bytes += skb->len;
	}
	/* TCX_NEXT of later kernels: not the end for other programs, as TC_ACT_OK would be. */
	return TC_ACT_UNSPEC;
}

SEC("tc")
int tc_count_received(struct __sk_buff *skb)
{
	return count(skb, TRAFFIC_COUNTER_RECEIVED);
}

SEC("tc")
int tc_count_sent(struct __sk_buff *skb)
{
	return count(skb, TRAFFIC_COUNTER_SENT);
}

char _license[] SEC("license") = "Dual BSD/GPL";
