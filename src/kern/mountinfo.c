/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * A line is "ID PARENT MAJOR:MINOR ROOT PATH OPTIONS [TAG...] - TYPE SOURCE SUPER-OPTIONS",
 * fields apart by one blank, blanks within a field as \040 (proc(5)). A line that is not
 * understood fails the whole: a mount that is overlooked would read as one that is not there.
 */
#include "kern/mountinfo.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/macros.h"
#include "base/num.h"
#include "base/str.h"

#define READ_BYTES 65536

/*
 * Cuts the next field off; NULL at the end of the line. An empty field (a source can be "") is
 * one.
 */
static char *next_field(char **line)
{
	return *line ? strsep(line, " ") : NULL;
}

/* \NNN, octal; anything else stands for itself. In place. */
static void unescape(char *s)
{
	char *to = s;

	for (; *s; to++) {
		if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] >= '0' && s[2] <= '7' &&
		    s[3] >= '0' && s[3] <= '7') {
			*to = (char)((s[1] - '0') << 6 | (s[2] - '0') << 3 | (s[3] - '0'));
			s += 4;
		} else {
			*to = *s++;
		}
	}
	*to = '\0';
}

/* "ro", "ro,relatime" */
static bool options_read_only(const char *options)
{
	return str_eq(options, "ro") || str_starts(options, "ro,");
}

/* The optional fields up to the lone hyphen; unknown ones are skipped, as proc(5) asks. */
static bool parse_tags(char **line, struct mountinfo_entry *ret)
{
	char *field;

	while ((field = next_field(line))) {
		if (str_eq(field, "-"))
			return true;
		ret->shared |= str_starts(field, "shared:");
		ret->slave |= str_starts(field, "master:");
	}
	return false;
}

static bool parse_line(char *line, struct mountinfo_entry *ret)
{
	char *id = next_field(&line), *parent = next_field(&line), *device = next_field(&line);
	char *root = next_field(&line), *path = next_field(&line), *options = next_field(&line);
	char *type, *source, *super;

	if (!options || !parse_tags(&line, ret))
		return false;
	type = next_field(&line);
	source = next_field(&line);
	super = next_field(&line);
	if (!super || num_parse_u64(id, &ret->id) < 0 || num_parse_u64(parent, &ret->parent) < 0 ||
	    sscanf(device, "%u:%u", &ret->major, &ret->minor) != 2)
		return false;
	unescape(root);
	unescape(path);
	unescape(type);
	unescape(source);
	ret->root = root;
	ret->path = path;
	ret->type = type;
	ret->source = source;
	ret->read_only = options_read_only(super);
	return true;
}

static int compare_id(const void *a, const void *b)
{
	uint64_t x = ((const struct mountinfo_entry *)a)->id;
	uint64_t y = ((const struct mountinfo_entry *)b)->id;

	return (x > y) - (x < y);
}

int mountinfo_parse(struct arena *a, const char *text, struct mountinfo *ret, struct error *e)
{
	LIST(struct mountinfo_entry) entries = { 0 };
	char *copy = arena_strdup(a, text), *rest = copy, *line;

	while ((line = strsep(&rest, "\n"))) {
		const char *whole = text + (line - copy);

		if (*line == '\0')
			continue;
		if (!parse_line(line, LIST_ADD(a, &entries)))
			return error_set(e, -EBADMSG, "mountinfo: line not understood: %.*s",
					 (int)strcspn(whole, "\n"), whole);
	}
	if (entries.n)
		qsort(entries.v, entries.n, sizeof(*entries.v), compare_id);
	*ret = (struct mountinfo){ .v = entries.v, .n = entries.n };
	return 0;
}

int mountinfo_read(struct arena *a, const char *process, struct mountinfo *ret, struct error *e)
{
	const char *path = arena_printf(a, "/proc/%s/mountinfo", process);
	cleanup(closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
	cleanup(strbuf_done) struct strbuf text = { 0 };
	cleanup(freep) char *chunk = xcalloc(1, READ_BYTES);
	ssize_t n;

	if (fd < 0)
		return error_set(e, -errno, "open %s: %s", path, error_string(errno));
	while ((n = read(fd, chunk, READ_BYTES)) > 0)
		strbuf_addn(&text, chunk, (size_t)n);
	if (n < 0)
		return error_set(e, -errno, "read %s: %s", path, error_string(errno));
	return mountinfo_parse(a, strbuf_get(&text), ret, e);
}

const struct mountinfo_entry *mountinfo_find(const struct mountinfo *m, uint64_t id)
{
	struct mountinfo_entry key = { .id = id };

	return m->n ? bsearch(&key, m->v, m->n, sizeof(key), compare_id) : NULL;
}
