/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* `shares`: which maps, under which alias, and where consumers find them. */
#include "config/fields.h"

#include <string.h>

#include "base/num.h"
#include "config/config.h"
#include "model/layout.h"

/* linux/limits.h: PATH_MAX with the final NUL, without the alias and its slash. */
#define PATH_BYTES_MAX (4096 - 1 - LIMIT_NAME - 1)

/* The highest id; the kernel takes the one above for "leave it as it is". */
#define ID_MAX 4294967294u

static const struct text_rule any_rule = { 0 };

/* ---- maps ---- */

/*
 * "fwd", "fwd@eth0" or "fwd@blue:eth0" as the instance is called, NULL: no name of one. A namespace may be
 * written with its name escaped (the only way for a path, which has slashes) or as it is.
 */
static const char *instance_name(struct arena *a, const char *s)
{
	const char *at = strchr(s, '@'), *colon = at ? strrchr(at, ':') : NULL;
	const char *object = at ? arena_strndup(a, s, (size_t)(at - s)) : s;
	const char *interface = colon ? colon + 1 : at ? at + 1 : NULL;
	const char *netns = NULL;

	if (colon) {
		const char *written = arena_strndup(a, at + 1, (size_t)(colon - at - 1));

		netns = layout_unescape(a, written);
		netns = netns ? netns : written;
		if (!*netns || fields_netns_fault(a, netns))
			return NULL;
	}
	if (!name_is_valid(object) || (interface && fields_interface_fault(interface)))
		return NULL;
	return interface ? layout_instance(a, object, netns, interface) : object;
}

static void bind_map_name(struct bind *b, const struct field *f, const struct value *v, void *dst)
{
	struct share_map *map = dst;
	const char *text = bind_text(b, f->key, v, &any_rule);

	if (!text)
		return;
	if (!name_split(b->arena, text, &map->object, &map->map) ||
	    !(map->object = instance_name(b->arena, map->object)) || fields_map_fault(map->map)) {
		bind_error(b, &v->origin,
			   "write OBJECT/MAP, OBJECT@INTERFACE/MAP or "
			   "OBJECT@NAMESPACE:INTERFACE/MAP",
			   "%s does not name a map", diag_quote(b->arena, text));
		map->map = NULL;
	}
}

static const char *alias_fault(const char *s)
{
	return alias_is_valid(s) ? NULL : "is no alias";
}

static const struct text_rule alias_rule = {
	.fault = alias_fault,
	.hint = "an alias has up to 63 characters A-Z, a-z, 0-9, '_' and '-'",
};
static const struct text_rule interface_rule = {
	.fault = fields_interface_fault,
	.hint = "write the name of one interface",
};
static const struct words access_words = { access_names, ACCESS_COUNT, NULL, NULL };

static const struct field map_fields[] = {
	{ "map", bind_map_name, 0, NULL, true },
	{ "as", bind_string, offsetof(struct share_map, alias), &alias_rule, false },
	{ "access", bind_word, offsetof(struct share_map, access), &access_words, false },
	{ "interface", bind_string, offsetof(struct share_map, interface), &interface_rule, false },
	{ "unsafe", bind_bool, offsetof(struct share_map, unsafe), NULL, false },
	{ 0 },
};

static void bind_map(struct bind *b, const struct value *v, struct share_map *ret)
{
	static const struct field plain = { .key = "map" };
	size_t errors = b->diags->errors;

	ret->origin = v->origin;
	if (v->kind == VALUE_STRING)
		bind_map_name(b, &plain, v, ret);
	else if (v->kind == VALUE_MAPPING)
		bind_mapping(b, "maps", v, map_fields, ret);
	else
		bind_error(b, &v->origin, "write OBJECT/MAP or {map: OBJECT/MAP, …}",
			   "an element of 'maps' must be a string or a mapping, not %s",
			   value_kind_name(v->kind));
	if (ret->alias || !ret->map || b->diags->errors != errors)
		return;
	ret->alias = ret->map;
	if (!alias_is_valid(ret->map))
		bind_error(b, &v->origin,
			   arena_printf(b->arena, "write {map: %s/%s, as: NAME}", ret->object,
					ret->map),
			   "the map '%s' needs an alias: in a share a name has up to 63 characters "
			   "and no dot",
			   ret->map);
}

static int compare_aliases(const void *left, const void *right)
{
	const struct share_map *l = left, *r = right;
	int c = str_cmp(l->alias, r->alias);

	if (c)
		return c;
	if (l->origin.line != r->origin.line)
		return l->origin.line < r->origin.line ? -1 : 1;
	return l->origin.column < r->origin.column ? -1 : l->origin.column > r->origin.column;
}

static void bind_maps(struct bind *b, const struct field *f, const struct value *v, void *dst)
{
	struct share_decl *share = dst;

	if (!bind_is_list(b, f->key, v))
		return;
	share->maps = arena_calloc(b->arena, v->n, sizeof(*share->maps));
	share->map_count = v->n;
	for (size_t i = 0; i < v->n; i++)
		bind_map(b, &v->items[i], &share->maps[i]);
	if (v->n < 2)
		return;
	qsort(share->maps, v->n, sizeof(*share->maps), compare_aliases);
	for (size_t i = 1; i < v->n; i++) {
		const struct share_map *map = &share->maps[i];

		if (map->alias && str_eq(map->alias, map[-1].alias))
			bind_error(b, &map->origin, "give one of them another name with 'as'",
				   "two maps of the share have the alias '%s'; the other is in "
				   "line %u",
				   map->alias, map[-1].origin.line);
	}
}

/* ---- targets ---- */

/* "/srv//maps/./x/" as "/srv/maps/x"; NULL for a path that is not absolute or climbs. */
static char *normalize_path(struct arena *a, const char *s)
{
	char *path = arena_alloc(a, strlen(s) + 2), *end = path;

	if (*s != '/')
		return NULL;
	while (*s) {
		size_t n = strcspn(s, "/");

		if (n == 2 && memcmp(s, "..", 2) == 0)
			return NULL;
		if (n && !(n == 1 && *s == '.')) {
			*end++ = '/';
			memcpy(end, s, n);
			end += n;
		}
		s += n + (s[n] ? 1 : 0);
	}
	return path;
}

static void bind_path(struct bind *b, const struct field *f, const struct value *v, void *dst)
{
	const char *text = bind_text(b, f->key, v, &any_rule);
	const char *path = text ? normalize_path(b->arena, text) : NULL;
	const char *fault = NULL;

	if (!text)
		return;
	if (!path)
		fault = "is not absolute, or has '..' in it";
	else if (!*path)
		fault = "is the root directory";
	else if (strlen(path) > PATH_BYTES_MAX)
		fault = "is too long";
	for (const char *c = text; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			fault = "has control characters";
	if (fault)
		bind_error(b, &v->origin, "write the absolute path of a directory", "'%s': %s %s",
			   f->key, diag_quote(b->arena, text), fault);
	((struct share_target *)dst)->path = path;
}

/* A name or a number; a number of more digits than an id has is no name either. */
const char *fields_account_fault(const char *s)
{
	uint32_t id;

	if (strspn(s, "0123456789") == strlen(s))
		return num_parse_u32(s, ID_MAX, &id) < 0 ? "is no id" : NULL;
	if (*s == '-' || *s == '+')
		return "is no name and no id";
	for (; *s; s++)
		if (*s == '/' || *s == ':' || *s == ',' || (unsigned char)*s <= ' ' || *s == 0x7f)
			return "is no name and no id";
	return NULL;
}

static const struct text_rule account_rule = { .fault = fields_account_fault, .numbers = true };

/*
 * Who can write to the directory can pin there what he may only read, and open that for
 * writing: one map of the share that is rw would make all read-only maps of all shares writable.
 */
static const char *mode_fault(const char *s)
{
	size_t n = strlen(s);

	if (strspn(s, "01234567") != n || n < 3 || n > 4)
		return "is no mode of three or four octal digits";
	if (n == 4 && *s != '0')
		return "has a set-uid, set-gid or sticky bit, which means nothing for maps";
	if (strchr("2367", s[n - 1]) || strchr("2367", s[n - 2]))
		return "has a write bit for group or others, but consumers must not be able to "
		       "write to the directory";
	return NULL;
}

static const struct text_rule mode_rule = {
	.fault = mode_fault,
	.hint = "write for example \"0750\"; who may use the maps is said by 'group', and who may "
		"write to a map by 'access: rw'",
};

/* What the number would be as a mode; the general hint if that were refused as well. */
static const char *mode_hint(struct arena *a, const char *number)
{
	const char *digits = number + strspn(number, "0o");
	size_t n = strlen(digits);
	const char *mode = arena_printf(a, "%s%s", n < 4 ? &"0000"[n] : "", digits);

	return mode_fault(mode) ? mode_rule.hint :
				  arena_printf(a, "put it in quotes: \"%s\"", mode);
}

static void bind_mode(struct bind *b, const struct field *f, const struct value *v, void *dst)
{
	const char *text;
	uint32_t mode = 0;

	if (v->kind == VALUE_INTEGER) {
		bind_error(b, &v->origin, mode_hint(b->arena, v->text),
			   "an unquoted octal number is ambiguous: YAML 1.1 and 1.2 read %s "
			   "differently",
			   v->text);
		return;
	}
	text = bind_text(b, f->key, v, &mode_rule);
	for (; text && *text; text++)
		mode = mode * 8 + (uint32_t)(*text - '0');
	((struct share_target *)dst)->mode = mode;
}

static const struct field bpffs_fields[] = {
	{ "path", bind_path, 0, NULL, false },
	{ "group", bind_string, offsetof(struct share_target, group), &account_rule, false },
	{ "user", bind_string, offsetof(struct share_target, user), &account_rule, false },
	{ "mode", bind_mode, 0, NULL, false },
	{ 0 },
};

static void bind_bpffs(struct bind *b, const struct field *f, const struct value *v, void *dst)
{
	struct share_target *target = dst;

	target->type = TARGET_BPFFS;
	bind_mapping(b, f->key, v, bpffs_fields, target);
	if (target->user && target->group)
		bind_error(b, &v->origin, "leave one of them out",
			   "'user' stands for that user's primary group, so it excludes 'group'");
}

static const struct field target_fields[] = {
	{ "bpffs", bind_bpffs, 0, NULL, false },
	{ "socket", NULL, 0, NULL, false },
	{ "csi", NULL, 0, NULL, false },
	{ "delegate", NULL, 0, NULL, false },
	{ 0 },
};

static void bind_target(struct bind *b, const struct value *v, struct share_target *ret)
{
	size_t keys = 0, errors = b->diags->errors;

	ret->origin = v->origin;
	ret->mode = 0750;
	if (v->kind != VALUE_MAPPING) {
		bind_error(b, &v->origin, "write for example {bpffs: {group: NAME}}",
			   "an element of 'targets' must be a mapping, not %s",
			   value_kind_name(v->kind));
		return;
	}
	bind_mapping(b, "targets", v, target_fields, ret);
	for (size_t i = 0; i < v->n; i++)
		keys += bind_is_ignored(v->keys[i].text) ? 0 : 1;
	if (keys > 1)
		bind_error(b, &v->origin, "write one list element for each",
			   "a target has exactly one kind; here are %zu", keys);
	else if (!keys && b->diags->errors == errors)
		bind_error(b, &v->origin, "write for example {bpffs: {group: NAME}}",
			   "the target does not say its kind");
}

static void bind_targets(struct bind *b, const struct field *f, const struct value *v, void *dst)
{
	struct share_decl *share = dst;

	if (!bind_is_list(b, f->key, v))
		return;
	share->targets = arena_calloc(b->arena, v->n, sizeof(*share->targets));
	share->target_count = v->n;
	for (size_t i = 0; i < v->n; i++)
		bind_target(b, &v->items[i], &share->targets[i]);
}

/* ---- shares ---- */

static const struct field share_fields[] = {
	{ "maps", bind_maps, 0, NULL, true },
	{ "unsafe", NULL, 0, NULL, false },
	{ "targets", bind_targets, 0, NULL, true },
	{ 0 },
};

void fields_bind_shares(struct bind *b, const struct field *f, const struct value *v, void *dst)
{
	struct fragment *fragment = dst;

	if (!bind_is_mapping(b, f->key, v))
		return;
	fragment->shares = arena_calloc(b->arena, v->n, sizeof(*fragment->shares));
	for (size_t i = 0; i < v->n; i++) {
		struct share_decl *share = &fragment->shares[fragment->share_count];

		if (bind_is_ignored(v->keys[i].text))
			continue;
		fields_check_name(b, "a share", &v->keys[i]);
		share->name = arena_strdup(b->arena, v->keys[i].text);
		share->origin = v->keys[i].origin;
		bind_mapping(b, share->name, &v->items[i], share_fields, share);
		fragment->share_count++;
	}
}
