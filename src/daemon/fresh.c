/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
#include "daemon/fresh.h"

#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "kern/counters.h"
#include "recon/engine.h"

#define MS_NS     (1000ull * 1000)
#define PERIOD_NS (1000 * MS_NS)
#define BUDGET_NS (50 * MS_NS)

/* Maps of one period; the search for one of them is linear. */
#define FILLED_MOST 1024

/* What was counted is good for a period, so that asking again costs nothing. */
struct filled {
	uint32_t map;
	bool known;
	uint64_t entries;
};

struct budget {
	uint64_t begin_ns, spent_ns; /* of the present period */
};

struct fresh {
	struct budget root, others;
	uint64_t filled_ns; /* when the first of these was counted */
	struct filled *filled;
	size_t count;
};

struct fresh *fresh_new(void)
{
	return xnew(struct fresh);
}

void fresh_free(struct fresh *f)
{
	if (!f)
		return;
	free(f->filled);
	free(f);
}

/* --- run counts --------------------------------------------------------------- */

static void set_runs(json_t *row, const char *id_key, uint64_t deadline_ns)
{
	json_int_t id = json_integer_value(json_object_get(row, id_key));
	uint64_t count, ns;

	if (!id || engine_now_ns() >= deadline_ns)
		return;
	if (counters_read_runs((uint32_t)id, &count, &ns) < 0)
		return; /* gone since the pass */
	(void)json_object_set_new(row, "run_count", json_integer((json_int_t)count));
	(void)json_object_set_new(row, "run_ns", json_integer((json_int_t)ns));
}

static bool is_asked_for(const struct fresh_request *q, const json_t *chain)
{
	const char *interface = json_string_value(json_object_get(chain, "interface"));

	for (size_t i = 0; i < q->n; i++)
		if (str_eq(q->names[i], interface))
			return true;
	return q->n == 0;
}

static void fill_runs(const struct fresh_request *q, const json_t *status, uint64_t deadline_ns)
{
	json_t *chain, *member;
	size_t i, k;

	json_array_foreach(json_object_get(status, "chains"), i, chain) {
		if (!is_asked_for(q, chain))
			continue;
		set_runs(chain, "dispatcher_id", deadline_ns);
		json_array_foreach(json_object_get(chain, "members"), k, member)
			set_runs(member, "id", deadline_ns);
	}
}

/* --- entries ------------------------------------------------------------------ */

static struct filled *filled_find(struct fresh *f, uint32_t map)
{
	for (size_t i = 0; i < f->count; i++)
		if (f->filled[i].map == map)
			return &f->filled[i];
	return NULL;
}

/*
 * Also remembers what could not be counted, else one large map would take the time of all. Root tries
 * again: others may have had no time left for it.
 */
static const struct filled *count(struct fresh *f, uint32_t map, uint64_t deadline_ns, bool root)
{
	struct filled *c = filled_find(f, map);

	if ((c && (c->known || !root)) || engine_now_ns() >= deadline_ns)
		return c;
	if (!c && f->count == FILLED_MOST)
		return NULL;
	if (!c) {
		f->filled = xrealloc(f->filled, (f->count + 1) * sizeof(*f->filled));
		c = &f->filled[f->count++];
	}
	*c = (struct filled){ .map = map };
	c->known = counters_count_entries(map, deadline_ns, &c->entries) == 0;
	return c;
}

static void fill_entries(struct fresh *f, const json_t *status, uint64_t deadline_ns, bool root)
{
	json_t *object, *map;
	size_t i, k;

	if (engine_now_ns() - f->filled_ns >= PERIOD_NS) {
		f->count = 0;
		f->filled_ns = engine_now_ns();
	}
	json_array_foreach(json_object_get(status, "objects"), i, object) {
		json_array_foreach(json_object_get(object, "maps"), k, map) {
			json_int_t id = json_integer_value(json_object_get(map, "id"));
			const struct filled *c = id ? count(f, (uint32_t)id, deadline_ns, root) :
						      NULL;

			if (c && c->known)
				(void)json_object_set_new(map, "entries",
							  json_integer((json_int_t)c->entries));
		}
	}
}

void fresh_fill(struct fresh *f, const struct fresh_request *q, json_t *status)
{
	struct budget *b = q->root ? &f->root : &f->others;
	uint64_t start = engine_now_ns(), deadline;

	if (start - b->begin_ns >= PERIOD_NS)
		*b = (struct budget){ .begin_ns = start };
	deadline = start + BUDGET_NS - MIN(b->spent_ns, BUDGET_NS);
	if (q->runs)
		fill_runs(q, status, deadline);
	if (q->entries)
		fill_entries(f, status, deadline, q->root);
	b->spent_ns += engine_now_ns() - start;
}
