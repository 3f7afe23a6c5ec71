/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The root program of a chain by libxdp's protocol. The including file says which version of the
 * configuration it has:
 *
 *   LIBXDP_VERSION  2 or 3
 *   LIBXDP_CONFIG   the structure of that version
 *
 * Names, and prototypes of all functions, are the protocol's: libxdp knows a dispatcher by the name of its
 * program, and a member replaces one of the functions prog0 to prog9 (freplace); a lone one replaces the
 * program itself. Nothing but the configuration may end up in a map.
 *
 * The verdict is made as in the tail-call dispatcher, and a function that nothing has replaced gives the same
 * answer as an empty slot there. libxdp's own dispatcher has only the answer 31 for that, and goes on.
 */
#pragma once

#include "chain_verdict.h"
#include "libxdp_dispatcher.h"

/* Known to the verifier as constants once the map is frozen: it removes the slots beyond the last in use. */
const volatile LIBXDP_CONFIG config = {
	.magic = LIBXDP_MAGIC,
	.dispatcher_version = LIBXDP_VERSION,
};

/*
 * The call of a helper that changes packets does nothing here. Since 6.12 only a function that may change them can be
 * replaced by one that does.
 */
#define DEFINE_STUB(name)                        \
	__noinline int name(struct xdp_md *ctx)  \
	{                                        \
		__u32 answer = TAILCALL_MISSING; \
                                                 \
		if (!ctx)                        \
			return XDP_ABORTED;      \
		bpf_xdp_adjust_tail(ctx, 0);     \
		barrier_var(answer);             \
		return answer;                   \
	}

DEFINE_STUB(prog0)
DEFINE_STUB(prog1)
DEFINE_STUB(prog2)
DEFINE_STUB(prog3)
DEFINE_STUB(prog4)
DEFINE_STUB(prog5)
DEFINE_STUB(prog6)
DEFINE_STUB(prog7)
DEFINE_STUB(prog8)
DEFINE_STUB(prog9)
DEFINE_STUB(compat_test)

#define STEP(number)                                                                     \
	do {                                                                             \
		if (count <= (number))                                                   \
			return verdict;                                                  \
		answer = prog##number(ctx);                                              \
		if (__builtin_expect(answer <= XDP_REDIRECT, 1)) {                       \
			verdict = answer;                                                \
			if (!(config.chain_call_actions[number] & (1U << answer)))       \
				return verdict;                                          \
		} else if (other_answer_ends(answer, config.program_flags[number] >> 31, \
					     &verdict)) {                                \
			return verdict;                                                  \
		}                                                                        \
	} while (0)

SEC("xdp")
int xdp_dispatcher(struct xdp_md *ctx)
{
	const __u32 count = config.num_progs_enabled;
	__u32 verdict = XDP_PASS, answer;

	STEP(0);
	STEP(1);
	STEP(2);
	STEP(3);
	STEP(4);
	STEP(5);
	STEP(6);
	STEP(7);
	STEP(8);
	STEP(9);
	/* Never gets here with a count that the protocol allows: this only keeps compat_test in the program. */
	if (count > LIBXDP_SLOT_COUNT && compat_test(ctx) < 0)
		return XDP_ABORTED;
	return verdict;
}

__uint(dispatcher_version, LIBXDP_VERSION) SEC("xdp_metadata");

char _license[] SEC("license") = "Dual BSD/GPL";
