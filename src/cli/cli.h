/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * bpfsharectl: what all commands share. A command returns its exit code (recon/defaults.h)
 * and has then said on stderr what went wrong.
 */
#pragma once

#include <jansson.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/str.h"
#include "model/desired.h"
#include "recon/defaults.h"

struct cli {
	struct arena *arena;
	const char **arguments; /* of the command */
	size_t argument_count;

	const char *run_dir;
	bool json;

	struct string_list conf_dirs; /* as given; see cli_conf_dirs() */
	const char *settings, *state_dir, *bpffs_dir;
	bool settings_required;
	const char *as;
	bool dump;
	const char *timeout, *generation, *duration;
	bool ready, follow;
};

/* Commands, by file. */
int command_check(struct cli *c);  /* command_check.c */
int command_plan(struct cli *c);   /* command_plan.c */
int command_status(struct cli *c); /* command_status.c */
int command_show(struct cli *c);
int command_wait(struct cli *c);   /* command_wait.c */
int command_events(struct cli *c); /* command_events.c */
int command_reload(struct cli *c); /* command_change.c */
int command_confirm(struct cli *c);
int command_suspend(struct cli *c);
int command_resume(struct cli *c);
int command_purge(struct cli *c);    /* command_purge.c */
int command_features(struct cli *c); /* command_features.c */
int command_map(struct cli *c);      /* main.c */

/* --conf-dir as given, or the default directories. */
struct string_list cli_conf_dirs(struct cli *c);
/* "90", "90s", "5m", "2h", "1.5"; false unless it is one of these. */
bool cli_parse_duration(const char *s, double *ret_seconds);

/*
 * "bpfsharectl: text" on stderr, without control characters; returns code. With --json also
 * {"error": "text"} as a line on stdout.
 */
int cli_fail(const struct cli *c, int code, const char *fmt, ...) printf_like(3, 4);
/* Wrong usage: the same with a pointer to the help; returns EXIT_USAGE. */
int cli_usage(const struct cli *c, const char *fmt, ...) printf_like(2, 3);
/* Only the line on stderr: nothing failed, or the JSON of the command has been printed. */
void cli_warn(const char *fmt, ...) printf_like(1, 2);

/* The text as JSON; null for NULL, and '?' for what JSON cannot hold. */
json_t *cli_json_string(const char *s);
void cli_print_json(const json_t *j);
/* Lines on stdout or stderr, without control characters but their ends. */
void cli_print_text(const struct strbuf *text);
void cli_print_note(const struct strbuf *text);
