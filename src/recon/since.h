/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* Remembers when each declared thing came into its present state, over the passes of one run. */
#pragma once

#include "model/status.h"

struct since;

/* Called for each thing that changed its state or reason since the pass before. */
typedef void (*since_changed_fn)(void *arg, const char *key, enum state before,
				 const struct condition_status *now);

struct since *since_new(void);
void since_free(struct since *s);

/* Fills in `since` of every condition of st; a thing seen for the first time dates from now. */
void since_update(struct since *s, struct status *st, const struct timespec *now,
		  since_changed_fn changed, void *arg);
