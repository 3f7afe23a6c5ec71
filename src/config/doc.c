/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Reads libyaml's events, not its documents: the document interface drops all but one of two
 * equal keys, makes cycles of aliases and takes quadratic time for nested brackets. Depth,
 * nodes and size are bounded while reading. libyaml speaks YAML 1.1; where 1.2 differs for what
 * can stand in a configuration file (line ends beyond ASCII, types of plain scalars), 1.2 holds.
 */
#include "config/doc.h"

#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/num.h"
#include "config/utf8.h"

#define DUMPER "was this written by a YAML dumper? Write the value out where it is used"

struct reader {
	yaml_parser_t parser;
	struct arena *arena;
	struct diags *diags;
	const char *path, *text;
	size_t size, nodes;
	unsigned int depth;
	bool incomplete; /* a value is missing from the tree, so its judgement would mislead */
};

static void parser_done(struct reader *r)
{
	yaml_parser_delete(&r->parser);
}

static struct origin origin_at(const struct reader *r, const yaml_mark_t *mark)
{
	return (struct origin){
		.file = r->path,
		.line = (unsigned int)mark->line + 1,
		.column = (unsigned int)mark->column + 1,
	};
}

/* ---- characters ---- */

/* Why a character must not stand in a file, or NULL. */
static const char *character_fault(uint32_t c, const char **ret_hint)
{
	*ret_hint = "is this a YAML file?";
	if (c == 0)
		return "a NUL byte";
	if ((c < 0x20 && c != '\t' && c != '\n' && c != '\r') ||
	    (c >= 0x7f && c <= 0x9f && c != 0x85))
		return "a control character";
	if (c == 0xfffe || c == 0xffff)
		return "a code that is no character";
	/* libyaml ends a line here and YAML 1.2 does not, so no reader could trust the other. */
	*ret_hint = "write it in double quotes as \\N, \\L or \\P";
	if (c == 0x85 || c == 0x2028 || c == 0x2029)
		return "a line end that editors do not agree about";
	*ret_hint = "remove it; editors show it as nothing at all";
	return c == 0xfeff ? "a byte order mark in the middle of the text" : NULL;
}

/* Gives the first character that must not be there with its position; false if there is one. */
static bool check_characters(struct reader *r)
{
	struct origin at = { .file = r->path, .line = 1, .column = 1 };

	for (size_t i = 0; i < r->size;) {
		uint32_t c;
		size_t len = utf8_decode(r->text + i, r->size - i, &c);
		const char *hint = NULL, *fault = len ? character_fault(c, &hint) : NULL;

		if (!len) {
			diag_add(r->diags, DIAG_ERROR, &at, "save the file as UTF-8",
				 "the byte 0x%02x is no UTF-8", (unsigned char)r->text[i]);
			return false;
		}
		if (fault) {
			diag_add(r->diags, DIAG_ERROR, &at, hint, "U+%04X is %s", c, fault);
			return false;
		}
		i += len;
		if (c == '\n' || (c == '\r' && (i == r->size || r->text[i] != '\n'))) {
			at.line++;
			at.column = 1;
		} else {
			at.column++;
		}
	}
	return true;
}

/* Size and encoding, which concern the file as a whole; skips the byte order mark of UTF-8. */
static bool check_bytes(struct reader *r)
{
	struct origin whole = { .file = r->path };

	if (r->size == 0) {
		diag_add(r->diags, DIAG_ERROR, &whole,
			 "to declare nothing, write a comment or '{}'; to mask a file of the same "
			 "name, link to /dev/null",
			 "EmptyFile: the file has no content");
		return false;
	}
	if (r->size > LIMIT_FILE_BYTES) {
		diag_add(r->diags, DIAG_ERROR, &whole, "divide it into several files",
			 "the file has %zu bytes and may have %d", r->size, LIMIT_FILE_BYTES);
		return false;
	}
	if (r->size >= 2 &&
	    (memcmp(r->text, "\xff\xfe", 2) == 0 || memcmp(r->text, "\xfe\xff", 2) == 0)) {
		diag_add(r->diags, DIAG_ERROR, &whole, "save the file as UTF-8",
			 "the text is UTF-16 or UTF-32");
		return false;
	}
	if (r->size >= 3 && memcmp(r->text, "\xef\xbb\xbf", 3) == 0) {
		r->text += 3;
		r->size -= 3;
	}
	return true;
}

/* ---- syntax errors ---- */

/* What usually is behind a complaint of libyaml. NULL and 0 match everything. */
struct syntax_hint {
	const char *context, *problem;
	char at; /* the character that it complains about */
	const char *hint;
};

static const struct syntax_hint syntax_hints[] = {
	{ NULL, NULL, '\t', "YAML indents with blanks, not with tabs" },
	{ NULL, "cannot start any token", '@', "quote a value that begins with '@': \"@set\"" },
	{ NULL, "cannot start any token", 0, "quote a value that begins with this character" },
	{ "scanning an alias", NULL, 0, "quote a pattern that begins with '*': \"*\"" },
	{ "scanning a block scalar", NULL, 0,
	  "quote a value that begins with '>' or '|': \">= 6.6\"" },
	{ "quoted scalar", NULL, 0, "close the quote" },
	{ NULL, "block sequence entries are not", 0, "begin a list on a line of its own" },
	{ NULL, "mapping values are not allowed", 0,
	  "check the indentation, and quote a value that has ': ' in it" },
	{ "flow", NULL, 0, "check commas and brackets" },
	{ "directive", NULL, 0, "quote a value that begins with '%'" },
	{ NULL, NULL, 0, "check the indentation of this line and of those above" },
};

static const char *find_syntax_hint(const char *context, const char *problem, char at)
{
	const struct syntax_hint *h = syntax_hints;

	while ((h->context && !strstr(context, h->context)) ||
	       (h->problem && !strstr(problem, h->problem)) || (h->at && h->at != at))
		h++;
	return h->hint;
}

/* The character at a mark, which counts characters, not bytes; NUL at the end of the text. */
static char character_at(const struct reader *r, const yaml_mark_t *mark)
{
	size_t index = 0;

	for (size_t i = 0; i < r->size; index++) {
		uint32_t c;

		if (index == mark->index)
			return r->text[i];
		i += utf8_decode(r->text + i, r->size - i, &c);
	}
	return '\0';
}

static void report_syntax(const struct reader *r)
{
	const yaml_parser_t *p = &r->parser;
	const char *problem = p->problem ? p->problem : "unknown problem";
	const char *context = p->context ? p->context : "";
	char c = character_at(r, &p->problem_mark);
	struct origin at;

	if (p->error == YAML_MEMORY_ERROR)
		abort();
	/* What is open at the end of the text is best shown where it was opened. */
	at = origin_at(r, !c && *context ? &p->context_mark : &p->problem_mark);
	diag_add(r->diags, DIAG_ERROR, &at, find_syntax_hint(context, problem, c),
		 "this is not YAML: %s%s%s", problem, *context ? " " : "", context);
}

/* ---- scalars: the core schema of YAML 1.2, section 10.3.2 ---- */

static bool is_one_of(const char *s, const char *const *words, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(s, words[i]) == 0)
			return true;
	return false;
}

static size_t count_digits(const char *s)
{
	return strspn(s, "0123456789");
}

static bool is_float(const char *s)
{
	static const char *const words[] = { ".inf", ".Inf", ".INF" };
	static const char *const nans[] = { ".nan", ".NaN", ".NAN" };
	size_t whole, fraction = 0;

	if (is_one_of(s, nans, ARRAY_SIZE(nans)))
		return true;
	s += *s == '+' || *s == '-' ? 1 : 0;
	if (is_one_of(s, words, ARRAY_SIZE(words)))
		return true;
	whole = count_digits(s);
	s += whole;
	if (*s == '.') {
		fraction = count_digits(s + 1);
		s += 1 + fraction;
	}
	if (whole + fraction == 0)
		return false;
	if (*s == 'e' || *s == 'E') {
		s++;
		s += *s == '+' || *s == '-' ? 1 : 0;
		whole = count_digits(s);
		s += whole;
		return whole > 0 && !*s;
	}
	return !*s;
}

/* Sets kind and number if the text is an integer. One beyond 64 bits is left to the floats. */
static bool read_integer(const char *s, struct value *ret)
{
	bool is_signed = *s == '+' || *s == '-', negative = *s == '-';
	uint64_t magnitude;

	if (is_signed && (!s[1] || s[1 + count_digits(s + 1)]))
		return false;
	if (num_parse_u64(s + (is_signed ? 1 : 0), &magnitude) < 0)
		return false;
	ret->kind = VALUE_INTEGER;
	ret->magnitude = magnitude;
	ret->negative = negative && magnitude != 0;
	return true;
}

static void type_plain(struct value *v)
{
	static const char *const nulls[] = { "", "~", "null", "Null", "NULL" };
	static const char *const trues[] = { "true", "True", "TRUE" };
	static const char *const falses[] = { "false", "False", "FALSE" };

	if (is_one_of(v->text, nulls, ARRAY_SIZE(nulls))) {
		v->kind = VALUE_NULL;
	} else if (is_one_of(v->text, trues, ARRAY_SIZE(trues))) {
		v->kind = VALUE_BOOL;
		v->boolean = true;
	} else if (is_one_of(v->text, falses, ARRAY_SIZE(falses))) {
		v->kind = VALUE_BOOL;
	} else if (!read_integer(v->text, v) && is_float(v->text)) {
		v->kind = VALUE_FLOAT;
		v->number = strtod(v->text, NULL);
	}
}

static void read_scalar(struct reader *r, const yaml_event_t *event, struct value *ret)
{
	size_t length = event->data.scalar.length;
	const char *text = (const char *)event->data.scalar.value;

	ret->kind = VALUE_STRING;
	ret->text = arena_strndup(r->arena, text, length);
	ret->quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
	if (!ret->quoted)
		type_plain(ret);
	if (memchr(text, '\0', length))
		diag_add(r->diags, DIAG_ERROR, &ret->origin, NULL,
			 "a value cannot contain the character NUL");
}

/* ---- nodes ---- */

static bool next_event(struct reader *r, yaml_event_t *ret)
{
	if (yaml_parser_parse(&r->parser, ret))
		return true;
	report_syntax(r);
	return false;
}

static bool read_node(struct reader *r, const yaml_event_t *event, struct value *ret);

static bool read_list(struct reader *r, struct value *ret)
{
	LIST(struct value) items = { 0 };

	ret->kind = VALUE_LIST;
	for (;;) {
		cleanup(yaml_event_delete) yaml_event_t event = { 0 };
		struct value item;

		if (!next_event(r, &event))
			return false;
		if (event.type == YAML_SEQUENCE_END_EVENT)
			break;
		if (!read_node(r, &event, &item))
			return false;
		*LIST_ADD(r->arena, &items) = item;
	}
	ret->items = items.v;
	ret->n = items.n;
	return true;
}

static int compare_keys(const void *left, const void *right)
{
	const struct value *l = *(const struct value *const *)left;
	const struct value *r = *(const struct value *const *)right;
	int c = strcmp(l->text, r->text);

	/* Both point into one array, in the order of the file. */
	return c ? c : l < r ? -1 : l > r ? 1 : 0;
}

/* Reports every key that is there for the second time, and drops it so that the first one holds. */
static void drop_duplicates(struct reader *r, struct value *mapping)
{
	const struct value **sorted = arena_calloc(r->arena, mapping->n, sizeof(*sorted));
	bool *dropped = arena_calloc(r->arena, mapping->n, sizeof(*dropped));
	const struct value *first;
	size_t kept = 0;

	if (mapping->n < 2)
		return;
	for (size_t i = 0; i < mapping->n; i++)
		sorted[i] = &mapping->keys[i];
	qsort(sorted, mapping->n, sizeof(*sorted), compare_keys);
	first = sorted[0];
	for (size_t i = 1; i < mapping->n; i++) {
		if (strcmp(first->text, sorted[i]->text) != 0) {
			first = sorted[i];
			continue;
		}
		dropped[sorted[i] - mapping->keys] = true;
		diag_add(r->diags, DIAG_ERROR, &sorted[i]->origin, NULL,
			 "duplicate key %s; it is already in line %u",
			 diag_quote(r->arena, first->text), first->origin.line);
	}
	for (size_t i = 0; i < mapping->n; i++) {
		if (dropped[i])
			continue;
		mapping->keys[kept] = mapping->keys[i];
		mapping->items[kept++] = mapping->items[i];
	}
	mapping->n = kept;
}

/* False if the mapping must do without this key; the tree is then judged all the same. */
static bool check_key(struct reader *r, const struct value *key)
{
	if (key->kind == VALUE_LIST || key->kind == VALUE_MAPPING) {
		diag_add(r->diags, DIAG_ERROR, &key->origin,
			 "quote a pattern or value that begins with '[' or '{'",
			 "%s cannot be a key", value_kind_name(key->kind));
		return false;
	}
	if (strlen(key->text) > LIMIT_KEY_BYTES) {
		diag_add(r->diags, DIAG_ERROR, &key->origin, NULL,
			 "a key of %zu bytes; %d are the limit", strlen(key->text),
			 LIMIT_KEY_BYTES);
		return false;
	}
	for (const char *p = key->text; *p; p++) {
		if ((unsigned char)*p >= 0x20 && *p != 0x7f)
			continue;
		diag_add(r->diags, DIAG_ERROR, &key->origin, NULL,
			 "a key cannot contain control characters");
		return false;
	}
	return true;
}

static bool read_mapping(struct reader *r, struct value *ret)
{
	LIST(struct value) keys = { 0 };
	LIST(struct value) items = { 0 };

	ret->kind = VALUE_MAPPING;
	for (;;) {
		cleanup(yaml_event_delete) yaml_event_t key_event = { 0 };
		cleanup(yaml_event_delete) yaml_event_t item_event = { 0 };
		struct value key, item;

		if (!next_event(r, &key_event))
			return false;
		if (key_event.type == YAML_MAPPING_END_EVENT)
			break;
		if (!read_node(r, &key_event, &key) || !next_event(r, &item_event) ||
		    !read_node(r, &item_event, &item))
			return false;
		if (!check_key(r, &key))
			continue;
		*LIST_ADD(r->arena, &keys) = key;
		*LIST_ADD(r->arena, &items) = item;
	}
	ret->keys = keys.v;
	ret->items = items.v;
	ret->n = keys.n;
	drop_duplicates(r, ret);
	return true;
}

/* Anchors and tags say nothing that the configuration language could use. */
static void refuse_properties(struct reader *r, const struct value *v, const yaml_char_t *anchor,
			      const yaml_char_t *tag)
{
	if (anchor)
		diag_add(r->diags, DIAG_ERROR, &v->origin, DUMPER,
			 "the anchor '&%s' is not supported", anchor);
	if (tag)
		diag_add(r->diags, DIAG_ERROR, &v->origin,
			 "was this written by a YAML dumper? Remove the tag",
			 "the tag %s is not supported", diag_quote(r->arena, (const char *)tag));
}

static bool check_limits(struct reader *r, const struct value *v)
{
	if (++r->nodes > LIMIT_FILE_NODES) {
		diag_add(r->diags, DIAG_ERROR, &v->origin, "divide the file into several",
			 "more than %d values in one file", LIMIT_FILE_NODES);
		return false;
	}
	if (r->depth > LIMIT_DEPTH) {
		diag_add(r->diags, DIAG_ERROR, &v->origin, NULL,
			 "lists and mappings are nested more than %d deep", LIMIT_DEPTH);
		return false;
	}
	return true;
}

/* False when reading cannot go on. */
static bool read_node(struct reader *r, const yaml_event_t *event, struct value *ret)
{
	bool ok;

	*ret = (struct value){ .kind = VALUE_NULL,
			       .text = "",
			       .origin = origin_at(r, &event->start_mark) };
	switch (event->type) {
	case YAML_ALIAS_EVENT:
		diag_add(r->diags, DIAG_ERROR, &ret->origin,
			 "quote a pattern that begins with '*'; or was this written by a YAML "
			 "dumper?",
			 "the alias '*%s' is not supported", event->data.alias.anchor);
		r->incomplete = true;
		return check_limits(r, ret);
	case YAML_SCALAR_EVENT:
		refuse_properties(r, ret, event->data.scalar.anchor, event->data.scalar.tag);
		read_scalar(r, event, ret);
		return check_limits(r, ret);
	case YAML_SEQUENCE_START_EVENT:
		refuse_properties(r, ret, event->data.sequence_start.anchor,
				  event->data.sequence_start.tag);
		break;
	default:
		refuse_properties(r, ret, event->data.mapping_start.anchor,
				  event->data.mapping_start.tag);
		break;
	}
	r->depth++;
	ok = check_limits(r, ret) &&
	     (event->type == YAML_SEQUENCE_START_EVENT ? read_list(r, ret) : read_mapping(r, ret));
	r->depth--;
	return ok;
}

/* ---- documents ---- */

static void refuse_directives(struct reader *r, const yaml_event_t *event)
{
	struct origin at = origin_at(r, &event->start_mark);

	if (event->data.document_start.version_directive ||
	    event->data.document_start.tag_directives.start !=
		    event->data.document_start.tag_directives.end)
		diag_add(r->diags, DIAG_ERROR, &at,
			 "was this written by a YAML dumper? Remove the lines that begin with '%'",
			 "directives are not supported");
}

/* After the start of the stream: nothing, or one document; false when reading cannot go on. */
static bool read_documents(struct reader *r, struct value *ret)
{
	bool seen = false;

	for (;;) {
		cleanup(yaml_event_delete) yaml_event_t event = { 0 };
		cleanup(yaml_event_delete) yaml_event_t root = { 0 };
		struct origin at;

		if (!next_event(r, &event))
			return false;
		if (event.type == YAML_STREAM_END_EVENT)
			return true;
		if (event.type != YAML_DOCUMENT_START_EVENT)
			continue;
		if (seen) {
			at = origin_at(r, &event.start_mark);
			diag_add(r->diags, DIAG_ERROR, &at,
				 "was this written by a YAML dumper? Put it into a file of its own",
				 "a second document begins here");
			return true;
		}
		refuse_directives(r, &event);
		seen = true;
		if (!next_event(r, &root) || !read_node(r, &root, ret))
			return false;
	}
}

const struct value *doc_parse(struct arena *a, struct diags *diags, const char *path,
			      const char *text, size_t size)
{
	cleanup(parser_done) struct reader r = {
		.arena = a,
		.diags = diags,
		.path = path,
		.text = text,
		.size = size,
	};
	struct value *root = arena_new_of(a, struct value);

	*root = (struct value){ .kind = VALUE_NULL, .text = "", .origin = { .file = path } };
	if (!yaml_parser_initialize(&r.parser))
		abort();
	if (!check_bytes(&r) || !check_characters(&r))
		return NULL;
	/* Said outright, or libyaml would take UTF-16 as well. */
	yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&r.parser, (const unsigned char *)r.text, r.size);
	return read_documents(&r, root) && !r.incomplete ? root : NULL;
}
