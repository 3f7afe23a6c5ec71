/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * What was read of the directories objects/INSTANCE, for as long as they are the same. With 1,000 instances
 * opening each pin and asking what it is takes most of a pass, and hardly ever has another answer.
 *
 * Nothing here is believed that the kernel does not say again in each pass. A file of bpffs stands for one
 * object from its creation to its end, and what is kept of the object never changes: of a map id, type and
 * sizes, of a frozen map its contents, of a program id, type, tag and the maps that it was loaded with. Which
 * files a directory has is told by its change time, which every making, removing and renaming of a name in it
 * moves. So device, inode and change time of all directories of an instance are compared. As the clock behind
 * change times is coarse, a directory that changed in the very tick in which it was read is read again.
 *
 * Only run counts move; they are read anew while the kernel counts. Internal to kern.
 */
#pragma once

#include "kern/context.h"

struct object_cache;
struct object_record; /* of one instance */

struct object_cache *object_cache_new(void);
void object_cache_free(struct object_cache *k); /* NULL is fine */

/* One look at all instances, whose directories must be asked for in ascending order of names. */
struct object_scan;

/* root: path of objects/; a: of the observation. What is not asked for until the end is forgotten. */
struct object_scan *object_scan_begin(struct object_cache *k, struct arena *a, const char *root);
void object_scan_end(struct object_scan *s);

/* One instance's versions. */
struct object_versions {
	struct observed_object *v;
	size_t n;
};

/*
 * True: the instance is known and still as it was; *ret is good as long as the arena. False: it is to be read, and a record
 * of that to be made: its directories are looked at by object_record_new() and, for each version, by
 * object_record_add() before anything in them is; object_record_meta() belongs to the version added last.
 */
bool object_scan_find(struct object_scan *s, const char *name, struct object_versions *ret);
struct object_record *object_record_new(struct object_scan *s, const char *name);
void object_record_reserve(struct object_record *r,
			   size_t most); /* once, before the first version */
void object_record_add(struct object_record *r, const char *version);
/* data stays the caller's, and there until object_record_keep(). */
void object_record_meta(struct object_record *r, const void *data, size_t size);
/* What was read, version by version as they were added; one that lacks pins is read again each time. */
void object_record_keep(struct object_record *r, const struct observed_object *v, size_t n);
