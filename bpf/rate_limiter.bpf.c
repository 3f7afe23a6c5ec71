// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Limits the packets of every IP source address by a token bucket; what has no
 * token is dropped. Frames that are not IP pass.
 *
 * Globals
 *   packets_per_second  tokens that flow into a bucket; the time between two is
 *                       rounded down to whole ns. 0 lets nothing pass.
 *   burst               tokens that a bucket holds. 0 lets nothing pass.
 * Maps
 *   buckets  one per source; the least recently used give way to new sources, so
 *            its size bounds memory, and more sources than that are limited less.
 *   limited  per CPU, one entry: what was dropped.
 *
 * A bucket is kept as the time at which it will be full. To take a token moves
 * that time by one interval, which is a single atomic addition; there is no
 * division per packet and nothing to refill. CPUs that meet in one bucket can let
 * through at most one packet each more than allowed, and that packet is paid for
 * later. Only when a bucket was full can a packet go unpaid: one CPU may set
 * full_at to now after another has already taken its token. A compare-and-swap
 * would close this, but BPF has one since 5.12 only.
 */
#include <linux/ip.h>
#include <linux/ipv6.h>

#include "examples.h"
#include "packet.h"

#define NSEC_PER_SEC 1000000000U

const volatile __u32 packets_per_second = 10000;
const volatile __u32 burst = 1000;

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 65536);
	__type(key, struct rate_limiter_source);
	__type(value, struct rate_limiter_bucket);
} buckets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct traffic);
} limited SEC(".maps");

/* False for what is not IP or ends too early. */
static __always_inline int find_source(void *data, void *data_end,
				       struct rate_limiter_source *source)
{
	void *header = data;
	struct iphdr *ipv4;
	struct ipv6hdr *ipv6;

	switch (packet_network_header(data, data_end, &header)) {
	case ETH_P_IP:
		ipv4 = header;
		if ((void *)(ipv4 + 1) > data_end)
			return 0;
		source->address[10] = source->address[11] = 0xff;
		__builtin_memcpy(&source->address[12], &ipv4->saddr, sizeof(ipv4->saddr));
		return 1;
	case ETH_P_IPV6:
		ipv6 = header;
		if ((void *)(ipv6 + 1) > data_end)
			return 0;
		__builtin_memcpy(source->address, &ipv6->saddr, sizeof(ipv6->saddr));
		return 1;
	default:
		return 0;
	}
}

/* NULL only if there is no memory for a bucket. */
static __always_inline struct rate_limiter_bucket *
find_bucket(const struct rate_limiter_source *source, __u32 rate)
{
	struct rate_limiter_bucket *bucket = bpf_map_lookup_elem(&buckets, source);

	if (!bucket) {
		struct rate_limiter_bucket full = { .rate = rate, .interval = NSEC_PER_SEC / rate };

		/* If another CPU was faster, its bucket is the one to use. */
		bpf_map_update_elem(&buckets, source, &full, BPF_NOEXIST);
		return bpf_map_lookup_elem(&buckets, source);
	}
	/* The map can be older than this program's globals: the bucket starts anew, and full. */
	if (bucket->rate != rate) {
		bucket->interval = NSEC_PER_SEC / rate;
		bucket->full_at = 0;
		bucket->rate = rate;
	}
	return bucket;
}

static __always_inline int take_token(struct rate_limiter_bucket *bucket)
{
	__u64 now = bpf_ktime_get_ns(), interval = bucket->interval;
	__u64 full_at = *(volatile __u64 *)&bucket->full_at;

	if (full_at < now)
		bucket->full_at = full_at = now;
	if (full_at - now + interval > burst * interval)
		return 0;
	__sync_fetch_and_add(&bucket->full_at, interval);
	return 1;
}

SEC("xdp")
int xdp_rate_limiter(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *data_end = (void *)(long)ctx->data_end;
	struct rate_limiter_source source = {};
	struct rate_limiter_bucket *bucket;
	struct traffic *total;
	__u32 rate = packets_per_second, key = 0;

	if (!find_source(data, data_end, &source))
		return XDP_PASS;
	if (rate > 0) {
		bucket = find_bucket(&source, rate);
		if (!bucket || take_token(bucket))
			return XDP_PASS;
	}
	total = bpf_map_lookup_elem(&limited, &key);
	if (total) {
		total->packets++;
		total->bytes += data_end - data;
	}
	return XDP_DROP;
}

char _license[] SEC("license") = "Dual BSD/GPL";
