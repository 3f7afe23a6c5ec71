/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* The top of a configuration file and of bpfshared.yaml. */
#include "config/config.h"

#include <string.h>

#include "base/macros.h"
#include "config/doc.h"
#include "config/fields.h"

#define FORMAT_VERSION 1

static void bind_root(struct bind *b, const struct value *root, const struct field *fields,
		      void *dst)
{
	if (root->kind == VALUE_MAPPING || root->kind == VALUE_NULL)
		bind_mapping(b, "", root, fields, dst);
	else
		bind_error(b, &root->origin,
			   arena_printf(b->arena, "begin with '%s:'", fields->key),
			   "the file must be a mapping, not %s", value_kind_name(root->kind));
}

/* ---- a configuration file ---- */

static void bind_version(struct bind *b, const struct field *f, const struct value *v, void *dst)
{
	static const struct range versions = { 1, FORMAT_VERSION };
	uint32_t version;

	(void)dst;
	(void)bind_number(b, f->key, v, &versions, &version);
}

static const struct field root_fields[] = {
	{ "version", bind_version, 0, NULL, false },
	{ "interfaces", fields_bind_sets, 0, NULL, false },
	{ "objects", fields_bind_objects, 0, NULL, false },
	{ "shares", fields_bind_shares, 0, NULL, false },
	{ 0 },
};

/* A newer format may give every key another meaning, so nothing else of it is judged. */
static bool is_newer(struct diags *diags, const struct value *root)
{
	const struct value *version = value_get(root, "version");

	if (!version || version->kind != VALUE_INTEGER || version->negative ||
	    version->magnitude <= FORMAT_VERSION)
		return false;
	diag_add(diags, DIAG_ERROR, &version->origin, "update bpfshare, or write the older format",
		 "NewerFormat: the file has format %s, and this bpfshare reads up to %d",
		 version->text, FORMAT_VERSION);
	return true;
}

struct fragment *config_parse(struct arena *a, const char *path, const char *text, size_t size,
			      const struct settings *defaults)
{
	/* The tree is several times the size of what stays of it. */
	cleanup(arena_freep) struct arena *scratch = arena_new();
	struct fragment *ret = arena_new_of(a, struct fragment);
	struct bind b = {
		.arena = a,
		.diags = &ret->diags,
		.xdp = defaults ? &defaults->xdp : &fields_xdp_defaults,
		.tc = defaults ? &defaults->tc : &fields_tc_defaults,
	};
	const struct value *root;

	ret->path = arena_strdup(a, path);
	diags_init(&ret->diags, a);
	diags_add_text(&ret->diags, ret->path, text, size);
	root = doc_parse(scratch, &ret->diags, ret->path, text, size);
	if (root && !is_newer(&ret->diags, root))
		bind_root(&b, root, root_fields, ret);
	ret->valid = ret->diags.errors == 0;
	return ret;
}

/* ---- bpfshared.yaml ---- */

static void bind_setting_labels(struct bind *b, const struct field *f, const struct value *v,
				void *dst)
{
	struct settings *s = dst;

	if (bind_is_mapping(b, f->key, v))
		bind_labels(b, v, &s->labels, &s->label_count);
}

static const struct range percent_range = { 0, 100 };
static const struct range any_range = { 0, UINT32_MAX };

static const struct field mass_removal_fields[] = {
	{ "over_percent", bind_u32, offsetof(struct settings, mass_removal_percent), &percent_range,
	  false },
	{ "and_at_least", bind_u32, offsetof(struct settings, mass_removal_least), &any_range,
	  false },
	{ 0 },
};

static void bind_mass_removal(struct bind *b, const struct field *f, const struct value *v,
			      void *dst)
{
	bind_mapping(b, f->key, v, mass_removal_fields, dst);
}

static const struct text_rule account_rule = { fields_account_fault, NULL, true, true };

static const struct field control_fields[] = {
	{ "group", bind_string, offsetof(struct settings, control_group), &account_rule, false },
	{ 0 },
};

static void bind_control(struct bind *b, const struct field *f, const struct value *v, void *dst)
{
	bind_mapping(b, f->key, v, control_fields, dst);
}

static void bind_log_level(struct bind *b, const struct field *f, const struct value *v, void *dst)
{
	static const char *const names[] = { "error", "warning", "notice", "info", "debug" };
	static const struct words words = { names, ARRAY_SIZE(names), NULL, NULL };
	size_t errors = b->diags->errors;
	unsigned int level = 0;

	bind_word(b, &(struct field){ .key = f->key, .arg = &words }, v, &level);
	if (b->diags->errors == errors)
		((struct settings *)dst)->log_level = names[level];
}

/* Versions of the structure in libxdp's dispatchers; older ones than 2 nobody writes any more. */
static const struct range protocol_range = { 2, 3 };

static void bind_protocol(struct bind *b, const struct field *f, const struct value *v, void *dst)
{
	uint32_t *protocol = &((struct settings *)dst)->libxdp_protocol;

	if (v->kind == VALUE_STRING && strcmp(v->text, "auto") == 0)
		*protocol = 0;
	else
		bind_number(b, f->key, v, &protocol_range, protocol);
}

static const struct field libxdp_fields[] = {
	{ "protocol", bind_protocol, 0, NULL, false },
	{ 0 },
};

static void bind_libxdp(struct bind *b, const struct field *f, const struct value *v, void *dst)
{
	bind_mapping(b, f->key, v, libxdp_fields, dst);
}

/* A minute is far more than any editor needs to finish; a day is as good as never. */
static const struct range settle_range = { 0, 60000 };
static const struct range resync_range = { 0, 86400 };

static const struct field settings_fields[] = {
	{ "labels", bind_setting_labels, 0, NULL, false },
	{ "allowed_owners", bind_strings, offsetof(struct settings, allowed_owners), &account_rule,
	  false },
	{ "xdp", fields_bind_xdp, offsetof(struct settings, xdp), NULL, false },
	{ "tc", fields_bind_tc, offsetof(struct settings, tc), NULL, false },
	{ "libxdp", bind_libxdp, 0, NULL, false },
	{ "settle_ms", bind_u32, offsetof(struct settings, settle_ms), &settle_range, false },
	{ "resync_s", bind_u32, offsetof(struct settings, resync_s), &resync_range, false },
	{ "mass_removal", bind_mass_removal, 0, NULL, false },
	{ "control", bind_control, 0, NULL, false },
	{ "log_level", bind_log_level, 0, NULL, false },
	{ "tenants", NULL, 0, NULL, false },
	{ 0 },
};

bool config_parse_settings(struct arena *a, const char *path, const char *text, size_t size,
			   struct settings *ret, struct diags *diags)
{
	cleanup(arena_freep) struct arena *scratch = arena_new();
	const char *file = arena_strdup(a, path);
	struct bind b = {
		.arena = a,
		.diags = diags,
		.xdp = &fields_xdp_defaults,
		.tc = &fields_tc_defaults,
	};
	const struct value *root;
	size_t errors = diags->errors;

	*ret = (struct settings){
		.xdp = fields_xdp_defaults,
		.tc = fields_tc_defaults,
		.settle_ms = 50,
		.resync_s = 60,
		.mass_removal_percent = 50,
		.mass_removal_least = 16,
		.control_group = "bpfshare",
		.log_level = "info",
	};
	if (!text)
		return true;
	diags_add_text(diags, file, text, size);
	root = doc_parse(scratch, diags, file, text, size);
	if (root)
		bind_root(&b, root, settings_fields, ret);
	return diags->errors == errors;
}
