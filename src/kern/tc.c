/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
#include "kern/tc.h"

#include <errno.h>
#include <stdlib.h>

#include <bpf/bpf.h>

#include "base/ids.h"
#include "base/macros.h"
#include "base/str.h"
#include "kern/clsact.h"
#include "kern/pin.h"
#include "kern/tcx.h"

const char *tc_place_name(struct arena *a, const struct op_tc *op)
{
	const char *direction = tc_direction_names[op->direction];

	return op->netns ? arena_printf(a, "%s of %s in network namespace %s", direction,
					op->interface, op->netns) :
			   arena_printf(a, "%s of %s", direction, op->interface);
}

int tc_fail(struct op_result *ret, int code, enum failure_class class, const char *reason)
{
	ret->code = code;
	ret->class = class;
	ret->reason = reason;
	return code;
}

/* --- observe ------------------------------------------------------------------ */

bool tc_may_be_anywhere(const struct observed *o)
{
	for (size_t i = 0; i < o->chain_count; i++)
		if (o->chains[i].newer || o->chains[i].meta.hook == HOOK_TC)
			return true;
	for (size_t i = 0; i < o->object_count; i++)
		for (size_t k = 0; k < o->objects[i].program_count; k++)
			if (o->objects[i].programs[k].type == BPF_PROG_TYPE_SCHED_CLS)
				return true;
	return false;
}

static bool has_tc_links(const struct observed *o)
{
	for (size_t i = 0; i < o->link_count; i++)
		if (o->links[i].hook == HOOK_TC && o->links[i].ifindex)
			return true;
	return false;
}

static bool link_is_at(const struct observed *o, uint32_t ifindex, enum tc_direction direction)
{
	for (size_t i = 0; i < o->link_count; i++) {
		const struct observed_link *l = &o->links[i];

		if (l->hook == HOOK_TC && l->ifindex == ifindex && l->direction == direction)
			return true;
	}
	return false;
}

struct tc_list {
	LIST(struct observed_tc) list;
};

/* In the order of the interfaces, which is by ifindex. */
static void list_places(struct arena *a, const char *netns, bool everywhere,
			const struct observed *o, struct tc_list *ret)
{
	for (size_t i = 0; i < o->interface_count; i++) {
		const struct observed_interface *interface = &o->interfaces[i];

		if (netns_compare(interface->netns, netns) != 0)
			continue;
		for (unsigned int d = 0; d < TC_DIRECTION_COUNT; d++) {
			enum tc_direction direction = (enum tc_direction)d;

			if (everywhere || link_is_at(o, interface->ifindex, direction))
				*LIST_ADD(a, &ret->list) =
					(struct observed_tc){ .netns = netns,
							      .ifindex = interface->ifindex,
							      .direction = direction };
		}
	}
}

/* An interface that went meanwhile has nothing; it is about to be looked at again anyway. */
static int query_tcx(struct arena *a, struct tc_list *l, struct error *e)
{
	struct error why = { 0 };

	for (size_t i = 0; i < l->list.n; i++) {
		int r = tcx_query(a, &l->list.v[i], &why);

		if (r == -EINVAL && i == 0)
			return 0; /* before Linux 6.6 there is no such list */
		if (r < 0 && r != -ENODEV)
			return error_set(e, r, "%s", why.text);
	}
	return 0;
}

int tc_observe(struct arena *a, const char *netns, bool everywhere, struct observed *ret,
	       struct error *e)
{
	struct tc_list l = { 0 };
	struct observed_tc *all;
	int r;

	if (everywhere || has_tc_links(ret))
		list_places(a, netns, everywhere, ret, &l);
	if (l.list.n == 0)
		return 0;
	r = query_tcx(a, &l, e);
	if (r == 0)
		r = clsact_observe(a, l.list.v, l.list.n, e);
	if (r < 0)
		return error_prefix(e, r, "tc");
	all = arena_calloc(a, ret->tc_count + l.list.n, sizeof(*all));
	for (size_t i = 0; i < ret->tc_count; i++)
		all[i] = ret->tc[i];
	for (size_t i = 0; i < l.list.n; i++)
		all[ret->tc_count + i] = l.list.v[i];
	ret->tc = all;
	ret->tc_count += l.list.n;
	return 0;
}

/* --- programs ------------------------------------------------------------------- */

static void add_ids(struct arena *a, const struct observed_tc_program *p, size_t n, struct ids *ret)
{
	for (size_t i = 0; i < n; i++)
		if (p[i].id)
			ids_add(a, ret, p[i].id);
}

static int by_id(const void *a, const void *b)
{
	const struct observed_program *x = a, *y = b;

	return x->id < y->id ? -1 : x->id > y->id;
}

int tc_observe_programs(struct arena *a, struct observed *ret, struct error *e)
{
	struct observed_program *programs;
	struct ids ids = { 0 };
	size_t n = ret->program_count;

	for (size_t i = 0; i < ret->tc_count; i++) {
		add_ids(a, ret->tc[i].programs, ret->tc[i].program_count, &ids);
		add_ids(a, ret->tc[i].filters, ret->tc[i].filter_count, &ids);
	}
	ids_sort(&ids);
	if (ids.list.n == 0)
		return 0;
	programs = arena_calloc(a, n + ids.list.n, sizeof(*programs));
	for (size_t i = 0; i < n; i++)
		programs[i] = ret->programs[i];
	for (size_t i = 0; i < ids.list.n; i++) {
		int r = pin_program_look(a, ids.list.v[i], &programs[n], e);

		if (r < 0)
			return error_prefix(e, r, "tc");
		n += (size_t)r;
	}
	qsort(programs, n, sizeof(*programs), by_id);
	ret->programs = programs;
	ret->program_count = n;
	return 0;
}

/* --- whose they are ---------------------------------------------------------------- */

static void list_our_programs(struct arena *a, const struct observed *o, struct ids *ret)
{
	for (size_t i = 0; i < o->chain_count; i++)
		ids_add(a, ret, o->chains[i].id);
	for (size_t i = 0; i < o->object_count; i++)
		for (size_t k = 0; k < o->objects[i].program_count; k++)
			ids_add(a, ret, o->objects[i].programs[k].id);
	/* What lost its pins is known by its mark. */
	for (size_t i = 0; i < o->program_count; i++)
		if (o->programs[i].ours)
			ids_add(a, ret, o->programs[i].id);
	ids_sort(ret);
}

static void list_our_links(struct arena *a, const struct observed *o, struct ids *ret)
{
	for (size_t i = 0; i < o->link_count; i++)
		if ((o->links[i].pinned || o->links[i].lost) && o->links[i].hook == HOOK_TC)
			ids_add(a, ret, o->links[i].id);
	ids_sort(ret);
}

void tc_find_ours(const struct kern_context *c, struct arena *a, struct observed *ret)
{
	struct ids programs = { 0 }, links = { 0 };
	const char *mark = clsact_mark(a, c);

	list_our_programs(a, ret, &programs);
	list_our_links(a, ret, &links);
	for (size_t i = 0; i < ret->tc_count; i++) {
		struct observed_tc *tc = &ret->tc[i];

		for (size_t k = 0; k < tc->program_count; k++) {
			struct observed_tc_program *p = &tc->programs[k];

			p->ours = ids_has(&links, p->link_id) || ids_has(&programs, p->id);
		}
		for (size_t k = 0; k < tc->filter_count; k++) {
			struct observed_tc_program *p = &tc->filters[k];

			p->ours = ids_has(&programs, p->id) && str_eq(p->filter_name, mark);
		}
	}
}

/* --- apply ----------------------------------------------------------------------- */

void tc_set(const struct kern_context *c, struct arena *a, const struct op *op, int program_fd,
	    struct op_result *ret)
{
	if (op->tc.mechanism == MECHANISM_CLSACT)
		clsact_set(c, a, &op->tc, program_fd, ret);
	else
		tcx_set(c, a, &op->tc, program_fd, ret);
}

void tc_clear(const struct kern_context *c, struct arena *a, const struct op *op,
	      struct op_result *ret)
{
	if (op->tc.mechanism == MECHANISM_CLSACT)
		clsact_clear(c, a, &op->tc, ret);
	else
		tcx_clear(c, a, &op->tc, ret);
}
