/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* What is told of tc: of each attachment, of the chains, and to the mass-removal guard. */
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "base/str.h"
#include "plan/plan_internal.h"

/* --- attachments --------------------------------------------------------------------- */

/* A chain of tc is the first part of its place. */
static const struct tc_chain *place_of(const struct chain *c)
{
	return (const struct tc_chain *)c;
}

/* Nothing may be added to the NULL of an entry without members. */
const struct tc_entry *tc_entry_of(const struct tc_chain *t, const struct attachment *at)
{
	for (size_t i = 0; at->live && i < t->entry_count; i++)
		if (t->entries[i].member_count && at->live >= t->entries[i].members &&
		    at->live < t->entries[i].members + t->entries[i].member_count)
			return &t->entries[i];
	return NULL;
}

enum mechanism tc_live_mechanism(const struct attachment *at)
{
	const struct tc_entry *e = tc_entry_of(place_of(at->chain), at);

	return e ? e->mechanism : MECHANISM_AUTO;
}

/* As declared in every respect: program, verdicts, mechanism, order. */
static bool is_right(const struct tc_chain *t, const struct attachment *at)
{
	const struct tc_entry *e = tc_entry_of(t, at);

	if (!at->slot || !e || e->draft || e->mechanism != t->mechanism || t->chain.reordered)
		return false;
	if (t->chain.want == WANT_TAILCALL)
		return e->dispatcher && e->dispatcher == t->chain.dispatcher &&
		       slot_is_running(at->slot);
	return e->program && at->slot->id == e->observed->id && !at->slot->load;
}

static const struct failure *failure_of(const struct tc_chain *t, const struct attachment *at)
{
	if (t->chain.failure || !at->slot || t->chain.want != WANT_DIRECT || !t->members)
		return t->chain.failure;
	return t->members[at->slot - t->chain.slots].failure;
}

static const char *reason_of(const struct tc_chain *t, const struct attachment *at)
{
	const struct draft *d = t->last;

	if (at->slot && t->chain.want == WANT_DIRECT && t->members &&
	    t->members[at->slot - t->chain.slots].draft)
		d = t->members[at->slot - t->chain.slots].draft;
	if (d)
		return d->op.reason;
	if (t->chain.dispatcher && t->chain.dispatcher->edits.n)
		return t->chain.dispatcher->edits.v[0]->op.reason;
	return "the chain changes";
}

static void attachment_settle(struct planner *p, const struct tc_chain *t, struct attachment *at)
{
	const struct failure *f = failure_of(t, at);

	at->settled = true;
	if (is_right(t, at))
		return;
	if (f)
		condition_from_failure(&at->condition, f);
	else
		condition_set(&at->condition, STATE_PENDING, REASON_PLANNED,
			      arena_printf(p->a, "to be attached to %s: %s",
					   chain_name(p, &t->chain), reason_of(t, at)));
}

void tc_chains_settle(struct planner *p)
{
	for (size_t i = 0; i < p->tc_chain_count; i++) {
		struct tc_chain *t = &p->tc_chains[i];

		for (size_t k = 0; k < t->chain.attachments.n; k++)
			if (!t->chain.attachments.v[k]->settled)
				attachment_settle(p, t, t->chain.attachments.v[k]);
	}
}

/* --- the guard -------------------------------------------------------------------------- */

/* A member runs once, however many entries have it while the chain changes its form. */
static bool is_counted(const struct tc_chain *t, const struct live_member *m)
{
	for (const struct live_member *x = t->chain.live.members; x < m; x++)
		if (x->id && str_eq(x->instance, m->instance) && str_eq(x->program, m->program))
			return true;
	return false;
}

bool tc_member_leaves(const struct tc_chain *t, const struct tc_entry *e,
		      const struct live_member *m)
{
	return m->id && !is_counted(t, m) && e->draft && !chain_keeps(&t->chain, m);
}

static bool unknown_leaves(const struct tc_entry *e)
{
	return e->draft && e->draft->op.removes;
}

void tc_count(const struct planner *p, size_t *total, size_t *removed)
{
	for (size_t i = 0; i < p->tc_chain_count; i++) {
		const struct tc_chain *t = &p->tc_chains[i];

		for (size_t k = 0; k < t->entry_count; k++) {
			const struct tc_entry *e = &t->entries[k];

			if (e->ours && !e->member_count) { /* at least one, but unknown */
				*total += 1;
				*removed += unknown_leaves(e);
			}
			for (size_t m = 0; m < e->member_count; m++) {
				if (!e->members[m].id || is_counted(t, &e->members[m]))
					continue;
				*total += 1;
				*removed += tc_member_leaves(t, e, &e->members[m]);
			}
		}
	}
}

static void hash_entry(const struct planner *p, const struct tc_chain *t, const struct tc_entry *e,
		       struct hasher *h)
{
	char id[16];

	if (!e->ours || e->member_count || !unknown_leaves(e))
		return;
	(void)snprintf(id, sizeof(id), "%u", e->observed->id);
	hasher_add_field(h, interface_label(p, t->chain.interface));
	hasher_add_field(h, tc_direction_names[t->chain.direction]);
	hasher_add_field(h, id); /* nothing else is known of it */
}

void tc_hash_unknown(const struct planner *p, struct hasher *h)
{
	for (size_t i = 0; i < p->tc_chain_count; i++)
		for (size_t k = 0; k < p->tc_chains[i].entry_count; k++)
			hash_entry(p, &p->tc_chains[i], &p->tc_chains[i].entries[k], h);
}

/* --- chains ------------------------------------------------------------------------------- */

static int priority_of(const struct tc_chain *t, const struct tc_entry *e,
		       const struct live_member *m)
{
	const struct chain *c = &t->chain;

	for (size_t i = 0; i < c->attachments.n; i++)
		if (c->attachments.v[i]->live == m)
			return (int)c->attachments.v[i]->priority;
	return e->dispatcher ? (int)m->priority : -1;
}

static struct status_member *add_member(struct status_chain *s)
{
	struct status_member *to = &s->members[s->member_count];

	to->position = (int)s->member_count++;
	to->priority = -1;
	to->proceed_on = TC_VERDICTS_DEFAULT;
	return to;
}

/* Of others, and of ours whose pins are gone: the kernel's name is all that is known. */
static void add_unknown(struct planner *p, struct status_chain *s, const struct tc_entry *e)
{
	const struct observed_program *o = observed_find_program(p->observed, e->observed->id);
	struct status_member *to = add_member(s);

	to->program = o ? o->name : e->observed->filter_name;
	to->id = e->observed->id;
	to->ours = e->ours;
	to->run_count = o ? o->run_count : 0;
	to->run_ns = o ? o->run_ns : 0;
}

static void add_ours(struct planner *p, struct status_chain *s, const struct tc_chain *t,
		     const struct tc_entry *e)
{
	for (size_t i = 0; i < e->member_count; i++) {
		const struct live_member *m = &e->members[i];
		const struct program_entry *entry = lookup_program(p, m->id);
		struct status_member *to = add_member(s);

		to->object = m->instance;
		to->program = m->program;
		to->id = m->id;
		to->priority = priority_of(t, e, m);
		to->proceed_on = m->proceed_on;
		to->ours = true;
		to->run_count = entry ? entry->program->run_count : 0;
		to->run_ns = entry ? entry->program->run_ns : 0;
	}
}

static void explain_mechanism(struct planner *p, struct status_chain *s, const struct tc_chain *t)
{
	const char *detail = NULL;

	if (t->setting != TC_MECHANISM_AUTO || t->mechanism != MECHANISM_CLSACT)
		return;
	for (size_t i = 0; i < p->observed->feature_count; i++)
		if (str_eq(p->observed->features[i].name, "tcx"))
			detail = p->observed->features[i].detail;
	s->mechanism_reason = REASON_TCX_UNAVAILABLE;
	s->mechanism_message = arena_printf(p->a, "TCX is not to be had%s%s", detail ? ": " : "",
					    detail ? detail : "");
}

static void add_chain(struct planner *p, struct status *s, const struct tc_chain *t)
{
	struct status_chain *to = &s->chains[s->chain_count++];
	size_t most = t->chain.live.member_count + t->entry_count;

	to->hook = HOOK_TC;
	to->direction = t->chain.direction;
	to->interface = t->chain.interface->name;
	to->netns = t->chain.interface->netns;
	to->ifindex = t->chain.interface->ifindex;
	to->members = arena_calloc(p->a, most, sizeof(*to->members));
	for (size_t i = 0; i < t->entry_count; i++) {
		const struct tc_entry *e = &t->entries[i];

		if (e->ours && to->mechanism == MECHANISM_AUTO)
			to->mechanism = e->mechanism;
		if (e->dispatcher && !to->dispatcher_id) {
			to->dispatcher_id = e->observed->id;
			to->run_count = e->dispatcher->observed->run_count;
			to->run_ns = e->dispatcher->observed->run_ns;
		}
		if (e->member_count)
			add_ours(p, to, t, e);
		else
			add_unknown(p, to, e);
	}
	explain_mechanism(p, to, t);
}

void tc_status_chains(struct planner *p, struct status *s)
{
	for (size_t i = 0; i < p->tc_chain_count; i++)
		if (p->tc_chains[i].chain.attachments.n || tc_runs_ours(&p->tc_chains[i]))
			add_chain(p, s, &p->tc_chains[i]);
}
