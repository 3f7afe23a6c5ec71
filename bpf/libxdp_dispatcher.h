/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The configuration of a dispatcher by libxdp's protocol: the one map of such a program holds it, read-only and
 * frozen. Version 2 ends before is_xdp_devbound. The fields are the protocol's; what we add is in bits of
 * program_flags that its readers do not look at.
 */
#pragma once

#include <linux/types.h>

#define LIBXDP_MAGIC       236 /* 'X' + 'D' + 'P' in a byte */
#define LIBXDP_VERSION_MIN 2
#define LIBXDP_VERSION_MAX 3
#define LIBXDP_SLOT_COUNT  10

/* Always set in an entry of chain_call_actions that is used, so that none is 0. */
#define LIBXDP_ACTIONS_MARK (1U << 31)

/* Bit 31 of program_flags: ours, the slot drops when nothing runs in it. */
#define LIBXDP_FLAG_REQUIRED (1U << 31)

/*
 * Bits 8 to 23 of program_flags of the last two slots: ours, whether these slots are used or not. The high and
 * the low half of a number that stands for the directories of the daemon that built the dispatcher: a mark that
 * needs no second map, which the protocol forbids.
 */
#define LIBXDP_TAG_SHIFT     8
#define LIBXDP_TAG_MASK      (0xffffU << LIBXDP_TAG_SHIFT)
#define LIBXDP_TAG_SLOT_HIGH (LIBXDP_SLOT_COUNT - 2)
#define LIBXDP_TAG_SLOT_LOW  (LIBXDP_SLOT_COUNT - 1)

#define LIBXDP_CONFIG_FIELDS                                                                   \
	__u8 magic;                                                                            \
	__u8 dispatcher_version;                                                               \
	__u8 num_progs_enabled;                                                                \
	__u8 is_xdp_frags;                                                                     \
	/* bit n: the answer n (modulo 32) passes control on */                                \
	__u32 chain_call_actions[LIBXDP_SLOT_COUNT];                                           \
	__u32 run_prios[LIBXDP_SLOT_COUNT];                                                    \
	/* BPF_F_XDP_HAS_FRAGS and BPF_F_XDP_DEV_BOUND_ONLY as the program was first loaded */ \
	__u32 program_flags[LIBXDP_SLOT_COUNT]

struct libxdp_config_2 {
	LIBXDP_CONFIG_FIELDS;
};

struct libxdp_config_3 {
	LIBXDP_CONFIG_FIELDS;
	__u8 is_xdp_devbound;
};
