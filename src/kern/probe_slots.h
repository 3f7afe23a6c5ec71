/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* The self-check of a dispatcher by tail calls, whatever its hook. Internal to kern. */
#pragma once

#include "kern/context.h"

#define PROBE_SLOTS       3
#define PROBE_MEMBERS_MAX 5

struct probe_step {
	unsigned int members[PROBE_SLOTS]; /* indices of probe_slots.members; 0: the slot is empty */
	int verdict;
	const char *meaning;
};

/* Descriptors of what was loaded; they stay the caller's. */
struct probe_slots {
	int dispatcher;
	int array;                      /* the dispatcher's, all slots of it empty */
	int members[PROBE_MEMBERS_MAX]; /* the first is not used */
	const struct probe_step *steps;
	size_t step_count;
};

/* Fills the slots for one step after the other and runs the dispatcher; false with f->detail if one fails. */
bool probe_slots_run(struct arena *a, const struct probe_slots *p, struct feature *f);

/* What a dispatcher that was not loaded tells of the kernel. */
const char *probe_slots_refused(struct arena *a, const struct op_result *result);
