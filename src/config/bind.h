/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * From values to structs: the keys of every mapping are a table, and one walker goes
 * through all of them. Unknown keys, keys of later versions, wrong types and ranges are
 * reported, and the walk goes on, so that one run shows everything.
 */
#pragma once

#include "base/arena.h"
#include "config/diag.h"
#include "model/desired.h"
#include "model/value.h"

struct bind {
	struct arena *arena; /* of the declarations; the values bound go away before them */
	struct diags *diags;
	const struct xdp_settings *xdp; /* daemon-wide */
	const struct tc_settings *tc;   /* likewise */
};

struct field {
	const char *key;
	/* Binds v, the value of this key, to dst + offset. NULL: a key of a later version. */
	void (*bind)(struct bind *b, const struct field *f, const struct value *v, void *dst);
	size_t offset;
	const void *arg; /* as the bind function wants it */
	bool required;
};

/*
 * The whole mapping v, called what, by a table that ends with a NULL key. Here and below nothing at
 * all is an empty mapping or list, so that a key may stand over lines that are commented out.
 */
void bind_mapping(struct bind *b, const char *what, const struct value *v,
		  const struct field *fields, void *dst);

/* True if v is a mapping or list to walk; a wrong type is reported. */
bool bind_is_mapping(struct bind *b, const char *what, const struct value *v);
bool bind_is_list(struct bind *b, const char *what, const struct value *v);
/* `description` and `x-…` stand on every mapping and mean nothing. */
bool bind_is_ignored(const char *key);

void bind_error(struct bind *b, const struct origin *at, const char *hint, const char *fmt, ...)
	printf_like(4, 5);
/* what "is not supported by this version"; hint NULL: the usual one. */
void bind_later_error(struct bind *b, const struct origin *at, const char *hint, const char *what);
/* "'priority' must be an integer, not a string". */
void bind_type_error(struct bind *b, const char *what, const struct value *v, const char *want);

/* ---- what a field's bind can be; in brackets the type at dst + offset and its arg ---- */

void bind_bool(struct bind *b, const struct field *f, const struct value *v,
	       void *dst); /* [bool] */

/* Of a key that belongs elsewhere [its arg says where, const char *]; no list of keys shows it. */
void bind_refuse(struct bind *b, const struct field *f, const struct value *v, void *dst);

struct range {
	uint32_t min, max;
};
void bind_u32(struct bind *b, const struct field *f, const struct value *v,
	      void *dst); /* [uint32_t, struct range] */
void bind_u16(struct bind *b, const struct field *f, const struct value *v,
	      void *dst); /* [uint16_t, struct range] */
bool bind_number(struct bind *b, const char *what, const struct value *v, const struct range *range,
		 uint32_t *ret);

struct words {
	const char *const *names;
	size_t count;
	const char *const *later; /* words of later versions, NULL-terminated; may be NULL */
	const char *later_hint;   /* may be NULL */
};
void bind_word(struct bind *b, const struct field *f, const struct value *v,
	       void *dst); /* [an enum, struct words] */

/* What a string must look like. */
struct text_rule {
	const char *(*fault)(
		const char *s); /* "is too long", or NULL; NULL for any that is not empty */
	const char *hint;       /* may be NULL */
	bool numbers;           /* an unquoted number or truth value is taken as it is written */
	bool empty;             /* a list of them may have no elements */
};
void bind_string(struct bind *b, const struct field *f, const struct value *v,
		 void *dst); /* [const char *, struct text_rule] */
void bind_strings(struct bind *b, const struct field *f, const struct value *v,
		  void *dst); /* [struct string_list, struct text_rule]: a list, or one string */
/* The string in the declarations' arena; NULL after a report. */
const char *bind_text(struct bind *b, const char *what, const struct value *v,
		      const struct text_rule *rule);

/* A mapping of labels, sorted by key [struct label *, size_t behind it]. */
void bind_labels(struct bind *b, const struct value *v, struct label **ret, size_t *ret_count);
