/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Object files are checked here before libelf and libbpf see them: both trust offsets more
 * than a root process should (libbpf up to 1.5 adds the offset and size of a function
 * without looking for the overflow, CVE-2025-29481). The rules are the ELF specification's and
 * what every compiler and linker of BPF keeps to.
 */
#include "kern/elf_image.h"

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "model/limits.h"

/* A program of its own section brings two more (relocations of it and of its BTF). */
#define SECTIONS_MAX (8 * LIMIT_PROGRAMS)
#define SYMBOLS_MAX  (64 * 1024)
/* Mangled names are long, but not like this. */
#define NAME_BYTES_MAX 4096

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define NATIVE_DATA   ELFDATA2LSB
#define NATIVE_TARGET "bpfel"
#else
#define NATIVE_DATA   ELFDATA2MSB
#define NATIVE_TARGET "bpfeb"
#endif

struct reader {
	struct arena *arena;
	const unsigned char *data;
	size_t size;
	struct elf_image *image;
	struct error *e;
};

static int invalid(struct reader *r, const char *what)
{
	return error_set(r->e, -EINVAL, "damaged object file: %s: build or copy it again", what);
}

static bool range_is_inside(uint64_t offset, uint64_t length, uint64_t size)
{
	return offset <= size && length <= size - offset;
}

static int check_header(struct reader *r, Elf64_Ehdr *ret, const char **ret_reason)
{
	*ret_reason = "NotElf";
	if (r->size < EI_NIDENT || memcmp(r->data, ELFMAG, SELFMAG) != 0)
		return error_set(r->e, -EINVAL,
				 "not an ELF file: an object built by clang -target bpf is needed");
	*ret_reason = "NotBpf";
	if (r->data[EI_CLASS] == ELFCLASS64 && r->data[EI_DATA] != NATIVE_DATA &&
	    (r->data[EI_DATA] == ELFDATA2LSB || r->data[EI_DATA] == ELFDATA2MSB))
		return error_set(
			r->e, -EINVAL,
			"built for the other byte order: use clang -target " NATIVE_TARGET);
	if (r->data[EI_CLASS] != ELFCLASS64 || r->data[EI_DATA] != NATIVE_DATA)
		return error_set(r->e, -EINVAL,
				 "an ELF file, but not of BPF: "
				 "an object built by clang -target bpf is needed");
	*ret_reason = "ObjectInvalid";
	if (r->size < sizeof(*ret))
		return invalid(r, "shorter than its header");
	memcpy(ret, r->data, sizeof(*ret));
	if (ret->e_machine != EM_BPF || ret->e_type != ET_REL) {
		*ret_reason = "NotBpf";
		return error_set(r->e, -EINVAL,
				 "an ELF file of machine %u and type %u, "
				 "not an object of BPF (%d, %d): build it by clang -target bpf -c",
				 ret->e_machine, ret->e_type, EM_BPF, ET_REL);
	}
	if (ret->e_version != EV_CURRENT || ret->e_shentsize != sizeof(Elf64_Shdr) ||
	    ret->e_phnum != 0)
		return invalid(r, "odd header");
	if (ret->e_shnum == 0 || ret->e_shnum > SECTIONS_MAX || ret->e_shstrndx >= ret->e_shnum ||
	    !range_is_inside(ret->e_shoff, (uint64_t)ret->e_shnum * sizeof(Elf64_Shdr), r->size))
		return invalid(r, "its table of sections does not fit");
	return 0;
}

/* A string of a string table, or NULL if it is not in there whole. */
static const char *string_at(const struct elf_section *table, uint64_t offset)
{
	if (table->type != SHT_STRTAB || offset >= table->size ||
	    !memchr(table->data + offset, '\0', MIN(table->size - offset, NAME_BYTES_MAX)))
		return NULL;
	return (const char *)table->data + offset;
}

/* Names end up in messages and in JSON. */
static bool name_is_text(const char *name)
{
	for (const char *c = name; *c; c++)
		if (*c <= ' ' || *c > '~')
			return false;
	return true;
}

bool elf_section_is_data(const char *name)
{
	static const char *const prefixes[] = { ".rodata", ".data", ".bss" };

	for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++) {
		size_t n = strlen(prefixes[i]);

		if (str_starts(name, prefixes[i]) && (name[n] == '\0' || name[n] == '.'))
			return true;
	}
	return false;
}

static int check_section(struct reader *r, const Elf64_Shdr *h, size_t count)
{
	if (h->sh_type != SHT_NULL && h->sh_type != SHT_NOBITS &&
	    !range_is_inside(h->sh_offset, h->sh_size, r->size))
		return invalid(r, "a section ends behind the end of the file");
	if (h->sh_type == SHT_NOBITS && h->sh_size > UINT32_MAX)
		return invalid(r, "a section is too large");
	if (h->sh_type == SHT_SYMTAB &&
	    (h->sh_entsize != sizeof(Elf64_Sym) || h->sh_link >= count ||
	     h->sh_size % sizeof(Elf64_Sym) != 0))
		return invalid(r, "odd table of symbols");
	if (h->sh_type == SHT_REL && (h->sh_entsize != sizeof(Elf64_Rel) || h->sh_link >= count ||
				      h->sh_info >= count || h->sh_size % sizeof(Elf64_Rel) != 0))
		return invalid(r, "odd table of relocations");
	return 0;
}

static int name_section(struct reader *r, struct elf_section *s, const struct elf_section *names,
			uint32_t offset)
{
	s->name = string_at(names, offset);
	if (!s->name || !name_is_text(s->name))
		return invalid(r, "a section has no proper name");
	/* Libraries read the contents of any other section without looking whether it has some. */
	if (s->type == SHT_NOBITS && !str_eq(s->name, ".bss") && !str_starts(s->name, ".bss."))
		return invalid(r, "a section other than .bss has no contents");
	if (s->executable && s->size % 8 != 0)
		return invalid(r, "a section of programs is not made of whole instructions");
	return 0;
}

static int read_sections(struct reader *r, const Elf64_Ehdr *header)
{
	struct elf_image *image = r->image;
	const unsigned char *table = r->data + header->e_shoff;
	uint64_t total = 0;
	Elf64_Shdr h;
	int code;

	image->section_count = header->e_shnum;
	image->sections = arena_calloc(r->arena, image->section_count, sizeof(*image->sections));
	for (size_t i = 0; i < image->section_count; i++) {
		struct elf_section *s = &image->sections[i];

		memcpy(&h, table + i * sizeof(h), sizeof(h));
		code = check_section(r, &h, image->section_count);
		if (code < 0)
			return code;
		s->type = h.sh_type;
		s->link = h.sh_link;
		s->info = h.sh_info;
		s->executable = h.sh_type == SHT_PROGBITS && (h.sh_flags & SHF_EXECINSTR);
		s->size = h.sh_type == SHT_NULL ? 0 : h.sh_size;
		if (h.sh_type == SHT_NULL || h.sh_type == SHT_NOBITS)
			continue;
		s->data = r->data + h.sh_offset;
		/* Sections that share bytes would be more work than the file's size lets expect. */
		total += h.sh_size;
		if (total > r->size)
			return invalid(r, "its sections overlap");
	}
	for (size_t i = 0; i < image->section_count; i++) {
		memcpy(&h, table + i * sizeof(h), sizeof(h));
		code = name_section(r, &image->sections[i], &image->sections[header->e_shstrndx],
				    h.sh_name);
		if (code < 0)
			return code;
	}
	return 0;
}

static int read_symbol(struct reader *r, const Elf64_Sym *in, const struct elf_section *names,
		       struct elf_symbol *s)
{
	s->name = string_at(names, in->st_name);
	s->type = ELF64_ST_TYPE(in->st_info);
	s->bind = ELF64_ST_BIND(in->st_info);
	s->value = in->st_value;
	s->size = in->st_size;
	if (!s->name || !name_is_text(s->name))
		return s->type == STT_FILE && s->name ? 0 :
							invalid(r, "a symbol has no proper name");
	if (in->st_shndx == SHN_UNDEF || in->st_shndx >= SHN_LORESERVE)
		return 0;
	if (in->st_shndx >= r->image->section_count)
		return invalid(r, "a symbol is in no section");
	s->section = in->st_shndx;
	if (!range_is_inside(s->value, s->size, r->image->sections[s->section].size))
		return invalid(r, "a symbol is beyond the end of its section");
	return 0;
}

static int read_symbols(struct reader *r)
{
	struct elf_image *image = r->image;
	const struct elf_section *table = NULL;

	for (size_t i = 0; i < image->section_count; i++) {
		if (image->sections[i].type != SHT_SYMTAB)
			continue;
		if (table)
			return invalid(r, "two tables of symbols");
		table = &image->sections[i];
	}
	if (!table)
		return invalid(r, "no table of symbols (stripped?)");
	image->symbol_count = table->size / sizeof(Elf64_Sym);
	if (image->symbol_count > SYMBOLS_MAX)
		return invalid(r, "too many symbols");
	image->symbols = arena_calloc(r->arena, image->symbol_count, sizeof(*image->symbols));
	for (size_t i = 0; i < image->symbol_count; i++) {
		Elf64_Sym in;
		int code;

		memcpy(&in, table->data + i * sizeof(in), sizeof(in));
		code = read_symbol(r, &in, &image->sections[table->link], &image->symbols[i]);
		if (code < 0)
			return code;
	}
	return 0;
}

static int check_relocations(struct reader *r)
{
	for (size_t i = 0; i < r->image->section_count; i++) {
		const struct elf_section *s = &r->image->sections[i];

		for (size_t at = 0; s->type == SHT_REL && at < s->size; at += sizeof(Elf64_Rel)) {
			Elf64_Rel rel;

			memcpy(&rel, s->data + at, sizeof(rel));
			if (ELF64_R_SYM(rel.r_info) >= r->image->symbol_count ||
			    rel.r_offset >= r->image->sections[s->info].size)
				return invalid(r, "a relocation leads nowhere");
		}
	}
	return 0;
}

int elf_image_open(struct arena *a, const void *data, size_t size, struct elf_image *ret,
		   const char **ret_reason, struct error *e)
{
	struct reader r = { .arena = a, .data = data, .size = size, .image = ret, .e = e };
	Elf64_Ehdr header;
	int code;

	*ret = (struct elf_image){ 0 };
	code = check_header(&r, &header, ret_reason);
	if (code >= 0)
		code = read_sections(&r, &header);
	if (code >= 0)
		code = read_symbols(&r);
	if (code >= 0)
		code = check_relocations(&r);
	return code;
}

const struct elf_section *elf_image_section(const struct elf_image *image, const char *name)
{
	for (size_t i = 0; i < image->section_count; i++)
		if (str_eq(image->sections[i].name, name))
			return &image->sections[i];
	return NULL;
}

static int relocation_compare(const void *left, const void *right)
{
	const struct elf_relocation *a = left, *b = right;

	return (a->offset > b->offset) - (a->offset < b->offset);
}

struct elf_relocation *elf_image_relocations(struct arena *a, const struct elf_image *image,
					     uint32_t section, size_t *ret_count)
{
	LIST(struct elf_relocation) list = { 0 };

	for (size_t i = 0; i < image->section_count; i++) {
		const struct elf_section *s = &image->sections[i];

		if (s->type != SHT_REL || s->info != section)
			continue;
		for (size_t at = 0; at < s->size; at += sizeof(Elf64_Rel)) {
			Elf64_Rel rel;

			memcpy(&rel, s->data + at, sizeof(rel));
			*LIST_ADD(a, &list) = (struct elf_relocation){
				.offset = rel.r_offset,
				.symbol = &image->symbols[ELF64_R_SYM(rel.r_info)],
			};
		}
	}
	if (list.n > 1)
		qsort(list.v, list.n, sizeof(*list.v), relocation_compare);
	*ret_count = list.n;
	return list.v;
}
