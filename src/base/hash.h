/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* SHA-256 (FIPS 180-4) by libcrypto; names what two builds of a thing have in common. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define SHA256_SIZE 32
#define SHA256_HEX  65 /* with the final NUL */

struct hasher;

struct hasher *hasher_new(void);
void hasher_add(struct hasher *h, const void *data, size_t n);
/*
 * Adds the length first, so that neighbouring fields cannot run into each other; NULL
 * differs from "".
 */
void hasher_add_field(struct hasher *h, const char *s);
void hasher_finish(struct hasher *h, char ret_hex[SHA256_HEX]); /* frees h */

void hash_bytes(const void *data, size_t n, char ret_hex[SHA256_HEX]);
