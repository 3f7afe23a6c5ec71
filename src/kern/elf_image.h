/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* Sections, symbols and relocations of an ELF file, bounds checked. Internal to elf_reader. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"

struct elf_section {
	const char *name;
	uint32_t type, link, info;
	bool executable;           /* program sections, .text */
	const unsigned char *data; /* in the bytes that were given; NULL for SHT_NOBITS */
	uint64_t size;
};

struct elf_symbol {
	const char *name;
	uint32_t section;     /* index of a section, 0: none (undefined, absolute, …) */
	uint64_t value, size; /* within the section */
	uint8_t type, bind;   /* STT_…, STB_… */
};

struct elf_relocation {
	uint64_t offset;
	const struct elf_symbol *symbol;
};

struct elf_image {
	struct elf_section *sections;
	struct elf_symbol *symbols;
	size_t section_count, symbol_count;
};

/*
 * Views data, which must outlive the image. -EINVAL with *ret_reason "NotElf", "NotBpf" or
 * "ObjectInvalid". What passes has offsets and indices that libraries can follow without
 * leaving the bytes.
 */
int elf_image_open(struct arena *a, const void *data, size_t size, struct elf_image *ret,
		   const char **ret_reason, struct error *e);

const struct elf_section *elf_image_section(const struct elf_image *image, const char *name);

/* ".rodata", ".data", ".bss" and these with a suffix: the sections that become maps. */
bool elf_section_is_data(const char *name);

/* All relocations of a section, sorted by offset; from the arena. */
struct elf_relocation *elf_image_relocations(struct arena *a, const struct elf_image *image,
					     uint32_t section, size_t *ret_count);
