/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
#include "kern/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>

#define PID_FILE "pid"

static int directory_open(const char *path, mode_t mode, int *ret_fd, struct error *e)
{
	cleanup(closep) int fd = -1;

	if (mkdir(path, mode) < 0 && errno != EEXIST)
		return error_set(e, -errno, "cannot create %s: %s", path, error_string(errno));
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return error_set(e, -errno, "cannot open %s: %s", path, error_string(errno));
	*ret_fd = take_fd(fd);
	return 0;
}

static pid_t pid_read(int dir)
{
	cleanup(closep) int fd = openat(dir, PID_FILE, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	char text[16] = "";
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	return n > 0 ? (pid_t)strtol(text, NULL, 10) : 0;
}

/* For the message of the next who asks; the lock itself is the truth, so a full disk does no harm. */
static void pid_write(int dir)
{
	cleanup(closep) int fd =
		openat(dir, PID_FILE, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);

	if (fd >= 0)
		(void)dprintf(fd, "%d\n", (int)getpid());
}

int lock_take(const char *run_dir, struct lock *ret, pid_t *ret_pid, struct error *e)
{
	cleanup(closep) int parent = -1;
	cleanup(closep) int fd = -1;
	char path[4096];
	int code;

	*ret_pid = 0;
	code = directory_open(run_dir, 0755, &parent, e);
	if (code == 0 && (size_t)snprintf(path, sizeof(path), "%s/lock", run_dir) >= sizeof(path))
		code = error_set(e, -ENAMETOOLONG, "%s: path too long", run_dir);
	if (code == 0)
		code = directory_open(path, 0700, &fd, e);
	if (code < 0)
		return code;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		code = -errno;
		*ret_pid = pid_read(fd);
		return error_set(e, code, "%s is locked by process %d", path, (int)*ret_pid);
	}
	/* Consumers traverse the run directory whatever the umask was when it was made. */
	if (fchmod(parent, 0755) < 0 || fchmod(fd, 0700) < 0)
		return error_set(e, -errno, "cannot set the mode of %s: %s", path,
				 error_string(errno));
	pid_write(fd);
	ret->run_fd = take_fd(fd);
	return 0;
}

int lock_take_bpffs(struct lock *l, const char *bpffs_dir, struct error *e)
{
	cleanup(closep) int fd = -1;

	if (l->bpffs_fd >= 0)
		return 0;
	fd = open(bpffs_dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return error_set(e, -errno, "cannot open %s: %s", bpffs_dir, error_string(errno));
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return error_set(e, -errno, "%s is in use by another bpfshared", bpffs_dir);
	l->bpffs_fd = take_fd(fd);
	return 0;
}

void lock_release(struct lock *l)
{
	closep(&l->run_fd);
	closep(&l->bpffs_fd);
	l->run_fd = l->bpffs_fd = -1;
}
