/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* What this kernel can do for programs at the tc hooks. Internal to kern. */
#pragma once

#include "kern/context.h"

/* The self-check of the dispatcher for tc. Each: false with f->detail if it cannot be done. */
bool probe_tc_tailcall(struct arena *a, struct feature *f);
/* Filters at the qdisc clsact. */
bool probe_clsact(struct arena *a, struct feature *f);
