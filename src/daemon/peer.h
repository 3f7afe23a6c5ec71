/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Who is at the other end of a UNIX stream socket. A uid alone proves little: uid 0 of
 * a container without a user namespace is uid 0 here, so whoever wants to change something must also
 * live in our user and pid namespace.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "base/error.h"

struct peer {
	pid_t pid; /* 0: of a pid namespace that we cannot see into */
	uid_t uid;
	gid_t gid;
	int pidfd; /* of the process that connected; -1: not known */
};

#define PEER_NONE                                               \
	{                                                       \
		.uid = (uid_t)-1, .gid = (gid_t)-1, .pidfd = -1 \
	}

/* Credentials as of connect(). with_process: also hold the process, for peer_is_allowed(). */
int peer_read(int fd, bool with_process, struct peer *ret, struct error *e);
void peer_done(struct peer *p);

/* 0: root or in the group (-1: nobody), and in our namespaces; -EPERM with the reason otherwise. */
int peer_is_allowed(const struct peer *p, int fd, gid_t group, struct error *e);
