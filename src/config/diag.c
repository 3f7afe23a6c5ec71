/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
#include "config/diag.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "config/utf8.h"

/* A line up to this many characters is shown whole; of a longer one, so many around the column. */
#define LINE_SHOWN  100
#define QUOTE_SHOWN 60

static const char *const level_names[] = {
	[DIAG_ERROR] = "error",
	[DIAG_WARNING] = "warning",
	[DIAG_NOTE] = "note",
};

void diags_init(struct diags *d, struct arena *a)
{
	*d = (struct diags){ .arena = a };
}

void diags_add_text(struct diags *d, const char *path, const char *text, size_t size)
{
	*LIST_ADD(d->arena, &d->texts) =
		(struct diag_text){ .path = path, .text = text, .size = size };
}

/* Bytes of the character at p, at least one: what is no character counts as one per byte. */
static size_t step(const char *p, size_t n)
{
	uint32_t c;
	size_t len = utf8_decode(p, n, &c);

	return len ? len : 1;
}

/* The line with this number; its length without the end of line. NULL if there is none. */
static const char *find_line(const struct diag_text *t, unsigned int number, size_t *ret_length)
{
	const char *p = t->text, *end = t->text + t->size;
	size_t n = 0;

	/* The byte order mark is no character of the first line. */
	if (t->size >= 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0)
		p += 3;
	for (; number > 1 && p < end; p++) {
		if (*p == '\n' || (*p == '\r' && (p + 1 == end || p[1] != '\n')))
			number--;
	}
	if (number != 1)
		return NULL;
	while (p + n < end && p[n] != '\n' && p[n] != '\r')
		n++;
	*ret_length = n;
	return p;
}

/* Sets line and caret; a line of a megabyte must not be copied for each of its faults. */
static void show_line(struct arena *a, const char *line, size_t n, struct diag *ret)
{
	size_t before = ret->origin.column ? ret->origin.column - 1 : 0, count = 0, from, i = 0;
	cleanup(strbuf_done) struct strbuf b = { 0 };

	for (size_t at = 0; at < n; at += step(line + at, n - at))
		count++;
	before = MIN(before, count);
	from = count > LINE_SHOWN && before > LINE_SHOWN / 2 ? before - LINE_SHOWN / 2 : 0;
	for (size_t skip = 0; skip < from; skip++)
		i += step(line + i, n - i);
	if (from)
		strbuf_add(&b, "...");
	ret->caret = (unsigned int)(before - from + (from ? 3 : 0));
	for (size_t shown = 0; i < n && shown < LINE_SHOWN; shown++) {
		size_t len = step(line + i, n - i);

		utf8_add_safe(&b, line + i, len);
		i += len;
	}
	if (i < n)
		strbuf_add(&b, "...");
	ret->line = arena_strdup(a, strbuf_get(&b));
}

static void find_context(struct diags *d, struct diag *ret)
{
	for (size_t i = 0; ret->origin.line && i < d->texts.n; i++) {
		size_t n = 0;
		const char *line;

		if (!str_eq(d->texts.v[i].path, ret->origin.file))
			continue;
		line = find_line(&d->texts.v[i], ret->origin.line, &n);
		if (line && n)
			show_line(d->arena, line, n, ret);
		return;
	}
}

static const char *printable(struct arena *a, const char *text)
{
	cleanup(strbuf_done) struct strbuf b = { 0 };

	if (!text)
		return NULL;
	utf8_add_safe(&b, text, strlen(text));
	return arena_strdup(a, strbuf_get(&b));
}

void diag_add(struct diags *d, enum diag_level level, const struct origin *at, const char *hint,
	      const char *fmt, ...)
{
	cleanup(freep) char *text = NULL;
	struct diag *ret;
	va_list args;

	if (!d)
		return;
	d->errors += level == DIAG_ERROR ? 1 : 0;
	if (d->list.n >= LIMIT_DIAGS) {
		d->dropped++;
		return;
	}
	va_start(args, fmt);
	if (vasprintf(&text, fmt, args) < 0)
		abort();
	va_end(args);
	ret = LIST_ADD(d->arena, &d->list);
	ret->level = level;
	ret->origin = *at;
	ret->message = printable(d->arena, text);
	ret->hint = printable(d->arena, hint);
	find_context(d, ret);
}

const char *diag_quote(struct arena *a, const char *text)
{
	cleanup(strbuf_done) struct strbuf b = { 0 };
	size_t n = strlen(text), i = 0;

	for (size_t shown = 0; i < n && shown < QUOTE_SHOWN; shown++)
		i += step(text + i, n - i);
	strbuf_addc(&b, '\'');
	utf8_add_safe(&b, text, i);
	strbuf_add(&b, i < n ? "...'" : "'");
	return arena_strdup(a, strbuf_get(&b));
}

const char *diag_suggest(struct arena *a, const char *word, const char *const *candidates, size_t n,
			 const char *otherwise)
{
	const char *guess = str_suggest(word, candidates, n);

	return guess ? arena_printf(a, "did you mean '%s'?", guess) : otherwise;
}

static int compare_diags(const void *left, const void *right)
{
	const struct diag *l = *(const struct diag *const *)left;
	const struct diag *r = *(const struct diag *const *)right;
	int files = str_cmp(l->origin.file, r->origin.file);

	if (files)
		return files;
	if (l->origin.line != r->origin.line)
		return l->origin.line < r->origin.line ? -1 : 1;
	if (l->origin.column != r->origin.column)
		return l->origin.column < r->origin.column ? -1 : 1;
	/* Both point into one array, in the order in which they were added. */
	return l < r ? -1 : l > r ? 1 : 0;
}

static void format_diag(const struct diag *diag, struct strbuf *out)
{
	if (diag->origin.file) {
		utf8_add_safe(out, diag->origin.file, strlen(diag->origin.file));
		if (diag->origin.line)
			strbuf_addf(out, ":%u:%u", diag->origin.line, diag->origin.column);
		strbuf_add(out, ": ");
	}
	strbuf_addf(out, "%s: %s%s%s\n", level_names[diag->level], diag->message,
		    diag->hint ? "; " : "", diag->hint ? diag->hint : "");
	if (diag->line)
		strbuf_addf(out, "    %s\n%*s^\n", diag->line, (int)diag->caret + 4, "");
}

void diags_format(const struct diags *d, struct strbuf *out)
{
	cleanup(freep) const struct diag **sorted = xcalloc(d->list.n + 1, sizeof(*sorted));

	for (size_t i = 0; i < d->list.n; i++)
		sorted[i] = &d->list.v[i];
	qsort(sorted, d->list.n, sizeof(*sorted), compare_diags);
	for (size_t i = 0; i < d->list.n; i++)
		format_diag(sorted[i], out);
	if (d->dropped)
		strbuf_addf(out, "... and %zu more\n", d->dropped);
}
