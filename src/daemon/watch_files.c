/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * A directory that does not exist yet is waited for in its nearest existing parent, which may
 * be as busy as /run. There only the name on the way to the directory counts: such a
 * watch is "narrow".
 */
#include "daemon/watch_files.h"

#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "recon/recon.h"

#define CHANGES                                                                                \
	(IN_ATTRIB | IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_DELETE_SELF | IN_MOVED_FROM | \
	 IN_MOVED_TO | IN_MOVE_SELF)
#define GONE (IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT | IN_IGNORED)

struct entry {
	char *path;
	int wd; /* -1: could not be watched */
	bool wanted;
	bool narrow;
};

struct watch_files {
	struct watch_target target;
	struct inotify inotify;
	struct entry *entries;
	size_t count;
	char **ways; /* paths that a narrow watch waits for a part of */
	size_t way_count;
};

/* The next component of path below directory as [*ret, *ret + result); 0 if it is not below it. */
static size_t next_component(const char *directory, const char *path, const char **ret)
{
	size_t n = strlen(directory);

	while (n > 0 && directory[n - 1] == '/')
		n--;
	if (strncmp(directory, path, n) != 0 || path[n] != '/')
		return 0;
	path += n + strspn(path + n, "/");
	*ret = path;
	return strcspn(path, "/");
}

static bool is_on_a_way(const struct watch_files *w, const char *directory, const char *name)
{
	for (size_t i = 0; i < w->way_count; i++) {
		const char *next;
		size_t n = next_component(directory, w->ways[i], &next);

		if (n > 0 && strlen(name) == n && memcmp(name, next, n) == 0)
			return true;
	}
	return false;
}

static bool matters(const struct watch_files *w, const struct inotify_event *event)
{
	bool known = false;

	for (size_t i = 0; i < w->count; i++) {
		const struct entry *entry = &w->entries[i];

		if (entry->wd != event->wd)
			continue;
		known = true;
		if (!entry->narrow || event->len == 0 || is_on_a_way(w, entry->path, event->name))
			return true;
	}
	/* Late events of a watch that was removed meanwhile matter no more. */
	return !known && event->mask & IN_Q_OVERFLOW;
}

static void on_event(void *arg, const struct inotify_event *event)
{
	struct watch_files *w = arg;
	unsigned int dirty = 0;

	if (matters(w, event))
		dirty = RECON_DIRTY_FILES;
	if (event->mask & IN_Q_OVERFLOW)
		dirty |= RECON_DIRTY_KERNEL;
	/* A directory that moved away is still watched, but by a path that means another one now. */
	if (event->mask & IN_MOVE_SELF)
		(void)inotify_rm_watch(w->inotify.fd, event->wd);
	for (size_t i = 0; event->mask & GONE && i < w->count; i++)
		if (w->entries[i].wd == event->wd)
			w->entries[i].wd = -1;
	if (dirty)
		w->target.changed(w->target.arg, dirty);
}

int watch_files_new(const struct watch_target *t, struct watch_files **ret, struct error *e)
{
	struct watch_files *w = xnew(struct watch_files);
	int r;

	w->target = *t;
	r = inotify_start(&w->inotify, t->event, on_event, w, e);
	if (r < 0) {
		watch_files_free(w);
		return r;
	}
	*ret = w;
	return 0;
}

static void ways_clear(struct watch_files *w)
{
	for (size_t i = 0; i < w->way_count; i++)
		free(w->ways[i]);
	free(take_ptr(w->ways));
	w->way_count = 0;
}

void watch_files_free(struct watch_files *w)
{
	if (!w)
		return;
	inotify_stop(&w->inotify);
	for (size_t i = 0; i < w->count; i++)
		free(w->entries[i].path);
	free(w->entries);
	ways_clear(w);
	free(w);
}

/* Two paths can lead to one directory, which then has one watch. */
static bool is_shared(const struct watch_files *w, const struct entry *entry)
{
	for (size_t i = 0; i < w->count; i++)
		if (&w->entries[i] != entry && w->entries[i].wd == entry->wd)
			return true;
	return false;
}

static void unwatch(struct watch_files *w, struct entry *entry)
{
	if (entry->wd >= 0 && !is_shared(w, entry))
		(void)inotify_rm_watch(w->inotify.fd, entry->wd);
	entry->wd = -1;
}

/* True if what is behind the path is another directory than before, or none any more. */
static bool watch(struct watch_files *w, struct entry *entry)
{
	int before = entry->wd, wd = inotify_watch(&w->inotify, entry->path, CHANGES);

	if (wd < 0)
		wd = -1;
	if (wd == before)
		return false;
	unwatch(w, entry);
	entry->wd = wd;
	return true;
}

bool watch_files_refresh(struct watch_files *w)
{
	bool any = false;

	for (size_t i = 0; i < w->count; i++)
		any |= watch(w, &w->entries[i]);
	return any;
}

static struct entry *entry_get(struct watch_files *w, const char *path)
{
	for (size_t i = 0; i < w->count; i++)
		if (str_eq(w->entries[i].path, path))
			return &w->entries[i];
	w->entries = xrealloc(w->entries, (w->count + 1) * sizeof(*w->entries));
	w->entries[w->count] = (struct entry){ .path = xstrdup(path), .wd = -1 };
	return &w->entries[w->count++];
}

static void entries_drop_unwanted(struct watch_files *w)
{
	size_t kept = 0;

	for (size_t i = 0; i < w->count; i++)
		if (!w->entries[i].wanted)
			unwatch(w, &w->entries[i]);
	for (size_t i = 0; i < w->count; i++) {
		if (w->entries[i].wanted)
			w->entries[kept++] = w->entries[i];
		else
			free(w->entries[i].path);
	}
	w->count = kept;
}

static void way_add(struct watch_files *w, const char *path)
{
	w->ways = xrealloc(w->ways, (w->way_count + 1) * sizeof(*w->ways));
	w->ways[w->way_count++] = xstrdup(path);
}

static bool holds_object(const struct desired *d, const char *directory)
{
	size_t n = strlen(directory);

	for (size_t i = 0; d && i < d->object_count; i++) {
		const struct object_source *source = d->objects[i].source;

		/* Of an object that was not found, any change may be the one that brings it. */
		if (!source || !source->path)
			return true;
		if (strncmp(source->path, directory, n) == 0 &&
		    strrchr(source->path, '/') == source->path + n)
			return true;
	}
	return false;
}

static bool is_narrow(const struct watch_files *w, const struct watch_files_wanted *want,
		      const char *directory)
{
	bool on_way = false;
	const char *next;

	for (size_t i = 0; i < want->conf_dirs.n; i++)
		if (str_eq(directory, want->conf_dirs.v[i]))
			return false;
	for (size_t i = 0; i < w->way_count; i++)
		on_way |= next_component(directory, w->ways[i], &next) > 0;
	return on_way && !holds_object(want->desired, directory);
}

/* The directory of the settings file, or its nearest existing parent. */
static bool watch_settings(struct watch_files *w, const char *settings)
{
	cleanup(freep) char *path = xstrdup(settings);
	char *slash;

	while ((slash = strrchr(path, '/')) && slash > path) {
		struct entry *entry;
		bool known;

		*slash = '\0';
		entry = entry_get(w, path);
		known = entry->wd >= 0;
		if (known || watch(w, entry)) {
			entry->wanted = true;
			return !known;
		}
	}
	return false;
}

bool watch_files_set(struct watch_files *w, const struct watch_files_wanted *want)
{
	bool any;

	ways_clear(w);
	for (size_t i = 0; i < want->conf_dirs.n; i++)
		way_add(w, want->conf_dirs.v[i]);
	way_add(w, want->settings);
	for (size_t i = 0; i < w->count; i++)
		w->entries[i].wanted = false;
	any = watch_settings(w, want->settings);
	for (size_t i = 0; i < want->paths.n; i++) {
		struct entry *entry = entry_get(w, want->paths.v[i]);

		entry->wanted = true;
		if (entry->wd < 0)
			any |= watch(w, entry);
	}
	entries_drop_unwanted(w);
	for (size_t i = 0; i < w->count; i++)
		w->entries[i].narrow = is_narrow(w, want, w->entries[i].path);
	return any;
}
