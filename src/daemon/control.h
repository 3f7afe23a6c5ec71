/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * The two sockets below the run directory: status/status.sock, where anybody may read, and
 * control/control.sock, where root and the control group may change things. Each has a
 * directory of its own, so that the first can be given to a container without the second.
 */
#pragma once

#include <jansson.h>

#include "daemon/connection.h"

/* Connections to one socket; the last few are root's, so that nobody can lock the operator out. */
#define CONTROL_CONNECTIONS          256
#define CONTROL_CONNECTIONS_RESERVED 32
#define CONTROL_CONNECTIONS_PER_UID  32                  /* of each uid but root */
#define CONTROL_QUEUE_BYTES          (64u * 1024 * 1024) /* of answers not yet taken, over all */

struct control_options {
	sd_event *event;
	const char *run_dir;
	void (*message)(void *arg, struct connection *c, const json_t *message);
	void (*resume)(void *arg, struct connection *c, bool timed_out);
	void *arg;
};

/* A socket that cannot be made is told, and made when it can be. */
void control_new(const struct control_options *o, struct control **ret);
void control_free(
	struct control *k); /* removes the sockets, so that clients see that nobody is there */

/* Makes the sockets again that were removed, replaced or mounted over; true if there were any. */
bool control_restore(struct control *k);

/* Name or number of the group that may change things, NULL: root only. */
void control_set_group(struct control *k, const char *group);
gid_t control_group(const struct control *k); /* -1: nobody but root */

/* Gives every postponed answer its chance. */
void control_resume(struct control *k);
