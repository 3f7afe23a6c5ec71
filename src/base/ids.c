/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
#include "base/ids.h"

#include <stdlib.h>

static int by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

void ids_add(struct arena *a, struct ids *s, uint32_t id)
{
	*LIST_ADD(a, &s->list) = id;
}

void ids_sort(struct ids *s)
{
	size_t n = 0;

	if (s->list.n == 0)
		return;
	qsort(s->list.v, s->list.n, sizeof(*s->list.v), by_number);
	for (size_t i = 0; i < s->list.n; i++)
		if (i == 0 || s->list.v[i] != s->list.v[n - 1])
			s->list.v[n++] = s->list.v[i];
	s->list.n = n;
}

bool ids_has(const struct ids *s, uint32_t id)
{
	return s->list.n > 0 &&
	       bsearch(&id, s->list.v, s->list.n, sizeof(*s->list.v), by_number) != NULL;
}
