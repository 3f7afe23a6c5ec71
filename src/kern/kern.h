/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * The one door to the kernel. recon knows nothing else; tests put a fake with
 * memory and fault injection behind the same table (tests/fake/kern_fake.h).
 */
#pragma once

#include "base/arena.h"
#include "model/observed.h"
#include "model/op.h"
#include "model/result.h"

struct kern_ops {
	/*
	 * Looks at everything at once, changes nothing. Strings and lists come from a.
	 * Fails as a whole (-errno with text) when it could not look: "cannot look" must never
	 * read as "nothing there".
	 */
	int (*observe)(void *ctx, struct arena *a, const struct observe_request *want,
		       struct observed *ret, struct error *e);
	/* Announces a new list of operations: forget what an earlier one built. */
	void (*begin)(void *ctx);
	/* Does one operation; ret->code tells. Whatever it did before it failed is seen by the next observation. */
	void (*apply)(void *ctx, struct arena *a, const struct op *op, struct op_result *ret);
};
