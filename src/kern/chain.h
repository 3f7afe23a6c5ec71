/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* Chains of the tail-call mechanism below chains/. Internal to kern. */
#pragma once

#include "kern/context.h"

/* Needs ret->chains of nothing else; slots are read from the live arrays. */
int chain_observe(const struct kern_context *c, struct arena *a, struct observed *ret,
		  struct error *e);

/* On success *ret_id is the dispatcher's program id, which names its directory. */
void chain_build(const struct kern_context *c, struct arena *a, const struct op *op,
		 uint32_t *ret_id, struct op_result *ret);
void chain_slot_set(const struct kern_context *c, struct arena *a, const struct op *op,
		    struct op_result *ret);

/*
 * Fails with -EBUSY (ChainStillUsed), nothing lost, while anybody still runs the dispatcher: its array
 * would empty itself with the last pin, and every packet would then miss every member.
 */
void chain_remove(const struct kern_context *c, struct arena *a, const struct op *op,
		  struct op_result *ret);
