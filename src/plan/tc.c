/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * What each direction of an interface runs at the hook tc, and what it should run. In the
 * TCX list every member has a link of its own, among those of others, which keep their places. A
 * dispatcher, as XDP has it, takes the place of all our links (or of our one filter of clsact) where links
 * cannot do what is declared: other verdicts than `next` that pass control on, a slot that drops
 * while its program is missing, more than one program in a filter; and a change of order, since
 * the kernel neither moves a link nor has a program in the list twice. A place that has a dispatcher
 * keeps it while it has several members, so that the next change of order is one swap.
 */
#include <string.h>

#include "base/str.h"
#include "model/limits.h"
#include "plan/plan_internal.h"

struct tc_chain *tc_chain_at(struct planner *p, size_t interface, enum tc_direction direction)
{
	return &p->tc_chains[interface * TC_DIRECTION_COUNT + direction];
}

/* --- what runs ------------------------------------------------------------------ */

static const struct observed_link *find_link(const struct planner *p, uint32_t id)
{
	for (size_t i = 0; i < p->observed->link_count; i++)
		if (p->observed->links[i].id == id && p->observed->links[i].hook == HOOK_TC)
			return &p->observed->links[i];
	return NULL;
}

/* What is in the list without a link belongs to whoever put it there, whatever program it is. */
static void entry_observe(struct planner *p, struct tc_entry *e,
			  const struct observed_tc_program *o)
{
	const struct observed_link *l = o->link_id ? find_link(p, o->link_id) : NULL;

	e->observed = o;
	e->ours = o->ours && o->id && (e->mechanism == MECHANISM_CLSACT || o->link_id);
	if (!e->ours)
		return;
	e->pinned = e->mechanism == MECHANISM_CLSACT || (l && (l->pinned || l->lost));
	e->dispatcher = dispatcher_find(p, o->id);
	e->program = e->dispatcher ? NULL : lookup_program(p, o->id);
}

/* Without pins, or with a dispatcher whose metadata is gone: nothing tells what runs there. */
static bool entry_is_lost(const struct tc_entry *e)
{
	return e->ours && !e->member_count;
}

static bool entry_is_newer(const struct tc_entry *e)
{
	return e->dispatcher && e->dispatcher->observed->newer;
}

static void entries_observe(struct planner *p, struct tc_chain *t)
{
	const struct observed_tc *o = t->observed;

	t->entry_count = o->program_count + o->filter_count;
	t->entries = arena_calloc(p->a, t->entry_count, sizeof(*t->entries));
	for (size_t i = 0; i < t->entry_count; i++) {
		struct tc_entry *e = &t->entries[i];
		bool tcx = i < o->program_count;

		e->mechanism = tcx ? MECHANISM_TCX : MECHANISM_CLSACT;
		e->index = tcx ? i : i - o->program_count;
		entry_observe(p, e, tcx ? &o->programs[e->index] : &o->filters[e->index]);
	}
}

static void add_members(struct live *l, struct tc_entry *e)
{
	e->members = &l->members[l->member_count];
	if (e->dispatcher) {
		e->member_count = e->dispatcher->member_count;
		if (e->member_count)
			memcpy(e->members, e->dispatcher->members,
			       e->member_count * sizeof(*e->members));
	} else if (e->program) {
		e->member_count = 1;
		e->members[0] = live_lone_member(e->program, HOOK_TC);
	}
	l->member_count += e->member_count;
}

static bool is_user(const struct dispatcher *d, const struct chain *c)
{
	for (size_t i = 0; i < d->users.n; i++)
		if (d->users.v[i] == c)
			return true;
	return false;
}

/*
 * One look at all entries of ours: after a crash there may be more than one form of the chain.
 * Unknown members make it as unknown as an XDP root without pins.
 */
static void place_observe_live(struct planner *p, struct tc_chain *t)
{
	struct live *l = &t->chain.live;
	int position = 0;
	size_t most = 0;

	for (size_t i = 0; i < t->entry_count; i++)
		most += t->entries[i].dispatcher ? t->entries[i].dispatcher->member_count : 1;
	l->members = arena_calloc(p->a, most, sizeof(*l->members));
	for (size_t i = 0; i < t->entry_count; i++) {
		struct tc_entry *e = &t->entries[i];

		e->position = position;
		if (e->ours)
			add_members(l, e);
		position += e->dispatcher && e->member_count ? (int)e->member_count : 1;
		if (entry_is_lost(e))
			l->kind = LIVE_LOST;
		else if (e->dispatcher && l->kind != LIVE_LOST)
			l->kind = LIVE_CHAIN;
		else if (e->program && l->kind == LIVE_NONE)
			l->kind = LIVE_DIRECT;
		if (!e->dispatcher)
			continue;
		if (!l->dispatcher)
			l->dispatcher = e->dispatcher;
		if (!is_user(e->dispatcher, &t->chain))
			*LIST_ADD(p->a, &e->dispatcher->users) = &t->chain;
	}
}

void tc_chains_observe(struct planner *p)
{
	const struct observed *o = p->observed;

	/* With many interfaces they would be much of a plan's memory, for nothing. */
	if (!o->tc_count && !plan_wants_tc(p->desired) && !held_wants_tc(&p->in->waiting))
		return;
	p->tc_chain_count = o->interface_count * TC_DIRECTION_COUNT;
	p->tc_chains = arena_calloc(p->a, p->tc_chain_count, sizeof(*p->tc_chains));
	for (size_t i = 0; i < p->tc_chain_count; i++) {
		struct tc_chain *t = &p->tc_chains[i];
		struct chain *c = &t->chain;

		c->hook = HOOK_TC;
		c->index = i / TC_DIRECTION_COUNT;
		c->direction = (enum tc_direction)(i % TC_DIRECTION_COUNT);
		c->interface = &o->interfaces[c->index];
		t->observed = observed_find_tc(o, c->interface->netns, c->interface->ifindex,
					       c->direction);
		if (!t->observed)
			continue;
		entries_observe(p, t);
		place_observe_live(p, t);
	}
}

bool tc_runs_ours(const struct tc_chain *t)
{
	for (size_t i = 0; i < t->entry_count; i++)
		if (t->entries[i].ours)
			return true;
	return false;
}

/* Positions count what others run as well, since it runs in between. */
static void attachments_find_positions(struct tc_chain *t)
{
	for (size_t i = 0; i < t->chain.attachments.n; i++) {
		struct attachment *at = t->chain.attachments.v[i];
		const struct tc_entry *e = tc_entry_of(t, at);

		if (e)
			at->position = e->position + (int)(at->live - e->members);
	}
}

/* --- the mechanism ----------------------------------------------------------------- */

static const char *feature_detail(const struct planner *p, const char *name)
{
	for (size_t i = 0; i < p->observed->feature_count; i++)
		if (str_eq(p->observed->features[i].name, name) && p->observed->features[i].detail)
			return p->observed->features[i].detail;
	return "not offered";
}

static bool choose_mechanism(struct planner *p, struct tc_chain *t, struct condition_status *ret)
{
	const bool tcx = observed_has_feature(p->observed, "tcx");
	const bool clsact = observed_has_feature(p->observed, "clsact");
	const char *where = chain_name(p, &t->chain);

	t->setting = interface_tc_settings(p, t->chain.index).mechanism;
	if (tcx && t->setting != TC_MECHANISM_CLSACT)
		t->mechanism = MECHANISM_TCX;
	else if (clsact && t->setting != TC_MECHANISM_TCX)
		t->mechanism = MECHANISM_CLSACT;
	else if (t->setting == TC_MECHANISM_CLSACT)
		condition_set(ret, STATE_FAILED, REASON_CLSACT_UNAVAILABLE,
			      arena_printf(p->a,
					   "`mechanism: clsact` is declared for %s, which this "
					   "kernel cannot do: %s; declare auto or tcx, or load the "
					   "modules sch_ingress and cls_bpf",
					   where, feature_detail(p, "clsact")));
	else if (clsact)
		condition_set(ret, STATE_FAILED, REASON_TCX_UNAVAILABLE,
			      arena_printf(p->a,
					   "`mechanism: tcx` is declared for %s, which this kernel "
					   "cannot do: %s; declare auto or clsact, or boot 6.6 or "
					   "later",
					   where, feature_detail(p, "tcx")));
	else
		condition_set(
			ret, STATE_FAILED, REASON_TCX_UNAVAILABLE,
			arena_printf(p->a,
				     "nothing can be attached to %s: TCX: %s; clsact: %s; boot "
				     "6.6 or later, or load the modules sch_ingress and "
				     "cls_bpf",
				     where, feature_detail(p, "tcx"), feature_detail(p, "clsact")));
	return t->mechanism != MECHANISM_AUTO;
}

/* --- what others have there ----------------------------------------------------------- */

static const struct tc_entry *find_foreign_filter(const struct tc_chain *t)
{
	for (size_t i = 0; i < t->entry_count; i++)
		if (t->entries[i].mechanism == MECHANISM_CLSACT && !t->entries[i].ours &&
		    t->entries[i].observed->filter_priority == TC_FILTER_PRIORITY)
			return &t->entries[i];
	return NULL;
}

static const struct tc_entry *find_newer(const struct tc_chain *t)
{
	for (size_t i = 0; i < t->entry_count; i++)
		if (entry_is_newer(&t->entries[i]))
			return &t->entries[i];
	return NULL;
}

/* How to run a command where the interface is. */
static const char *command_prefix(struct planner *p, const struct observed_interface *i)
{
	if (!i->netns)
		return "";
	return arena_printf(p->a, *i->netns == '/' ? "nsenter --net=%s " : "ip netns exec %s ",
			    i->netns);
}

static bool place_is_blocked(struct planner *p, const struct tc_chain *t,
			     struct condition_status *ret)
{
	const char *interface = t->chain.interface->name, *where = chain_name(p, &t->chain);
	const char *in = command_prefix(p, t->chain.interface);
	const char *direction = tc_direction_names[t->chain.direction];
	const bool filters = t->mechanism == MECHANISM_CLSACT;
	const struct tc_entry *filter = filters ? find_foreign_filter(t) : NULL;
	const struct tc_entry *newer = find_newer(t);

	if (newer)
		condition_set(
			ret, STATE_BLOCKED, REASON_NEWER_LAYOUT,
			arena_printf(p->a,
				     "chain %u on %s was made by a newer version of bpfshare, "
				     "which alone can change it",
				     newer->observed->id, where));
	else if (filters && t->chain.direction == TC_EGRESS && t->observed &&
		 t->observed->qdisc == TC_QDISC_INGRESS)
		condition_set(
			ret, STATE_BLOCKED, REASON_INGRESS_QDISC,
			arena_printf(p->a,
				     "%s has an `ingress` qdisc of somebody else where egress "
				     "needs clsact; replace it with `%stc qdisc del dev %s "
				     "ingress` and `%stc qdisc add dev %s clsact`, which "
				     "removes its filters",
				     interface, in, interface, in, interface));
	else if (filter)
		condition_set(
			ret, STATE_BLOCKED, REASON_FOREIGN_FILTER,
			arena_printf(p->a,
				     "a filter of somebody else (%s) has preference %u at %s, "
				     "which bpfshare uses; remove it with `%stc filter del dev "
				     "%s %s pref %u`",
				     filter->observed->filter_name ? filter->observed->filter_name :
								     "?",
				     TC_FILTER_PRIORITY, where, in, interface, direction,
				     TC_FILTER_PRIORITY));
	else
		return false;
	return true;
}

/* --- the form ---------------------------------------------------------------------------- */

static bool entry_continues(const struct tc_entry *e, const struct slot *s)
{
	return e->mechanism == MECHANISM_TCX && e->program && slot_continues(s, &e->members[0]);
}

/* Which link has which slot; and whether they stand in the order of the slots. */
static void match_links(struct planner *p, struct tc_chain *t)
{
	const struct tc_entry *last = NULL;

	t->members = arena_calloc(p->a, t->chain.slot_count, sizeof(*t->members));
	for (size_t i = 0; i < t->chain.slot_count; i++) {
		const struct slot *s = &t->chain.slots[i];
		struct tc_entry *found = NULL;

		for (size_t k = 0; k < t->entry_count; k++) {
			struct tc_entry *e = &t->entries[k];

			if (!entry_continues(e, s))
				continue;
			if (!found || (s->id && e->observed->id == s->id))
				found = e;
		}
		t->members[i].entry = found;
		t->reordered |= found && last && found < last;
		last = found ? found : last;
	}
}

/* Why links (or one filter for one program) cannot do it; NULL: they can. */
static const char *dispatcher_need(const struct tc_chain *t)
{
	const struct chain *c = &t->chain;

	for (size_t i = 0; i < c->slot_count; i++) {
		if (c->slots[i].proceed_on != TC_VERDICTS_DEFAULT)
			return "proceed_on other than [next]";
		if (!c->slots[i].version && !c->slots[i].id)
			return "on_missing: drop";
	}
	if (t->mechanism == MECHANISM_CLSACT && c->slot_count > 1)
		return "more than one program by clsact";
	return t->mechanism == MECHANISM_TCX && t->reordered ? "a change of order" : NULL;
}

static size_t count_foreign_links(const struct tc_chain *t)
{
	size_t n = 0;

	for (size_t i = 0; i < t->entry_count; i++)
		n += t->entries[i].mechanism == MECHANISM_TCX && !t->entries[i].ours;
	return n;
}

static bool runs_without_pin(const struct tc_chain *t, const struct slot **ret)
{
	for (size_t i = 0; i < t->chain.slot_count; i++) {
		const struct slot *s = &t->chain.slots[i];
		bool runs = false;

		if (s->version || !s->id)
			continue;
		for (size_t k = 0; k < t->entry_count; k++)
			runs |= t->entries[k].mechanism == t->mechanism && t->entries[k].ours &&
				t->entries[k].observed->id == s->id;
		*ret = s;
		if (!runs)
			return true;
	}
	return false;
}

/* Whether what the kernel and the dispatcher can hold is enough, and the kernel can do it. */
static bool form_is_possible(struct planner *p, const struct tc_chain *t, const char *need,
			     struct condition_status *ret)
{
	const struct chain *c = &t->chain;
	const bool dispatcher = c->want == WANT_TAILCALL;
	const size_t foreign = count_foreign_links(t);
	const char *where = chain_name(p, c);
	const struct slot *unpinned;

	if (need && c->slot_count > LIMIT_CHAIN_TAILCALL)
		condition_set(
			ret, STATE_FAILED, REASON_TOO_MANY_MEMBERS,
			arena_printf(p->a,
				     "%zu programs are declared for %s, and %s takes a "
				     "dispatcher, which holds at most %d; the chain stays as "
				     "it is; %s",
				     c->slot_count, where, need, LIMIT_CHAIN_TAILCALL,
				     t->reordered ?
					     "to change the order all the same, take those that "
					     "change places out of their files, which detaches "
					     "them, and declare them again" :
					     "declare fewer programs there, or do without it"));
	else if (t->mechanism == MECHANISM_TCX &&
		 foreign + (dispatcher ? 1 : c->slot_count) > LIMIT_CHAIN_TCX)
		condition_set(ret, STATE_FAILED, REASON_TOO_MANY_MEMBERS,
			      arena_printf(p->a,
					   "%zu programs are declared for %s and others have %zu "
					   "there; the kernel takes %d; the chain stays as it is",
					   c->slot_count, where, foreign, LIMIT_CHAIN_TCX));
	else if (dispatcher && !observed_has_feature(p->observed, "tc_tailcall"))
		condition_set(
			ret, STATE_FAILED, REASON_TAILCALL_UNAVAILABLE,
			arena_printf(p->a,
				     "the chain at %s needs tail calls (%s), which this kernel "
				     "cannot do for tc: %s; the chain stays as it is",
				     where, need, feature_detail(p, "tc_tailcall")));
	else if (!dispatcher && runs_without_pin(t, &unpinned))
		condition_set(
			ret, STATE_PENDING, REASON_CHAIN_HELD,
			arena_printf(p->a,
				     "the chain at %s stays as it is: %s/%s runs, but its pin "
				     "is gone, so it cannot be attached in another way",
				     where, unpinned->instance, unpinned->program));
	else
		return true;
	return false;
}

/* Links would do as well, but the next change of order would bring the dispatcher back. */
static bool dispatcher_stays(const struct planner *p, const struct chain *c)
{
	return c->live.dispatcher && c->slot_count > 1 && c->slot_count <= LIMIT_CHAIN_TAILCALL &&
	       observed_has_feature(p->observed, "tc_tailcall");
}

static void choose_form(struct planner *p, struct tc_chain *t)
{
	struct chain *c = &t->chain;
	struct condition_status why;
	const char *need;

	match_links(p, t);
	need = dispatcher_need(t);
	c->want = need || dispatcher_stays(p, c) ? WANT_TAILCALL : WANT_DIRECT;
	/* What runs in its place as declared is right, unless its place is what cannot be. */
	if (!form_is_possible(p, t, need, &why))
		chain_stop(c, t->reordered || str_eq(why.reason, REASON_TOO_MANY_MEMBERS), &why);
}

static void place_decide(struct planner *p, struct tc_chain *t)
{
	struct chain *c = &t->chain;
	size_t n = chain_gather(p, c);
	struct condition_status why;

	attachments_find_positions(t);
	if (n && (!choose_mechanism(p, t, &why) || place_is_blocked(p, t, &why))) {
		chain_stop(c, true, &why);
		return;
	}
	if (n > LIMIT_CHAIN_TCX) {
		condition_set(&why, STATE_FAILED, REASON_TOO_MANY_MEMBERS,
			      arena_printf(p->a,
					   "%zu programs are declared for %s and the kernel takes "
					   "%d; the chain stays as it is",
					   n, chain_name(p, c), LIMIT_CHAIN_TCX));
		chain_stop(c, true, &why);
		return;
	}
	if (!chain_arrange(p, c, n))
		return;
	if (c->slot_count)
		choose_form(p, t);
	else
		c->want = find_newer(t) ? WANT_AS_IS : WANT_CLEAR;
}

void tc_chains_want(struct planner *p)
{
	for (size_t i = 0; i < p->tc_chain_count; i++) {
		struct tc_chain *t = &p->tc_chains[i];

		if (t->chain.attachments.n || tc_runs_ours(t) || held_wants(p, &t->chain))
			place_decide(p, t);
	}
}
