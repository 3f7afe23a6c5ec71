/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* Object files of a scenario: plain values, whose content is a word. */
#include "fake/scenario_internal.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

int scenario_elf(struct scenario *s)
{
	struct elf_file *f = NULL;

	for (size_t i = 0; i < s->elves.n && !f; i++)
		if (str_eq(s->elves.v[i].name, scenario_word(s, 1)))
			f = &s->elves.v[i];
	if (!f)
		f = LIST_ADD(s->a, &s->elves);
	f->name = arena_strdup(s->a, scenario_word(s, 1));
	hash_bytes(scenario_word(s, 2), strlen(scenario_word(s, 2)), f->sha256);
	f->elf = arena_new_of(s->a, struct elf_object);
	f->elf->license = "GPL";
	/* The newest is the one that indented lines belong to. */
	if (f != &s->elves.v[s->elves.n - 1]) {
		struct elf_file last = s->elves.v[s->elves.n - 1];

		s->elves.v[s->elves.n - 1] = *f;
		*f = last;
	}
	return 0;
}

static int map_type_parse(struct scenario *s, const char *name)
{
	for (uint32_t t = 1; t < 40; t++)
		if (str_eq(map_type_name(s->a, t), name))
			return (int)t;
	return error_set(s->e, -EINVAL, "no map type %s", name);
}

static uint32_t number_option(const struct scenario *s, const char *key, uint32_t otherwise)
{
	const char *text = scenario_option(s, key);

	return text ? (uint32_t)strtoul(text, NULL, 0) : otherwise;
}

int scenario_map(struct scenario *s)
{
	struct elf_object *elf = s->elves.v[s->elves.n - 1].elf;
	bool data = *scenario_word(s, 1) == '.';
	int type = map_type_parse(s, data ? "array" : scenario_word(s, 2));
	struct elf_map *maps, *m;

	if (type < 0)
		return type;
	maps = arena_calloc(s->a, elf->map_count + 1, sizeof(*maps));
	for (size_t i = 0; i < elf->map_count; i++)
		maps[i] = elf->maps[i];
	m = &maps[elf->map_count++];
	*m = (struct elf_map){
		.name = arena_strdup(s->a, scenario_word(s, 1)),
		.type = (uint32_t)type,
		.key_size = 4,
		.value_size = number_option(s, "value", 4),
		.max_entries = data ? 1 : number_option(s, "entries", 64),
		.flags = number_option(s, "flags", 0),
		.is_data = data,
		.filled = scenario_flag(s, "filled"),
		.opaque = scenario_flag(s, "opaque"),
	};
	if (scenario_option(s, "btf"))
		hash_bytes(scenario_option(s, "btf"), strlen(scenario_option(s, "btf")),
			   m->btf_hash);
	elf->maps = maps;
	return 0;
}

int scenario_variable(struct scenario *s)
{
	static const struct shape u32 = { .kind = SHAPE_INTEGER,
					  .name = "unsigned int",
					  .size = 4 };
	struct elf_object *elf = s->elves.v[s->elves.n - 1].elf;
	struct elf_variable *v = arena_calloc(s->a, elf->variable_count + 1, sizeof(*v));
	uint32_t offset = 0;

	for (size_t i = 0; i < elf->variable_count; i++) {
		v[i] = elf->variables[i];
		offset += str_eq(v[i].section, scenario_word(s, 2)) ? v[i].size : 0;
	}
	v[elf->variable_count++] = (struct elf_variable){
		.name = arena_strdup(s->a, scenario_word(s, 1)),
		.section = arena_strdup(s->a, scenario_word(s, 2)),
		.offset = offset,
		.size = u32.size,
		.shape = &u32,
	};
	elf->variables = v;
	return 0;
}

uint32_t scenario_verdicts(struct scenario *s, const char *list)
{
	struct string_list words = scenario_split(s->a, list);
	uint32_t mask = 0;

	for (size_t i = 0; i < words.n; i++)
		for (uint32_t v = 0; v < XDP_VERDICT_COUNT; v++)
			if (str_eq(xdp_verdict_names[v], words.v[i]))
				mask |= 1u << v;
	return mask;
}

int scenario_program(struct scenario *s)
{
	struct elf_object *elf = s->elves.v[s->elves.n - 1].elf;
	struct string_list used = scenario_split(s->a, scenario_option(s, "maps"));
	uint32_t *maps = arena_calloc(s->a, used.n, sizeof(*maps));
	struct elf_program *v = arena_calloc(s->a, elf->program_count + 1, sizeof(*v)), *p;

	for (size_t i = 0; i < elf->program_count; i++)
		v[i] = elf->programs[i];
	p = &v[elf->program_count++];
	elf->programs = v;
	p->name = arena_strdup(s->a, scenario_word(s, 1));
	p->frags = scenario_flag(s, "frags");
	p->needed = scenario_flag(s, "needed");
	p->has_btf = !scenario_flag(s, "no-btf");
	p->has_run_priority = scenario_option(s, "run-priority");
	p->has_run_actions = scenario_option(s, "run-actions");
	if (p->has_run_priority)
		p->run_priority = (uint16_t)strtoul(scenario_option(s, "run-priority"), NULL, 0);
	p->run_actions = scenario_verdicts(s, scenario_option(s, "run-actions"));
	p->section = scenario_flag(s, "tc") ? "tc" : p->frags ? "xdp.frags" : "xdp";
	p->type = scenario_flag(s, "tc") ? BPF_PROG_TYPE_SCHED_CLS : BPF_PROG_TYPE_XDP;
	p->expected_attach_type = scenario_flag(s, "tc") ? 0 : BPF_XDP;
	for (size_t i = 0; i < used.n; i++) {
		const struct elf_map *m = elf_find_map(elf, used.v[i]);

		if (!m)
			return error_set(s->e, -EINVAL, "no map %s", used.v[i]);
		maps[i] = (uint32_t)(m - elf->maps);
	}
	p->maps = maps;
	p->map_count = used.n;
	return 0;
}

const struct object_source *scenario_source(struct scenario *s, const char *path)
{
	struct object_source *source = arena_new_of(s->a, struct object_source);

	source->path = arena_printf(s->a, "/etc/bpfshare.d/%s", path);
	for (size_t i = 0; i < s->elves.n; i++) {
		if (!str_eq(s->elves.v[i].name, path))
			continue;
		memcpy(source->sha256, s->elves.v[i].sha256, sizeof(source->sha256));
		source->elf = s->elves.v[i].elf;
		return source;
	}
	source->code = -ENOENT;
	source->reason = "FileMissing";
	source->message = arena_printf(s->a, "%s: No such file or directory", source->path);
	return source;
}
