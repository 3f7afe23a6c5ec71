/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
#include "recon/drift.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "plan/reason.h"
#include "recon/drift_judge.h"

struct count {
	const char *reason; /* static */
	uint64_t n;
};

/* What was repaired lately. */
struct subject {
	char *name, *key, *message;
	char *wanted; /* what was given up */
	bool doubted; /* there are other files since, which may want something else */
	uint64_t times[DRIFT_REPAIRS]; /* of the last repairs, the newest at (n - 1) % DRIFT_REPAIRS */
	unsigned int n;
	/*
	 * A pass has several rounds at one time. The kinds of operations that repaired it at the last time, and the round
	 * of the last one: the same kind in a later round means that it was undone in between.
	 */
	uint32_t kinds;
	uint64_t round;
	unsigned int level; /* how often it was given up so far */
	uint64_t until_ns;  /* not repaired before; 0: it is */
	bool told;
};

/* Operations that succeeded, by what they do to whom. */
struct done {
	char **v;
	size_t n;
};

struct drift {
	struct in_place *was;
	struct done now, before; /* after the last plan, and after the one before it */
	struct count counts[32];
	size_t count_count;
	struct subject *v; /* in the order of their last repair */
	size_t n;
	uint64_t round;     /* number of the last plan */
	struct arena *told; /* of the notices of the last look */
	struct drift_notices notices;
};

struct drift *drift_new(void)
{
	struct drift *d = xnew(struct drift);

	d->was = in_place_new();
	return d;
}

static void subject_done(struct subject *s)
{
	free(s->name);
	free(s->key);
	free(s->message);
	free(s->wanted);
}

static void subject_remove(struct drift *d, size_t i)
{
	subject_done(&d->v[i]);
	memmove(&d->v[i], &d->v[i + 1], (d->n - i - 1) * sizeof(*d->v));
	d->n--;
}

void drift_forgive(struct drift *d)
{
	while (d->n)
		subject_remove(d, d->n - 1);
}

static void done_clear(struct done *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->v[i]);
	free(l->v);
	*l = (struct done){ 0 };
}

static void done_add(struct done *l, const char *text)
{
	l->v = xrealloc(l->v, (l->n + 1) * sizeof(*l->v));
	l->v[l->n++] = xstrdup(text);
}

static bool done_has(const struct done *l, const char *text)
{
	for (size_t i = 0; i < l->n; i++)
		if (str_eq(l->v[i], text))
			return true;
	return false;
}

void drift_free(struct drift *d)
{
	if (!d)
		return;
	drift_forgive(d);
	done_clear(&d->now);
	done_clear(&d->before);
	free(d->v);
	arena_free(d->told);
	in_place_free(d->was);
	free(d);
}

static const char *subject_of(const struct op *op)
{
	return op->subject ? op->subject : op->key;
}

/*
 * What makes something counts as the same whatever its version, which may go to and fro. What takes something away does so
 * to many things of one subject, and each has its own words.
 */
static const char *deed(struct arena *a, const struct op *op)
{
	if (op->kind < OP_ROOT_CLEAR)
		return arena_printf(a, "%s %s", op_kind_names[op->kind], subject_of(op));
	return op_format(a, op);
}

/*
 * What the plan before did and this one is to do again did not last. Nobody may ever have seen it in place, so that
 * nothing else here would keep us from doing it for ever. A grace period leaves nothing behind.
 */
static bool did_not_last(const struct drift *d, struct arena *a, const struct op *op)
{
	return op->kind != OP_GRACE && d->before.n && done_has(&d->before, deed(a, op));
}

struct drift_cause drift_judge(const struct drift *d, struct arena *a, const struct observed *o,
			       const struct op *op)
{
	struct drift_cause cause = drift_judge_op(d->was, a, o, op);

	if (!cause.reason && did_not_last(d, a, op))
		cause = (struct drift_cause){
			"NotLasting", "it was done a moment ago and is to be done again: somebody "
				      "undoes it at once, or this is a fault of bpfshare"
		};
	return cause;
}

void drift_did(struct drift *d, struct arena *a, const struct op *op, const struct observed *o)
{
	in_place_did(d->was, op, o);
	done_add(&d->now, deed(a, op));
}

void drift_settled(struct drift *d, const struct observed *o, bool nothing_left)
{
	in_place_update(d->was, o, nothing_left);
}

void drift_new_files(struct drift *d)
{
	for (size_t i = 0; i < d->n; i++)
		d->v[i].doubted = d->v[i].until_ns != 0;
	in_place_new_files(d->was);
}

static bool was_told(const struct drift_notices *l, const struct drift_notice *n)
{
	for (size_t i = 0; i < l->list.n; i++)
		if (str_eq(l->list.v[i].key, n->key) &&
		    str_eq(l->list.v[i].cause.text, n->cause.text))
			return true;
	return false;
}

void drift_notice(struct drift *d, const struct observed *o, drift_notice_fn tell, void *arg)
{
	struct arena *a = arena_new();
	struct drift_notices now = { 0 };

	drift_look(a, o, &now);
	for (size_t i = 0; i < now.list.n; i++)
		if (!was_told(&d->notices, &now.list.v[i]))
			tell(arg, &now.list.v[i]);
	arena_free(d->told);
	d->told = a;
	d->notices = now;
}

/* --- counts ----------------------------------------------------------------------------- */

bool drift_count(const struct drift *d, size_t i, const char **ret_reason, uint64_t *ret_count)
{
	if (i >= d->count_count)
		return false;
	*ret_reason = d->counts[i].reason;
	*ret_count = d->counts[i].n;
	return true;
}

static uint64_t count(struct drift *d, const char *reason)
{
	size_t i = 0;

	while (i < d->count_count && !str_eq(d->counts[i].reason, reason))
		i++;
	if (i == ARRAY_SIZE(d->counts))
		return 0;
	if (i == d->count_count)
		d->counts[d->count_count++].reason = reason;
	return ++d->counts[i].n;
}

/* --- fights ----------------------------------------------------------------------------- */

static struct subject *find(const struct drift *d, const char *name)
{
	for (size_t i = 0; i < d->n; i++)
		if (str_eq(d->v[i].name, name))
			return &d->v[i];
	return NULL;
}

static uint64_t last_ns(const struct subject *s)
{
	return s->n ? s->times[(s->n - 1) % DRIFT_REPAIRS] : 0;
}

static uint32_t kind_bit(const struct op *op)
{
	return UINT32_C(1) << op->kind;
}

_Static_assert(OP_KIND_COUNT <= 32, "kinds of operations are bits");

/* A second operation of the same plan, or what is left to do in the next round, says nothing new. */
static bool is_anew(const struct drift *d, const struct subject *s, const struct op *op,
		    uint64_t now_ns)
{
	return !s->n || last_ns(s) != now_ns || (s->round != d->round && (s->kinds & kind_bit(op)));
}

static uint64_t wait_ns(const struct subject *s)
{
	return MIN(DRIFT_FIRST_NS << MIN(s->level, 10u), DRIFT_MOST_NS);
}

/* Quiet for as long as it was given up plus the window: whoever it was has stopped. */
static bool is_over(const struct subject *s, uint64_t now_ns)
{
	uint64_t quiet = DRIFT_WINDOW_NS + (s->level ? wait_ns(s) : 0);

	return now_ns > MAX(last_ns(s), s->until_ns) + quiet;
}

static void forget_old(struct drift *d, uint64_t now_ns)
{
	for (size_t i = d->n; i-- > 0;)
		if (is_over(&d->v[i], now_ns))
			subject_remove(d, i);
}

/* After a time of rest there is one attempt; one that lasts no longer than the window was in vain. */
static bool is_fight(const struct subject *s, uint64_t now_ns)
{
	if (s->level)
		return last_ns(s) >= s->until_ns;
	return s->n >= DRIFT_REPAIRS && now_ns - s->times[s->n % DRIFT_REPAIRS] <= DRIFT_WINDOW_NS;
}

/* Not what it replaces, which is the opponent's. */
static const char *wanted(struct arena *a, const struct observed *o, const struct op *op)
{
	const struct op_root *r = &op->root;
	const struct op_tc *t = &op->tc;
	const char *what;

	if (op->kind == OP_ROOT_SET || op->kind == OP_LINK_SET)
		what = in_place_target(a, o, &r->program, r->chain_id, r->signature);
	else if (op->kind == OP_TC_SET)
		what = in_place_target(a, o, &t->program, t->chain_id, t->signature);
	else
		what = op_format(a, op);
	return arena_printf(a, "%s %s", op_kind_names[op->kind], what ? what : "?");
}

enum answer { NOTHING, THE_SAME, SOMETHING_ELSE };

static enum answer ask(struct arena *a, const struct observed *o, const struct plan *plan,
		       const struct subject *s)
{
	enum answer answer = NOTHING;

	for (size_t i = 0; i < plan->op_count; i++) {
		if (!str_eq(subject_of(&plan->ops[i]), s->name))
			continue;
		if (!str_eq(wanted(a, o, &plan->ops[i]), s->wanted))
			return SOMETHING_ELSE;
		answer = THE_SAME;
	}
	return answer;
}

/*
 * After other files the plan has been made as if nothing were given up. Where it wants just what was fought for, that
 * stays given up, else the edit is an attempt of its own. True: the plan is to be made again.
 */
static bool settle_doubts(struct drift *d, struct arena *a, const struct observed *o,
			  const struct plan *plan)
{
	bool any = false;

	for (size_t i = d->n; i-- > 0;) {
		enum answer answer = d->v[i].doubted ? ask(a, o, plan, &d->v[i]) : NOTHING;

		d->v[i].doubted = false;
		any |= answer == THE_SAME;
		if (answer == SOMETHING_ELSE)
			subject_remove(d, i);
	}
	return any;
}

static void give_up(struct subject *s, const struct drift_cause *cause, const char *what,
		    uint64_t now_ns)
{
	uint64_t wait = wait_ns(s);

	free(s->wanted);
	s->wanted = xstrdup(what);
	free(s->message);
	s->message = xasprintf("changed by somebody again and again, so it is left as it is for "
			       "%u s: %u repairs, and now again: %s; stop whoever does that, then "
			       "run `bpfsharectl reload`",
			       (unsigned int)(wait / 1000000000u), s->n, cause->text);
	s->level++;
	s->until_ns = now_ns + wait;
	s->told = false;
}

bool drift_refuse(struct drift *d, struct arena *a, const struct observed *o,
		  const struct plan *plan, uint64_t now_ns)
{
	bool any;

	d->round++;
	done_clear(&d->before);
	d->before = d->now;
	d->now = (struct done){ 0 };
	if (!d->n)
		return false;
	forget_old(d, now_ns);
	any = settle_doubts(d, a, o, plan);
	for (size_t i = 0; i < plan->op_count; i++) {
		const struct op *op = &plan->ops[i];
		struct subject *s = find(d, subject_of(op));
		struct drift_cause cause;

		if (!s || s->until_ns > now_ns || !is_anew(d, s, op, now_ns) ||
		    !is_fight(s, now_ns))
			continue;
		cause = drift_judge(d, a, o, op);
		if (!cause.reason)
			continue;
		give_up(s, &cause, wanted(a, o, op), now_ns);
		any = true;
	}
	return any;
}

struct failure *drift_failures(const struct drift *d, struct arena *a, uint64_t now_ns,
			       size_t *ret_count)
{
	struct failure *f = arena_calloc(a, d->n, sizeof(*f));

	*ret_count = 0;
	for (size_t i = 0; i < d->n; i++)
		if (d->v[i].until_ns > now_ns && !d->v[i].doubted)
			f[(*ret_count)++] = (struct failure){
				.subject = d->v[i].name,
				.version = FAILURE_ANY_VERSION,
				.class = FAILURE_FOREIGN,
				.reason = REASON_CONTESTED,
				.message = d->v[i].message,
			};
	return f;
}

uint64_t drift_next_ns(const struct drift *d, uint64_t now_ns)
{
	uint64_t next = 0;

	for (size_t i = 0; i < d->n; i++)
		if (d->v[i].until_ns > now_ns && (!next || d->v[i].until_ns < next))
			next = d->v[i].until_ns;
	return next;
}

bool drift_next_contested(struct drift *d, const char **ret_key, const char **ret_message)
{
	for (size_t i = 0; i < d->n; i++) {
		struct subject *s = &d->v[i];

		if (!s->level || s->told)
			continue;
		s->told = true;
		*ret_key = s->key;
		*ret_message = s->message;
		return true;
	}
	return false;
}

/* The last in the list is the one that was heard of last. */
static struct subject *get(struct drift *d, const struct op *op)
{
	struct subject *s = find(d, subject_of(op)), at;

	if (s) {
		at = *s;
		memmove(s, s + 1, (size_t)(d->v + d->n - s - 1) * sizeof(*s));
		d->v[d->n - 1] = at;
		return &d->v[d->n - 1];
	}
	if (d->n == DRIFT_SUBJECTS)
		subject_remove(d, 0);
	d->v = xrealloc(d->v, (d->n + 1) * sizeof(*d->v));
	d->v[d->n] = (struct subject){ .name = xstrdup(subject_of(op)), .key = xstrdup(op->key) };
	return &d->v[d->n++];
}

uint64_t drift_repaired(struct drift *d, const struct op *op, const struct drift_cause *cause,
			uint64_t now_ns)
{
	struct subject *s = get(d, op);

	if (is_anew(d, s, op, now_ns)) {
		s->times[s->n++ % DRIFT_REPAIRS] = now_ns;
		s->kinds = 0;
	}
	s->kinds |= kind_bit(op);
	s->round = d->round;
	return count(d, cause->reason);
}
