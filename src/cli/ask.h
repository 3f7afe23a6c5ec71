/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* Asking the daemon: one call, one answer, and what to tell the user when there is none. */
#pragma once

#include "cli/cli.h"
#include "recon/varlink.h"

enum ask_socket { ASK_STATUS, ASK_CONTROL };

/* Path of the socket, from the arena. */
const char *ask_path(const struct cli *c, enum ask_socket socket);

/*
 * Connects; -ENOENT, -ECONNREFUSED: no daemon. Says nothing. method without the interface.
 * Steals parameters.
 */
int ask_start(const struct cli *c, enum ask_socket socket, const char *method, json_t *parameters,
	      bool more, struct varlink_client **ret, struct error *e);

/* Says on stderr why there was no answer; returns the exit code. */
int ask_failed(const struct cli *c, enum ask_socket socket, const struct error *e);
/* The same for an answer that is an error. */
int ask_refused(const struct cli *c, const struct varlink_answer *answer);

bool ask_is_absent(int code); /* -errno of ask_start(): nobody listens */

/* All of it: 0 and a new reference to the parameters of the reply, or the exit code. */
int ask(const struct cli *c, enum ask_socket socket, const char *method, json_t *parameters,
	json_t **ret);
