/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the dispatcher of tc programs and the user space that loads it agree on; the
 * twin of tailcall_dispatcher.h, with the verdicts of traffic control.
 */
#pragma once

#include <linux/types.h>

#include "tailcall_dispatcher.h"

/* Grows with any change of the structures below or of their meaning. */
#define TC_CONFIG_LAYOUT 1

/* TC_ACT_UNSPEC (-1) to TC_ACT_TRAP (8); any other answer ends the chain as it is. */
#define TC_DISPATCHER_VERDICTS 10

struct tc_slot {
	__u16 proceed_on; /* bit n: verdict n - 1 passes control on */
	__u8 required; /* 1: a missing member drops the packet; 0: the chain goes on without it */
	__u8 unused;
};

struct tc_config {
	__u16 layout;     /* TC_CONFIG_LAYOUT */
	__u16 slot_count; /* slots 0 … slot_count - 1 run, in this order */
	struct tc_slot slots[TAILCALL_SLOT_COUNT_MAX];
};
