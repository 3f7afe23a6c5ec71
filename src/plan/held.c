/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * What is held by the guard is part of what is wanted until the operator confirms that it goes: somebody who
 * detaches it or empties its slot would else carry out the removal without that word. Where it was is noted while it
 * is there, since afterwards nothing in the kernel tells. It is put back from its version in the kernel; one
 * that is not there any more has nothing to be put back from.
 */
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "plan/plan_internal.h"

bool held_is_at(const struct waiting_member *w, const struct chain *c)
{
	return w->hook == c->hook && (w->hook == HOOK_XDP || w->direction == c->direction) &&
	       netns_compare(w->netns, c->interface->netns) == 0 &&
	       str_eq(w->interface, c->interface->name);
}

int held_compare_places(const struct waiting_member *x, const struct waiting_member *y)
{
	int r = netns_compare(x->netns, y->netns);

	if (!r)
		r = strcmp(x->interface, y->interface);
	if (!r)
		r = (int)x->hook - (int)y->hook;
	return r ? r : (int)x->direction - (int)y->direction;
}

int held_compare(const void *a, const void *b)
{
	const struct waiting_member *x = a, *y = b;
	int r = held_compare_places(x, y);

	if (!r)
		r = strcmp(x->instance, y->instance);
	return r ? r : strcmp(x->program, y->program);
}

static int by_share_and_path(const void *a, const void *b)
{
	const struct waiting_share *x = a, *y = b;
	int r = strcmp(x->share, y->share);

	return r ? r : strcmp(x->path, y->path);
}

/* --- members: what leaves ------------------------------------------------------------- */

struct collection {
	struct planner *p;
	LIST(struct waiting_member) members;
	LIST(struct waiting_share) shares;
};

static const struct waiting_member *find_noted(const struct waiting_removals *w,
					       const struct chain *c, const char *instance,
					       const char *program)
{
	for (size_t i = 0; w && i < w->member_count; i++)
		if (held_is_at(&w->members[i], c) && str_eq(w->members[i].instance, instance) &&
		    str_eq(w->members[i].program, program))
			return &w->members[i];
	return NULL;
}

static const char *behind(struct planner *p, const struct chain *c, const struct live_member *m)
{
	while (m-- > c->live.members)
		if (m->id && !m->foreign)
			return arena_printf(p->a, "%s/%s", m->instance, m->program);
	return NULL;
}

struct waiting_member held_as_it_runs(struct planner *p, const struct chain *c,
				      const struct live_member *m)
{
	return (struct waiting_member){
		.hook = c->hook,
		.direction = c->hook == HOOK_TC ? c->direction : 0,
		.netns = c->interface->netns,
		.interface = c->interface->name,
		.ifindex = c->interface->ifindex,
		.instance = m->instance,
		.program = m->program,
		.version = m->version ? m->version->version : NULL,
		.behind = behind(p, c, m),
		.priority = m->priority,
		.proceed_on = m->proceed_on,
		.required = m->required,
		.ranked = !m->lone,
	};
}

/* As it runs; where it ran is known better from when it was noted first. */
static void note_member(struct collection *to, const struct chain *c, const struct live_member *m)
{
	const struct waiting_member *noted =
		find_noted(&to->p->in->waiting, c, m->instance, m->program);
	struct waiting_member *w = LIST_ADD(to->p->a, &to->members);

	*w = noted ? *noted : held_as_it_runs(to->p, c, m);
	w->ifindex = c->interface->ifindex;
	w->version = m->version ? m->version->version : w->version;
}

static void note_chain(struct collection *to, const struct chain *c)
{
	for (size_t k = 0; live_is_ours(&c->live) && k < c->live.member_count; k++) {
		const struct live_member *m = &c->live.members[k];

		if (!m->foreign && m->id && c->root && !chain_keeps(c, m))
			note_member(to, c, m);
	}
}

static void note_place(struct collection *to, const struct tc_chain *t)
{
	for (size_t i = 0; i < t->entry_count; i++) {
		const struct tc_entry *e = &t->entries[i];

		for (size_t m = 0; m < e->member_count; m++)
			if (tc_member_leaves(t, e, &e->members[m]))
				note_member(to, &t->chain, &e->members[m]);
	}
}

/* --- members: what waited ----------------------------------------------------------------- */

const struct chain *held_place(struct planner *p, const struct waiting_member *w)
{
	struct interface_range at;
	size_t i;

	if (lookup_netns(p, w->netns, &at))
		return NULL;
	i = lookup_interface(p, at.netns, w->interface);
	if (i == NO_INTERFACE)
		return NULL;
	if (w->hook == HOOK_XDP)
		return &p->chains[i];
	return p->tc_chain_count ? &tc_chain_at(p, i, w->direction)->chain : NULL;
}

static bool is_declared_at(const struct chain *c, const struct waiting_member *w)
{
	size_t n = strcspn(w->instance, "@");

	for (size_t i = 0; i < c->attachments.n; i++) {
		const struct attachment *at = c->attachments.v[i];

		if (strlen(at->object->name) == n && !strncmp(at->object->name, w->instance, n) &&
		    str_eq(at->program->name, w->program))
			return true;
	}
	return false;
}

/* The version that it ran, or any that has the program; NULL: none is in the kernel. */
const struct observed_object *held_version(const struct planner *p, const struct waiting_member *w)
{
	const struct observed_object *v, *best = NULL;
	size_t n = lookup_versions(p, w->instance, &v);

	for (size_t i = 0; i < n; i++) {
		if (!v[i].complete || !observed_object_program(&v[i], w->program))
			continue;
		if (str_eq(v[i].version, w->version))
			return &v[i];
		if (!best || v[i].meta.loaded_ns > best->meta.loaded_ns)
			best = &v[i];
	}
	return best;
}

static bool still_waits(struct planner *p, const struct waiting_member *w)
{
	const struct instance *i = lookup_instance(p, w->instance);
	const struct chain *c = held_place(p, w);
	const struct observed_interface *now =
		observed_find_interface(p->observed, w->netns, w->ifindex);

	if ((i && i->frozen) || !held_version(p, w))
		return false;
	/* A renamed one took with it what it runs. */
	return c ? !is_declared_at(c, w) : !now || str_eq(now->name, w->interface);
}

static bool is_collected(const struct collection *to, const struct waiting_member *w)
{
	for (size_t i = 0; i < to->members.n; i++)
		if (held_compare(&to->members.v[i], w) == 0)
			return true;
	return false;
}

/* --- shares -------------------------------------------------------------------------------- */

static bool find_map(const struct planner *p, uint32_t id, struct waiting_pin *ret)
{
	const struct map_entry *m;

	if (!lookup_maps(p, id, &m))
		return false;
	ret->instance = m->object->instance;
	ret->map = m->map->name;
	return true;
}

static void note_mount(struct collection *to, const struct observed_mount *m)
{
	struct waiting_share *w = LIST_ADD(to->p->a, &to->shares);

	*w = (struct waiting_share){ .share = m->share,
				     .path = m->path,
				     .gid = m->gid,
				     .mode = m->mode,
				     .pins = arena_calloc(to->p->a, m->pin_count,
							  sizeof(*w->pins)) };
	for (size_t i = 0; i < m->pin_count; i++) {
		struct waiting_pin *pin = &w->pins[w->pin_count];

		*pin = (struct waiting_pin){ .alias = m->pins[i].name,
					     .access = m->pins[i].mode & 0222 ? ACCESS_RW :
										ACCESS_RO };
		w->pin_count += find_map(to->p, m->pins[i].map_id, pin);
	}
}

static const struct waiting_share *find_noted_share(const struct waiting_removals *w,
						    const char *share, const char *path)
{
	for (size_t i = 0; i < w->share_count; i++)
		if (str_eq(w->shares[i].share, share) && str_eq(w->shares[i].path, path))
			return &w->shares[i];
	return NULL;
}

static void note_shares(struct collection *to)
{
	const struct planner *p = to->p;

	for (size_t i = 0; i < p->drafts.n; i++) {
		const struct op *op = &p->drafts.v[i]->op;
		const struct observed_mount *m;
		const struct waiting_share *noted;

		if (op->kind != OP_SHARE_UNMOUNT || !op->removes)
			continue;
		noted = find_noted_share(&p->in->waiting, op->share.share, op->share.path);
		m = observed_find_mount(p->observed, op->share.path);
		if (noted)
			*LIST_ADD(p->a, &to->shares) = *noted;
		else if (m)
			note_mount(to, m);
	}
}

static bool is_path_declared(const struct planner *p, const char *path)
{
	for (size_t i = 0; i < p->target_count; i++)
		if (str_eq(p->targets_by_path[i].target->path, path))
			return true;
	return false;
}

/* Nobody declares it again, and something of it is still there to be shared. */
static bool share_still_waits(const struct planner *p, const struct waiting_share *w)
{
	if (desired_find_share(p->desired, w->share) || is_path_declared(p, w->path))
		return false;
	for (size_t i = 0; i < w->pin_count; i++) {
		const struct instance *at = lookup_instance(p, w->pins[i].instance);
		const struct observed_object *v;

		if ((!at || !at->frozen) && lookup_versions(p, w->pins[i].instance, &v))
			return true;
	}
	return !w->pin_count; /* of maps that were still to come */
}

static bool share_is_collected(const struct collection *to, const struct waiting_share *w)
{
	for (size_t i = 0; i < to->shares.n; i++)
		if (by_share_and_path(&to->shares.v[i], w) == 0)
			return true;
	return false;
}

/* --- the whole ------------------------------------------------------------------------------ */

static struct waiting_member *copy_members(struct arena *a, const struct waiting_member *from,
					   size_t n)
{
	struct waiting_member *to = arena_calloc(a, n, sizeof(*to));

	for (size_t i = 0; i < n; i++) {
		to[i] = from[i];
		to[i].netns = arena_strdup(a, from[i].netns);
		to[i].interface = arena_strdup(a, from[i].interface);
		to[i].instance = arena_strdup(a, from[i].instance);
		to[i].program = arena_strdup(a, from[i].program);
		to[i].version = arena_strdup(a, from[i].version);
		to[i].behind = arena_strdup(a, from[i].behind);
	}
	return to;
}

struct waiting_removals waiting_removals_copy(struct arena *a, const struct waiting_removals *w)
{
	struct waiting_removals to = {
		.ids = { .v = arena_calloc(a, w->ids.n, sizeof(*to.ids.v)), .n = w->ids.n },
		.members = copy_members(a, w->members, w->member_count),
		.kept = copy_members(a, w->kept, w->kept_count),
		.shares = arena_calloc(a, w->share_count, sizeof(*to.shares)),
		.member_count = w->member_count,
		.kept_count = w->kept_count,
		.share_count = w->share_count,
	};

	for (size_t i = 0; i < w->ids.n; i++)
		to.ids.v[i] = arena_strdup(a, w->ids.v[i]);
	for (size_t i = 0; i < w->share_count; i++) {
		struct waiting_share *s = &to.shares[i];

		*s = w->shares[i];
		s->share = arena_strdup(a, s->share);
		s->path = arena_strdup(a, s->path);
		s->pins = arena_calloc(a, s->pin_count, sizeof(*s->pins));
		for (size_t k = 0; k < s->pin_count; k++)
			s->pins[k] = (struct waiting_pin){
				.alias = arena_strdup(a, w->shares[i].pins[k].alias),
				.instance = arena_strdup(a, w->shares[i].pins[k].instance),
				.map = arena_strdup(a, w->shares[i].pins[k].map),
				.access = w->shares[i].pins[k].access,
			};
	}
	return to;
}

void held_collect(struct planner *p, struct waiting_removals *ret)
{
	const struct waiting_removals *before = &p->in->waiting;
	struct collection to = { .p = p };

	for (size_t i = 0; i < p->observed->interface_count; i++)
		note_chain(&to, &p->chains[i]);
	for (size_t i = 0; i < p->tc_chain_count; i++)
		note_place(&to, &p->tc_chains[i]);
	for (size_t i = 0; i < before->member_count; i++)
		if (!is_collected(&to, &before->members[i]) && still_waits(p, &before->members[i]))
			*LIST_ADD(p->a, &to.members) = before->members[i];
	note_shares(&to);
	for (size_t i = 0; i < before->share_count; i++)
		if (!share_is_collected(&to, &before->shares[i]) &&
		    share_still_waits(p, &before->shares[i]))
			*LIST_ADD(p->a, &to.shares) = before->shares[i];
	if (to.members.n)
		qsort(to.members.v, to.members.n, sizeof(*to.members.v), held_compare);
	if (to.shares.n)
		qsort(to.shares.v, to.shares.n, sizeof(*to.shares.v), by_share_and_path);
	*ret = (struct waiting_removals){ .members = to.members.v,
					  .shares = to.shares.v,
					  .member_count = to.members.n,
					  .share_count = to.shares.n };
}

bool held_is_at_hand(struct planner *p, const struct waiting_removals *leaving)
{
	for (size_t i = 0; i < p->in->waiting.member_count; i++) {
		const struct waiting_member *w = &p->in->waiting.members[i];
		const struct chain *c = held_place(p, w);

		if (c && find_noted(leaving, c, w->instance, w->program))
			return true;
	}
	for (size_t i = 0; i < p->in->waiting.share_count; i++)
		if (find_noted_share(leaving, p->in->waiting.shares[i].share,
				     p->in->waiting.shares[i].path))
			return true;
	return false;
}

static bool has_members_at(struct planner *p, const struct waiting_removals *w, const char *key)
{
	for (size_t i = 0; i < w->member_count; i++) {
		const struct chain *c = held_place(p, &w->members[i]);

		if (c && str_eq(chain_key(p, c), key))
			return true;
	}
	return false;
}

void held_name(struct planner *p, const struct op *held, size_t n, struct waiting_removals *w)
{
	w->ids.v = arena_calloc(p->a, n, sizeof(*w->ids.v));
	for (size_t i = 0; i < n; i++)
		if (held[i].removes && !has_members_at(p, w, held[i].key))
			w->ids.v[w->ids.n++] = plan_removal_id(p->a, &held[i]);
}

static bool is_shown(const struct planner *p, const char *key)
{
	for (size_t i = 0; i < p->drafts.n; i++)
		if (p->drafts.v[i]->op.removes && str_eq(p->drafts.v[i]->op.key, key))
			return true;
	return false;
}

static void show_member(struct planner *p, const struct waiting_member *w)
{
	const struct chain *c = held_place(p, w);
	const char *key = c ? chain_key(p, c) : NULL;
	struct draft *d;

	if (!c || is_shown(p, key))
		return;
	d = draft_add(p, c->hook == HOOK_TC ? OP_TC_CLEAR : OP_ROOT_CLEAR, key);
	d->op.removes = true;
	d->op.reason = "it does not run now, and is put back until that is confirmed";
	d->op.version = arena_printf(p->a, "%s/%s", w->instance, w->program);
	if (c->hook == HOOK_TC)
		d->op.tc = (struct op_tc){ .ifindex = c->interface->ifindex,
					   .interface = c->interface->name,
					   .netns = c->interface->netns,
					   .direction = c->direction,
					   .mechanism = MECHANISM_TCX };
	else
		d->op.root = (struct op_root){ .ifindex = c->interface->ifindex,
					       .interface = c->interface->name,
					       .netns = c->interface->netns };
}

void held_show(struct planner *p, const struct waiting_removals *leaving)
{
	for (size_t i = 0; i < leaving->member_count; i++)
		show_member(p, &leaving->members[i]);
	for (size_t i = 0; i < leaving->share_count; i++) {
		const struct waiting_share *w = &leaving->shares[i];
		const char *key = arena_printf(p->a, "share %s", w->share);
		struct draft *d;

		if (is_shown(p, key))
			continue;
		d = draft_add(p, OP_SHARE_UNMOUNT, key);
		d->op.removes = true;
		d->op.reason = "it is not mounted now, and is put back until that is confirmed";
		d->op.share.share = w->share;
		d->op.share.path = w->path;
	}
}

/* --- what is put back -------------------------------------------------------------------------- */

bool held_wants(struct planner *p, const struct chain *c)
{
	for (size_t i = 0; p->held && i < p->held->member_count; i++)
		if (held_is_at(&p->held->members[i], c))
			return true;
	return kept_wants(p, c);
}

bool held_wants_tc(const struct waiting_removals *w)
{
	for (size_t i = 0; i < w->member_count; i++)
		if (w->members[i].hook == HOOK_TC)
			return true;
	for (size_t i = 0; i < w->kept_count; i++)
		if (w->kept[i].hook == HOOK_TC)
			return true;
	return false;
}

/* False: there is nothing to put back. */
bool held_fill_slot(struct planner *p, const struct chain *c, const struct waiting_member *w,
		    struct slot *ret)
{
	const struct observed_object *v = held_version(p, w);
	const struct observed_program *form;

	if (!v)
		return false;
	form = live_is_libxdp(&c->live) ? observed_object_extension(v, w->program) :
					  observed_object_program(v, w->program);
	*ret = (struct slot){
		.object = arena_strndup(p->a, w->instance, strcspn(w->instance, "@")),
		.instance = w->instance,
		.program = w->program,
		.version = v->version,
		.id = form ? form->id : 0,
		.priority = w->priority,
		.proceed_on = w->proceed_on,
		.required = w->required,
		.on_missing = w->required ? ON_MISSING_DROP : ON_MISSING_SKIP,
		.unranked = !w->ranked,
		.behind = w->behind,
		.frags = c->hook == HOOK_XDP && v->meta.frags,
	};
	if (c->hook == HOOK_XDP && c->live.kind == LIVE_CHAIN && !live_is_libxdp(&c->live))
		ret->frags = c->live.dispatcher->observed->meta.frags;
	return true;
}

size_t held_count_at(const struct planner *p, const struct chain *c)
{
	size_t n = 0;

	for (size_t i = 0; p->held && i < p->held->member_count; i++)
		n += held_is_at(&p->held->members[i], c);
	return n;
}

size_t held_add_slots(struct planner *p, const struct chain *c, struct slot *slots, size_t n)
{
	for (size_t i = 0; p->held && i < p->held->member_count; i++) {
		const struct waiting_member *w = &p->held->members[i];
		const struct live_member m = { .instance = w->instance, .program = w->program };
		struct slot *found = NULL;

		if (!held_is_at(w, c))
			continue;
		for (size_t k = 0; k < n && !found; k++)
			if (slot_continues(&slots[k], &m))
				found = &slots[k];
		if (found)
			found->behind = found->attachment ? NULL : w->behind;
		else
			n += held_fill_slot(p, c, w, &slots[n]);
	}
	return n;
}
