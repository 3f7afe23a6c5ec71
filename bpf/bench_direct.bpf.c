// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The yardstick of `make bench`: the chain logic of the tail-call dispatcher,
 * but every slot is the member itself, called as a BPF sub-program. Members do
 * what probe_pass of probe.bpf.c does.
 */
#include "tailcall_chain.h"

/*
 * The barriers keep the compiler from folding the answer into the caller and
 * from leaving out the argument, which the verifier demands of global functions.
 */
#define DEFINE_MEMBER(number)                           \
	__noinline int slot##number(struct xdp_md *ctx) \
	{                                               \
		__u32 answer = XDP_PASS;                \
                                                        \
		barrier_var(answer);                    \
		barrier_var(ctx);                       \
		return answer;                          \
	}

CHAIN_SLOTS(DEFINE_MEMBER)

SEC("xdp")
int bench_direct(struct xdp_md *ctx)
{
	CHAIN_RUN(ctx);
}

char _license[] SEC("license") = "Dual BSD/GPL";
