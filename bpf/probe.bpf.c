// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Members for the self-check of the tail-call mechanism: one per kind of answer
 * that the dispatcher tells apart. BPF_PROG_TEST_RUN of a dispatcher with these
 * in its slots shows whether this kernel hands a member's verdict through.
 */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "tailcall_dispatcher.h"

#define DEFINE_PROBE(name, verdict)  \
	SEC("xdp")                   \
	int name(struct xdp_md *ctx) \
	{                            \
		return verdict;      \
	}

DEFINE_PROBE(probe_pass, XDP_PASS)
DEFINE_PROBE(probe_drop, XDP_DROP)
DEFINE_PROBE(probe_continue, TAILCALL_VERDICT_CONTINUE)
DEFINE_PROBE(probe_unknown, 7)

char _license[] SEC("license") = "Dual BSD/GPL";
