/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Pins that somebody deleted or replaced: what they were for is found in the descriptors of this daemon
 * (keep.h) or, by a daemon that was not there when it happened, by the kernel's ids (object_recover.c). It is
 * observed as if it were pinned, and listed as lost. Internal to kern.
 */
#pragma once

#include "kern/context.h"

/* One directory of ours while its pins are looked at. */
struct recover {
	const struct kern_context *c;
	struct arena *a;
	const char *directory; /* relative to ours */
	LIST(struct observed_lost) lost;
};

/*
 * A descriptor of what is or was pinned as name below the directory ("programs/count"; "": the directory's own
 * path). 1: opened, 0: there is nothing, or something else that is not known to be wrong.
 */
int recover_open(struct recover *r, const char *name, enum pin_type type, int *ret_fd,
		 struct error *e);
/* What is pinned at path is not what belongs there. */
void recover_add(struct recover *r, const char *name, enum pin_type type, uint32_t id,
		 bool replaced);
/* The same if it is not, for what was found without a look at its pin. */
void recover_add_unless_pinned(struct recover *r, const char *name, enum pin_type type,
			       uint32_t id);

/* OP_PIN_RESTORE */
void recover_apply(const struct kern_context *c, struct arena *a, const struct op *op,
		   struct op_result *ret);

/*
 * object_recover.c: versions of objects whose programs run though pins of them are gone, from the metadata that
 * programs are bound to. Looks through all programs, but only if something is missing. True: found some.
 */
int object_recover(const struct kern_context *c, struct arena *a, struct observed *o,
		   bool *ret_found, struct error *e);
/* object_observe.c: what lies in the directory of a version whose metadata is known, without being of it. */
int object_observe_foreign(const struct kern_context *c, struct arena *a, struct observed_object *o,
			   struct error *e);
