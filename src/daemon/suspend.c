/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
#include "daemon/suspend.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "recon/boot_id.h"

#define FILE_NAME "suspended"

static int write_new(const char *path, const char *text)
{
	cleanup(closep) int fd = -1;

	/* What lies there may be a FIFO, which would be waited for. */
	(void)unlink(path);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		return errno ? -errno : -ENOSPC;
	return 0;
}

int suspend_save(const char *run_dir, uint64_t until_ns, struct error *e)
{
	cleanup(freep) char *path = xasprintf("%s/" FILE_NAME, run_dir);
	cleanup(freep) char *fresh = xasprintf("%s.new", path);
	cleanup(freep) char *text = NULL;
	char boot[BOOT_ID_SIZE];
	int r = boot_id_read(boot);

	if (r == 0) {
		text = xasprintf("%s %" PRIu64 "\n", boot, until_ns);
		r = write_new(fresh, text);
	}
	if (r == 0 && rename(fresh, path) < 0)
		r = -errno;
	if (r == 0)
		return 0;
	(void)unlink(fresh);
	return error_set(e, r, "%s: %s; a restart of the daemon would end the suspension", path,
			 error_string(r));
}

bool suspend_load(const char *run_dir, uint64_t now_ns, uint64_t *ret_until_ns)
{
	cleanup(freep) char *path = xasprintf("%s/" FILE_NAME, run_dir);
	cleanup(closep) int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	char text[80] = "", boot[BOOT_ID_SIZE], current[BOOT_ID_SIZE];
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	uint64_t until;

	if (n <= 0 || sscanf(text, "%36s %" SCNu64, boot, &until) != 2)
		return false;
	if (boot_id_read(current) < 0 || strcmp(boot, current) != 0 || (until && until <= now_ns))
		return false;
	*ret_until_ns = until;
	return true;
}

void suspend_clear(const char *run_dir)
{
	cleanup(freep) char *path = xasprintf("%s/" FILE_NAME, run_dir);

	(void)unlink(path);
}
