/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* A set of numbers, for those that the kernel gives to programs, maps and links: filled, sorted once, then asked. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"

struct ids {
	LIST(uint32_t) list; /* after ids_sort() ascending, each once */
};

void ids_add(struct arena *a, struct ids *s, uint32_t id);
void ids_sort(struct ids *s);
bool ids_has(const struct ids *s, uint32_t id); /* of a sorted set */
