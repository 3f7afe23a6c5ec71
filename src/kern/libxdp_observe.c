/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * What libxdp's protocol tells of the interfaces. Map, pins and names can be anything: whoever is root can write them, and
 * tools of several versions do. So nothing is taken to be of a kind or of a size before it was looked at, and what does not
 * fit is a fault of that dispatcher, not of the observation.
 */
#include "kern/libxdp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>

#include "base/macros.h"
#include "base/str.h"
#include "kern/pin.h"
#include "model/layout.h"

#define DISPATCHER_NAME "xdp_dispatcher"

/* No version of the structure will come near this. */
#define CONFIG_BYTES_MAX 4096

static void btfp(struct btf **b)
{
	btf__free(*b);
}

/* Sorted names of the directories, read once. */
struct view {
	const struct kern_context *c;
	struct arena *a;
	struct observed *o;
	struct string_list directories;
	LIST(struct observed_dispatch) dispatches;
};

/* --- the configuration ------------------------------------------------------------ */

/* NULL data: the program has not the one map that a dispatcher has, or that went away meanwhile. */
static int read_map(struct arena *a, const struct observed_program *p, const void **ret_data,
		    size_t *ret_size, struct error *e)
{
	cleanup(closep) int fd = -1;
	struct observed_map map;
	const uint32_t key = 0;
	void *data;
	int r;

	*ret_data = NULL;
	*ret_size = 0;
	if (p->map_count != 1)
		return 0;
	fd = bpf_map_get_fd_by_id(p->maps[0]);
	if (fd < 0)
		return errno == ENOENT ? 0 :
					 error_set(e, -errno, "cannot open map id %u: %s",
						   p->maps[0], error_string(errno));
	r = pin_map_info(a, fd, &map, e);
	/* The size of a value says how much a lookup writes only for some types. */
	if (r < 0 || map.type != BPF_MAP_TYPE_ARRAY || map.key_size != sizeof(key) ||
	    map.max_entries != 1 || !(map.flags & BPF_F_RDONLY_PROG) ||
	    map.value_size > CONFIG_BYTES_MAX)
		return r;
	data = arena_alloc(a, map.value_size + 8);
	if (bpf_map_lookup_elem(fd, &key, data) < 0)
		return error_set(e, -errno, "cannot read map id %u: %s", map.id,
				 error_string(errno));
	*ret_data = data;
	*ret_size = map.value_size;
	return 0;
}

/* --- members ----------------------------------------------------------------------- */

/* The kernel cuts names at 15 characters; BTF has the whole one, of the function where the program starts. */
static const char *function_name(struct arena *a, int fd, const char *kernels)
{
	struct bpf_func_info function = { 0 };
	struct bpf_prog_info info = { 0 };
	cleanup(btfp) struct btf *btf = NULL;
	uint32_t size = sizeof(info);
	const struct btf_type *type;
	const char *name = NULL;

	if (strlen(kernels) < BPF_OBJ_NAME_LEN - 1)
		return kernels;
	info.nr_func_info = 1;
	info.func_info_rec_size = sizeof(function);
	info.func_info = (uintptr_t)&function;
	if (bpf_obj_get_info_by_fd(fd, &info, &size) < 0 || !info.btf_id || !function.type_id)
		return kernels;
	btf = btf__load_from_kernel_by_id(info.btf_id);
	type = btf ? btf__type_by_id(btf, function.type_id) : NULL;
	if (type && btf_is_func(type))
		name = btf__name_by_offset(btf, type->name_off);
	return name && str_starts(name, kernels) ? arena_strdup(a, name) : kernels;
}

static void read_program(struct arena *a, int fd, struct observed_dispatch_member *m)
{
	struct observed_program p;

	if (pin_kind(fd) != PIN_PROGRAM || pin_program_info(a, fd, &p, NULL) < 0 ||
	    p.type != BPF_PROG_TYPE_EXT)
		return;
	m->id = p.id;
	m->name = function_name(a, fd, p.name);
	memcpy(m->tag, p.tag, sizeof(m->tag));
}

static void read_program_by_id(struct arena *a, uint32_t id, struct observed_dispatch_member *m)
{
	cleanup(closep) int fd = bpf_prog_get_fd_by_id(id);

	if (fd >= 0)
		read_program(a, fd, m);
}

/*
 * A pin that cannot be opened, or is of something else, is none. What runs is what the link has: a program
 * that lost its pin, or has another one's in its place, is still the member.
 */
static void observe_member(struct view *v, const struct observed_dispatch *d, size_t slot,
			   struct observed_dispatch_member *m)
{
	const char *directory = layout_protocol_dir(v->a, d->ifindex, d->id);
	const char *program =
		libxdp_path(v->c, v->a, libxdp_pin_name(v->a, directory, slot, "prog"));
	const char *link = libxdp_path(v->c, v->a, libxdp_pin_name(v->a, directory, slot, "link"));
	cleanup(closep) int program_fd = bpf_obj_get(program), link_fd = bpf_obj_get(link);
	struct libxdp_link info;

	if (program_fd >= 0)
		read_program(v->a, program_fd, m);
	if (link_fd < 0 || pin_kind(link_fd) != PIN_LINK || !libxdp_link_info(link_fd, &info) ||
	    (info.dispatcher_id && info.dispatcher_id != d->id))
		return;
	m->linked = m->id == info.program_id;
	if (!m->linked)
		read_program_by_id(v->a, info.program_id, m);
}

static bool has_directory(const struct view *v, const char *name)
{
	const struct string_list *l = &v->directories;

	return l->n > 0 && bsearch(&name, l->v, l->n, sizeof(*l->v), pin_name_compare);
}

/* Our own links hold the members of a dispatcher of ours whatever becomes of libxdp's pins. */
static void add_own_pins(struct view *v, const struct observed_chain *chain,
			 struct observed_dispatch_member *m, size_t slot)
{
	if (!chain || !chain->complete || chain->meta.mechanism != MECHANISM_LIBXDP ||
	    slot >= chain->meta.member_count || m->id || !chain->slots[slot])
		return;
	read_program_by_id(v->a, chain->slots[slot], m);
}

static void observe_members(struct view *v, const struct libxdp_config *config,
			    struct observed_dispatch *d)
{
	const char *directory = layout_protocol_dir(v->a, d->ifindex, d->id);
	const struct observed_chain *chain = observed_find_chain(v->o, d->id);
	bool there = has_directory(v, directory), all = true;

	d->members = arena_calloc(v->a, config->slot_count, sizeof(*d->members));
	d->member_count = config->slot_count;
	for (size_t i = 0; i < config->slot_count; i++) {
		struct observed_dispatch_member *m = &d->members[i];

		m->name = "";
		m->priority = config->slots[i].priority;
		m->actions = config->slots[i].actions;
		m->flags = config->slots[i].flags;
		m->required = config->slots[i].required;
		if (there)
			observe_member(v, d, i, m);
		add_own_pins(v, chain, m, i);
		all = all && m->id;
	}
	if (!all && !d->ours)
		d->fault = there ? "some of its programs are not pinned where libxdp keeps them" :
				   "its programs are not pinned where libxdp keeps them";
	else if (d->devbound)
		d->fault = "its programs are bound to the device, which this bpfshare cannot keep";
	if (d->fault)
		d->member_count = 0;
}

/* --- dispatchers ------------------------------------------------------------------------ */

static struct observed_program *find_root(struct view *v, uint32_t id)
{
	for (size_t i = 0; i < v->o->program_count; i++)
		if (v->o->programs[i].id == id)
			return &v->o->programs[i];
	return NULL;
}

/* One of ours may serve a thousand interfaces. Nobody else builds such. */
static const struct observed_dispatch *find_seen(const struct view *v, uint32_t id)
{
	for (size_t i = v->dispatches.n; i-- > 0;)
		if (v->dispatches.v[i].id == id)
			return v->dispatches.v[i].ours ? &v->dispatches.v[i] : NULL;
	return NULL;
}

static int observe_dispatch(struct view *v, const struct observed_interface *i,
			    struct observed_program *p, struct error *e)
{
	const struct observed_dispatch *seen = find_seen(v, p->id);
	struct libxdp_config config;
	struct observed_dispatch *d, copy;
	const void *data;
	size_t size;
	int r;

	if (seen) {
		copy = *seen;
		copy.netns = i->netns;
		copy.ifindex = i->ifindex;
		*LIST_ADD(v->a, &v->dispatches) = copy;
		return 0;
	}
	r = read_map(v->a, p, &data, &size, e);
	if (r < 0)
		return r;
	d = LIST_ADD(v->a, &v->dispatches);
	*d = (struct observed_dispatch){ .netns = i->netns, .ifindex = i->ifindex, .id = p->id };
	d->fault = libxdp_config_read(data, size, &config);
	d->version = config.version;
	if (d->fault)
		return 0;
	d->frags = config.frags;
	d->devbound = config.devbound;
	d->ours = config.tag == libxdp_tag(v->c) && pin_is_by_us(p);
	d->bpfshare = config.tag != 0;
	p->ours = p->ours || (d->ours && !observed_find_chain(v->o, p->id));
	observe_members(v, &config, d);
	return 0;
}

/* --- pinned_at ---------------------------------------------------------------------------- */

/* Both pins of every slot, by their names. */
static bool is_whole(struct view *v, const struct observed_chain *chain, const char *directory)
{
	struct string_list names;
	size_t found = 0;

	if (pin_directory_list(v->a, libxdp_path(v->c, v->a, directory), &names, NULL) < 0)
		return false;
	for (size_t slot = 0; slot < chain->meta.member_count; slot++) {
		const char *wanted[] = { arena_printf(v->a, "prog%zu-prog", slot),
					 arena_printf(v->a, "prog%zu-link", slot) };

		for (size_t k = 0; k < ARRAY_SIZE(wanted); k++)
			found += names.n > 0 && bsearch(&wanted[k], names.v, names.n,
							sizeof(*names.v), pin_name_compare);
	}
	return found == 2 * chain->meta.member_count;
}

static bool is_root_at(const struct observed *o, uint32_t ifindex, uint32_t id)
{
	for (size_t i = 0; i < o->interface_count; i++)
		if (o->interfaces[i].ifindex == ifindex && o->interfaces[i].xdp_id == id)
			return true;
	return false;
}

/* A directory of one of our chains. */
struct place {
	struct observed_chain *chain;
	uint32_t ifindex;
};

static int by_chain(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	if (x->chain != y->chain)
		return x->chain < y->chain ? -1 : 1;
	return x->ifindex < y->ifindex ? -1 : x->ifindex > y->ifindex;
}

static struct observed_chain *find_chain(struct view *v, uint32_t id)
{
	const struct observed_chain *chain = observed_find_chain(v->o, id);

	if (!chain || !chain->complete || chain->meta.mechanism != MECHANISM_LIBXDP)
		return NULL;
	return &v->o->chains[chain - v->o->chains];
}

/*
 * Where an interface runs the dispatcher, a directory that lacks a pin does not count: it is made whole. Where none
 * does, any directory is one to remove.
 */
static void observe_pinned_at(struct view *v)
{
	LIST(struct place) places = { 0 };

	for (size_t i = 0; i < v->directories.n; i++) {
		const char *name = v->directories.v[i];
		struct observed_chain *chain;
		uint32_t ifindex, id;

		chain = layout_protocol_parse(name, &ifindex, &id) ? find_chain(v, id) : NULL;
		if (chain && (!is_root_at(v->o, ifindex, id) || is_whole(v, chain, name)))
			*LIST_ADD(v->a, &places) = (struct place){ chain, ifindex };
	}
	if (places.n > 0)
		qsort(places.v, places.n, sizeof(*places.v), by_chain);
	for (size_t i = 0, end; i < places.n; i = end) {
		struct observed_chain *chain = places.v[i].chain;

		for (end = i; end < places.n && places.v[end].chain == chain; end++)
			chain->pinned_count++;
		chain->pinned_at =
			arena_calloc(v->a, chain->pinned_count, sizeof(*chain->pinned_at));
		for (size_t k = i; k < end; k++)
			chain->pinned_at[k - i] = places.v[k].ifindex;
	}
}

int libxdp_observe(const struct kern_context *c, struct arena *a, struct observed *o,
		   struct error *e)
{
	struct view v = { .c = c, .a = a, .o = o };
	cleanup(closep) int lock = -1;
	int r = libxdp_lock_shared(c, a, &lock, e);

	if (r == 0 && lock >= 0)
		r = pin_directory_list(a, libxdp_path(c, a, ""), &v.directories, e);
	for (size_t i = 0; r == 0 && i < o->interface_count; i++) {
		struct observed_program *p = find_root(&v, o->interfaces[i].xdp_id);

		if (p && p->type == BPF_PROG_TYPE_XDP && str_eq(p->name, DISPATCHER_NAME))
			r = observe_dispatch(&v, &o->interfaces[i], p, e);
	}
	if (r < 0)
		return error_prefix(e, r, "dispatchers of libxdp");
	observe_pinned_at(&v);
	o->dispatches = v.dispatches.v;
	o->dispatch_count = v.dispatches.n;
	return 0;
}
