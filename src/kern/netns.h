/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Network namespaces other than our own: finding them by their names, working inside one for a moment, and
 * the record that something of ours may be in one.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "kern/context.h"

/* What a namespace is known by while it exists: two names of one have the same. */
struct netns_id {
	uint64_t device, inode;
};

static inline bool netns_id_equal(const struct netns_id *x, const struct netns_id *y)
{
	return x->device == y->device && x->inode == y->inode;
}

/* Where a namespace of this name (model/observed.h) is looked for: /run/netns/NAME, or the path itself. */
const char *netns_path(struct arena *a, const char *name);

/*
 * -ENOENT: there is no namespace of that name; any other code: it could not be looked at. ret_id may
 * be NULL.
 */
int netns_open(const char *name, int *ret_fd, struct netns_id *ret_id, struct error *e);

/* Holds the way back. Clean up with netns_leave, which is fine when nothing was entered. */
struct netns_guard {
	int home; /* our own namespace; -1: nothing was entered */
};

#define NETNS_GUARD_INIT   \
	{                  \
		.home = -1 \
	}

/*
 * Moves this thread into the namespace until netns_leave(); name NULL is our own and does nothing. Sockets
 * opened inside stay there. -ENOENT when there is no such namespace.
 */
int netns_enter(const char *name, struct netns_guard *g, struct error *e);
/* The process ends when there is no way back: everything it did afterwards would hit the wrong interfaces. */
void netns_leave(struct netns_guard *g);

/* Fills in netns: those that are asked for and those with a record, by name. */
int netns_observe(const struct kern_context *c, struct arena *a, const struct string_list *want,
		  struct observed *ret, struct error *e);

/* The record is a directory netns/NAME below ours: it outlives us and goes with the bpffs. */
int netns_record(const struct kern_context *c, struct arena *a, const char *name, struct error *e);
void netns_record_apply(const struct kern_context *c, struct arena *a, const struct op *op,
			struct op_result *ret);
void netns_forget_apply(const struct kern_context *c, struct arena *a, const struct op *op,
			struct op_result *ret);
