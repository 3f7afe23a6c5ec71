/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Two versions of an object "o", of whose maps the second one has something. Those of version "v1" are the ones that
 * are taken over.
 */
#pragma once

#include <linux/bpf.h>

#include "fixture.h"

extern const char *const take_over_programs[]; /* of test_take_over, NULL-terminated */

void must(long r, const char *what);
#define MUST(call) must((call), #call)

/* The pinned map; fails the test if there is none. */
int map_fd(const char *version, const char *map);
struct bpf_map_info map_info(const char *version, const char *map);

/* Loads the programs of bpf/FILE.bpf.o as that version; with no map taken over. */
struct op load_version(const char *version, const char *file, const char *const *programs);
void load_first(void); /* test_take_over, as v1 */
/* Lets a map of the operation come from the one of v1; what else there is to say, the caller adds. */
struct op_map *take(struct op *op, const char *map, enum map_action action);

/* Runs a program once on an empty packet; yields the verdict. */
uint32_t run(const char *version, const char *function);

/* Maps with keys of 4 and values of 8 bytes. */
uint64_t value_of(const char *version, const char *map, uint32_t key);
void put(const char *version, const char *map, uint32_t key, uint64_t value);
