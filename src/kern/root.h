/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* An interface's root program, by netlink or on a bpf_link. Internal to kern. */
#pragma once

#include "kern/context.h"

/*
 * Each takes the program to attach as a descriptor, which stays the caller's. Nothing is changed
 * unless the present root is the expected one. With detach_first the old root is put back if the new
 * one is refused; the result says so. Reasons: RootChanged, RootHeld, InterfaceGone, AttachRefused,
 * OffloadRefused, NativeRefused (with code 0: attached in generic mode instead, see note).
 */
void root_set(const struct kern_context *c, struct arena *a, const struct op *op, int program_fd,
	      struct op_result *ret);
void root_link_set(const struct kern_context *c, struct arena *a, const struct op *op,
		   int program_fd, struct op_result *ret);

/* A root that went with its interface is cleared. */
void root_clear(struct arena *a, const struct op *op, struct op_result *ret);
void root_link_remove(const struct kern_context *c, struct arena *a, const struct op *op,
		      struct op_result *ret);
