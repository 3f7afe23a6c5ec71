/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* The fake kernel looked at: as recon does, and as text for tests. */
#include <linux/bpf.h>
#include <stdlib.h>
#include <string.h>

#include "fake/kern_fake_state.h"

/* --- as recon sees it ------------------------------------------------------------------------ */

static void observe_object(const struct kern_fake *k, struct arena *a, const struct fake_object *o,
			   struct observed_object *ret)
{
	ret->instance = arena_strdup(a, o->instance);
	ret->version = arena_strdup(a, o->version);
	if (!fake_meta_is_found(k, o))
		return; /* nothing tells what the directory was to hold */
	ret->complete = true;
	ret->meta = fake_copy_meta(a, &o->meta);
	ret->programs = arena_calloc(a, o->program_count, sizeof(*ret->programs));
	for (size_t i = 0; i < o->program_count; i++) {
		const struct fake_program *p = fake_find_program(k, o->programs[i].id);

		ret->complete &= fake_is_found(k, &o->programs[i]);
		if (!fake_is_found(k, &o->programs[i]))
			continue;
		ret->programs[ret->program_count++] =
			(struct observed_program){ .id = p->id,
						   .name = arena_strdup(a, p->name),
						   .tag = "0123456789abcdef",
						   .type = p->type };
	}
	ret->extensions = arena_calloc(a, o->extensions.n, sizeof(*ret->extensions));
	for (size_t i = 0; i < o->extensions.n; i++)
		if (fake_is_found(k, &o->extensions.v[i]))
			ret->extensions[ret->extension_count++] = (struct observed_program){
				.id = o->extensions.v[i].id,
				.name = arena_strdup(a, o->extensions.v[i].name),
				.tag = "fedcba9876543210",
				.type = BPF_PROG_TYPE_EXT,
			};
	ret->maps = arena_calloc(a, o->map_count, sizeof(*ret->maps));
	for (size_t i = 0; i < o->map_count; i++) {
		bool found = fake_map_is_found(k, o, &o->maps[i]);

		ret->complete &= found;
		if (!found)
			continue;
		ret->maps[ret->map_count] = fake_find_map(k, o->maps[i].id)->o;
		ret->maps[ret->map_count++].name = arena_strdup(a, o->maps[i].name);
	}
	fake_observe_lost(k, a, o, ret);
}

static int by_instance(const void *a, const void *b)
{
	const struct observed_object *x = a, *y = b;
	int r = strcmp(x->instance, y->instance);

	return r ? r : strcmp(x->version, y->version);
}

static int by_chain(const void *a, const void *b)
{
	uint32_t x = ((const struct observed_chain *)a)->id,
		 y = ((const struct observed_chain *)b)->id;

	return (x > y) - (x < y);
}

static int by_program(const void *a, const void *b)
{
	uint32_t x = ((const struct observed_program *)a)->id;
	uint32_t y = ((const struct observed_program *)b)->id;

	return (x > y) - (x < y);
}

static int by_ifindex(const void *a, const void *b)
{
	const struct observed_interface *x = a, *y = b;
	int r = netns_compare(x->netns, y->netns);

	return r ? r : (x->ifindex > y->ifindex) - (x->ifindex < y->ifindex);
}

static int by_mount(const void *a, const void *b)
{
	return strcmp(((const struct observed_mount *)a)->path,
		      ((const struct observed_mount *)b)->path);
}

static int by_pin(const void *a, const void *b)
{
	return strcmp(((const struct observed_pin *)a)->name,
		      ((const struct observed_pin *)b)->name);
}

static int by_name(const void *a, const void *b)
{
	const struct observed_name *x = a, *y = b;
	int r = strcmp(x->name, y->name);

	return r ? r : (int)x->is_group - (int)y->is_group;
}

static void sort(void *v, size_t n, size_t size, int (*compare)(const void *, const void *))
{
	if (n)
		qsort(v, n, size, compare);
}

static void observe_objects(const struct kern_fake *k, struct arena *a, struct observed *ret)
{
	ret->object_count = k->objects.n;
	ret->objects = arena_calloc(a, k->objects.n, sizeof(*ret->objects));
	for (size_t i = 0; i < k->objects.n; i++)
		observe_object(k, a, &k->objects.v[i], &ret->objects[i]);
	sort(ret->objects, ret->object_count, sizeof(*ret->objects), by_instance);
}

static void observe_chains(const struct kern_fake *k, struct arena *a, struct observed *ret)
{
	ret->chains = arena_calloc(a, k->chains.n, sizeof(*ret->chains));
	for (size_t i = 0; i < k->chains.n; i++) {
		const struct fake_chain *c = &k->chains.v[i];
		struct observed_chain *to = &ret->chains[ret->chain_count];

		if (!c->has_dir && !c->held)
			continue;
		ret->chain_count++;
		to->id = c->id;
		to->complete = c->has_meta || c->held;
		if (!to->complete)
			continue;
		fake_observe_lost_chain(a, c, to);
		to->meta = fake_copy_chain(a, &c->meta);
		to->slots = arena_dup(a, c->slots, c->meta.member_count * sizeof(*c->slots));
	}
	sort(ret->chains, ret->chain_count, sizeof(*ret->chains), by_chain);
}

static bool is_listed(const struct observed *o, uint32_t id)
{
	for (size_t i = 0; i < o->program_count; i++)
		if (o->programs[i].id == id)
			return true;
	return false;
}

static bool is_asked_for(const struct string_list *l, const char *s)
{
	for (size_t i = 0; i < l->n; i++)
		if (str_eq(l->v[i], s))
			return true;
	return false;
}

static bool is_seen(const struct observed *o, const char *netns)
{
	for (size_t i = 0; i < o->netns_count; i++)
		if (o->netns[i].found && str_eq(o->netns[i].name, netns))
			return true;
	return false;
}

static int by_netns(const void *a, const void *b)
{
	return strcmp(((const struct observed_netns *)a)->name,
		      ((const struct observed_netns *)b)->name);
}

static void observe_netns(struct kern_fake *k, struct arena *a, const struct observe_request *want,
			  struct observed *ret)
{
	LIST(struct observed_netns) list = { 0 };

	for (size_t i = 0; i < k->netns.n; i++) {
		struct fake_netns *n = &k->netns.v[i];

		n->seen = n->exists && (n->recorded || is_asked_for(&want->netns, n->name));
		if (n->recorded || is_asked_for(&want->netns, n->name))
			*LIST_ADD(a, &list) = (struct observed_netns){
				.name = n->name,
				.found = n->exists,
				.recorded = n->recorded,
				.fault = n->exists ? NULL : "No such file or directory",
				.same_as = n->exists ? n->same_as : NULL,
			};
	}
	for (size_t i = 0; i < want->netns.n; i++) {
		bool listed = false;

		for (size_t n = 0; n < list.n; n++)
			listed |= str_eq(list.v[n].name, want->netns.v[i]);
		if (!listed)
			*LIST_ADD(a, &list) = (struct observed_netns){
				.name = want->netns.v[i],
				.fault = "No such file or directory",
			};
	}
	sort(list.v, list.n, sizeof(*list.v), by_netns);
	ret->netns = list.v;
	ret->netns_count = list.n;
}

static void list_program(const struct kern_fake *k, struct arena *a, uint32_t id,
			 struct observed *ret)
{
	const struct fake_program *p = fake_find_program(k, id);

	if (p && !is_listed(ret, id))
		ret->programs[ret->program_count++] =
			(struct observed_program){ .id = id,
						   .name = arena_strdup(a, p->name),
						   .tag = "0123456789abcdef",
						   .type = p->type,
						   .ours = p->ours };
}

static void observe_interfaces(const struct kern_fake *k, struct arena *a, struct observed *ret)
{
	ret->interfaces = arena_calloc(a, k->interfaces.n, sizeof(*ret->interfaces));
	ret->programs = arena_calloc(a, k->programs.n, sizeof(*ret->programs));
	for (size_t i = 0; i < k->interfaces.n; i++) {
		const struct fake_interface *f = &k->interfaces.v[i];
		struct observed_interface *to = &ret->interfaces[ret->interface_count];

		if (f->o.netns && !is_seen(ret, f->o.netns))
			continue;
		ret->interface_count++;
		*to = f->o;
		to->name = arena_strdup(a, f->o.name);
		list_program(k, a, f->o.xdp_id, ret);
		for (size_t d = 0; d < TC_DIRECTION_COUNT; d++) {
			for (size_t n = 0; n < f->tc[d].links.n; n++)
				list_program(k, a, f->tc[d].links.v[n].id, ret);
			for (size_t n = 0; n < f->tc[d].filters.n; n++)
				list_program(k, a, f->tc[d].filters.v[n].id, ret);
		}
	}
	sort(ret->interfaces, ret->interface_count, sizeof(*ret->interfaces), by_ifindex);
	sort(ret->programs, ret->program_count, sizeof(*ret->programs), by_program);
}

static void observe_mounts(const struct kern_fake *k, struct arena *a,
			   const struct observe_request *want, struct observed *ret)
{
	ret->mounts = arena_calloc(a, k->mounts.n, sizeof(*ret->mounts));
	for (size_t i = 0; i < k->mounts.n; i++) {
		const struct fake_mount *m = &k->mounts.v[i];
		struct observed_mount *to = &ret->mounts[ret->mount_count];

		if (!m->o.ours && !is_asked_for(&want->paths, m->o.path))
			continue;
		ret->mount_count++;
		*to = m->o;
		to->pin_count = m->pins.n;
		to->pins = arena_dup(a, m->pins.v, m->pins.n * sizeof(*m->pins.v));
		sort(to->pins, to->pin_count, sizeof(*to->pins), by_pin);
	}
	sort(ret->mounts, ret->mount_count, sizeof(*ret->mounts), by_mount);
}

static void observe_names(const struct kern_fake *k, struct arena *a,
			  const struct observe_request *want, struct observed *ret)
{
	size_t n = want->users.n + want->groups.n;

	ret->names = arena_calloc(a, n, sizeof(*ret->names));
	for (size_t i = 0; i < n; i++) {
		bool is_group = i >= want->users.n;
		struct observed_name *to = &ret->names[ret->name_count++];

		to->name = is_group ? want->groups.v[i - want->users.n] : want->users.v[i];
		to->is_group = is_group;
		for (size_t s = 0; s < k->names.n; s++)
			if (str_eq(k->names.v[s].name, to->name) &&
			    k->names.v[s].is_group == is_group)
				*to = k->names.v[s];
	}
	sort(ret->names, ret->name_count, sizeof(*ret->names), by_name);
}

int fake_observe(void *ctx, struct arena *a, const struct observe_request *want,
		 struct observed *ret, struct error *e)
{
	struct kern_fake *k = ctx;

	(void)e;
	*ret = (struct observed){ .bpffs_mounted = k->bpffs, .directory_ready = k->directory };
	fake_object_gc(k);
	observe_objects(k, a, ret);
	observe_chains(k, a, ret);
	observe_netns(k, a, want, ret);
	observe_interfaces(k, a, ret);
	fake_tc_observe(k, a, want, ret);
	observe_mounts(k, a, want, ret);
	observe_names(k, a, want, ret);
	fake_observe_libxdp(k, a, want, ret);
	ret->links = arena_dup(a, k->links.v, k->links.n * sizeof(*k->links.v));
	ret->link_count = k->links.n;
	ret->features = arena_dup(a, k->features.v, k->features.n * sizeof(*k->features.v));
	ret->feature_count = k->features.n;
	return 0;
}

/* --- as text ------------------------------------------------------------------------------------ */

static const char *const mode_names[] = {
	[XDP_NONE] = "none",        [XDP_DRIVER] = "native",    [XDP_GENERIC] = "generic",
	[XDP_HARDWARE] = "offload", [XDP_MULTIPLE] = "several",
};

static void add_program(const struct kern_fake *k, struct strbuf *b, uint32_t id)
{
	const struct fake_program *p = fake_find_program(k, id);

	if (!p)
		strbuf_add(b, "empty");
	else if (p->instance)
		strbuf_addf(b, "%s/%s %s", p->instance, p->name, p->version);
	else
		strbuf_addf(b, "%s %s", p->ours ? "ours" : "foreign", p->name);
}

static void add_chain(const struct kern_fake *k, struct strbuf *b, const struct fake_interface *i)
{
	const struct fake_chain *c = fake_find_chain(k, i->o.xdp_id);

	strbuf_addf(b, "%s%s", mode_names[i->o.xdp_mode], i->link_id ? " link" : "");
	if (c && fake_is_libxdp(c))
		strbuf_addf(b, " libxdp %u%s", c->meta.protocol, c->meta.frags ? " frags" : "");
	strbuf_add(b, ": ");
	if (!c)
		add_program(k, b, i->o.xdp_id);
	for (size_t s = 0; c && s < c->meta.member_count; s++) {
		const struct meta_member *m = &c->meta.members[s];

		strbuf_addf(b, "%s[", s ? ", " : "");
		add_program(k, b, c->slots[s]);
		strbuf_addf(b, " proceed %x%s", m->proceed_on, m->required ? " required" : "");
		if (fake_is_libxdp(c))
			strbuf_addf(b, " at %u%s", m->run_priority, m->frags ? " frags" : "");
		strbuf_addc(b, ']');
	}
}

bool fake_root_is_ours(const struct kern_fake *k, const struct fake_interface *i)
{
	const struct fake_program *p = fake_find_program(k, i->o.xdp_id), *member;
	const struct fake_chain *c = fake_find_chain(k, i->o.xdp_id);

	if (!c || !fake_is_libxdp(c))
		return p && p->ours;
	/* Ours by its directory or by a member, whoever built it. */
	for (size_t s = 0; s < c->meta.member_count; s++) {
		member = fake_find_program(k, c->slots[s]);
		if (member && member->ours)
			return true;
	}
	return c->has_dir;
}

static const char *pins_fault(const struct kern_fake *k, struct arena *a,
			      const struct fake_interface *i)
{
	const struct fake_chain *c = fake_find_chain(k, i->o.xdp_id);

	if (!c || !fake_is_libxdp(c) || !c->has_dir || fake_pins_are_whole(k, i->o.ifindex, c))
		return NULL;
	return arena_printf(a, "pins of libxdp missing at %s", fake_label(a, i));
}

static const char *stale_pins(const struct kern_fake *k, struct arena *a, const struct fake_pins *p)
{
	const struct fake_chain *c = fake_find_chain(k, p->id);

	if (!c || !c->has_dir || fake_runs_at(k, p->ifindex, p->id))
		return NULL;
	return arena_printf(a, "stale pins of libxdp at %u", p->ifindex);
}

static const char *name_map(const struct kern_fake *k, struct arena *a, uint32_t id)
{
	for (size_t i = 0; i < k->objects.n; i++)
		for (size_t n = 0; n < k->objects.v[i].map_count; n++)
			if (k->objects.v[i].maps[n].id == id && !k->objects.v[i].maps[n].used)
				return arena_printf(a, "%s/%s of %s", k->objects.v[i].instance,
						    k->objects.v[i].maps[n].name,
						    k->objects.v[i].version);
	return id ? "a map that is nowhere else" : "no map";
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

struct lines {
	LIST(const char *) list;
};

static const char *join(struct arena *a, struct lines *l)
{
	cleanup(strbuf_done) struct strbuf b = { 0 };

	sort(l->list.v, l->list.n, sizeof(*l->list.v), by_text);
	for (size_t i = 0; i < l->list.n; i++)
		strbuf_addf(&b, "%s\n", l->list.v[i]);
	return arena_strdup(a, strbuf_get(&b));
}

static const char *format_mount(const struct kern_fake *k, struct arena *a,
				const struct fake_mount *m)
{
	cleanup(strbuf_done) struct strbuf b = { 0 };
	struct lines pins = { 0 };

	strbuf_addf(&b, "share %s at %s%s%s%s %u:%u %04o stacked %zu:", m->o.share, m->o.path,
		    m->o.read_only ? " read-only" : "", m->o.shared ? " shared" : "",
		    m->o.covered ? " covered" : "", m->o.uid, m->o.gid, m->o.mode, m->o.stacked);
	for (size_t i = 0; i < m->pins.n; i++)
		*LIST_ADD(a, &pins.list) =
			arena_printf(a, "  pin %s = %s %u:%u %04o", m->pins.v[i].name,
				     name_map(k, a, m->pins.v[i].map_id), m->pins.v[i].uid,
				     m->pins.v[i].gid, m->pins.v[i].mode);
	strbuf_addf(&b, "\n%s", join(a, &pins));
	return arena_strdup(a, strbuf_get(&b));
}

static const char *format_object(const struct kern_fake *k, struct arena *a,
				 const struct fake_object *o)
{
	const char *text = arena_printf(a, "object %s %s%s", o->instance, o->version,
					fake_is_complete(o) ? "" : " incomplete");

	for (size_t i = 0; i < o->map_count; i++)
		if (o->maps[i].used)
			text = arena_printf(a, "%s, %s = %s made by %s", text, o->maps[i].name,
					    name_map(k, a, o->maps[i].id),
					    fake_find_map(k, o->maps[i].id)->born);
	return text;
}

static void add_line(struct arena *a, struct lines *l, const char *text)
{
	if (text)
		*LIST_ADD(a, &l->list) = text;
}

/* A dispatcher of ours that was not given to others has all that belongs to it. */
static bool is_damaged(const struct kern_fake *k, const struct fake_chain *c)
{
	const struct fake_program *p = fake_find_program(k, c->id);

	if (fake_is_libxdp(c) && (!p->ours || !c->has_dir))
		return false;
	return !c->has_meta || !c->has_dir;
}

static void add_tc(struct kern_fake *k, struct arena *a, struct lines *l,
		   const char *(*describe)(struct kern_fake *k, struct arena *a,
					   const struct fake_interface *i,
					   enum tc_direction direction))
{
	for (size_t i = 0; i < k->interfaces.n; i++)
		for (enum tc_direction d = 0; d < TC_DIRECTION_COUNT; d++)
			add_line(a, l, describe(k, a, &k->interfaces.v[i], d));
}

const char *kern_fake_ours(struct kern_fake *k, struct arena *a)
{
	struct lines l = { 0 };

	for (size_t i = 0; i < k->objects.n; i++)
		*LIST_ADD(a, &l.list) = format_object(k, a, &k->objects.v[i]);
	for (size_t i = 0; i < k->chains.n; i++)
		if (is_damaged(k, &k->chains.v[i]))
			*LIST_ADD(a, &l.list) = "chain incomplete";
	for (size_t i = 0; i < k->interfaces.n; i++)
		add_line(a, &l, pins_fault(k, a, &k->interfaces.v[i]));
	for (size_t i = 0; i < k->protocol_pins.n; i++)
		add_line(a, &l, stale_pins(k, a, &k->protocol_pins.v[i]));
	for (size_t i = 0; i < k->interfaces.n; i++)
		if (fake_root_is_ours(k, &k->interfaces.v[i]))
			*LIST_ADD(a, &l.list) = arena_printf(
				a, "root %s %s", fake_label(a, &k->interfaces.v[i]),
				kern_fake_chain(k, a, fake_label(a, &k->interfaces.v[i])));
	add_tc(k, a, &l, fake_tc_ours);
	for (size_t i = 0; i < k->links.n; i++)
		/* How many links of tc there are depends on the form of the chains. */
		if (k->links.v[i].hook == HOOK_XDP || !k->links.v[i].ifindex)
			*LIST_ADD(a, &l.list) =
				arena_printf(a, "link on %u", k->links.v[i].ifindex);
	for (size_t i = 0; i < k->mounts.n; i++)
		if (k->mounts.v[i].o.ours)
			*LIST_ADD(a, &l.list) = format_mount(k, a, &k->mounts.v[i]);
	return join(a, &l);
}

/* Whoever built the dispatcher, its foreign members stay with their numbers and in their order. */
static void add_foreign_members(const struct kern_fake *k, struct arena *a, struct lines *l,
				const struct observed_interface *o, const struct fake_chain *c)
{
	const struct fake_pins *pins = fake_find_pins(k, o->ifindex, c->id);
	size_t position = 0;

	for (size_t s = 0; s < c->meta.member_count; s++) {
		uint32_t id = c->slots[s] ? c->slots[s] : pins ? pins->programs[s] : 0;

		if (fake_is_foreign_member(k, id))
			add_line(a, l,
				 arena_printf(a, "member %zu of %s %u: %u at %u proceed %x",
					      position++, o->netns ? o->netns : "", o->ifindex, id,
					      c->meta.members[s].run_priority,
					      c->meta.members[s].proceed_on));
	}
}

const char *kern_fake_foreign(struct kern_fake *k, struct arena *a)
{
	struct lines l = { 0 };

	for (size_t i = 0; i < k->interfaces.n; i++) {
		const struct observed_interface *o = &k->interfaces.v[i].o;
		const struct fake_chain *c = fake_find_chain(k, o->xdp_id);

		if (c && fake_is_libxdp(c) && !c->fault) {
			add_foreign_members(k, a, &l, o, c);
			continue;
		}
		if (o->xdp_id && !fake_root_is_ours(k, &k->interfaces.v[i]))
			*LIST_ADD(a, &l.list) = arena_printf(a, "root %s %u %u %d",
							     o->netns ? o->netns : "", o->ifindex,
							     o->xdp_id, o->xdp_mode);
	}
	add_tc(k, a, &l, fake_tc_foreign);
	for (size_t i = 0; i < k->mounts.n; i++)
		if (!k->mounts.v[i].o.ours || k->mounts.v[i].o.covered)
			*LIST_ADD(a, &l.list) = arena_printf(a, "mount %s", k->mounts.v[i].o.path);
	return join(a, &l);
}

const char *kern_fake_chain(const struct kern_fake *k, struct arena *a, const char *interface)
{
	cleanup(strbuf_done) struct strbuf b = { 0 };

	add_chain(k, &b, fake_find_interface(k, interface));
	return arena_strdup(a, strbuf_get(&b));
}

const char *kern_fake_records(const struct kern_fake *k, struct arena *a)
{
	struct lines l = { 0 };

	for (size_t i = 0; i < k->netns.n; i++)
		if (k->netns.v[i].recorded)
			*LIST_ADD(a, &l.list) = k->netns.v[i].name;
	return join(a, &l);
}

uint32_t kern_fake_root(const struct kern_fake *k, const char *interface)
{
	return fake_find_interface(k, interface)->o.xdp_id;
}
