/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * What waits for `bpfsharectl confirm` goes on waiting, whatever else changes: a share of all there is, by
 * which a removal is judged, falls when more is declared, and the number falls when an interface goes.
 * Likewise noted is where programs run that nothing in force declares (suspended, of an invalid file), so that
 * they can be put back there. A file in the run directory tells the next process, of this boot. Being lost or stale it can do
 * no more than let a removal wait, or be judged by itself.
 */
#pragma once

#include "model/desired.h"
#include "plan/plan.h"

#define WAITING_FILE "waiting" /* in the run directory */

struct waiting;

/* path NULL: known to this process alone. Reads what an earlier process left there. */
struct waiting *waiting_new(const char *path);
void waiting_free(struct waiting *w);

/* For a copy as plan_input.waiting; valid until the next waiting_update(). */
const struct waiting_removals *waiting_list(const struct waiting *w);

/* What the plan holds waits from now on, and nothing else; likewise what it keeps. -errno: a restart would not know of it. */
int waiting_update(struct waiting *w, const struct plan *p, struct error *e);
