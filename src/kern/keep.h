/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * What outlives its pins. Somebody may delete them or unmount our bpffs; then the mark that our
 * programs carry tells that a root is ours, and descriptors of the live program arrays keep
 * their slots filled until the root has been swapped. Internal to kern.
 */
#pragma once

#include "kern/context.h"

struct keep; /* descriptors of the arrays of live chains */

struct keep *keep_new(void);
void keep_free(struct keep *k); /* NULL is fine */

/* To be called after each observation. A chain that is neither pinned nor at any hook seen is let go. */
void keep_update(struct keep *k, const struct kern_context *c, struct arena *a,
		 const struct observed *o);

/* True if a kept chain has no directory any more: where it still runs has to be looked for. */
bool keep_misses_pins(const struct keep *k, const struct observed *o);

/* Sets `ours` of each program of o->programs that is not pinned but carries our mark. */
int keep_find_marks(const struct kern_context *c, struct arena *a, struct observed *o,
		    struct error *e);
