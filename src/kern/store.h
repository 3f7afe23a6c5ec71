/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Last good versions: per configuration file its text and the object files that it named,
 * as they were when all was well. A source of desired state only, for a file that exists
 * and is invalid. One writer at a time (the daemon's lock sees to that).
 *
 *   DIR/files/SHA256-OF-PATH   the text, and path and hash of each object
 *   DIR/objects/SHA256         the object files, by content
 */
#pragma once

#include "base/arena.h"
#include "base/error.h"
#include "base/hash.h"
#include "kern/source.h"
#include "model/desired.h"

struct store;

struct store_object {
	const char *path; /* as the file names it: what the parsed text is matched with */
	char sha256[SHA256_HEX];
	const void *data; /* store_save: the content; NULL if it is known to be stored. Else NULL */
	size_t size;
};

struct store_entry {
	const char *path; /* of the configuration file */
	const char *text;
	size_t size;
	struct store_object *objects;
	size_t object_count;
};

/*
 * dir and what is missing above it are created, dir with mode 0700. -EPERM when somebody else
 * than the caller can write to it: what is kept there is loaded with the daemon's rights.
 */
int store_open(const char *dir, struct store **ret, struct error *e);
void store_free(struct store *s); /* NULL is fine */
/* Whether its directories are still the ones at their path: else free it and open it anew. */
bool store_is_current(const struct store *s);

/*
 * Makes the entry the last good version of its path, objects first; it is on the disk
 * when this returns 0. On failure (full disk, …) the version before stays. Writes nothing when
 * nothing changed.
 */
int store_save(struct store *s, const struct store_entry *entry, struct error *e);

/*
 * The result is from a. -ENOENT: none is kept. What cannot be used is to be treated as none: -EBADMSG:
 * damaged; -EPERM: others can write to it; -EOPNOTSUPP: kept by a newer bpfshare.
 */
int store_load(const struct store *s, struct arena *a, const char *path, struct store_entry *ret,
	       struct error *e);

/* Whether there is a copy, in whatever condition. */
bool store_has_object(const struct store *s, const char *sha256);

/* Free ret with source_blob_done. -ENOENT, -EBADMSG as above; a damaged copy is removed. */
int store_load_object(const struct store *s, const char *sha256, struct source_blob *ret,
		      struct error *e);

/*
 * Drops the entries of all other paths, and the objects that no entry refers to any more. Leaves
 * alone what bpfshare did not put there.
 */
int store_retain(struct store *s, const struct string_list *paths, struct error *e);
