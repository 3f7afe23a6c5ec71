/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* Plans and states as text that a person reviews. */
#pragma once

#include "base/str.h"
#include "plan/plan.h"

void transcript_plan(struct strbuf *out, struct arena *a, const struct plan *plan);
void transcript_status(struct strbuf *out, struct arena *a, const struct status *s);
/* Copies text with every hash replaced by a number, the same for the same hash. */
void transcript_mask(struct strbuf *out, const char *text);
