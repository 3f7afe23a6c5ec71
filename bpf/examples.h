/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Keys and values of the example programs' maps, for them and for whoever reads
 * or fills the maps. Addresses are in network order, all other numbers in host order.
 */
#pragma once

#include <linux/types.h>

/* Bytes are, with XDP, those of the frame's first buffer: all of it, unless the driver gives fragments. */
struct traffic {
	__u64 packets;
	__u64 bytes;
};

/* packet_counter: keys 0 … 255 of `counters` are IP protocol numbers, this is all that is not IP. */
#define PACKET_COUNTER_NOT_IP 256

/* traffic_counter: keys of `traffic`. */
#define TRAFFIC_COUNTER_RECEIVED   0
#define TRAFFIC_COUNTER_SENT       1
#define TRAFFIC_COUNTER_DIRECTIONS 2

/* block_list: the kernel's longest-prefix match wants the length in bits first. */
struct block_list_v4 {
	__u32 prefix_length; /* 0 … 32 */
	__u8 address[4];
};

struct block_list_v6 {
	__u32 prefix_length; /* 0 … 128 */
	__u8 address[16];
};

/* rate_limiter: an IPv6 address; an IPv4 address a.b.c.d is kept as ::ffff:a.b.c.d. */
struct rate_limiter_source {
	__u8 address[16];
};

struct rate_limiter_bucket {
	__u64 full_at;  /* CLOCK_MONOTONIC in ns: when no token will be missing any more */
	__u32 rate;     /* packets_per_second for which interval was computed */
	__u32 interval; /* ns in which one token flows in */
};
