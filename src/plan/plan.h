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

struct plan_input {
	const struct desired *desired;
	const struct observed *observed;
	const struct settings *settings;
	const struct node *node;
	const struct failure *failures;
	size_t failure_count;
	const char *run_dir;   /* default place of shares */
	const char *confirmed; /* plan.held_token that the operator confirmed, or NULL */
	/* Removals that were held before (plan_removal_id): as long as one is wanted, all removals are. */
	struct string_list waiting;
	bool suspended; /* observe and report, change nothing */
	bool purge;     /* remove all that is ours: desired is taken as empty, the guard is off */
};

struct plan {
	struct op *ops; /* in order of execution */
	size_t op_count;
	struct op *held; /* what would be done but waits for confirmation */
	size_t held_count;
	char held_token[65]; /* names this very set of held operations; "" when nothing is held */
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

/* Fills in what an observation has to look at for these declarations. */
void plan_observe_request(struct arena *a, const struct desired *d, const struct settings *s,
			  const char *run_dir, struct observe_request *ret);
