/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Level-triggered: a run never acts on what an event said, only on what it sees.
 * Each round observes, plans and applies; a round whose plan is empty ends the run
 * and is at the same time the proof that the round before did what it should.
 */
#include "recon/recon.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/str.h"
#include "plan/reason.h"
#include "recon/drift.h"
#include "recon/events.h"
#include "recon/recent.h"
#include "recon/retry.h"
#include "recon/since.h"
#include "recon/waiting.h"

/*
 * A file change needs two rounds (apply, verify), a failure one more. Beyond that, something
 * undoes what is done; the next run, a second later, is soon enough.
 */
#define ROUNDS   8
#define STUCK_NS (1000ull * 1000 * 1000)

/* Of a confirmation's token: fewer characters could stand for something else. */
#define TOKEN_LEAST 8

struct recon {
	struct recon_options options;
	struct generation *generation;
	struct generation *retired; /* plan and status still point into it */
	struct retry *retry;
	struct drift *drift;
	struct events *events;
	struct since *since;
	struct arena *pass; /* of plan and status below */
	struct plan *plan;
	struct observed observed;
	struct waiting *waiting;
	struct recent *recent;
	char confirmed[65];
	char told[65]; /* token of what waits, as the last event about it had it */
	bool confirmation_done;
	char *files_trouble, *kernel_trouble, *layout_trouble, *store_trouble; /* NULL: none */
	char refused[SHA256_HEX]; /* hash of the objects that were refused when all was kept last */
	bool keep_due;            /* what was read is to be kept, once it was tried */
	bool files_dirty;         /* until they could be read */
	bool suspended;
	uint64_t resume_ns, next_ns, passes, operations;
};

int recon_new(const struct recon_options *o, struct recon **ret, struct error *e)
{
	struct recon *r = xnew(struct recon);

	(void)e;
	r->options = *o;
	r->retry = retry_new((unsigned int)getpid());
	r->drift = drift_new();
	r->events = events_new();
	r->since = since_new();
	r->waiting = waiting_new(o->waiting_path);
	r->recent = recent_new();
	*ret = r;
	return 0;
}

void recon_free(struct recon *r)
{
	if (!r)
		return;
	generation_free(r->generation);
	generation_free(r->retired);
	retry_free(r->retry);
	drift_free(r->drift);
	events_free(r->events);
	since_free(r->since);
	waiting_free(r->waiting);
	recent_free(r->recent);
	arena_free(r->pass);
	free(r->files_trouble);
	free(r->kernel_trouble);
	free(r->layout_trouble);
	free(r->store_trouble);
	free(r);
}

void recon_event_add(struct recon *r, const char *kind, const char *key, const char *reason,
		     const char *fmt, ...)
{
	char text[ERROR_TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	events_add(r->events, kind, key, reason, text);
}

const struct recon_event *recon_event_next(const struct recon *r, uint64_t after)
{
	return events_next(r->events, after);
}

static void trouble_set(struct recon *r, char **trouble, const char *text)
{
	if (text && !str_eq(*trouble, text)) {
		log_error("%s", text);
		recon_event_add(r, "failure", "bpfshare", NULL, "%s", text);
	}
	free(*trouble);
	*trouble = text ? xstrdup(text) : NULL;
}

/* --- files ---------------------------------------------------------------- */

struct owners {
	LIST(struct name_owner) list;
};

static void owner_add(struct arena *a, struct owners *o, enum name_kind kind, const char *name,
		      const struct origin *origin)
{
	if (origin->file)
		*LIST_ADD(a, &o->list) = (struct name_owner){ kind, name, origin->file };
}

static void owners_of_generation(struct arena *a, const struct desired *d, struct owners *ret)
{
	for (size_t i = 0; i < d->object_count; i++)
		owner_add(a, ret, NAME_OBJECT, d->objects[i].name, &d->objects[i].origin);
	for (size_t i = 0; i < d->share_count; i++)
		owner_add(a, ret, NAME_SHARE, d->shares[i].name, &d->shares[i].origin);
	for (size_t i = 0; i < d->set_count; i++)
		owner_add(a, ret, NAME_SET, d->sets[i].name, &d->sets[i].origin);
}

/* After a start, the kernel itself knows which file each loaded object came from: "path:line". */
static void owners_of_kernel(struct arena *a, const struct observed *o, struct owners *ret)
{
	for (size_t i = 0; i < o->object_count; i++) {
		const struct meta_object *m = &o->objects[i].meta;
		const char *colon;
		struct origin origin;

		if (!o->objects[i].complete || !m->origin)
			continue;
		colon = strrchr(m->origin, ':');
		origin.file = colon ? arena_strndup(a, m->origin, (size_t)(colon - m->origin)) :
				      NULL;
		owner_add(a, ret, NAME_OBJECT, m->object, &origin);
	}
}

struct name_owner *recon_kernel_owners(struct arena *a, const struct observed *o, size_t *ret_count)
{
	struct owners owners = { 0 };

	owners_of_kernel(a, o, &owners);
	*ret_count = owners.list.n;
	return owners.list.v;
}

/* Plan, status and observation point into it, and outlive the note of what waits, which is replaced after each plan. */
static struct waiting_removals waiting_copy(const struct recon *r, struct arena *a)
{
	return waiting_removals_copy(a, waiting_list(r->waiting));
}

static int observe(struct recon *r, struct arena *a, const struct generation *g,
		   struct observed *ret, struct error *e)
{
	struct observe_request want = { 0 };
	struct waiting_removals waiting;

	if (g)
		plan_observe_request(a, &g->desired, &g->settings, r->options.run_dir, &want);
	waiting = waiting_copy(r, a);
	plan_observe_waiting(a, &waiting, &want);
	return r->options.ops->observe(r->options.ctx, a, &want, ret, e);
}

/* One line each: the excerpt with its caret is for `bpfsharectl check`. */
static void log_diags(const struct generation *g)
{
	for (size_t i = 0; i < g->diags.list.n; i++) {
		const struct diag *d = &g->diags.list.v[i];
		enum log_level level = d->level == DIAG_NOTE ? LOG_LEVEL_INFO : LOG_LEVEL_WARNING;

		log_write(level, NULL, "%s:%u:%u: %s%s%s", d->origin.file, d->origin.line,
			  d->origin.column, d->message, d->hint ? "; " : "",
			  d->hint ? d->hint : "");
	}
}

/* A store out of order is no fault of the configuration: it is told once, and tried again. */
static void keep(struct recon *r, const struct string_list *refused)
{
	struct error e = { 0 };
	cleanup(freep) char *text = NULL;

	if (generation_keep(r->generation, refused, &e) < 0)
		text = xasprintf(
			"last good configuration is kept in memory only, so a restart would "
			"not know it: %s; repair that, then `bpfsharectl reload`",
			e.text);
	if (text && !str_eq(r->store_trouble, text)) {
		log_warning("%s", text);
		recon_event_add(r, "failure", "last good configuration", NULL, "%s", text);
	} else if (!text && r->store_trouble) {
		log_notice("last good configuration is kept on disk again");
		recon_event_add(r, "configuration", "last good configuration", NULL,
				"kept on disk again");
	}
	free(r->store_trouble);
	r->store_trouble = take_ptr(text);
}

static void adopt(struct recon *r, struct generation *g)
{
	bool changed = !r->generation ||
		       !str_eq(r->generation->desired.generation, g->desired.generation) ||
		       !str_eq(r->generation->places, g->places) ||
		       !str_eq(r->generation->settings_text, g->settings_text);

	if (changed) {
		log_diags(g);
		log_info("configuration: generation %.12s, %zu files, %zu objects, %zu shares",
			 g->desired.generation, g->desired.file_count, g->desired.object_count,
			 g->desired.share_count);
		recon_event_add(r, "configuration", g->desired.generation, NULL,
				"read %zu files: %zu objects, %zu shares, %zu faults",
				g->desired.file_count, g->desired.object_count,
				g->desired.share_count, g->diags.errors);
		drift_new_files(r->drift);
	}
	r->keep_due |= changed || r->store_trouble;
	if (r->retired) {
		generation_free(r->generation); /* no round came through since it was read */
	} else {
		r->retired = r->generation;
	}
	r->generation = g;
}

/* Keeps the generation in force when the directories cannot tell what is wanted now. */
static int load_files(struct recon *r, struct error *e)
{
	cleanup(arena_freep) struct arena *a = arena_new();
	struct generation *g = NULL;
	struct owners owners = { 0 };
	struct observed first = { 0 };
	int code = 0;

	if (r->generation && !r->generation->unknown)
		owners_of_generation(a, &r->generation->desired, &owners);
	else if ((code = observe(r, a, NULL, &first, e)) == 0)
		owners_of_kernel(a, &first, &owners);
	if (code == 0)
		code = loader_load(r->options.loader, owners.list.v, owners.list.n, &g, e);
	if (code < 0) {
		code = error_prefix(e, code, "configuration not read");
		trouble_set(r, &r->files_trouble, e->text);
		return code;
	}
	r->files_dirty = false;
	trouble_set(r, &r->files_trouble, g->unknown ? g->unknown : g->trouble);
	if (g->unknown && r->generation)
		generation_free(g);
	else
		adopt(r, g);
	return 0;
}

/* --- one round ------------------------------------------------------------ */

static void op_log(struct recon *r, const struct op *op, const struct op_result *result,
		   const char *text)
{
	const char *fields[] = { "BPFSHARE_OBJECT", op->key, "BPFSHARE_REASON",
				 result->reason ? result->reason : "", NULL };

	if (result->code < 0) {
		log_write(LOG_LEVEL_WARNING, fields, "%s: %s", op->key, result->error.text);
		recon_event_add(r, "failure", op->key, result->reason, "%s: %s", text,
				result->error.text);
	} else {
		log_write(LOG_LEVEL_NOTICE, fields, "%s%s%s", text, result->note ? "; " : "",
			  result->note ? result->note : "");
		recon_event_add(r, "operation", op->key, result->reason, "%s%s%s", text,
				result->note ? "; " : "", result->note ? result->note : "");
	}
}

static bool needs_hold(const struct op *op, const bool *done)
{
	for (size_t i = 0; i < op->need_count; i++)
		if (!done[op->needs[i]])
			return false;
	return true;
}

static void tell_repair(struct recon *r, const struct op *op, const struct drift_cause *cause,
			uint64_t now_ns)
{
	const char *fields[] = { "BPFSHARE_OBJECT", op->key, "BPFSHARE_REASON", cause->reason,
				 NULL };
	uint64_t count = drift_repaired(r->drift, op, cause, now_ns);

	log_write(LOG_LEVEL_NOTICE, fields, "%s: %s; repaired", op->key, cause->text);
	recon_event_add(r, "drift", op->key, cause->reason,
			"%s; repaired by %s (%" PRIu64 " of this kind so far)", cause->text,
			op_kind_names[op->kind], count);
}

/* Judged before anything is done, by which what was there would be forgotten. */
static struct drift_cause *judge(struct recon *r)
{
	const struct plan *p = r->plan;
	struct drift_cause *causes = arena_calloc(r->pass, p->op_count, sizeof(*causes));

	for (size_t i = 0; i < p->op_count; i++)
		causes[i] = drift_judge(r->drift, r->pass, &r->observed, &p->ops[i]);
	return causes;
}

static void succeeded(struct recon *r, const struct op *op, const struct drift_cause *cause,
		      uint64_t now_ns)
{
	retry_forget(r->retry, op);
	drift_did(r->drift, r->pass, op, &r->observed);
	if (cause->reason)
		tell_repair(r, op, cause, now_ns);
}

/* Operations whose needs failed are left out; the next round plans around them. */
static void apply(struct recon *r, uint64_t now_ns)
{
	const struct plan *p = r->plan;
	const struct drift_cause *causes = judge(r);
	bool *done = arena_calloc(r->pass, p->op_count, sizeof(*done));

	r->options.ops->begin(r->options.ctx);
	for (size_t i = 0; i < p->op_count; i++) {
		const struct op *op = &p->ops[i];
		struct op_result result = { 0 };

		if (!needs_hold(op, done))
			continue;
		r->options.ops->apply(r->options.ctx, r->pass, op, &result);
		r->operations++;
		done[i] = result.code == 0;
		op_log(r, op, &result, op_format(r->pass, op));
		if (result.code < 0)
			retry_record(r->retry, op, &result, now_ns);
		else
			succeeded(r, op, &causes[i], now_ns);
	}
}

/* Before anything is applied: what waits must be known to the process that goes on after a crash. */
static void note_waiting(struct recon *r)
{
	const struct plan *p = r->plan;
	struct error e = { 0 };

	if (waiting_update(r->waiting, p, &e) < 0) {
		log_warning("%s", e.text);
		recon_event_add(r, "failure", "confirm", NULL, "%s", e.text);
	}
	if (str_eq(r->told, p->held_token))
		return;
	if (p->held_count) {
		log_warning("%zu operations wait for `bpfsharectl confirm`", p->held_count);
		recon_event_add(r, "state", "confirm", NULL,
				"%zu operations wait for `bpfsharectl confirm %.12s`",
				p->held_count, p->held_token);
	} else if (!p->confirmed) {
		recon_event_add(r, "state", "confirm", NULL, "nothing waits any more");
	}
	memcpy(r->told, p->held_token, sizeof(r->told));
}

static void tell_contested(struct recon *r)
{
	const char *key, *message;

	while (drift_next_contested(r->drift, &key, &message)) {
		const char *fields[] = { "BPFSHARE_OBJECT", key, "BPFSHARE_REASON",
					 REASON_CONTESTED, NULL };

		log_write(LOG_LEVEL_WARNING, fields, "%s: %s", key, message);
		recon_event_add(r, "drift", key, REASON_CONTESTED, "%s", message);
	}
}

/* What failed, and what somebody else fights for. */
static struct failure *all_failures(struct recon *r, struct arena *a, uint64_t now_ns, size_t *ret)
{
	size_t n, m;
	const struct failure *failed = retry_failures(r->retry, a, now_ns, &n);
	const struct failure *contested = drift_failures(r->drift, a, now_ns, &m);
	struct failure *all = arena_calloc(a, n + m, sizeof(*all));

	for (size_t i = 0; i < n; i++)
		all[i] = failed[i];
	for (size_t i = 0; i < m; i++)
		all[n + i] = contested[i];
	*ret = n + m;
	return all;
}

/* What a directory that was unknown still lacks may be on its way, so each removal waits. */
static const struct settings *settings_for(struct arena *a, const struct generation *g)
{
	struct settings *cautious;

	if (!g->doubted)
		return &g->settings;
	cautious = arena_dup(a, &g->settings, sizeof(g->settings));
	cautious->mass_removal_least = 1;
	cautious->mass_removal_percent = 0;
	return cautious;
}

static int round_plan(struct recon *r, struct arena *a, uint64_t now_ns, bool purge,
		      struct error *e)
{
	struct plan_input in = {
		.desired = &r->generation->desired,
		.observed = &r->observed,
		.settings = settings_for(a, r->generation),
		.node = &r->options.node,
		.run_dir = r->options.run_dir,
		.confirmed = r->confirmed[0] ? r->confirmed : NULL,
		.waiting = waiting_copy(r, a),
		.recent = recent_get(r->recent, now_ns),
		.suspended = r->suspended || r->generation->unknown,
		.purge = purge,
	};
	int code;

	memset(&r->observed, 0, sizeof(r->observed));
	code = observe(r, a, r->generation, &r->observed, e);
	if (code < 0)
		return error_prefix(e, code, "kernel state not read");
	in.failures = all_failures(r, a, now_ns, &in.failure_count);
	r->plan = plan_build(a, &in);
	if (!purge && drift_refuse(r->drift, a, &r->observed, r->plan, now_ns)) {
		tell_contested(r);
		in.failures = all_failures(r, a, now_ns, &in.failure_count);
		r->plan = plan_build(a, &in);
	}
	r->confirmation_done |= r->plan->confirmed;
	if (r->plan->confirmed) {
		loader_trust(r->options.loader);
		r->generation->doubted = false;
	}
	trouble_set(r, &r->layout_trouble, r->plan->newer);
	if (!in.suspended && !r->plan->newer) /* else the plan does not say what would wait */
		note_waiting(r);
	return 0;
}

static void state_changed(void *arg, const char *key, enum state before,
			  const struct condition_status *now)
{
	struct recon *r = arg;
	const char *fields[] = { "BPFSHARE_OBJECT", key, "BPFSHARE_REASON",
				 now->reason ? now->reason : "", NULL };
	enum log_level level = now->state >= STATE_BLOCKED ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO;
	const char *colon = now->message ? ": " : "", *message = now->message ? now->message : "";

	log_write(level, fields, "%s is %s%s%s", key, state_names[now->state], colon, message);
	recon_event_add(r, "state", key, now->reason, "%s%s%s%s%s",
			before < STATE_COUNT ? state_names[before] : "",
			before < STATE_COUNT ? " -> " : "", state_names[now->state], colon,
			message);
}

static void due_by(struct recon *r, uint64_t ns)
{
	if (!r->next_ns || r->next_ns > ns)
		r->next_ns = ns;
}

/* What the plan's own status cannot know. */
static void complete_status(struct recon *r)
{
	struct status *st = r->plan->status;
	struct timespec wall;

	(void)clock_gettime(CLOCK_REALTIME, &wall);
	since_update(r->since, st, &wall, state_changed, r);
	/* An unreadable directory holds everything still as well, but `resume` does not end that. */
	st->suspended = r->suspended;
	if (r->files_trouble)
		st->converged = false;
}

static void tell_notice(void *arg, const struct drift_notice *n)
{
	const char *fields[] = { "BPFSHARE_OBJECT", n->key, "BPFSHARE_REASON", n->cause.reason,
				 NULL };

	log_write(LOG_LEVEL_WARNING, fields, "%s: %s", n->key, n->cause.text);
	recon_event_add(arg, "drift", n->key, n->cause.reason, "%s", n->cause.text);
}

static void finish(struct recon *r, uint64_t now_ns)
{
	complete_status(r);
	drift_settled(r->drift, &r->observed, !r->plan->op_count);
	drift_notice(r->drift, &r->observed, tell_notice, r);
	r->next_ns = retry_next_ns(r->retry, now_ns);
	if (drift_next_ns(r->drift, now_ns))
		due_by(r, drift_next_ns(r->drift, now_ns));
	if (r->plan->op_count)
		due_by(r, now_ns + STUCK_NS);
	if (r->resume_ns)
		due_by(r, r->resume_ns);
	r->passes++;
}

static int rounds(struct recon *r, uint64_t now_ns, bool purge, struct error *e)
{
	for (size_t i = 0; i <= ROUNDS; i++) {
		struct arena *a = arena_new();
		struct observed before = r->observed;
		int code = round_plan(r, a, now_ns, purge, e);

		if (code < 0) { /* plan and status of the round before stay */
			r->observed = before;
			arena_free(a);
			if (i > 0)
				complete_status(r);
			return code;
		}
		arena_free(r->pass);
		r->pass = a;
		generation_free(take_ptr(r->retired));
		if (!purge)
			recent_note(r->recent, r->plan, now_ns);
		if (!r->plan->op_count || i == ROUNDS)
			break;
		apply(r, now_ns);
	}
	finish(r, now_ns);
	return 0;
}

/* --- what the kernel thinks of it ------------------------------------------------ */

/* "fwd" and "fwd@eth0" are of object "fwd". */
static bool is_instance_of(const char *name, const char *object)
{
	size_t n = strlen(object);

	return str_starts(name, object) && (!name[n] || name[n] == '@');
}

/* The failure of an attempt to load the file as it is now, for any instance of the object. */
static const struct failure *find_refusal(const struct object_decl *o, const struct failure *f,
					  size_t n)
{
	for (size_t i = 0; i < n && !o->present && !o->fault_reason; i++)
		if (f[i].class == FAILURE_KERNEL && str_starts(f[i].subject, "object ") &&
		    is_instance_of(f[i].subject + strlen("object "), o->name))
			return &f[i];
	return NULL;
}

/* After a boot, or where all pins were lost: nothing of an instance is left to stay in force. */
static bool nothing_serves(const struct status *st, const char *object)
{
	for (size_t i = 0; i < st->object_count; i++)
		if (st->objects[i].in_force == IN_FORCE_NONE &&
		    is_instance_of(st->objects[i].name, object))
			return true;
	return false;
}

/*
 * Keeps what was read, now that it is known what of it is good. True: of an object that was refused something
 * earlier is kept and nothing serves, so what is wanted has changed.
 */
static bool judge_loads(struct recon *r, uint64_t now_ns)
{
	cleanup(arena_freep) struct arena *a = arena_new();
	const struct desired *d = &r->generation->desired;
	struct hasher *h = hasher_new();
	LIST(const char *) refused = { 0 };
	char hash[SHA256_HEX];
	bool changed = false;
	size_t n;
	struct failure *failures = retry_failures(r->retry, a, now_ns, &n);

	for (size_t i = 0; i < d->object_count; i++) {
		if (!find_refusal(&d->objects[i], failures, n))
			continue;
		*LIST_ADD(a, &refused) = d->objects[i].name;
		hasher_add_field(h, d->objects[i].name);
	}
	hasher_finish(h, hash);
	if (r->keep_due || !str_eq(r->refused, hash)) {
		keep(r, &(struct string_list){ .v = refused.v, .n = refused.n });
		memcpy(r->refused, hash, sizeof(hash));
		r->keep_due = false;
	}
	for (size_t i = 0; i < d->object_count && refused.n; i++) {
		const struct object_decl *o = &d->objects[i];
		const struct failure *f = find_refusal(o, failures, n);

		if (f && nothing_serves(r->plan->status, o->name))
			changed |= loader_refuse(r->generation, o, f->reason, f->message);
	}
	return changed;
}

static int rounds_and_judge(struct recon *r, uint64_t now_ns, struct error *e)
{
	int code = rounds(r, now_ns, false, e);

	if (code < 0 || !judge_loads(r, now_ns))
		return code;
	code = load_files(r, e);
	if (code == 0)
		code = rounds(r, now_ns, false, e);
	if (code == 0)
		(void)judge_loads(r, now_ns);
	return code;
}

/* --- the door ------------------------------------------------------------- */

static int run(struct recon *r, unsigned int dirty, uint64_t now_ns, bool purge, struct error *e)
{
	int code = 0;

	if (r->resume_ns && r->resume_ns <= now_ns)
		recon_resume(r);
	if (dirty & RECON_DIRTY_RETRY) {
		retry_clear(r->retry);
		loader_forgive(r->options.loader);
		r->files_dirty = true;
		drift_forgive(r->drift);
	}
	if (dirty & RECON_DIRTY_FOREIGN)
		retry_release(r->retry);
	r->confirmation_done = false;
	r->files_dirty |= (dirty & RECON_DIRTY_FILES) || !r->generation;
	if (r->files_dirty)
		code = load_files(r, e);
	if (r->generation) /* what was read before stays in force while the files cannot be read */
		code = purge ? rounds(r, now_ns, true, e) : rounds_and_judge(r, now_ns, e);
	if (r->files_dirty)
		due_by(r, now_ns + STUCK_NS);
	if (code < 0) {
		if (r->generation) /* else load_files() has told it */
			trouble_set(r, &r->kernel_trouble, e->text);
		r->next_ns = now_ns + STUCK_NS;
		if (r->plan)
			r->plan->status->converged = false;
	} else {
		trouble_set(r, &r->kernel_trouble, NULL);
	}
	r->confirmed[0] = '\0'; /* a confirmation is for what was shown, once */
	if (r->generation)
		generation_rest(r->generation);
	if (r->retired)
		generation_rest(r->retired);
	return code;
}

int recon_run(struct recon *r, unsigned int dirty, uint64_t now_ns, struct error *e)
{
	struct error local = { 0 };

	return run(r, dirty, now_ns, false, e ? e : &local);
}

int recon_purge(struct recon *r, uint64_t now_ns, struct error *e)
{
	bool was_suspended = r->suspended;
	uint64_t resume_ns = r->resume_ns;
	struct error local = { 0 };
	int code;

	recon_resume(r);
	code = run(r, 0, now_ns, true, e ? e : &local);
	if (code >= 0 && r->plan && r->plan->newer) { /* refused: nothing was done */
		if (was_suspended)
			recon_suspend(r, resume_ns);
		return 0;
	}
	recon_suspend(r, 0);
	return code < 0 ? code : run(r, 0, now_ns, false, e ? e : &local);
}

int recon_confirm(struct recon *r, const char *token, struct error *e)
{
	const struct plan *p = r->plan;

	if (r->suspended)
		return error_set(e, -EBUSY,
				 "changes are suspended, so nothing can go ahead: `bpfsharectl "
				 "resume` first");
	if (!p || !p->held_count)
		return error_set(e, -ENOENT, "nothing waits to be confirmed");
	if (token && (strlen(token) < TOKEN_LEAST || !str_starts(p->held_token, token)))
		return error_set(e, -ENOENT,
				 "what waits is not (or no longer) what %s stands for; see what it "
				 "is with `bpfsharectl status`",
				 token);
	memcpy(r->confirmed, p->held_token, sizeof(r->confirmed));
	recon_event_add(r, "command", "confirm", NULL, "%zu held operations confirmed",
			p->held_count);
	return 0;
}

bool recon_confirmed(const struct recon *r)
{
	return r->confirmation_done;
}

void recon_suspend(struct recon *r, uint64_t until_ns)
{
	r->suspended = true;
	r->resume_ns = until_ns;
	recon_event_add(r, "command", "suspend", NULL, "nothing is changed until resumed");
}

void recon_resume(struct recon *r)
{
	if (r->suspended)
		recon_event_add(r, "command", "resume", NULL, "changes are made again");
	r->suspended = false;
	r->resume_ns = 0;
}

uint64_t recon_next_ns(const struct recon *r)
{
	return r->next_ns;
}

const struct status *recon_status(const struct recon *r)
{
	return r->plan ? r->plan->status : NULL;
}

const struct settings *recon_settings(const struct recon *r)
{
	return r->generation ? &r->generation->settings : NULL;
}

const struct generation *recon_generation(const struct recon *r)
{
	return r->generation;
}

const struct plan *recon_plan(const struct recon *r)
{
	return r->plan;
}

const struct observed_netns *recon_netns(const struct recon *r, size_t *ret_count)
{
	*ret_count = r->observed.netns_count;
	return r->observed.netns;
}

const char *recon_trouble(const struct recon *r)
{
	if (r->kernel_trouble)
		return r->kernel_trouble;
	return r->layout_trouble ? r->layout_trouble : r->files_trouble;
}

const char *recon_warning(const struct recon *r)
{
	return r->store_trouble;
}

uint64_t recon_passes(const struct recon *r)
{
	return r->passes;
}

uint64_t recon_operations(const struct recon *r)
{
	return r->operations;
}

bool recon_repairs(const struct recon *r, size_t i, const char **ret_reason, uint64_t *ret_count)
{
	return drift_count(r->drift, i, ret_reason, ret_count);
}
