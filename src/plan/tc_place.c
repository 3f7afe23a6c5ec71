/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * From what a direction runs to what it should run, in an order that never takes a program
 * away before it runs elsewhere: first every attachment and replacement, one after the other, then the
 * removals, each only if what it takes away runs by then or is not wanted. A packet may meet a
 * program twice for an instant; it never misses one.
 */
#include <inttypes.h>
#include <string.h>

#include "base/hash.h"
#include "base/str.h"
#include "model/limits.h"
#include "plan/plan_internal.h"

static const char *place_subject(struct planner *p, const struct tc_chain *t)
{
	const struct chain *c = &t->chain;

	return arena_printf(p->a, "%s#%u/tc/%s", interface_label(p, c->interface),
			    c->interface->ifindex, tc_direction_names[c->direction]);
}

/* With everything that a refusal may depend on, so that any difference is tried at once. */
static const char *place_version(struct planner *p, const struct tc_chain *t, const char *what)
{
	static const struct observed_tc none;
	const struct observed_tc *o = t->observed ? t->observed : &none;
	const char *text = arena_printf(p->a, "%s %d %" PRIu64 " %zu %zu %d", what, t->mechanism,
					o->revision, o->program_count, o->filter_count, o->qdisc);
	char hex[SHA256_HEX];

	hash_bytes(text, strlen(text), hex);
	return arena_strdup(p->a, hex);
}

/* --- drafts ---------------------------------------------------------------------- */

static struct draft *tc_draft(struct planner *p, struct tc_chain *t, enum op_kind kind,
			      const struct tc_entry *e)
{
	const struct chain *c = &t->chain;
	struct draft *d = draft_add(p, kind, chain_key(p, c));
	struct op_tc *o = &d->op.tc;

	d->rank = t->drafts++;
	o->netns = c->interface->netns;
	o->ifindex = c->interface->ifindex;
	o->interface = c->interface->name;
	o->direction = c->direction;
	o->mechanism = e ? e->mechanism : t->mechanism;
	if (o->mechanism == MECHANISM_TCX) {
		o->link_id = e ? e->observed->link_id : 0;
		o->revision = t->revision;
	} else {
		o->filter_priority = e ? e->observed->filter_priority : TC_FILTER_PRIORITY;
		o->filter_handle = e ? e->observed->filter_handle : TC_FILTER_HANDLE;
	}
	o->expected_id = e ? e->observed->id : 0;
	return d;
}

/*
 * Revisions are counted from operation to operation, so each stands on the one before it. A link
 * that is replaced with the program that it has (adopted) does not count.
 */
static struct draft *set_draft(struct planner *p, struct tc_chain *t, struct tc_entry *e, bool same)
{
	struct draft *d = tc_draft(p, t, OP_TC_SET, e);

	t->revision += t->revision && d->op.tc.mechanism == MECHANISM_TCX && !same;
	draft_need(p, d, t->last);
	if (!e || !e->pinned)
		draft_need(p, d, base_prepare(p));
	t->last = d;
	if (e)
		e->draft = d;
	return d;
}

static void target_slot(struct planner *p, struct draft *d, const struct slot *s)
{
	d->op.tc.program = (struct program_ref){ s->instance, s->version, s->program, 0 };
	draft_need(p, d, s->load);
	if (s->attachment)
		d->op.origin = s->attachment->decl->origin;
}

static void target_dispatcher(struct planner *p, struct draft *d, const struct chain *c)
{
	if (c->dispatcher) {
		d->op.tc.chain_id = c->dispatcher->observed->id;
		for (size_t i = 0; i < c->dispatcher->edits.n; i++)
			draft_need(p, d, c->dispatcher->edits.v[i]);
	} else {
		d->op.tc.signature = c->build->signature;
		draft_need(p, d, c->build->draft);
	}
	for (size_t i = 0; i < c->slot_count && !d->op.origin.file; i++)
		if (c->slots[i].attachment)
			d->op.origin = c->slots[i].attachment->decl->origin;
}

/* What the entry runs that is not wanted any more. */
static bool loses_member(const struct tc_chain *t, const struct tc_entry *e)
{
	for (size_t i = 0; i < e->member_count; i++)
		if (e->members[i].id && !chain_keeps(&t->chain, &e->members[i]))
			return true;
	return false;
}

/* --- one thing for the whole chain: a lone program, or a dispatcher ------------------ */

static bool entry_is_wanted(const struct chain *c, const struct tc_entry *e)
{
	if (c->want == WANT_TAILCALL)
		return c->dispatcher && e->dispatcher == c->dispatcher;
	return !c->slots[0].load && c->slots[0].id == e->observed->id;
}

static bool entry_continues(const struct chain *c, const struct tc_entry *e)
{
	if (c->want == WANT_TAILCALL)
		return e->dispatcher != NULL;
	return e->program && slot_continues(&c->slots[0], &e->members[0]);
}

static bool entry_can_take(const struct tc_chain *t, const struct tc_entry *e)
{
	if (!e->ours || e->mechanism != t->mechanism)
		return false;
	return e->mechanism == MECHANISM_TCX ||
	       (e->observed->filter_priority == TC_FILTER_PRIORITY &&
		e->observed->filter_handle == TC_FILTER_HANDLE);
}

/* Which of our entries is it, or becomes it: its place in the list is the chain's. */
static struct tc_entry *find_holder(struct tc_chain *t)
{
	struct tc_entry *first = NULL, *continues = NULL;

	for (size_t i = 0; i < t->entry_count; i++) {
		struct tc_entry *e = &t->entries[i];

		if (!entry_can_take(t, e))
			continue;
		if (entry_is_wanted(&t->chain, e))
			return e;
		if (!continues && entry_continues(&t->chain, e))
			continues = e;
		if (!first)
			first = e;
	}
	return continues ? continues : first;
}

static const char *single_subject(struct planner *p, const struct tc_chain *t)
{
	const struct chain *c = &t->chain;

	if (c->want == WANT_TAILCALL)
		return place_subject(p, t);
	return arena_printf(p->a, "%s %s/%s", place_subject(p, t), c->slots[0].instance,
			    c->slots[0].program);
}

static const char *single_reason(struct planner *p, const struct tc_chain *t,
				 const struct tc_entry *e)
{
	if (e && entry_is_wanted(&t->chain, e))
		return "the pin of its link is gone";
	if (!e && tc_runs_ours(t))
		return arena_printf(p->a, "the chain moves to %s", mechanism_names[t->mechanism]);
	if (t->reordered && t->chain.want == WANT_TAILCALL && e->program)
		return "in another order, which takes a dispatcher";
	return chain_explain(p, &t->chain);
}

static void single_set(struct planner *p, struct tc_chain *t)
{
	struct chain *c = &t->chain;
	struct tc_entry *e = find_holder(t);
	const char *version;
	struct draft *d;

	if (e && entry_is_wanted(c, e) && e->pinned) {
		e->stays = true;
		return;
	}
	version = place_version(p, t, slots_hash(c, p->a));
	c->failure = c->build && c->build->failure ?
			     c->build->failure :
			     lookup_failure(p, single_subject(p, t), version);
	if (c->failure)
		return;
	d = set_draft(p, t, e, e && entry_is_wanted(c, e));
	d->op.subject = single_subject(p, t);
	d->op.version = version;
	d->op.reason = single_reason(p, t, e);
	d->op.removes = e && loses_member(t, e);
	if (c->want == WANT_TAILCALL)
		target_dispatcher(p, d, c);
	else
		target_slot(p, d, &c->slots[0]);
	if (e)
		e->stays = true;
}

/* --- a link for each ---------------------------------------------------------------- */

/* What a new link is placed after or before. */
struct anchor {
	enum tc_place place;
	struct program_ref program;
	uint32_t id;
};

static struct anchor anchor_at(enum tc_place place, const struct tc_entry *e)
{
	return (struct anchor){ .place = place, .id = e->observed->id };
}

/* Before the next member that has a link; else behind what goes, so as to stay where the chain is. */
static struct anchor first_anchor(const struct tc_chain *t, size_t slot)
{
	struct anchor a = { .place = TC_PLACE_LAST };

	for (size_t i = slot + 1; i < t->chain.slot_count; i++)
		if (t->members[i].entry)
			return anchor_at(TC_PLACE_BEFORE, t->members[i].entry);
	for (size_t i = 0; i < t->entry_count; i++)
		if (t->entries[i].ours && t->entries[i].mechanism == MECHANISM_TCX)
			a = anchor_at(TC_PLACE_AFTER, &t->entries[i]);
	return a;
}

static void place_link(struct draft *d, const struct anchor *a)
{
	d->op.tc.place = a->place;
	d->op.tc.relative = a->program;
	d->op.tc.relative_id = a->program.instance ? 0 : a->id;
}

/* One without a pin is adopted by a replacement with itself. */
static bool link_runs(const struct tc_member *m, const struct slot *s)
{
	return m->entry && !s->load && s->id == m->entry->observed->id;
}

static const char *link_reason(const struct tc_chain *t, const struct tc_member *m,
			       const struct slot *s)
{
	if (!m->entry)
		return tc_runs_ours(t) && s->live ? "the chain moves to links of its members" :
						    "it is not attached yet";
	return link_runs(m, s) ? "the pin of its link is gone" : "there is a new version";
}

/* Puts one member right; before: what runs ahead of it, and for the next what this one is. */
static void link_set(struct planner *p, struct tc_chain *t, size_t slot, struct anchor *before)
{
	const struct slot *s = &t->chain.slots[slot];
	struct tc_member *m = &t->members[slot];
	const bool same = link_runs(m, s);
	const char *subject =
		arena_printf(p->a, "%s %s/%s", place_subject(p, t), s->instance, s->program);
	const char *version =
		place_version(p, t, arena_printf(p->a, "%s", s->version ? s->version : ""));
	struct anchor anchor = before->place == TC_PLACE_AFTER ? *before : first_anchor(t, slot);
	struct draft *d;

	if (m->entry) {
		m->entry->stays = true;
		*before = anchor_at(TC_PLACE_AFTER, m->entry);
	}
	if (same && (m->entry->pinned || !s->version))
		return;
	m->failure = lookup_failure(p, subject, version);
	if (m->failure)
		return;
	d = m->draft = set_draft(p, t, m->entry, same);
	d->op.subject = subject;
	d->op.version = version;
	d->op.reason = link_reason(t, m, s);
	target_slot(p, d, s);
	if (!m->entry)
		place_link(d, &anchor);
	*before = (struct anchor){ .place = TC_PLACE_AFTER, .program = d->op.tc.program };
}

static void links_set(struct planner *p, struct tc_chain *t)
{
	struct anchor before = { .place = TC_PLACE_LAST };

	for (size_t i = 0; i < t->chain.slot_count; i++)
		link_set(p, t, i, &before);
}

/* --- what goes ------------------------------------------------------------------------ */

/* Whether a wanted member that an entry runs will run without it, once all drafts are done. */
static bool slot_is_served(const struct tc_chain *t, size_t slot)
{
	if (t->chain.failure)
		return false;
	if (t->chain.want == WANT_TAILCALL || t->chain.slot_count == 1)
		return true;
	return !t->members[slot].failure || t->members[slot].entry;
}

static bool entry_may_go(const struct planner *p, const struct tc_chain *t,
			 const struct tc_entry *e)
{
	bool lost = !e->member_count;

	if (lost && p->held)
		return false;
	for (size_t s = 0; s < t->chain.slot_count; s++) {
		if (slot_is_served(t, s))
			continue;
		if (lost)
			return false;
		for (size_t i = 0; i < e->member_count; i++)
			if (e->members[i].id && slot_continues(&t->chain.slots[s], &e->members[i]))
				return false;
	}
	return true;
}

static const char *clear_reason(struct planner *p, const struct tc_chain *t,
				const struct tc_entry *e)
{
	const struct chain *c = &t->chain;

	if (!c->slot_count)
		return c->attachments.n ? "none of its programs can run" :
					  "no program is declared for it any more";
	if (e->mechanism != t->mechanism)
		return arena_printf(p->a, "its programs run by %s", mechanism_names[t->mechanism]);
	if (e->program && loses_member(t, e))
		return arena_printf(p->a, "%s/%s is not declared here any more",
				    e->members[0].instance, e->members[0].program);
	if (e->program && c->want == WANT_TAILCALL)
		return "it runs in the dispatcher";
	return e->dispatcher ? "its programs run without it" : "it is left over";
}

static void entry_clear(struct planner *p, struct tc_chain *t, struct tc_entry *e)
{
	const char *subject = place_subject(p, t);
	const char *version = arena_printf(p->a, "clear %s %u %u", mechanism_names[e->mechanism],
					   e->observed->link_id, e->observed->id);
	const struct failure *f = lookup_failure(p, subject, version);

	if (f) {
		if (!t->chain.failure)
			t->chain.failure = f;
		return;
	}
	e->draft = tc_draft(p, t, OP_TC_CLEAR, e);
	e->draft->op.subject = subject;
	e->draft->op.version = version;
	e->draft->op.reason = clear_reason(p, t, e);
	e->draft->op.removes = loses_member(t, e) || (!e->member_count && !t->chain.slot_count);
	draft_need(p, e->draft, t->last);
	/* What takes over may be there already and change by edits of its slots. */
	for (size_t i = 0; t->chain.dispatcher && i < t->chain.dispatcher->edits.n; i++)
		draft_need(p, e->draft, t->chain.dispatcher->edits.v[i]);
}

static void rest_clear(struct planner *p, struct tc_chain *t)
{
	for (size_t i = 0; i < t->entry_count; i++) {
		struct tc_entry *e = &t->entries[i];

		if (e->ours && !e->stays && entry_may_go(p, t, e))
			entry_clear(p, t, e);
	}
}

void tc_chains_plan(struct planner *p)
{
	for (size_t i = 0; i < p->tc_chain_count; i++) {
		struct tc_chain *t = &p->tc_chains[i];

		if (t->chain.want == WANT_AS_IS)
			continue;
		t->revision = t->observed ? t->observed->revision : 0;
		if (t->chain.want == WANT_TAILCALL || t->chain.slot_count == 1)
			single_set(p, t);
		else if (t->chain.want == WANT_DIRECT)
			links_set(p, t);
		rest_clear(p, t);
	}
}
