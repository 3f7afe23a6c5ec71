/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Field by field rather than by the dump, so that a dump which forgets a field is caught. Only
 * what a file says counts: no origins, and nothing that judging adds.
 */
#include "unit/config_equal.h"

#include <string.h>

#include "base/str.h"

/* Two lists are equal if their lengths are, and each pair of elements. */
#define LISTS_EQUAL(a, b, list, count, equal)                               \
	({                                                                  \
		bool same = (a)->count == (b)->count;                       \
		for (size_t index = 0; same && index < (a)->count; index++) \
			same = equal(&(a)->list[index], &(b)->list[index]); \
		same;                                                       \
	})

static bool string_equal(const char **a, const char **b)
{
	return str_eq(*a, *b);
}

static bool strings_equal(const struct string_list *a, const struct string_list *b)
{
	return LISTS_EQUAL(a, b, v, n, string_equal);
}

static bool group_equal(const uint32_t *a, const uint32_t *b)
{
	return *a == *b;
}

static bool match_equal(const struct interface_match *a, const struct interface_match *b)
{
	return strings_equal(&a->names, &b->names) && strings_equal(&a->drivers, &b->drivers) &&
	       strings_equal(&a->macs, &b->macs) && strings_equal(&a->kinds, &b->kinds) &&
	       LISTS_EQUAL(a, b, groups, group_count, group_equal) &&
	       a->has_physical == b->has_physical && a->physical == b->physical;
}

static bool set_equal(const struct interface_set *a, const struct interface_set *b)
{
	return str_eq(a->name, b->name) && a->optional == b->optional && a->has_xdp == b->has_xdp &&
	       a->xdp.mode == b->xdp.mode && a->xdp.mechanism == b->xdp.mechanism &&
	       a->xdp.on_foreign == b->xdp.on_foreign && a->xdp.exclusive == b->xdp.exclusive &&
	       LISTS_EQUAL(a, b, select, select_count, match_equal) &&
	       LISTS_EQUAL(a, b, except, except_count, match_equal);
}

static bool label_equal(const struct label *a, const struct label *b)
{
	return str_eq(a->key, b->key) && str_eq(a->value, b->value);
}

static bool kernel_equal(const struct kernel_constraint *a, const struct kernel_constraint *b)
{
	return a->operator== b->operator&& a->version.major == b->version.major &&
		a->version.minor == b->version.minor && a->version.patch == b->version.patch;
}

static bool condition_equal(const struct condition *a, const struct condition *b)
{
	return a->present == b->present && strings_equal(&a->hosts, &b->hosts) &&
	       strings_equal(&a->archs, &b->archs) && strings_equal(&a->features, &b->features) &&
	       LISTS_EQUAL(a, b, labels, label_count, label_equal) &&
	       LISTS_EQUAL(a, b, kernels, kernel_count, kernel_equal);
}

static bool value_equal(const struct value *a, const struct value *b);

/* The order of a mapping's keys means nothing. */
static bool mapping_equal(const struct value *a, const struct value *b)
{
	for (size_t i = 0; i < a->n; i++) {
		const struct value *other = value_get(b, a->keys[i].text);

		if (!other || !value_equal(&a->items[i], other))
			return false;
	}
	return a->n == b->n;
}

static bool value_equal(const struct value *a, const struct value *b)
{
	if (a->kind != b->kind)
		return false;
	switch (a->kind) {
	case VALUE_BOOL:
		return a->boolean == b->boolean;
	case VALUE_INTEGER:
		return a->negative == b->negative && a->magnitude == b->magnitude;
	case VALUE_FLOAT:
	case VALUE_STRING:
		return str_eq(a->text, b->text);
	case VALUE_LIST:
		return LISTS_EQUAL(a, b, items, n, value_equal);
	case VALUE_MAPPING:
		return mapping_equal(a, b);
	default:
		return true;
	}
}

static bool global_equal(const struct global_decl *a, const struct global_decl *b)
{
	return str_eq(a->name, b->name) && value_equal(a->value, b->value);
}

static bool map_equal(const struct map_decl *a, const struct map_decl *b)
{
	return str_eq(a->name, b->name) && a->max_entries == b->max_entries &&
	       a->on_change == b->on_change &&
	       !a->on_change_origin.line == !b->on_change_origin.line &&
	       str_eq(a->use_object, b->use_object) && str_eq(a->use_map, b->use_map);
}

static bool reference_equal(const struct program_reference *a, const struct program_reference *b)
{
	return str_eq(a->object, b->object) && str_eq(a->program, b->program);
}

static bool attach_equal(const struct attach_decl *a, const struct attach_decl *b)
{
	return a->hook == b->hook && a->priority == b->priority && a->proceed_on == b->proceed_on &&
	       a->on_missing == b->on_missing && strings_equal(&a->interfaces, &b->interfaces) &&
	       LISTS_EQUAL(a, b, before, before_count, reference_equal) &&
	       LISTS_EQUAL(a, b, after, after_count, reference_equal);
}

static bool program_equal(const struct program_decl *a, const struct program_decl *b)
{
	return str_eq(a->name, b->name) && LISTS_EQUAL(a, b, attach, attach_count, attach_equal);
}

static bool object_equal(const struct object_decl *a, const struct object_decl *b)
{
	return str_eq(a->name, b->name) && str_eq(a->path, b->path) &&
	       str_eq(a->sha256, b->sha256) && condition_equal(&a->when, &b->when) &&
	       a->suspend == b->suspend && a->instances == b->instances &&
	       LISTS_EQUAL(a, b, globals, global_count, global_equal) &&
	       LISTS_EQUAL(a, b, maps, map_count, map_equal) &&
	       LISTS_EQUAL(a, b, programs, program_count, program_equal);
}

static bool share_map_equal(const struct share_map *a, const struct share_map *b)
{
	return str_eq(a->object, b->object) && str_eq(a->map, b->map) &&
	       str_eq(a->alias, b->alias) && a->access == b->access && a->unsafe == b->unsafe &&
	       str_eq(a->interface, b->interface);
}

static bool target_equal(const struct share_target *a, const struct share_target *b)
{
	return a->type == b->type && str_eq(a->path, b->path) && str_eq(a->user, b->user) &&
	       str_eq(a->group, b->group) && a->mode == b->mode;
}

static bool share_equal(const struct share_decl *a, const struct share_decl *b)
{
	return str_eq(a->name, b->name) && LISTS_EQUAL(a, b, maps, map_count, share_map_equal) &&
	       LISTS_EQUAL(a, b, targets, target_count, target_equal);
}

bool desired_equal(const struct desired *a, const struct desired *b)
{
	return LISTS_EQUAL(a, b, sets, set_count, set_equal) &&
	       LISTS_EQUAL(a, b, objects, object_count, object_equal) &&
	       LISTS_EQUAL(a, b, shares, share_count, share_equal);
}
