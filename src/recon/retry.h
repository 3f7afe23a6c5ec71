/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Memory of failed attempts and when the next one makes sense. A hint that spares
 * useless repetition, never a source of truth: losing it costs one attempt each.
 * Time is an argument, chance a seed, so tests own both.
 */
#pragma once

#include "base/arena.h"
#include "model/op.h"
#include "model/result.h"
#include "plan/plan.h"

#define RETRY_FIRST_NS (100ull * 1000 * 1000)        /* transient: 100 ms, doubling, … */
#define RETRY_MOST_NS  (300ull * 1000 * 1000 * 1000) /* … to 5 min */
#define RETRY_ENTRIES  4096                          /* the oldest goes beyond that */

struct retry;

struct retry *retry_new(unsigned int seed);
void retry_free(struct retry *r);

/* An attempt at (subject, version) of op failed. */
void retry_record(struct retry *r, const struct op *op, const struct op_result *result,
		  uint64_t now_ns);
/* It succeeded: whatever is remembered of its subject goes. */
void retry_forget(struct retry *r, const struct op *op);
/* What others held may be free, what was passing may have passed: these classes are due now. */
void retry_release(struct retry *r);
void retry_clear(struct retry *r);

/* As plan_build() wants them; strings stay valid until the next change of r. */
struct failure *retry_failures(const struct retry *r, struct arena *a, uint64_t now_ns,
			       size_t *ret_count);
/* The earliest time after now_ns at which one becomes due, 0: none. */
uint64_t retry_next_ns(const struct retry *r, uint64_t now_ns);
