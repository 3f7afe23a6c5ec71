// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The two ends of test_flood.h.
 *
 * xdp_flood, a member of the chain under test
 *   slot    where its mark goes
 *   mark    what it writes there, not 0
 *   filter  drops frames that are unwanted
 *   and counts all of them in `flows`, by number modulo TEST_FLOOD_FLOWS
 * tc_mark, the same at tc, without a filter
 * tc_flood, behind the chain: looks at each frame and drops it
 */
#include <linux/pkt_cls.h>
#include <stdbool.h>

#include "packet.h"
#include "test_flood.h"

const volatile __u32 slot = 0;
const volatile __u32 mark = 1;
const volatile bool filter = false;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct test_flood_result);
} result SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, __u64);
} flows SEC(".maps");

static __always_inline void count_flow(__u64 number)
{
	__u32 key = number % TEST_FLOOD_FLOWS;
	__u64 first = 1, *count = bpf_map_lookup_elem(&flows, &key);

	if (count)
		__sync_fetch_and_add(count, 1);
	else
		bpf_map_update_elem(&flows, &key, &first, BPF_NOEXIST);
}

SEC("xdp")
int xdp_flood(struct xdp_md *ctx)
{
	void *data_end = (void *)(long)ctx->data_end;
	struct test_flood_frame *frame = (void *)(long)ctx->data;

	if ((void *)(frame + 1) > data_end ||
	    frame->ethernet.h_proto != bpf_htons(TEST_FLOOD_ETHERTYPE))
		return XDP_PASS;
	frame->marks[slot % TEST_FLOOD_SLOTS] = mark;
	count_flow(frame->number);
	return filter && frame->unwanted ? XDP_DROP : XDP_PASS;
}

SEC("tc")
int tc_mark(struct __sk_buff *skb)
{
	void *data_end = (void *)(long)skb->data_end;
	struct test_flood_frame *frame = (void *)(long)skb->data;

	if (skb->protocol != bpf_htons(TEST_FLOOD_ETHERTYPE) || (void *)(frame + 1) > data_end)
		return TC_ACT_UNSPEC;
	frame->marks[slot % TEST_FLOOD_SLOTS] = mark;
	count_flow(frame->number);
	return TC_ACT_UNSPEC;
}

/* Without branches, of which the verifier would follow every combination. */
static __always_inline __u32 missing_marks(const struct test_flood_frame *frame, __u32 required)
{
	__u32 missing = 0;

#pragma unroll
	for (int i = 0; i < TEST_FLOOD_SLOTS; i++)
		missing |= (((__u32)frame->marks[i] - 1) >> 31) << i;
	return missing & required;
}

static __always_inline bool is_bad(const struct test_flood_result *r)
{
	return r->lost || r->late || r->unmarked || r->unfiltered;
}

/* Numbers from first up to before end that should have come. */
static __always_inline __u64 wanted(const struct test_flood_result *r, __u64 first, __u64 end)
{
	__u64 all = end - first;

	return r->all_wanted ? all :
			       all - (end / TEST_FLOOD_UNWANTED - first / TEST_FLOOD_UNWANTED);
}

SEC("tc")
int tc_flood(struct __sk_buff *skb)
{
	void *data_end = (void *)(long)skb->data_end;
	struct test_flood_frame *frame = (void *)(long)skb->data;
	struct test_flood_result *r;
	__u32 key = 0, missing;
	bool bad;

	if (skb->protocol != bpf_htons(TEST_FLOOD_ETHERTYPE))
		return TC_ACT_UNSPEC;
	r = bpf_map_lookup_elem(&result, &key);
	if (!r || (void *)(frame + 1) > data_end)
		return TC_ACT_SHOT;
	bad = is_bad(r);
	r->received++;
	if (frame->number < r->next) {
		r->late++;
	} else {
		r->lost += wanted(r, r->next, frame->number);
		r->next = frame->number + 1;
	}
	missing = missing_marks(frame, r->required);
	r->missing |= missing;
	if (missing)
		r->unmarked++;
	if (frame->unwanted && !r->all_wanted)
		r->unfiltered++;
	if (!bad && is_bad(r))
		r->first_bad = frame->number;
	return TC_ACT_SHOT;
}

char _license[] SEC("license") = "Dual BSD/GPL";
