/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* The self-check that decides whether chains of tail calls are offered. Internal to kern. */
#pragma once

#include "kern/context.h"

/* False with f->detail if a dispatcher does not load, or answers otherwise than its members say. */
bool probe_tailcall(struct arena *a, struct feature *f);
