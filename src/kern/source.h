/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Reads configuration directories and the object files that they name, under the
 * trust rules of the configuration language (owner, write bits, openat2; ConfigMap
 * mounts through one descriptor of ..data). Needs no privilege beyond reading.
 */
#pragma once

#include <sys/types.h>

#include "base/arena.h"
#include "base/error.h"
#include "model/desired.h"

/* `check`: one file is judged, with --as one from somewhere else in the place of path. */
struct source_overlay {
	const char *path; /* one of the directories + "/" + name */
	const char *file; /* where its text is, and path need not exist; NULL: at path itself */
	bool alone;       /* as if it were the only file of its directory */
};

struct source_options {
	struct string_list directories; /* by precedence: the first that has a file name wins */
	const uid_t *owners;            /* allowed besides root */
	size_t owner_count;
	bool any_owner; /* `check` and `plan` as an ordinary user: skip the trust rules */
	const struct source_overlay *overlay; /* NULL: none */
};

struct source_file {
	const char *path; /* directory as configured + "/" + name */
	const char *name;
	size_t directory; /* index into options.directories */
	/* APPLIED: was read; MASKED; IGNORED, REFUSED, INVALID (too large, empty, …): see error */
	enum file_state state;
	const char *text; /* NUL-terminated; NULL unless APPLIED */
	size_t size;
	struct file_error error; /* message NULL when all is well */
};

enum directory_state { DIRECTORY_READ, DIRECTORY_ABSENT, DIRECTORY_UNREADABLE };

/*
 * Whether it is still the same directory. Numbers of devices and, before Linux 6.8, of mounts are used again, so that
 * of two that are told apart one may be the other's successor.
 */
struct source_identity {
	dev_t device;
	ino_t inode;
	uint64_t mount;
};

struct source_directory {
	const char *path;
	enum directory_state state;
	const char *message;             /* UNREADABLE: why */
	struct source_identity identity; /* READ */
};

/*
 * Holds the directories open, so that objects are read from the same place as their files, until source_rest(). What
 * is read afterwards is to be known by its content.
 */
struct source;

/*
 * One consistent read: repeats when ..data moved meanwhile. What is wrong with directories and
 * files is in their states; there is no failure of the whole so far.
 */
int source_read(const struct source_options *o, struct source **ret, struct error *e);
void source_free(struct source *s);
/* Lets go of the directories, so that their file systems can be unmounted; they are opened anew for each object. */
void source_rest(struct source *s);
/* Sorted by name. */
const struct source_file *source_files(const struct source *s, size_t *ret_count);
const struct source_directory *source_directories(const struct source *s, size_t *ret_count);

/*
 * Whether a ..data has moved since source_read. Who has read objects after the files asks this
 * last, and on true reads all again: an object may be gone with its version.
 */
bool source_is_stale(const struct source *s);

struct source_blob {
	void *data; /* from malloc */
	size_t size;
	char sha256[65];
};

/*
 * Reads an object file as the YAML file with this index names it (relative paths beneath its
 * directory). *ret_path, absolute, is from a and set in any case. Checks trust and size. Errors
 * carry a token in *ret_reason (static: ObjectMissing, ObjectRefused, ObjectTooLarge,
 * ObjectUnreadable).
 */
int source_read_object(const struct source *s, size_t file, const char *path, struct arena *a,
		       struct source_blob *ret, const char **ret_path, const char **ret_reason,
		       struct error *e);
void source_blob_done(struct source_blob *b);

/*
 * One file outside the directories (settings): trust and the size of a YAML file are checked.
 * -ENOENT: absent.
 */
int source_read_file(const char *path, const struct source_options *o, struct source_blob *ret,
		     struct error *e);

/*
 * Every directory in which a change can change what was read so far, for inotify: the
 * configuration directories (also what ..data leads to), those of object files that were asked
 * for, and those of links on the way. Absent ones yield their nearest existing parent.
 */
void source_watch_paths(const struct source *s, struct arena *a, struct string_list *ret);
