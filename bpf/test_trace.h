/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The record that members of a chain leave behind. Objects loaded apart share
 * one `trace` map, so the order of its entries with the same packet number is
 * the order in which the members saw that very packet.
 */
#pragma once

#include <linux/bpf.h>
#include <linux/types.h>

#define TEST_TRACE_RECORDS 512 /* a power of two; the newest overwrite the oldest */

struct test_trace_record {
	__u32 id;     /* the global `id` of the member */
	__u32 packet; /* the number that the sender wrote into the packet */
};

struct test_trace {
	struct bpf_spin_lock lock;
	__u32 count; /* records ever written; the next goes to count % TEST_TRACE_RECORDS */
	struct test_trace_record records[TEST_TRACE_RECORDS];
};
