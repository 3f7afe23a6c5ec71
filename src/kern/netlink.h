/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* rtnetlink: requests with the kernel's own words, and dumps. Internal to kern. */
#pragma once

#include <linux/rtnetlink.h>
#include <stdbool.h>

#include "base/error.h"

struct mnl_socket;

struct netlink {
	struct mnl_socket *socket; /* NULL: closed */
	unsigned int sequence;
};

int netlink_open(struct netlink *n, struct error *e);
void netlink_close(struct netlink *n); /* fine on a closed one */

/*
 * Sends the request and waits for its acknowledgement; sequence and flags are set here, besides flags of
 * one kind of request (NLM_F_CREATE, …), which are the caller's. The
 * text in e is the kernel's (extended acknowledgement) where it gives one, else that of the code. -ENOBUFS
 * means that the answer was lost: the request may have been carried out.
 */
int netlink_request(struct netlink *n, struct nlmsghdr *request, struct error *e);

/*
 * Calls fn for every message of a dump, or of the answer to a request for one thing
 * (dump false). fn returns 0 or -errno, which ends it. -EAGAIN: the dump is inconsistent, start anew.
 */
typedef int (*netlink_message_fn)(const struct nlmsghdr *h, void *arg, struct error *e);
int netlink_get(struct netlink *n, struct nlmsghdr *request, bool dump, netlink_message_fn fn,
		void *arg, struct error *e);
