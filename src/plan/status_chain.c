/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* What runs on every interface that concerns us, in order, whosever it is. */
#include <limits.h>
#include <string.h>

#include "base/str.h"
#include "plan/plan_internal.h"

static int priority_of(const struct chain *c, const struct live_member *m)
{
	for (size_t i = 0; i < c->attachments.n; i++)
		if (c->attachments.v[i]->live == m)
			return (int)c->attachments.v[i]->priority;
	if (c->live.kind != LIVE_CHAIN && c->live.kind != LIVE_PROTOCOL)
		return -1;
	return m->priority > INT_MAX ? INT_MAX : (int)m->priority;
}

static void add_member(struct planner *p, struct status_chain *s, const struct chain *c,
		       const struct live_member *m)
{
	const struct program_entry *entry = lookup_program(p, m->id);
	struct status_member *to = &s->members[s->member_count];

	to->position = (int)s->member_count++;
	to->object = *m->instance ? m->instance : NULL;
	to->program = m->program;
	to->id = m->id;
	to->priority = priority_of(c, m);
	to->proceed_on = m->proceed_on;
	to->ours = !m->foreign;
	if (entry) {
		to->run_count = entry->program->run_count;
		to->run_ns = entry->program->run_ns;
	}
}

static void add_foreign(struct planner *p, struct status_chain *s, const struct chain *c)
{
	const struct observed_program *o = observed_find_program(p->observed, c->interface->xdp_id);

	s->members = arena_new_of(p->a, struct status_member);
	s->member_count = 1;
	s->members[0] = (struct status_member){
		.program = o ? o->name : NULL,
		.id = c->interface->xdp_id,
		.priority = -1,
		.ours = c->live.kind == LIVE_LOST,
		.run_count = o ? o->run_count : 0,
		.run_ns = o ? o->run_ns : 0,
	};
}

static void add_chain(struct planner *p, struct status *s, const struct chain *c)
{
	struct status_chain *to = &s->chains[s->chain_count++];

	to->hook = HOOK_XDP;
	to->interface = c->interface->name;
	to->netns = c->interface->netns;
	to->ifindex = c->interface->ifindex;
	to->mode = c->interface->xdp_mode;
	to->exclusive = c->live.link != NULL;
	to->mechanism_reason = c->mechanism_reason;
	to->mechanism_message = c->mechanism_message;
	if (c->live.kind == LIVE_FOREIGN || c->live.kind == LIVE_LOST ||
	    c->live.kind == LIVE_NEWER) {
		add_foreign(p, to, c);
		return;
	}
	to->mechanism = live_mechanism(&c->live);
	if (c->live.kind == LIVE_PROTOCOL)
		to->dispatcher_id = c->interface->xdp_id;
	if (c->live.kind == LIVE_CHAIN) {
		const struct observed_chain *d = c->live.dispatcher->observed;

		to->dispatcher_id = d->id;
		to->run_count = d->run_count;
		to->run_ns = d->run_ns;
	}
	to->members = arena_calloc(p->a, c->live.member_count, sizeof(*to->members));
	for (size_t i = 0; i < c->live.member_count; i++)
		add_member(p, to, c, &c->live.members[i]);
}

void status_chains(struct planner *p, struct status *s)
{
	s->chains = arena_calloc(p->a, p->observed->interface_count + p->tc_chain_count,
				 sizeof(*s->chains));
	for (size_t i = 0; i < p->observed->interface_count; i++)
		if (p->chains[i].attachments.n || live_is_ours(&p->chains[i].live))
			add_chain(p, s, &p->chains[i]);
	tc_status_chains(p, s);
}
