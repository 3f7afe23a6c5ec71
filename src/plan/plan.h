/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Desired state × observed state → operations, and the status that follows from
 * the same comparison. Pure: no clock, no files, no kernel; equal inputs give an equal
 * plan, and an applied plan gives an empty one. What is not ours is never touched.
 */
#pragma once

#include "model/desired.h"
#include "model/observed.h"
#include "model/op.h"
#include "model/result.h"
#include "model/status.h"

/*
 * Memory of attempts, kept by recon over the passes of one run of the daemon; a hint
 * that spares useless repetition, never a source of truth. Keyed by (subject, version)
 * of the operation that failed.
 */
struct failure {
	const char *subject, *version; /* FAILURE_ANY_VERSION: whatever would be attempted */
	enum failure_class class;
	bool due;            /* its back-off has passed: plan it again */
	int code;            /* -errno */
	const char *reason;  /* CamelCase token */
	const char *message; /* with the kernel's own words */
	const char *log;     /* verifier log, NULL without one */
};

#define FAILURE_ANY_VERSION "*"

struct node { /* the machine, for `when` */
	const char *host, *arch;
	struct kernel_version kernel;
};

/*
 * What waits for the operator's word, as data: part of what is wanted until then, so that it can be put back where
 * it was. Sorted by where it is and what it is.
 */
struct waiting_member { /* a program at a place where no declaration has it any more */
	enum hook hook;
	enum tc_direction direction; /* of HOOK_TC */
	const char *netns;           /* NULL: the daemon's own */
	const char *interface;
	uint32_t ifindex;
	const char *instance, *program, *version;
	const char *behind; /* "INSTANCE/PROGRAM" that it ran right behind; NULL: it was the first */
	uint32_t priority, proceed_on;
	bool required;
	bool ranked; /* priority is known */
};

struct waiting_pin {
	const char *alias, *instance, *map;
	enum access access;
};

struct waiting_share { /* one mount */
	const char *share, *path;
	uint32_t gid, mode;
	struct waiting_pin *pins;
	size_t pin_count;
};

struct waiting_removals {
	struct string_list ids; /* of operations (plan_removal_id) */
	struct waiting_member *members;
	struct waiting_share *shares;
	/* No removals: what stays as it ran without a declaration in force, and is put back likewise. */
	struct waiting_member *kept;
	size_t member_count, share_count, kept_count;
};

/* What plans before this one took away within a while, and the most that was there in it. */
struct plan_recent {
	size_t removed, total;
};

struct plan_input {
	const struct desired *desired;
	const struct observed *observed;
	const struct settings *settings;
	const struct node *node;
	const struct failure *failures;
	size_t failure_count;
	const char *run_dir;   /* default place of shares */
	const char *confirmed; /* plan.held_token that the operator confirmed, or NULL */
	/* plan.waiting of the plan before: as long as one of it is still to go, all removals wait. */
	struct waiting_removals waiting;
	struct plan_recent recent; /* what counts together with what this one takes away */
	bool suspended;            /* observe and report, change nothing */
	bool purge; /* remove all that is ours: desired is taken as empty, the guard is off */
};

struct plan {
	struct op *ops; /* in order of execution */
	size_t op_count;
	struct op *held; /* what would be done but waits for confirmation */
	size_t held_count;
	char held_token[65];             /* names what they take away; "" when nothing is held */
	struct waiting_removals waiting; /* the removals among them; for the next plan's input */
	/* As the rule of mass removals counts: what is there, and how much of it ops take away. */
	size_t total, removed;
	const char *
		newer; /* why nothing is done at all: a newer bpfshare made what is there; or NULL */
	bool confirmed; /* in.confirmed named what would be held, so it is among ops */
	struct status
		*status; /* as of the observation, with `pending` where an operation is planned */
};

/* Everything is allocated from a. Cannot fail: what cannot be done has a state and a reason in the status. */
struct plan *plan_build(struct arena *a, const struct plan_input *in);

/* Names what an operation takes away, whatever else it does by then. From a. */
const char *plan_removal_id(struct arena *a, const struct op *op);

/* A copy that needs nothing of the original. */
struct waiting_removals waiting_removals_copy(struct arena *a, const struct waiting_removals *w);

/* Fills in what an observation has to look at for these declarations. */
void plan_observe_request(struct arena *a, const struct desired *d, const struct settings *s,
			  const char *run_dir, struct observe_request *ret);
/* The same for what waits; after the former. */
void plan_observe_waiting(struct arena *a, const struct waiting_removals *w,
			  struct observe_request *ret);
