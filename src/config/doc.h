/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* The bytes of one YAML document as a tree of values with positions. */
#pragma once

#include "base/arena.h"
#include "config/diag.h"
#include "model/value.h"

/*
 * The tree is from a; path becomes its origin.file and is borrowed. NULL when there is no tree
 * to judge, and diags says why. Errors that leave a usable tree (a duplicate key, of which the
 * first stays, an anchor, a tag) are in diags beside it. A text of nothing but comments gives
 * VALUE_NULL.
 */
const struct value *doc_parse(struct arena *a, struct diags *diags, const char *path,
			      const char *text, size_t size);
