/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * A YAML value that remembers where it was written. Lives in the arena of its
 * configuration generation. Plain scalars are typed by the YAML 1.2 core schema.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct origin {
	const char *file;          /* as the user knows it; NULL: from no file */
	unsigned int line, column; /* from 1; 0: the file as a whole */
};

enum value_kind {
	VALUE_NULL,
	VALUE_BOOL,
	VALUE_INTEGER,
	VALUE_FLOAT,
	VALUE_STRING,
	VALUE_LIST,
	VALUE_MAPPING,
	VALUE_KIND_COUNT,
};

struct value {
	enum value_kind kind;
	struct origin origin;
	const char *text; /* scalars: as written; never NULL for a scalar */
	bool quoted;      /* scalars: written in quotes or as a block */
	bool boolean;
	bool negative; /* integers: sign and magnitude, so that u64 and s64 both fit */
	uint64_t magnitude;
	double number;       /* floats */
	struct value *items; /* lists: elements; mappings: values, in order of the file */
	struct value *keys;  /* mappings: the keys, always scalars */
	size_t n;
};

const char *value_kind_name(enum value_kind kind); /* "a string", "a list", … for messages */

/* The value of a key of a mapping, NULL when absent or when v is no mapping. */
const struct value *value_get(const struct value *v, const char *key);
