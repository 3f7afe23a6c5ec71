/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* `interfaces`: which interfaces a set selects, and what holds for their XDP chains. */
#include "config/fields.h"

#include <string.h>

#include "base/macros.h"
#include "config/config.h"
#include "model/layout.h"

/* linux/if.h and linux/netdevice.h; both with the final NUL. */
#define IFNAME_SIZE  16
#define ALTNAME_SIZE 128

/* Of the 255 of a file name, what the longest object and interface names leave, escaped. */
#define NETNS_BYTES_MAX 140

const struct xdp_settings fields_xdp_defaults = {
	.mode = XDP_MODE_AUTO,
	.mechanism = MECHANISM_AUTO,
	.on_foreign = ON_FOREIGN_WAIT,
};

const struct tc_settings fields_tc_defaults = { .mechanism = TC_MECHANISM_AUTO };

/* What the kernel refuses in names (dev_valid_name). */
static const char *characters_fault(const char *s)
{
	for (; *s; s++)
		if (*s == '/' || *s == ':' || (unsigned char)*s <= ' ' || *s == 0x7f)
			return "has a blank, '/' or ':' in it";
	return NULL;
}

const char *fields_interface_fault(const char *s)
{
	if (strlen(s) >= IFNAME_SIZE)
		return "is longer than the 15 characters of an interface name";
	if (strcmp(s, ".") == 0 || strcmp(s, "..") == 0)
		return "is no interface name";
	return *s ? characters_fault(s) : "is empty";
}

const char *fields_pattern_fault(const char *s)
{
	if (*s == '@')
		return "is a set, and a set cannot select another one";
	if (strlen(s) >= ALTNAME_SIZE)
		return "is longer than the 127 characters of an alternative name";
	return characters_fault(s);
}

static const char *mac_fault(const char *s)
{
	size_t n = strlen(s);

	/* Ethernet has 6 bytes, InfiniBand 20, and the kernel allows 32. */
	if (n < 17 || n > 95 || n % 3 != 2)
		return "is no address like 02:00:00:00:00:01";
	for (size_t i = 0; i < n; i++)
		if (i % 3 == 2 ? s[i] != ':' : !strchr("0123456789abcdefABCDEF", s[i]))
			return "is no address like 02:00:00:00:00:01";
	return NULL;
}

const char *fields_lower_hex(struct arena *a, const char *s)
{
	char *lower = arena_strdup(a, s);

	for (char *c = lower; c && *c; c++)
		*c = (char)(*c >= 'A' && *c <= 'F' ? *c - 'A' + 'a' : *c);
	return lower;
}

static void bind_macs(struct bind *b, const struct field *f, const struct value *v, void *dst)
{
	struct string_list *macs = &((struct interface_match *)dst)->macs;

	bind_strings(b, f, v, dst);
	for (size_t i = 0; i < macs->n; i++)
		macs->v[i] = fields_lower_hex(b->arena, macs->v[i]);
}

static void bind_groups(struct bind *b, const struct field *f, const struct value *v, void *dst)
{
	static const struct range any = { 0, UINT32_MAX };
	struct interface_match *match = dst;
	size_t n = v->kind == VALUE_LIST ? v->n : 1;

	if (!n)
		bind_error(b, &v->origin, "leave the key out, or name something",
			   "'%s' has no elements", f->key);
	match->groups = arena_calloc(b->arena, n, sizeof(*match->groups));
	for (size_t i = 0; i < n; i++)
		if (bind_number(b, f->key, v->kind == VALUE_LIST ? &v->items[i] : v, &any,
				&match->groups[match->group_count]))
			match->group_count++;
}

static void bind_physical(struct bind *b, const struct field *f, const struct value *v, void *dst)
{
	((struct interface_match *)dst)->has_physical = true;
	bind_bool(b, f, v, dst);
}

static const struct text_rule pattern_rule = { .fault = fields_pattern_fault };
static const struct text_rule mac_rule = { .fault = mac_fault };
static const struct text_rule any_rule = { 0 };

static const struct field match_fields[] = {
	{ "name", bind_strings, offsetof(struct interface_match, names), &pattern_rule, false },
	{ "driver", bind_strings, offsetof(struct interface_match, drivers), &any_rule, false },
	{ "mac", bind_macs, offsetof(struct interface_match, macs), &mac_rule, false },
	{ "kind", bind_strings, offsetof(struct interface_match, kinds), &any_rule, false },
	{ "group", bind_groups, 0, NULL, false },
	{ "physical", bind_physical, offsetof(struct interface_match, physical), NULL, false },
	{ 0 },
};

static bool match_is_empty(const struct interface_match *m)
{
	return !m->names.n && !m->drivers.n && !m->macs.n && !m->kinds.n && !m->group_count &&
	       !m->has_physical;
}

/* The entries of `select` or `except`. */
static void bind_matches(struct bind *b, const struct field *f, const struct value *v,
			 struct interface_match **ret, size_t *ret_count)
{
	if (!bind_is_list(b, f->key, v))
		return;
	*ret = arena_calloc(b->arena, v->n, sizeof(**ret));
	for (size_t i = 0; i < v->n; i++) {
		struct interface_match *match = &(*ret)[*ret_count];
		size_t errors = b->diags->errors;

		if (v->items[i].kind != VALUE_MAPPING) {
			bind_error(b, &v->items[i].origin, "write {name: \"eth*\"}",
				   "an element of '%s' must be a mapping, not %s", f->key,
				   value_kind_name(v->items[i].kind));
			continue;
		}
		bind_mapping(b, f->key, &v->items[i], match_fields, match);
		if (match_is_empty(match) && b->diags->errors == errors)
			bind_error(b, &v->items[i].origin, "if it is meant, write {name: \"*\"}",
				   "this matches every interface");
		(*ret_count)++;
	}
}

static void bind_select(struct bind *b, const struct field *f, const struct value *v, void *dst)
{
	struct interface_set *set = dst;
	size_t errors = b->diags->errors;

	bind_matches(b, f, v, &set->select, &set->select_count);
	if (!set->select_count && b->diags->errors == errors)
		bind_error(b, &v->origin, "write for example [{name: \"eth*\"}]",
			   "'select' has no elements, so the set can never match");
}

static void bind_except(struct bind *b, const struct field *f, const struct value *v, void *dst)
{
	struct interface_set *set = dst;

	bind_matches(b, f, v, &set->except, &set->except_count);
}

static const struct words modes = { xdp_mode_names, XDP_MODE_COUNT, NULL, NULL };
/* Without `direct`, which is what `tailcall` makes of a single program. */
static const struct words mechanisms = { mechanism_names, MECHANISM_DIRECT, NULL, NULL };
static const struct words tc_mechanisms = { tc_mechanism_names, TC_MECHANISM_COUNT, NULL, NULL };
static const struct words on_foreigns = { on_foreign_names, ON_FOREIGN_COUNT, NULL, NULL };

static const struct field xdp_fields[] = {
	{ "mode", bind_word, offsetof(struct xdp_settings, mode), &modes, false },
	{ "mechanism", bind_word, offsetof(struct xdp_settings, mechanism), &mechanisms, false },
	{ "on_foreign", bind_word, offsetof(struct xdp_settings, on_foreign), &on_foreigns, false },
	{ "exclusive", bind_bool, offsetof(struct xdp_settings, exclusive), NULL, false },
	{ 0 },
};

void fields_bind_xdp(struct bind *b, const struct field *f, const struct value *v, void *dst)
{
	bind_mapping(b, f->key, v, xdp_fields, (char *)dst + f->offset);
}

/* TCX links and filters have no modes, stand beside those of others, and are nobody else's to replace. */
static const char only_for_xdp[] = "it belongs under 'xdp'; all that tc has is 'mechanism'";

static const struct field tc_fields[] = {
	{ "mechanism", bind_word, offsetof(struct tc_settings, mechanism), &tc_mechanisms, false },
	{ "mode", bind_refuse, 0, only_for_xdp, false },
	{ "on_foreign", bind_refuse, 0, only_for_xdp, false },
	{ "exclusive", bind_refuse, 0, only_for_xdp, false },
	{ 0 },
};

void fields_bind_tc(struct bind *b, const struct field *f, const struct value *v, void *dst)
{
	bind_mapping(b, f->key, v, tc_fields, (char *)dst + f->offset);
}

static void bind_set_tc(struct bind *b, const struct field *f, const struct value *v, void *dst)
{
	((struct interface_set *)dst)->has_tc = true;
	fields_bind_tc(b, f, v, dst);
}

/* As a name below /run/netns, where `ip netns` keeps them, or as the path of a file of nsfs. */
const char *fields_netns_fault(struct arena *a, const char *s)
{
	/* Instances are named after it, and a directory is named after those: escaped twice. */
	if (strlen(layout_escape(a, layout_escape(a, s))) > NETNS_BYTES_MAX)
		return "is too long to be part of the name of an instance: each character but "
		       "letters, digits, '_', '@' and '-' counts as five of 140";
	return *s != '/' && (!*s || strchr(s, '/') || strcmp(s, ".") == 0 || strcmp(s, "..") == 0) ?
		       "is no name of a network namespace and no absolute path" :
		       NULL;
}

void fields_bind_netns(struct bind *b, const struct field *f, const struct value *v, void *dst)
{
	static const char *const directories[] = { "/run/netns/", "/var/run/netns/" };
	static const struct text_rule any = { 0 };
	const char *text = bind_text(b, f->key, v, &any), *fault;

	for (size_t i = 0; text && i < ARRAY_SIZE(directories); i++) {
		size_t n = strlen(directories[i]);

		if (strncmp(text, directories[i], n) == 0 && text[n] && !strchr(text + n, '/'))
			text += n;
	}
	fault = text ? fields_netns_fault(b->arena, text) : NULL;
	if (fault)
		bind_error(b, &v->origin,
			   "write a name as `ip netns` shows it, or an absolute path like "
			   "/proc/1/ns/net",
			   "'%s': %s %s", f->key, diag_quote(b->arena, text), fault);
	*(const char **)((char *)dst + f->offset) = text;
}

static void bind_set_xdp(struct bind *b, const struct field *f, const struct value *v, void *dst)
{
	((struct interface_set *)dst)->has_xdp = true;
	fields_bind_xdp(b, f, v, dst);
}

static const struct field set_fields[] = {
	{ "select", bind_select, 0, NULL, true },
	{ "except", bind_except, 0, NULL, false },
	{ "netns", fields_bind_netns, offsetof(struct interface_set, netns), NULL, false },
	{ "optional", bind_bool, offsetof(struct interface_set, optional), NULL, false },
	{ "xdp", bind_set_xdp, offsetof(struct interface_set, xdp), NULL, false },
	{ "tc", bind_set_tc, offsetof(struct interface_set, tc), NULL, false },
	{ 0 },
};

void fields_check_name(struct bind *b, const char *what, const struct value *key)
{
	if (!name_is_valid(key->text))
		bind_error(b, &key->origin,
			   "a name has up to 63 characters a-z, 0-9, '_' and '-' and begins with "
			   "a letter or a digit",
			   "%s cannot be the name of %s", diag_quote(b->arena, key->text), what);
}

void fields_bind_sets(struct bind *b, const struct field *f, const struct value *v, void *dst)
{
	struct fragment *fragment = dst;

	if (!bind_is_mapping(b, f->key, v))
		return;
	fragment->sets = arena_calloc(b->arena, v->n, sizeof(*fragment->sets));
	for (size_t i = 0; i < v->n; i++) {
		struct interface_set *set = &fragment->sets[fragment->set_count];

		if (bind_is_ignored(v->keys[i].text))
			continue;
		fields_check_name(b, "an interface set", &v->keys[i]);
		set->name = arena_strdup(b->arena, v->keys[i].text);
		set->origin = v->keys[i].origin;
		set->optional = true;
		set->xdp = *b->xdp;
		set->tc = *b->tc;
		bind_mapping(b, set->name, &v->items[i], set_fields, set);
		fragment->set_count++;
	}
}
