/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* One configuration directory: where its files are and what they are called. Internal to source. */
#pragma once

#include "kern/source.h"
#include "kern/source_walk.h"

struct source_entry {
	const char *name;
	size_t directory;
	bool is_file;        /* false: nothing that is ever read, see message */
	const char *message; /* why it is ignored, or why it is not read */
	const char *hint;
};

struct source_entries {
	LIST(struct source_entry) list;
};

struct source_place {
	struct place top;   /* the directory itself */
	struct place files; /* where its files are read: what ..data leads to, or a copy of top */
	bool has_data;      /* ..data is there */
	struct stat data;   /* what it leads to, all zero if nowhere */
};

void source_place_done(struct source_place *p);

/* path as configured. -ENOENT: absent; else -errno; with a complaint. */
int source_place_open(struct walker *w, const char *path, struct source_place *p,
		      struct complaint *why);

/*
 * Opens a directory (path as configured) and appends its entries, in no order. What is wrong
 * with the directory as a whole goes to ret_state, and then there are no entries.
 */
void source_place_read(struct walker *w, const char *path, size_t index, struct source_place *p,
		       struct source_entries *entries, struct source_directory *ret_state);

/* Whether ..data leads somewhere else than when the directory was opened. */
bool source_place_moved(const struct source_place *p);
