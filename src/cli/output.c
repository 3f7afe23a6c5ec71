/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/cli.h"

void cli_print_json(const json_t *j)
{
	(void)json_dumpf(j, stdout, JSON_INDENT(2));
	(void)putchar('\n');
}

void cli_print_text(const struct strbuf *text)
{
	(void)fputs(strbuf_get(text), stdout);
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
