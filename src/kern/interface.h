/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* Interfaces of all network namespaces that concern us, and the programs at their root. Internal to kern. */
#pragma once

#include "kern/context.h"

struct netlink;

/*
 * Fills in interfaces and programs, of our own namespace and of those of ret->netns that were found. Drivers are asked for one by one, so only if somebody wants
 * to know them.
 */
int interface_observe(struct arena *a, bool drivers, struct observed *ret, struct error *e);

/* The largest packet of an interface, 0 when that cannot be told. */
uint32_t interface_mtu(struct netlink *n, uint32_t ifindex);

/* The present root of one interface of the namespace that n was opened in; -ENODEV when there is no such interface. */
int interface_root(struct netlink *n, uint32_t ifindex, uint32_t *ret_id,
		   enum xdp_attached *ret_mode, struct error *e);
