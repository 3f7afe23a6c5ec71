/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* The self-check that decides whether chains by libxdp's protocol are offered. Internal to kern. */
#pragma once

#include "kern/context.h"

/*
 * False with f->detail if a dispatcher, a freplace program or a link is refused, or the dispatcher answers
 * otherwise than its members say.
 */
bool probe_libxdp(struct arena *a, struct feature *f);
