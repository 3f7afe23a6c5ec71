/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* The command line of bpfshared. */
#pragma once

#include <stdbool.h>

#include "base/arena.h"
#include "base/log.h"
#include "model/desired.h"

struct options {
	struct arena *arena;
	struct string_list conf_dirs; /* by precedence */
	const char *settings;
	bool settings_required; /* --config was given: the file must exist */
	const char *run_dir, *state_dir, *bpffs_dir;
	bool once;
	bool has_log_level; /* --log-level was given and outranks the settings */
	enum log_level log_level;
};

/*
 * Paths come out absolute; strings live as long as argv and *ret. Returns -1 when the daemon shall run, else the exit code:
 * --help, --version and wrong usage have been answered. options_done() is due in every case.
 */
int options_parse(int argc, char **argv, struct options *ret);
void options_done(struct options *o);
