/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Users and groups by the C library, so by whatever nsswitch.conf names. A name that a
 * directory service cannot tell now reads as unknown: before the network is up the
 * two cannot be told apart, and only the shares that use the name may suffer from it.
 */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/macros.h"
#include "base/num.h"
#include "base/str.h"
#include "kern/context.h"

#define BUFFER_LEAST 4096
#define BUFFER_MOST  (16 * 1024 * 1024) /* a group can have very many members */

/* (uid_t)-1 means "leave alone" to chown(2). */
#define ID_MAX (UINT32_MAX - 1)

struct buffer {
	char *s;
	size_t n;
};

static void buffer_done(struct buffer *b)
{
	free(b->s);
}

/* True if the look-up is to be repeated with more room. */
static bool buffer_grow(struct buffer *b, int code)
{
	if (code != ERANGE || b->n >= BUFFER_MOST)
		return false;
	b->n *= 2;
	b->s = xrealloc(b->s, b->n);
	return true;
}

/* These say that we could not look; all others that the name is not known. */
static int lookup_error(int code, const char *name, struct error *e)
{
	if (code != EMFILE && code != ENFILE && code != ENOMEM)
		return 0;
	return error_set(e, -code, "look up %s: %s", name, error_string(code));
}

/* *ret_group is NULL when there is none; it and its strings live in b. */
static int find_group(struct buffer *b, const char *name, gid_t gid, struct group *group,
		      struct group **ret_group)
{
	int r;

	*ret_group = NULL;
	do {
		r = name ? getgrnam_r(name, group, b->s, b->n, ret_group) :
			   getgrgid_r(gid, group, b->s, b->n, ret_group);
	} while (buffer_grow(b, r));
	return r;
}

static int find_user(struct buffer *b, const char *name, struct passwd *user,
		     struct passwd **ret_user)
{
	uint32_t uid;
	bool numeric = num_parse_u32(name, ID_MAX, &uid) == 0;
	int r;

	*ret_user = NULL;
	do {
		r = numeric ? getpwuid_r(uid, user, b->s, b->n, ret_user) :
			      getpwnam_r(name, user, b->s, b->n, ret_user);
	} while (buffer_grow(b, r));
	return r;
}

static int observe_group(struct buffer *b, struct observed_name *ret, struct error *e)
{
	struct group entry, *group;
	int r;

	if (num_parse_u32(ret->name, ID_MAX, &ret->id) == 0) {
		ret->found = true;
		return 0;
	}
	r = find_group(b, ret->name, 0, &entry, &group);
	if (!group)
		return lookup_error(r, ret->name, e);
	ret->found = true;
	ret->id = group->gr_gid;
	return 0;
}

static bool has_other_member(const struct group *group, const char *user)
{
	for (char **m = group->gr_mem; *m; m++)
		if (!str_eq(*m, user))
			return true;
	return false;
}

/*
 * Members by their primary group are not listed with the group. Only the local file
 * is searched for them: walking through a directory service can take minutes.
 */
static bool is_primary_of_other(struct buffer *b, gid_t gid, uid_t uid)
{
	FILE *f = fopen("/etc/passwd", "re");
	struct passwd entry, *user;
	bool found = false;
	int r;

	if (!f)
		return false;
	do {
		r = fgetpwent_r(f, &entry, b->s, b->n, &user);
		found = r == 0 && user->pw_gid == gid && user->pw_uid != uid;
	} while (!found && (r == 0 || buffer_grow(b, r)));
	(void)fclose(f);
	return found;
}

static int observe_user(struct buffer *b, struct observed_name *ret, struct error *e)
{
	cleanup(freep) char *name = NULL;
	struct passwd entry, *user;
	struct group group_entry, *group;
	int r = find_user(b, ret->name, &entry, &user);

	if (!user)
		return lookup_error(r, ret->name, e);
	name = xstrdup(user->pw_name);
	ret->found = true;
	ret->id = user->pw_uid;
	ret->primary_gid = user->pw_gid;
	r = find_group(b, NULL, ret->primary_gid, &group_entry, &group);
	if (!group && lookup_error(r, ret->name, e) < 0)
		return -r;
	ret->shared_group = (group && has_other_member(group, name)) ||
			    is_primary_of_other(b, ret->primary_gid, ret->id);
	return 0;
}

static int compare_names(const void *a, const void *b)
{
	const struct observed_name *x = a, *y = b;
	int r = strcmp(x->name, y->name);

	return r ? r : (int)x->is_group - (int)y->is_group;
}

int names_observe(struct arena *a, const struct observe_request *want, struct observed *ret,
		  struct error *e)
{
	size_t n = want->users.n + want->groups.n;
	struct observed_name *names = arena_calloc(a, n, sizeof(*names));
	cleanup(buffer_done) struct buffer b = { .s = xcalloc(1, BUFFER_LEAST), .n = BUFFER_LEAST };

	for (size_t i = 0; i < n; i++) {
		bool is_group = i >= want->users.n;
		const char *name = is_group ? want->groups.v[i - want->users.n] : want->users.v[i];
		int r;

		names[i].name = arena_strdup(a, name);
		names[i].is_group = is_group;
		r = is_group ? observe_group(&b, &names[i], e) : observe_user(&b, &names[i], e);
		if (r < 0)
			return r;
	}
	if (n)
		qsort(names, n, sizeof(*names), compare_names);
	ret->names = names;
	ret->name_count = n;
	return 0;
}
