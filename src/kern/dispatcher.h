/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* The dispatchers that tail-call their members, one for each hook. Internal to kern. */
#pragma once

#include "kern/context.h"

struct bpf_object;
struct bpf_program;
struct bpf_map;
struct tailcall_dispatcher_bpf;
struct tc_dispatcher_bpf;

struct dispatcher { /* all zero: closed */
	struct bpf_object *object;
	struct bpf_program *program;
	struct bpf_map *members; /* the program array */
	struct tailcall_dispatcher_bpf *xdp;
	struct tc_dispatcher_bpf *tc;
};

/*
 * Opens the dispatcher of the chain's hook and writes slots and verdicts into its configuration; the
 * chain has at most LIMIT_CHAIN_TAILCALL members. What is left is to load it (verifier_load).
 */
int dispatcher_open(struct dispatcher *d, const struct meta_chain *chain, bool frags,
		    struct error *e);
void dispatcher_close(struct dispatcher *d);
