/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * How the maps of a file that is being loaded come by their contents: created, another object's, or taken over from
 * the version before (struct op_map). Internal to kern.
 */
#pragma once

#include <stdbool.h>

#include "base/str.h"
#include "kern/context.h"

struct bpf_map;
struct bpf_object;

struct object_map {
	struct bpf_map *map;
	const char *name;          /* of the ELF file; libbpf's own changes once a map is reused */
	const struct op_map *want; /* NULL: just created */
	int from;                  /* MAP_COPY: what is copied; else -1 */
	bool typed; /* it is created, and libbpf asks for the BTF types of its entries */
};

struct object_maps {
	const struct kern_context *c;
	struct arena *a;
	const struct op_object *op;
	struct bpf_object *object;
	LIST(struct object_map) list;
	struct strbuf note; /* what went over */
};

void object_maps_done(struct object_maps *m);

/* The bytes to open: those of the file, without what would fill a map again that is kept. */
const void *object_maps_bytes(struct arena *a, const struct op_object *op, const void *elf,
			      size_t size);

/*
 * Before loading: data sections get their values, and each map becomes what the operation says. Fills in m->list. On
 * failure ret has reason MapChanged, MapCreateFailed, LoadFailed or Vanished.
 */
int object_maps_prepare(struct object_maps *m, struct op_result *ret);

/*
 * After loading: whether a new map lacks the types that it could have. libbpf creates a map without them when the kernel
 * refused it for whatever reason, be it want of memory for a moment.
 */
bool object_maps_lost_types(const struct object_maps *m);

/*
 * After loading and before anything is pinned: the first sweep of each map that is copied. What went over becomes the
 * note of ret. Reason MapCopyFailed.
 */
int object_maps_copy(struct object_maps *m, struct op_result *ret);

/* After a refusal by the verifier: what of the maps may be behind it. */
void object_maps_explain(const struct object_maps *m, struct op_result *ret);
