/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * The stored form, all numbers of the header little-endian:
 *
 *   8 bytes "BPFSHARE", u32 layout version, u32 length of what follows
 *   "key=field,field,…\n" for every fact, the first one being "kind=object" or "kind=chain"
 *
 * A field is printable ASCII; anything else, and ',' and '%' themselves, is written %XX. An absent
 * string is an absent line, or an empty field where a name is never empty. More fields
 * and more keys than known here are skipped. The reader trusts nothing: what it is given
 * may come from a map that somebody else pinned at our place.
 */
#include "model/meta.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/num.h"
#include "base/str.h"
#include "model/layout.h"
#include "model/limits.h"

#define HEADER_SIZE 16

#define FIELDS_MAX 9 /* of one line */

/* Of a member's eighth field. */
#define MEMBER_FRAGS  1u
#define MEMBER_ABSENT 2u

static void put_u32(unsigned char *p, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		p[i] = (unsigned char)(v >> (8 * i));
}

static uint32_t get_u32(const unsigned char *p)
{
	uint32_t v = 0;

	for (int i = 0; i < 4; i++)
		v |= (uint32_t)p[i] << (8 * i);
	return v;
}

static bool is_plain(unsigned char c)
{
	return c > ' ' && c < 0x7f && c != ',' && c != '%';
}

static void add_escaped(struct strbuf *b, const char *s)
{
	for (; s && *s; s++) {
		if (is_plain((unsigned char)*s))
			strbuf_addc(b, *s);
		else
			strbuf_addf(b, "%%%02X", (unsigned char)*s);
	}
}

/* One line of n fields, which are strings or NULL for empty. */
static void add_line(struct strbuf *b, const char *key, const char *const *fields, size_t n)
{
	strbuf_addf(b, "%s=", key);
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			strbuf_addc(b, ',');
		add_escaped(b, fields[i]);
	}
	strbuf_addc(b, '\n');
}

static void add_string(struct strbuf *b, const char *key, const char *value)
{
	add_line(b, key, &value, 1);
}

static const void *finish(struct arena *a, struct strbuf *b, size_t *ret_size)
{
	unsigned char *data = arena_alloc(a, HEADER_SIZE + b->len);

	memcpy(data, META_MAGIC, 8);
	put_u32(data + 8, LAYOUT_VERSION);
	put_u32(data + 12, (uint32_t)b->len);
	memcpy(data + HEADER_SIZE, b->s, b->len);
	*ret_size = HEADER_SIZE + b->len;
	return data;
}

const void *meta_object_encode(struct arena *a, const struct meta_object *m, size_t *ret_size)
{
	cleanup(strbuf_done) struct strbuf b = { 0 };

	add_string(&b, "kind", "object");
	add_string(&b, "instance", m->instance);
	add_string(&b, "object", m->object);
	if (m->interface)
		add_string(&b, "interface", m->interface);
	add_string(&b, "version", m->version);
	add_string(&b, "origin", m->origin);
	add_string(&b, "elf_path", m->elf_path);
	add_string(&b, "elf_sha256", m->elf_sha256);
	add_string(&b, "declaration", m->declaration);
	if (m->ancestors && *m->ancestors)
		add_string(&b, "ancestors", m->ancestors);
	strbuf_addf(&b, "loaded_ns=%llu\n", (unsigned long long)m->loaded_ns);
	strbuf_addf(&b, "frags=%d\n", m->frags);
	for (size_t i = 0; i < m->program_count; i++)
		add_string(&b, "program", m->programs[i]);
	for (size_t i = 0; i < m->map_count; i++) {
		const struct meta_map *map = &m->maps[i];
		char max_entries[16], flags[16];
		const char *const fields[] = { map->name,   map->btf_hash, map->use,
					       map->born,   map->from,     map->values,
					       max_entries, flags,         map->variables };

		(void)snprintf(max_entries, sizeof(max_entries), "%u", map->max_entries);
		(void)snprintf(flags, sizeof(flags), "%u", map->flags);

		add_line(&b, "map", fields,
			 !map->known    ? 6 :
			 map->variables ? ARRAY_SIZE(fields) :
					  ARRAY_SIZE(fields) - 1);
	}
	return finish(a, &b, ret_size);
}

const void *meta_chain_encode(struct arena *a, const struct meta_chain *m, size_t *ret_size)
{
	cleanup(strbuf_done) struct strbuf b = { 0 };

	add_string(&b, "kind", "chain");
	add_string(&b, "hook", hook_names[m->hook]);
	add_string(&b, "mechanism", mechanism_names[m->mechanism]);
	if (m->protocol)
		strbuf_addf(&b, "protocol=%u\n", m->protocol);
	add_string(&b, "signature", m->signature);
	add_string(&b, "origin", m->origin);
	strbuf_addf(&b, "frags=%d\n", m->frags);
	for (size_t i = 0; i < m->member_count; i++) {
		const struct meta_member *member = &m->members[i];
		char priority[16], proceed_on[16], id[16], run_priority[16], flags[16];
		const char *const fields[] = { member->instance,
					       member->program,
					       priority,
					       proceed_on,
					       member->required ? "1" : "0",
					       id,
					       run_priority,
					       flags };

		snprintf(flags, sizeof(flags), "%u",
			 (member->frags ? MEMBER_FRAGS : 0) | (member->absent ? MEMBER_ABSENT : 0));
		snprintf(id, sizeof(id), "%u", member->id);
		snprintf(run_priority, sizeof(run_priority), "%u", member->run_priority);
		snprintf(priority, sizeof(priority), "%u", member->priority);
		snprintf(proceed_on, sizeof(proceed_on), "0x%x", member->proceed_on);
		add_line(&b, "member", fields, ARRAY_SIZE(fields));
	}
	return finish(a, &b, ret_size);
}

/* One line as it is read: a key and its fields, unescaped. */
struct line {
	const char *key;
	const char *fields[FIELDS_MAX];
	size_t n;
};

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* Undoes add_escaped() in place; false for anything that it would not have written. */
static bool unescape(char *s)
{
	char *to = s;

	for (; *s; s++) {
		int high, low;

		if (*s != '%') {
			if (!is_plain((unsigned char)*s))
				return false;
			*to++ = *s;
			continue;
		}
		high = hex_value(s[1]);
		low = high < 0 ? -1 : hex_value(s[2]);
		if (low < 0 || high * 16 + low == 0)
			return false;
		*to++ = (char)(high * 16 + low);
		s += 2;
	}
	*to = '\0';
	return true;
}

/* Splits the line at s, which is overwritten; *ret_next is behind its end. */
static bool parse_line(char *s, char **ret_next, struct line *ret)
{
	char *end = strchr(s, '\n'), *equals;

	if (!end)
		return false;
	*end = '\0';
	*ret_next = end + 1;
	equals = strchr(s, '=');
	if (!equals || equals == s)
		return false;
	*equals = '\0';
	ret->key = s;
	ret->n = 0;
	for (char *field = equals + 1, *comma; field; field = comma) {
		comma = strchr(field, ',');
		if (comma)
			*comma++ = '\0';
		if (!unescape(field))
			return false;
		if (ret->n < FIELDS_MAX)
			ret->fields[ret->n++] = field;
	}
	return true;
}

uint32_t meta_layout(const void *data, size_t size)
{
	const unsigned char *header = data;

	return size < HEADER_SIZE || memcmp(header, META_MAGIC, 8) != 0 ? 0 : get_u32(header + 8);
}

/* Gives a copy of the text behind the header, known to be as long as the header says and free of NULs. */
static int open_text(struct arena *a, const void *data, size_t size, char **ret, struct error *e)
{
	const unsigned char *header = data;
	uint32_t version, length;

	if (size < HEADER_SIZE || memcmp(header, META_MAGIC, 8) != 0)
		return error_set(e, -EBADMSG, "no metadata of bpfshare (bad magic)");
	version = meta_layout(data, size);
	if (version > LAYOUT_VERSION)
		return error_set(e, -EOPNOTSUPP,
				 "metadata of layout version %u, this bpfshare knows up to %u",
				 version, LAYOUT_VERSION);
	if (version == 0)
		return error_set(e, -EBADMSG, "metadata is damaged (layout version 0)");
	length = get_u32(header + 12);
	if (length > size - HEADER_SIZE || length > LIMIT_META_BYTES - HEADER_SIZE)
		return error_set(e, -EBADMSG,
				 "metadata is damaged (%u bytes announced, %zu there, %d allowed)",
				 length, size - HEADER_SIZE, LIMIT_META_BYTES - HEADER_SIZE);
	*ret = arena_strndup(a, (const char *)header + HEADER_SIZE, length);
	if (strlen(*ret) != length)
		return error_set(e, -EBADMSG, "metadata is damaged (NUL in its text)");
	return 0;
}

typedef bool (*line_fn)(struct arena *a, const struct line *l, void *ret);

/* Feeds every line to fn, which says whether it could make sense of it. */
static int read_lines(struct arena *a, char *text, const char *kind, line_fn fn, void *ret,
		      struct error *e)
{
	unsigned int number = 1;
	struct line l;

	if (!*text || !parse_line(text, &text, &l) || !str_eq(l.key, "kind"))
		return error_set(e, -EBADMSG, "metadata is damaged (no kind in line 1)");
	if (!str_eq(l.fields[0], kind))
		return error_set(e, -EBADMSG, "metadata is of kind '%s', not '%s'", l.fields[0],
				 kind);
	while (*text) {
		number++;
		if (!parse_line(text, &text, &l) || !fn(a, &l, ret))
			return error_set(e, -EBADMSG, "metadata is damaged (line %u)", number);
	}
	return 0;
}

/* How many lines there are with this key, so that what is decoded takes no more room than it needs: it is kept. */
static size_t count_lines(const char *text, const char *key)
{
	size_t n = 0;

	for (const char *s = strstr(text, key); s; s = strstr(s + 1, key))
		n += s > text && s[-1] == '\n';
	return MIN(n, (size_t)LIMIT_PROGRAMS);
}

/* A single field that may be given once. */
static bool take_string(const struct line *l, const char **ret)
{
	if (*ret)
		return false;
	*ret = l->fields[0];
	return true;
}

static bool take_bool(const char *s, bool *ret)
{
	if (!str_eq(s, "0") && !str_eq(s, "1"))
		return false;
	*ret = *s == '1';
	return true;
}

static bool take_word(const char *s, const char *const *names, size_t count, unsigned int *ret)
{
	for (size_t i = 0; i < count; i++) {
		if (!str_eq(s, names[i]))
			continue;
		*ret = (unsigned int)i;
		return true;
	}
	return false;
}

struct object_reader {
	struct meta_object *m;
	LIST(const char *) programs;
	LIST(struct meta_map) maps;
};

static bool read_object_map(struct arena *a, const struct line *l, struct object_reader *r)
{
	struct meta_map *map;

	if (l->n < 3 || !*l->fields[0] || r->maps.n >= LIMIT_PROGRAMS)
		return false;
	map = LIST_ADD(a, &r->maps);
	map->name = l->fields[0];
	map->btf_hash = l->fields[1];
	map->use = *l->fields[2] ? l->fields[2] : NULL;
	map->values = "";
	if (l->n < 6)
		return true;
	map->born = *l->fields[3] ? l->fields[3] : NULL;
	map->from = *l->fields[4] ? l->fields[4] : NULL;
	map->values = l->fields[5];
	map->known = l->n >= 8;
	map->variables = l->n >= 9 ? l->fields[8] : NULL;
	return !map->known || (num_parse_u32(l->fields[6], UINT32_MAX, &map->max_entries) == 0 &&
			       num_parse_u32(l->fields[7], UINT32_MAX, &map->flags) == 0);
}

static bool read_object_line(struct arena *a, const struct line *l, void *arg)
{
	struct object_reader *r = arg;
	struct meta_object *m = r->m;
	const struct {
		const char *key;
		const char **to;
	} strings[] = {
		{ "instance", &m->instance },     { "object", &m->object },
		{ "interface", &m->interface },   { "version", &m->version },
		{ "origin", &m->origin },         { "elf_path", &m->elf_path },
		{ "elf_sha256", &m->elf_sha256 }, { "declaration", &m->declaration },
		{ "ancestors", &m->ancestors },
	};

	for (size_t i = 0; i < ARRAY_SIZE(strings); i++)
		if (str_eq(l->key, strings[i].key))
			return take_string(l, strings[i].to);
	if (str_eq(l->key, "loaded_ns"))
		return num_parse_u64(l->fields[0], &m->loaded_ns) == 0;
	if (str_eq(l->key, "frags"))
		return take_bool(l->fields[0], &m->frags);
	if (str_eq(l->key, "map"))
		return read_object_map(a, l, r);
	if (str_eq(l->key, "program")) {
		if (!*l->fields[0] || r->programs.n >= LIMIT_PROGRAMS)
			return false;
		*LIST_ADD(a, &r->programs) = l->fields[0];
	}
	return true;
}

int meta_object_decode(struct arena *a, const void *data, size_t size, struct meta_object *ret,
		       struct error *e)
{
	struct meta_object m = { 0 };
	struct object_reader reader = { .m = &m };
	char *text;
	int r;

	r = open_text(a, data, size, &text, e);
	if (r < 0)
		return r;
	reader.programs.cap = count_lines(text, "program=");
	reader.programs.v = arena_calloc(a, reader.programs.cap, sizeof(*reader.programs.v));
	reader.maps.cap = count_lines(text, "map=");
	reader.maps.v = arena_calloc(a, reader.maps.cap, sizeof(*reader.maps.v));
	r = read_lines(a, text, "object", read_object_line, &reader, e);
	if (r < 0)
		return r;
	if (!m.instance || !m.object || !m.version || !m.origin || !m.elf_path || !m.elf_sha256 ||
	    !m.declaration)
		return error_set(e, -EBADMSG, "metadata is damaged (incomplete)");
	m.programs = reader.programs.v;
	m.program_count = reader.programs.n;
	m.maps = reader.maps.v;
	m.map_count = reader.maps.n;
	for (size_t i = 0; i < m.map_count; i++)
		if (!m.maps[i].born)
			m.maps[i].born = m.version;
	*ret = m;
	return 0;
}

struct chain_reader {
	struct meta_chain *m;
	unsigned int hook, mechanism;
	LIST(struct meta_member) members;
};

static bool read_member(struct arena *a, const struct line *l, struct chain_reader *r)
{
	struct meta_member *member;
	uint32_t flags = 0;

	/* Bounded by the slots of a dispatcher, so that readers may use arrays of that size. */
	if (l->n < 5 || r->members.n >= LIMIT_CHAIN_TAILCALL)
		return false;
	member = LIST_ADD(a, &r->members);
	member->instance = l->fields[0];
	member->program = l->fields[1];
	if (num_parse_u32(l->fields[2], UINT32_MAX, &member->priority) < 0 ||
	    num_parse_u32(l->fields[3], UINT32_MAX, &member->proceed_on) < 0)
		return false;
	if (l->n >= 7 && (num_parse_u32(l->fields[5], UINT32_MAX, &member->id) < 0 ||
			  num_parse_u32(l->fields[6], UINT32_MAX, &member->run_priority) < 0))
		return false;
	if (l->n >= 8 && num_parse_u32(l->fields[7], UINT32_MAX, &flags) < 0)
		return false;
	member->frags = flags & MEMBER_FRAGS;
	member->absent = flags & MEMBER_ABSENT;
	return take_bool(l->fields[4], &member->required);
}

static bool read_chain_line(struct arena *a, const struct line *l, void *arg)
{
	struct chain_reader *r = arg;

	if (str_eq(l->key, "hook"))
		return take_word(l->fields[0], hook_names, HOOK_COUNT, &r->hook);
	if (str_eq(l->key, "mechanism"))
		return take_word(l->fields[0], mechanism_names, MECHANISM_COUNT, &r->mechanism);
	if (str_eq(l->key, "protocol"))
		return num_parse_u32(l->fields[0], UINT32_MAX, &r->m->protocol) == 0;
	if (str_eq(l->key, "signature"))
		return take_string(l, &r->m->signature);
	if (str_eq(l->key, "origin"))
		return take_string(l, &r->m->origin);
	if (str_eq(l->key, "frags"))
		return take_bool(l->fields[0], &r->m->frags);
	if (str_eq(l->key, "member"))
		return read_member(a, l, r);
	return true;
}

int meta_chain_decode(struct arena *a, const void *data, size_t size, struct meta_chain *ret,
		      struct error *e)
{
	struct meta_chain m = { 0 };
	struct chain_reader reader = { .m = &m, .hook = HOOK_XDP, .mechanism = MECHANISM_TAILCALL };
	char *text;
	int r;

	r = open_text(a, data, size, &text, e);
	if (r == 0)
		r = read_lines(a, text, "chain", read_chain_line, &reader, e);
	if (r < 0)
		return r;
	if (!m.signature || !m.origin)
		return error_set(e, -EBADMSG, "metadata is damaged (incomplete)");
	m.hook = (enum hook)reader.hook;
	m.mechanism = (enum mechanism)reader.mechanism;
	m.members = reader.members.v;
	m.member_count = reader.members.n;
	*ret = m;
	return 0;
}
