/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
#include "daemon/watch_pins.h"

#include <dirent.h>
#include <string.h>

#include "base/alloc.h"
#include "base/str.h"
#include "model/layout.h"
#include "recon/recon.h"

/* objects/INSTANCE/VERSION/maps, the deepest directory of the layout, counted from ours. */
#define TREE_DEPTH 4

/* Owner and mode of our directories, and of a share's directory and pins, are part of what they are. */
#define CHANGES                                                                                \
	(IN_CREATE | IN_DELETE | IN_DELETE_SELF | IN_MOVED_FROM | IN_MOVED_TO | IN_MOVE_SELF | \
	 IN_ATTRIB)
#define GONE (IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT | IN_IGNORED)

struct entry {
	int wd;
	int depth; /* in our tree; -1: directory of a share */
	bool wanted;
	char *path;
};

struct watch_pins {
	struct watch_target target;
	struct inotify inotify;
	const char *bpffs_dir;
	char *protocol_dir; /* beside it: pins of libxdp's protocol, a directory for each dispatcher */
	struct entry *entries; /* sorted by wd: the kernel hands them out in rising order */
	size_t count;
};

/* The place of wd in the sorted entries, or where it would go. */
static size_t place(const struct watch_pins *w, int wd)
{
	size_t low = 0, high = w->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (w->entries[middle].wd < wd)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct entry *entry_find(struct watch_pins *w, int wd)
{
	size_t i = place(w, wd);

	return i < w->count && w->entries[i].wd == wd ? &w->entries[i] : NULL;
}

static void entry_remove(struct watch_pins *w, struct entry *entry)
{
	size_t i = (size_t)(entry - w->entries);

	free(entry->path);
	memmove(entry, entry + 1, (w->count - i - 1) * sizeof(*entry));
	w->count--;
}

/* True if the directory was not watched before. */
static bool entry_add(struct watch_pins *w, const char *path, int depth, uint32_t mask)
{
	int wd = inotify_watch(&w->inotify, path, mask);
	struct entry *entry = wd < 0 ? NULL : entry_find(w, wd);
	size_t i;

	if (entry)
		entry->wanted = true;
	if (wd < 0 || entry)
		return false;
	i = place(w, wd);
	w->entries = xrealloc(w->entries, (w->count + 1) * sizeof(*w->entries));
	memmove(&w->entries[i + 1], &w->entries[i], (w->count - i) * sizeof(*w->entries));
	w->entries[i] = (struct entry){ wd, depth, true, xstrdup(path) };
	w->count++;
	return true;
}

/* Watches first and looks then, so that no directory slips in between. */
static bool tree_add(struct watch_pins *w, const char *path, int depth)
{
	const struct dirent *d;
	DIR *dir;

	if (!entry_add(w, path, depth, CHANGES))
		return false;
	dir = depth < TREE_DEPTH ? opendir(path) : NULL;
	while (dir && (d = readdir(dir))) {
		cleanup(freep) char *below = NULL;

		if (d->d_type != DT_DIR || d->d_name[0] == '.')
			continue;
		below = xasprintf("%s/%s", path, d->d_name);
		(void)tree_add(w, below, depth + 1);
	}
	if (dir)
		(void)closedir(dir);
	return true;
}

static void entries_clear(struct watch_pins *w)
{
	for (size_t i = 0; i < w->count; i++)
		free(w->entries[i].path);
	free(take_ptr(w->entries));
	w->count = 0;
}

static void on_event(void *arg, const struct inotify_event *event)
{
	struct watch_pins *w = arg;
	struct entry *entry = entry_find(w, event->wd);

	if (event->mask & IN_Q_OVERFLOW) {
		/* New directories may be among what was lost: forgotten entries make the next set() look. */
		entries_clear(w);
		w->target.changed(w->target.arg, RECON_DIRTY_KERNEL | RECON_DIRTY_FILES);
		return;
	}
	if (!entry)
		return;
	if (event->mask & (IN_CREATE | IN_MOVED_TO) && event->mask & IN_ISDIR && event->len &&
	    entry->depth >= 0) {
		cleanup(freep) char *below = xasprintf("%s/%s", entry->path, event->name);

		(void)tree_add(w, below, entry->depth + 1);
		entry = entry_find(w, event->wd);
	}
	if (event->mask & IN_MOVE_SELF)
		(void)inotify_rm_watch(w->inotify.fd, event->wd);
	if (entry && event->mask & GONE)
		entry_remove(w, entry);
	w->target.changed(w->target.arg, RECON_DIRTY_KERNEL);
}

int watch_pins_new(const struct watch_target *t, const char *bpffs_dir, struct watch_pins **ret,
		   struct error *e)
{
	struct watch_pins *w = xnew(struct watch_pins);
	int r;

	w->target = *t;
	w->bpffs_dir = bpffs_dir;
	w->protocol_dir = xasprintf("%.*s/" LAYOUT_PROTOCOL,
				    (int)(strrchr(bpffs_dir, '/') - bpffs_dir), bpffs_dir);
	r = inotify_start(&w->inotify, t->event, on_event, w, e);
	if (r < 0) {
		watch_pins_free(w);
		return r;
	}
	*ret = w;
	return 0;
}

void watch_pins_free(struct watch_pins *w)
{
	if (!w)
		return;
	inotify_stop(&w->inotify);
	entries_clear(w);
	free(w->protocol_dir);
	free(w);
}

bool watch_pins_set(struct watch_pins *w, const struct string_list *shares)
{
	bool any;

	for (size_t i = 0; i < w->count; i++)
		w->entries[i].wanted = w->entries[i].depth >= 0;
	any = tree_add(w, w->bpffs_dir, 0);
	any |= tree_add(w, w->protocol_dir, TREE_DEPTH - 1);
	for (size_t i = 0; i < shares->n; i++)
		any |= entry_add(w, shares->v[i], -1, CHANGES);
	for (size_t i = w->count; i-- > 0;)
		if (!w->entries[i].wanted) {
			(void)inotify_rm_watch(w->inotify.fd, w->entries[i].wd);
			entry_remove(w, &w->entries[i]);
		}
	return any;
}
