/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * What a map is filled with are relocations of the section of maps, at places within the map's symbol. libbpf walks
 * them for maps that were there before as well, and has no call that keeps it from it; so they are taken out.
 */
#include "kern/object_fill.h"

#include <elf.h>
#include <string.h>

#include "base/str.h"
#include "kern/elf_image.h"

#define MAPS_SECTION ".maps"

/* Part of the section of maps: that of a map which is not to be filled. */
struct range {
	uint64_t start, size;
};

struct stripping {
	unsigned char *bytes;
	LIST(struct range) dropped; /* of the present section */
};

static void find_dropped(struct stripping *s, struct arena *a, const struct elf_image *image,
			 uint32_t section, bool (*drop)(void *arg, const char *map), void *arg)
{
	s->dropped.n = 0;
	for (size_t i = 0; i < image->symbol_count; i++) {
		const struct elf_symbol *symbol = &image->symbols[i];

		if (symbol->section == section && symbol->type == STT_OBJECT &&
		    drop(arg, symbol->name))
			*LIST_ADD(a, &s->dropped) = (struct range){ symbol->value, symbol->size };
	}
}

static bool is_dropped(const struct stripping *s, uint64_t offset)
{
	for (size_t i = 0; i < s->dropped.n; i++)
		if (offset >= s->dropped.v[i].start &&
		    offset - s->dropped.v[i].start < s->dropped.v[i].size)
			return true;
	return false;
}

/* Moves the entries that stay to the front and cuts the table behind them. */
static void strip_table(struct stripping *s, Elf64_Shdr *table)
{
	size_t size = table->sh_type == SHT_REL ? sizeof(Elf64_Rel) : sizeof(Elf64_Rela);
	unsigned char *entries = s->bytes + table->sh_offset;
	size_t count = table->sh_size / size, kept = 0;

	for (size_t i = 0; i < count; i++) {
		Elf64_Rel entry;

		memcpy(&entry, entries + i * size, sizeof(entry));
		if (!is_dropped(s, entry.r_offset))
			memmove(entries + size * kept++, entries + i * size, size);
	}
	table->sh_size = kept * size;
	if (kept == 0)
		table->sh_type = SHT_NULL;
}

void *object_without_fill(struct arena *a, const void *elf, size_t size,
			  bool (*drop)(void *arg, const char *map), void *arg)
{
	struct stripping s = { .bytes = arena_dup(a, elf, size) };
	struct elf_image image;
	const char *reason;
	Elf64_Ehdr header;

	if (elf_image_open(a, s.bytes, size, &image, &reason, NULL) < 0)
		return s.bytes;
	memcpy(&header, s.bytes, sizeof(header));
	for (size_t i = 1; i < image.section_count; i++) {
		unsigned char *place = s.bytes + header.e_shoff + i * sizeof(Elf64_Shdr);
		Elf64_Shdr section;

		memcpy(&section, place, sizeof(section));
		if ((section.sh_type != SHT_REL && section.sh_type != SHT_RELA) ||
		    section.sh_info >= image.section_count ||
		    !str_eq(image.sections[section.sh_info].name, MAPS_SECTION))
			continue;
		find_dropped(&s, a, &image, section.sh_info, drop, arg);
		strip_table(&s, &section);
		memcpy(place, &section, sizeof(section));
	}
	return s.bytes;
}
