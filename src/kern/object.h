/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* What loading an object file for the first time, and again as freplace programs, have in common. Internal to kern. */
#pragma once

#include "kern/context.h"

struct bpf_map;
struct bpf_object;

/* Opens the bytes by libbpf; reason LoadFailed. */
int object_open(const struct op_object *op, const void *elf, size_t size,
		struct bpf_object **ret_object, struct op_result *ret);

/* The name of a map in the ELF file. */
const char *object_map_name(struct arena *a, const struct bpf_map *map);

/* Makes map the one that is pinned at use; the verifier would look only at what the program does with it. */
int object_reuse_map(const struct kern_context *c, struct arena *a, struct bpf_map *map,
		     const struct map_ref *use, struct error *e);
/* The same by a descriptor, which stays the caller's. -EINVAL: it is another kind of map. */
int object_reuse_fd(struct arena *a, struct bpf_map *map, int fd, struct error *e);

/* Whether the operation names that function. */
bool object_wants(const struct op_object *op, const char *function);

/*
 * Removes what is ours of one version's directory, and of its instance's with the last one, or (version "") that one
 * alone. What others have there stays, and the directory with it.
 */
int object_remove_version(const struct kern_context *c, struct arena *a, const struct op_object *o,
			  struct error *e);
/* Before a load: there is no directory of this name any more. One in which others have something gets another. */
int object_make_room(const struct kern_context *c, struct arena *a, const struct op_object *o,
		     struct error *e);
