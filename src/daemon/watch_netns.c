/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Three kinds of events. Interfaces that come and go inside, by rtnetlink. Names that come and go, by inotify on
 * the directory, or on the nearest one above it that exists (a bind mount on a name is besides an event of
 * the mount table, which is watched anyway). And the end of a process by whose /proc/PID/ns/net a namespace is
 * named: no directory tells of that.
 */
#include "daemon/watch_netns.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/num.h"
#include "base/str.h"
#include "kern/netns.h"
#include "recon/recon.h"

#define CHANGES \
	(IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF)
#define GONE (IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT | IN_IGNORED)

struct entry {
	char *name;
	struct netns_id id;
	struct watch_links *links;
	int pidfd; /* -1: not named by a process */
	sd_event_source *process;
	bool wanted;
};

/* A name that matters in a watched directory. */
struct step {
	int wd;
	char *name;
};

struct watch_netns {
	struct watch_target target;
	struct inotify inotify;
	struct entry *entries;
	size_t entry_count;
	struct step *steps;
	size_t step_count;
	bool failed; /* said once */
};

/* --- names ------------------------------------------------------------------ */

static void steps_free(struct step *steps, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(steps[i].name);
	free(steps);
}

static void on_event(void *arg, const struct inotify_event *event)
{
	const struct watch_netns *w = arg;
	bool concerns = (event->mask & (IN_Q_OVERFLOW | GONE)) != 0;

	for (size_t i = 0; i < w->step_count && !concerns; i++)
		concerns = w->steps[i].wd == event->wd && event->len &&
			   str_eq(w->steps[i].name, event->name);
	if (concerns)
		w->target.changed(w->target.arg, RECON_DIRTY_KERNEL | RECON_DIRTY_FOREIGN);
}

static bool has_step(const struct step *steps, size_t n, int wd, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (steps[i].wd == wd && (!name || str_eq(steps[i].name, name)))
			return true;
	return false;
}

/* Watches the nearest directory above path that exists; what is below it and matters is one name. */
static void add_step(struct watch_netns *w, struct arena *a, const char *path)
{
	char *s = arena_strdup(a, path), *slash;

	while ((slash = strrchr(s, '/'))) {
		const char *below = slash + 1, *directory = slash == s ? "/" : s;
		int wd;

		*slash = '\0';
		wd = inotify_watch(&w->inotify, directory, CHANGES);
		if (wd == -ENOENT || wd == -ENOTDIR)
			continue;
		if (wd < 0 || has_step(w->steps, w->step_count, wd, below))
			return;
		w->steps = xrealloc(w->steps, (w->step_count + 1) * sizeof(*w->steps));
		w->steps[w->step_count++] = (struct step){ wd, xstrdup(below) };
		return;
	}
}

/* True when a directory or a name in it is new. */
static bool steps_set(struct watch_netns *w, const struct observed_netns *v, size_t n)
{
	cleanup(arena_freep) struct arena *a = arena_new();
	struct step *before = take_ptr(w->steps);
	size_t count = w->step_count;
	bool any = false;

	w->step_count = 0;
	for (size_t i = 0; i < n; i++) {
		const char *path = netns_path(a, v[i].name);

		if (!str_starts(path, "/proc/"))
			add_step(w, a, path);
	}
	for (size_t i = 0; i < w->step_count; i++)
		any |= !has_step(before, count, w->steps[i].wd, w->steps[i].name);
	for (size_t i = 0; i < count; i++)
		if (!has_step(w->steps, w->step_count, before[i].wd, NULL))
			(void)inotify_rm_watch(w->inotify.fd, before[i].wd);
	steps_free(before, count);
	return any;
}

/* --- processes --------------------------------------------------------------- */

/* PID of "/proc/PID/…", 0: another path. */
static uint32_t path_pid(struct arena *a, const char *path)
{
	const char *s = path + strlen("/proc/");
	uint32_t pid;

	if (!str_starts(path, "/proc/") ||
	    num_parse_u32(arena_strndup(a, s, strcspn(s, "/")), INT32_MAX, &pid) < 0)
		return 0;
	return pid;
}

/* By the name itself or, as tools make for containers, by a link of that name. */
static uint32_t netns_pid(struct arena *a, const char *name)
{
	const char *path = netns_path(a, name);
	char target[256];
	ssize_t n;
	uint32_t pid = path_pid(a, path);

	if (pid)
		return pid;
	n = readlink(path, target, sizeof(target) - 1);
	if (n < 0)
		return 0;
	target[n] = '\0';
	return path_pid(a, target);
}

static int on_exit_of_process(sd_event_source *source, int fd, uint32_t events, void *arg)
{
	const struct watch_netns *w = arg;

	(void)fd;
	(void)events;
	(void)sd_event_source_set_enabled(source, SD_EVENT_OFF);
	w->target.changed(w->target.arg, RECON_DIRTY_KERNEL | RECON_DIRTY_FOREIGN);
	return 0;
}

/* Without it the namespace is let go of by the next resync. */
static void watch_process(struct watch_netns *w, struct entry *entry)
{
	cleanup(arena_freep) struct arena *a = arena_new();
	uint32_t pid = netns_pid(a, entry->name);

	entry->pidfd = pid ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
	if (entry->pidfd >= 0)
		(void)sd_event_add_io(w->target.event, &entry->process, entry->pidfd, EPOLLIN,
				      on_exit_of_process, w);
}

/* --- inside ------------------------------------------------------------------- */

static void entry_close(struct entry *entry)
{
	watch_links_free(take_ptr(entry->links));
	entry->process = sd_event_source_disable_unref(entry->process);
	closep(&entry->pidfd);
	entry->pidfd = -1;
}

static void entry_remove(struct watch_netns *w, size_t i)
{
	entry_close(&w->entries[i]);
	free(w->entries[i].name);
	w->entries[i] = w->entries[--w->entry_count];
}

static struct entry *entry_get(struct watch_netns *w, const char *name)
{
	for (size_t i = 0; i < w->entry_count; i++)
		if (str_eq(w->entries[i].name, name))
			return &w->entries[i];
	w->entries = xrealloc(w->entries, (w->entry_count + 1) * sizeof(*w->entries));
	w->entries[w->entry_count] = (struct entry){ .name = xstrdup(name), .pidfd = -1 };
	return &w->entries[w->entry_count++];
}

static int open_inside(const struct watch_netns *w, struct entry *entry, struct error *e)
{
	cleanup(netns_leave) struct netns_guard guard = NETNS_GUARD_INIT;
	int r = netns_enter(entry->name, &guard, e);

	return r < 0 ? r : watch_links_new(&w->target, &entry->links, e);
}

/* True when the socket is new. */
static bool entry_open(struct watch_netns *w, struct entry *entry)
{
	cleanup(closep) int fd = -1;
	struct error e = { 0 };
	struct netns_id id;
	int r = netns_open(entry->name, &fd, &id, &e);

	if (r == 0 && entry->links && netns_id_equal(&id, &entry->id))
		return false;
	entry_close(entry);
	if (r == 0)
		r = open_inside(w, entry, &e);
	if (r == 0) {
		entry->id = id;
		watch_process(w, entry);
		return true;
	}
	if (r != -ENOENT && !w->failed)
		log_warning("cannot watch the interfaces of namespace %s, so changes there are "
			    "found by the resync only: %s",
			    entry->name, e.text);
	w->failed |= r != -ENOENT;
	return false;
}

/* --- all ------------------------------------------------------------------------ */

int watch_netns_new(const struct watch_target *t, struct watch_netns **ret, struct error *e)
{
	struct watch_netns *w = xnew(struct watch_netns);
	int r;

	w->target = *t;
	r = inotify_start(&w->inotify, t->event, on_event, w, e);
	if (r < 0) {
		watch_netns_free(w);
		return r;
	}
	*ret = w;
	return 0;
}

void watch_netns_free(struct watch_netns *w)
{
	if (!w)
		return;
	while (w->entry_count)
		entry_remove(w, 0);
	free(w->entries);
	inotify_stop(&w->inotify);
	steps_free(w->steps, w->step_count);
	free(w);
}

void watch_netns_release(struct watch_netns *w)
{
	for (size_t i = 0; i < w->entry_count; i++) {
		cleanup(closep) int fd = -1;
		struct netns_id id;

		if (w->entries[i].links && (netns_open(w->entries[i].name, &fd, &id, NULL) < 0 ||
					    !netns_id_equal(&id, &w->entries[i].id)))
			entry_close(&w->entries[i]);
	}
}

bool watch_netns_set(struct watch_netns *w, const struct observed_netns *v, size_t n, bool tc)
{
	bool any = steps_set(w, v, n);

	for (size_t i = 0; i < w->entry_count; i++)
		w->entries[i].wanted = false;
	for (size_t i = 0; i < n; i++) {
		struct entry *entry;

		if (!v[i].found || v[i].same_as)
			continue;
		entry = entry_get(w, v[i].name);
		entry->wanted = true;
		any |= entry_open(w, entry);
		any |= entry->links && watch_links_set_tc(entry->links, tc);
	}
	for (size_t i = w->entry_count; i-- > 0;)
		if (!w->entries[i].wanted)
			entry_remove(w, i);
	return any;
}
