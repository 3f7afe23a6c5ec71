/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
#include "kern/chain_names.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/macros.h"
#include "base/num.h"
#include "base/str.h"
#include "kern/pin.h"
#include "kern/stamp.h"
#include "model/layout.h"

struct known {
	uint32_t id;
	struct stamp stamp;
};

struct chain_names {
	struct known *v; /* by id; nothing but ours was in these */
	size_t n;
};

struct chain_names *chain_names_new(void)
{
	return xnew(struct chain_names);
}

void chain_names_free(struct chain_names *n)
{
	if (n)
		free(n->v);
	free(n);
}

/* Pins that we make in such a directory, a tilde behind one while it is put in another's place. */
static bool is_own_name(struct arena *a, const char *name)
{
	static const char *const own[] = { LAYOUT_DISPATCHER, LAYOUT_MEMBERS, LAYOUT_META };
	const char *bare = arena_strndup(a, name, strlen(name) - str_ends(name, "~"));
	uint32_t slot;

	for (size_t i = 0; i < ARRAY_SIZE(own); i++)
		if (str_eq(bare, own[i]))
			return true;
	return str_starts(bare, "link-") &&
	       num_parse_u32(bare + strlen("link-"), UINT32_MAX, &slot) == 0;
}

/* Those that are not ours; *ret_count: of all that are there. */
static void list_others(const struct kern_context *c, struct arena *a, const char *directory,
			struct string_list *ret, size_t *ret_count)
{
	size_t n = 0;

	*ret_count = 0;
	if (pin_directory_list(a, pin_path(c, a, directory), ret, NULL) < 0)
		ret->n = 0;
	*ret_count = ret->n;
	for (size_t i = 0; i < ret->n; i++)
		if (!is_own_name(a, ret->v[i]))
			ret->v[n++] = ret->v[i];
	ret->n = n;
}

static void report(struct arena *a, const char *directory, const struct string_list *names,
		   struct observed *o)
{
	for (size_t i = 0; i < names->n; i++)
		pin_foreign(a, o, arena_printf(a, "%s/%s", directory, names->v[i]));
}

bool chain_names_are_foreign(const struct kern_context *c, struct arena *a, const char *name,
			     struct observed *o)
{
	const char *directory = arena_printf(a, LAYOUT_CHAINS "/%s", name);
	struct string_list others;
	size_t all;

	list_others(c, a, directory, &others, &all);
	if (all == 0 || others.n < all)
		return false;
	report(a, directory, &others, o);
	return true;
}

/* True: nothing but ours is in it, and it will be seen when that changes. */
static bool look(const struct kern_context *c, struct arena *a, const char *directory,
		 struct observed *o)
{
	struct string_list others;
	size_t all;

	list_others(c, a, directory, &others, &all);
	report(a, directory, &others, o);
	return others.n == 0;
}

void chain_names_look(struct chain_names *n, const struct kern_context *c, struct arena *a,
		      struct observed *o)
{
	const struct timespec now = stamp_now();
	struct known *v = xcalloc(o->chain_count, sizeof(*v));
	size_t count = 0, next = 0;

	for (size_t i = 0; i < o->chain_count; i++) {
		const char *directory = layout_chain_dir(a, o->chains[i].id);
		const struct stamp stamp = stamp_of(AT_FDCWD, pin_path(c, a, directory));
		bool known;

		while (next < n->n && n->v[next].id < o->chains[i].id)
			next++;
		known = next < n->n && n->v[next].id == o->chains[i].id &&
			stamp_same(&stamp, &n->v[next].stamp);
		if (known || (look(c, a, directory, o) && stamp_settled(&stamp, &now)))
			v[count++] = (struct known){ o->chains[i].id, stamp };
	}
	free(n->v);
	n->v = v;
	n->n = count;
}

int chain_directory_remove(struct arena *a, const char *directory, struct error *e)
{
	struct string_list names = { 0 };
	int r = pin_remove(arena_printf(a, "%s/" LAYOUT_META, directory), e);

	if (r == 0)
		r = pin_directory_list(a, directory, &names, e);
	for (size_t i = 0; r == 0 && i < names.n; i++)
		if (is_own_name(a, names.v[i]))
			r = pin_remove(arena_printf(a, "%s/%s", directory, names.v[i]), e);
	if (r < 0 || rmdir(directory) == 0 || errno == ENOENT || errno == ENOTEMPTY)
		return r;
	return error_set(e, -errno, "cannot remove directory %s: %s", directory,
			 error_string(errno));
}
