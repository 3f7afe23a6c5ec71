/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * The slots that every interface should have. Anything that makes the wish impossible or
 * unclear (a foreign root, a cycle, a member that holds the chain) ends in chain_stop():
 * the interface keeps exactly what it runs.
 */
#include <linux/bpf.h>
#include <string.h>

#include "base/str.h"
#include "model/limits.h"
#include "plan/plan_internal.h"

void chain_stop(struct chain *c, bool running, const struct condition_status *why)
{
	c->want = WANT_AS_IS;
	for (size_t i = 0; i < c->attachments.n; i++) {
		struct attachment *at = c->attachments.v[i];

		if (at->settled)
			continue;
		at->settled = true;
		if (running || !at->slot || !slot_is_running(at->slot))
			at->condition = *why;
		else if (c->live.kind == LIVE_PROTOCOL)
			condition_set(&at->condition, STATE_READY, REASON_FOREIGN_DISPATCHER,
				      "it runs in a dispatcher that libxdp built");
	}
}

/* The same for what is declared of the chain itself: then it goes on as it ran, whatever others do to it. */
static void chain_halt(struct chain *c, bool running, const struct condition_status *why)
{
	chain_stop(c, running, why);
	c->halted = true;
}

bool slot_is_running(const struct slot *s)
{
	enum live_kind kind = s->attachment->chain->live.kind;

	return s->id && s->live && s->live->id == s->id && s->live->proceed_on == s->proceed_on &&
	       (s->live->required == s->required || s->live->lone || kind == LIVE_PROTOCOL);
}

bool slot_continues(const struct slot *s, const struct live_member *m)
{
	size_t n = strlen(s->object);

	return str_eq(s->program, m->program) && strncmp(s->object, m->instance, n) == 0 &&
	       (m->instance[n] == '\0' || m->instance[n] == '@');
}

const char *chain_name(struct planner *p, const struct chain *c)
{
	const char *interface = interface_label(p, c->interface);

	if (c->hook == HOOK_XDP)
		return interface;
	return arena_printf(p->a, "%s of %s", tc_direction_names[c->direction], interface);
}

const char *chain_key(struct planner *p, const struct chain *c)
{
	const char *interface = interface_label(p, c->interface);

	if (c->hook == HOOK_XDP)
		return arena_printf(p->a, "%s/xdp", interface);
	return arena_printf(p->a, "%s/tc/%s", interface, tc_direction_names[c->direction]);
}

/* --- what holds the interface ------------------------------------------------ */

static const char *describe_foreign(struct planner *p, const struct chain *c)
{
	const struct observed_interface *i = c->interface;
	const struct observed_program *f = observed_find_program(p->observed, i->xdp_id);
	static const char *const off[] = {
		[XDP_DRIVER] = "xdpdrv", [XDP_GENERIC] = "xdpgeneric", [XDP_HARDWARE] = "xdpoffload"
	};
	const char *word = (size_t)i->xdp_mode < ARRAY_SIZE(off) && off[i->xdp_mode] ?
				   off[i->xdp_mode] :
				   "xdp";
	const struct observed_dispatch *d = c->live.dispatch;
	const char *whose = "", *remedy;
	const char *in = "";

	if (i->netns)
		in = arena_printf(p->a,
				  *i->netns == '/' ? "nsenter --net=%s " : "ip netns exec %s ",
				  i->netns);
	remedy = d ? arena_printf(p->a, "%sxdp-loader unload %s --all", in, i->name) :
		     arena_printf(p->a, "%sip link set dev %s %s off", in, i->name, word);
	if (d)
		whose = arena_printf(p->a,
				     "; it is a chain by libxdp's protocol, version %u, "
				     "which cannot be joined: %s",
				     d->version,
				     d->fault ? d->fault : "some of its programs are not pinned");
	else if (f && str_eq(f->name, "bpfshare_chain"))
		whose = "; by its name it is a dispatcher of bpfshare, of another instance or one "
			"whose pins are gone";
	return arena_printf(
		p->a,
		"program %s (id %u, tag %s, loaded by uid %u) holds %s in %s mode%s; remove "
		"it with `%s`, or declare `on_foreign: replace`",
		f && f->name ? f->name : "?", i->xdp_id, f ? f->tag : "?", f ? f->uid : 0,
		interface_label(p, i), xdp_attached_name(i->xdp_mode), whose, remedy);
}

static const struct observed_interface *busy_bond(const struct planner *p, const struct chain *c)
{
	const struct observed_interface *i = c->interface, *master;

	if (!i->master_ifindex || !str_eq(i->master_kind, "bond"))
		return NULL;
	master = observed_find_interface(p->observed, i->netns, i->master_ifindex);
	return master && master->xdp_id ? master : NULL;
}

static bool chain_is_blocked(struct planner *p, const struct chain *c, struct condition_status *ret)
{
	const struct observed_interface *bond = busy_bond(p, c);
	bool wait = c->settings.on_foreign == ON_FOREIGN_WAIT ||
		    c->interface->xdp_mode == XDP_MULTIPLE;

	if (bond)
		condition_set(ret, STATE_BLOCKED, REASON_BOND_MASTER,
			      arena_printf(p->a,
					   "%s belongs to the bond %s, which runs XDP itself; the "
					   "kernel refuses both",
					   c->interface->name, bond->name));
	else if (c->live.kind == LIVE_NEWER)
		condition_set(
			ret, STATE_BLOCKED, REASON_NEWER_LAYOUT,
			arena_printf(p->a,
				     "chain %u on %s was made by a newer version of bpfshare, "
				     "which alone can change it",
				     c->interface->xdp_id, c->interface->name));
	else if (c->live.kind == LIVE_FOREIGN && wait)
		condition_set(ret, STATE_BLOCKED, REASON_FOREIGN_PROGRAM, describe_foreign(p, c));
	else
		return false;
	return true;
}

/* --- members ------------------------------------------------------------------ */

static const struct live_member *find_live(const struct chain *c, const char *instance,
					   const char *program, int *ret_position)
{
	for (size_t i = 0; i < c->live.member_count; i++) {
		const struct live_member *m = &c->live.members[i];

		if (!str_eq(m->instance, instance) || !str_eq(m->program, program))
			continue;
		if (ret_position)
			*ret_position = (int)i;
		return m->id ? m : NULL;
	}
	return NULL;
}

static void attachments_find_live(struct chain *c)
{
	for (size_t i = 0; i < c->attachments.n; i++) {
		struct attachment *at = c->attachments.v[i];

		if (!at->instance)
			continue;
		at->live = find_live(c, at->instance->name, at->program->name, &at->position);
		if (!at->live)
			at->position = -1;
	}
}

struct slot slot_kept(struct planner *p, const struct chain *c, const struct live_member *m)
{
	const struct observed_object *v = m->version;
	struct slot s = {
		.object = arena_strndup(p->a, m->instance, strcspn(m->instance, "@")),
		.instance = m->instance,
		.program = m->program,
		.version = v ? v->version : NULL,
		.id = m->id,
		.priority = m->priority,
		.proceed_on = m->proceed_on,
		.required = m->required,
		.unranked = m->lone,
		.frags = c->hook == HOOK_XDP && v && v->complete ? v->meta.frags : false,
		.live = m,
	};

	if (live_is_libxdp(&c->live))
		s.frags = m->frags;
	else if (c->hook == HOOK_XDP && c->live.kind == LIVE_CHAIN)
		s.frags = c->live.dispatcher->observed->meta.frags;
	return s;
}

struct slot slot_foreign(const struct live_member *m)
{
	return (struct slot){
		.object = "",
		.instance = "",
		.program = m->program,
		.id = m->foreign_id,
		.priority = m->priority,
		.proceed_on = m->proceed_on,
		.foreign = true,
		.required = m->required,
		.frags = m->frags,
		.live = m,
	};
}

static bool program_has_frags(const struct instance *i, const char *function)
{
	const struct elf_program *e;

	if (!i->declared)
		return i->observed && i->observed->meta.frags;
	e = elf_find_program(i->object->decl->source->elf, function);
	return e && e->frags;
}

static struct slot declared_slot(struct attachment *at)
{
	const struct attach_decl *decl = at->decl;
	struct instance *i = at->instance;
	struct slot s = {
		.object = at->object->name,
		.instance = i->name,
		.program = at->program->name,
		.priority = at->priority,
		.proceed_on = at->proceed_on,
		.required = decl->on_missing == ON_MISSING_DROP,
		.on_missing = decl->on_missing,
		.attachment = at,
		.live = at->live,
	};
	const struct observed_program *o, *form;

	if (i->load) {
		s.version = i->version;
		s.load = i->load;
	} else if (i->observed) {
		o = observed_object_program(i->observed, s.program);
		form = live_is_libxdp(&at->chain->live) ?
			       observed_object_extension(i->observed, s.program) :
			       o;
		s.version = o ? i->version : NULL;
		s.id = o && form ? form->id : 0;
	}
	/* Its pins are gone, but it runs here: that is better than nothing. */
	if (!s.version && at->live)
		s.id = at->live->id;
	s.frags = decl->hook == HOOK_XDP && program_has_frags(i, s.program);
	return s;
}

static bool stays_undeclared(const struct planner *p, const struct live_member *m)
{
	const struct instance *i = m->id ? lookup_instance(p, m->instance) : NULL;

	return m->id && (p->held || (i && i->frozen));
}

/* Declared attachments, then what stays although nobody declares it here, then what is others'. */
static size_t gather(struct planner *p, struct chain *c)
{
	size_t n = 0;

	c->slots = arena_calloc(p->a,
				c->attachments.n + c->live.member_count + held_count_at(p, c) +
					kept_count_at(p, c),
				sizeof(*c->slots));
	for (size_t i = 0; i < c->attachments.n; i++) {
		struct attachment *at = c->attachments.v[i];

		if (at->object->standing == STANDING_SUSPENDED || at->per_device) {
			if (!at->live)
				continue;
			c->slots[n] = slot_kept(p, c, at->live);
			c->slots[n].attachment = at;
			/* A lone program's own root tells no more than that it runs. */
			if (at->live->lone) {
				c->slots[n].unranked = false;
				c->slots[n].priority = at->priority;
				c->slots[n].required = at->decl->on_missing == ON_MISSING_DROP;
			}
			n++;
		} else {
			c->slots[n++] = declared_slot(at);
		}
	}
	for (size_t i = 0; i < c->live.member_count; i++) {
		const struct live_member *m = &c->live.members[i];
		bool declared = m->foreign;

		for (size_t k = 0; k < n && !declared; k++)
			declared = slot_continues(&c->slots[k], m);
		if (!declared && stays_undeclared(p, m))
			c->slots[n++] = slot_kept(p, c, m);
	}
	n = kept_add_slots(p, c, c->slots, n);
	n = held_add_slots(p, c, c->slots, n);
	for (size_t i = 0; i < c->live.member_count; i++)
		if (c->live.members[i].foreign_id)
			c->slots[n++] = slot_foreign(&c->live.members[i]);
	return n;
}

/* --- from members to slots ------------------------------------------------------ */

static bool order_members(struct planner *p, struct chain *c, size_t n)
{
	struct condition_status why;
	const char *cycle;
	uint64_t cyclic;

	cycle = slots_order(p->a, c->slots, n, &cyclic);
	if (!cycle)
		return true;
	condition_set(&why, STATE_FAILED, REASON_ORDER_CYCLE,
		      arena_printf(p->a, "contradicting order on %s: %s; the chain stays as it is",
				   chain_name(p, c), cycle));
	for (size_t i = 0; i < n; i++) {
		struct attachment *at = c->slots[i].attachment;

		if (at)
			at->slot = &c->slots[i];
		if (at && !at->settled && (cyclic & (UINT64_C(1) << i))) {
			at->settled = true;
			at->condition = why;
		}
	}
	condition_set(&why, STATE_PENDING, REASON_CHAIN_HELD,
		      arena_printf(p->a,
				   "the chain of %s stays as it is: its order is contradicting "
				   "(%s)",
				   chain_name(p, c), cycle));
	chain_halt(c, false, &why);
	return false;
}

/* A member that nothing can run: its attachment says why. */
static void leave_out(struct planner *p, struct slot *s)
{
	struct attachment *at = s->attachment;
	const struct instance *i = at ? at->instance : NULL;

	if (!at) /* what waits for its removal, and cannot be put back here */
		return;
	at->slot = NULL;
	if (at->settled)
		return;
	at->settled = true;
	at->condition = i->condition;
	if (i->condition.state == STATE_READY)
		condition_set(&at->condition, STATE_FAILED, REASON_MAP_NOT_LOADED, NULL);
	else if (i->condition.message)
		at->condition.message =
			arena_printf(p->a, "object %s: %s", i->name, i->condition.message);
}

bool slot_is_missing(const struct slot *s)
{
	return !s->version && !s->id;
}

/* What runs of a root without pins is not known, so it goes only for all that is declared. */
static const struct slot *find_holder(const struct chain *c, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (slot_is_missing(&c->slots[i]) &&
		    (c->slots[i].on_missing == ON_MISSING_HOLD || c->live.kind == LIVE_LOST))
			return &c->slots[i];
	return NULL;
}

static void hold(struct planner *p, struct chain *c, size_t n, const struct slot *holder)
{
	struct condition_status why;

	for (size_t i = 0; i < n; i++) {
		if (!c->slots[i].attachment)
			continue;
		c->slots[i].attachment->slot = &c->slots[i];
		if (slot_is_missing(&c->slots[i]))
			leave_out(p, &c->slots[i]);
	}
	condition_set(
		&why, STATE_PENDING, REASON_CHAIN_HELD,
		arena_printf(p->a,
			     "the chain of %s stays as it is until %s/%s has a version that "
			     "can run (%s)",
			     chain_name(p, c), holder->instance, holder->program,
			     holder->on_missing == ON_MISSING_HOLD ?
				     "on_missing: hold" :
				     "its pins are gone, so its members cannot be kept one by one"));
	chain_halt(c, false, &why);
}

/* What the present chain was built for; -1: there is none, or nothing of it stays. */
static int live_frags(const struct chain *c, size_t n)
{
	bool stays = false;

	for (size_t i = 0; i < n && !stays; i++)
		stays = c->slots[i].live;
	if (!stays)
		return -1;
	if (c->live.kind == LIVE_CHAIN)
		return c->live.dispatcher->observed->meta.frags;
	return c->live.members[0].version->complete ? c->live.members[0].version->meta.frags : -1;
}

/* What all agree on; where they do not, what runs decides, then the first in order. */
static bool wanted_frags(const struct chain *c, size_t n)
{
	const struct slot *first = NULL;
	bool mixed = false;
	int live;

	for (size_t i = 0; i < n; i++) {
		if (slot_is_missing(&c->slots[i]))
			continue;
		if (!first)
			first = &c->slots[i];
		mixed |= c->slots[i].frags != first->frags;
	}
	live = mixed ? live_frags(c, n) : -1;
	if (live >= 0)
		return live;
	return first && first->frags;
}

/* False when the member is left out; one that runs stays in the version that it runs in. */
static bool agree_on_frags(struct planner *p, struct chain *c, struct slot *s)
{
	struct attachment *at = s->attachment;
	bool stays = s->live && s->live->id != s->id;
	struct slot old;
	const char *text;

	if (slot_is_missing(s) || s->frags == c->frags)
		return true;
	text = arena_printf(
		p->a,
		"%s/%s %s multi-buffer packets and the rest of the chain of %s %s; build all "
		"of them with SEC(\"xdp.frags\") or all without",
		s->object, s->program, s->frags ? "takes" : "does not take", c->interface->name,
		c->frags ? "does" : "does not");
	if (stays && s->live->version)
		text = arena_printf(p->a, "%s; version %s stays in force", text,
				    s->live->version->version);
	if (at && !at->settled) {
		at->settled = true;
		condition_set(&at->condition, STATE_FAILED, REASON_FRAGS_MIX, text);
	}
	if (!stays)
		return false;
	old = slot_kept(p, c, s->live);
	s->version = old.version;
	s->id = old.id;
	s->load = NULL;
	s->frags = old.frags;
	return true;
}

/* Leaves out what cannot run; what remains are the slots. */
static void fill_slots(struct planner *p, struct chain *c, size_t n, bool libxdp)
{
	c->slot_count = 0;
	c->frags = !libxdp && wanted_frags(c, n);
	for (size_t i = 0; i < n; i++) {
		struct slot s = c->slots[i];

		if (slot_is_missing(&s))
			s.frags = false;
		if (slot_is_missing(&s) && s.on_missing != ON_MISSING_DROP)
			leave_out(p, &s);
		else if (libxdp || agree_on_frags(p, c, &s))
			c->slots[c->slot_count++] = s;
		else if (s.attachment)
			s.attachment->slot = NULL;
	}
	for (size_t i = 0; i < c->slot_count; i++) {
		struct slot *s = &c->slots[i];

		if (slot_is_missing(s))
			leave_out(p, s);
		else if (s->attachment)
			s->attachment->slot = s;
	}
}

static void find_reordering(struct chain *c)
{
	const struct live_member *last = NULL;

	for (size_t i = 0; i < c->slot_count; i++) {
		const struct live_member *at = c->slots[i].live;

		if (at && last && at < last)
			c->reordered = true;
		if (at)
			last = at;
	}
}

size_t chain_gather(struct planner *p, struct chain *c)
{
	attachments_find_live(c);
	return gather(p, c);
}

/* False: a member holds the chain as it is. */
static bool fill_chain(struct planner *p, struct chain *c, size_t n, bool libxdp)
{
	const struct slot *holder = find_holder(c, n);

	if (holder)
		hold(p, c, n, holder);
	else
		fill_slots(p, c, n, libxdp);
	return !holder;
}

/* What a halted chain ran and does not run any more; false: nothing, or it is not known. */
static bool put_back(struct planner *p, struct chain *c, size_t *n)
{
	uint64_t cyclic;

	*n = c->halted ? kept_restore(p, c) : 0;
	return *n && *n <= LIMIT_CHAIN_TCX && !slots_order(p->a, c->slots, *n, &cyclic);
}

bool chain_arrange(struct planner *p, struct chain *c, size_t n)
{
	if (!order_members(p, c, n) || !fill_chain(p, c, n, false)) {
		if (!put_back(p, c, &n))
			return false;
		fill_slots(p, c, n, false);
	}
	find_reordering(c);
	return true;
}

static bool any_is_ours(const struct chain *c, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!c->slots[i].foreign)
			return true;
	return false;
}

static void chain_decide(struct planner *p, struct chain *c)
{
	struct condition_status why;
	size_t n = chain_gather(p, c);
	bool libxdp;

	if (any_is_ours(c, n) && chain_is_blocked(p, c, &why)) {
		chain_stop(c, true, &why);
		return;
	}
	if (n > LIMIT_CHAIN_TAILCALL) {
		condition_set(&why, STATE_FAILED, REASON_TOO_MANY_MEMBERS,
			      arena_printf(p->a,
					   "%zu programs are declared for %s and a chain holds at "
					   "most %d; the chain stays as it is",
					   n, c->interface->name, LIMIT_CHAIN_TAILCALL));
		chain_halt(c, true, &why);
	}
	if (c->halted || !order_members(p, c, n) || !mechanism_choose(p, c, &n, &libxdp) ||
	    !fill_chain(p, c, n, libxdp)) {
		if (!put_back(p, c, &n) || n > LIMIT_CHAIN_TAILCALL ||
		    !mechanism_choose(p, c, &n, &libxdp))
			return;
		fill_slots(p, c, n, libxdp);
	}
	mechanism_settle(p, c, libxdp);
	find_reordering(c);
}

void chains_want(struct planner *p)
{
	for (size_t i = 0; i < p->observed->interface_count; i++) {
		struct chain *c = &p->chains[i];

		if (!c->attachments.n && !live_is_ours(&c->live) && c->live.kind != LIVE_LOST &&
		    !held_wants(p, c))
			continue;
		c->settings = interface_settings(p, i);
		chain_decide(p, c);
	}
}
