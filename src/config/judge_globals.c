/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * `globals` as bytes, by the shapes of the variables. What a declaration does not name keeps
 * the value of the ELF file: so a struct becomes one value per member that is named, and only a
 * list or a string, which stands for the whole array, fills the rest of it with zeros.
 *
 *   integer        an integer in the range of its size and sign
 *   bool           true or false
 *   enum           the name of one of its values, or an integer
 *   char           an integer, or a string of one byte
 *   array of char  a string, which must leave room for the final NUL; or a list
 *   array          a list with at most as many elements
 *   struct         a mapping of members
 *   union          a mapping of one member
 */
#include "config/judge.h"

#include <string.h>

#include "config/bind.h"

/* The way from the variable to what is being set, for messages: cfg.ports[3]. */
struct place {
	const struct place *up;
	const char *member; /* NULL: the element */
	uint32_t element;
};

struct encoder {
	struct judge *judge;
	struct object_decl *object;
	const struct elf_variable *variable;
	LIST(struct global_value) values;
};

static const char *format_place(struct encoder *e, const struct place *p)
{
	struct arena *a = e->judge->scratch;

	if (!p)
		return arena_printf(a, "globals.%s", e->variable->name);
	if (p->member)
		return arena_printf(a, "%s.%s", format_place(e, p->up), p->member);
	return arena_printf(a, "%s[%u]", format_place(e, p->up), p->element);
}

static void bad_value(struct encoder *e, const struct place *p, const struct value *v,
		      const char *hint, const char *problem)
{
	judge_fault(e->judge, e->object, &v->origin, "BadGlobal", hint, "%s %s", format_place(e, p),
		    problem);
}

static void bad_type(struct encoder *e, const struct place *p, const struct value *v,
		     const char *wanted)
{
	const char *hint = NULL;

	if (v->kind == VALUE_STRING && v->quoted)
		hint = "perhaps without the quotes";
	bad_value(e, p, v, hint,
		  arena_printf(e->judge->scratch, "must be %s, not %s", wanted,
			       value_kind_name(v->kind)));
}

static void *add_value(struct encoder *e, uint32_t offset, uint32_t size)
{
	void *bytes = arena_alloc(e->judge->arena, size);

	*LIST_ADD(e->judge->arena, &e->values) = (struct global_value){
		.section = e->variable->section,
		.offset = e->variable->offset + offset,
		.size = size,
		.bytes = bytes,
	};
	return bytes;
}

/* In the byte order of this machine, which is that of its programs. */
static void add_integer(struct encoder *e, uint32_t offset, uint32_t size, uint64_t number)
{
	unsigned char *bytes = add_value(e, offset, size);
	const uint16_t probe = 1;
	bool little = *(const unsigned char *)&probe == 1;

	for (uint32_t i = 0; i < size; i++)
		bytes[little ? i : size - 1 - i] = (unsigned char)(number >> 8 * i);
}

static void encode_integer(struct encoder *e, const struct place *p, const struct shape *s,
			   uint32_t offset, const struct value *v)
{
	uint64_t max = UINT64_MAX >> (64 - s->size * 8), min = 0;

	if (v->kind != VALUE_INTEGER) {
		bad_type(e, p, v, "an integer");
		return;
	}
	if (s->is_signed) {
		max >>= 1;
		min = max + 1;
	}
	if (v->magnitude > (v->negative ? min : max)) {
		bad_value(e, p, v, NULL,
			  arena_printf(e->judge->scratch,
				       "must be from %s%llu to %llu (%s, %u bytes), not %s",
				       min ? "-" : "", (unsigned long long)min,
				       (unsigned long long)max, *s->name ? s->name : "integer",
				       s->size, v->text));
		return;
	}
	add_integer(e, offset, s->size, v->negative ? -v->magnitude : v->magnitude);
}

static void encode_bool(struct encoder *e, const struct place *p, const struct shape *s,
			uint32_t offset, const struct value *v)
{
	if (v->kind != VALUE_BOOL)
		bad_type(e, p, v, "true or false");
	else
		add_integer(e, offset, s->size, v->boolean ? 1 : 0);
}

static void encode_char(struct encoder *e, const struct place *p, const struct shape *s,
			uint32_t offset, const struct value *v)
{
	if (v->kind != VALUE_STRING)
		encode_integer(e, p, s, offset, v);
	else if (strlen(v->text) == 1)
		add_integer(e, offset, s->size, (unsigned char)v->text[0]);
	else
		bad_value(e, p, v, NULL, "must be an integer or a string of one byte");
}

static void encode_enum(struct encoder *e, const struct place *p, const struct shape *s,
			uint32_t offset, const struct value *v)
{
	struct arena *a = e->judge->scratch;
	const char **names = arena_calloc(a, s->count, sizeof(*names));

	if (v->kind == VALUE_INTEGER) {
		encode_integer(e, p, s, offset, v);
		return;
	}
	if (v->kind != VALUE_STRING) {
		bad_type(e, p, v, "the name of a value, or an integer");
		return;
	}
	for (uint32_t i = 0; i < s->count; i++) {
		names[i] = s->enumerators[i].name;
		if (strcmp(names[i], v->text) != 0)
			continue;
		add_integer(e, offset, s->size, (uint64_t)s->enumerators[i].value);
		return;
	}
	bad_value(e, p, v, judge_suggest(e->judge, v->text, "its values are", names, s->count),
		  arena_printf(a, "has no value %s (enum%s%s)", diag_quote(a, v->text),
			       *s->name ? " " : "", s->name));
}

static void encode(struct encoder *e, const struct place *p, const struct shape *s, uint32_t offset,
		   const struct value *v);

static void encode_string(struct encoder *e, const struct place *p, const struct shape *s,
			  uint32_t offset, const struct value *v)
{
	size_t n = strlen(v->text);

	if (n >= s->count)
		bad_value(e, p, v, NULL,
			  arena_printf(e->judge->scratch,
				       "has room for %u bytes and the final NUL, not for %zu",
				       s->count ? s->count - 1 : 0, n));
	else
		memcpy(add_value(e, offset, s->size), v->text, n);
}

static void encode_array(struct encoder *e, const struct place *p, const struct shape *s,
			 uint32_t offset, const struct value *v)
{
	uint32_t step = s->element->size, used;

	if (v->kind == VALUE_STRING && s->element->kind == SHAPE_CHAR) {
		encode_string(e, p, s, offset, v);
		return;
	}
	if (v->kind != VALUE_LIST) {
		bad_type(e, p, v, s->element->kind == SHAPE_CHAR ? "a string or a list" : "a list");
		return;
	}
	if (v->n > s->count) {
		bad_value(e, p, v, NULL,
			  arena_printf(e->judge->scratch, "has %u elements, not %zu", s->count,
				       v->n));
		return;
	}
	for (uint32_t i = 0; i < v->n; i++)
		encode(e, &(struct place){ .up = p, .element = i }, s->element, offset + i * step,
		       &v->items[i]);
	used = (uint32_t)v->n * step;
	if (used < s->size)
		(void)add_value(e, offset + used, s->size - used);
}

/*
 * Members of members without a name count as members, as they do in C. The budget stops an
 * object file that nests unions into each other until their members are beyond number.
 */
static const struct shape *find_member(const struct shape *s, const char *name, uint32_t *offset,
				       uint32_t *budget)
{
	for (uint32_t i = 0; i < s->count && *budget; i++) {
		const struct shape_member *m = &s->members[i];
		uint32_t inner = *offset + m->offset;
		const struct shape *found = m->shape;

		--*budget;
		if (!*m->name && (found->kind == SHAPE_STRUCT || found->kind == SHAPE_UNION))
			found = find_member(m->shape, name, &inner, budget);
		else if (strcmp(m->name, name) != 0)
			continue;
		if (found) {
			*offset = inner;
			return found;
		}
	}
	return NULL;
}

static void encode_members(struct encoder *e, const struct place *p, const struct shape *s,
			   uint32_t offset, const struct value *v)
{
	const char **names = arena_calloc(e->judge->scratch, s->count, sizeof(*names));
	size_t named = 0;

	if (v->kind != VALUE_MAPPING) {
		bad_type(e, p, v, "a mapping");
		return;
	}
	if (s->kind == SHAPE_UNION && v->n != 1) {
		bad_value(e, p, v, NULL, "is a union and takes exactly one of its members");
		return;
	}
	for (uint32_t i = 0; i < s->count; i++)
		if (*s->members[i].name)
			names[named++] = s->members[i].name;
	for (size_t i = 0; i < v->n; i++) {
		struct place member = { .up = p, .member = v->keys[i].text };
		uint32_t at = offset, budget = LIMIT_VARIABLE_BYTES;
		const struct shape *found = find_member(s, member.member, &at, &budget);

		if (found)
			encode(e, &member, found, at, &v->items[i]);
		else if (!bind_is_ignored(member.member))
			bad_value(e, p, &v->keys[i],
				  judge_suggest(e->judge, member.member, "its members are", names,
						named),
				  arena_printf(e->judge->scratch, "has no member %s",
					       diag_quote(e->judge->scratch, member.member)));
	}
}

static bool is_unsupported(const struct shape *s)
{
	bool composite = s->kind == SHAPE_ARRAY || s->kind == SHAPE_STRUCT ||
			 s->kind == SHAPE_UNION;

	return s->kind == SHAPE_UNSUPPORTED || (!composite && (s->size == 0 || s->size > 8));
}

static void encode(struct encoder *e, const struct place *p, const struct shape *s, uint32_t offset,
		   const struct value *v)
{
	if (is_unsupported(s)) {
		bad_value(
			e, p, v,
			"what can be set is integers, bool, enums, and arrays and structs of these",
			"has a type that cannot be set from a file");
		return;
	}
	switch (s->kind) {
	case SHAPE_INTEGER:
		encode_integer(e, p, s, offset, v);
		break;
	case SHAPE_BOOL:
		encode_bool(e, p, s, offset, v);
		break;
	case SHAPE_CHAR:
		encode_char(e, p, s, offset, v);
		break;
	case SHAPE_ENUM:
		encode_enum(e, p, s, offset, v);
		break;
	case SHAPE_ARRAY:
		encode_array(e, p, s, offset, v);
		break;
	case SHAPE_STRUCT:
	case SHAPE_UNION:
		encode_members(e, p, s, offset, v);
		break;
	case SHAPE_UNSUPPORTED:
		break;
	}
}

static void judge_global(struct encoder *e, const struct global_decl *g)
{
	const struct elf_object *elf = judge_elf(e->object);
	const char **names = arena_calloc(e->judge->scratch, elf->variable_count, sizeof(*names));

	e->variable = elf_find_variable(elf, g->name);
	if (!e->variable) {
		if (bind_is_ignored(g->name))
			return;
		for (size_t i = 0; i < elf->variable_count; i++)
			names[i] = elf->variables[i].name;
		judge_fault(e->judge, e->object, &g->origin, "NoSuchVariable",
			    judge_suggest(e->judge, g->name, "its variables are", names,
					  elf->variable_count),
			    "the object file has no global variable '%s'", g->name);
	} else if (!e->variable->shape) {
		judge_fault(e->judge, e->object, &g->origin, "NoBtf",
			    "compile the object file with -g",
			    "the object file does not tell the type of '%s' (it has no BTF)",
			    g->name);
	} else if (e->variable->size > LIMIT_VARIABLE_BYTES) {
		judge_fault(e->judge, e->object, &g->origin, "BadGlobal", NULL,
			    "globals.%s has %u bytes; up to %d can be set", g->name,
			    e->variable->size, LIMIT_VARIABLE_BYTES);
	} else if (e->variable->shape->size > e->variable->size) {
		judge_fault(e->judge, e->object, &g->origin, "BadGlobal",
			    "compile the object file again",
			    "globals.%s has %u bytes, but its type has %u", g->name,
			    e->variable->size, e->variable->shape->size);
	} else {
		encode(e, NULL, e->variable->shape, 0, g->value);
	}
}

static int compare_values(const void *left, const void *right)
{
	const struct global_value *l = left, *r = right;
	int c = strcmp(l->section, r->section);

	if (c)
		return c;
	return l->offset < r->offset ? -1 : l->offset > r->offset ? 1 : 0;
}

void judge_globals(struct judge *j, struct object_decl *o)
{
	struct encoder e = { .judge = j, .object = o };

	for (size_t i = 0; i < o->global_count; i++)
		judge_global(&e, &o->globals[i]);
	/* The order in which members are written must not make a difference to the plan. */
	if (e.values.n)
		qsort(e.values.v, e.values.n, sizeof(*e.values.v), compare_values);
	o->values = e.values.v;
	o->value_count = e.values.n;
}
