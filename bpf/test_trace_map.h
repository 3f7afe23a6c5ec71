/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The map of test_trace.h, for BPF programs that write into it. */
#pragma once

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "test_trace.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct test_trace);
} trace SEC(".maps");

/* A lock, as an atomic addition that returns the old value needs 5.12. */
static __always_inline void trace_append(__u32 id, __u32 packet)
{
	__u32 key = 0;
	struct test_trace *log = bpf_map_lookup_elem(&trace, &key);
	struct test_trace_record *next;

	if (!log)
		return;
	bpf_spin_lock(&log->lock);
	next = &log->records[log->count % TEST_TRACE_RECORDS];
	next->id = id;
	next->packet = packet;
	log->count++;
	bpf_spin_unlock(&log->lock);
}
