/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * What is wrong with a file, all of it in one run: "file:line:column: what; did you mean …",
 * then the line and a caret. Line and column count from 1, columns in characters.
 */
#pragma once

#include "base/arena.h"
#include "base/str.h"
#include "model/limits.h"
#include "model/value.h"

enum diag_level { DIAG_ERROR, DIAG_WARNING, DIAG_NOTE };

struct diag {
	enum diag_level level;
	struct origin origin;
	const char *message; /* what and why, on one line; no final full stop */
	const char *hint;    /* what to do; NULL: the message says it */
	const char *line;    /* to show: cut around the column, printable; NULL: none */
	unsigned int caret;  /* characters of line before the caret */
};

/* The text of a file that diagnostics may be about. */
struct diag_text {
	const char *path, *text;
	size_t size;
};

struct diags {
	struct arena *arena;
	LIST(struct diag) list;
	size_t errors;  /* also those that were dropped */
	size_t dropped; /* beyond LIMIT_DIAGS */
	LIST(struct diag_text) texts;
};

void diags_init(struct diags *d, struct arena *a);

/* Lets diagnostics with this origin.file show their line. The text is borrowed, not copied. */
void diags_add_text(struct diags *d, const char *path, const char *text, size_t size);

/* hint may be NULL. Safe on a NULL d. Unprintable characters of the message become '?'. */
void diag_add(struct diags *d, enum diag_level level, const struct origin *at, const char *hint,
	      const char *fmt, ...) printf_like(5, 6);

/* What someone wrote, for a message: in single quotes, printable, and cut where it is long. */
const char *diag_quote(struct arena *a, const char *text);

/* "did you mean 'priority'?", or otherwise (may be NULL) where no candidate is near. */
const char *diag_suggest(struct arena *a, const char *word, const char *const *candidates, size_t n,
			 const char *otherwise);

/* As a person reads it: one block per diagnostic, sorted by file, line and column. */
void diags_format(const struct diags *d, struct strbuf *out);
