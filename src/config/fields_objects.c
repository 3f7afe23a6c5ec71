/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* `objects`: an ELF file, what is set in it before it is loaded, and its programs. */
#include "config/fields.h"

#include <string.h>

#include "base/macros.h"
#include "config/config.h"

/* A kernel version has small numbers; more digits are a typing error. */
#define VERSION_PART_MAX 65535

/* ---- when ---- */

static const char *blank_fault(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s <= ' ' || *s == 0x7f)
			return "has a blank in it";
	return NULL;
}

static const struct text_rule word_rule = { .fault = blank_fault };

static const char *skip_blanks(const char *s)
{
	while (*s == ' ')
		s++;
	return s;
}

/* "6", "6.6" or "6.6.3"; gives the number of parts and what follows, 0 if there is no version. */
static unsigned int read_version(const char **s, unsigned int parts[3])
{
	unsigned int n = 0;

	do {
		size_t digits = 0;

		parts[n] = 0;
		*s += n ? 1 : 0;
		for (; (*s)[digits] >= '0' && (*s)[digits] <= '9'; digits++)
			if (parts[n] <= VERSION_PART_MAX)
				parts[n] = parts[n] * 10 + (unsigned int)((*s)[digits] - '0');
		if (!digits || parts[n] > VERSION_PART_MAX)
			return 0;
		*s += digits;
		n++;
	} while (n < 3 && **s == '.');
	return n;
}

static void add_constraint(struct condition *c, enum version_operator operator,
			   const unsigned int parts[3])
{
	c->kernels[c->kernel_count++] = (struct kernel_constraint){
		.operator= operator,
		.version = { parts[0], parts[1], parts[2] },
	};
}

/*
 * One constraint; adds at most two. A version that is not written to its last part means the
 * whole series: "<= 6.6" holds on 6.6.30, and "= 6.6" on every 6.6.
 */
static bool read_constraint(const char **s, struct condition *c)
{
	static const struct {
		const char *sign;
		enum version_operator operator;
	} operators[] = {
		{ ">=", VERSION_GE }, { ">", VERSION_GT },  { "<=", VERSION_LE },
		{ "<", VERSION_LT },  { "==", VERSION_EQ }, { "=", VERSION_EQ },
	};
	unsigned int parts[3] = { 0 }, next[3], n;
	size_t i = 0;

	while (i < ARRAY_SIZE(operators) && !str_starts(*s, operators[i].sign))
		i++;
	if (i == ARRAY_SIZE(operators))
		return false;
	*s = skip_blanks(*s + strlen(operators[i].sign));
	n = read_version(s, parts);
	if (!n)
		return false;
	*s = skip_blanks(*s);
	for (unsigned int k = n; k < 3; k++)
		parts[k] = 0;
	memcpy(next, parts, sizeof(next));
	next[n - 1]++;
	if (n == 3 || operators[i].operator== VERSION_GE || operators[i].operator== VERSION_LT) {
		add_constraint(c, operators[i].operator, parts);
	} else if (operators[i].operator== VERSION_GT) {
		add_constraint(c, VERSION_GE, next);
	} else {
		if (operators[i].operator== VERSION_EQ)
			add_constraint(c, VERSION_GE, parts);
		add_constraint(c, VERSION_LT, next);
	}
	return true;
}

static void bind_kernel(struct bind *b, const struct field *f, const struct value *v, void *dst)
{
	/* "6.6" without quotes is a number, and what is wrong with it is the missing operator. */
	static const struct text_rule rule = { .numbers = true };
	struct condition *c = dst;
	const char *s = bind_text(b, f->key, v, &rule);
	bool ok;

	if (!s)
		return;
	/* Each constraint has at least two characters and makes at most two. */
	c->kernels = arena_calloc(b->arena, strlen(s) + 1, sizeof(*c->kernels));
	s = skip_blanks(s);
	do {
		ok = read_constraint(&s, c);
	} while (ok && *s == ',' && (s = skip_blanks(s + 1)));
	if (!ok || *s)
		bind_error(b, &v->origin, "write for example \">= 6.6\" or \">= 6.1, < 6.12\"",
			   "'%s': %s is no list of kernel versions", f->key,
			   diag_quote(b->arena, v->text));
}

static void bind_label(struct bind *b, const struct field *f, const struct value *v, void *dst)
{
	struct condition *c = dst;

	if (bind_is_mapping(b, f->key, v))
		bind_labels(b, v, &c->labels, &c->label_count);
}

static const struct field when_fields[] = {
	{ "host", bind_strings, offsetof(struct condition, hosts), &word_rule, false },
	{ "label", bind_label, 0, NULL, false },
	{ "kernel", bind_kernel, 0, NULL, false },
	{ "arch", bind_strings, offsetof(struct condition, archs), &word_rule, false },
	{ "feature", bind_strings, offsetof(struct condition, features), &word_rule, false },
	{ 0 },
};

static void bind_when(struct bind *b, const struct field *f, const struct value *v, void *dst)
{
	struct condition *c = &((struct object_decl *)dst)->when;

	c->present = true;
	c->origin = v->origin;
	bind_mapping(b, f->key, v, when_fields, c);
}

/* ---- file, sha256 ---- */

static const char *sha256_fault(const char *s)
{
	return strlen(s) == 64 && strspn(s, "0123456789abcdefABCDEF") == 64 ?
		       NULL :
		       "is not 64 hexadecimal digits";
}

static void bind_sha256(struct bind *b, const struct field *f, const struct value *v, void *dst)
{
	static const struct text_rule rule = { sha256_fault, "sha256sum prints them", true, false };

	((struct object_decl *)dst)->sha256 =
		fields_lower_hex(b->arena, bind_text(b, f->key, v, &rule));
}

static void bind_file(struct bind *b, const struct field *f, const struct value *v, void *dst)
{
	static const struct text_rule rule = { 0 };
	struct object_decl *object = dst;

	object->path = bind_text(b, f->key, v, &rule);
	object->path_origin = v->origin;
}

/* ---- globals ---- */

static struct value copy_value(struct arena *a, const struct value *v)
{
	struct value copy = *v;

	copy.text = arena_strdup(a, v->text);
	copy.items = arena_calloc(a, v->n, sizeof(*copy.items));
	copy.keys = v->keys ? arena_calloc(a, v->n, sizeof(*copy.keys)) : NULL;
	for (size_t i = 0; i < v->n; i++) {
		copy.items[i] = copy_value(a, &v->items[i]);
		if (v->keys)
			copy.keys[i] = copy_value(a, &v->keys[i]);
	}
	return copy;
}

static int compare_globals(const void *left, const void *right)
{
	return strcmp(((const struct global_decl *)left)->name,
		      ((const struct global_decl *)right)->name);
}

/* A variable may be called `description`; whether that is one shows when the ELF file is read. */
static void bind_globals(struct bind *b, const struct field *f, const struct value *v, void *dst)
{
	struct object_decl *object = dst;

	if (!bind_is_mapping(b, f->key, v))
		return;
	object->globals = arena_calloc(b->arena, v->n, sizeof(*object->globals));
	for (size_t i = 0; i < v->n; i++) {
		struct value *value;

		if (str_starts(v->keys[i].text, "x-"))
			continue;
		if (!identifier_is_valid(v->keys[i].text)) {
			bind_error(b, &v->keys[i].origin, NULL, "%s is no name of a variable",
				   diag_quote(b->arena, v->keys[i].text));
			continue;
		}
		value = arena_new_of(b->arena, struct value);
		*value = copy_value(b->arena, &v->items[i]);
		object->globals[object->global_count++] = (struct global_decl){
			.name = arena_strdup(b->arena, v->keys[i].text),
			.origin = v->keys[i].origin,
			.value = value,
		};
	}
	if (object->global_count)
		qsort(object->globals, object->global_count, sizeof(*object->globals),
		      compare_globals);
}

/* ---- maps ---- */

const char *fields_map_fault(const char *s)
{
	/* Data sections: ".bss", ".rodata.strings". */
	if (*s == '.' && s[1]) {
		for (s++; *s; s++)
			if (!identifier_is_valid((char[]){ *s, '\0' }) && *s != '.' &&
			    !(*s >= '0' && *s <= '9'))
				return "is no name of a data section";
		return NULL;
	}
	return identifier_is_valid(s) ? NULL : "is no name of a map";
}

static void bind_use(struct bind *b, const struct field *f, const struct value *v, void *dst)
{
	static const struct text_rule rule = { 0 };
	struct map_decl *map = dst;
	const char *text = bind_text(b, f->key, v, &rule);

	map->use_origin = v->origin;
	if (!text)
		return;
	if (!name_split(b->arena, text, &map->use_object, &map->use_map) ||
	    !name_is_valid(map->use_object) || fields_map_fault(map->use_map)) {
		bind_error(b, &v->origin, "write OBJECT/MAP", "'%s': %s does not name a map",
			   f->key, diag_quote(b->arena, text));
		map->use_object = map->use_map = NULL;
	}
}

static const struct words on_change_words = { on_change_names, ON_CHANGE_COUNT, NULL, NULL };

static void bind_on_change(struct bind *b, const struct field *f, const struct value *v, void *dst)
{
	static const struct field field = { .key = "on_change", .arg = &on_change_words };
	struct map_decl *map = dst;

	(void)f;
	map->on_change_origin = v->origin;
	bind_word(b, &field, v, &map->on_change);
}

static const struct range max_entries_range = { 1, UINT32_MAX };

static const struct field map_fields[] = {
	{ "max_entries", bind_u32, offsetof(struct map_decl, max_entries), &max_entries_range,
	  false },
	{ "use", bind_use, 0, NULL, false },
	{ "on_change", bind_on_change, 0, NULL, false },
	{ 0 },
};

static int compare_maps(const void *left, const void *right)
{
	return strcmp(((const struct map_decl *)left)->name,
		      ((const struct map_decl *)right)->name);
}

static void bind_maps(struct bind *b, const struct field *f, const struct value *v, void *dst)
{
	struct object_decl *object = dst;

	if (!bind_is_mapping(b, f->key, v))
		return;
	object->maps = arena_calloc(b->arena, v->n, sizeof(*object->maps));
	for (size_t i = 0; i < v->n; i++) {
		struct map_decl *map = &object->maps[object->map_count];
		const char *fault = fields_map_fault(v->keys[i].text);

		if (bind_is_ignored(v->keys[i].text))
			continue;
		if (fault)
			bind_error(b, &v->keys[i].origin, NULL, "%s %s",
				   diag_quote(b->arena, v->keys[i].text), fault);
		map->name = arena_strdup(b->arena, v->keys[i].text);
		map->origin = v->keys[i].origin;
		bind_mapping(b, map->name, &v->items[i], map_fields, map);
		if (map->use_object && map->max_entries)
			bind_error(b, &v->keys[i].origin, "leave out 'max_entries'",
				   "'max_entries' has no meaning for a map that is another "
				   "object's");
		if (map->use_object && map->on_change_origin.line)
			bind_error(b, &map->on_change_origin,
				   "write 'on_change' where that object is declared",
				   "'on_change' has no meaning for a map that is another object's");
		object->map_count++;
	}
	if (object->map_count)
		qsort(object->maps, object->map_count, sizeof(*object->maps), compare_maps);
}

/* ---- programs ---- */

static const struct field program_fields[] = {
	{ "attach", fields_bind_attach, 0, NULL, false },
	{ 0 },
};

static int compare_programs(const void *left, const void *right)
{
	return strcmp(((const struct program_decl *)left)->name,
		      ((const struct program_decl *)right)->name);
}

static void bind_programs(struct bind *b, const struct field *f, const struct value *v, void *dst)
{
	struct object_decl *object = dst;

	if (!bind_is_mapping(b, f->key, v))
		return;
	object->programs = arena_calloc(b->arena, v->n, sizeof(*object->programs));
	for (size_t i = 0; i < v->n; i++) {
		struct program_decl *program = &object->programs[object->program_count];

		if (bind_is_ignored(v->keys[i].text))
			continue;
		if (!identifier_is_valid(v->keys[i].text))
			bind_error(b, &v->keys[i].origin, "programs go by their C function",
				   "%s is no name of a function",
				   diag_quote(b->arena, v->keys[i].text));
		program->name = arena_strdup(b->arena, v->keys[i].text);
		program->origin = v->keys[i].origin;
		bind_mapping(b, program->name, &v->items[i], program_fields, program);
		object->program_count++;
	}
	if (object->program_count)
		qsort(object->programs, object->program_count, sizeof(*object->programs),
		      compare_programs);
}

/* ---- objects ---- */

static const struct words instances_words = { instances_names, INSTANCES_COUNT, NULL, NULL };

static const struct field object_fields[] = {
	{ "file", bind_file, 0, NULL, true },
	{ "sha256", bind_sha256, 0, NULL, false },
	{ "when", bind_when, 0, NULL, false },
	{ "suspend", bind_bool, offsetof(struct object_decl, suspend), NULL, false },
	{ "instances", bind_word, offsetof(struct object_decl, instances), &instances_words,
	  false },
	{ "globals", bind_globals, 0, NULL, false },
	{ "maps", bind_maps, 0, NULL, false },
	{ "programs", bind_programs, 0, NULL, false },
	{ 0 },
};

void fields_bind_objects(struct bind *b, const struct field *f, const struct value *v, void *dst)
{
	struct fragment *fragment = dst;

	if (!bind_is_mapping(b, f->key, v))
		return;
	fragment->objects = arena_calloc(b->arena, v->n, sizeof(*fragment->objects));
	for (size_t i = 0; i < v->n; i++) {
		struct object_decl *object = &fragment->objects[fragment->object_count];

		if (bind_is_ignored(v->keys[i].text))
			continue;
		fields_check_name(b, "an object", &v->keys[i]);
		object->name = arena_strdup(b->arena, v->keys[i].text);
		object->origin = v->keys[i].origin;
		bind_mapping(b, object->name, &v->items[i], object_fields, object);
		fragment->object_count++;
	}
}
