/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
#include "kern/map_snapshot.h"

#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "base/alloc.h"
#include "base/macros.h"

#define SLOTS_FIRST 64

struct slot {
	uint64_t key; /* 0: nobody's */
	uint64_t value : 63;
	uint64_t found : 1;
};

struct map_snapshot {
	struct map_snapshots *all;
	struct map_pair pair;
	struct slot *slots;
	size_t slot_count, count,
		found; /* slot_count is a power of two, and at least twice count */
	bool overflowed;
};

struct map_snapshots {
	uint64_t secret[2];
	struct map_snapshot **list;
	size_t n, entries;
};

struct map_snapshots *map_snapshots_new(void)
{
	struct map_snapshots *s = xnew(struct map_snapshots);

	/* Before the kernel has gathered randomness, while booting, nobody can guess the time either. */
	if (getrandom(s->secret, sizeof(s->secret), GRND_NONBLOCK) != sizeof(s->secret)) {
		struct timespec now = { 0 };

		(void)clock_gettime(CLOCK_REALTIME, &now);
		s->secret[0] = (uint64_t)now.tv_nsec;
		s->secret[1] = (uintptr_t)s;
	}
	return s;
}

static void snapshot_empty(struct map_snapshot *s)
{
	s->all->entries -= s->count;
	free(s->slots);
	s->slots = NULL;
	s->slot_count = s->count = s->found = 0;
}

static void remove_at(struct map_snapshots *s, size_t i)
{
	struct map_snapshot *old = s->list[i];

	s->list[i] = s->list[--s->n];
	snapshot_empty(old);
	free(old);
}

void map_snapshots_free(struct map_snapshots *s)
{
	if (!s)
		return;
	while (s->n > 0)
		remove_at(s, 0);
	free(s->list);
	free(s);
}

static struct map_snapshot *find(const struct map_snapshots *s, struct map_pair pair, size_t *ret_i)
{
	for (*ret_i = 0; *ret_i < s->n; ++*ret_i) {
		struct map_snapshot *one = s->list[*ret_i];

		if (one->pair.from == pair.from && one->pair.to == pair.to)
			return one;
	}
	return NULL;
}

void map_snapshots_drop(struct map_snapshots *s, struct map_pair pair)
{
	size_t i;

	if (find(s, pair, &i))
		remove_at(s, i);
}

struct map_snapshot *map_snapshots_begin(struct map_snapshots *s, struct map_pair pair)
{
	struct map_snapshot *new = xnew(struct map_snapshot);

	map_snapshots_drop(s, pair);
	new->all = s;
	new->pair = pair;
	s->list = xrealloc(s->list, (s->n + 1) * sizeof(*s->list));
	s->list[s->n++] = new;
	return new;
}

struct map_snapshot *map_snapshots_find(struct map_snapshots *s, struct map_pair pair)
{
	size_t i;
	struct map_snapshot *found = find(s, pair, &i);

	return found && !found->overflowed ? found : NULL;
}

static bool is_somewhere(const struct observed *o, uint32_t map)
{
	for (size_t i = 0; i < o->object_count; i++)
		for (size_t k = 0; k < o->objects[i].map_count; k++)
			if (o->objects[i].maps[k].id == map)
				return true;
	return false;
}

void map_snapshots_prune(struct map_snapshots *s, const struct observed *o)
{
	for (size_t i = s->n; i > 0; i--) {
		struct map_pair pair = s->list[i - 1]->pair;

		if (!is_somewhere(o, pair.from) || !is_somewhere(o, pair.to))
			remove_at(s, i - 1);
	}
}

/* --- SipHash-2-4 ------------------------------------------------------------------------ */

static uint64_t rotate(uint64_t x, int bits)
{
	return x << bits | x >> (64 - bits);
}

static void sip_rounds(uint64_t v[4], int n)
{
	while (n--) {
		v[0] += v[1];
		v[1] = rotate(v[1], 13) ^ v[0];
		v[0] = rotate(v[0], 32);
		v[2] += v[3];
		v[3] = rotate(v[3], 16) ^ v[2];
		v[0] += v[3];
		v[3] = rotate(v[3], 21) ^ v[0];
		v[2] += v[1];
		v[1] = rotate(v[1], 17) ^ v[2];
		v[2] = rotate(v[2], 32);
	}
}

uint64_t map_snapshot_hash(const struct map_snapshot *s, const void *data, size_t size)
{
	const uint64_t *k = s->all->secret;
	uint64_t v[4] = { k[0] ^ UINT64_C(0x736f6d6570736575), k[1] ^ UINT64_C(0x646f72616e646f6d),
			  k[0] ^ UINT64_C(0x6c7967656e657261),
			  k[1] ^ UINT64_C(0x7465646279746573) };
	const unsigned char *p = data;

	for (size_t left = size;; left -= 8, p += 8) {
		uint64_t word = (uint64_t)size << 56; /* the last one */

		if (left >= 8)
			memcpy(&word, p, 8);
		else
			for (size_t i = 0; i < left; i++)
				word |= (uint64_t)p[i] << 8 * i;
		v[3] ^= word;
		sip_rounds(v, 2);
		v[0] ^= word;
		if (left < 8)
			break;
	}
	v[2] ^= 0xff;
	sip_rounds(v, 4);
	/* 63 bits, which is what a slot has for a value, and never 0. */
	return (v[0] ^ v[1] ^ v[2] ^ v[3]) >> 1 | 1;
}

/* --- the table -------------------------------------------------------------------------- */

/* Where the key is or belongs; there is always a free slot. */
static struct slot *find_slot(const struct map_snapshot *s, uint64_t key)
{
	size_t i = key >> 1 & (s->slot_count - 1);

	while (s->slots[i].key && s->slots[i].key != key)
		i = (i + 1) & (s->slot_count - 1);
	return &s->slots[i];
}

static void grow(struct map_snapshot *s)
{
	struct slot *old = s->slots;
	size_t n = s->slot_count;

	s->slot_count = n ? 2 * n : SLOTS_FIRST;
	s->slots = xcalloc(s->slot_count, sizeof(*s->slots));
	for (size_t i = 0; i < n; i++)
		if (old[i].key)
			*find_slot(s, old[i].key) = old[i];
	free(old);
}

/* NULL: there is no room for it, and so for none. */
static struct slot *put(struct map_snapshot *s, uint64_t key, uint64_t value)
{
	struct slot *slot;

	if (s->overflowed)
		return NULL;
	if (2 * (s->count + 1) > s->slot_count)
		grow(s);
	slot = find_slot(s, key);
	if (!slot->key && s->all->entries == MAP_SNAPSHOT_ENTRIES_MAX) {
		/* Half of one would take what it lacks for new. */
		snapshot_empty(s);
		s->overflowed = true;
		return NULL;
	}
	if (!slot->key) {
		slot->key = key;
		s->count++;
		s->all->entries++;
	}
	slot->value = value;
	return slot;
}

void map_snapshot_put(struct map_snapshot *s, uint64_t key, uint64_t value)
{
	(void)put(s, key, value);
}

void map_snapshot_renew(struct map_snapshot *s, uint64_t key, uint64_t value)
{
	struct slot *slot = put(s, key, value);

	if (!slot)
		return;
	s->found += !slot->found;
	slot->found = true;
}

bool map_snapshot_find(struct map_snapshot *s, uint64_t key, uint64_t *ret_value)
{
	struct slot *slot = s->count ? find_slot(s, key) : NULL;

	if (!slot || !slot->key)
		return false;
	s->found += !slot->found;
	slot->found = true;
	*ret_value = slot->value;
	return true;
}

bool map_snapshot_find_gone(const struct map_snapshot *s, uint64_t key, uint64_t *ret_value)
{
	const struct slot *slot = s->count ? find_slot(s, key) : NULL;

	if (!slot || !slot->key || slot->found)
		return false;
	*ret_value = slot->value;
	return true;
}

bool map_snapshot_overflowed(const struct map_snapshot *s)
{
	return s->overflowed;
}

size_t map_snapshot_gone(const struct map_snapshot *s)
{
	return s->count - s->found;
}

void map_snapshot_rewind(struct map_snapshot *s)
{
	for (size_t i = 0; i < s->slot_count; i++)
		s->slots[i].found = false;
	s->found = 0;
}
