/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * What it means that a configuration directory says nothing of something. A volume that is not mounted, or was made anew,
 * looks like an edit that takes all away; and whoever restores files does it one by one. So a directory that may be
 * another one than before is unknown, and then nothing is changed at all; and when it speaks again, what it had and has
 * not yet is not taken away without the operator's word.
 */
#pragma once

#include "config/config.h"
#include "kern/source.h"

struct missed;

/* A directory as this process read it last. */
struct seen {
	bool read;                       /* at all */
	bool spoke;                      /* there was a file that says what is wanted */
	struct source_identity identity; /* of when it was read */
	struct missed *missed; /* what came from it and was not declared again since it was unknown */
	size_t missed_count;
};

/* What was found now. */
struct directory_now {
	const struct source_directory *at;
	bool speaks; /* a file that is valid, masked, or whose last good version serves: not one that says nothing at all */
	bool declares;                   /* and there is something in one of them */
	const struct name_owner *owners; /* what is in force, and of which files */
	size_t owner_count;
	const struct desired *desired; /* of all directories */
};

/*
 * Why nothing may be concluded from what the directory does not have (a sentence, from a), NULL: it counts. *ret_doubted
 * is set if it does, but what is missing may be on its way.
 */
const char *directory_judge(struct arena *a, struct seen *seen, const struct directory_now *now,
			    bool *ret_doubted);

bool directory_has(const char *directory, const char *file); /* directly in it */

/* The operator's word was given: what is missing still is not wanted. */
void seen_trust(struct seen *seen);
