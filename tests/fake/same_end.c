/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
#include "fake/same_end.h"

#include <string.h>

#include "base/arena.h"
#include "base/hash.h"
#include "base/macros.h"
#include "base/str.h"

#define NAME_LENGTH 16
#define ROW_MOST    8 /* more names than any story has directories in use */

struct renaming {
	const char *is, *should;
};

struct comparison {
	struct arena *a;
	LIST(struct renaming) renamings;
};

/* The first name of a version in a text that ends at end, NULL: none. */
static const char *next_name(const char *s, const char *end)
{
	while (s < end) {
		size_t n = strspn(s, "0123456789abcdef");

		if (n == NAME_LENGTH)
			return s;
		s += n ? n : 1;
	}
	return NULL;
}

static bool is_later(struct arena *a, const char *name, const char *later)
{
	char hex[SHA256_HEX];

	for (int i = 0; i < ROW_MOST; i++) {
		hash_bytes(name, NAME_LENGTH, hex);
		name = arena_strndup(a, hex, NAME_LENGTH);
		if (str_eq(name, later))
			return true;
	}
	return false;
}

static bool is_renamed(const struct comparison *c, const char *is, const char *should)
{
	for (size_t i = 0; i < c->renamings.n; i++)
		if (strncmp(c->renamings.v[i].is, is, NAME_LENGTH) == 0 &&
		    strncmp(c->renamings.v[i].should, should, NAME_LENGTH) == 0)
			return true;
	return false;
}

static bool name_equal(const struct comparison *c, const char *is, const char *should)
{
	return strncmp(is, should, NAME_LENGTH) == 0 || is_renamed(c, is, should);
}

/* A map that was kept was made by whichever version came first, and its users are named by that. */
static bool learn_maker(struct comparison *c, const char *line, const char *x, const char *y)
{
	static const char made[] = "made by ";
	size_t n = sizeof(made) - 1;

	if ((size_t)(x - line) < n || strncmp(x - n, made, n) != 0 || name_equal(c, x, y))
		return false;
	*LIST_ADD(c->a, &c->renamings) = (struct renaming){
		arena_strndup(c->a, x, NAME_LENGTH),
		arena_strndup(c->a, y, NAME_LENGTH),
	};
	return true;
}

/*
 * A line "object INSTANCE NAME", or "object INSTANCE NAME, map = OWNER/map of NAME made by NAME, ...". True if
 * it tells of a renaming that was not known yet.
 */
static bool learn(struct comparison *c, const char *is, const char *should)
{
	const char *is_end = is + strcspn(is, "\n"), *should_end = should + strcspn(should, "\n");
	const char *x = next_name(is, is_end), *y = next_name(should, should_end);
	struct renaming own;
	bool owners = false;

	if (!str_starts(is, "object ") || !x || !y || name_equal(c, x, y))
		return false;
	own.is = arena_strndup(c->a, x, NAME_LENGTH);
	own.should = arena_strndup(c->a, y, NAME_LENGTH);
	while ((x = next_name(x + NAME_LENGTH, is_end)) &&
	       (y = next_name(y + NAME_LENGTH, should_end)))
		owners = owners || is_renamed(c, x, y) || learn_maker(c, is, x, y);
	if (!owners && !is_later(c->a, own.is, own.should) && !is_later(c->a, own.should, own.is))
		return false;
	*LIST_ADD(c->a, &c->renamings) = own;
	return true;
}

static const char *next_line(const char *s)
{
	s += strcspn(s, "\n");
	return *s ? s + 1 : s;
}

/* An owner may come after its users. */
static void learn_all(struct comparison *c, const char *is, const char *should)
{
	bool any = true;

	while (any) {
		const char *x = is, *y = should;

		for (any = false; *x && *y; x = next_line(x), y = next_line(y))
			any = learn(c, x, y) || any;
	}
}

bool same_end(const char *is, const char *should)
{
	cleanup(arena_freep) struct arena *a = arena_new();
	struct comparison c = { .a = a };

	learn_all(&c, is, should);
	while (*is && *should) {
		const char *x = next_name(is, is + strlen(is));
		const char *y = next_name(should, should + strlen(should));

		if (!x || !y)
			return str_eq(is, should);
		if (x - is != y - should || memcmp(is, should, (size_t)(x - is)) != 0 ||
		    !name_equal(&c, x, y))
			return false;
		is = x + NAME_LENGTH;
		should = y + NAME_LENGTH;
	}
	return !*is && !*should;
}
