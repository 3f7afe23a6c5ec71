/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* Heap memory for what outlives a pass; these abort instead of returning NULL. */
#pragma once

#include <stdarg.h>
#include <stddef.h>

#include "base/macros.h"

void *xcalloc(size_t count, size_t size);
void *xrealloc(void *p, size_t size);
char *xstrdup(const char *s);
char *xasprintf(const char *fmt, ...) printf_like(1, 2);
char *xvasprintf(const char *fmt, va_list args) printf_like(1, 0);

#define xnew(type) ((type *)xcalloc(1, sizeof(type)))
