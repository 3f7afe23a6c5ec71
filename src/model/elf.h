/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * What an ELF file of BPF holds, as a plain value: read without privilege by
 * kern/elf_reader.h, judged by pure code.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum shape_kind {
	SHAPE_INTEGER,
	SHAPE_BOOL,
	SHAPE_CHAR, /* as an element of an array it makes a string */
	SHAPE_ENUM,
	SHAPE_ARRAY,
	SHAPE_STRUCT,
	SHAPE_UNION,
	SHAPE_UNSUPPORTED, /* pointers, floats, bit fields, … */
};

/* The layout of a global variable's type by its BTF, typedefs and qualifiers removed. */
struct shape {
	enum shape_kind kind;
	const char *name;            /* of the type, "" if it has none */
	uint32_t size;               /* bytes */
	bool is_signed;              /* integers and enums */
	const struct shape *element; /* arrays */
	uint32_t count; /* elements of an array, members of a struct, values of an enum */
	const struct shape_member {
		const char *name;
		uint32_t offset; /* bytes */
		const struct shape *shape;
	} * members;
	const struct shape_enumerator {
		const char *name;
		int64_t value;
	} * enumerators;
};

struct elf_variable {
	const char *name;
	const char *section; /* ".rodata", ".data", ".bss" or with a suffix */
	uint32_t offset, size;
	const struct shape *shape; /* NULL: the file has no BTF for it */
};

struct elf_map {
	const char *name; /* data sections: ".rodata", ".data", … */
	uint32_t type, key_size, value_size, max_entries, flags;
	bool is_data;     /* made of a data section */
	bool pin_by_name; /* LIBBPF_PIN_BY_NAME was asked for; ignored with a note */
	bool filled;      /* the file itself fills it: with programs, or with maps (.values) */
	/*
	 * Values with what user space cannot read and write back: timers, kernel pointers, lists, trees. A spin
	 * lock is none of these.
	 */
	bool opaque;
	char btf_hash[65]; /* of the BTF of key and value; "" without BTF */
};

struct elf_program {
	const char *name;              /* the C function */
	const char *section;           /* "xdp", "xdp.frags", "tc", … */
	uint32_t type;                 /* enum bpf_prog_type */
	uint32_t expected_attach_type; /* enum bpf_attach_type */
	bool frags;
	bool has_btf; /* its functions have BTF, which freplace needs */
	/* Of libxdp's section .xdp_run_config; values that no attachment can have are left out. */
	bool has_run_priority, has_run_actions;
	uint16_t run_priority;
	uint32_t run_actions; /* mask of verdicts that pass control on */
	bool needed;          /* sits in a statically filled program array: always loaded */
	const uint32_t *
		maps; /* indices into elf_object.maps of what it, or a function it may call, uses */
	size_t map_count;
};

struct elf_object {
	const char *license;
	struct elf_program *programs;
	struct elf_map *maps;
	struct elf_variable *variables;
	size_t program_count, map_count, variable_count;
};

const struct elf_program *elf_find_program(const struct elf_object *e, const char *name);
const struct elf_map *elf_find_map(const struct elf_object *e, const char *name);
const struct elf_variable *elf_find_variable(const struct elf_object *e, const char *name);
