/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* All entries of a map, by system calls, while programs go on using it. Internal to kern. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

struct map_reader {
	int fd; /* the caller's */
	uint32_t id, type, key_size, max_entries, flags;
	uint32_t value_size; /* as system calls have it: of a per-CPU map the values of all possible CPUs */
	bool locked; /* values have a spin lock, so they are read and written as a whole by BPF_F_LOCK */
	bool is_array;        /* every key below max_entries is there, always */
	uint64_t deadline_ns; /* CLOCK_MONOTONIC: -ETIMEDOUT after that */
};

/* -EOPNOTSUPP: entries of this type of map cannot be read. */
int map_reader_init(struct map_reader *r, int fd, uint64_t deadline_ns, struct error *e);

/* Some entries, whose keys and values lie one behind the other. 0, or -errno, which ends the reading. */
typedef int map_visit(void *arg, const unsigned char *keys, const unsigned char *values,
		      uint32_t count, struct error *e);

/*
 * Calls visit until it had each entry. Those that are there all the time are visited, of a trie perhaps more than
 * once; visit may delete what it is given.
 */
int map_read(const struct map_reader *r, map_visit *visit, void *arg, struct error *e);

uint64_t map_now_ns(void); /* CLOCK_MONOTONIC */
