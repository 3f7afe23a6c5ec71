/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Any bytes as an object file: the reader either refuses them with a reason and a sentence,
 * or gives a value whose every part can be looked at and keeps the bounds that pure code relies on.
 */
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "kern/elf_reader.h"
#include "model/limits.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define EXPECT(claim)            \
	do {                     \
		if (!(claim))    \
			abort(); \
	} while (0)

static void check_text(const char *s)
{
	EXPECT(s);
	for (; *s; s++)
		EXPECT(*s >= ' ' && *s <= '~');
}

/* Unions of unions make a small value a large tree: some of it is enough. */
static void check_shape(const struct shape *s, unsigned int depth)
{
	EXPECT(s);
	check_text(s->name);
	if (depth > 6 || s->kind == SHAPE_UNSUPPORTED)
		return;
	EXPECT(s->size > 0 && s->size <= LIMIT_VARIABLE_BYTES);
	if (s->kind == SHAPE_ARRAY) {
		EXPECT((uint64_t)s->count * s->element->size == s->size);
		check_shape(s->element, depth + 1);
	}
	if (s->kind == SHAPE_ENUM)
		for (uint32_t i = 0; i < s->count; i++)
			check_text(s->enumerators[i].name);
	if (s->kind != SHAPE_STRUCT && s->kind != SHAPE_UNION)
		return;
	for (uint32_t i = 0; i < s->count; i++) {
		check_text(s->members[i].name);
		EXPECT((uint64_t)s->members[i].offset + s->members[i].shape->size <= s->size);
		if (i < 8)
			check_shape(s->members[i].shape, depth + 1);
	}
}

static void check_object(const struct elf_object *o)
{
	EXPECT(o->program_count <= LIMIT_PROGRAMS && o->map_count <= LIMIT_PROGRAMS);
	EXPECT(o->program_count + o->map_count > 0);
	check_text(o->license);
	for (size_t i = 0; i < o->program_count; i++) {
		check_text(o->programs[i].name);
		check_text(o->programs[i].section);
		for (size_t m = 0; m < o->programs[i].map_count; m++)
			EXPECT(o->programs[i].maps[m] < o->map_count);
	}
	for (size_t i = 0; i < o->map_count; i++) {
		check_text(o->maps[i].name);
		EXPECT(strlen(o->maps[i].btf_hash) == 0 ||
		       strlen(o->maps[i].btf_hash) == SHA256_HEX - 1);
	}
	for (size_t i = 0; i < o->variable_count; i++) {
		check_text(o->variables[i].name);
		check_text(o->variables[i].section);
		if (!o->variables[i].shape)
			continue;
		check_shape(o->variables[i].shape, 0);
		EXPECT(o->variables[i].shape->kind == SHAPE_UNSUPPORTED ||
		       o->variables[i].shape->size == o->variables[i].size);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a = arena_new();
	struct elf_object *object = NULL;
	const char *reason = NULL;
	struct error e = { 0 };
	int r = elf_read(a, data, size, &object, &reason, &e);

	if (r < 0) {
		EXPECT(reason && e.code == r && e.text[0]);
		check_text(reason);
	} else {
		check_object(object);
	}
	arena_free(a);
	return 0;
}
