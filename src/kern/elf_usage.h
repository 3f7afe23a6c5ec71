/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* Which maps a program can reach, from calls and relocations. Internal to elf_reader. */
#pragma once

#include "base/arena.h"
#include "base/error.h"
#include "kern/elf_image.h"
#include "model/elf.h"

/*
 * Fills in maps, map_count and needed of the object's programs, and filled of its maps; all names must be set.
 * Indirect uses count: through functions called or passed as callbacks, and through
 * programs and maps that a map is statically filled with. -EINVAL: calls without end.
 */
int elf_usage_fill(struct arena *a, const struct elf_image *image, struct elf_object *object,
		   struct error *e);
