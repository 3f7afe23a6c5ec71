// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Several tc programs behind one link or filter: what tailcall_dispatcher.bpf.c is
 * for XDP, and built like it for the same reasons (slots are global functions, a
 * barrier hides the marker, `members` must stay pinned or open).
 *
 * One loaded instance serves both directions and any number of interfaces, as a
 * TCX link or as a direct-action filter of clsact: nothing here depends on where
 * a packet comes from, and what a verdict means is left to the hook.
 */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>

#include <bpf/bpf_helpers.h>

#include "tailcall_slots.h"
#include "tc_dispatcher.h"

const volatile struct tc_config config = { .layout = TC_CONFIG_LAYOUT };

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, TAILCALL_SLOT_COUNT_MAX);
	__type(key, __u32);
	__type(value, __u32);
} members SEC(".maps");

#define DEFINE_SLOT(number)                                \
	__noinline int slot##number(struct __sk_buff *ctx) \
	{                                                  \
		__u32 answer = TAILCALL_MISSING;           \
                                                           \
		bpf_tail_call(ctx, &members, number);      \
		barrier_var(answer);                       \
		return answer;                             \
	}

CHAIN_SLOTS(DEFINE_SLOT)

/* Counted from TC_ACT_UNSPEC, so that the verdicts are 0 … TC_DISPATCHER_VERDICTS - 1. */
#define RUN_SLOT(number)                                                      \
	do {                                                                  \
		if (slot_count <= (number))                                   \
			return verdict;                                       \
		answer = slot##number(ctx);                                   \
		if (answer != (int)TAILCALL_MISSING) {                        \
			__u32 bit = (__u32)(answer - TC_ACT_UNSPEC);          \
                                                                              \
			verdict = answer;                                     \
			if (bit >= TC_DISPATCHER_VERDICTS ||                  \
			    !(config.slots[number].proceed_on & (1U << bit))) \
				return verdict;                               \
		} else if (config.slots[number].required) {                   \
			return TC_ACT_SHOT;                                   \
		}                                                             \
	} while (0);

SEC("tc")
int bpfshare_tc(struct __sk_buff *ctx)
{
	const __u32 slot_count = config.slot_count;
	int verdict = TC_ACT_UNSPEC, answer;

	CHAIN_SLOTS(RUN_SLOT)
	return verdict;
}

char _license[] SEC("license") = "Dual BSD/GPL";
