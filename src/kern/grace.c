/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * XDP programs run inside one RCU read-side section, and so do those of tc: on ingress the
 * one around the receive path, on egress one that also keeps softirqs away, which since 4.20 the same
 * grace period waits for. A list of TCX, or of filters, is read inside it and changed by publishing another, so
 * a grace period of the kernel is the proof that nobody runs what was detached or replaced
 * before. What the kernel frees later still (a filter goes by a work queue) holds a reference, but is
 * run by nobody.
 *
 * membarrier(2) is made for that; it can be compiled out, and refuses on kernels with full dynticks
 * CPUs. Then a change of a map of maps does it: before it returns, the kernel waits for all
 * running programs, so that its caller may rely on the old inner map being out of use.
 */
#include <errno.h>
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "base/macros.h"
#include "kern/context.h"

int grace_wait_by_membarrier(void)
{
	return syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0) < 0 ? -errno : 0;
}

static int wait_by_map_of_maps(struct error *e)
{
	const uint32_t key = 0;
	cleanup(closep) int inner = -1, outer = -1;

	inner = bpf_map_create(BPF_MAP_TYPE_ARRAY, "bpfshare_grace", sizeof(key), sizeof(key), 1,
			       NULL);
	if (inner >= 0) {
		LIBBPF_OPTS(bpf_map_create_opts, opts, .inner_map_fd = (uint32_t)inner);

		outer = bpf_map_create(BPF_MAP_TYPE_ARRAY_OF_MAPS, "bpfshare_grace", sizeof(key),
				       sizeof(key), 1, &opts);
	}
	if (outer < 0 || bpf_map_update_elem(outer, &key, &inner, BPF_ANY) < 0)
		return error_set(e, -errno, "cannot wait for running programs: %s",
				 error_string(errno));
	return 0;
}

void grace_apply(struct op_result *ret)
{
	int r = grace_wait_by_membarrier();

	if (r < 0)
		r = wait_by_map_of_maps(&ret->error);
	if (r < 0)
		result_fail(ret, r);
}
