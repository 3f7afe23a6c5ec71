/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* What the two halves of the loader share: loader.c reads, last_good.c remembers and keeps. */
#pragma once

#include "kern/store.h"
#include "recon/directories.h"
#include "recon/loader.h"

/* What a valid file said last, for as long as this process lives; the store is for the next one. */
struct remembered {
	char *path, *text;
	size_t size;
	uint64_t seen; /* load in which the file existed */
};

/* What the kernel did not take for an object. */
struct refused {
	char *object, *reason, *message;
	char sha256[SHA256_HEX];
};

struct loader {
	struct loader_options options;
	struct store *store; /* NULL: none is wanted, or it cannot be opened */
	char *store_trouble; /* why it cannot be opened; NULL: it is, or none is wanted */
	struct remembered *v;
	size_t n, cap;
	/* Object files that this process has put into the store, or found whole there. */
	char (*stored)[SHA256_HEX];
	size_t stored_count, stored_cap;
	struct refused *refused;
	size_t refused_count;
	uint64_t loads;
	struct seen *seen; /* by directory */
};

int loader_open_store(struct loader *l, struct error *e);
/* What the file said last while it was valid, in this process; NULL: nothing. */
struct remembered *remembered_find(struct loader *l, const char *path);

const struct refused *refused_find(const struct loader *l, const char *object, const char *sha256);

/* The content is not what the declaration asks for, or there is none. */
bool source_is_faulty(const struct object_decl *o, const struct object_source *s);
