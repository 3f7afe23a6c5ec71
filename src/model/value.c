/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
#include "model/value.h"

#include <string.h>

static const char *const kind_names[VALUE_KIND_COUNT] = {
	[VALUE_NULL] = "nothing",       [VALUE_BOOL] = "true or false",
	[VALUE_INTEGER] = "an integer", [VALUE_FLOAT] = "a fractional number",
	[VALUE_STRING] = "a string",    [VALUE_LIST] = "a list",
	[VALUE_MAPPING] = "a mapping",
};

const char *value_kind_name(enum value_kind kind)
{
	return kind_names[kind];
}

const struct value *value_get(const struct value *v, const char *key)
{
	if (v->kind != VALUE_MAPPING)
		return NULL;
	for (size_t i = 0; i < v->n; i++)
		if (strcmp(v->keys[i].text, key) == 0)
			return &v->items[i];
	return NULL;
}
