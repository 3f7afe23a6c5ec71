/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
#include "recon/boot_id.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/alloc.h"

int boot_id_read(char ret[BOOT_ID_SIZE])
{
	cleanup(closep) int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, ret, BOOT_ID_SIZE - 1);

	if (n != BOOT_ID_SIZE - 1)
		return -EIO;
	ret[n] = '\0';
	return 0;
}
