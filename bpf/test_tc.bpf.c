// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Members of tc chains for tests: each counts the packets it saw and notes which these were, in the
 * trace of test_trace.h. The same program under every section that people use for tc.
 *
 * Globals
 *   id         who this is, in the trace; less than 16 with verdict_in_packet
 *   verdict    what is returned for a packet that is watched
 *   ethertype  only this one is watched (host order); TC_ACT_UNSPEC for all others
 *   verdict_in_packet
 *              the verdict is the signed byte number `id` behind the packet's number,
 *              so that one chain can be tried with any answers of its members
 *
 * The packet's number is the first four bytes behind the Ethernet header.
 */
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <stdbool.h>

#include <bpf/bpf_endian.h>

#include "test_trace_map.h"

const volatile __u32 id = 0;
const volatile int verdict = TC_ACT_UNSPEC;
const volatile __u16 ethertype = 0x88b5;
const volatile bool verdict_in_packet = false;

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} packets SEC(".maps");

static __always_inline void count(void)
{
	__u32 key = 0;
	__u64 *seen = bpf_map_lookup_elem(&packets, &key);

	if (seen)
		++*seen;
}

static __always_inline int run(struct __sk_buff *skb)
{
	__be32 number;
	__s8 answer;

	if (skb->protocol != bpf_htons(ethertype) ||
	    bpf_skb_load_bytes(skb, ETH_HLEN, &number, sizeof(number)) < 0)
		return TC_ACT_UNSPEC;
	count();
	trace_append(id, bpf_ntohl(number));
	if (!verdict_in_packet)
		return verdict;
	if (bpf_skb_load_bytes(skb, ETH_HLEN + sizeof(number) + id, &answer, sizeof(answer)) < 0)
		return TC_ACT_SHOT;
	return answer;
}

#define DEFINE_MEMBER(section, name)    \
	SEC(section)                    \
	int name(struct __sk_buff *skb) \
	{                               \
		return run(skb);        \
	}

DEFINE_MEMBER("tc", tc_trace)
DEFINE_MEMBER("tcx/ingress", tcx_ingress_trace)
DEFINE_MEMBER("tcx/egress", tcx_egress_trace)
DEFINE_MEMBER("classifier", classifier_trace)

char _license[] SEC("license") = "Dual BSD/GPL";
