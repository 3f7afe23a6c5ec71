/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * A program may say in its file where in a chain it wants to be, and after which verdicts the chain goes on. libxdp's form
 * of that are types: a variable _FUNCTION in a section of its own, a structure whose members are pointers to
 * arrays, as many elements as the number is. What is not of this form is passed over: it is a wish, and nothing
 * that the program needs to run.
 */
#include "kern/elf_run_config.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "model/names.h"

#define SECTION ".xdp_run_config"

static const char *const actions[XDP_VERDICT_COUNT] = { "XDP_ABORTED", "XDP_DROP", "XDP_PASS",
							"XDP_TX", "XDP_REDIRECT" };

static const struct btf_type *strip(const struct btf *btf, uint32_t type)
{
	const struct btf_type *t = btf__type_by_id(btf, type);

	while (t && (btf_is_mod(t) || btf_is_typedef(t)))
		t = btf__type_by_id(btf, t->type);
	return t;
}

/* The number of elements that the member points to; false if it is nothing of the kind. */
static bool get_number(const struct btf *btf, const struct btf_member *m, uint32_t *ret)
{
	const struct btf_type *t = strip(btf, m->type);

	if (!t || !btf_is_ptr(t))
		return false;
	t = btf__type_by_id(btf, t->type);
	if (!t || !btf_is_array(t))
		return false;
	*ret = btf_array(t)->nelems;
	return true;
}

static void read_member(const struct btf *btf, const struct btf_member *m,
			struct elf_program *program)
{
	const char *name = btf__name_by_offset(btf, m->name_off);
	uint32_t number;

	if (!name || !get_number(btf, m, &number))
		return;
	if (str_eq(name, "priority") && number <= UINT16_MAX) {
		program->has_run_priority = true;
		program->run_priority = (uint16_t)number;
	}
	for (unsigned int i = 0; i < XDP_VERDICT_COUNT; i++) {
		if (!str_eq(name, actions[i]))
			continue;
		program->has_run_actions = true;
		program->run_actions = number ? program->run_actions | 1u << i :
						program->run_actions & ~(1u << i);
	}
}

/* Verdicts that are not named keep libxdp's default, which is to go on after PASS. */
static void read_variable(const struct btf *btf, const struct btf_type *var,
			  struct elf_program *program)
{
	const struct btf_type *t = strip(btf, var->type);

	if (!t || !btf_is_struct(t))
		return;
	program->run_actions = XDP_VERDICTS_DEFAULT;
	for (uint16_t i = 0; i < btf_vlen(t); i++)
		read_member(btf, &btf_members(t)[i], program);
	if (!program->has_run_actions)
		program->run_actions = 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp((*(struct elf_program *const *)a)->name,
		      (*(struct elf_program *const *)b)->name);
}

/* Sorted, since a hostile file can have a million types and a thousand programs. */
struct program_index {
	struct elf_program **v;
	size_t n;
};

static struct elf_program *find_program(const struct program_index *index, const char *name)
{
	struct elf_program key = { .name = name }, *k = &key, **found;

	if (!name || index->n == 0)
		return NULL;
	found = bsearch(&k, index->v, index->n, sizeof(k), by_name);
	return found ? *found : NULL;
}

static void read_section(const struct btf *btf, const struct btf_type *section,
			 const struct program_index *index)
{
	for (uint16_t i = 0; i < btf_vlen(section); i++) {
		const struct btf_type *var =
			btf__type_by_id(btf, btf_var_secinfos(section)[i].type);
		const char *name =
			var && btf_is_var(var) ? btf__name_by_offset(btf, var->name_off) : NULL;
		struct elf_program *program =
			name && name[0] == '_' ? find_program(index, name + 1) : NULL;

		if (program)
			read_variable(btf, var, program);
	}
}

void elf_run_config_fill(struct arena *a, struct elf_object *object, const struct btf *btf,
			 bool with_functions)
{
	struct program_index index = { .n = object->program_count };
	uint32_t count = btf ? btf__type_cnt(btf) : 0;

	index.v = arena_calloc(a, index.n, sizeof(struct elf_program *));
	for (size_t i = 0; i < index.n; i++)
		index.v[i] = &object->programs[i];
	if (index.n > 0)
		qsort(index.v, index.n, sizeof(struct elf_program *), by_name);
	for (uint32_t id = 1; id < count; id++) {
		const struct btf_type *t = btf__type_by_id(btf, id);
		const char *name = btf__name_by_offset(btf, t->name_off);
		struct elf_program *program = btf_is_func(t) ? find_program(&index, name) : NULL;

		if (program)
			program->has_btf = with_functions;
		if (btf_is_datasec(t) && str_eq(name, SECTION))
			read_section(btf, t, &index);
	}
}
