/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Checked conversion of text to numbers: the whole string is one, or the result is -EINVAL;
 * -ERANGE beyond the type or the bound (which a negative number for an unsigned type is). A
 * leading zero means nothing. On failure *ret is left alone.
 */
#pragma once

#include <stdint.h>

/* Decimal with or without a sign, 0x…, 0o… (the core schema of YAML 1.2). */
int num_parse_u64(const char *s, uint64_t *ret);
int num_parse_i64(const char *s, int64_t *ret);
int num_parse_u32(const char *s, uint32_t max, uint32_t *ret);
