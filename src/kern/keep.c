/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
#include "kern/keep.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/macros.h"
#include "base/str.h"
#include "kern/pin.h"
#include "model/layout.h"
#include "model/limits.h"

struct kept {
	uint32_t id;                   /* of the dispatcher */
	int fds[LIMIT_CHAIN_TAILCALL]; /* the array at 0, or a link per slot; -1: not held */
};

struct keep {
	struct kept *v;
	size_t n, cap;
};

struct keep *keep_new(void)
{
	return xnew(struct keep);
}

static void let_go(struct kept *kept)
{
	for (size_t i = 0; i < ARRAY_SIZE(kept->fds); i++)
		closep(&kept->fds[i]);
}

void keep_free(struct keep *k)
{
	if (!k)
		return;
	for (size_t i = 0; i < k->n; i++)
		let_go(&k->v[i]);
	free(k->v);
	free(k);
}

static bool is_among(const struct observed_tc_program *p, size_t n, uint32_t id)
{
	for (size_t i = 0; i < n; i++)
		if (p[i].id == id)
			return true;
	return false;
}

static bool is_needed(const struct observed *o, uint32_t id)
{
	if (observed_find_chain(o, id))
		return true;
	for (size_t i = 0; i < o->interface_count; i++)
		if (o->interfaces[i].xdp_id == id)
			return true;
	for (size_t i = 0; i < o->tc_count; i++)
		if (is_among(o->tc[i].programs, o->tc[i].program_count, id) ||
		    is_among(o->tc[i].filters, o->tc[i].filter_count, id))
			return true;
	return false;
}

bool keep_misses_pins(const struct keep *k, const struct observed *o)
{
	for (size_t i = 0; i < k->n; i++)
		if (!observed_find_chain(o, k->v[i].id))
			return true;
	return false;
}

static struct kept *find(const struct keep *k, uint32_t id)
{
	for (size_t i = 0; i < k->n; i++)
		if (k->v[i].id == id)
			return &k->v[i];
	return NULL;
}

static struct kept *add(struct keep *k, uint32_t id)
{
	struct kept *kept;

	if (k->n == k->cap) {
		k->cap = k->cap ? 2 * k->cap : 8;
		k->v = xrealloc(k->v, k->cap * sizeof(*k->v));
	}
	kept = &k->v[k->n++];
	kept->id = id;
	for (size_t i = 0; i < ARRAY_SIZE(kept->fds); i++)
		kept->fds[i] = -1;
	return kept;
}

int keep_find_link(const struct keep *k, uint32_t chain_id, uint32_t slot)
{
	const struct kept *kept = find(k, chain_id);

	return kept && slot < ARRAY_SIZE(kept->fds) ? kept->fds[slot] : -1;
}

void keep_forget(struct keep *k, uint32_t chain_id)
{
	struct kept *kept = find(k, chain_id);

	if (!kept)
		return;
	let_go(kept);
	*kept = k->v[--k->n];
}

/* Out of descriptors: the pin still holds what is there, as long as nobody deletes it. */
static void hold(int *fd, const char *pin)
{
	if (*fd < 0)
		(void)pin_open(pin, fd, NULL);
}

/* An emptied slot's link is not there to be held; one that was made anew is. */
static void hold_chain(struct kept *kept, const struct kern_context *c, struct arena *a,
		       const struct observed_chain *chain)
{
	const char *dir = pin_path(c, a, layout_chain_dir(a, chain->id));

	if (chain->meta.mechanism != MECHANISM_LIBXDP) {
		hold(&kept->fds[0], arena_printf(a, "%s/%s", dir, LAYOUT_MEMBERS));
		return;
	}
	for (uint32_t slot = 0; slot < chain->meta.member_count; slot++)
		if (chain->slots[slot])
			hold(&kept->fds[slot],
			     pin_path(c, a, layout_chain_link(a, chain->id, slot)));
}

void keep_update(struct keep *k, const struct kern_context *c, struct arena *a,
		 const struct observed *o)
{
	for (size_t i = k->n; i-- > 0;) {
		if (is_needed(o, k->v[i].id))
			continue;
		let_go(&k->v[i]);
		k->v[i] = k->v[--k->n];
	}
	for (size_t i = 0; i < o->chain_count; i++) {
		const struct observed_chain *chain = &o->chains[i];
		struct kept *kept = find(k, chain->id);

		if (chain->complete)
			hold_chain(kept ? kept : add(k, chain->id), c, a, chain);
	}
}

/* --- marks -------------------------------------------------------------------- */

/* 1: the map is metadata of ours, 0: it is not or is gone. */
static int is_mark(struct arena *a, uint32_t id, const char *name, struct error *e)
{
	cleanup(closep) int fd = bpf_map_get_fd_by_id(id);
	struct observed_map map;
	int r;

	if (fd < 0)
		return errno == ENOENT ? 0 :
					 error_set(e, -errno, "cannot look at map id %u: %s", id,
						   error_string(errno));
	r = pin_map_info(a, fd, &map, e);
	return r < 0 ? r : str_eq(map.name, name);
}

struct id_list {
	LIST(uint32_t) list;
};

static int by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static void list_pinned(struct arena *a, const struct observed *o, struct id_list *ret)
{
	for (size_t i = 0; i < o->chain_count; i++)
		*LIST_ADD(a, &ret->list) = o->chains[i].id;
	for (size_t i = 0; i < o->object_count; i++)
		for (size_t k = 0; k < o->objects[i].program_count; k++)
			*LIST_ADD(a, &ret->list) = o->objects[i].programs[k].id;
	if (ret->list.n > 0)
		qsort(ret->list.v, ret->list.n, sizeof(*ret->list.v), by_number);
}

static bool has_id(const struct id_list *l, uint32_t id)
{
	return l->list.n > 0 &&
	       bsearch(&id, l->list.v, l->list.n, sizeof(*l->list.v), by_number) != NULL;
}

int keep_find_marks(const struct kern_context *c, struct arena *a, struct observed *o,
		    struct error *e)
{
	const char *name = pin_meta_name(a, c->tag);
	struct id_list pinned = { 0 };

	list_pinned(a, o, &pinned);
	for (size_t i = 0; i < o->program_count; i++) {
		struct observed_program *p = &o->programs[i];
		int r = 0;

		if (has_id(&pinned, p->id))
			continue;
		for (size_t k = 0; r == 0 && k < p->map_count; k++)
			r = is_mark(a, p->maps[k], name, e);
		if (r < 0)
			return r;
		p->ours = p->ours || r;
	}
	return 0;
}
