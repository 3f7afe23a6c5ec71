/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
#include "kern/keep.h"

#include <bpf/bpf.h>
#include <errno.h>

#include "base/alloc.h"
#include "base/str.h"
#include "kern/pin.h"
#include "model/layout.h"

struct kept {
	uint32_t id; /* of the dispatcher */
	int array;
};

struct keep {
	struct kept *v;
	size_t n, cap;
};

struct keep *keep_new(void)
{
	return xnew(struct keep);
}

void keep_free(struct keep *k)
{
	if (!k)
		return;
	for (size_t i = 0; i < k->n; i++)
		closep(&k->v[i].array);
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

static bool is_kept(const struct keep *k, uint32_t id)
{
	for (size_t i = 0; i < k->n; i++)
		if (k->v[i].id == id)
			return true;
	return false;
}

static void add(struct keep *k, uint32_t id, int array)
{
	if (k->n == k->cap) {
		k->cap = k->cap ? 2 * k->cap : 8;
		k->v = xrealloc(k->v, k->cap * sizeof(*k->v));
	}
	k->v[k->n++] = (struct kept){ id, array };
}

void keep_update(struct keep *k, const struct kern_context *c, struct arena *a,
		 const struct observed *o)
{
	for (size_t i = k->n; i-- > 0;) {
		if (is_needed(o, k->v[i].id))
			continue;
		closep(&k->v[i].array);
		k->v[i] = k->v[--k->n];
	}
	for (size_t i = 0; i < o->chain_count; i++) {
		const struct observed_chain *chain = &o->chains[i];
		const char *dir = layout_chain_dir(a, chain->id);
		int fd = -1;

		if (!chain->complete || is_kept(k, chain->id))
			continue;
		/* Out of descriptors: the pin still holds the array, as long as nobody deletes it. */
		if (pin_open(arena_printf(a, "%s/%s/%s", c->bpffs_dir, dir, LAYOUT_MEMBERS), &fd,
			     NULL) == 0)
			add(k, chain->id, fd);
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

static bool is_pinned(const struct observed *o, uint32_t id)
{
	if (observed_find_chain(o, id))
		return true;
	for (size_t i = 0; i < o->object_count; i++)
		for (size_t k = 0; k < o->objects[i].program_count; k++)
			if (o->objects[i].programs[k].id == id)
				return true;
	return false;
}

int keep_find_marks(const struct kern_context *c, struct arena *a, struct observed *o,
		    struct error *e)
{
	const char *name = pin_meta_name(a, c->tag);

	for (size_t i = 0; i < o->program_count; i++) {
		struct observed_program *p = &o->programs[i];
		int r = 0;

		if (is_pinned(o, p->id))
			continue;
		for (size_t k = 0; r == 0 && k < p->map_count; k++)
			r = is_mark(a, p->maps[k], name, e);
		if (r < 0)
			return r;
		p->ours = r;
	}
	return 0;
}
