/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
#include "daemon/watch.h"

#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <stdalign.h>
#include <stdio.h>
#include <sys/epoll.h>

#include "base/alloc.h"
#include "base/log.h"
#include "recon/recon.h"

/* Room for the bursts of a node that starts hundreds of containers at once. */
#define LINK_BUFFER_BYTES (1024 * 1024)

static void changed(const struct watch_target *t, unsigned int dirty)
{
	t->changed(t->arg, dirty);
}

/* --- links ------------------------------------------------------------------ */

struct watch_links {
	struct watch_target target;
	struct mnl_socket *socket;
	sd_event_source *source;
	bool tc;
};

/* Everything else (the queues of a busy node, say) is nothing of ours. */
static bool is_of_clsact(const struct nlmsghdr *message)
{
	const struct tcmsg *t = mnl_nlmsg_get_payload(message);

	return mnl_nlmsg_get_payload_len(message) >= sizeof(*t) &&
	       (t->tcm_ifindex == (int)TCM_IFINDEX_MAGIC_BLOCK ||
		TC_H_MAJ(t->tcm_parent) == TC_H_MAJ(TC_H_CLSACT));
}

/*
 * Only what goes can free a place: what comes must not make retries, since an attempt of ours may be
 * what it comes from. A new qdisc as such changes nothing for us, and older kernels also tell all of
 * a qdisc that somebody, such as the executor, has only asked for.
 */
static int on_message(const struct nlmsghdr *message, void *arg)
{
	unsigned int *dirty = arg;

	switch (message->nlmsg_type) {
	case RTM_NEWLINK:
	case RTM_DELLINK:
		*dirty |= RECON_DIRTY_KERNEL | RECON_DIRTY_FOREIGN;
		break;
	case RTM_NEWTFILTER:
		if (is_of_clsact(message))
			*dirty |= RECON_DIRTY_KERNEL;
		break;
	case RTM_DELTFILTER:
	case RTM_DELQDISC:
		if (is_of_clsact(message))
			*dirty |= RECON_DIRTY_KERNEL | RECON_DIRTY_FOREIGN;
		break;
	default:
		break;
	}
	return MNL_CB_OK;
}

static int on_links(sd_event_source *source, int fd, uint32_t events, void *arg)
{
	struct watch_links *w = arg;
	alignas(struct nlmsghdr) char buffer[32768];
	unsigned int dirty = 0;
	bool lost = false;
	ssize_t n;

	(void)source;
	(void)fd;
	(void)events;
	while ((n = mnl_socket_recvfrom(w->socket, buffer, sizeof(buffer))) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			break;
		/* ENOBUFS, ENOSPC (cut message): whatever was in it is lost; another error may not go away. */
		lost |= n < 0 || mnl_cb_run(buffer, (size_t)n, 0, 0, on_message, &dirty) < 0;
		if (n < 0 && errno != ENOBUFS && errno != ENOSPC)
			break;
	}
	if (lost)
		changed(&w->target, RECON_DIRTY_KERNEL | RECON_DIRTY_FOREIGN | RECON_DIRTY_FILES);
	else if (dirty)
		changed(&w->target, dirty);
	return 0;
}

int watch_links_new(const struct watch_target *t, struct watch_links **ret, struct error *e)
{
	struct watch_links *w = xnew(struct watch_links);
	int bytes = LINK_BUFFER_BYTES, r;

	w->target = *t;
	w->socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (!w->socket || mnl_socket_bind(w->socket, RTMGRP_LINK, MNL_SOCKET_AUTOPID) < 0) {
		r = error_set(e, -errno, "cannot watch network interfaces: %s",
			      error_string(errno));
		watch_links_free(w);
		return r;
	}
	/* Needs CAP_NET_ADMIN beyond net.core.rmem_max; without it an overflow only costs a resync. */
	(void)setsockopt(mnl_socket_get_fd(w->socket), SOL_SOCKET, SO_RCVBUFFORCE, &bytes,
			 sizeof(bytes));
	r = sd_event_add_io(t->event, &w->source, mnl_socket_get_fd(w->socket), EPOLLIN, on_links,
			    w);
	if (r < 0) {
		watch_links_free(w);
		return error_set(e, r, "cannot watch network interfaces: %s", error_string(r));
	}
	*ret = w;
	return 0;
}

bool watch_links_set_tc(struct watch_links *w, bool wanted)
{
	int group = RTNLGRP_TC;

	if (w->tc == wanted)
		return false;
	w->tc = wanted; /* also if that fails: to say so once */
	if (mnl_socket_setsockopt(w->socket,
				  wanted ? NETLINK_ADD_MEMBERSHIP : NETLINK_DROP_MEMBERSHIP, &group,
				  sizeof(group)) == 0)
		return wanted;
	log_warning(
		"cannot watch the filters at tc, so changes there are found by the resync only: %s",
		error_string(errno));
	return false;
}

void watch_links_free(struct watch_links *w)
{
	if (!w)
		return;
	(void)sd_event_source_disable_unref(w->source);
	if (w->socket)
		(void)mnl_socket_close(w->socket);
	free(w);
}

/* --- mounts ----------------------------------------------------------------- */

struct watch_mounts {
	struct watch_target target;
	int fd;
	sd_event_source *source;
};

/* The kernel reports a change of the table once per open file, as an exceptional condition. */
static int on_mounts(sd_event_source *source, int fd, uint32_t events, void *arg)
{
	const struct watch_mounts *w = arg;

	(void)source;
	(void)fd;
	(void)events;
	changed(&w->target, RECON_DIRTY_KERNEL);
	return 0;
}

int watch_mounts_new(const struct watch_target *t, struct watch_mounts **ret, struct error *e)
{
	struct watch_mounts *w = xnew(struct watch_mounts);
	int r;

	w->target = *t;
	w->fd = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
	r = w->fd < 0 ? -errno :
			sd_event_add_io(t->event, &w->source, w->fd, EPOLLPRI, on_mounts, w);
	if (r < 0) {
		watch_mounts_free(w);
		return error_set(e, r, "cannot watch /proc/self/mountinfo: %s; is /proc mounted?",
				 error_string(r));
	}
	*ret = w;
	return 0;
}

void watch_mounts_free(struct watch_mounts *w)
{
	if (!w)
		return;
	(void)sd_event_source_disable_unref(w->source);
	closep(&w->fd);
	free(w);
}

/* --- inotify ---------------------------------------------------------------- */

static int on_inotify(sd_event_source *source, int fd, uint32_t events, void *arg)
{
	const struct inotify *n = arg;
	alignas(struct inotify_event) char buffer[16384];
	ssize_t size;

	(void)source;
	(void)events;
	while ((size = read(fd, buffer, sizeof(buffer))) > 0)
		for (char *p = buffer; p < buffer + size;) {
			const struct inotify_event *event = (const void *)p;

			n->handle(n->arg, event);
			p += sizeof(*event) + event->len;
		}
	return 0;
}

int inotify_start(struct inotify *n, sd_event *event,
		  void (*handle)(void *arg, const struct inotify_event *event), void *arg,
		  struct error *e)
{
	int r;

	*n = (struct inotify){ .fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC),
			       .handle = handle,
			       .arg = arg };
	r = n->fd < 0 ? -errno : sd_event_add_io(event, &n->source, n->fd, EPOLLIN, on_inotify, n);
	if (r == -EMFILE)
		return error_set(e, r,
				 "cannot watch files: %s; raise fs.inotify.max_user_instances",
				 error_string(r));
	return r < 0 ? error_set(e, r, "cannot watch files: %s", error_string(r)) : 0;
}

void inotify_stop(struct inotify *n)
{
	n->source = sd_event_source_disable_unref(n->source);
	closep(&n->fd);
	n->fd = -1;
}

int inotify_watch(struct inotify *n, const char *path, uint32_t mask)
{
	int wd = inotify_add_watch(n->fd, path, mask | IN_ONLYDIR);

	if (wd >= 0)
		return wd;
	wd = -errno;
	if (wd == -ENOSPC && n->full != ENOSPC)
		log_warning("cannot watch %s and more: raise fs.inotify.max_user_watches; until "
			    "then changes there are found by the resync only",
			    path);
	n->full = wd == -ENOSPC ? ENOSPC : n->full;
	return wd;
}
