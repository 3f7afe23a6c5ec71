/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
#include "daemon/peer.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/alloc.h"

#ifndef SO_PEERPIDFD /* Linux 6.5 */
#define SO_PEERPIDFD 77
#endif

/* A peer with more groups than the kernel allows (NGROUPS_MAX) does not exist. */
#define GROUPS_MAX 65536

/*
 * The pidfd of the process that connected. Before Linux 6.5 it is looked up by the pid at
 * accept(): a process that died in the moment between may be mistaken for its successor there.
 */
static int pidfd_of(int fd, pid_t pid)
{
	socklen_t size = sizeof(int);
	int pidfd = -1;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &size) == 0)
		return pidfd;
	return errno == ENOPROTOOPT && pid > 0 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
}

int peer_read(int fd, bool with_process, struct peer *ret, struct error *e)
{
	struct ucred cred;
	socklen_t size = sizeof(cred);

	*ret = (struct peer)PEER_NONE;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &size) < 0)
		return error_set(e, -errno, "cannot read who connected: %s", error_string(errno));
	ret->pid = cred.pid;
	ret->uid = cred.uid;
	ret->gid = cred.gid;
	if (with_process)
		ret->pidfd = pidfd_of(fd, cred.pid);
	return 0;
}

void peer_done(struct peer *p)
{
	closep(&p->pidfd);
	*p = (struct peer)PEER_NONE;
}

static bool is_in_group(const struct peer *p, int fd, gid_t group)
{
	cleanup(freep) gid_t *groups = NULL;
	socklen_t size = GROUPS_MAX * sizeof(gid_t);

	if (group == (gid_t)-1)
		return false;
	if (p->gid == group)
		return true;
	groups = xcalloc(1, size);
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size) < 0)
		return false;
	for (size_t i = 0; i < size / sizeof(gid_t); i++)
		if (groups[i] == group)
			return true;
	return false;
}

static int shares_namespace(pid_t pid, const char *kind, struct error *e)
{
	struct stat ours, theirs;
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/self/ns/%s", kind);
	if (stat(path, &ours) < 0)
		return error_set(e, -EPERM, "%s: %s; is /proc mounted?", path, error_string(errno));
	(void)snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)pid, kind);
	if (stat(path, &theirs) < 0)
		return error_set(e, -EPERM, "cannot tell the %s namespace of process %d: %s", kind,
				 (int)pid, error_string(errno));
	if (ours.st_dev != theirs.st_dev || ours.st_ino != theirs.st_ino)
		return error_set(e, -EPERM, "process %d is in another %s namespace", (int)pid,
				 kind);
	return 0;
}

/* A pidfd becomes readable when its process ends; what /proc said of the pid then meant someone else. */
static bool is_alive(int pidfd)
{
	struct pollfd p = { .fd = pidfd, .events = POLLIN };

	return poll(&p, 1, 0) == 0;
}

int peer_is_allowed(const struct peer *p, int fd, gid_t group, struct error *e)
{
	int r;

	if (p->uid != 0 && !is_in_group(p, fd, group))
		return error_set(e, -EPERM, "uid %u is neither root nor in the control group",
				 (unsigned int)p->uid);
	if (p->pid <= 0)
		return error_set(e, -EPERM, "the caller is in another pid namespace");
	if (p->pidfd < 0)
		return error_set(e, -EPERM, "cannot tell which process is calling");
	r = shares_namespace(p->pid, "pid", e);
	if (r == 0)
		r = shares_namespace(p->pid, "user", e);
	if (r == 0 && !is_alive(p->pidfd))
		r = error_set(e, -EPERM, "the process that connected is gone");
	return r;
}
