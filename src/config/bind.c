/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
#include "config/bind.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/macros.h"

void bind_error(struct bind *b, const struct origin *at, const char *hint, const char *fmt, ...)
{
	cleanup(freep) char *text = NULL;
	va_list args;

	va_start(args, fmt);
	text = xvasprintf(fmt, args);
	va_end(args);
	diag_add(b->diags, DIAG_ERROR, at, hint, "%s", text);
}

void bind_later_error(struct bind *b, const struct origin *at, const char *hint, const char *what)
{
	bind_error(b, at, hint ? hint : "remove it, or wait for the version that has it",
		   "%s is not supported by this version", what);
}

/* A number that reads as a fraction because it has more than 64 bits is best called that. */
static const char *describe(const struct value *v)
{
	if (v->kind == VALUE_FLOAT && strspn(v->text, "+-0123456789") == strlen(v->text))
		return "a number of more than 64 bits";
	return value_kind_name(v->kind);
}

void bind_type_error(struct bind *b, const char *what, const struct value *v, const char *want)
{
	bind_error(b, &v->origin, NULL, "'%s' must be %s, not %s", what, want, describe(v));
}

bool bind_is_mapping(struct bind *b, const char *what, const struct value *v)
{
	if (v->kind == VALUE_MAPPING)
		return true;
	if (v->kind != VALUE_NULL)
		bind_type_error(b, what, v, "a mapping");
	return false;
}

bool bind_is_list(struct bind *b, const char *what, const struct value *v)
{
	if (v->kind == VALUE_LIST)
		return true;
	if (v->kind != VALUE_NULL)
		bind_error(b, &v->origin, "write each element on a line of its own after '- '",
			   "'%s' must be a list, not %s", what, describe(v));
	return false;
}

bool bind_is_ignored(const char *key)
{
	return strcmp(key, "description") == 0 || str_starts(key, "x-");
}

static const struct field *find_field(const struct field *fields, const char *key)
{
	for (; fields->key; fields++)
		if (strcmp(fields->key, key) == 0)
			return fields;
	return NULL;
}

static void report_unknown_key(struct bind *b, const struct value *key, const struct field *fields)
{
	LIST(const char *) known = { 0 };
	const char *otherwise = "the keys here are";
	const char *separator = " ";

	for (; fields->key; fields++) {
		if (!fields->bind || fields->bind == bind_refuse)
			continue;
		*LIST_ADD(b->arena, &known) = fields->key;
		otherwise = arena_printf(b->arena, "%s%s%s", otherwise, separator, fields->key);
		separator = ", ";
	}
	bind_error(b, &key->origin, diag_suggest(b->arena, key->text, known.v, known.n, otherwise),
		   "unknown key %s", diag_quote(b->arena, key->text));
}

void bind_refuse(struct bind *b, const struct field *f, const struct value *v, void *dst)
{
	(void)dst;
	bind_error(b, &v->origin, f->arg, "'%s' means nothing here", f->key);
}

static const char *list_words(struct bind *b, const struct words *w);

/* What can be written there, where that is a short list. */
static const char *missing_hint(struct bind *b, const struct field *f)
{
	return f->bind == bind_word ? arena_printf(b->arena, "write %s", list_words(b, f->arg)) :
				      NULL;
}

void bind_mapping(struct bind *b, const char *what, const struct value *v,
		  const struct field *fields, void *dst)
{
	if (!bind_is_mapping(b, what, v) && v->kind != VALUE_NULL)
		return;
	for (size_t i = 0; i < v->n; i++) {
		const struct field *f = find_field(fields, v->keys[i].text);

		if (f && f->bind)
			f->bind(b, f, &v->items[i], dst);
		else if (f)
			bind_later_error(b, &v->keys[i].origin, NULL, diag_quote(b->arena, f->key));
		else if (!bind_is_ignored(v->keys[i].text))
			report_unknown_key(b, &v->keys[i], fields);
	}
	for (const struct field *f = fields; f->key; f++)
		if (f->required && !value_get(v, f->key))
			bind_error(b, &v->origin, missing_hint(b, f), "the key '%s' is missing",
				   f->key);
}

void bind_bool(struct bind *b, const struct field *f, const struct value *v, void *dst)
{
	static const char *const yes[] = { "yes", "Yes", "YES", "on", "On", "ON" };
	static const char *const no[] = { "no", "No", "NO", "off", "Off", "OFF" };

	for (size_t i = 0; v->kind == VALUE_STRING && i < ARRAY_SIZE(yes); i++)
		if (strcmp(v->text, yes[i]) == 0 || strcmp(v->text, no[i]) == 0) {
			bind_error(b, &v->origin,
				   strcmp(v->text, yes[i]) == 0 ? "write true" : "write false",
				   "'%s' must be true or false; %s is a string in YAML 1.2", f->key,
				   v->text);
			return;
		}
	if (v->kind != VALUE_BOOL)
		bind_type_error(b, f->key, v, "true or false");
	else
		*(bool *)((char *)dst + f->offset) = v->boolean;
}

bool bind_number(struct bind *b, const char *what, const struct value *v, const struct range *range,
		 uint32_t *ret)
{
	if (v->kind != VALUE_INTEGER) {
		bind_type_error(b, what, v, "an integer");
		return false;
	}
	if (v->negative || v->magnitude < range->min || v->magnitude > range->max) {
		if (range->min == range->max)
			bind_error(b, &v->origin, NULL, "'%s' must be %u, not %s", what, range->min,
				   v->text);
		else
			bind_error(b, &v->origin, NULL, "'%s' must be from %u to %u, not %s", what,
				   range->min, range->max, v->text);
		return false;
	}
	*ret = (uint32_t)v->magnitude;
	return true;
}

void bind_u32(struct bind *b, const struct field *f, const struct value *v, void *dst)
{
	(void)bind_number(b, f->key, v, f->arg, (uint32_t *)((char *)dst + f->offset));
}

void bind_u16(struct bind *b, const struct field *f, const struct value *v, void *dst)
{
	uint32_t number;

	if (bind_number(b, f->key, v, f->arg, &number))
		*(uint16_t *)((char *)dst + f->offset) = (uint16_t)number;
}

static const char *list_words(struct bind *b, const struct words *w)
{
	const char *list = w->names[0];

	for (size_t i = 1; i < w->count; i++)
		list = arena_printf(b->arena, "%s%s%s", list, i + 1 < w->count ? ", " : " or ",
				    w->names[i]);
	return list;
}

void bind_word(struct bind *b, const struct field *f, const struct value *v, void *dst)
{
	const struct words *w = f->arg;

	if (v->kind == VALUE_NULL || v->kind == VALUE_LIST || v->kind == VALUE_MAPPING) {
		bind_type_error(b, f->key, v, list_words(b, w));
		return;
	}
	for (size_t i = 0; i < w->count; i++) {
		if (strcmp(w->names[i], v->text) != 0)
			continue;
		/* All enums of the model are unsigned int to the compiler. */
		*(unsigned int *)((char *)dst + f->offset) = (unsigned int)i;
		return;
	}
	for (const char *const *later = w->later; later && *later; later++) {
		if (strcmp(*later, v->text) != 0)
			continue;
		bind_later_error(b, &v->origin, w->later_hint,
				 arena_printf(b->arena, "'%s: %s'", f->key, *later));
		return;
	}
	bind_error(b, &v->origin, diag_suggest(b->arena, v->text, w->names, w->count, NULL),
		   "'%s' must be %s, not %s", f->key, list_words(b, w),
		   diag_quote(b->arena, v->text));
}

const char *bind_text(struct bind *b, const char *what, const struct value *v,
		      const struct text_rule *rule)
{
	const char *fault;

	if (v->kind != VALUE_STRING &&
	    !(rule->numbers && v->kind >= VALUE_BOOL && v->kind <= VALUE_FLOAT)) {
		bind_error(b, &v->origin,
			   v->kind >= VALUE_BOOL && v->kind <= VALUE_FLOAT ?
				   arena_printf(b->arena, "put it in quotes: \"%s\"", v->text) :
				   NULL,
			   "'%s' must be a string, not %s", what, describe(v));
		return NULL;
	}
	if (!*v->text) {
		bind_error(b, &v->origin, rule->hint, "'%s' must not be empty", what);
		return NULL;
	}
	fault = rule->fault ? rule->fault(v->text) : NULL;
	if (fault) {
		bind_error(b, &v->origin, rule->hint, "'%s': %s %s", what,
			   diag_quote(b->arena, v->text), fault);
		return NULL;
	}
	return arena_strdup(b->arena, v->text);
}

void bind_string(struct bind *b, const struct field *f, const struct value *v, void *dst)
{
	*(const char **)((char *)dst + f->offset) = bind_text(b, f->key, v, f->arg);
}

void bind_strings(struct bind *b, const struct field *f, const struct value *v, void *dst)
{
	struct string_list *ret = (struct string_list *)((char *)dst + f->offset);
	const struct text_rule *rule = f->arg;
	size_t n = v->kind == VALUE_LIST ? v->n : 1;

	if (v->kind == VALUE_MAPPING || v->kind == VALUE_NULL) {
		bind_type_error(b, f->key, v, "a string or a list of strings");
		return;
	}
	if (!n && !rule->empty)
		bind_error(b, &v->origin, "leave the key out, or name something",
			   "'%s' has no elements", f->key);
	/* An attachment in error may have two hooks, and so this key twice. */
	ret->n = 0;
	ret->v = arena_calloc(b->arena, n, sizeof(*ret->v));
	for (size_t i = 0; i < n; i++) {
		const struct value *item = v->kind == VALUE_LIST ? &v->items[i] : v;
		const char *text = bind_text(b, f->key, item, rule);

		if (text)
			ret->v[ret->n++] = text;
	}
}

static int compare_labels(const void *left, const void *right)
{
	return strcmp(((const struct label *)left)->key, ((const struct label *)right)->key);
}

void bind_labels(struct bind *b, const struct value *v, struct label **ret, size_t *ret_count)
{
	static const struct text_rule rule = { .numbers = true };

	*ret = arena_calloc(b->arena, v->n, sizeof(**ret));
	*ret_count = 0;
	for (size_t i = 0; i < v->n; i++) {
		const char *value;

		if (bind_is_ignored(v->keys[i].text))
			continue;
		value = bind_text(b, v->keys[i].text, &v->items[i], &rule);
		if (value)
			(*ret)[(*ret_count)++] = (struct label){
				.key = arena_strdup(b->arena, v->keys[i].text),
				.value = value,
			};
	}
	if (*ret_count)
		qsort(*ret, *ret_count, sizeof(**ret), compare_labels);
}
