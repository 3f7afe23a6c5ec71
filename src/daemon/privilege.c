/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
#include "daemon/privilege.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

#include "base/log.h"

static int effective_capabilities(uint64_t *ret)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { 0 };

	if (syscall(SYS_capget, &header, data) < 0)
		return -errno;
	*ret = data[0].effective | (uint64_t)data[1].effective << 32;
	return 0;
}

static bool has(uint64_t set, unsigned int capability)
{
	return set >> capability & 1;
}

/* Without CAP_SYS_ADMIN neither ids nor mounts are open to us, so CAP_BPF alone is not enough. */
int privilege_check(struct error *e)
{
	uint64_t set = 0;
	int r;

	if (geteuid() != 0)
		return error_set(
			e, -EPERM,
			"must run as root (uid 0, this is uid %u): start it with sudo or as "
			"a system service, 'systemctl start bpfshare'",
			(unsigned int)geteuid());
	r = effective_capabilities(&set);
	if (r < 0)
		return error_set(e, r, "cannot read the own capabilities: %s", error_string(r));
	if (!has(set, CAP_SYS_ADMIN))
		return error_set(e, -EPERM,
				 "CAP_SYS_ADMIN is missing, without which the kernel shows no "
				 "program and no map by its id and mounts no bpffs: add it to the "
				 "unit or the container (AmbientCapabilities=, --cap-add)");
	if (!has(set, CAP_NET_ADMIN))
		return error_set(
			e, -EPERM,
			"CAP_NET_ADMIN is missing, without which no program can be attached "
			"to an interface: add it to the unit or the container");
	if (!has(set, CAP_CHOWN) || !has(set, CAP_FOWNER))
		log_warning("CAP_CHOWN or CAP_FOWNER is missing: shares cannot be given to groups");
	return 0;
}
