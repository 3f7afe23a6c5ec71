/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Programs at the tc hooks of interfaces, by TCX links or clsact filters. Everything
 * acts in the network namespace that the caller is in. Internal to kern.
 */
#pragma once

#include "kern/context.h"

/*
 * Adds to ret->tc both directions of all of ret->interfaces that are of this namespace, or (everywhere
 * false) only those that a link of ret->links is at. What the programs are is for tc_observe_programs().
 */
int tc_observe(struct arena *a, const char *netns, bool everywhere, struct observed *ret,
	       struct error *e);
/* True if a filter of ours may be anywhere: something that could be in one is pinned. */
bool tc_may_be_anywhere(const struct observed *o);
/* Adds what is in ret->tc to ret->programs. */
int tc_observe_programs(struct arena *a, struct observed *ret, struct error *e);
/* Says which of ret->tc are ours; needs everything else, the marks of programs included. */
void tc_find_ours(const struct kern_context *c, struct arena *a, struct observed *ret);

/*
 * OP_TC_SET and OP_TC_CLEAR. The program to attach is a descriptor, which stays the caller's. Reasons:
 * TcListChanged (another pass will see it), TcListFull, TcHeld, IngressQdisc, InterfaceGone,
 * AttachRefused.
 */
void tc_set(const struct kern_context *c, struct arena *a, const struct op *op, int program_fd,
	    struct op_result *ret);
void tc_clear(const struct kern_context *c, struct arena *a, const struct op *op,
	      struct op_result *ret);

/* For tcx.c and clsact.c: "egress of eth0", for messages. */
const char *tc_place_name(struct arena *a, const struct op_tc *op);
int tc_fail(struct op_result *ret, int code, enum failure_class class, const char *reason);
