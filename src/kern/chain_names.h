/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * What lies in the directories of chains by its names: ours, which go with the chain, and what others pinned there.
 * A directory in which nothing was found but ours is listed again when it changed. Internal to kern.
 */
#pragma once

#include "kern/context.h"

struct chain_names;

struct chain_names *chain_names_new(void);
void chain_names_free(struct chain_names *n); /* NULL is fine */

/* Reports as foreign what is not ours in the directories of o->chains, which are sorted. */
void chain_names_look(struct chain_names *n, const struct kern_context *c, struct arena *a,
		      struct observed *o);

/*
 * True: nothing of ours is in the directory chains/NAME, only what is reported as foreign. An empty one was left by an
 * interruption.
 */
bool chain_names_are_foreign(const struct kern_context *c, struct arena *a, const char *name,
			     struct observed *o);

/*
 * The directory with what the daemon pins in it, `meta` first. What others pinned there stays, and the directory
 * with it. That it is gone already is fine.
 */
int chain_directory_remove(struct arena *a, const char *directory, struct error *e);
