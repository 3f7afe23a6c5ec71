/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
#include "recon/events.h"

#include "base/alloc.h"

struct events {
	struct recon_event ring[EVENTS_KEPT];
	uint64_t last; /* sequence of the newest, 0: none yet */
};

struct events *events_new(void)
{
	return xnew(struct events);
}

static void event_done(struct recon_event *e)
{
	free((char *)e->key);
	free((char *)e->reason);
	free((char *)e->message);
}

void events_free(struct events *ev)
{
	if (!ev)
		return;
	for (size_t i = 0; i < EVENTS_KEPT; i++)
		event_done(&ev->ring[i]);
	free(ev);
}

void events_add(struct events *ev, const char *kind, const char *key, const char *reason,
		const char *message)
{
	struct recon_event *e = &ev->ring[++ev->last % EVENTS_KEPT];

	event_done(e);
	*e = (struct recon_event){
		.sequence = ev->last,
		.kind = kind,
		.key = xstrdup(key),
		.reason = reason ? xstrdup(reason) : NULL,
		.message = xstrdup(message),
	};
	(void)clock_gettime(CLOCK_REALTIME, &e->time);
}

const struct recon_event *events_next(const struct events *ev, uint64_t after)
{
	uint64_t oldest = ev->last > EVENTS_KEPT ? ev->last - EVENTS_KEPT + 1 : 1;

	if (after >= ev->last)
		return NULL;
	return &ev->ring[MAX(after + 1, oldest) % EVENTS_KEPT];
}
