/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
#include "kern/netlink.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <string.h>
#include <sys/socket.h>

#include "base/macros.h"

#ifndef NETLINK_EXT_ACK
#define NETLINK_EXT_ACK 11
#endif

/* What libmnl asks for a dump: the kernel fills up to this in one go. */
#define BUFFER_SIZE 32768

#define SEND_TRIES 100

int netlink_open(struct netlink *n, struct error *e)
{
	int on = 1, r;

	n->sequence = 0;
	n->socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	if (!n->socket)
		return error_set(e, -errno, "cannot open a netlink socket: %s",
				 error_string(errno));
	/* Without these the answers say less, and are still answers. */
	(void)mnl_socket_setsockopt(n->socket, NETLINK_EXT_ACK, &on, sizeof(on));
	(void)mnl_socket_setsockopt(n->socket, NETLINK_CAP_ACK, &on, sizeof(on));
	if (mnl_socket_bind(n->socket, 0, MNL_SOCKET_AUTOPID) == 0)
		return 0;
	r = error_set(e, -errno, "cannot bind a netlink socket: %s", error_string(errno));
	netlink_close(n);
	return r;
}

void netlink_close(struct netlink *n)
{
	if (n->socket)
		(void)mnl_socket_close(n->socket);
	n->socket = NULL;
}

static int send_request(struct netlink *n, struct nlmsghdr *request, uint16_t flags,
			struct error *e)
{
	request->nlmsg_flags |= (uint16_t)(NLM_F_REQUEST | flags);
	request->nlmsg_seq = ++n->sequence;
	for (int i = 0; mnl_socket_sendto(n->socket, request, request->nlmsg_len) < 0; i++)
		if ((errno != EINTR && errno != ENOBUFS) || i == SEND_TRIES)
			return error_set(e, -errno, "cannot send a netlink request: %s",
					 error_string(errno));
	return 0;
}

static ssize_t receive(struct netlink *n, void *buffer, struct error *e)
{
	for (;;) {
		ssize_t size = mnl_socket_recvfrom(n->socket, buffer, BUFFER_SIZE);

		if (size >= 0)
			return size;
		if (errno != EINTR)
			return error_set(e, -errno, "cannot read a netlink answer: %s",
					 error_string(errno));
	}
}

/* The message among the attributes behind an acknowledgement, NULL without one. */
static const char *ack_words(const struct nlmsghdr *h)
{
	const struct nlmsgerr *ack = mnl_nlmsg_get_payload(h);
	unsigned int offset = sizeof(*ack);
	const struct nlattr *attribute;

	if (!(h->nlmsg_flags & NLM_F_ACK_TLVS))
		return NULL;
	if (!(h->nlmsg_flags & NLM_F_CAPPED))
		offset += MNL_ALIGN(mnl_nlmsg_get_payload_len(&ack->msg));
	mnl_attr_for_each(attribute, h, offset)
		if (mnl_attr_get_type(attribute) == NLMSGERR_ATTR_MSG &&
		    mnl_attr_validate(attribute, MNL_TYPE_NUL_STRING) == 0)
			return mnl_attr_get_str(attribute);
	return NULL;
}

static int read_ack(const struct nlmsghdr *h, struct error *e)
{
	const struct nlmsgerr *ack = mnl_nlmsg_get_payload(h);
	const char *words;

	if (mnl_nlmsg_get_payload_len(h) < sizeof(*ack))
		return error_set(e, -EBADMSG, "a netlink answer is too short");
	if (ack->error == 0)
		return 0;
	words = ack_words(h);
	if (words)
		return error_set(e, ack->error, "%s (%s)", words, error_string(ack->error));
	return error_set(e, ack->error, "%s", error_string(ack->error));
}

int netlink_request(struct netlink *n, struct nlmsghdr *request, struct error *e)
{
	_Alignas(struct nlmsghdr) char buffer[BUFFER_SIZE];
	int r = send_request(n, request, NLM_F_ACK, e);

	while (r == 0) {
		ssize_t size = receive(n, buffer, e);
		const struct nlmsghdr *h = (const struct nlmsghdr *)buffer;

		if (size < 0)
			return (int)size;
		for (int left = (int)size; mnl_nlmsg_ok(h, left); h = mnl_nlmsg_next(h, &left))
			if (h->nlmsg_seq == request->nlmsg_seq && h->nlmsg_type == NLMSG_ERROR)
				return read_ack(h, e);
	}
	return r;
}

struct answer {
	const struct nlmsghdr *request;
	netlink_message_fn fn;
	void *arg;
	bool interrupted, done;
};

static int read_message(struct answer *w, const struct nlmsghdr *h, struct error *e)
{
	if (h->nlmsg_seq != w->request->nlmsg_seq)
		return 0;
	w->interrupted |= (h->nlmsg_flags & NLM_F_DUMP_INTR) != 0;
	if (h->nlmsg_type == NLMSG_ERROR) {
		w->done = true;
		return read_ack(h, e);
	}
	if (h->nlmsg_type == NLMSG_DONE) {
		w->done = true;
		/* A dump that failed half-way says so at its end. */
		if (mnl_nlmsg_get_payload_len(h) >= sizeof(int) &&
		    *(const int *)mnl_nlmsg_get_payload(h) < 0)
			return error_set(e, *(const int *)mnl_nlmsg_get_payload(h), "%s",
					 error_string(*(const int *)mnl_nlmsg_get_payload(h)));
		return 0;
	}
	return w->fn(h, w->arg, e);
}

int netlink_get(struct netlink *n, struct nlmsghdr *request, bool dump, netlink_message_fn fn,
		void *arg, struct error *e)
{
	struct answer w = { .request = request, .fn = fn, .arg = arg };
	_Alignas(struct nlmsghdr) char buffer[BUFFER_SIZE];
	int r = send_request(n, request, dump ? NLM_F_DUMP : NLM_F_ACK, e);

	while (r == 0 && !w.done) {
		ssize_t size = receive(n, buffer, e);
		const struct nlmsghdr *h = (const struct nlmsghdr *)buffer;

		if (size < 0)
			return (int)size;
		for (int left = (int)size; r == 0 && mnl_nlmsg_ok(h, left);
		     h = mnl_nlmsg_next(h, &left))
			r = read_message(&w, h, e);
	}
	if (r == 0 && w.interrupted)
		return error_set(e, -EAGAIN, "what was listed changed meanwhile");
	return r;
}
