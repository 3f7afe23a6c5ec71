/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * A graph whose nodes are functions and maps. A function leads to the functions that it
 * calls or takes the address of and to the maps that it names; a map leads to what it is
 * statically filled with. What a program can reach is the union of what its successors
 * can, computed for all nodes at once until nothing changes any more.
 *
 * Where code refers to a section instead of a symbol (static functions and variables),
 * the instruction itself holds the rest of the address.
 */
#include "kern/elf_usage.h"

#include <elf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <string.h>

#include "base/str.h"
#include "model/limits.h"

#define FUNCTIONS_MAX (8 * LIMIT_PROGRAMS)

/* The verifier allows 8 nested calls and 33 tail calls; a longer chain cannot be loaded. */
#define ROUNDS_MAX 64

#define MAPS_SECTION ".maps"
#define WORD_BITS    64

struct node {
	const char *name;
	uint32_t section; /* where it lies; a data section's map fills it */
	uint64_t start, size;
};

struct edge {
	uint32_t from, to;
};

struct graph {
	struct arena *arena;
	const struct elf_image *image;
	struct elf_object *object;
	LIST(struct node) nodes; /* the maps, by their index, then the functions */
	LIST(struct edge) edges;
	uint64_t *reach; /* per node a set of maps */
	size_t words;    /* of one set */
};

static bool is_function(const struct graph *g, const struct elf_symbol *s)
{
	return s->type == STT_FUNC && s->section && g->image->sections[s->section].executable &&
	       s->size > 0;
}

static struct node map_node(const struct graph *g, const struct elf_map *map)
{
	struct node node = { .name = map->name };

	for (uint32_t i = 1; map->is_data && i < g->image->section_count; i++) {
		if (!str_eq(g->image->sections[i].name, map->name))
			continue;
		node.section = i;
		node.size = g->image->sections[i].size;
		return node;
	}
	for (size_t i = 0; !map->is_data && i < g->image->symbol_count; i++) {
		const struct elf_symbol *s = &g->image->symbols[i];

		if (!s->section || s->type != STT_OBJECT || !str_eq(s->name, map->name) ||
		    !str_eq(g->image->sections[s->section].name, MAPS_SECTION))
			continue;
		node.section = s->section;
		node.start = s->value;
		node.size = s->size;
	}
	return node;
}

static int node_compare(const void *left, const void *right)
{
	const struct node *a = left, *b = right;

	if (a->section != b->section)
		return a->section < b->section ? -1 : 1;
	return (a->start > b->start) - (a->start < b->start);
}

static int add_nodes(struct graph *g, struct error *e)
{
	size_t maps = g->object->map_count;

	for (size_t i = 0; i < maps; i++)
		*LIST_ADD(g->arena, &g->nodes) = map_node(g, &g->object->maps[i]);
	for (size_t i = 0; i < g->image->symbol_count; i++) {
		const struct elf_symbol *s = &g->image->symbols[i];

		if (!is_function(g, s))
			continue;
		if (g->nodes.n >= FUNCTIONS_MAX)
			return error_set(e, -EINVAL,
					 "more than %d functions: split the object file",
					 FUNCTIONS_MAX);
		*LIST_ADD(g->arena, &g->nodes) = (struct node){
			.name = s->name,
			.section = s->section,
			.start = s->value,
			.size = s->size,
		};
	}
	if (g->nodes.n > maps)
		qsort(g->nodes.v + maps, g->nodes.n - maps, sizeof(*g->nodes.v), node_compare);
	return 0;
}

static bool node_holds(const struct node *node, uint32_t section, uint64_t place)
{
	return node->section == section && place >= node->start && place - node->start < node->size;
}

static void add_edge(struct graph *g, size_t from, size_t to)
{
	const struct edge *last = g->edges.n ? &g->edges.v[g->edges.n - 1] : NULL;

	if (from == to || (last && last->from == from && last->to == to))
		return;
	*LIST_ADD(g->arena, &g->edges) =
		(struct edge){ .from = (uint32_t)from, .to = (uint32_t)to };
}

/* How many function nodes begin at or before this place. */
static size_t count_before(const struct graph *g, uint32_t section, uint64_t place)
{
	struct node key = { .section = section, .start = place };
	size_t low = g->object->map_count, high = g->nodes.n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (node_compare(&g->nodes.v[middle], &key) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void add_edges(struct graph *g, size_t from, uint32_t section, uint64_t place)
{
	size_t i;

	for (i = 0; i < g->object->map_count; i++)
		if (node_holds(&g->nodes.v[i], section, place))
			add_edge(g, from, i);
	/* A function can have several names, and so several nodes, at one place. */
	for (i = count_before(g, section, place); i > g->object->map_count; i--) {
		if (!node_holds(&g->nodes.v[i - 1], section, place))
			return;
		add_edge(g, from, i - 1);
	}
}

static struct bpf_insn instruction_at(const struct elf_section *s, uint64_t offset)
{
	struct bpf_insn insn;

	memcpy(&insn, s->data + offset, sizeof(insn));
	return insn;
}

static bool is_call(const struct bpf_insn *insn)
{
	return insn->code == (BPF_JMP | BPF_CALL) && insn->src_reg == BPF_PSEUDO_CALL;
}

static bool is_address(const struct bpf_insn *insn)
{
	return insn->code == (BPF_LD | BPF_IMM | BPF_DW);
}

/* What an instruction refers to: the symbol's place plus what is in the instruction. */
static void follow_relocation(struct graph *g, size_t from, const struct elf_symbol *symbol,
			      const struct bpf_insn *insn)
{
	const struct elf_section *target = &g->image->sections[symbol->section];
	uint64_t place = symbol->value;

	if (!symbol->section)
		return;
	/* A call counts instructions from the next one, an address counts bytes. */
	if (target->executable && is_call(insn))
		place += ((uint64_t)(int64_t)insn->imm + 1) * sizeof(*insn);
	else if (symbol->type == STT_SECTION)
		place += (uint64_t)(int64_t)insn->imm;
	if (elf_section_is_data(target->name))
		place = 0; /* one map, whatever the place in it */
	add_edges(g, from, symbol->section, place);
}

/* Functions come in the order of their places: *next is the first relocation that can matter. */
static void scan_function(struct graph *g, size_t index, const struct elf_relocation *relocations,
			  size_t count, size_t *next)
{
	const struct node node = g->nodes.v[index];
	const struct elf_section *s = &g->image->sections[node.section];
	uint64_t end = node.start + node.size;
	size_t r = *next;

	while (r < count && relocations[r].offset < node.start)
		r++;
	*next = r;

	for (uint64_t at = node.start; at + sizeof(struct bpf_insn) <= end; at += 8) {
		struct bpf_insn insn = instruction_at(s, at);

		while (r < count && relocations[r].offset < at)
			r++;
		if (r < count && relocations[r].offset == at)
			follow_relocation(g, index, relocations[r].symbol, &insn);
		else if (is_call(&insn) || (is_address(&insn) && insn.src_reg == BPF_PSEUDO_FUNC))
			add_edges(g, index, node.section,
				  at + ((uint64_t)(int64_t)insn.imm + 1) * sizeof(insn));
		if (is_address(&insn))
			at += sizeof(insn); /* its second half is no instruction */
	}
}

static void scan_functions(struct graph *g)
{
	const struct elf_relocation *relocations = NULL;
	size_t count = 0, next = 0;
	uint32_t section = 0;

	for (size_t i = g->object->map_count; i < g->nodes.n; i++) {
		if (g->nodes.v[i].section != section) {
			section = g->nodes.v[i].section;
			relocations = elf_image_relocations(g->arena, g->image, section, &count);
			next = 0;
		}
		scan_function(g, i, relocations, count, &next);
	}
}

/* What maps are filled with when they are created: programs, or other maps. */
static void scan_maps(struct graph *g)
{
	const struct elf_relocation *relocations = NULL;
	size_t count = 0;
	uint32_t section = 0;

	for (size_t i = 0; i < g->object->map_count; i++) {
		const struct node node = g->nodes.v[i];

		if (g->object->maps[i].is_data || !node.section)
			continue;
		if (node.section != section) {
			section = node.section;
			relocations = elf_image_relocations(g->arena, g->image, section, &count);
		}
		for (size_t r = 0; r < count; r++) {
			const struct elf_symbol *symbol = relocations[r].symbol;

			if (!node_holds(&node, section, relocations[r].offset) || !symbol->section)
				continue;
			g->object->maps[i].filled = true;
			add_edges(g, i, symbol->section, symbol->value);
		}
	}
}

static bool merge(struct graph *g, const struct edge *edge)
{
	uint64_t *to = g->reach + edge->from * g->words, changed = 0;
	const uint64_t *from = g->reach + edge->to * g->words;

	for (size_t i = 0; i < g->words; i++) {
		changed |= from[i] & ~to[i];
		to[i] |= from[i];
	}
	return changed != 0;
}

static int close_graph(struct graph *g, struct error *e)
{
	bool changed = true;

	g->words = g->object->map_count / WORD_BITS + 1;
	g->reach = arena_calloc(g->arena, g->nodes.n * g->words, sizeof(*g->reach));
	for (size_t i = 0; i < g->object->map_count; i++)
		g->reach[i * g->words + i / WORD_BITS] |= UINT64_C(1) << (i % WORD_BITS);
	for (int round = 0; changed; round++) {
		if (round > ROUNDS_MAX)
			return error_set(e, -EINVAL,
					 "functions call each other more than %d deep, "
					 "which no kernel loads: shorten the chain",
					 ROUNDS_MAX);
		changed = false;
		for (size_t i = 0; i < g->edges.n; i++)
			changed |= merge(g, &g->edges.v[i]);
	}
	return 0;
}

static const struct node *program_node(const struct graph *g, const struct elf_program *program)
{
	for (size_t i = g->object->map_count; i < g->nodes.n; i++)
		if (str_eq(g->nodes.v[i].name, program->name))
			return &g->nodes.v[i];
	return NULL;
}

static void fill_program(struct graph *g, struct elf_program *program)
{
	const struct node *node = program_node(g, program);
	const uint64_t *set;
	uint32_t *maps;

	if (!node)
		return;
	set = g->reach + (size_t)(node - g->nodes.v) * g->words;
	maps = arena_calloc(g->arena, g->object->map_count, sizeof(*maps));
	for (uint32_t i = 0; i < g->object->map_count; i++)
		if (set[i / WORD_BITS] >> (i % WORD_BITS) & 1)
			maps[program->map_count++] = i;
	program->maps = maps;
	for (size_t i = 0; i < g->edges.n; i++) {
		const struct edge *edge = &g->edges.v[i];

		if (edge->to == (size_t)(node - g->nodes.v) && edge->from < g->object->map_count &&
		    g->object->maps[edge->from].type == BPF_MAP_TYPE_PROG_ARRAY)
			program->needed = true;
	}
}

int elf_usage_fill(struct arena *a, const struct elf_image *image, struct elf_object *object,
		   struct error *e)
{
	struct graph g = { .arena = a, .image = image, .object = object };
	int r = add_nodes(&g, e);

	if (r < 0)
		return r;
	scan_maps(&g);
	scan_functions(&g);
	r = close_graph(&g, e);
	if (r < 0)
		return r;
	for (size_t i = 0; i < object->program_count; i++)
		fill_program(&g, &object->programs[i]);
	return 0;
}
