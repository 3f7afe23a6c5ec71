/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* What the tests of the configuration language have in common. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/arena.h"
#include "config/config.h"

#define NEW_ARENA(a) cleanup(arena_freep) struct arena *a = arena_new()

/* One file called "t.yaml"; the text may be anything. */
struct fragment *parse(struct arena *a, const char *text);

/* The same, which must be valid, merged alone. */
struct desired *declare(struct arena *a, const char *text);

/* The diagnostics as a person reads them. */
const char *format(struct arena *a, const struct diags *d);

/* Fails unless some diagnostic's message has this in it. */
void expect_diag(const struct diags *d, const char *part);

void expect_no_diags(const struct diags *d);
