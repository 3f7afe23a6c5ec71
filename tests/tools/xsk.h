/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
#pragma once

#include <stdint.h>

struct xsk {
	int fd;
	const uint32_t *received; /* frames so far; at most 64 can be */
};

/* Bound to queue 0 of the interface in copy mode; -1 and errno. */
int xsk_open(unsigned int ifindex, struct xsk *ret);
/* Until so many frames have come; -1 with ETIMEDOUT. */
int xsk_wait(const struct xsk *x, uint32_t count, int timeout_ms);
