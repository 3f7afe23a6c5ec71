/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * What the kernel cannot tell about its own objects, kept next to the pins in a
 * frozen array of one entry: a header (magic, layout version, length) and lines of
 * "key=value", values percent-escaped. Unknown keys are skipped, so that a field may be added;
 * a higher layout version is refused.
 */
#pragma once

#include "base/arena.h"
#include "base/error.h"
#include "model/names.h"

#define META_MAGIC "BPFSHARE"

struct meta_map {
	const char *name, *btf_hash;
	const char *use; /* "INSTANCE/MAP" when it is another object's map, else NULL */
	/*
	 * The version that created it: an earlier one where the map was kept. Never NULL after decoding
	 * (metadata without it: the object's own version).
	 */
	const char *born;
	const char *from; /* the version whose entries were copied into it; NULL: none */
	const char *
		values; /* of a data section: what the declaration sets there, as plan writes it; "" */
	/* Names of a data section's variables, sorted, by spaces. NULL: not known, or too many. */
	const char *variables;
	bool known;           /* the two below are: older metadata lacks them */
	uint32_t max_entries; /* as it was asked for: the kernel rounds some types */
	uint32_t flags;       /* likewise: the kernel adds some */
};

struct meta_object {
	const char *instance;  /* "fwd" or "fwd@eth0" */
	const char *object;    /* name of the declaration */
	const char *interface; /* of an instance per interface, else NULL */
	const char *version;   /* name of its directory */
	const char *origin;    /* "file:line" of the declaration */
	const char *elf_path, *elf_sha256;
	const char *declaration; /* hash of the effective declaration */
	/*
	 * Files that were in force before this one, the last one first: the first digits of their SHA-256, by
	 * spaces, as plan writes it. NULL or "": none that is known.
	 */
	const char *ancestors;
	uint64_t loaded_ns; /* CLOCK_BOOTTIME, for "newest" */
	bool frags;
	const char **programs; /* functions, sorted */
	struct meta_map *maps; /* sorted by name */
	size_t program_count, map_count;
};

struct meta_member {
	const char *instance, *program; /* not the version: a slot can be replaced in place */
	uint32_t priority;              /* declared; of a foreign member its run priority */
	uint32_t proceed_on;   /* of a foreign member the chain call actions, all 31 bits of them */
	uint32_t id;           /* of a foreign member (instance ""): its program; 0: one of ours */
	uint32_t run_priority; /* MECHANISM_LIBXDP: written into the dispatcher */
	bool required;         /* drop when the slot cannot run */
	/* MECHANISM_LIBXDP: */
	bool frags;  /* takes multi-buffer packets by its own flag; goes into program_flags */
	bool absent; /* it had no version: a program of ours that drops is in its slot */
};

struct meta_chain {
	enum hook hook;
	enum mechanism mechanism; /* MECHANISM_TAILCALL or MECHANISM_LIBXDP */
	uint32_t protocol;        /* version of libxdp's structure; 0 without */
	const char *signature;    /* hash of what the dispatcher was built for */
	const char *origin;
	bool frags;
	struct meta_member *members; /* by slot */
	size_t member_count;
};

/* The value to store; its length goes to *ret_size. From the arena. */
const void *meta_object_encode(struct arena *a, const struct meta_object *m, size_t *ret_size);
const void *meta_chain_encode(struct arena *a, const struct meta_chain *m, size_t *ret_size);

/* The version of the layout by which a value was stored, whether it can be decoded or not; 0: it is none. */
uint32_t meta_layout(const void *data, size_t size);

/* -EBADMSG: not ours or damaged; -EOPNOTSUPP: written by a newer layout. Strings go to the arena. */
int meta_object_decode(struct arena *a, const void *data, size_t size, struct meta_object *ret,
		       struct error *e);
int meta_chain_decode(struct arena *a, const void *data, size_t size, struct meta_chain *ret,
		      struct error *e);
