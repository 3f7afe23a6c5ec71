/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* A failure stays a failure even if the caller read errno too late and found 0 there. */
static int negative(int code)
{
	return code < 0 ? code : -EIO;
}

/*
 * Stores text, of which n bytes were wanted, as one line. A text that was cut ends in
 * three dots, and is cut between characters of UTF-8, not within one.
 */
static void store(struct error *e, char text[ERROR_TEXT_MAX], size_t n)
{
	size_t end = MIN(n, (size_t)ERROR_TEXT_MAX - 1);

	if (n > end) {
		end -= 3;
		while (end > 0 && ((unsigned char)text[end] & 0xc0) == 0x80)
			end--;
		memcpy(text + end, "...", 4);
		end += 3;
	}
	for (size_t i = 0; i < end; i++)
		if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
			text[i] = ' ';
	while (end > 0 && text[end - 1] == ' ')
		end--;
	text[end] = '\0';
	memcpy(e->text, text, end + 1);
}

int error_set(struct error *e, int code, const char *fmt, ...)
{
	/* Not formatted in place: an argument may be e->text itself. */
	char text[ERROR_TEXT_MAX];
	va_list args;
	int n;

	code = negative(code);
	if (!e)
		return code;
	va_start(args, fmt);
	n = vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	e->code = code;
	store(e, text, n < 0 ? 0 : (size_t)n);
	return code;
}

int error_prefix(struct error *e, int code, const char *fmt, ...)
{
	char text[ERROR_TEXT_MAX];
	size_t used, n;
	va_list args;
	int r;

	code = negative(code);
	if (!e)
		return code;
	va_start(args, fmt);
	r = vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	n = r < 0 ? 0 : (size_t)r;
	used = MIN(n, sizeof(text) - 1);
	r = snprintf(text + used, sizeof(text) - used, ": %s", e->text);
	e->code = code;
	store(e, text, n + (r < 0 ? 0 : (size_t)r));
	return code;
}

const char *error_string(int code)
{
	/* 4095 is the kernel's MAX_ERRNO; what is beyond stays negative, which no table knows. */
	const char *s = strerrordesc_np(code < 0 && code >= -4095 ? -code : code);

	return s ? s : "Unknown error";
}
