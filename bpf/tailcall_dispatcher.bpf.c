// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The root program of a chain built with the `tailcall` mechanism. Every slot is
 * a BPF sub-program that tail-calls its entry of `members`; the member's return
 * value comes back here as if the slot had returned it. An entry can be replaced
 * while packets flow.
 *
 * The slots must be global functions. The return value of a static one is known
 * to the verifier: it follows only the path on which the tail call fails, and
 * on 5.10 to 6.12 it then removes the test of that value, so that a member's
 * DROP is ignored. The compiler reasons likewise, hence the barrier.
 *
 * `members` must stay pinned or open in user space for as long as the program is
 * in use: the kernel empties a program array when its last user-space reference
 * goes, attached or not.
 */
#include "tailcall_chain.h"

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, TAILCALL_SLOT_COUNT_MAX);
	__type(key, __u32);
	__type(value, __u32);
} members SEC(".maps");

/*
 * A function each, with a constant index on its only path: the JIT of x86-64
 * then patches in a direct jump. bpf_tail_call_static() would give the same
 * certainty, but its inline assembly costs two callee-saved registers per slot.
 */
#define DEFINE_SLOT(number)                             \
	__noinline int slot##number(struct xdp_md *ctx) \
	{                                               \
		__u32 answer = TAILCALL_MISSING;        \
                                                        \
		bpf_tail_call(ctx, &members, number);   \
		barrier_var(answer);                    \
		return answer;                          \
	}

CHAIN_SLOTS(DEFINE_SLOT)

SEC("xdp")
int bpfshare_chain(struct xdp_md *ctx)
{
	CHAIN_RUN(ctx);
}

char _license[] SEC("license") = "Dual BSD/GPL";
