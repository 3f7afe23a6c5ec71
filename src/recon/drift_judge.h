/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* The part of drift.h that needs nothing but what was in place and what is seen now. */
#pragma once

#include "recon/drift.h"
#include "recon/in_place.h"

struct drift_cause drift_judge_op(const struct in_place *before, struct arena *a,
				  const struct observed *o, const struct op *op);

struct drift_notices {
	LIST(struct drift_notice) list;
};
void drift_look(struct arena *a, const struct observed *o, struct drift_notices *ret);
