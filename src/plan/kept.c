/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * What stays as it runs because nothing can be told of what is wanted: the programs of a suspended object, of a file
 * that is invalid and has no last good version, and all of a chain that is halted. Where each runs is noted from plan to plan, as of
 * what waits for its removal (held.c), so that it comes back when somebody else takes it away: there
 * is no declaration in force that could tell.
 */
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "plan/plan_internal.h"

/* What was noted of one chain: neighbours, as all of it is sorted. */
struct noted {
	const struct waiting_member *v;
	size_t n;
};

static struct noted noted_at(const struct planner *p, const struct chain *c)
{
	const struct waiting_removals *all = &p->in->waiting;
	const struct waiting_member place = {
		.hook = c->hook,
		.direction = c->hook == HOOK_TC ? c->direction : 0,
		.netns = c->interface->netns,
		.interface = c->interface->name,
	};
	size_t first = 0, end = all->kept_count;
	struct noted ret = { 0 };

	if (!end)
		return ret;
	while (first < end) {
		size_t middle = first + (end - first) / 2;

		if (held_compare_places(&all->kept[middle], &place) < 0)
			first = middle + 1;
		else
			end = middle;
	}
	ret = (struct noted){ all->kept + first, 0 };
	while (first + ret.n < all->kept_count && held_is_at(&ret.v[ret.n], c))
		ret.n++;
	return ret;
}

/* The attachment that keeps a program without making it anew; NULL: none does. */
static struct attachment *find_keeping(const struct chain *c, const struct waiting_member *w)
{
	for (size_t i = 0; i < c->attachments.n; i++) {
		struct attachment *at = c->attachments.v[i];

		if ((at->per_device || at->object->standing == STANDING_SUSPENDED) &&
		    at->instance && str_eq(at->instance->name, w->instance) &&
		    str_eq(at->program->name, w->program))
			return at;
	}
	return NULL;
}

/* c NULL: there is no such interface now. */
static bool is_kept(struct planner *p, const struct chain *c, const struct waiting_member *w)
{
	const struct instance *i = lookup_instance(p, w->instance);

	if (i && i->frozen)
		return i->object->standing != STANDING_UNCONFIRMED;
	if (c)
		return c->halted || find_keeping(c, w);
	return i; /* should the interface come again, it may still be halted */
}

/* A renamed one took with it what it runs. */
static bool is_renamed(const struct planner *p, const struct waiting_member *w)
{
	const struct observed_interface *now =
		observed_find_interface(p->observed, w->netns, w->ifindex);

	return now && !str_eq(now->name, w->interface);
}

static bool is_still_kept(struct planner *p, const struct waiting_member *w)
{
	return !is_renamed(p, w) && is_kept(p, held_place(p, w), w) &&
	       (held_version(p, w) || (w->required && !w->version));
}

/* --- what runs ------------------------------------------------------------------------------ */

struct notes {
	struct planner *p;
	LIST(struct waiting_member) kept;
};

static const struct live_member *find_live(const struct chain *c, const struct waiting_member *w)
{
	for (size_t i = 0; i < c->live.member_count; i++) {
		const struct live_member *m = &c->live.members[i];

		/* Of what is required and missing, the slot is all there is. */
		if ((m->id || !w->version) && !m->foreign && str_eq(m->instance, w->instance) &&
		    str_eq(m->program, w->program))
			return m;
	}
	return NULL;
}

static const struct waiting_member *find_noted(const struct planner *p, const struct chain *c,
					       const struct live_member *m)
{
	struct noted at = noted_at(p, c);

	for (size_t i = 0; i < at.n; i++)
		if (str_eq(at.v[i].instance, m->instance) && str_eq(at.v[i].program, m->program))
			return &at.v[i];
	return NULL;
}

/* Something of what was noted has gone: what is left tells less than the note. */
static bool is_torn(struct planner *p, const struct chain *c)
{
	struct noted at = noted_at(p, c);

	for (size_t i = 0; i < at.n; i++)
		if (is_still_kept(p, &at.v[i]) && !find_live(c, &at.v[i]))
			return true;
	return false;
}

static void note_member(struct notes *to, const struct chain *c, const struct live_member *m,
			bool torn)
{
	struct waiting_member w = held_as_it_runs(to->p, c, m);
	const struct waiting_member *noted = find_noted(to->p, c, m);

	if (!is_kept(to->p, c, &w))
		return;
	if (noted && torn)
		w.behind = noted->behind;
	if (noted && !w.version)
		w.version = noted->version;
	/* By itself it tells neither its priority nor what follows from its absence. */
	if (noted && m->lone) {
		w.priority = noted->priority;
		w.required = noted->required;
		w.ranked = noted->ranked;
	}
	*LIST_ADD(to->p->a, &to->kept) = w;
}

static void note_chain(struct notes *to, const struct chain *c)
{
	const bool torn = is_torn(to->p, c);

	for (size_t i = 0; i < c->live.member_count; i++) {
		const struct live_member *m = &c->live.members[i];
		/* In a chain put together anew, what drops while it is missing has to be there again. */
		const bool drops = c->halted && m->required && !find_noted(to->p, c, m);

		if ((m->id || drops) && !m->foreign)
			note_member(to, c, m, torn);
	}
}

/*
 * A chain that is torn and to be made with what this plan loads: should that fail (as it did before, when this is another
 * attempt), the chain is halted again.
 */
static bool may_be_kept(struct planner *p, const struct waiting_member *w)
{
	const struct chain *c = held_place(p, w);

	for (size_t i = 0; c && i < c->slot_count; i++)
		if (c->slots[i].load)
			return !is_renamed(p, w) && !find_live(c, w);
	return false;
}

static void sort(struct notes *to)
{
	if (to->kept.n)
		qsort(to->kept.v, to->kept.n, sizeof(*to->kept.v), held_compare);
}

void kept_collect(struct planner *p, struct waiting_removals *ret)
{
	const struct waiting_removals *before = &p->in->waiting;
	struct notes to = { .p = p };
	size_t n;

	for (size_t i = 0; i < p->observed->interface_count; i++)
		if (live_is_ours(&p->chains[i].live))
			note_chain(&to, &p->chains[i]);
	for (size_t i = 0; i < p->tc_chain_count; i++)
		note_chain(&to, &p->tc_chains[i].chain);
	sort(&to);
	n = to.kept.n;
	for (size_t i = 0; i < before->kept_count; i++) {
		const struct waiting_member *w = &before->kept[i];

		if (n && bsearch(w, to.kept.v, n, sizeof(*w), held_compare))
			continue;
		if (is_still_kept(p, w) || may_be_kept(p, w))
			*LIST_ADD(p->a, &to.kept) = *w;
	}
	sort(&to);
	ret->kept = to.kept.v;
	ret->kept_count = to.kept.n;
}

/* --- what is put back ------------------------------------------------------------------------ */

size_t kept_count_at(const struct planner *p, const struct chain *c)
{
	return noted_at(p, c).n;
}

bool kept_wants(struct planner *p, const struct chain *c)
{
	struct noted at = noted_at(p, c);

	for (size_t i = 0; i < at.n; i++)
		if (is_still_kept(p, &at.v[i]))
			return true;
	return false;
}

static struct slot *find_slot(struct slot *slots, size_t n, const struct waiting_member *w)
{
	const struct live_member m = { .instance = w->instance, .program = w->program };

	for (size_t i = 0; i < n; i++)
		if (slot_continues(&slots[i], &m))
			return &slots[i];
	return NULL;
}

/* As a suspended attachment has it while it runs. */
static void assign(struct slot *s, struct attachment *at)
{
	if (!at)
		return;
	s->attachment = at;
	if (!s->unranked)
		return;
	s->unranked = false;
	s->priority = at->priority;
	s->required = at->decl->on_missing == ON_MISSING_DROP;
}

size_t kept_add_slots(struct planner *p, const struct chain *c, struct slot *slots, size_t n)
{
	struct noted noted = noted_at(p, c);

	for (size_t i = 0; i < noted.n; i++) {
		const struct waiting_member *w = &noted.v[i];
		struct slot *found;

		if (!is_still_kept(p, w))
			continue;
		found = find_slot(slots, n, w);
		if (found && !found->attachment)
			found->behind = w->behind;
		else if (!found && held_fill_slot(p, c, w, &slots[n]))
			assign(&slots[n++], find_keeping(c, w));
	}
	return n;
}

static bool restore_member(struct planner *p, const struct chain *c, const struct waiting_member *w,
			   struct slot *ret)
{
	if (held_fill_slot(p, c, w, ret))
		return true;
	*ret = (struct slot){
		.object = arena_strndup(p->a, w->instance, strcspn(w->instance, "@")),
		.instance = w->instance,
		.program = w->program,
		.priority = w->priority,
		.proceed_on = w->proceed_on,
		.required = true,
		.on_missing = ON_MISSING_DROP,
	};
	return w->required;
}

/* All go behind what they ran behind, and nowhere else: the declarations are what contradicts itself. */
static size_t restore_members(struct planner *p, struct chain *c)
{
	struct noted noted = noted_at(p, c);
	size_t n = 0;

	for (size_t i = 0; i < c->live.member_count; i++)
		if (c->live.members[i].id && !c->live.members[i].foreign)
			c->slots[n++] = slot_kept(p, c, &c->live.members[i]);
	for (size_t i = 0; i < noted.n; i++) {
		const struct waiting_member *w = &noted.v[i];
		struct slot *s;

		if (!is_still_kept(p, w))
			continue;
		s = find_slot(c->slots, n, w);
		if (!s && restore_member(p, c, w, &c->slots[n]))
			s = &c->slots[n++];
		if (s)
			s->behind = w->behind;
	}
	for (size_t i = 0; i < n; i++)
		c->slots[i].unranked = true;
	return n;
}

size_t kept_restore(struct planner *p, struct chain *c)
{
	size_t n;

	if (!is_torn(p, c))
		return 0;
	c->slots =
		arena_calloc(p->a, c->live.member_count + kept_count_at(p, c), sizeof(*c->slots));
	n = restore_members(p, c);
	for (size_t i = 0; i < c->live.member_count; i++)
		if (c->live.members[i].foreign_id)
			c->slots[n++] = slot_foreign(&c->live.members[i]);
	for (size_t i = 0; i < c->attachments.n; i++)
		c->attachments.v[i]->slot = NULL;
	return n;
}

const struct observed_object *kept_version(struct planner *p, const struct waiting_member *w)
{
	const struct chain *c = held_place(p, w);

	return c && (is_kept(p, c, w) || may_be_kept(p, w)) ? held_version(p, w) : NULL;
}
