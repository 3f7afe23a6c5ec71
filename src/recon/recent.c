/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* One entry per second, in a ring. */
#include "recon/recent.h"

#include <string.h>

#include "base/alloc.h"
#include "base/macros.h"

#define SECOND_NS (1000ull * 1000 * 1000)

struct second {
	uint64_t number; /* since the clock began */
	size_t removed;  /* by plans of this second */
	size_t total;    /* the most that was there */
};

struct recent {
	struct second seconds[RECENT_SECONDS];
};

struct recent *recent_new(void)
{
	return xnew(struct recent);
}

void recent_free(struct recent *r)
{
	free(r);
}

struct plan_recent recent_get(const struct recent *r, uint64_t now_ns)
{
	struct plan_recent sum = { 0 };
	uint64_t now = now_ns / SECOND_NS;

	for (size_t i = 0; i < RECENT_SECONDS; i++) {
		const struct second *s = &r->seconds[i];

		if (s->number + RECENT_SECONDS <= now)
			continue;
		sum.removed += s->removed;
		sum.total = MAX(sum.total, s->total);
	}
	return sum;
}

void recent_note(struct recent *r, const struct plan *p, uint64_t now_ns)
{
	uint64_t now = now_ns / SECOND_NS;
	struct second *s = &r->seconds[now % RECENT_SECONDS];

	if (p->confirmed) {
		memset(r, 0, sizeof(*r));
		return;
	}
	if (s->number != now)
		*s = (struct second){ .number = now };
	s->removed += p->op_count ? p->removed : 0;
	s->total = MAX(s->total, p->total);
}
