/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * The loop's one writer: observe → plan → apply → verify → status, level-triggered.
 * Events only mark what is dirty; recon_run() does the rest. Knows the kernel as
 * an ops table and the time as an argument, so that tests own both.
 */
#pragma once

#include "kern/kern.h"
#include "plan/plan.h"
#include "recon/loader.h"

struct recon_options {
	const struct kern_ops *ops;
	void *ctx;
	struct loader *loader;
	const char *run_dir;
	const char *waiting_path; /* see recon/waiting.h; NULL: no file */
	struct node node;
};

/* What an event may have changed. */
enum recon_dirty {
	RECON_DIRTY_KERNEL = 1 << 0,  /* observe again */
	RECON_DIRTY_FILES = 1 << 1,   /* read the files again */
	RECON_DIRTY_FOREIGN = 1 << 2, /* what others hold may be free now: retry at once */
	RECON_DIRTY_RETRY = 1 << 3,   /* asked for by a person: forget all back-off */
};

struct recon;

int recon_new(const struct recon_options *o, struct recon **ret, struct error *e);
void recon_free(struct recon *r);

/*
 * One reconciliation at monotonic time now_ns. Reads files first if they are dirty, then
 * observes, plans and applies until the plan is empty or nothing moves. -errno only
 * when it could not look at all (status keeps its last value and says so).
 */
int recon_run(struct recon *r, unsigned int dirty, uint64_t now_ns, struct error *e);

/* Monotonic time of the next retry that falls due, 0: none waits. */
uint64_t recon_next_ns(const struct recon *r);

/* Valid until the next recon_run(); NULL before the first one that could look. */
const struct status *recon_status(const struct recon *r);
const struct settings *recon_settings(const struct recon *r);
const struct generation *recon_generation(const struct recon *r);
const struct plan *
recon_plan(const struct recon *r); /* of the last pass: what remains to be done */
/* Network namespaces as the last pass observed them; valid until the next one. */
const struct observed_netns *recon_netns(const struct recon *r, size_t *ret_count);
/* What would not survive a restart, with the remedy; NULL: nothing. The node may have converged all the same. */
const char *recon_warning(const struct recon *r);
const char *
recon_trouble(const struct recon *r);         /* why the last pass could not look; NULL: it could */
uint64_t recon_passes(const struct recon *r); /* completed ones, for the watchdog and `wait` */
uint64_t recon_operations(const struct recon *r); /* kernel-writing operations so far */

/* What others undid and was repaired so far: the i-th kind of it and how often; false: there are not so many. */
bool recon_repairs(const struct recon *r, size_t i, const char **ret_reason, uint64_t *ret_count);

/*
 * What the last pass held goes ahead with the next run, if that is what it would hold, too. token: what
 * the operator was shown (plan.held_token or the start of it), NULL: anything. -ENOENT: nothing is held, or (with a
 * token) not that; -EBUSY: suspended.
 */
int recon_confirm(struct recon *r, const char *token, struct error *e);
/* Whether the last run did what was confirmed before it; false: what would be held had changed. */
bool recon_confirmed(const struct recon *r);
void recon_suspend(struct recon *r, uint64_t until_ns); /* 0: until resumed */
void recon_resume(struct recon *r);
/* Removes everything that is ours and suspends. */
int recon_purge(struct recon *r, uint64_t now_ns, struct error *e);

/* What happened, newest last; a ring of the last 1,024. */
struct recon_event {
	uint64_t sequence;
	struct timespec time;
	const char *kind; /* "operation", "failure", "state", "configuration", "command", "drift" */
	const char *key;  /* the thing */
	const char *reason; /* CamelCase token or NULL */
	const char *message;
};
/* The oldest kept event with a sequence above after, NULL: none yet. Valid until the next event. */
const struct recon_event *recon_event_next(const struct recon *r, uint64_t after);
/* Lets others (control socket, watchers) put their own events into the ring. */
void recon_event_add(struct recon *r, const char *kind, const char *key, const char *reason,
		     const char *fmt, ...) printf_like(5, 6);

/* Which file each loaded object came from, as the kernel's metadata has it; for loader_load(). From a. */
struct name_owner *recon_kernel_owners(struct arena *a, const struct observed *o,
				       size_t *ret_count);
