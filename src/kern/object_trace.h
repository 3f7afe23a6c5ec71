/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * What shows that a directory objects/INSTANCE/VERSION is ours. Names are anybody's to give, and what is removed cannot
 * be had back, so nothing else in our tree is touched. Internal to kern.
 */
#pragma once

#include "kern/context.h"

struct object_trace {
	int fd;                  /* metadata, which stays the caller's to close; -1: none */
	const char *name;        /* as what it is pinned in the directory; NULL: it is not */
	struct meta_object meta; /* what it lists */
};

#define OBJECT_TRACE_INIT \
	{                 \
		.fd = -1  \
	}

void object_trace_done(struct object_trace *t);

/*
 * Metadata of the version in the directory, finished or not, or what a program pinned there is bound to. Of metadata of a
 * newer layout nothing is known. 1: found, 0: there is none that is understood.
 */
int object_trace_find(const struct kern_context *c, struct arena *a, const char *instance,
		      const char *version, struct object_trace *ret, struct error *e);

/*
 * Paths below our directory of what lies in one that has no trace; none: it is empty, so that an interruption may have
 * left it, and nobody loses anything by it.
 */
int object_trace_others(const struct kern_context *c, struct arena *a, const char *instance,
			const char *version, struct string_list *ret, struct error *e);
