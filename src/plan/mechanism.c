/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * By which mechanism the chain of an interface is built. libxdp takes foreign members and at most ten; the others
 * take sixteen, all ours. What stands in the way of libxdp is told, be it as the reason of a fall-back or of
 * a refusal; what stands in the way of the others is a foreign member, and that one is not ours to remove.
 * A program has a form for either: as XDP program it is always loaded, as freplace program only where a
 * chain needs it, and only from the very file that its version was loaded from.
 */
#include <linux/bpf.h>

#include "base/str.h"
#include "model/layout.h"
#include "model/limits.h"
#include "plan/plan_internal.h"
#include "plan/run_priority.h"

#define PROTOCOL_DEFAULT 2

/* Why libxdp cannot be, of the chain or of one member; message NULL: it can. */
struct obstacle {
	const char *reason, *message;
	const struct failure *failure; /* it may pass by itself */
};

/* Why the kernel does not have the feature; NULL: nothing is known about it. */
static const char *feature_detail(const struct planner *p, const char *name)
{
	for (size_t i = 0; i < p->observed->feature_count; i++)
		if (str_eq(p->observed->features[i].name, name))
			return p->observed->features[i].detail ? p->observed->features[i].detail :
								 "";
	return NULL;
}

static size_t count_slots(const struct chain *c, size_t n, bool foreign)
{
	size_t count = 0;

	for (size_t i = 0; i < n; i++)
		count += c->slots[i].foreign == foreign;
	return count;
}

/* Chains that stop tell so at every attachment; what runs as declared is known by its slot. */
static bool stop(struct chain *c, size_t n, bool running, const struct condition_status *why)
{
	for (size_t i = 0; i < n; i++)
		if (c->slots[i].attachment)
			c->slots[i].attachment->slot = &c->slots[i];
	chain_stop(c, running, why);
	return false;
}

/* --- obstacles ---------------------------------------------------------------------------- */

/* That the kernel cannot is only told where it was asked. */
static struct obstacle chain_obstacle(struct planner *p, const struct chain *c, size_t n)
{
	const char *detail = feature_detail(p, "libxdp");
	struct obstacle o = { 0 };

	if (!observed_has_feature(p->observed, "libxdp")) {
		o.reason = REASON_LIBXDP_UNAVAILABLE;
		o.message = arena_printf(p->a,
					 "this kernel cannot build chains by libxdp's protocol%s%s",
					 detail && *detail ? ": " : "", detail ? detail : "");
	} else if (n > LIMIT_CHAIN_LIBXDP) {
		o.reason = REASON_LIBXDP_TOO_MANY_MEMBERS;
		o.message = arena_printf(p->a,
					 "%zu programs are to run on %s and a chain by libxdp's "
					 "protocol holds at most %d",
					 n, c->interface->name, LIMIT_CHAIN_LIBXDP);
	}
	return o;
}

static const struct instance *slot_instance(const struct planner *p, const struct slot *s)
{
	return s->attachment ? s->attachment->instance : lookup_instance(p, s->instance);
}

/* It can be loaded once more, now from the file that it was or will be loaded from. */
static bool is_at_hand(const struct instance *i, const struct slot *s)
{
	return i && i->declared && !i->frozen && str_eq(i->version, s->version);
}

/* The freplace form of what the slot holds, NULL: it is not loaded. */
static const struct observed_program *find_extension(const struct planner *p, const struct slot *s)
{
	const struct observed_object *o =
		s->version ? observed_find_object(p->observed, s->instance, s->version) : NULL;

	return o ? observed_object_extension(o, s->program) : NULL;
}

static bool needs_no_form(const struct chain *c, const struct slot *s)
{
	return s->foreign || slot_is_missing(s) || (!s->version && live_is_libxdp(&c->live));
}

static struct obstacle no_btf(struct planner *p, const struct slot *s)
{
	return (struct obstacle){
		.reason = REASON_PROGRAM_WITHOUT_BTF,
		.message = arena_printf(p->a,
					"%s/%s has no BTF, which a chain by libxdp's protocol "
					"needs; compile it with -g",
					s->instance, s->program),
	};
}

static struct obstacle member_obstacle(struct planner *p, const struct chain *c,
				       const struct slot *s)
{
	const struct instance *i = slot_instance(p, s);
	const struct elf_program *e;
	struct obstacle o = { 0 };

	if (needs_no_form(c, s) || (!s->load && find_extension(p, s)))
		return o;
	if (!is_at_hand(i, s)) {
		o.reason = REASON_NO_EXTENSION;
		o.message = arena_printf(p->a,
					 "version %s of %s has no freplace form of %s, which takes "
					 "the file that it was loaded from",
					 s->version ? s->version : "?", s->instance, s->program);
		return o;
	}
	e = elf_find_program(i->object->decl->source->elf, s->program);
	if (e && !e->has_btf)
		return no_btf(p, s);
	o.failure = extension_failure(p, i);
	if (o.failure) {
		o.reason = o.failure->reason;
		o.message = arena_printf(p->a, "%s/%s: %s", s->instance, s->program,
					 o.failure->message);
	}
	return o;
}

static bool is_passing(const struct obstacle *o)
{
	return o->failure && o->failure->class != FAILURE_KERNEL;
}

static struct obstacle first_obstacle(struct planner *p, const struct chain *c, size_t n,
				      bool passing)
{
	struct obstacle none = { 0 };

	for (size_t i = 0; i < n; i++) {
		struct obstacle o = member_obstacle(p, c, &c->slots[i]);

		if (o.message && is_passing(&o) == passing)
			return o;
	}
	return none;
}

/* --- the choice ----------------------------------------------------------------------------- */

static void drop_foreign(struct chain *c, size_t *n)
{
	size_t kept = 0;

	for (size_t i = 0; i < *n; i++)
		if (!c->slots[i].foreign)
			c->slots[kept++] = c->slots[i];
	*n = kept;
	c->replaces_foreign = true;
}

static bool block(struct planner *p, struct chain *c, size_t n, const char *why)
{
	bool tailcall = c->settings.mechanism == MECHANISM_TAILCALL;
	struct condition_status blocked;

	condition_set(&blocked, STATE_BLOCKED, REASON_FOREIGN_PROGRAM,
		      arena_printf(p->a,
				   "%s, but programs of others run there, which only a chain by "
				   "libxdp's protocol can hold: %s; remove them with `xdp-loader "
				   "unload %s --id ID`, or declare %s`on_foreign: replace`",
				   why, protocol_foreign_names(p->a, &c->live), c->interface->name,
				   c->settings.exclusive ? "`exclusive: false` or " :
				   tailcall              ? "`mechanism: libxdp` or " :
							   ""));
	/* What already is as declared has no part in it. */
	return stop(c, n, c->settings.exclusive || tailcall, &blocked);
}

/* Why the members of others cannot stay, NULL: they can. */
static const char *foreign_obstacle(struct planner *p, const struct chain *c, size_t n,
				    const struct obstacle *o)
{
	if (!count_slots(c, n, true))
		return NULL;
	if (c->settings.exclusive)
		return arena_printf(p->a, "`exclusive: true` is declared for %s",
				    c->interface->name);
	if (c->settings.mechanism == MECHANISM_TAILCALL)
		return arena_printf(p->a, "`mechanism: tailcall` is declared for %s",
				    c->interface->name);
	return c->settings.mechanism == MECHANISM_AUTO ? o->message : NULL;
}

/* Only a chain that may do so gives way for the sake of one member. */
static bool gives_way(const struct chain *c, size_t n)
{
	return c->settings.mechanism == MECHANISM_AUTO && !count_slots(c, n, true);
}

static struct obstacle find_obstacle(struct planner *p, const struct chain *c, size_t n)
{
	struct obstacle o = chain_obstacle(p, c, n);
	bool replaces = c->settings.mechanism == MECHANISM_AUTO &&
			c->settings.on_foreign == ON_FOREIGN_REPLACE;

	if (!o.message && (gives_way(c, n) || replaces))
		o = first_obstacle(p, c, n, false);
	return o;
}

static bool refuse(struct planner *p, struct chain *c, size_t n, const struct obstacle *o)
{
	struct condition_status why;

	condition_set(&why, STATE_FAILED, o->reason,
		      arena_printf(p->a, "%s; the chain of %s stays as it is", o->message,
				   c->interface->name));
	return stop(c, n, true, &why);
}

static struct slot *keep_old_form(struct planner *p, const struct chain *c, struct slot *s)
{
	struct slot old = slot_kept(p, c, s->live);

	s->version = old.version;
	s->id = old.id;
	s->frags = old.frags;
	s->load = NULL;
	return s;
}

/* True: the member goes on in a form that it has, or is missing from now on. False: the chain stops. */
static bool take_extension(struct planner *p, struct chain *c, size_t n, struct slot *s)
{
	struct obstacle o = member_obstacle(p, c, s);
	const struct observed_program *e;
	struct attachment *at = s->attachment;

	if (needs_no_form(c, s))
		return true;
	if (!o.message) {
		e = s->load ? NULL : find_extension(p, s);
		s->id = e ? e->id : 0;
		s->lacks_extension = !e;
		return true;
	}
	if (s->live && !live_is_libxdp(&c->live))
		return refuse(p, c, n, &o);
	if (at && !at->settled) {
		at->settled = true;
		condition_set(&at->condition, STATE_FAILED, o.reason, o.message);
	}
	if (s->live) {
		(void)keep_old_form(p, c, s);
		return true;
	}
	s->version = NULL;
	s->load = NULL;
	s->id = 0;
	return true;
}

static bool take_extensions(struct planner *p, struct chain *c, size_t n)
{
	struct obstacle passing = first_obstacle(p, c, n, true);
	struct condition_status why;

	if (passing.message) {
		condition_from_failure(&why, passing.failure);
		return stop(c, n, false, &why);
	}
	for (size_t i = 0; i < n; i++)
		if (!take_extension(p, c, n, &c->slots[i]))
			return false;
	return true;
}

/* Members by freplace may differ in frags, those of an array may not: then the chain cannot move. */
static bool frags_differ(const struct chain *c, size_t n)
{
	const struct slot *first = NULL;

	for (size_t i = 0; i < n; i++) {
		if (slot_is_missing(&c->slots[i]))
			continue;
		if (first && first->frags != c->slots[i].frags)
			return true;
		first = &c->slots[i];
	}
	return false;
}

static bool take_programs(struct planner *p, struct chain *c, size_t n, const struct obstacle *o)
{
	struct condition_status why;

	if (!live_is_libxdp(&c->live))
		return true;
	if (live_has_own(&c->live) && frags_differ(c, n)) {
		condition_set(
			&why, STATE_FAILED, REASON_FRAGS_MIX,
			arena_printf(p->a,
				     "%s, and some of them take multi-buffer packets and some "
				     "do not, which only a chain by libxdp's protocol can hold; "
				     "the chain of %s stays as it is",
				     o->message ? o->message : "`mechanism: tailcall` is declared",
				     c->interface->name));
		return stop(c, n, true, &why);
	}
	for (size_t i = 0; i < n; i++) {
		struct slot *s = &c->slots[i];
		const struct observed_object *v =
			s->version && !s->load ?
				observed_find_object(p->observed, s->instance, s->version) :
				NULL;
		const struct observed_program *program =
			v ? observed_object_program(v, s->program) : NULL;

		if (s->version)
			s->id = program ? program->id : 0;
	}
	return true;
}

bool mechanism_choose(struct planner *p, struct chain *c, size_t *n, bool *ret_libxdp)
{
	struct obstacle o;
	const char *foreign;

	*ret_libxdp = true;
	/* What is left to others alone is theirs to judge. */
	if (!count_slots(c, *n, false))
		return true;
	o = find_obstacle(p, c, *n);
	foreign = foreign_obstacle(p, c, *n, &o);
	if (foreign && c->settings.on_foreign == ON_FOREIGN_WAIT)
		return block(p, c, *n, foreign);
	if (foreign) {
		drop_foreign(c, n);
		o = find_obstacle(p, c, *n);
	}
	if (c->settings.mechanism == MECHANISM_LIBXDP && o.message)
		return refuse(p, c, *n, &o);
	if (c->settings.mechanism == MECHANISM_TAILCALL || o.message) {
		*ret_libxdp = false;
		if (c->settings.mechanism == MECHANISM_AUTO &&
		    (!str_eq(o.reason, REASON_LIBXDP_UNAVAILABLE) || feature_detail(p, "libxdp"))) {
			c->mechanism_reason = o.reason;
			c->mechanism_message = o.message;
		}
		return take_programs(p, c, *n, &o);
	}
	return take_extensions(p, c, *n);
}

/* --- the result --------------------------------------------------------------------------------- */

/* The order that libxdp's sort can give, and the numbers for it. */
static void set_run_priorities(struct planner *p, struct chain *c)
{
	struct run_priority v[LIMIT_CHAIN_TAILCALL];
	struct slot *ordered = arena_calloc(p->a, c->slot_count, sizeof(*ordered));

	for (size_t i = 0; i < c->slot_count; i++)
		v[i] = (struct run_priority){
			.name = slot_is_missing(&c->slots[i]) ? PROTOCOL_ABSENT :
								c->slots[i].program,
			.value = c->slots[i].priority,
			.foreign = c->slots[i].foreign,
			.index = i,
		};
	run_priorities_assign(v, c->slot_count);
	for (size_t i = 0; i < c->slot_count; i++) {
		ordered[i] = c->slots[v[i].index];
		ordered[i].run_priority = v[i].value;
		ordered[i].displaced = v[i].displaced;
		if (ordered[i].attachment && ordered[i].attachment->slot)
			ordered[i].attachment->slot = &ordered[i];
	}
	c->slots = ordered;
}

static bool all_have_frags(const struct chain *c)
{
	size_t filled = 0;

	for (size_t i = 0; i < c->slot_count; i++) {
		if (slot_is_missing(&c->slots[i]))
			continue;
		if (!c->slots[i].frags)
			return false;
		filled++;
	}
	return filled > 0;
}

static uint32_t protocol_version(const struct planner *p, const struct chain *c)
{
	uint32_t ours = p->observed->libxdp_protocol;

	if (count_slots(c, c->slot_count, true) && c->live.kind == LIVE_CHAIN)
		return c->live.dispatcher->observed->meta.protocol;
	if (count_slots(c, c->slot_count, true) && c->live.dispatch)
		return c->live.dispatch->version;
	return ours ? ours : PROTOCOL_DEFAULT;
}

static void settle_libxdp(struct planner *p, struct chain *c)
{
	c->want = WANT_LIBXDP;
	set_run_priorities(p, c);
	c->frags = all_have_frags(c);
	c->protocol = protocol_version(p, c);
	for (size_t i = 0; i < c->slot_count; i++) {
		struct slot *s = &c->slots[i];

		if (s->lacks_extension)
			s->load = extension_draft(p, slot_instance(p, s), s->program);
	}
}

static void settle_tailcall(struct planner *p, struct chain *c)
{
	const struct slot *only = c->slot_count == 1 ? &c->slots[0] : NULL;
	const char *detail = feature_detail(p, "tailcall");
	struct condition_status why;

	if (only && only->version && only->proceed_on == XDP_VERDICTS_DEFAULT) {
		c->want = WANT_DIRECT;
		return;
	}
	c->want = WANT_TAILCALL;
	if (observed_has_feature(p->observed, "tailcall"))
		return;
	condition_set(&why, STATE_FAILED, REASON_TAILCALL_UNAVAILABLE,
		      arena_printf(p->a,
				   "the chain of %s needs tail calls, which this kernel cannot "
				   "do%s%s; one program with the default proceed_on works without",
				   c->interface->name, detail && *detail ? ": " : "",
				   detail ? detail : ""));
	chain_stop(c, false, &why);
}

void mechanism_settle(struct planner *p, struct chain *c, bool libxdp)
{
	bool lost = c->live.kind == LIVE_LOST && !p->held;

	if (!c->slot_count)
		c->want = live_is_ours(&c->live) || lost ? WANT_CLEAR : WANT_AS_IS;
	else if (!count_slots(c, c->slot_count, false) && !live_has_own(&c->live))
		c->want = WANT_AS_IS; /* there is nothing of ours to put in or to take out */
	else if (libxdp)
		settle_libxdp(p, c);
	else
		settle_tailcall(p, c);
}
