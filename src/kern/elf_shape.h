/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* Types of BTF as shapes of variables and as hashes. Internal to elf_reader. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <bpf/btf.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/hash.h"
#include "model/elf.h"

/*
 * -EINVAL if a chain of typedefs and qualifiers does not end soon (libraries, this code
 * included, follow such chains without counting) or if there are too many variables. Everything
 * below wants a BTF that passed.
 */
int btf_check(const struct btf *btf, struct error *e);

struct shapes;

struct shapes *shapes_new(struct arena *a, const struct btf *btf);

/*
 * Never NULL: SHAPE_UNSUPPORTED for what cannot be given in a configuration file, and for type 0.
 * The parts of any other shape are within its size.
 */
const struct shape *shape_of(struct shapes *s, uint32_t type);

/*
 * Hash of the layouts of key and value (0: none) with the names of members; without typedefs
 * and qualifiers, which change nothing of what the bytes mean. Both 0 gives "".
 */
void btf_hash_map(const struct btf *btf, uint32_t key, uint32_t value, char ret_hex[SHA256_HEX]);

/* Whether values of this type have parts that user space cannot read and write back (elf_map.opaque). */
bool btf_is_opaque(const struct btf *btf, uint32_t type);
