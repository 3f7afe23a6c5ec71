/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * One call is one line in one write(2), so that lines of several processes on one
 * stderr do not mix. Control characters become blanks: a name from a configuration file must
 * neither forge a line nor talk to the terminal.
 */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"

static enum log_level current_level = LOG_LEVEL_INFO;
static log_sink_fn current_sink;

static const char *const level_names[] = {
	[LOG_LEVEL_ERROR] = "error", [LOG_LEVEL_WARNING] = "warning", [LOG_LEVEL_NOTICE] = "notice",
	[LOG_LEVEL_INFO] = "info",   [LOG_LEVEL_DEBUG] = "debug",
};

void log_set_level(enum log_level level)
{
	current_level = level;
}

enum log_level log_get_level(void)
{
	return current_level;
}

int log_level_parse(const char *s, enum log_level *ret)
{
	for (size_t i = LOG_LEVEL_ERROR; s && i < ARRAY_SIZE(level_names); i++)
		if (str_eq(s, level_names[i])) {
			*ret = (enum log_level)i;
			return 0;
		}
	return -EINVAL;
}

void log_set_sink(log_sink_fn sink)
{
	current_sink = sink;
}

static void write_stderr(enum log_level level, const char *text)
{
	struct strbuf line = { 0 };
	size_t done = 0;

	strbuf_addf(&line, "%s: ", program_invocation_short_name);
	if (level <= LOG_LEVEL_WARNING || level == LOG_LEVEL_DEBUG)
		strbuf_addf(&line, "%s: ", level_names[level]);
	strbuf_addf(&line, "%s\n", text);
	while (done < line.len) {
		ssize_t n = write(STDERR_FILENO, line.s + done, line.len - done);

		/* There is nobody left to tell that stderr is gone or full. */
		if (n < 0 && errno != EINTR)
			break;
		done += n > 0 ? (size_t)n : 0;
	}
	strbuf_done(&line);
}

void log_write(enum log_level level, const char *const *fields, const char *fmt, ...)
{
	cleanup(freep) char *text = NULL;
	int saved_errno = errno;
	va_list args;
	int n;

	if (level > current_level)
		return;
	va_start(args, fmt);
	n = vasprintf(&text, fmt, args);
	va_end(args);
	if (n < 0)
		abort();
	for (char *c = text; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = ' ';
	if (current_sink)
		current_sink(level, fields, text);
	else
		write_stderr(level, text);
	errno = saved_errno;
}
