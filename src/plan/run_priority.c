/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
#include "plan/run_priority.h"

#include <string.h>

#include "model/limits.h"

/* Least value that puts `next` after a member with this value; may be beyond what fits. */
static int64_t least_after(const struct run_priority *at, int64_t value,
			   const struct run_priority *next)
{
	return strcmp(at->name, next->name) < 0 ? value : value + 1;
}

/* Greatest value that keeps `at` before a member with this value; may be negative. */
static int64_t most_before(const struct run_priority *at, const struct run_priority *next,
			   int64_t value)
{
	return strcmp(at->name, next->name) < 0 ? value : value - 1;
}

/* The greatest value that v[i] may have for the sake of the foreign member after it. */
static int64_t bound_of(const struct run_priority *v, size_t n, size_t i)
{
	size_t foreign = i;
	int64_t most;

	while (foreign < n && !v[foreign].foreign)
		foreign++;
	most = foreign < n ? v[foreign].value : UINT32_MAX;
	if (foreign == n)
		foreign = n - 1;
	for (size_t k = foreign; k > i; k--)
		most = most_before(&v[k - 1], &v[k], most);
	return most;
}

/*
 * Gives values from the front. The index of a member for which none is left, n when all have theirs; with
 * `all` each gets one, be it that what is sorted by them is not quite the order.
 */
static size_t try_values(const struct run_priority *v, size_t n, bool all, uint32_t *ret)
{
	int64_t last = -1;

	for (size_t i = 0; i < n; i++) {
		int64_t least = i ? least_after(&v[i - 1], last, &v[i]) : 0;
		int64_t most = bound_of(v, n, i);

		last = v[i].value;
		if (!v[i].foreign && least > most && !all)
			return i;
		if (!v[i].foreign && last < least)
			last = least;
		if (!v[i].foreign && last > most)
			last = most < 0 ? 0 : most;
		ret[i] = (uint32_t)last;
	}
	return n;
}

/* The next foreign member behind v[i] goes one place to the front. False: there is none. */
static bool let_foreign_pass(struct run_priority *v, size_t n, size_t i)
{
	struct run_priority passed;

	while (i < n && !v[i].foreign)
		i++;
	if (i == n)
		return false;
	passed = v[i - 1];
	passed.displaced = true;
	v[i - 1] = v[i];
	v[i] = passed;
	return true;
}

void run_priorities_assign(struct run_priority *v, size_t n)
{
	uint32_t values[LIMIT_CHAIN_TAILCALL];
	size_t stuck;

	/* Each time a foreign member comes further to the front, which ends. */
	while ((stuck = try_values(v, n, false, values)) < n)
		if (!let_foreign_pass(v, n, stuck))
			break;
	/* Behind a foreign member with the greatest number there is, none is left. */
	(void)try_values(v, n, true, values);
	for (size_t i = 0; i < n; i++)
		v[i].value = values[i];
}
