/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
#include "base/str.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"

/* No key, map or object name is longer; longer words are nobody's typing error. */
#define SUGGEST_WORD_MAX 64

bool str_eq(const char *a, const char *b)
{
	return str_cmp(a, b) == 0;
}

bool str_starts(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

bool str_ends(const char *s, const char *suffix)
{
	size_t n = strlen(s), m = strlen(suffix);

	return n >= m && memcmp(s + n - m, suffix, m) == 0;
}

int str_cmp(const char *a, const char *b)
{
	if (!a || !b)
		return (a ? 1 : 0) - (b ? 1 : 0);
	return strcmp(a, b);
}

/*
 * Whether c is in the bracket expression at p, which points behind '['. Gives the end of
 * the expression, or NULL if it is not closed and '[' therefore stands for itself. As in
 * the shell a ']' in first place is a member.
 */
static const char *match_bracket(const char *p, char c, bool *ret_match)
{
	bool negated = *p == '!' || *p == '^', match = false;
	const char *first = p + (negated ? 1 : 0);

	for (p = first; *p && (*p != ']' || p == first); p++) {
		unsigned char low = (unsigned char)*p, high = low;

		if (p[1] == '-' && p[2] && p[2] != ']') {
			high = (unsigned char)p[2];
			p += 2;
		}
		match |= (unsigned char)c >= low && (unsigned char)c <= high;
	}
	*ret_match = match != negated;
	return *p ? p + 1 : NULL;
}

/* One pattern element other than '*' against one character; the rest of the pattern or NULL. */
static const char *match_one(const char *pattern, char c)
{
	const char *end;
	bool match;

	if (*pattern == '?')
		return pattern + 1;
	if (*pattern == '[') {
		end = match_bracket(pattern + 1, c, &match);
		if (end)
			return match ? end : NULL;
	}
	return *pattern == c ? pattern + 1 : NULL;
}

/*
 * Only the last '*' is ever retried: what an earlier one matched can stay as short as it
 * is. That bounds the time by the product of the lengths, for any pattern.
 */
bool str_glob(const char *pattern, const char *s)
{
	const char *star = NULL, *retry = NULL;

	while (*s) {
		const char *next;

		if (*pattern == '*') {
			star = ++pattern;
			retry = s;
			continue;
		}
		next = *pattern ? match_one(pattern, *s) : NULL;
		if (next) {
			pattern = next;
			s++;
		} else if (star) {
			pattern = star;
			s = ++retry;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return !*pattern;
}

bool str_is_glob(const char *s)
{
	return strpbrk(s, "*?[") != NULL;
}

static char fold(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/*
 * Optimal string alignment distance, row by row; case does not count. Both words are at
 * most SUGGEST_WORD_MAX long.
 */
static size_t edit_distance(const char *a, const char *b)
{
	size_t rows[3][SUGGEST_WORD_MAX + 1], m = strlen(b), i, j;
	size_t *before = rows[0], *above = rows[1], *row = rows[2];

	for (j = 0; j <= m; j++)
		above[j] = j;
	for (i = 1; a[i - 1]; i++) {
		size_t *oldest = before;

		row[0] = i;
		for (j = 1; j <= m; j++) {
			size_t changed = fold(a[i - 1]) != fold(b[j - 1]) ? 1 : 0;

			row[j] = MIN(above[j - 1] + changed, MIN(above[j], row[j - 1]) + 1);
			if (i > 1 && j > 1 && fold(a[i - 1]) == fold(b[j - 2]) &&
			    fold(a[i - 2]) == fold(b[j - 1]))
				row[j] = MIN(row[j], before[j - 2] + 1);
		}
		before = above;
		above = row;
		row = oldest;
	}
	return above[m];
}

const char *str_suggest(const char *word, const char *const *candidates, size_t n)
{
	size_t len = strlen(word), best = SIZE_MAX;
	const char *nearest = NULL;

	if (len == 0 || len > SUGGEST_WORD_MAX)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		size_t candidate_len = strlen(candidates[i]), distance;

		if (candidate_len == 0 || candidate_len > SUGGEST_WORD_MAX)
			continue;
		distance = edit_distance(word, candidates[i]);
		/* About one slip in three letters; beyond that the guess would only confuse. */
		if (distance < best &&
		    distance <= MIN((MAX(len, candidate_len) + 1) / 3, (size_t)4)) {
			best = distance;
			nearest = candidates[i];
		}
	}
	return nearest;
}

void strbuf_done(struct strbuf *b)
{
	free(b->s);
	*b = (struct strbuf){ 0 };
}

/* Makes room for n bytes more and the final NUL. */
static void reserve(struct strbuf *b, size_t n)
{
	size_t cap = MAX(b->cap, (size_t)64);

	if (n > SIZE_MAX / 2 - b->len - 1)
		abort();
	if (b->len + n < b->cap)
		return;
	while (cap <= b->len + n)
		cap *= 2;
	b->s = xrealloc(b->s, cap);
	b->cap = cap;
}

void strbuf_addn(struct strbuf *b, const void *data, size_t n)
{
	reserve(b, n);
	if (n)
		memcpy(b->s + b->len, data, n);
	b->len += n;
	b->s[b->len] = '\0';
}

void strbuf_add(struct strbuf *b, const char *s)
{
	strbuf_addn(b, s, strlen(s));
}

void strbuf_addc(struct strbuf *b, char c)
{
	strbuf_addn(b, &c, 1);
}

void strbuf_addf(struct strbuf *b, const char *fmt, ...)
{
	va_list args, again;
	int n;

	va_start(args, fmt);
	va_copy(again, args);
	n = vsnprintf(NULL, 0, fmt, args);
	va_end(args);
	if (n < 0)
		abort();
	reserve(b, (size_t)n);
	(void)vsnprintf(b->s + b->len, (size_t)n + 1, fmt, again);
	va_end(again);
	b->len += (size_t)n;
}

void strbuf_pad(struct strbuf *b, size_t column)
{
	const char *text = strbuf_get(b);
	const char *line = strrchr(text, '\n');
	size_t width = 0;

	/* Characters of UTF-8, not bytes: tables hold names with umlauts as well. */
	for (const char *c = line ? line + 1 : text; *c; c++)
		width += ((unsigned char)*c & 0xc0) != 0x80 ? 1 : 0;
	for (; width < column; width++)
		strbuf_addc(b, ' ');
}

char *strbuf_take(struct strbuf *b)
{
	char *s = b->s ? b->s : xstrdup("");

	*b = (struct strbuf){ 0 };
	return s;
}

const char *strbuf_get(const struct strbuf *b)
{
	return b->s ? b->s : "";
}
