/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * What others changed behind our back, and what it took to put it right. An operation is a repair if it brings back
 * what was in place after an earlier pass; each is told with its cause, as far as the kernel knows it, and counted
 * by kind. A subject that needs repair again and again is fought for by somebody else: then we stop for a
 * while, longer each time, and say who it is.
 */
#pragma once

#include "base/arena.h"
#include "model/observed.h"
#include "model/op.h"
#include "plan/plan.h"

#define DRIFT_REPAIRS   5                             /* of one subject … */
#define DRIFT_WINDOW_NS (60ull * 1000 * 1000 * 1000)  /* … within this time are a fight */
#define DRIFT_FIRST_NS  (10ull * 1000 * 1000 * 1000)  /* not repaired for so long, doubling, … */
#define DRIFT_MOST_NS   (300ull * 1000 * 1000 * 1000) /* … to 5 min */
#define DRIFT_SUBJECTS  1024 /* the one not heard of for longest goes beyond that */

struct drift;

struct drift *drift_new(void);
void drift_free(struct drift *d);

/* A repair that a plan wants: what happened, and a sentence about it. */
struct drift_cause {
	const char *reason; /* CamelCase token; NULL: the operation is no repair */
	const char *text;
};
struct drift_cause drift_judge(const struct drift *d, struct arena *a, const struct observed *o,
			       const struct op *op);

/*
 * A plan made at now_ns, each counts as one attempt: notes which of its repairs are not to be made, since their
 * subjects are fought for. True: there are new ones, or some stay so, and the plan is to be made again.
 */
bool drift_refuse(struct drift *d, struct arena *a, const struct observed *o,
		  const struct plan *plan, uint64_t now_ns);
/* Subjects that are not repaired now, as failures for plan_build(); valid until the next call that changes d. */
struct failure *drift_failures(const struct drift *d, struct arena *a, uint64_t now_ns,
			       size_t *ret_count);
/* When the next of them is tried again, 0: none. */
uint64_t drift_next_ns(const struct drift *d, uint64_t now_ns);
/* The next subject that became contested and was not told yet, as its key and a sentence. */
bool drift_next_contested(struct drift *d, const char **ret_key, const char **ret_message);

/* A repair succeeded: its kind's count, and how often this subject was repaired within the window. */
uint64_t drift_repaired(struct drift *d, const struct op *op, const struct drift_cause *cause,
			uint64_t now_ns);
/* Any operation of ours, planned with o, succeeded; a is for what is needed meanwhile. */
void drift_did(struct drift *d, struct arena *a, const struct op *op, const struct observed *o);
/* The last observation of a pass. nothing_left: the plan made of it is empty. */
void drift_settled(struct drift *d, const struct observed *o, bool nothing_left);
/*
 * From now on other files are wanted: what was there may be changed by right until nothing is left to do. A fight for
 * what they do not want any more is forgotten with the next plan: no edit waits for what somebody does to others.
 */
void drift_new_files(struct drift *d);
/*
 * What others did that is left as it is: something that is not ours in our tree or in a share, something mounted over
 * a share. Tells what was not there the time before.
 */
struct drift_notice {
	const char *key;
	struct drift_cause cause;
};
typedef void (*drift_notice_fn)(void *arg, const struct drift_notice *n);
void drift_notice(struct drift *d, const struct observed *o, drift_notice_fn tell, void *arg);

/* Forgets fights: a person asked for another attempt. */
void drift_forgive(struct drift *d);

/* Repairs so far by kind: the i-th kind and its count; false: there are not so many. */
bool drift_count(const struct drift *d, size_t i, const char **ret_reason, uint64_t *ret_count);
