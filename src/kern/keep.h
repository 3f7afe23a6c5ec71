/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * What outlives its pins. Somebody may delete them or unmount our bpffs. Descriptors of everything that we have
 * pinned let it live on until it is pinned again: no map forgets anything, no link detaches, no program array
 * empties itself. The mark that our programs carry tells the rest. Internal to kern.
 */
#pragma once

#include "kern/context.h"

/* By directory (relative to ours: "objects/INSTANCE/VERSION", "chains/ID", "links/ID") and name in it. */
struct keep;

struct keep *keep_new(void);
void keep_free(struct keep *k); /* NULL is fine */

/* What was pinned as that, in a descriptor that stays the list's; -1: it is not held. ret_id may be NULL. */
int keep_find(const struct keep *k, const char *directory, const char *name, uint32_t *ret_id);
/* The link of a slot of a libxdp chain. */
int keep_find_link(const struct keep *k, uint32_t chain_id, uint32_t slot);
/* Names below a part of our tree (LAYOUT_OBJECTS, …) of whose directories this name is held, sorted. */
void keep_list(const struct keep *k, struct arena *a, const char *part, const char *name,
	       struct string_list *ret);

/* Lets go of what is about to be removed or made anew, which must not live on. */
void keep_forget(struct keep *k, const char *directory);
void keep_forget_pin(struct keep *k, const char *directory, const char *name);
void keep_forget_chain(struct keep *k, struct arena *a, uint32_t id);
void keep_forget_link(struct keep *k, uint32_t id); /* in whatever namespace */

/*
 * To be called after each observation: holds what is new, and lets go of what is neither pinned nor, of
 * a chain, at any hook seen. Half of the descriptors that this process may have are left for other things.
 */
void keep_update(struct keep *k, const struct kern_context *c, struct arena *a,
		 const struct observed *o);

/* Pins that are not held because there are as many descriptors as there may be. */
size_t keep_unheld(const struct keep *k, size_t *ret_held);

/*
 * Our directory as it is seen (fd, which stays the caller's; -1: it is not there): whether the one seen before was
 * renamed is told by where its descriptor leads now. NULL: it was not, or it is gone.
 */
const char *keep_directory(struct keep *k, struct arena *a, int fd, const char *path);

/* It is the one that was ours when it was seen last, whatever owner and mode it has now. */
bool keep_knows_directory(const struct keep *k, int fd);

/* Sets `ours` of each program of o->programs that is not pinned but carries our mark. */
int keep_find_marks(const struct kern_context *c, struct arena *a, struct observed *o,
		    struct error *e);
