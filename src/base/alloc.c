/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
#include "base/alloc.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void *xcalloc(size_t count, size_t size)
{
	/* A size of 0 may give NULL by the standard, which would look like a failure. */
	void *p = calloc(MAX(count, (size_t)1), MAX(size, (size_t)1));

	if (!p)
		abort();
	return p;
}

void *xrealloc(void *p, size_t size)
{
	p = realloc(p, MAX(size, (size_t)1));
	if (!p)
		abort();
	return p;
}

char *xstrdup(const char *s)
{
	char *copy = strdup(s);

	if (!copy)
		abort();
	return copy;
}

char *xvasprintf(const char *fmt, va_list args)
{
	char *s;

	if (vasprintf(&s, fmt, args) < 0)
		abort();
	return s;
}

char *xasprintf(const char *fmt, ...)
{
	va_list args;
	char *s;

	va_start(args, fmt);
	s = xvasprintf(fmt, args);
	va_end(args);
	return s;
}
