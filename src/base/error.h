/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * A failure that a person will read. Functions return 0 or -errno; where the
 * text matters, their last parameter is a struct error, which may be NULL and is
 * written if and only if the result is negative. The layer that meets the failure
 * sets it, each layer above adds its context once with error_prefix().
 */
#pragma once

#include "base/macros.h"

#define ERROR_TEXT_MAX 1024

struct error {
	int code;                  /* -errno, 0 while nothing happened */
	char text[ERROR_TEXT_MAX]; /* one line, no final full stop */
};

/*
 * Formats the text and returns code, which must be negative; e may be NULL. Control characters
 * become blanks, a text that is too long ends in "..."; arguments may point into e->text.
 */
int error_set(struct error *e, int code, const char *fmt, ...) printf_like(3, 4);

/* Puts "<context>: " before the text and returns code. */
int error_prefix(struct error *e, int code, const char *fmt, ...) printf_like(3, 4);

/* The C library's sentence for -errno or errno; static storage, thread-safe. */
const char *error_string(int code);
