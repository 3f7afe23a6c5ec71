/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Chains below chains/: those of the tail-call mechanism here, those of libxdp's handed on to
 * kern/libxdp.h. Internal to kern.
 */
#pragma once

#include "kern/context.h"

/* Needs ret->chains of nothing else; slots are read from the live arrays. */
int chain_observe(const struct kern_context *c, struct arena *a, struct observed *ret,
		  struct error *e);
/* The one of chain->id; complete stays false unless all is there. */
int chain_observe_one(const struct kern_context *c, struct arena *a, struct observed_chain *chain,
		      struct error *e);

/* On success *ret_id is the dispatcher's program id, which names its directory. */
void chain_build(const struct kern_context *c, struct arena *a, const struct op *op,
		 uint32_t *ret_id, struct op_result *ret);
/* kept_fd: the freplace link of that slot as this daemon holds it, -1: it does not. */
void chain_slot_set(const struct kern_context *c, struct arena *a, const struct op *op, int kept_fd,
		    struct op_result *ret);

/*
 * Fails with -EBUSY (ChainStillUsed), nothing lost, while anybody still runs the dispatcher: its array
 * would empty itself with the last pin, and every packet would then miss every member.
 */
void chain_remove(const struct kern_context *c, struct arena *a, const struct op *op,
		  struct op_result *ret);
