/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* Text: comparison, a growing buffer, globs and the guess behind "did you mean". */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/macros.h"

bool str_eq(const char *a, const char *b); /* NULL equals only NULL */
bool str_starts(const char *s, const char *prefix);
bool str_ends(const char *s, const char *suffix);
int str_cmp(const char *a, const char *b); /* strcmp; NULL sorts first */

/*
 * Shell pattern against the whole of s: * ? [ab] [a-z] [!a]; no special treatment of '/', '.'
 * and '\' (a '*' itself is [*]); a '[' that nothing closes stands for itself.
 */
bool str_glob(const char *pattern, const char *s);
bool str_is_glob(const char *s);

/*
 * The candidate nearest to word by edit distance (transpositions count once, case does not
 * count, the first of equals wins), or NULL when none is near enough to be worth a guess.
 */
const char *str_suggest(const char *word, const char *const *candidates, size_t n);

/* A growing buffer; always NUL-terminated once anything was added. Zero-initialise. */
struct strbuf {
	char *s;
	size_t len, cap;
};

void strbuf_done(struct strbuf *b);
void strbuf_add(struct strbuf *b, const char *s);
void strbuf_addn(struct strbuf *b, const void *data, size_t n);
void strbuf_addc(struct strbuf *b, char c);
void strbuf_addf(struct strbuf *b, const char *fmt, ...) printf_like(2, 3);
void strbuf_pad(struct strbuf *b, size_t column); /* blanks up to this column of the last line */
char *strbuf_take(struct strbuf *b);              /* the text (never NULL, free() it) */
const char *strbuf_get(const struct strbuf *b);   /* the text, "" if nothing was added */
