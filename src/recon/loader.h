/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * From directories to one desired state: reads, parses, merges and judges, and
 * puts the last good version in the place of a file that exists and is invalid. The
 * daemon, `--once`, `check` and `plan` all come through here.
 */
#pragma once

#include "base/hash.h"
#include "config/config.h"
#include "kern/source.h"

struct loader_options {
	struct string_list directories; /* by precedence */
	const char *settings_path;      /* bpfshared.yaml; need not exist */
	bool settings_required;         /* it was named on the command line */
	const char *state_dir; /* where last good versions are; NULL: read none, keep none */
	bool any_owner;        /* skip the trust rules */
	const struct source_overlay *overlay; /* NULL: none */
};

struct loader;

/* One configuration as one consistent read gave it. Owns its arena and the open directories. */
struct generation {
	struct arena *arena;
	struct source *source;
	struct loader *loader;
	struct desired desired;
	struct settings settings;
	const char *settings_text; /* of valid settings that a file gave, to be kept; else NULL */
	size_t settings_size;
	struct diags diags;  /* of all files, settings and object files, in that order */
	const char *trouble; /* the settings are at fault: their last good version is in force */
	char places[SHA256_HEX]; /* hash of the paths of all files, which the generation leaves out */
	const char *
		unknown; /* a directory could not be read: nothing may be concluded from its silence */
	bool doubted; /* of one that was unknown something is still missing: no removal goes without the operator's word */
};

int loader_new(const struct loader_options *o, struct loader **ret, struct error *e);
void loader_free(struct loader *l);

/*
 * Reads everything anew. Files with faults are no error: they show in desired.files
 * and diags. owners: the names in force and their files, see config_merge().
 */
int loader_load(struct loader *l, const struct name_owner *owners, size_t owner_count,
		struct generation **ret, struct error *e);
void generation_free(struct generation *g);

static inline void generation_freep(struct generation **g)
{
	generation_free(*g);
}

/* The operator's word was given: whatever directories that were unknown lack now is not wanted. */
void loader_trust(struct loader *l);

/*
 * After a pass: lets go of the directories of configuration and state, so that their file systems can be unmounted.
 * They are opened anew when something is needed of them.
 */
void generation_rest(struct generation *g);

/* The content of an object's ELF file, which must still hash to decl->source->sha256; for kern_linux_options.fetch. */
int generation_fetch(struct generation *g, const struct object_decl *decl, struct source_blob *ret,
		     struct error *e);

/*
 * Stores what is valid in g as last good and forgets files that are gone, unless a directory could not be
 * read. On an error (a store that cannot be opened or written) this process still remembers all of it, and
 * what was stored before stays; the next call tries again. refused: names of objects whose files the kernel
 * does not take, so that what is kept of them is still the last that was good.
 */
int generation_keep(struct generation *g, const struct string_list *refused, struct error *e);

/*
 * The kernel does not take what the object's file (declared in g) has by now. True: an earlier content is
 * kept, and from the next load on that is what is wanted, until the file changes or loader_forgive().
 */
bool loader_refuse(struct generation *g, const struct object_decl *o, const char *reason,
		   const char *message);
void loader_forgive(struct loader *l);
