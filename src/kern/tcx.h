/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* TCX: the list of programs at one direction of one interface, Linux 6.6. Internal to kern. */
#pragma once

#include "kern/context.h"

/*
 * Fills in revision and programs of the interface and direction that *tc names. -EINVAL: this kernel has no
 * TCX; -ENODEV: no such interface.
 */
int tcx_query(struct arena *a, struct observed_tc *tc, struct error *e);

void tcx_set(const struct kern_context *c, struct arena *a, const struct op_tc *op, int program_fd,
	     struct op_result *ret);
void tcx_clear(const struct kern_context *c, struct arena *a, const struct op_tc *op,
	       struct op_result *ret);
