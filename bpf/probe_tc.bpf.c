// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Members for the self-check of tc_dispatcher.bpf.c: one per kind of answer that the
 * dispatcher tells apart.
 */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>

#include <bpf/bpf_helpers.h>

#define DEFINE_PROBE(name, verdict)     \
	SEC("tc")                       \
	int name(struct __sk_buff *ctx) \
	{                               \
		return verdict;         \
	}

DEFINE_PROBE(probe_next, TC_ACT_UNSPEC)
DEFINE_PROBE(probe_ok, TC_ACT_OK)
DEFINE_PROBE(probe_shot, TC_ACT_SHOT)
DEFINE_PROBE(probe_unknown, 42)

char _license[] SEC("license") = "Dual BSD/GPL";
