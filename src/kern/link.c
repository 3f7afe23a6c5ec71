/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
#include "kern/link.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>

#include "base/macros.h"
#include "base/num.h"
#include "base/str.h"
#include "kern/keep.h"
#include "kern/pin.h"
#include "kern/stamp.h"
#include "model/layout.h"

/* Where the link is pinned, whatever its namespace; *ret NULL when it is not. */
static int find_pin(const struct kern_context *c, struct arena *a, uint32_t id, const char **ret,
		    struct error *e)
{
	struct string_list names;
	int r = pin_part_list(c, a, LAYOUT_LINKS, &names, e);

	*ret = NULL;
	for (size_t i = 0; r == 0 && i < names.n && !*ret; i++) {
		const char *netns;
		uint32_t found;

		if (layout_link_parse(a, names.v[i], &found, &netns) && found == id)
			*ret = pin_path(c, a, layout_link_pin(a, id, netns));
	}
	return r;
}

/* 1: a link of a hook that we attach to, 0: another kind. */
static int link_info(int fd, struct observed_link *ret, struct error *e)
{
	struct bpf_link_info info = { 0 };
	uint32_t size = sizeof(info);

	if (bpf_obj_get_info_by_fd(fd, &info, &size) < 0)
		return error_set(e, -errno, "cannot look at a link: %s", error_string(errno));
	*ret = (struct observed_link){ .id = info.id, .program_id = info.prog_id };
	switch (info.type) {
	case BPF_LINK_TYPE_XDP:
		ret->hook = HOOK_XDP;
		ret->ifindex = info.xdp.ifindex;
		return 1;
	case BPF_LINK_TYPE_TCX:
		ret->hook = HOOK_TC;
		ret->direction = info.tcx.attach_type == BPF_TCX_EGRESS ? TC_EGRESS : TC_INGRESS;
		ret->ifindex = info.tcx.ifindex;
		return 1;
	default:
		return 0;
	}
}

/* 1: opened, 0: there is no such link any more. */
static int open_by_id(uint32_t id, int *ret_fd, struct error *e)
{
	int fd = bpf_link_get_fd_by_id(id);

	/* EAGAIN: it is being made and not attached yet. */
	if (fd < 0 && (errno == ENOENT || errno == EAGAIN))
		return 0;
	if (fd < 0)
		return error_set(e, -errno, "cannot open link id %u: %s", id, error_string(errno));
	*ret_fd = fd;
	return 1;
}

int link_get(uint32_t id, struct observed_link *ret, struct error *e)
{
	cleanup(closep) int fd = -1;
	int r = open_by_id(id, &fd, e);

	return r <= 0 ? r : link_info(fd, ret, e);
}

/* --- observe -------------------------------------------------------------- */

struct link_list {
	LIST(struct observed_link) list;
};

/* 1: told, 0: what has this name is no link of ours, whatever else it is. */
static int look_at_pin(const struct kern_context *c, struct arena *a, const char *name,
		       bool unchanged, struct observed_link *ret, struct error *e)
{
	const char *path = arena_printf(a, LAYOUT_LINKS "/%s", name), *netns;
	cleanup(closep) int fd = -1;
	int r, kept = unchanged ? keep_find(c->keep, path, "", NULL) : -1;
	uint32_t id;

	if (!layout_link_parse(a, name, &id, &netns) ||
	    !str_eq(path, layout_link_pin(a, id, netns)))
		return 0;
	if (kept < 0) {
		r = pin_open_if(pin_path(c, a, path), &fd, e);
		if (r <= 0 || pin_kind(fd) != PIN_LINK)
			return MIN(r, 0);
	}
	r = link_info(kept >= 0 ? kept : fd, ret, e);
	if (r <= 0 || ret->id != id)
		return MIN(r, 0);
	ret->pinned = true;
	ret->netns = netns;
	return 1;
}

static int look_at_pins(const struct kern_context *c, struct arena *a, bool unchanged,
			struct observed *o, struct link_list *l, struct error *e)
{
	struct string_list names = { 0 };
	int r = pin_part_list(c, a, LAYOUT_LINKS, &names, e);

	for (size_t i = 0; r >= 0 && i < names.n; i++) {
		struct observed_link link;

		r = look_at_pin(c, a, names.v[i], unchanged, &link, e);
		if (r > 0)
			*LIST_ADD(a, &l->list) = link;
		else if (r == 0)
			pin_foreign(a, o, arena_printf(a, LAYOUT_LINKS "/%s", names.v[i]));
	}
	return MIN(r, 0);
}

/*
 * As long as the directory does not change, what is pinned in it is what we hold: then no pin needs to be opened, which
 * for a thousand links is half of the work.
 */
static int observe_pinned(const struct kern_context *c, struct arena *a, struct observed *o,
			  struct link_list *l, struct error *e)
{
	const struct timespec now = stamp_now();
	struct stamp stamp;
	int r;

	if (!o->bpffs_mounted)
		return 0;
	stamp = stamp_of(AT_FDCWD, pin_path(c, a, LAYOUT_LINKS));
	r = look_at_pins(c, a, stamp_same(&stamp, c->links), o, l, e);
	*c->links = r == 0 && stamp_settled(&stamp, &now) ? stamp : (struct stamp){ 0 };
	return r;
}

static bool program_is_ours(const struct observed *o, uint32_t id)
{
	if (observed_find_chain(o, id))
		return true;
	for (size_t i = 0; i < o->object_count; i++)
		for (size_t n = 0; n < o->objects[i].program_count; n++)
			if (o->objects[i].programs[n].id == id)
				return true;
	return false;
}

static int by_id(const void *a, const void *b)
{
	const struct observed_link *x = a, *y = b;

	return x->id < y->id ? -1 : x->id > y->id;
}

static void sort(struct link_list *l)
{
	if (l->list.n > 0)
		qsort(l->list.v, l->list.n, sizeof(*l->list.v), by_id);
}

/* Among the first ones, which are sorted. */
static bool is_listed(const struct link_list *l, size_t count, uint32_t id)
{
	const struct observed_link key = { .id = id };

	return count > 0 && bsearch(&key, l->list.v, count, sizeof(key), by_id) != NULL;
}

/*
 * Those whose pin is gone while this daemon holds them. One without an interface is let go with the rest of what is
 * not observed.
 */
static int observe_kept(const struct kern_context *c, struct arena *a, struct link_list *l,
			struct error *e)
{
	const size_t pinned = l->list.n;
	struct string_list names;
	int r = 0;

	sort(l);
	keep_list(c->keep, a, LAYOUT_LINKS, "", &names);
	for (size_t i = 0; r >= 0 && i < names.n; i++) {
		const char *directory = arena_printf(a, LAYOUT_LINKS "/%s", names.v[i]), *netns;
		struct observed_link link;
		uint32_t id;
		int fd = keep_find(c->keep, directory, "", NULL);

		if (!layout_link_parse(a, names.v[i], &id, &netns) || is_listed(l, pinned, id))
			continue;
		r = link_info(fd, &link, e);
		if (r <= 0 || !link.ifindex)
			continue;
		link.lost = true;
		link.netns = netns;
		*LIST_ADD(a, &l->list) = link;
	}
	return MIN(r, 0);
}

/*
 * What lost its pin and is held by a descriptor only, or what somebody else attached of ours. One
 * that is on no interface is about to go: a pin lets go of its link some time after the unlink.
 */
static int observe_unpinned(struct arena *a, const struct observed *o, struct link_list *l,
			    struct error *e)
{
	size_t pinned = l->list.n;
	uint32_t id = 0;

	sort(l);
	while (bpf_link_get_next_id(id, &id) == 0) {
		struct observed_link link;
		int r;

		if (is_listed(l, pinned, id))
			continue;
		r = link_get(id, &link, e);
		if (r < 0)
			return r;
		if (r > 0 && link.ifindex && program_is_ours(o, link.program_id))
			*LIST_ADD(a, &l->list) = link;
	}
	if (errno != ENOENT)
		return error_set(e, -errno, "cannot list links: %s", error_string(errno));
	return 0;
}

int link_observe(const struct kern_context *c, struct arena *a, struct observed *ret,
		 struct error *e)
{
	struct link_list l = { 0 };
	int r;

	r = observe_pinned(c, a, ret, &l, e);
	if (r == 0)
		r = observe_kept(c, a, &l, e);
	if (r == 0)
		r = observe_unpinned(a, ret, &l, e);
	if (r < 0)
		return error_prefix(e, r, "links");
	sort(&l);
	ret->links = l.list.v;
	ret->link_count = l.list.n;
	return 0;
}

/* --- change --------------------------------------------------------------- */

int link_keep(const struct kern_context *c, struct arena *a, const char *netns, int fd,
	      struct error *e)
{
	struct observed_link link;
	int r = link_info(fd, &link, e);

	return r < 0 ? r : pin_put(fd, pin_path(c, a, layout_link_pin(a, link.id, netns)), e);
}

int link_create(const struct kern_context *c, struct arena *a, const struct link_place *at,
		int program_fd, uint32_t mode_flag, struct error *e)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts, .flags = mode_flag);
	/* Without its pin it goes, and detaches, with this descriptor. */
	cleanup(closep) int fd = bpf_link_create(program_fd, (int)at->ifindex, BPF_XDP, &opts);

	if (fd < 0)
		return error_set(e, -errno, "%s", error_string(errno));
	return link_keep(c, a, at->netns, fd, e);
}

/* 1: opened by its pin or, that being lost, by its id; 0: there is no such link. */
static int open_link(const struct kern_context *c, struct arena *a, uint32_t id, int *ret_fd,
		     const char **ret_pin, struct error *e)
{
	int r = find_pin(c, a, id, ret_pin, e);

	if (r == 0 && *ret_pin)
		r = pin_open_if(*ret_pin, ret_fd, e);
	if (r == 0)
		*ret_pin = NULL;
	return r == 0 ? open_by_id(id, ret_fd, e) : r;
}

int link_update(const struct kern_context *c, struct arena *a, const struct link_place *at,
		int program_fd, int expected_fd, struct error *e)
{
	LIBBPF_OPTS(bpf_link_update_opts, opts, .flags = BPF_F_REPLACE,
		    .old_prog_fd = (uint32_t)expected_fd);
	cleanup(closep) int fd = -1;
	const char *pin;
	int r;

	r = open_link(c, a, at->id, &fd, &pin, e);
	if (r < 0)
		return r;
	if (r == 0)
		return error_set(e, -ENOENT, "link id %u is gone", at->id);
	if (bpf_link_update(fd, program_fd, &opts) < 0)
		return error_set(e, -errno, "%s", error_string(errno));
	return pin ? 0 : link_keep(c, a, at->netns, fd, e);
}

int link_remove(const struct kern_context *c, struct arena *a, uint32_t id, uint32_t program_id,
		struct error *e)
{
	struct observed_link link = { .program_id = program_id };
	cleanup(closep) int fd = -1;
	const char *pin;
	int r;

	r = open_link(c, a, id, &fd, &pin, e);
	if (r > 0 && !pin)
		r = link_info(fd, &link, e);
	if (r <= 0 || link.program_id != program_id)
		return r < 0 ? r : 0;
	/* At once, even if somebody else holds a descriptor of it. */
	if (bpf_link_detach(fd) < 0)
		return error_set(e, -errno, "cannot detach link id %u: %s", id,
				 error_string(errno));
	return pin ? pin_remove(pin, e) : 0;
}
