/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* What an object file fills its maps with at first, taken out of its bytes. Internal to kern. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"

/*
 * A copy of bytes that elf_read() accepted, by which libbpf fills no map for which drop() says so: neither program
 * arrays with programs that are not loaded now, nor maps of maps that hold something else by now. From the arena.
 */
void *object_without_fill(struct arena *a, const void *elf, size_t size,
			  bool (*drop)(void *arg, const char *map), void *arg);
