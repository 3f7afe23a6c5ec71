/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* The ring of recent events; see struct recon_event. Sequence numbers count from 1 and never repeat. */
#pragma once

#include "recon/recon.h"

#define EVENTS_KEPT 1024

struct events;

struct events *events_new(void);
void events_free(struct events *ev);
void events_add(struct events *ev, const char *kind, const char *key, const char *reason,
		const char *message);
/* The oldest kept event with a sequence above after, NULL: none. */
const struct recon_event *events_next(const struct events *ev, uint64_t after);
