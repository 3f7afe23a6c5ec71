/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * The root of every interface: nothing when it is right, else one compare-and-swap. The
 * only detach there is comes from a change of mode or of `exclusive`; until the operator confirms it, the
 * wanted programs run on the root as it is.
 */
#include <string.h>

#include "base/hash.h"
#include "base/str.h"
#include "plan/plan_internal.h"

static bool mode_fits(enum xdp_mode want, enum xdp_attached have)
{
	static const enum xdp_attached fits[XDP_MODE_COUNT] = {
		[XDP_MODE_NATIVE] = XDP_DRIVER,
		[XDP_MODE_GENERIC] = XDP_GENERIC,
		[XDP_MODE_OFFLOAD] = XDP_HARDWARE,
	};

	return want == XDP_MODE_AUTO || fits[want] == have;
}

/* A swap happens in the mode of what is swapped out. */
static enum xdp_mode mode_of(enum xdp_attached have)
{
	static const enum xdp_mode modes[] = {
		[XDP_DRIVER] = XDP_MODE_NATIVE,
		[XDP_GENERIC] = XDP_MODE_GENERIC,
		[XDP_HARDWARE] = XDP_MODE_OFFLOAD,
	};

	return (size_t)have < ARRAY_SIZE(modes) ? modes[have] : XDP_MODE_AUTO;
}

static bool root_is_wanted(const struct chain *c)
{
	if (c->want == WANT_DIRECT)
		return c->live.kind == LIVE_DIRECT && !c->slots[0].load &&
		       c->slots[0].id == c->interface->xdp_id;
	return c->suffices || (c->live.kind == LIVE_CHAIN && c->dispatcher == c->live.dispatcher);
}

/* What cannot be swapped: another mode, or a root by netlink for one on a link. */
bool chain_takes_detach(const struct chain *c)
{
	if (c->live.kind == LIVE_NONE)
		return false;
	return !mode_fits(c->settings.mode, c->interface->xdp_mode) ||
	       c->settings.exclusive != (c->live.link != NULL);
}

/* --- explanation ------------------------------------------------------------------ */

static void add_name(struct strbuf *b, const char *what, const char *instance, const char *program)
{
	strbuf_addf(b, "%s%s %s%s%s", b->len ? ", " : "", what, instance, *instance ? "/" : "",
		    program);
}

bool chain_keeps(const struct chain *c, const struct live_member *m)
{
	for (size_t i = 0; i < c->slot_count; i++)
		if (c->slots[i].live == m || (!m->foreign && slot_continues(&c->slots[i], m)))
			return true;
	return false;
}

static bool stays(const struct chain *c, const struct live_member *m)
{
	for (size_t i = 0; i < c->slot_count; i++)
		if (c->slots[i].live == m)
			return true;
	return false;
}

/* A member that has another id only because it changed its form has no new version. */
static bool has_new_version(const struct chain *c, const struct slot *s)
{
	if (s->live->id == s->id)
		return false;
	if ((c->want == WANT_LIBXDP) == live_is_libxdp(&c->live))
		return true;
	return !s->live->version || !str_eq(s->live->version->version, s->version);
}

static void explain_slot(struct strbuf *b, const struct chain *c, const struct slot *s)
{
	if (s->foreign)
		return;
	if (!s->live && (s->id || s->load))
		add_name(b, "with", s->instance, s->program);
	else if (s->live && has_new_version(c, s))
		add_name(b, "new version of", s->instance, s->program);
	else if (s->live && s->live->proceed_on != s->proceed_on)
		add_name(b, "other verdicts of", s->instance, s->program);
}

static void explain_mechanism(struct strbuf *b, const struct chain *c)
{
	static const enum mechanism wanted[] = {
		[WANT_DIRECT] = MECHANISM_DIRECT,
		[WANT_TAILCALL] = MECHANISM_TAILCALL,
		[WANT_LIBXDP] = MECHANISM_LIBXDP,
	};
	bool was = live_is_libxdp(&c->live), is = c->want == WANT_LIBXDP;

	if (was != is)
		strbuf_addf(b, "%sby %s instead of %s", b->len ? ", " : "",
			    mechanism_names[wanted[c->want]],
			    mechanism_names[live_mechanism(&c->live)]);
}

static void explain_dispatcher(struct planner *p, struct strbuf *b, const struct chain *c)
{
	const char *foreign = protocol_foreign_names(p->a, &c->live);

	if (c->live.kind != LIVE_PROTOCOL)
		return;
	if (c->replaces_foreign)
		strbuf_addf(b, "replaces %s (on_foreign: replace)", foreign);
	else if (c->live.dispatch->ours)
		strbuf_add(b, "our directory of the chain is gone");
	else if (*foreign)
		strbuf_addf(b, "joins %s by libxdp's protocol", foreign);
	else
		strbuf_add(b, "libxdp built another dispatcher");
}

const char *chain_explain(struct planner *p, const struct chain *c)
{
	cleanup(strbuf_done) struct strbuf b = { 0 };
	const struct observed_program *f;

	if (c->live.kind == LIVE_NONE)
		return "no program is attached";
	if (c->live.kind == LIVE_LOST)
		return "our program is attached, but its pins are gone";
	if (c->live.kind == LIVE_FOREIGN) {
		f = observed_find_program(p->observed, c->interface->xdp_id);
		return arena_printf(p->a, "replaces program %s (on_foreign: replace)",
				    f && f->name ? f->name : "?");
	}
	explain_dispatcher(p, &b, c);
	explain_mechanism(&b, c);
	for (size_t i = 0; i < c->slot_count; i++)
		explain_slot(&b, c, &c->slots[i]);
	for (size_t i = 0; i < c->live.member_count; i++) {
		const struct live_member *m = &c->live.members[i];

		if (m->id && !stays(c, m) && !(m->foreign && c->live.kind == LIVE_PROTOCOL))
			add_name(&b, "without", m->instance, m->program);
	}
	if (c->reordered)
		strbuf_addf(&b, "%sin another order", b.len ? ", " : "");
	if (!b.len)
		strbuf_add(&b, "the dispatcher is not as declared");
	return arena_strdup(p->a, strbuf_get(&b));
}

static const char *explain_detach(struct planner *p, const struct chain *c)
{
	if (!mode_fits(c->settings.mode, c->interface->xdp_mode))
		return arena_printf(
			p->a, "the root runs in %s mode and %s is declared, which takes a detach",
			xdp_attached_name(c->interface->xdp_mode),
			xdp_mode_names[c->settings.mode]);
	return c->settings.exclusive ? "`exclusive` was switched on, which takes a detach" :
				       "`exclusive` was switched off, which takes a detach";
}

/* --- operations ---------------------------------------------------------------------- */

static const char *root_subject(struct planner *p, const struct chain *c)
{
	return arena_printf(p->a, "%s#%u/xdp", interface_label(p, c->interface),
			    c->interface->ifindex);
}

/* Everything that a refusal may depend on, so that any difference is tried at once. */
static const char *root_version(struct planner *p, const struct chain *c, bool detach)
{
	const struct observed_interface *i = c->interface;
	const char *text = arena_printf(p->a, "%s %d %d %d %d %u %u %d", slots_hash(c, p->a),
					c->want, c->settings.mode, c->settings.exclusive, detach,
					i->xdp_id, i->mtu, i->up);
	char hex[SHA256_HEX];

	hash_bytes(text, strlen(text), hex);
	return arena_strdup(p->a, hex);
}

static void fill_root(struct op_root *o, const struct chain *c)
{
	o->ifindex = c->interface->ifindex;
	o->interface = c->interface->name;
	o->netns = c->interface->netns;
	o->expected_id = c->interface->xdp_id;
	o->expected_mode = c->interface->xdp_mode;
	o->link_id = c->live.link ? c->live.link->id : 0;
	o->mechanism = live_mechanism(&c->live);
}

static void root_target(struct planner *p, struct draft *d, const struct chain *c)
{
	struct op_root *o = &d->op.root;
	const struct slot *only = &c->slots[0];

	o->mechanism = c->want == WANT_DIRECT ? MECHANISM_DIRECT :
		       c->want == WANT_LIBXDP ? MECHANISM_LIBXDP :
						MECHANISM_TAILCALL;
	if (c->want == WANT_DIRECT) {
		o->program =
			(struct program_ref){ only->instance, only->version, only->program, 0 };
		draft_need(p, d, only->load);
	} else if (c->dispatcher) {
		o->chain_id = c->dispatcher->observed->id;
		for (size_t i = 0; i < c->dispatcher->edits.n; i++)
			draft_need(p, d, c->dispatcher->edits.v[i]);
	} else {
		o->signature = c->build->signature;
		draft_need(p, d, c->build->draft);
	}
}

static bool loses_member(const struct chain *c)
{
	for (size_t i = 0; i < c->live.member_count; i++)
		if (c->live.members[i].id && !c->live.members[i].foreign &&
		    !chain_keeps(c, &c->live.members[i]))
			return true;
	return false;
}

static struct draft *set_draft(struct planner *p, const struct chain *c, bool detach)
{
	const char *key = arena_printf(p->a, "%s/xdp", interface_label(p, c->interface));
	bool anew = detach || c->live.kind == LIVE_NONE;
	bool link = anew ? c->settings.exclusive : c->live.link != NULL;
	struct draft *d = draft_add(p, link ? OP_LINK_SET : OP_ROOT_SET, key);
	struct op_root *o = &d->op.root;

	d->op.subject = root_subject(p, c);
	d->op.version = root_version(p, c, detach);
	d->op.reason = detach ? explain_detach(p, c) : chain_explain(p, c);
	d->op.removes = loses_member(c);
	for (size_t i = 0; i < c->slot_count && !d->op.origin.file; i++)
		if (c->slots[i].attachment)
			d->op.origin = c->slots[i].attachment->decl->origin;
	fill_root(o, c);
	o->mode = anew ? c->settings.mode : mode_of(c->interface->xdp_mode);
	o->detach_first = detach;
	root_target(p, d, c);
	if (link && !o->link_id)
		draft_need(p, d, base_prepare(p));
	return d;
}

/* The change that takes a detach; true when it is planned, and with it everything else. */
static bool detach_plan(struct planner *p, struct chain *c)
{
	c->failure = lookup_failure(p, root_subject(p, c), root_version(p, c, true));
	if (c->failure)
		return false;
	if (p->granted) {
		c->root = set_draft(p, c, true);
		return true;
	}
	c->needs_confirm = true;
	set_draft(p, c, true)->confirm = true;
	/* Someone else's root is not swapped in one step into what the next would detach. */
	return c->live.kind == LIVE_FOREIGN || c->replaces_foreign;
}

static void root_set(struct planner *p, struct chain *c)
{
	const struct failure *f;

	if (c->build && c->build->failure) {
		c->failure = c->build->failure;
		return;
	}
	if (chain_takes_detach(c) && detach_plan(p, c))
		return;
	if (root_is_wanted(c))
		return;
	f = lookup_failure(p, root_subject(p, c), root_version(p, c, false));
	if (f)
		c->failure = f;
	else
		c->root = set_draft(p, c, false);
}

static void root_clear(struct planner *p, struct chain *c)
{
	const char *key = arena_printf(p->a, "%s/xdp", interface_label(p, c->interface));
	const char *version = arena_printf(p->a, "clear %u", c->interface->xdp_id);
	struct draft *d;

	c->failure = lookup_failure(p, root_subject(p, c), version);
	if (c->failure)
		return;
	d = draft_add(p, c->live.link ? OP_LINK_REMOVE : OP_ROOT_CLEAR, key);
	d->op.subject = root_subject(p, c);
	d->op.version = version;
	d->op.reason = c->attachments.n ? "none of its programs can run" :
					  "no program is declared for it any more";
	d->op.removes = true;
	fill_root(&d->op.root, c);
	c->root = d;
}

void roots_plan(struct planner *p)
{
	for (size_t i = 0; i < p->observed->interface_count; i++) {
		struct chain *c = &p->chains[i];

		if (c->want == WANT_CLEAR)
			root_clear(p, c);
		else if (c->want != WANT_AS_IS)
			root_set(p, c);
	}
}

/* --- what becomes of the attachments --------------------------------------------------- */

/* Ready. `auto` takes what the driver gives; that it gave the slow path is worth a word. */
static void attachment_ready(struct planner *p, struct attachment *at)
{
	const struct chain *c = at->chain;

	if (at->slot->displaced)
		condition_set(&at->condition, STATE_READY, REASON_FOREIGN_FIRST,
			      arena_printf(p->a,
					   "a foreign program of %s goes before it: no run "
					   "priority would make libxdp's tools keep it first",
					   c->interface->name));
	else if (c->settings.mode == XDP_MODE_AUTO && c->interface->xdp_mode == XDP_GENERIC &&
		 !c->interface->loopback)
		condition_set(&at->condition, STATE_READY, REASON_GENERIC_MODE,
			      arena_printf(p->a,
					   "%s runs in generic mode, which is slower: its driver "
					   "refused native mode, or somebody attached it so; to "
					   "change it, declare `mode: native` and confirm",
					   c->interface->name));
}

/* What the kernel says of it is about the MTU alone. */
static void explain_frags(struct planner *p, struct attachment *at)
{
	const struct chain *c = at->chain;
	const struct slot *without = NULL;

	for (size_t i = 0; i < c->slot_count && !without; i++)
		if (!c->slots[i].frags && !slot_is_missing(&c->slots[i]))
			without = &c->slots[i];
	if (c->want != WANT_LIBXDP || !without || !c->live.dispatch || !c->live.dispatch->frags)
		return;
	at->condition.message = arena_printf(
		p->a,
		"%s; with %s the chain of %s would lose its multi-buffer support, so it stays as "
		"it is",
		at->condition.message ? at->condition.message : "refused", without->program,
		c->interface->name);
}

static void attachment_settle(struct planner *p, struct attachment *at)
{
	const struct chain *c = at->chain;
	const char *reason = NULL;

	at->settled = true;
	if (c->needs_confirm) {
		condition_set(&at->condition, STATE_PENDING, REASON_NEEDS_CONFIRM,
			      arena_printf(p->a, "%s; run `bpfsharectl confirm` to allow it",
					   explain_detach(p, c)));
		return;
	}
	if (at->slot && slot_is_running(at->slot) && !c->reordered && !chain_takes_detach(c) &&
	    (c->live.kind != LIVE_PROTOCOL || c->suffices) && !c->pins_failure) {
		attachment_ready(p, at);
		return;
	}
	if (c->failure || c->pins_failure) {
		condition_from_failure(&at->condition, c->failure ? c->failure : c->pins_failure);
		explain_frags(p, at);
		return;
	}
	if (at->slot && slot_is_running(at->slot) && c->live.kind == LIVE_PROTOCOL) {
		condition_set(&at->condition, STATE_PENDING, REASON_FOREIGN_DISPATCHER,
			      arena_printf(p->a,
					   "it runs on %s in a dispatcher that libxdp built, which "
					   "is to be replaced by ours; its members stay",
					   c->interface->name));
		return;
	}
	if (c->root)
		reason = c->root->op.reason;
	else if (c->dispatcher && c->dispatcher->edits.n)
		reason = c->dispatcher->edits.v[0]->op.reason;
	condition_set(&at->condition, STATE_PENDING, REASON_PLANNED,
		      arena_printf(p->a, "to be attached to %s: %s",
				   interface_label(p, c->interface),
				   reason ? reason : "the chain changes"));
}

void attachments_settle(struct planner *p)
{
	for (size_t i = 0; i < p->observed->interface_count; i++) {
		struct chain *c = &p->chains[i];

		for (size_t k = 0; k < c->attachments.n; k++)
			if (!c->attachments.v[k]->settled)
				attachment_settle(p, c->attachments.v[k]);
	}
}
