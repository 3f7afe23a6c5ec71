/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * The numbers that make libxdp keep our order. Whenever a libxdp tool joins or leaves a chain, it sorts all
 * members anew: by run priority, then by strcmp() of the function's name. So what we write must
 * give our order under that sort, while the numbers of foreign members are theirs.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct run_priority {
	const char *name; /* of the function */
	uint32_t value;   /* declared, or the foreign member's own; out: to be written */
	bool foreign;     /* its value stays */
	bool displaced;   /* out: a foreign member goes before it, against the order asked for */
	size_t index;     /* of the caller: where the member was in the order asked for */
};

/*
 * v is in the order asked for, foreign members among each other by their values. On return it is in the
 * order that can be had, with values that give it: a declared value is kept where it does. Where no value
 * can put one of ours before a foreign member, that one goes first. At most LIMIT_CHAIN_TAILCALL members.
 */
void run_priorities_assign(struct run_priority *v, size_t n);
