/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
#include "model/desired.h"

#include <string.h>

const char *const file_state_names[FILE_STATE_COUNT] = {
	[FILE_APPLIED] = "applied", [FILE_INVALID] = "invalid", [FILE_MASKED] = "masked",
	[FILE_IGNORED] = "ignored", [FILE_REFUSED] = "refused", [FILE_SKIPPED] = "skipped",
};

const char *const in_force_names[IN_FORCE_COUNT] = {
	[IN_FORCE_DECLARED] = "declared",
	[IN_FORCE_PREVIOUS] = "previous",
	[IN_FORCE_NONE] = "none",
};

/* Each comparison gets the name that is looked for and one element of a list sorted by name. */
static int compare_object(const void *name, const void *object)
{
	return strcmp(name, ((const struct object_decl *)object)->name);
}

static int compare_share(const void *name, const void *share)
{
	return strcmp(name, ((const struct share_decl *)share)->name);
}

static int compare_set(const void *name, const void *set)
{
	return strcmp(name, ((const struct interface_set *)set)->name);
}

/* bsearch() is declared to take no null pointer, which an empty list is. */
static const void *find(const char *name, const void *list, size_t n, size_t size,
			int (*compare)(const void *, const void *))
{
	return n ? bsearch(name, list, n, size, compare) : NULL;
}

const struct object_decl *desired_find_object(const struct desired *d, const char *name)
{
	return find(name, d->objects, d->object_count, sizeof(*d->objects), compare_object);
}

const struct share_decl *desired_find_share(const struct desired *d, const char *name)
{
	return find(name, d->shares, d->share_count, sizeof(*d->shares), compare_share);
}

const struct interface_set *desired_find_set(const struct desired *d, const char *name)
{
	return find(name, d->sets, d->set_count, sizeof(*d->sets), compare_set);
}
