/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Watches the directories that configuration, settings and object files are in.
 * Directories, never files: editors and ConfigMaps replace files by rename. Each pass
 * first calls watch_files_refresh() and then reads, so that what changes during the read
 * makes an event; after the pass, watch_files_set() learns which directories matter now.
 */
#pragma once

#include "daemon/watch.h"
#include "model/desired.h"

struct watch_files;

int watch_files_new(const struct watch_target *t, struct watch_files **ret, struct error *e);
void watch_files_free(struct watch_files *w);

/* Watches by path again; true if another directory than before is behind one of them. */
bool watch_files_refresh(struct watch_files *w);

struct watch_files_wanted {
	struct string_list paths;      /* directories to watch */
	struct string_list conf_dirs;  /* in these every name counts */
	const char *settings;          /* this very file counts */
	const struct desired *desired; /* its objects' files count; NULL: none known */
};

/* True if a directory is watched that was not before: what was read in it may be out of date. */
bool watch_files_set(struct watch_files *w, const struct watch_files_wanted *want);
