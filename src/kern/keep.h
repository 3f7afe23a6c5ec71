/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * What outlives its pins. Somebody may delete them or unmount our bpffs; then the mark that our
 * programs carry tells that a root is ours, and descriptors of the live program arrays or freplace links keep
 * their slots filled until the root has been swapped. Internal to kern.
 */
#pragma once

#include "kern/context.h"

struct keep; /* descriptors of the arrays and links of live chains */

struct keep *keep_new(void);
void keep_free(struct keep *k); /* NULL is fine */

/* The link of a slot of a libxdp chain, which stays the list's; -1: it is not held. */
int keep_find_link(const struct keep *k, uint32_t chain_id, uint32_t slot);
/* Lets go of a chain that was removed: its links would keep its dispatcher. */
void keep_forget(struct keep *k, uint32_t chain_id);

/* To be called after each observation. A chain that is neither pinned nor at any hook seen is let go. */
void keep_update(struct keep *k, const struct kern_context *c, struct arena *a,
		 const struct observed *o);

/* True if a kept chain has no directory any more: where it still runs has to be looked for. */
bool keep_misses_pins(const struct keep *k, const struct observed *o);

/* Sets `ours` of each program of o->programs that is not pinned but carries our mark. */
int keep_find_marks(const struct kern_context *c, struct arena *a, struct observed *o,
		    struct error *e);
