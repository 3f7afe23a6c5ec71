/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
#include "recon/directories.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"

struct missed {
	enum name_kind kind;
	char *name;
};

static const char *const kind_names[] = {
	[NAME_OBJECT] = "object",
	[NAME_SHARE] = "share",
	[NAME_SET] = "set",
};

bool directory_has(const char *directory, const char *file)
{
	size_t n = strlen(directory);

	return str_starts(file, directory) && file[n] == '/' && !strchr(file + n + 1, '/');
}

void seen_trust(struct seen *seen)
{
	for (size_t i = 0; i < seen->missed_count; i++)
		free(seen->missed[i].name);
	free(seen->missed);
	seen->missed = NULL;
	seen->missed_count = 0;
}

/* --- what is missing -------------------------------------------------------------------- */

static bool is_declared(const struct desired *d, enum name_kind kind, const char *name)
{
	switch (kind) {
	case NAME_OBJECT:
		return desired_find_object(d, name);
	case NAME_SHARE:
		return desired_find_share(d, name);
	case NAME_SET:
		break;
	}
	return true; /* of a set alone nothing is in the kernel */
}

/* Something that is there was declared in it: by an earlier process, if not by this one. */
static bool has_owner(const struct directory_now *now)
{
	for (size_t i = 0; i < now->owner_count; i++)
		if (directory_has(now->at->path, now->owners[i].path))
			return true;
	return false;
}

/* Something in the kernel came from there and is declared nowhere now. */
static bool find_missed(const struct directory_now *now)
{
	for (size_t i = 0; i < now->owner_count; i++) {
		const struct name_owner *o = &now->owners[i];

		if (o->kind == NAME_OBJECT && directory_has(now->at->path, o->path) &&
		    !is_declared(now->desired, o->kind, o->name))
			return true;
	}
	return false;
}

static bool is_missed(const struct seen *seen, const struct name_owner *o)
{
	for (size_t i = 0; i < seen->missed_count; i++)
		if (seen->missed[i].kind == o->kind && str_eq(seen->missed[i].name, o->name))
			return true;
	return false;
}

/* The owners are those of the configuration in force, so they are complete as long as that is not replaced. */
static void miss(struct seen *seen, const struct directory_now *now)
{
	for (size_t i = 0; i < now->owner_count; i++) {
		const struct name_owner *o = &now->owners[i];

		if (!directory_has(now->at->path, o->path) || is_missed(seen, o) ||
		    is_declared(now->desired, o->kind, o->name))
			continue;
		seen->missed =
			xrealloc(seen->missed, (seen->missed_count + 1) * sizeof(*seen->missed));
		seen->missed[seen->missed_count++] =
			(struct missed){ .kind = o->kind, .name = xstrdup(o->name) };
	}
}

/* What is declared again, wherever, is not missed any more. */
static void find_again(struct seen *seen, const struct desired *d)
{
	size_t n = 0;

	for (size_t i = 0; i < seen->missed_count; i++) {
		if (is_declared(d, seen->missed[i].kind, seen->missed[i].name))
			free(seen->missed[i].name);
		else
			seen->missed[n++] = seen->missed[i];
	}
	seen->missed_count = n;
	if (!n)
		seen_trust(seen);
}

/* --- what is unknown --------------------------------------------------------------------- */

static bool is_another(const struct source_identity *x, const struct source_identity *y)
{
	return x->device != y->device || x->inode != y->inode || x->mount != y->mount;
}

static const char *judge_absent(struct arena *a, struct seen *seen, const struct directory_now *now)
{
	/* Of the owners only the first load of a process knows. */
	seen->read |= has_owner(now);
	if (!seen->read)
		return NULL;
	miss(seen, now);
	return arena_printf(
		a,
		"configuration directory %s has vanished, so everything stays as it is; "
		"create it again with its files (or, if nothing is wanted any more, with "
		"one that has comments only)",
		now->at->path);
}

static bool may_be_another(const struct seen *seen, const struct directory_now *now)
{
	if (seen->missed_count) /* since it was unknown */
		return true;
	/* What a mount covered comes to light when it goes: an empty directory, as a rule. */
	if (seen->read)
		return seen->spoke && is_another(&now->at->identity, &seen->identity);
	/* Of what was covered while no process looked, only the kernel knows. */
	return find_missed(now);
}

/* Of a directory without a file that says anything. */
static const char *judge_silent(struct arena *a, struct seen *seen, const struct directory_now *now)
{
	if (!may_be_another(seen, now))
		return NULL;
	miss(seen, now);
	if (seen->spoke)
		return arena_printf(
			a,
			"configuration directory %s had files and now is another one, or "
			"was meanwhile, without any that says what is wanted, so "
			"everything stays as it is; mount it again or restore its files "
			"(or, if nothing is wanted any more, put a file there that has "
			"comments only)",
			now->at->path);
	return arena_printf(
		a,
		"configuration directory %s has no file that says what is wanted, but %s %s "
		"came from there, so everything stays as it is; mount what belongs there or "
		"restore its files (or, if nothing is wanted any more, put a file there that "
		"has comments only)",
		now->at->path, kind_names[seen->missed[0].kind], seen->missed[0].name);
}

const char *directory_judge(struct arena *a, struct seen *seen, const struct directory_now *now,
			    bool *ret_doubted)
{
	const char *why = NULL;

	if (now->at->state == DIRECTORY_UNREADABLE)
		return arena_printf(a,
				    "configuration directory %s cannot be read, so everything "
				    "stays as it is: %s",
				    now->at->path, now->at->message);
	if (now->at->state == DIRECTORY_ABSENT)
		return judge_absent(a, seen, now);
	if (!now->speaks)
		why = judge_silent(a, seen, now);
	if (why)
		return why;
	/* A file with comments alone is the operator's word. */
	if (now->speaks && !now->declares)
		seen_trust(seen);
	find_again(seen, now->desired);
	*ret_doubted |= seen->missed_count > 0;
	seen->read = true;
	seen->spoke = now->speaks;
	seen->identity = now->at->identity;
	return NULL;
}
