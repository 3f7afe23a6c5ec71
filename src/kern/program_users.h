/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* How many references a BPF program has, wherever they are held. Internal to kern. */
#pragma once

#include <stdint.h>

#include "base/error.h"

struct program_users;

struct program_users *program_users_new(void);    /* loads nothing yet */
void program_users_free(struct program_users *u); /* NULL is fine */

/* 0 references: there is no such program. -EOPNOTSUPP: this kernel cannot tell. */
int program_users_count(struct program_users *u, uint32_t id, int64_t *ret, struct error *e);
