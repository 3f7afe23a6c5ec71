/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* Places that root mounts on or makes directories in, reached without trusting anybody else. */
#pragma once

#include <stdbool.h>

#include "base/error.h"

/*
 * Opens (O_PATH) the directory at an absolute path. Every component must be a directory, no
 * symbolic link, that belongs to root and that nobody else can write to (a sticky one may be
 * written to: what root owns in it stays). The last one is excepted if something is mounted on
 * it: whose that is, is for the caller to judge. With create, missing ones are made, root's and
 * 0755. Refusals are -EPERM with *ret_reason (static) "UntrustedPath"; otherwise it is left
 * alone.
 */
int path_open_trusted(const char *path, bool create, int *ret_fd, const char **ret_reason,
		      struct error *e);

/*
 * Directories of path that are below base, which nobody but root can write to, are root's and 0755 again, as they were
 * made, up to the first that is none or has something mounted on it: in a directory of our own only root can have put
 * something else. What cannot be done is left to path_open_trusted() to tell.
 */
void path_restore_below(const char *base, const char *path);

/*
 * Opens (O_PATH) a directory that may be there, without symbolic links but without the checks
 * above: for what is then recognised by other means. *ret_fd is -1 when there is none.
 */
int path_open_present(const char *path, int *ret_fd, struct error *e);

/* 1: no entries, 0: some. */
int path_is_empty(int dirfd, struct error *e);
