/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * The watch over every step: what is there when it begins and when it ends must be there at
 * every step between.
 */
#include "fake/kern_fake_state.h"

static struct fake_presence *add(struct kern_fake *k, struct fake_snapshot *s)
{
	return LIST_ADD(k->a, &s->present);
}

static void add_running(struct kern_fake *k, const struct fake_interface *i, uint32_t id,
			struct fake_snapshot *ret)
{
	const struct fake_program *p = fake_find_program(k, id);

	if (p && p->instance)
		*add(k, ret) = (struct fake_presence){
			.interface = i->serial,
			.what = arena_printf(k->a, "%s/%s on %s", p->instance, p->name,
					     fake_label(k->a, i)),
		};
	else if (fake_is_foreign_member(k, id))
		*add(k, ret) = (struct fake_presence){
			.interface = i->serial,
			.what = arena_printf(k->a, "foreign %s %u on %s", p->name, id,
					     fake_label(k->a, i)),
		};
}

static void add_tc_program(struct kern_fake *k, const struct fake_interface *i,
			   enum tc_direction direction, uint32_t id, struct fake_snapshot *ret)
{
	const struct fake_program *p = fake_find_program(k, id);

	if (p && p->instance)
		*add(k, ret) = (struct fake_presence){
			.interface = i->serial,
			.hook = HOOK_TC,
			.what = arena_printf(k->a, "%s/%s on %s of %s", p->instance, p->name,
					     tc_direction_names[direction], i->o.name),
		};
}

static void add_tc(struct kern_fake *k, const struct fake_interface *i, enum tc_direction direction,
		   uint32_t id, struct fake_snapshot *ret)
{
	const struct fake_chain *c = fake_find_chain(k, id);

	if (!c)
		add_tc_program(k, i, direction, id, ret);
	for (size_t s = 0; c && s < c->meta.member_count; s++)
		add_tc_program(k, i, direction, c->slots[s], ret);
}

static void add_place(struct kern_fake *k, const struct fake_interface *i,
		      enum tc_direction direction, struct fake_snapshot *ret)
{
	const struct fake_tc *t = &i->tc[direction];

	for (size_t n = 0; n < t->links.n; n++)
		add_tc(k, i, direction, t->links.v[n].id, ret);
	for (size_t n = 0; n < t->filters.n; n++)
		add_tc(k, i, direction, t->filters.v[n].id, ret);
}

static void add_chain(struct kern_fake *k, const struct fake_interface *i,
		      struct fake_snapshot *ret)
{
	const struct fake_chain *c = fake_find_chain(k, i->o.xdp_id);

	if (!c)
		add_running(k, i, i->o.xdp_id, ret);
	for (size_t s = 0; c && s < c->meta.member_count; s++)
		add_running(k, i, c->slots[s], ret);
}

static void add_object(struct kern_fake *k, const struct fake_object *o, struct fake_snapshot *ret)
{
	if (!fake_is_complete(o))
		return;
	*add(k, ret) = (struct fake_presence){
		.what = arena_printf(k->a, "object %s", o->instance),
	};
}

static void add_mount(struct kern_fake *k, const struct fake_mount *m, struct fake_snapshot *ret)
{
	for (size_t i = 0; m->o.ours && i < m->pins.n; i++)
		*add(k, ret) = (struct fake_presence){
			.what = arena_printf(k->a, "%s/%s", m->o.path, m->pins.v[i].name),
		};
}

void fake_take_snapshot(struct kern_fake *k, const char *when)
{
	struct fake_snapshot *s = LIST_ADD(k->a, &k->trace);

	s->when = arena_strdup(k->a, when);
	for (size_t i = 0; i < k->interfaces.n; i++) {
		add_chain(k, &k->interfaces.v[i], s);
		add_place(k, &k->interfaces.v[i], TC_INGRESS, s);
		add_place(k, &k->interfaces.v[i], TC_EGRESS, s);
	}
	for (size_t i = 0; i < k->objects.n; i++)
		add_object(k, &k->objects.v[i], s);
	for (size_t i = 0; i < k->mounts.n; i++)
		add_mount(k, &k->mounts.v[i], s);
}

void kern_fake_watch(struct kern_fake *k)
{
	k->watching = true;
	k->trace.n = 0;
	for (size_t i = 0; i < k->interfaces.n; i++)
		k->interfaces.v[i].gap = false;
	fake_take_snapshot(k, "start");
}

static bool is_present(const struct fake_snapshot *s, const struct fake_presence *what)
{
	for (size_t i = 0; i < s->present.n; i++)
		if (s->present.v[i].interface == what->interface &&
		    str_eq(s->present.v[i].what, what->what))
			return true;
	return false;
}

/* Names change while a thing stays, so an interface that asked for a detach is told by its number. */
static bool may_have_gap(const struct kern_fake *k, const struct fake_presence *what)
{
	const struct fake_interface *at = fake_find_serial(k, what->interface);

	return what->interface && (!at || (at->gap && what->hook == HOOK_XDP));
}

static void check_presence(struct kern_fake *k, const struct fake_presence *what)
{
	for (size_t t = 1; t + 1 < k->trace.n; t++)
		if (!is_present(&k->trace.v[t], what))
			fake_violation(k,
				       "%s: without %s, which was there before and is in the end",
				       k->trace.v[t].when, what->what);
}

static void check_trace(struct kern_fake *k)
{
	const struct fake_snapshot *first = &k->trace.v[0], *last = &k->trace.v[k->trace.n - 1];

	for (size_t i = 0; i < first->present.n; i++)
		if (is_present(last, &first->present.v[i]) &&
		    !may_have_gap(k, &first->present.v[i]))
			check_presence(k, &first->present.v[i]);
}

const char *kern_fake_violations(struct kern_fake *k)
{
	if (k->watching && k->trace.n)
		check_trace(k);
	k->watching = false;
	return strbuf_get(&k->violations);
}

/* --- maps without their object --------------------------------------------------------------------- */

static bool has_owner(const struct kern_fake *k, uint32_t map)
{
	for (size_t i = 0; i < k->objects.n; i++) {
		const struct fake_object *o = &k->objects.v[i];

		for (size_t n = 0; n < o->map_count; n++)
			if (o->maps[n].id == map && !o->maps[n].used)
				return true;
	}
	return false;
}

const char *kern_fake_dangling(const struct kern_fake *k, struct arena *a)
{
	cleanup(strbuf_done) struct strbuf b = { 0 };

	for (size_t i = 0; i < k->objects.n; i++) {
		const struct fake_object *o = &k->objects.v[i];

		for (size_t n = 0; n < o->map_count; n++)
			if (o->maps[n].used && !has_owner(k, o->maps[n].id))
				strbuf_addf(&b, "map %s of %s %s\n", o->maps[n].name, o->instance,
					    o->version);
	}
	for (size_t i = 0; i < k->mounts.n; i++) {
		const struct fake_mount *m = &k->mounts.v[i];

		for (size_t n = 0; n < m->pins.n; n++)
			if (m->pins.v[n].map_id && !has_owner(k, m->pins.v[n].map_id))
				strbuf_addf(&b, "pin %s of %s\n", m->pins.v[n].name, m->o.path);
	}
	return arena_strdup(a, strbuf_get(&b));
}
