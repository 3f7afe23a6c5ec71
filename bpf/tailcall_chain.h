/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * How a chain of slots turns the answers of its members into one verdict. Apart
 * from the dispatcher only the benchmark's direct calls use it, so that both
 * differ in nothing but the way a member is reached. The including file defines
 * the functions slot0() … slot15().
 */
#pragma once

#include "chain_verdict.h"
#include "tailcall_slots.h"

/*
 * Known to the verifier as constants once the map is frozen: it removes the
 * slots beyond slot_count from the program.
 */
const volatile struct tailcall_config config = { .layout = TAILCALL_CONFIG_LAYOUT };

#define CHAIN_STEP(number)                                                                       \
	do {                                                                                     \
		if (slot_count <= (number))                                                      \
			return verdict;                                                          \
		answer = slot##number(ctx);                                                      \
		if (__builtin_expect(answer <= XDP_REDIRECT, 1)) {                               \
			verdict = answer;                                                        \
			if (!(config.slots[number].proceed_on & (1U << answer)))                 \
				return verdict;                                                  \
		} else if (other_answer_ends(answer, config.slots[number].required, &verdict)) { \
			return verdict;                                                          \
		}                                                                                \
	} while (0)

/* The body of the program: runs all slots in use and returns the chain's verdict. */
#define CHAIN_RUN(ctx)                              \
	const __u32 slot_count = config.slot_count; \
	__u32 verdict = XDP_PASS, answer;           \
                                                    \
	CHAIN_STEP(0);                              \
	CHAIN_STEP(1);                              \
	CHAIN_STEP(2);                              \
	CHAIN_STEP(3);                              \
	CHAIN_STEP(4);                              \
	CHAIN_STEP(5);                              \
	CHAIN_STEP(6);                              \
	CHAIN_STEP(7);                              \
	CHAIN_STEP(8);                              \
	CHAIN_STEP(9);                              \
	CHAIN_STEP(10);                             \
	CHAIN_STEP(11);                             \
	CHAIN_STEP(12);                             \
	CHAIN_STEP(13);                             \
	CHAIN_STEP(14);                             \
	CHAIN_STEP(15);                             \
	return verdict
