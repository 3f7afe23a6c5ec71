/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "cli/cli.h"
#include "config/utf8.h"

/* In front of and behind the text; what people typed may hold anything. */
static void complain(const char *text, const char *end)
{
	cleanup(strbuf_done) struct strbuf safe = { 0 };

	utf8_add_safe(&safe, text, strlen(text));
	(void)fprintf(stderr, "bpfsharectl: %s%s\n", strbuf_get(&safe), end);
}

static void print_error(const struct cli *c, const char *text)
{
	json_t *j;

	if (!c->json)
		return;
	j = json_pack("{s:o}", "error", cli_json_string(text));
	(void)json_dumpf(j, stdout, JSON_COMPACT);
	(void)putchar('\n');
	json_decref(j);
}

int cli_fail(const struct cli *c, int code, const char *fmt, ...)
{
	cleanup(freep) char *text = NULL;
	va_list args;

	va_start(args, fmt);
	text = xvasprintf(fmt, args);
	va_end(args);
	complain(text, "");
	print_error(c, text);
	return code;
}

int cli_usage(const struct cli *c, const char *fmt, ...)
{
	cleanup(freep) char *text = NULL;
	va_list args;

	va_start(args, fmt);
	text = xvasprintf(fmt, args);
	va_end(args);
	complain(text, "\nTry 'bpfsharectl --help'.");
	print_error(c, text);
	return EXIT_USAGE;
}

void cli_warn(const char *fmt, ...)
{
	cleanup(freep) char *text = NULL;
	va_list args;

	va_start(args, fmt);
	text = xvasprintf(fmt, args);
	va_end(args);
	complain(text, "");
}

json_t *cli_json_string(const char *s)
{
	cleanup(strbuf_done) struct strbuf safe = { 0 };
	json_t *j = s ? json_string(s) : json_null();

	if (j)
		return j;
	utf8_add_safe(&safe, s, strlen(s));
	return json_string(strbuf_get(&safe));
}

void cli_print_json(const json_t *j)
{
	(void)json_dumpf(j, stdout, JSON_INDENT(2));
	(void)putchar('\n');
}

/*
 * The names in it are chosen by others: in a network namespace of its own a container can call an
 * interface whatever it likes, also what a terminal takes for a command.
 */
static void print_lines(const struct strbuf *text, FILE *to)
{
	cleanup(strbuf_done) struct strbuf safe = { 0 };
	const char *line = strbuf_get(text), *end;

	for (; (end = strchr(line, '\n')); line = end + 1) {
		utf8_add_safe(&safe, line, (size_t)(end - line));
		strbuf_addc(&safe, '\n');
	}
	utf8_add_safe(&safe, line, strlen(line));
	(void)fputs(strbuf_get(&safe), to);
}

void cli_print_text(const struct strbuf *text)
{
	print_lines(text, stdout);
}

void cli_print_note(const struct strbuf *text)
{
	print_lines(text, stderr);
}

bool cli_parse_duration(const char *s, double *ret_seconds)
{
	char *end;
	double value;

	if (*s < '0' || *s > '9') /* strtod() would take blanks, signs, "inf" and "nan" */
		return false;
	errno = 0;
	value = strtod(s, &end);
	if (errno)
		return false;
	if (str_eq(end, "m"))
		value *= 60;
	else if (str_eq(end, "h"))
		value *= 3600;
	else if (!str_eq(end, "") && !str_eq(end, "s"))
		return false;
	*ret_seconds = value;
	return true;
}
