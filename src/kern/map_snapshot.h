/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * What the first sweep of a copied map saw, so that the second one can tell whose change is the later one: a hash of
 * each key with a hash of its value. Both are keyed with a random number, since packets may choose the keys of
 * a map. Bounded over all maps, and only a help: without one the second sweep adds what is new. Internal to kern.
 */
#pragma once

#include "model/observed.h"

/* Of all snapshots at one time: 32 MiB of memory. */
#define MAP_SNAPSHOT_ENTRIES_MAX (1024 * 1024)

struct map_snapshots;
struct map_snapshot;

struct map_snapshots *map_snapshots_new(void);
void map_snapshots_free(struct map_snapshots *s); /* NULL is fine */

/* By the ids of the old map and the new one: versions of an object may have the same map. */
struct map_pair {
	uint32_t from, to;
};

/* An empty one, which replaces an older one; valid until it is dropped. */
struct map_snapshot *map_snapshots_begin(struct map_snapshots *s, struct map_pair pair);
/* NULL: none was made, or it became too large. */
struct map_snapshot *map_snapshots_find(struct map_snapshots *s, struct map_pair pair);
void map_snapshots_drop(struct map_snapshots *s, struct map_pair pair);
/* Drops those of maps that no version has any more. */
void map_snapshots_prune(struct map_snapshots *s, const struct observed *o);

/* It would have become too large, and is empty. */
bool map_snapshot_overflowed(const struct map_snapshot *s);

/* Never 0. */
uint64_t map_snapshot_hash(const struct map_snapshot *s, const void *data, size_t size);
void map_snapshot_put(struct map_snapshot *s, uint64_t key, uint64_t value);
/* Whether the first sweep saw it, which is noted; its value then. */
bool map_snapshot_find(struct map_snapshot *s, uint64_t key, uint64_t *ret_value);
/* The same for an entry that was not asked for by map_snapshot_find(), so that it is not there any more. */
bool map_snapshot_find_gone(const struct map_snapshot *s, uint64_t key, uint64_t *ret_value);
/* Puts what a later sweep saw, which counts as asked for. */
void map_snapshot_renew(struct map_snapshot *s, uint64_t key, uint64_t value);
/* How many nobody asked for. */
size_t map_snapshot_gone(const struct map_snapshot *s);
/* Forgets what was asked for: a second sweep begins. */
void map_snapshot_rewind(struct map_snapshot *s);
