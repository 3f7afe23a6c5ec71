/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Which dispatcher serves which interface. In order of preference: the one that the
 * interface runs, edited in place where every interface that runs it wants the very same; any other
 * that is there with the wanted slots (what a crash left, or another interface's); a new one,
 * shared by all interfaces that want it.
 */
#include <string.h>

#include "base/hash.h"
#include "base/str.h"
#include "plan/plan_internal.h"

/* --- comparison --------------------------------------------------------------- */

bool chain_wants_dispatcher(const struct chain *c)
{
	return c->want == WANT_TAILCALL || c->want == WANT_LIBXDP;
}

static enum mechanism mechanism_of(const struct chain *c)
{
	return c->want == WANT_LIBXDP ? MECHANISM_LIBXDP : MECHANISM_TAILCALL;
}

static struct meta_member meta_of(const struct chain *c, const struct slot *s)
{
	bool libxdp = c->want == WANT_LIBXDP;

	return (struct meta_member){
		.instance = s->instance,
		.program = s->program,
		.priority = s->priority,
		.proceed_on = s->proceed_on,
		.id = s->foreign ? s->id : 0,
		.run_priority = s->run_priority,
		.required = s->required,
		.frags = libxdp && s->frags,
		.absent = libxdp && slot_is_missing(s),
	};
}

/* A priority that changes nothing of the order changes nothing; what libxdp sorts by is another number. */
static bool same_member(const struct meta_member *x, const struct meta_member *y)
{
	return str_eq(x->instance, y->instance) && str_eq(x->program, y->program) &&
	       x->proceed_on == y->proceed_on && x->required == y->required && x->id == y->id &&
	       x->run_priority == y->run_priority && x->frags == y->frags && x->absent == y->absent;
}

/* What the dispatcher's code fixes: everything but which program sits in a slot. */
static bool same_structure(const struct dispatcher *d, const struct chain *c)
{
	const struct meta_chain *m = &d->observed->meta;

	if (!d->observed->complete || d->observed->newer || m->hook != c->hook ||
	    m->mechanism != mechanism_of(c) || m->protocol != c->protocol || m->frags != c->frags ||
	    m->member_count != c->slot_count)
		return false;
	for (size_t i = 0; i < c->slot_count; i++) {
		struct meta_member want = meta_of(c, &c->slots[i]);

		if (!same_member(&m->members[i], &want))
			return false;
	}
	return true;
}

static bool slot_holds(const struct slot *s, uint32_t id)
{
	return !s->load && s->id == id;
}

static bool slots_equal(const struct slot *x, const struct slot *y, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (x[i].id != y[i].id || x[i].load != y[i].load ||
		    !str_eq(x[i].version, y[i].version) || x[i].proceed_on != y[i].proceed_on ||
		    x[i].required != y[i].required || x[i].run_priority != y[i].run_priority ||
		    x[i].foreign != y[i].foreign || x[i].frags != y[i].frags ||
		    !str_eq(x[i].instance, y[i].instance) || !str_eq(x[i].program, y[i].program))
			return false;
	return true;
}

/* Whether the dispatcher, as this plan leaves it, is what the interface wants. */
static bool dispatcher_fits(const struct dispatcher *d, const struct chain *c)
{
	if (!same_structure(d, c))
		return false;
	if (d->slots)
		return slots_equal(d->slots, c->slots, c->slot_count);
	for (size_t i = 0; i < c->slot_count; i++)
		if (!slot_holds(&c->slots[i], d->members[i].id))
			return false;
	return true;
}

static void hash_number(struct hasher *h, uint32_t n)
{
	unsigned char bytes[] = { (unsigned char)n, (unsigned char)(n >> 8),
				  (unsigned char)(n >> 16), (unsigned char)(n >> 24) };

	hasher_add(h, bytes, sizeof(bytes));
}

static bool same_namespace(const struct chain *x, const struct chain *y)
{
	return netns_compare(x->interface->netns, y->interface->netns) == 0;
}

/*
 * Pins of libxdp's protocol are named by the numbers of interface and dispatcher alone, so one dispatcher in
 * two namespaces could have two interfaces meet in one directory.
 */
static bool may_share(const struct dispatcher *d, const struct chain *c)
{
	const struct chain *other = d->taker;

	if (!other && d->users.n)
		other = d->users.v[0];
	return c->want != WANT_LIBXDP || !other || same_namespace(other, c);
}

static void hash_slots(struct hasher *h, const struct chain *c, bool with_versions)
{
	unsigned char head[] = { c->frags, (unsigned char)c->slot_count,
				 (unsigned char)mechanism_of(c), (unsigned char)c->protocol };

	hasher_add(h, head, sizeof(head));
	if (c->want == WANT_LIBXDP && c->interface->netns)
		hasher_add_field(h, c->interface->netns);
	for (size_t i = 0; i < c->slot_count; i++) {
		const struct slot *s = &c->slots[i];
		struct meta_member m = meta_of(c, s);
		unsigned char flags[] = { m.required, m.frags, m.absent };

		hasher_add_field(h, s->instance);
		hasher_add_field(h, s->program);
		hash_number(h, m.proceed_on);
		hash_number(h, m.run_priority);
		hash_number(h, m.id);
		hasher_add(h, flags, sizeof(flags));
		if (with_versions)
			hasher_add_field(h, s->version);
	}
}

static const char *slots_signature(const struct chain *c, struct arena *a)
{
	struct hasher *h = hasher_new();
	char hex[SHA256_HEX];

	hash_slots(h, c, false);
	hasher_finish(h, hex);
	return arena_strdup(a, hex);
}

const char *slots_hash(const struct chain *c, struct arena *a)
{
	struct hasher *h = hasher_new();
	char hex[SHA256_HEX];

	hash_slots(h, c, true);
	hasher_finish(h, hex);
	return arena_strdup(a, hex);
}

/* --- edits in place ------------------------------------------------------------ */

static bool users_agree(const struct dispatcher *d)
{
	const struct chain *first = d->users.v[0];

	for (size_t i = 0; i < d->users.n; i++) {
		const struct chain *c = d->users.v[i];

		if (!chain_wants_dispatcher(c) || !same_structure(d, c) ||
		    !slots_equal(c->slots, first->slots, c->slot_count))
			return false;
	}
	return true;
}

static const char *edit_subject(struct planner *p, const struct dispatcher *d, size_t slot)
{
	return arena_printf(p->a, "chain %u slot %zu", d->observed->id, slot);
}

static const char *edit_version(struct planner *p, const struct slot *s)
{
	if (s->foreign)
		return arena_printf(p->a, "program id %u", s->id);
	return arena_printf(p->a, "%s/%s/%s", s->instance, s->version, s->program);
}

static struct program_ref reference_to(const struct slot *s)
{
	if (s->foreign)
		return (struct program_ref){ .id = s->id };
	return (struct program_ref){ s->instance, s->version, s->program, 0 };
}

/* A program that runs without a pin cannot be put into another dispatcher. */
static const struct slot *find_unpinned(const struct slot *slots, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (slots[i].id && !slots[i].version && !slots[i].foreign)
			return &slots[i];
	return NULL;
}

/*
 * Whatever an array refused may well be taken by a new dispatcher; where none can be made, the same is tried
 * again in time.
 */
static const struct failure *edit_failure(struct planner *p, const struct dispatcher *d,
					  const struct slot *slots, size_t i)
{
	const char *subject = edit_subject(p, d, i), *version = edit_version(p, &slots[i]);

	return find_unpinned(slots, d->member_count) ? lookup_failure(p, subject, version) :
						       lookup_past_failure(p, subject, version);
}

/*
 * One slot is one atomic change. Several would be several, with chains in between that
 * nobody declared, unless they only fill slots that were empty. A link of freplace cannot change its
 * program, so there nothing else can be edited than what has lost its link.
 */
static bool can_edit(struct planner *p, const struct dispatcher *d, const struct slot *slots)
{
	bool libxdp = d->observed->meta.mechanism == MECHANISM_LIBXDP;
	size_t changes = 0;
	bool refill = true;

	for (size_t i = 0; i < d->member_count; i++) {
		if (slot_holds(&slots[i], d->members[i].id))
			continue;
		changes++;
		refill &= d->members[i].id == 0;
		if (edit_failure(p, d, slots, i))
			return false;
	}
	return changes > 0 && ((changes == 1 && !libxdp) || refill);
}

static const char *several_key(struct planner *p, const char *first, size_t users)
{
	if (users < 2)
		return first;
	return arena_printf(p->a, "%s and %zu more", first, users - 1);
}

static void edit_slot(struct planner *p, struct dispatcher *d, size_t i)
{
	const struct slot *s = &d->slots[i];
	const char *first = chain_key(p, d->users.v[0]);
	struct draft *draft = draft_add(p, OP_SLOT_SET, several_key(p, first, d->users.n));
	struct op_chain *o = &draft->op.chain;

	draft->op.subject = edit_subject(p, d, i);
	draft->op.version = edit_version(p, s);
	draft->op.reason = arena_printf(
		p->a, d->members[i].id ? "%s%s%s has a new version" : "the slot of %s%s%s is empty",
		s->instance, s->foreign ? "" : "/", s->program);
	if (s->attachment)
		draft->op.origin = s->attachment->decl->origin;
	draft->rank = (unsigned int)i;
	o->id = d->observed->id;
	o->signature = d->observed->meta.signature;
	o->frags = d->observed->meta.frags;
	o->meta = d->observed->meta;
	o->slot = (uint32_t)i;
	o->member_count = 1;
	o->members = arena_new_of(p->a, struct program_ref);
	o->members[0] = reference_to(s);
	draft_need(p, draft, s->load);
	*LIST_ADD(p->a, &d->edits) = draft;
}

/* Another dispatcher would only be fought for as well: the chain stays as it is. */
static bool is_contested(struct planner *p, const struct dispatcher *d, const struct slot *slots)
{
	const struct failure *f = NULL;
	struct condition_status why;

	for (size_t i = 0; i < d->member_count && !f; i++)
		if (!slot_holds(&slots[i], d->members[i].id))
			f = lookup_failure(p, edit_subject(p, d, i), FAILURE_ANY_VERSION);
	if (!f)
		return false;
	condition_from_failure(&why, f);
	for (size_t i = 0; i < d->users.n; i++)
		chain_stop(d->users.v[i], false, &why);
	return true;
}

static void dispatcher_edit(struct planner *p, struct dispatcher *d)
{
	const struct slot *slots;

	if (!d->users.n || !users_agree(d))
		return;
	slots = d->users.v[0]->slots;
	if (is_contested(p, d, slots) || !can_edit(p, d, slots))
		return;
	d->slots = slots;
	for (size_t i = 0; i < d->member_count; i++)
		if (!slot_holds(&slots[i], d->members[i].id))
			edit_slot(p, d, i);
}

/* --- new dispatchers ------------------------------------------------------------- */

static struct build *find_build(const struct planner *p, const struct chain *c)
{
	for (size_t i = 0; i < p->builds.n; i++) {
		struct build *b = p->builds.v[i];

		if (b->hook == c->hook && b->slot_count == c->slot_count &&
		    b->chain->frags == c->frags && b->chain->want == c->want &&
		    b->chain->protocol == c->protocol &&
		    (c->want != WANT_LIBXDP || same_namespace(b->chain, c)) &&
		    slots_equal(b->slots, c->slots, c->slot_count))
			return b;
	}
	return NULL;
}

/* The signature names a dispatcher within one plan, so one with other programs needs another. */
static const char *unique_signature(struct planner *p, const struct chain *c)
{
	for (size_t i = 0; i < p->builds.n; i++)
		if (str_eq(p->builds.v[i]->signature, c->signature))
			return slots_hash(c, p->a);
	return c->signature;
}

static void fill_build(struct planner *p, struct op_chain *o, const struct build *b,
		       const struct chain *c)
{
	const struct attachment *first = NULL;

	o->signature = o->meta.signature = b->signature;
	o->meta.hook = c->hook;
	o->meta.mechanism = mechanism_of(c);
	o->meta.protocol = c->protocol;
	o->frags = o->meta.frags = c->frags;
	o->member_count = o->meta.member_count = b->slot_count;
	o->members = arena_calloc(p->a, b->slot_count, sizeof(*o->members));
	o->meta.members = arena_calloc(p->a, b->slot_count, sizeof(*o->meta.members));
	for (size_t i = 0; i < b->slot_count; i++) {
		const struct slot *s = &b->slots[i];

		if (s->version || s->foreign)
			o->members[i] = reference_to(s);
		o->meta.members[i] = meta_of(c, s);
		if (!first)
			first = s->attachment;
	}
	o->meta.origin = "";
	if (first && first->decl->origin.file)
		o->meta.origin = arena_printf(p->a, "%s:%u", first->decl->origin.file,
					      first->decl->origin.line);
}

static void build_draft(struct planner *p, struct build *b, const struct chain *c)
{
	const char *subject = arena_printf(p->a, "chain %s", b->signature);
	const char *version = slots_hash(c, p->a);

	b->failure = lookup_failure(p, subject, version);
	if (b->failure)
		return;
	b->draft = draft_add(p, OP_CHAIN_BUILD, b->first);
	b->draft->op.subject = subject;
	b->draft->op.version = version;
	fill_build(p, &b->draft->op.chain, b, c);
	draft_need(p, b->draft, base_prepare(p));
	for (size_t i = 0; i < b->slot_count; i++) {
		draft_need(p, b->draft, b->slots[i].load);
		if (!b->draft->op.origin.file && b->slots[i].attachment)
			b->draft->op.origin = b->slots[i].attachment->decl->origin;
	}
}

static void choose_dispatcher(struct planner *p, struct chain *c)
{
	const struct slot *unpinned = find_unpinned(c->slots, c->slot_count);
	struct condition_status why;

	c->suffices = protocol_suffices(c);
	if (c->suffices)
		return;
	if (c->live.kind == LIVE_CHAIN && dispatcher_fits(c->live.dispatcher, c) &&
	    may_share(c->live.dispatcher, c))
		c->dispatcher = c->live.dispatcher;
	for (size_t i = 0; i < p->observed->chain_count && !c->dispatcher; i++)
		if (dispatcher_fits(&p->dispatchers[i], c) && may_share(&p->dispatchers[i], c))
			c->dispatcher = &p->dispatchers[i];
	if (c->dispatcher) {
		c->dispatcher->taker = c;
		return;
	}
	if (unpinned) {
		condition_set(
			&why, STATE_PENDING, REASON_CHAIN_HELD,
			arena_printf(p->a,
				     "the chain of %s stays as it is: %s/%s runs, but its pin "
				     "is gone, so no new chain can take it over",
				     chain_name(p, c), unpinned->instance, unpinned->program));
		chain_stop(c, false, &why);
		return;
	}
	c->build = find_build(p, c);
	if (!c->build) {
		c->build = arena_new_of(p->a, struct build);
		c->build->signature = unique_signature(p, c);
		c->build->slots = c->slots;
		c->build->slot_count = c->slot_count;
		c->build->chain = c;
		c->build->hook = c->hook;
		c->build->first = chain_key(p, c);
		build_draft(p, c->build, c);
		*LIST_ADD(p->a, &p->builds) = c->build;
	}
	c->build->users++;
}

static void explain_builds(struct planner *p)
{
	for (size_t i = 0; i < p->builds.n; i++) {
		struct build *b = p->builds.v[i];

		if (!b->draft)
			continue;
		b->draft->op.key = several_key(p, b->first, b->users);
		b->draft->op.reason = "no dispatcher with these members is there";
	}
}

static void chain_plan(struct planner *p, struct chain *c)
{
	if (!chain_wants_dispatcher(c))
		return;
	c->signature = slots_signature(c, p->a);
	choose_dispatcher(p, c);
}

void dispatchers_plan(struct planner *p)
{
	size_t n = p->observed->interface_count;

	for (size_t i = 0; i < p->observed->chain_count; i++)
		dispatcher_edit(p, &p->dispatchers[i]);
	for (size_t i = 0; i < n; i++)
		chain_plan(p, &p->chains[i]);
	for (size_t i = 0; i < p->tc_chain_count; i++)
		chain_plan(p, &p->tc_chains[i].chain);
	explain_builds(p);
}
