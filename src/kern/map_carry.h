/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* The values that global variables have in the version before, for the data section of a new one. Internal to kern. */
#pragma once

#include "kern/context.h"

struct bpf_object;

struct map_carried {
	size_t variables; /* that have their old value */
	size_t fresh; /* that the version before did not have, or that have a declared value, now or before */
};

/*
 * Writes the value of each variable of the pinned section fd into the initial value of the section of the object that has
 * the map's name. -EINVAL when a variable has another type there, or when types are not known; e names each.
 */
int map_carry(const struct op_object *op, struct bpf_object *object, const struct op_map *map,
	      int fd, struct map_carried *ret, struct error *e);
