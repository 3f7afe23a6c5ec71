/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
#include "model/elf.h"

#include <string.h>

const struct elf_program *elf_find_program(const struct elf_object *e, const char *name)
{
	for (size_t i = 0; i < e->program_count; i++)
		if (strcmp(e->programs[i].name, name) == 0)
			return &e->programs[i];
	return NULL;
}

const struct elf_map *elf_find_map(const struct elf_object *e, const char *name)
{
	for (size_t i = 0; i < e->map_count; i++)
		if (strcmp(e->maps[i].name, name) == 0)
			return &e->maps[i];
	return NULL;
}

const struct elf_variable *elf_find_variable(const struct elf_object *e, const char *name)
{
	for (size_t i = 0; i < e->variable_count; i++)
		if (strcmp(e->variables[i].name, name) == 0)
			return &e->variables[i];
	return NULL;
}
