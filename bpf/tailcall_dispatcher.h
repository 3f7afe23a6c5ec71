/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the tail-call dispatcher and the user space that loads it agree on. The
 * configuration is read-only data of the dispatcher: user space writes it
 * between opening and loading the object, and may read it back later from the
 * frozen map to learn how a running dispatcher treats its members.
 */
#pragma once

#include <linux/types.h>

/* Grows with any change of the structures below or of their meaning. */
#define TAILCALL_CONFIG_LAYOUT 1

/* Since 6.12 one budget of 33 tail calls serves the whole packet, members' own calls included. */
#define TAILCALL_SLOT_COUNT_MAX 16

/*
 * What a slot answers when there was no member to run: an emptied slot, or the
 * kernel's budget of tail calls is used up. No verdict of any known program.
 */
#define TAILCALL_MISSING 0x6d697373U

/* XDP_DISPATCHER_RETURN of libxdp: always passes control on, counts as PASS at the end. */
#define TAILCALL_VERDICT_CONTINUE 31U

struct tailcall_slot {
	__u8 proceed_on; /* bit n: verdict n (XDP_ABORTED 0 … XDP_REDIRECT 4) passes control on */
	__u8 required;   /* 1: a missing member drops the packet; 0: the chain goes on without it */
};

struct tailcall_config {
	__u16 layout;     /* TAILCALL_CONFIG_LAYOUT */
	__u16 slot_count; /* slots 0 … slot_count - 1 run, in this order */
	struct tailcall_slot slots[TAILCALL_SLOT_COUNT_MAX];
};
