/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* Messages are built by us: sd_journal_send() would record this file as their place in the code. */
#define SD_JOURNAL_SUPPRESS_LOCATION
#include "daemon/journal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <systemd/sd-journal.h>

#include "base/alloc.h"
#include "base/log.h"

#define FIELDS_MAX 16

static void add_field(struct iovec *fields, int *count, const char *name, const char *value)
{
	char *text;

	if (!value || !*value || *count >= FIELDS_MAX)
		return;
	text = xasprintf("%s=%s", name, value);
	fields[(*count)++] = (struct iovec){ text, strlen(text) };
}

static void sink_journal(enum log_level level, const char *const *fields, const char *text)
{
	struct iovec v[FIELDS_MAX];
	char priority[8];
	int n = 0;

	(void)snprintf(priority, sizeof(priority), "%d", (int)level);
	add_field(v, &n, "MESSAGE", text);
	add_field(v, &n, "PRIORITY", priority);
	add_field(v, &n, "SYSLOG_IDENTIFIER", "bpfshared");
	for (; fields && fields[0] && fields[1]; fields += 2)
		add_field(v, &n, fields[0], fields[1]);
	(void)sd_journal_sendv(v, n);
	while (n > 0)
		free(v[--n].iov_base);
}

static void sink_prefix(enum log_level level, const char *const *fields, const char *text)
{
	(void)fields;
	(void)dprintf(STDERR_FILENO, "<%d>%s\n", (int)level, text);
}

/* systemd says by this variable which socket it connected stderr to; someone may have redirected it since. */
static bool stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long dev, ino;
	struct stat st;

	return stream && sscanf(stream, "%llu:%llu", &dev, &ino) == 2 &&
	       fstat(STDERR_FILENO, &st) == 0 && st.st_dev == dev && st.st_ino == ino;
}

void journal_init(void)
{
	if (stderr_is_journal())
		log_set_sink(sink_journal);
	else if (getenv("INVOCATION_ID") && getenv("NOTIFY_SOCKET"))
		log_set_sink(sink_prefix);
}
