/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * How much the files took away lately, and how much there was before: who deletes them one by one (rsync, a
 * configuration management, a slow `rm`) removes as much as who deletes them at once, and the rule of mass removals
 * looks at both. Of this process alone: a restart begins anew.
 */
#pragma once

#include "plan/plan.h"

/* Two deletions that are further apart are no longer one. */
#define RECENT_SECONDS 60

struct recent;

struct recent *recent_new(void);
void recent_free(struct recent *r);

/* For plan_input.recent. */
struct plan_recent recent_get(const struct recent *r, uint64_t now_ns);
/* A plan that is about to be carried out, or is empty. One that the operator confirmed begins anew. */
void recent_note(struct recent *r, const struct plan *p, uint64_t now_ns);
