/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
#include "recon/in_place.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"

struct item {
	const char *key, *value;
	/* Of what is at an interface: it is forgotten with it. */
	bool at_interface;
	const char *netns;
	uint32_t ifindex;
	/* Of former files, while not all is done of the present ones: an operation may well mean to change it. */
	bool former;
};

struct in_place {
	struct arena *a; /* of the items */
	struct item *v;  /* sorted by key */
	size_t n;
	LIST(struct item) did; /* what we did since the last observation, where nothing was */
};

struct item_list {
	LIST(struct item) list;
};

struct in_place *in_place_new(void)
{
	struct in_place *m = xnew(struct in_place);

	m->a = arena_new();
	return m;
}

void in_place_free(struct in_place *m)
{
	if (!m)
		return;
	arena_free(m->a);
	free(m);
}

void in_place_clear(struct in_place *m)
{
	m->n = 0;
	m->did.n = 0;
}

static int by_key(const void *a, const void *b)
{
	return strcmp(((const struct item *)a)->key, ((const struct item *)b)->key);
}

static struct item *find(const struct in_place *m, const char *key)
{
	const struct item wanted = { .key = key };
	struct item *at = m->n ? bsearch(&wanted, m->v, m->n, sizeof(*m->v), by_key) : NULL;

	for (size_t i = 0; i < m->did.n && !at; i++)
		if (str_eq(m->did.v[i].key, key))
			at = &m->did.v[i];
	return at;
}

const char *in_place_find(const struct in_place *m, const char *key)
{
	const struct item *at = find(m, key);

	return at && !at->former ? at->value : NULL;
}

/* What all of it is built on is there or not whatever the files say. */
static bool is_of_files(const struct item *item)
{
	return !str_eq(item->key, IN_PLACE_BPFFS) && !str_eq(item->key, IN_PLACE_DIRECTORY);
}

void in_place_new_files(struct in_place *m)
{
	for (size_t i = 0; i < m->n; i++)
		m->v[i].former = is_of_files(&m->v[i]);
	for (size_t i = 0; i < m->did.n; i++)
		m->did.v[i].former = is_of_files(&m->did.v[i]);
}

/* --- keys and values ----------------------------------------------------------------- */

const char *in_place_root_key(struct arena *a, const char *netns, uint32_t ifindex)
{
	return arena_printf(a, "root %s %u", netns ? netns : "", ifindex);
}

const char *in_place_slot_key(struct arena *a, uint32_t chain, uint32_t slot)
{
	return arena_printf(a, "slot %u %u", chain, slot);
}

static const char *tc_key(struct arena *a, const char *netns, uint32_t ifindex,
			  enum tc_direction direction, const char *value)
{
	return arena_printf(a, "tc %s %u %s %s", netns ? netns : "", ifindex,
			    tc_direction_names[direction], value);
}

const char *in_place_tc_key(struct arena *a, const struct op_tc *t, const char *value)
{
	return tc_key(a, t->netns, t->ifindex, t->direction, value ? value : "?");
}

const char *in_place_object_key(struct arena *a, const char *instance, const char *declaration)
{
	return arena_printf(a, "object %s %s", instance, declaration ? declaration : "?");
}

const char *in_place_mount_key(struct arena *a, const char *path)
{
	return arena_printf(a, "mount %s", path);
}

const char *in_place_mode_key(struct arena *a, const char *path, const char *pin)
{
	return arena_printf(a, "mode %s%s%s", path, pin ? " " : "", pin ? pin : "");
}

const char *in_place_pin_key(struct arena *a, const char *path, const char *alias)
{
	return arena_printf(a, "pin %s %s", path, alias);
}

const char *in_place_seal_key(struct arena *a, const char *path)
{
	return arena_printf(a, "seal %s", path);
}

const char *in_place_protocol_key(struct arena *a, uint32_t ifindex, uint32_t id)
{
	return arena_printf(a, "protocol %u %u", ifindex, id);
}

static const char *program_value(struct arena *a, const char *instance, const char *version,
				 const char *function)
{
	return arena_printf(a, "%s/%s/%s", instance, version, function);
}

static const char *find_among(struct arena *a, const struct observed_object *o,
			      const struct observed_program *v, size_t n, uint32_t id)
{
	for (size_t i = 0; i < n; i++)
		if (v[i].id == id)
			return program_value(a, o->instance, o->version, v[i].name);
	return NULL;
}

const char *in_place_program(struct arena *a, const struct observed *o, uint32_t id)
{
	const struct observed_chain *c = id ? observed_find_chain(o, id) : NULL;
	const char *found = NULL;

	if (c)
		return c->complete ? arena_printf(a, "chain %s", c->meta.signature) : NULL;
	for (size_t i = 0; id && i < o->object_count && !found; i++) {
		const struct observed_object *at = &o->objects[i];

		found = find_among(a, at, at->programs, at->program_count, id);
		if (!found)
			found = find_among(a, at, at->extensions, at->extension_count, id);
	}
	return found;
}

const char *in_place_target(struct arena *a, const struct observed *o, const struct program_ref *p,
			    uint32_t chain, const char *signature)
{
	if (p->instance)
		return program_value(a, p->instance, p->version, p->function);
	if (chain)
		return in_place_program(a, o, chain);
	return p->id ? arena_printf(a, "id %u", p->id) : arena_printf(a, "chain %s", signature);
}

const char *in_place_mode(struct arena *a, gid_t gid, uint32_t mode)
{
	return arena_printf(a, "%u %o", (unsigned int)gid, mode);
}

const char *in_place_seal(struct arena *a, bool read_only)
{
	return arena_printf(a, "%s", read_only ? "read-only" : "writable");
}

static const char *map_value(struct arena *a, uint32_t id)
{
	return id ? arena_printf(a, "map %u", id) : NULL;
}

const char *in_place_map(struct arena *a, const struct observed *o, const struct map_ref *m)
{
	const struct observed_object *at =
		m->instance ? observed_find_object(o, m->instance, m->version) : NULL;
	const struct observed_map *map = at ? observed_object_map(at, m->map) : NULL;

	return map ? map_value(a, map->id) : NULL;
}

/* --- an observation --------------------------------------------------------------------- */

/* Programs by id: with a thousand interfaces each is asked for that often. */
struct known {
	uint32_t id;
	const char *value;
};

struct index {
	LIST(struct known) list;
};

static int by_id(const void *a, const void *b)
{
	uint32_t x = ((const struct known *)a)->id, y = ((const struct known *)b)->id;

	return (x > y) - (x < y);
}

static void add_known(struct arena *a, struct index *x, const struct observed_object *o,
		      const struct observed_program *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		*LIST_ADD(a, &x->list) =
			(struct known){ v[i].id,
					program_value(a, o->instance, o->version, v[i].name) };
}

static void build_index(struct arena *a, const struct observed *o, struct index *x)
{
	for (size_t i = 0; i < o->object_count; i++) {
		const struct observed_object *at = &o->objects[i];

		add_known(a, x, at, at->programs, at->program_count);
		add_known(a, x, at, at->extensions, at->extension_count);
	}
	for (size_t i = 0; i < o->chain_count; i++)
		if (o->chains[i].complete)
			*LIST_ADD(a, &x->list) =
				(struct known){ o->chains[i].id,
						in_place_program(a, o, o->chains[i].id) };
	if (x->list.n)
		qsort(x->list.v, x->list.n, sizeof(*x->list.v), by_id);
}

static const char *value_of(const struct index *x, uint32_t id)
{
	const struct known key = { .id = id }, *at = NULL;

	if (id && x->list.n)
		at = bsearch(&key, x->list.v, x->list.n, sizeof(key), by_id);
	return at ? at->value : NULL;
}

static void add(struct arena *a, struct item_list *l, const char *key, const char *value)
{
	if (value)
		*LIST_ADD(a, &l->list) = (struct item){ .key = key, .value = value };
}

static void add_at(struct arena *a, struct item_list *l, const struct item *item)
{
	struct item *to;

	if (!item->value)
		return;
	to = LIST_ADD(a, &l->list);
	*to = *item;
	to->at_interface = true;
	to->netns = arena_strdup(a, item->netns);
}

static void add_roots(struct arena *a, const struct observed *o, const struct index *x,
		      struct item_list *l)
{
	for (size_t i = 0; i < o->interface_count; i++) {
		const struct observed_interface *at = &o->interfaces[i];
		const struct item item = {
			.value = value_of(x, at->xdp_id),
			.key = at->xdp_id ? in_place_root_key(a, at->netns, at->ifindex) : NULL,
			.netns = at->netns,
			.ifindex = at->ifindex
		};

		add_at(a, l, &item);
	}
}

static void add_slots(struct arena *a, const struct observed *o, const struct index *x,
		      struct item_list *l)
{
	for (size_t i = 0; i < o->chain_count; i++) {
		const struct observed_chain *c = &o->chains[i];

		for (uint32_t s = 0; c->complete && s < c->meta.member_count; s++)
			add(a, l, in_place_slot_key(a, c->id, s), value_of(x, c->slots[s]));
		for (size_t k = 0; k < c->pinned_count; k++)
			add(a, l, in_place_protocol_key(a, c->pinned_at[k], c->id), "pinned");
	}
}

static void add_tc_list(struct arena *a, const struct observed_tc *t, bool filters,
			const struct index *x, struct item_list *l)
{
	const struct observed_tc_program *v = filters ? t->filters : t->programs;
	size_t n = filters ? t->filter_count : t->program_count;

	for (size_t i = 0; i < n; i++) {
		const char *value = v[i].ours ? value_of(x, v[i].id) : NULL;
		const struct item item = {
			.key = value ? tc_key(a, t->netns, t->ifindex, t->direction, value) : NULL,
			.value = value,
			.netns = t->netns,
			.ifindex = t->ifindex,
		};

		add_at(a, l, &item);
	}
}

static void add_objects(struct arena *a, const struct observed *o, struct item_list *l)
{
	for (size_t i = 0; i < o->object_count; i++)
		if (o->objects[i].complete)
			add(a, l,
			    in_place_object_key(a, o->objects[i].instance,
						o->objects[i].meta.declaration),
			    arena_strdup(a, o->objects[i].version));
}

static void add_mount(struct arena *a, const struct observed_mount *m, struct item_list *l)
{
	add(a, l, in_place_mount_key(a, m->path), arena_strdup(a, m->share));
	add(a, l, in_place_mode_key(a, m->path, NULL), in_place_mode(a, m->gid, m->mode));
	if (m->shared)
		add(a, l, in_place_seal_key(a, m->path), in_place_seal(a, m->read_only));
	for (size_t i = 0; i < m->pin_count; i++) {
		const struct observed_pin *p = &m->pins[i];

		if (!p->map_id)
			continue;
		add(a, l, in_place_pin_key(a, m->path, p->name), map_value(a, p->map_id));
		add(a, l, in_place_mode_key(a, m->path, p->name),
		    in_place_mode(a, p->gid, p->mode));
	}
}

static bool is_there(const struct observed *o, const struct item *item)
{
	return !item->at_interface || observed_find_interface(o, item->netns, item->ifindex);
}

/* The id in "slot CHAIN SLOT" and "protocol IFINDEX CHAIN", 0: it is of no chain. */
static uint32_t chain_of(const struct item *item)
{
	if (str_starts(item->key, "slot "))
		return (uint32_t)strtoul(item->key + strlen("slot "), NULL, 10);
	if (str_starts(item->key, "protocol "))
		return (uint32_t)strtoul(strrchr(item->key, ' '), NULL, 10);
	return 0;
}

/*
 * A chain takes its slots and its pins with it, and no other ever has its id: what is remembered of one that is gone
 * would stay for ever.
 */
static bool is_of_lost_chain(const struct observed *o, const struct item *item)
{
	uint32_t chain = chain_of(item);

	return chain && !observed_find_chain(o, chain);
}

static void keep_item(struct arena *a, const struct in_place *now, struct item item,
		      const struct observed *o, struct item_list *kept)
{
	struct item *at = find(now, item.key);

	if (at)
		at->former = item.former && str_eq(at->value, item.value);
	if (at || !item.value || !is_there(o, &item) || is_of_lost_chain(o, &item))
		return;
	item.key = arena_strdup(a, item.key);
	item.value = arena_strdup(a, item.value);
	item.netns = arena_strdup(a, item.netns);
	*LIST_ADD(a, &kept->list) = item;
}

static void keep_old(struct arena *a, const struct in_place *old, const struct observed *o,
		     struct item_list *l)
{
	const struct in_place now = { .v = l->list.v, .n = l->list.n };
	struct item_list kept = { 0 };

	for (size_t i = 0; i < old->n; i++)
		keep_item(a, &now, old->v[i], o, &kept);
	for (size_t i = 0; i < old->did.n; i++)
		keep_item(a, &now, old->did.v[i], o, &kept);
	for (size_t i = 0; i < kept.list.n; i++)
		*LIST_ADD(a, &l->list) = kept.list.v[i];
}

static void sort(struct item_list *l)
{
	if (l->list.n)
		qsort(l->list.v, l->list.n, sizeof(*l->list.v), by_key);
}

void in_place_update(struct in_place *m, const struct observed *o, bool nothing_left)
{
	struct arena *a = arena_new();
	struct item_list l = { 0 };
	struct index x = { 0 };

	build_index(a, o, &x);
	if (o->bpffs_mounted)
		add(a, &l, IN_PLACE_BPFFS, "mounted");
	if (o->directory_ready)
		add(a, &l, IN_PLACE_DIRECTORY, "there");
	add_roots(a, o, &x, &l);
	add_slots(a, o, &x, &l);
	for (size_t i = 0; i < o->tc_count; i++) {
		add_tc_list(a, &o->tc[i], false, &x, &l);
		add_tc_list(a, &o->tc[i], true, &x, &l);
	}
	add_objects(a, o, &l);
	for (size_t i = 0; i < o->mount_count; i++)
		if (o->mounts[i].ours && !o->mounts[i].covered)
			add_mount(a, &o->mounts[i], &l);
	sort(&l);
	keep_old(a, m, o, &l);
	sort(&l);
	for (size_t i = 0; i < l.list.n && nothing_left; i++)
		l.list.v[i].former = false;
	arena_free(m->a);
	*m = (struct in_place){ .a = a, .v = l.list.v, .n = l.list.n };
}

/* --- what we did --------------------------------------------------------------------------- */

static void forget(struct in_place *m, const char *key)
{
	struct item *at = find(m, key);

	if (at)
		at->value = NULL;
}

static void forget_all(struct in_place *m, const char *prefix)
{
	for (size_t i = 0; i < m->n; i++)
		if (str_starts(m->v[i].key, prefix))
			m->v[i].value = NULL;
	for (size_t i = 0; i < m->did.n; i++)
		if (str_starts(m->did.v[i].key, prefix))
			m->did.v[i].value = NULL;
}

/*
 * What we have just put there is in place, whether or not it lasts until the next observation: who undoes it at once is
 * no less a fight than who takes a second. value NULL: it is not known, and is told by that observation.
 */
static void remember(struct in_place *m, const struct item *item)
{
	struct item *at = find(m, item->key);

	if (!at && !item->value)
		return;
	if (!at)
		at = LIST_ADD(m->a, &m->did);
	*at = *item;
	at->key = arena_strdup(m->a, item->key);
	at->value = arena_strdup(m->a, item->value);
	at->netns = arena_strdup(m->a, item->netns);
}

static void did_root(struct in_place *m, struct arena *a, const struct op_root *r,
		     const struct observed *o)
{
	const struct item item = {
		.key = in_place_root_key(a, r->netns, r->ifindex),
		.value = in_place_target(a, o, &r->program, r->chain_id, r->signature),
		.at_interface = true,
		.netns = r->netns,
		.ifindex = r->ifindex,
	};

	remember(m, &item);
}

static void did_slot(struct in_place *m, struct arena *a, const struct op_chain *c,
		     const struct observed *o)
{
	const struct program_ref *member = op_slot_member(c);
	const struct item item = {
		.key = in_place_slot_key(a, c->id, c->slot),
		.value = member ? in_place_target(a, o, member, 0, NULL) : NULL,
	};

	remember(m, &item);
}

static void did_tc(struct in_place *m, struct arena *a, const struct op_tc *t,
		   const struct observed *o)
{
	const char *value = in_place_target(a, o, &t->program, t->chain_id, t->signature);
	const char *before = in_place_program(a, o, t->expected_id);
	const struct item item = {
		.key = in_place_tc_key(a, t, value),
		.value = value,
		.at_interface = true,
		.netns = t->netns,
		.ifindex = t->ifindex,
	};

	if (before && !str_eq(before, value))
		forget(m, in_place_tc_key(a, t, before));
	remember(m, &item);
}

static void did_word(struct in_place *m, const char *key, const char *value)
{
	remember(m, &(struct item){ .key = key, .value = value });
}

static void did_pin(struct in_place *m, struct arena *a, const struct op_share *s,
		    const struct op_share_pin *pin, const struct observed *o)
{
	did_word(m, in_place_pin_key(a, s->path, pin->alias), in_place_map(a, o, &pin->map));
}

static void forget_share(struct in_place *m, struct arena *a, const char *path)
{
	forget(m, in_place_mount_key(a, path));
	forget(m, in_place_mode_key(a, path, NULL));
	forget_all(m, in_place_mode_key(a, path, ""));
	forget_all(m, in_place_pin_key(a, path, ""));
	forget(m, in_place_seal_key(a, path));
}

static void did_mount(struct in_place *m, struct arena *a, const struct op_share *s,
		      const struct observed *o)
{
	forget_share(m, a, s->path);
	did_word(m, in_place_mount_key(a, s->path), s->share);
	did_word(m, in_place_mode_key(a, s->path, NULL), in_place_mode(a, s->gid, s->mode));
	for (size_t i = 0; i < s->pin_count; i++) {
		did_pin(m, a, s, &s->pins[i], o);
		did_word(m, in_place_mode_key(a, s->path, s->pins[i].alias),
			 in_place_mode(a, s->gid, s->pins[i].mode));
	}
}

static void did_share(struct in_place *m, struct arena *a, const struct op *op,
		      const struct observed *o)
{
	const struct op_share *s = &op->share;

	if (op->kind == OP_SHARE_MOUNT)
		did_mount(m, a, s, o);
	else if (op->kind == OP_SHARE_PIN)
		did_pin(m, a, s, &s->pins[0], o);
	else if (op->kind == OP_SHARE_OWNER)
		did_word(m, in_place_mode_key(a, s->path, s->pin),
			 in_place_mode(a, s->gid, s->mode));
	else
		did_word(m, in_place_seal_key(a, s->path), in_place_seal(a, s->read_only));
}

void in_place_did(struct in_place *m, const struct op *op, const struct observed *o)
{
	cleanup(arena_freep) struct arena *a = arena_new();

	switch (op->kind) {
	case OP_ROOT_SET:
	case OP_LINK_SET:
		did_root(m, a, &op->root, o);
		break;
	case OP_SLOT_SET:
		did_slot(m, a, &op->chain, o);
		break;
	case OP_TC_SET:
		did_tc(m, a, &op->tc, o);
		break;
	case OP_ROOT_PIN:
		did_word(m, in_place_protocol_key(a, op->root.ifindex, op->root.chain_id),
			 "pinned");
		break;
	case OP_SHARE_MOUNT:
	case OP_SHARE_PIN:
	case OP_SHARE_OWNER:
	case OP_SHARE_SEAL:
		did_share(m, a, op, o);
		break;
	case OP_ROOT_CLEAR:
	case OP_LINK_REMOVE:
		forget(m, in_place_root_key(a, op->root.netns, op->root.ifindex));
		break;
	case OP_TC_CLEAR:
		/* One of several that shall run there may have been cleared: the next observation tells them. */
		forget_all(m, in_place_tc_key(a, &op->tc, ""));
		break;
	case OP_OBJECT_REMOVE:
		forget_all(m, arena_printf(a, "object %s ", op->object.instance));
		break;
	case OP_SHARE_UNMOUNT:
		forget_share(m, a, op->share.path);
		break;
	case OP_SHARE_UNPIN:
		forget(m, in_place_pin_key(a, op->share.path, op->share.pin));
		forget(m, in_place_mode_key(a, op->share.path, op->share.pin));
		break;
	case OP_ROOT_UNPIN:
		forget(m, in_place_protocol_key(a, op->root.ifindex, op->root.chain_id));
		break;
	default:
		break;
	}
}
