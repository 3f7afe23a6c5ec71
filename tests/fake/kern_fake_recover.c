/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Pins that somebody deletes in the fake kernel. While the process lives that made or saw them it holds what they
 * were for; after a restart only what runs is found again, and of a version what its programs hold.
 */
#include <errno.h>
#include <string.h>

#include "fake/kern_fake_state.h"
#include "model/layout.h"

/* --- what is found ------------------------------------------------------------------- */

static bool runs_anywhere(const struct kern_fake *k, uint32_t id)
{
	for (size_t i = 0; i < k->interfaces.n; i++)
		if (k->interfaces.v[i].o.xdp_id == id)
			return true;
	for (size_t i = 0; i < k->chains.n; i++)
		for (size_t s = 0; s < k->chains.v[i].meta.member_count; s++)
			if (k->chains.v[i].slots[s] == id)
				return true;
	return fake_tc_is_attached(k, id, true) || fake_tc_is_attached(k, id, false);
}

bool fake_is_found(const struct kern_fake *k, const struct fake_pin *pin)
{
	return !pin->lost || (!pin->gone && (pin->held || runs_anywhere(k, pin->id)));
}

/* Some program of the version that the kernel still has: it holds all maps, and tells of the version. */
static bool has_program(const struct kern_fake *k, const struct fake_object *o)
{
	for (size_t i = 0; i < o->program_count; i++)
		if (fake_is_found(k, &o->programs[i]))
			return true;
	for (size_t i = 0; i < o->extensions.n; i++)
		if (fake_is_found(k, &o->extensions.v[i]))
			return true;
	return false;
}

bool fake_map_is_found(const struct kern_fake *k, const struct fake_object *o,
		       const struct fake_pin *map)
{
	return !map->lost || (!map->gone && (map->held || has_program(k, o)));
}

bool fake_meta_is_found(const struct kern_fake *k, const struct fake_object *o)
{
	return o->has_meta && (!o->meta_pin.lost || o->meta_pin.held || has_program(k, o));
}

static bool nothing_is_left(const struct kern_fake *k, const struct fake_object *o)
{
	if (!o->meta_pin.lost || has_program(k, o) || o->meta_pin.held)
		return false;
	for (size_t i = 0; i < o->map_count; i++)
		if (fake_map_is_found(k, o, &o->maps[i]))
			return false;
	return true;
}

/* Of a version all of whose pins are gone, what nothing holds is freed. */
void fake_object_gc(struct kern_fake *k)
{
	for (size_t i = k->objects.n; i-- > 0;)
		if (k->objects.v[i].has_meta && nothing_is_left(k, &k->objects.v[i]))
			FAKE_REMOVE(&k->objects, i);
}

/* --- as recon sees it ---------------------------------------------------------------- */

struct lost_list {
	LIST(struct observed_lost) list;
};

static void add(struct arena *a, struct lost_list *l, enum pin_type type, const char *path,
		uint32_t id)
{
	*LIST_ADD(a, &l->list) = (struct observed_lost){ .type = type, .path = path, .id = id };
}

void fake_observe_lost(const struct kern_fake *k, struct arena *a, const struct fake_object *o,
		       struct observed_object *ret)
{
	struct lost_list l = { 0 };

	for (size_t i = 0; i < o->program_count; i++)
		if (o->programs[i].lost && fake_is_found(k, &o->programs[i]))
			add(a, &l, PIN_TYPE_PROGRAM,
			    layout_program_pin(a, o->instance, o->version, o->programs[i].name),
			    o->programs[i].id);
	for (size_t i = 0; i < o->extensions.n; i++)
		if (o->extensions.v[i].lost && fake_is_found(k, &o->extensions.v[i]))
			add(a, &l, PIN_TYPE_PROGRAM,
			    layout_extension_pin(a, o->instance, o->version,
						 o->extensions.v[i].name),
			    o->extensions.v[i].id);
	for (size_t i = 0; i < o->map_count; i++)
		if (o->maps[i].lost && fake_map_is_found(k, o, &o->maps[i]))
			add(a, &l, PIN_TYPE_MAP,
			    layout_map_pin(a, o->instance, o->version, o->maps[i].name),
			    o->maps[i].id);
	if (o->meta_pin.lost)
		add(a, &l, PIN_TYPE_MAP,
		    arena_printf(a, "%s/" LAYOUT_META,
				 layout_object_dir(a, o->instance, o->version)),
		    0);
	ret->lost = l.list.v;
	ret->lost_count = l.list.n;
}

void fake_observe_lost_chain(struct arena *a, const struct fake_chain *c,
			     struct observed_chain *ret)
{
	static const char *const names[] = { LAYOUT_DISPATCHER, LAYOUT_MEMBERS, LAYOUT_META };
	struct lost_list l = { 0 };

	for (size_t i = 0; c->held && i < ARRAY_SIZE(names); i++)
		add(a, &l, i ? PIN_TYPE_MAP : PIN_TYPE_PROGRAM,
		    arena_printf(a, "%s/%s", layout_chain_dir(a, c->id), names[i]), i ? 0 : c->id);
	ret->lost = l.list.v;
	ret->lost_count = l.list.n;
}

/* --- pinned again ---------------------------------------------------------------------- */

static bool restore_pin(struct fake_pin *pin, const char *path, const char *wanted)
{
	if (!str_eq(path, wanted))
		return false;
	pin->lost = pin->held = false;
	return true;
}

static bool restore_object(struct kern_fake *k, struct fake_object *o, const char *path)
{
	bool done = false;

	for (size_t i = 0; i < o->program_count; i++)
		done |= restore_pin(&o->programs[i],
				    layout_program_pin(k->a, o->instance, o->version,
						       o->programs[i].name),
				    path);
	for (size_t i = 0; i < o->extensions.n; i++)
		done |= restore_pin(&o->extensions.v[i],
				    layout_extension_pin(k->a, o->instance, o->version,
							 o->extensions.v[i].name),
				    path);
	for (size_t i = 0; i < o->map_count; i++)
		done |= restore_pin(&o->maps[i],
				    layout_map_pin(k->a, o->instance, o->version, o->maps[i].name),
				    path);
	return done | restore_pin(&o->meta_pin,
				  arena_printf(k->a, "%s/" LAYOUT_META,
					       layout_object_dir(k->a, o->instance, o->version)),
				  path);
}

static bool restore_chain(struct kern_fake *k, struct fake_chain *c, const char *path)
{
	const char *directory = layout_chain_dir(k->a, c->id);

	if (!c->held || !str_starts(path, arena_printf(k->a, "%s/", directory)))
		return false;
	/* Metadata is last, and with it the directory is whole. */
	if (str_ends(path, "/" LAYOUT_META)) {
		c->has_dir = c->has_meta = true;
		c->held = false;
	}
	return true;
}

static bool restore_link(struct kern_fake *k, const struct observed_lost *lost)
{
	for (size_t i = 0; i < k->links.n; i++) {
		struct observed_link *l = &k->links.v[i];

		if (lost->type != PIN_TYPE_LINK || l->id != lost->id)
			continue;
		if (!str_eq(layout_link_pin(k->a, l->id, l->netns), lost->path))
			fake_violation(k, "link %u pinned as %s", l->id, lost->path);
		l->pinned = true;
		l->lost = false;
		return true;
	}
	return false;
}

static bool restore(struct kern_fake *k, const struct observed_lost *lost)
{
	for (size_t i = 0; i < k->objects.n; i++)
		if (restore_object(k, &k->objects.v[i], lost->path))
			return true;
	for (size_t i = 0; i < k->chains.n; i++)
		if (restore_chain(k, &k->chains.v[i], lost->path))
			return true;
	return restore_link(k, lost);
}

void fake_restore_pins(struct kern_fake *k, const struct op *op, struct op_result *ret)
{
	if (!k->directory) {
		fake_refuse(ret, -ENOENT, FAILURE_TRANSIENT, "Vanished",
			    "our directory is not there");
		return;
	}
	for (size_t i = 0; i < op->pins.n; i++) {
		if (!restore(k, &op->pins.v[i]))
			fake_violation(k, "nothing to pin as %s", op->pins.v[i].path);
		if (fake_step(k, "a pin is made again"))
			return;
	}
}

/* --- what somebody does ----------------------------------------------------------------- */

static void lose(struct fake_pin *pin)
{
	if (!pin || pin->lost)
		return;
	pin->lost = pin->held = true;
}

static void lose_all(struct fake_object *o)
{
	for (size_t i = 0; i < o->program_count; i++)
		lose(&o->programs[i]);
	for (size_t i = 0; i < o->extensions.n; i++)
		lose(&o->extensions.v[i]);
	for (size_t i = 0; i < o->map_count; i++)
		lose(&o->maps[i]);
	lose(&o->meta_pin);
}

void kern_fake_lose_pin(struct kern_fake *k, const char *instance, const char *name)
{
	for (size_t i = k->objects.n; i-- > 0;) {
		struct fake_object *o = &k->objects.v[i];

		if (!str_eq(o->instance, instance))
			continue;
		if (!name) {
			lose_all(o);
			continue;
		}
		lose(fake_find_pin(o->programs, o->program_count, name));
		lose(fake_find_pin(o->extensions.v, o->extensions.n, name));
		lose(fake_find_pin(o->maps, o->map_count, name));
	}
}

bool kern_fake_runs(const struct kern_fake *k, const char *instance)
{
	for (size_t i = 0; i < k->objects.n; i++) {
		const struct fake_object *o = &k->objects.v[i];

		for (size_t n = 0; str_eq(o->instance, instance) && n < o->program_count; n++)
			if (runs_anywhere(k, o->programs[n].id))
				return true;
	}
	return false;
}

void kern_fake_lose_for_good(struct kern_fake *k, const char *instance, const char *name)
{
	kern_fake_lose_pin(k, instance, name);
	for (size_t i = k->objects.n; i-- > 0;) {
		struct fake_object *o = &k->objects.v[i];

		if (!str_eq(o->instance, instance))
			continue;
		if (!name) {
			FAKE_REMOVE(&k->objects, i);
			continue;
		}
		for (size_t n = 0; n < o->program_count; n++)
			o->programs[n].gone |= o->programs[n].lost;
		for (size_t n = 0; n < o->extensions.n; n++)
			o->extensions.v[n].gone |= o->extensions.v[n].lost;
		for (size_t n = 0; n < o->map_count; n++)
			o->maps[n].gone |= o->maps[n].lost;
	}
}

void kern_fake_lose_chain(struct kern_fake *k, const char *interface)
{
	struct fake_chain *c = fake_find_chain(k, kern_fake_root(k, interface));

	if (!c || fake_is_libxdp(c) || !c->has_dir || !c->has_meta)
		return;
	c->has_dir = c->has_meta = false;
	c->held = true;
}

void kern_fake_lose_link_pin(struct kern_fake *k, const char *interface)
{
	const struct fake_interface *at = fake_find_interface(k, interface);

	for (size_t i = 0; at->link_id && i < k->links.n; i++)
		if (k->links.v[i].id == at->link_id && k->links.v[i].pinned) {
			k->links.v[i].pinned = false;
			k->links.v[i].lost = true;
		}
}

static void let_go(struct fake_pin *pins, size_t n)
{
	for (size_t i = 0; i < n; i++)
		pins[i].held = false;
}

/* A link goes, and with it what it attached. */
static void drop_links(struct kern_fake *k)
{
	for (size_t i = 0; i < k->interfaces.n; i++)
		for (size_t l = 0; l < k->links.n; l++)
			if (k->links.v[l].lost && k->links.v[l].id == k->interfaces.v[i].link_id)
				fake_detach(k, &k->interfaces.v[i]);
}

void fake_let_go(struct kern_fake *k)
{
	for (size_t i = 0; i < k->objects.n; i++) {
		struct fake_object *o = &k->objects.v[i];

		let_go(o->programs, o->program_count);
		let_go(o->extensions.v, o->extensions.n);
		let_go(o->maps, o->map_count);
		let_go(&o->meta_pin, 1);
	}
	for (size_t i = 0; i < k->chains.n; i++) {
		struct fake_chain *c = &k->chains.v[i];

		if (c->held)
			memset(c->slots, 0, c->meta.member_count * sizeof(*c->slots));
		c->held = false;
	}
	drop_links(k);
	fake_chain_gc(k);
	fake_object_gc(k);
}
