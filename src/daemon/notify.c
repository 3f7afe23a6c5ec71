/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
#include "daemon/notify.h"

#include <string.h>
#include <systemd/sd-daemon.h>

#include "base/alloc.h"
#include "base/str.h"
#include "recon/engine.h"

/* systemctl shows one line. */
#define SUMMARY_MAX 240

struct worst {
	const char *kind, *name;
	const struct condition_status *condition;
};

static void worse(struct worst *w, const char *kind, const char *name,
		  const struct condition_status *c)
{
	if (c->state >= STATE_PENDING && (!w->condition || c->state > w->condition->state))
		*w = (struct worst){ kind, name, c };
}

static void add_worst(struct strbuf *out, const struct status *s)
{
	struct worst w = { 0 };

	for (size_t i = 0; i < s->object_count; i++)
		worse(&w, "object", s->objects[i].name, &s->objects[i].condition);
	for (size_t i = 0; i < s->share_count; i++)
		worse(&w, "share", s->shares[i].name, &s->shares[i].condition);
	for (size_t i = 0; i < s->set_count; i++)
		worse(&w, "interfaces", s->sets[i].name, &s->sets[i].condition);
	if (!w.condition)
		return;
	strbuf_addf(out, ": %s %s", w.kind, w.name);
	if (w.condition->message)
		strbuf_addf(out, ": %s", w.condition->message);
}

static size_t invalid_files(const struct status *s)
{
	size_t n = 0;

	for (size_t i = 0; i < s->file_count; i++)
		n += s->files[i].state == FILE_INVALID || s->files[i].state == FILE_REFUSED ? 1 : 0;
	return n;
}

static void add_counts(struct strbuf *out, const struct status *s)
{
	size_t faulty = invalid_files(s);
	bool any = false;

	for (size_t i = 0; i < STATE_COUNT; i++)
		if (s->summary[i]) {
			strbuf_addf(out, "%s%zu %s", any ? ", " : "", s->summary[i],
				    state_names[i]);
			any = true;
		}
	if (!any)
		strbuf_add(out, "nothing declared");
	if (faulty)
		strbuf_addf(out, ", %zu faulty file%s", faulty, faulty == 1 ? "" : "s");
	if (s->held_count)
		strbuf_addf(out, ", %zu waiting for confirm", s->held_count);
}

/* Cut between characters: systemd drops a status that is not valid UTF-8. */
static void shorten(char *text)
{
	size_t end = SUMMARY_MAX;

	if (strlen(text) <= end)
		return;
	while (end > 0 && ((unsigned char)text[end] & 0xc0) == 0x80)
		end--;
	text[end] = '\0';
}

char *notify_summary(const struct status *s, const char *trouble)
{
	struct strbuf out = { 0 };
	char *text;

	if (s && s->suspended)
		strbuf_add(&out, "suspended; ");
	if (trouble)
		strbuf_addf(&out, "%s%s", trouble, s ? "; before that: " : "");
	if (s) {
		add_counts(&out, s);
		add_worst(&out, s);
	}
	text = strbuf_take(&out);
	shorten(text);
	for (char *c = text; *c; c++) /* a line feed would start another assignment */
		if (*c == '\n')
			*c = ' ';
	return text;
}

void notify_ready(const char *summary)
{
	(void)sd_notifyf(0, "READY=1\nSTATUS=%s", summary);
}

void notify_status(const char *summary)
{
	(void)sd_notifyf(0, "STATUS=%s", summary);
}

void notify_reloading(void)
{
	(void)sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%llu",
			 (unsigned long long)(engine_now_ns() / 1000));
}

void notify_stopping(void)
{
	(void)sd_notify(0, "STOPPING=1\nSTATUS=stopped; programs and shares stay in place");
}

void notify_watchdog(void)
{
	(void)sd_notify(0, "WATCHDOG=1");
}
