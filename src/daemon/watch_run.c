/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
#include "daemon/watch_run.h"

#include "base/alloc.h"
#include "base/str.h"
#include "recon/defaults.h"
#include "recon/recon.h"

#define CHANGES (IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO)

/* The directories, below the run directory, and what in them is ours. */
static const struct place {
	const char *directory;
	const char *names[3];
} places[] = {
	{ "", { "status", "control", "lock" } },
	{ "/status", { "status.sock" } },
	{ "/control", { "control.sock" } },
};

struct watch_run {
	struct watch_target target;
	struct inotify inotify;
	const char *run_dir;
	int wd[ARRAY_SIZE(places)];
};

static bool is_ours(const struct watch_run *w, const struct inotify_event *event)
{
	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		for (size_t k = 0; w->wd[i] == event->wd && k < ARRAY_SIZE(places[i].names); k++)
			if (event->len && places[i].names[k] &&
			    str_eq(event->name, places[i].names[k]))
				return true;
	return false;
}

static void on_event(void *arg, const struct inotify_event *event)
{
	const struct watch_run *w = arg;

	if (event->mask & IN_Q_OVERFLOW || is_ours(w, event))
		w->target.changed(w->target.arg, RECON_DIRTY_KERNEL);
}

int watch_run_new(const struct watch_target *t, const char *run_dir, struct watch_run **ret,
		  struct error *e)
{
	struct watch_run *w = xnew(struct watch_run);
	int r;

	w->target = *t;
	w->run_dir = run_dir;
	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		w->wd[i] = -1;
	r = inotify_start(&w->inotify, t->event, on_event, w, e);
	if (r < 0) {
		watch_run_free(w);
		return r;
	}
	*ret = w;
	return 0;
}

void watch_run_free(struct watch_run *w)
{
	if (!w)
		return;
	inotify_stop(&w->inotify);
	free(w);
}

void watch_run_refresh(struct watch_run *w)
{
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		cleanup(freep) char *path = xasprintf("%s%s", w->run_dir, places[i].directory);
		int wd = inotify_watch(&w->inotify, path, CHANGES);

		/* Of a directory that was removed the kernel has let go already. */
		if (w->wd[i] >= 0 && w->wd[i] != wd)
			(void)inotify_rm_watch(w->inotify.fd, w->wd[i]);
		w->wd[i] = wd;
	}
}
