/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
#include "kern/child.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/macros.h"

/* The answer comes by a pipe, since the parent's disposition of SIGCHLD may eat the exit status. */
int child_ask(int (*ask)(int arg), int arg)
{
	cleanup(closep) int in = -1, out = -1;
	int ends[2], code = CHILD_UNTRIED;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	in = ends[0];
	out = ends[1];
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0) {
		code = ask(arg);
		_exit(write(out, &code, sizeof(code)) < 0);
	}
	(void)close(take_fd(out));
	while (read(in, &code, sizeof(code)) < 0 && errno == EINTR)
		continue;
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		continue;
	return code;
}
