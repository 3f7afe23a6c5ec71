/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * The numbers of a status that a pass cannot know, put in when somebody asks: run counts, and how
 * full maps are. Anybody may ask, so the time that this takes from the loop is bounded: so much a
 * second for root, and so much for all others together.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct fresh;

struct fresh *fresh_new(void);
void fresh_free(struct fresh *f);

/* Who asks, and for what. */
struct fresh_request {
	bool root;
	bool runs, entries;
	const char *const *names; /* of interfaces whose chains count; n 0: all */
	size_t n;
};

/*
 * Replaces run_count and run_ns of chains and members, and fills in entries of the maps of the objects in
 * a status as of report_status(). What there is no time for stays as it is.
 */
void fresh_fill(struct fresh *f, const struct fresh_request *q, json_t *status);
