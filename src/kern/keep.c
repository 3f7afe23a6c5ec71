/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
#include "kern/keep.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/ids.h"
#include "base/macros.h"
#include "base/num.h"
#include "base/str.h"
#include "kern/pin.h"
#include "kern/syscalls.h"
#include "model/layout.h"

struct kept_pin {
	char *name; /* below the directory: "programs/count", "meta"; "" for the directory's own path */
	uint32_t id;
	int fd; /* -1: there are as many as there may be */
};

struct kept {
	char *directory;
	bool seen;
	struct kept_pin *v; /* in the order in which an observation lists them */
	size_t n;
};

struct keep {
	struct kept *v; /* sorted by directory */
	size_t n, cap;
	size_t held, most; /* descriptors */
	int directory;     /* ours, as a path only; -1: not seen yet */
};

struct keep *keep_new(void)
{
	struct keep *k = xnew(struct keep);
	struct rlimit limit = { .rlim_cur = 1024 };

	k->directory = -1;
	(void)getrlimit(RLIMIT_NOFILE, &limit);
	k->most = limit.rlim_cur == RLIM_INFINITY ? SIZE_MAX : limit.rlim_cur / 2;
	return k;
}

static void pin_let_go(struct keep *k, struct kept_pin *p)
{
	k->held -= p->fd >= 0;
	closep(&p->fd);
	free(p->name);
}

static void let_go(struct keep *k, struct kept *kept)
{
	for (size_t i = 0; i < kept->n; i++)
		pin_let_go(k, &kept->v[i]);
	free(kept->v);
	kept->v = NULL;
	kept->n = 0;
}

static void remove_at(struct keep *k, size_t i)
{
	let_go(k, &k->v[i]);
	free(k->v[i].directory);
	memmove(&k->v[i], &k->v[i + 1], (k->n - i - 1) * sizeof(*k->v));
	k->n--;
}

void keep_free(struct keep *k)
{
	if (!k)
		return;
	while (k->n)
		remove_at(k, k->n - 1);
	closep(&k->directory);
	free(k->v);
	free(k);
}

/* --- finding ---------------------------------------------------------------------- */

static size_t place(const struct keep *k, const char *directory)
{
	size_t low = 0, high = k->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(k->v[middle].directory, directory) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct kept *find(const struct keep *k, const char *directory)
{
	size_t i = place(k, directory);

	return i < k->n && str_eq(k->v[i].directory, directory) ? &k->v[i] : NULL;
}

static struct kept_pin *find_pin(const struct kept *kept, const char *name)
{
	for (size_t i = 0; kept && i < kept->n; i++)
		if (str_eq(kept->v[i].name, name))
			return &kept->v[i];
	return NULL;
}

static struct kept_pin *find_held(const struct kept *kept, const char *name)
{
	struct kept_pin *p = find_pin(kept, name);

	return p && p->fd >= 0 ? p : NULL;
}

int keep_find(const struct keep *k, const char *directory, const char *name, uint32_t *ret_id)
{
	const struct kept_pin *p = k ? find_held(find(k, directory), name) : NULL;

	if (ret_id)
		*ret_id = p ? p->id : 0;
	return p ? p->fd : -1;
}

int keep_find_link(const struct keep *k, uint32_t chain_id, uint32_t slot)
{
	cleanup(arena_freep) struct arena *a = arena_new();

	return keep_find(k, layout_chain_dir(a, chain_id), arena_printf(a, "link-%u", slot), NULL);
}

void keep_list(const struct keep *k, struct arena *a, const char *part, const char *name,
	       struct string_list *ret)
{
	const char *prefix = arena_printf(a, "%s/", part);
	LIST(const char *) names = { 0 };

	for (size_t i = k ? place(k, prefix) : 0;
	     k && i < k->n && str_starts(k->v[i].directory, prefix); i++)
		if (find_held(&k->v[i], name))
			*LIST_ADD(a, &names) = arena_strdup(a, k->v[i].directory + strlen(prefix));
	*ret = (struct string_list){ names.v, names.n };
}

/* --- letting go ------------------------------------------------------------------- */

void keep_forget(struct keep *k, const char *directory)
{
	struct kept *kept = find(k, directory);

	if (kept)
		remove_at(k, (size_t)(kept - k->v));
}

void keep_forget_pin(struct keep *k, const char *directory, const char *name)
{
	struct kept *kept = find(k, directory);
	struct kept_pin *p = find_pin(kept, name);

	if (!p)
		return;
	pin_let_go(k, p);
	kept->n--;
	memmove(p, p + 1, (size_t)(kept->v + kept->n - p) * sizeof(*p));
}

void keep_forget_chain(struct keep *k, struct arena *a, uint32_t id)
{
	keep_forget(k, layout_chain_dir(a, id));
}

void keep_forget_link(struct keep *k, uint32_t id)
{
	cleanup(arena_freep) struct arena *a = arena_new();
	const char *own = layout_link_pin(a, id, NULL);
	size_t length = strlen(own), i = place(k, own);

	while (i < k->n && str_starts(k->v[i].directory, own))
		if (strchr("@", k->v[i].directory[length]))
			remove_at(k, i);
		else
			i++;
}

/* --- holding ---------------------------------------------------------------------- */

/* What an observation saw of one directory. */
struct wanted {
	LIST(struct kept_pin) list; /* without descriptors; names only where they are made */
};

/* Out of descriptors, or changed since it was seen: the pin still holds what is there, if nobody deletes it. */
static int open_pin(const struct kern_context *c, struct arena *a, const char *directory,
		    const struct kept_pin *want)
{
	const char *slash = *want->name ? "/" : "";
	cleanup(closep) int fd = bpf_obj_get(
		pin_path(c, a, arena_printf(a, "%s%s%s", directory, slash, want->name)));

	return fd >= 0 && (!want->id || pin_id(fd) == want->id) ? take_fd(fd) : -1;
}

static struct kept *get(struct keep *k, const char *directory)
{
	size_t i = place(k, directory);

	if (i < k->n && str_eq(k->v[i].directory, directory))
		return &k->v[i];
	if (k->n == k->cap) {
		k->cap = k->cap ? 2 * k->cap : 16;
		k->v = xrealloc(k->v, k->cap * sizeof(*k->v));
	}
	memmove(&k->v[i + 1], &k->v[i], (k->n - i) * sizeof(*k->v));
	k->n++;
	k->v[i] = (struct kept){ .directory = xstrdup(directory) };
	return &k->v[i];
}

static bool is_same(const struct kept_pin *held, const struct kept_pin *want)
{
	return str_eq(held->name, want->name) && (!want->id || held->id == want->id);
}

/* Something of it is not held for want of descriptors, of which there are some now. */
static bool can_hold_more(const struct keep *k, const struct kept *kept)
{
	for (size_t i = 0; k->held < k->most && i < kept->n; i++)
		if (kept->v[i].fd < 0)
			return true;
	return false;
}

/* What is held already is moved over, the rest is opened. */
static void hold(struct keep *k, const struct kern_context *c, struct arena *a, struct kept *kept,
		 const struct wanted *w)
{
	struct kept_pin *v = xcalloc(w->list.n, sizeof(*v));
	size_t n = 0;

	for (size_t i = 0; i < w->list.n; i++) {
		struct kept_pin *want = &w->list.v[i], *held = find_pin(kept, want->name);

		if (held && held->fd >= 0 && is_same(held, want)) {
			v[n++] = *held;
			held->name = NULL;
			held->fd = -1;
			continue;
		}
		if (k->held >= k->most) {
			v[n++] = (struct kept_pin){ xstrdup(want->name), want->id, -1 };
			continue;
		}
		want->fd = open_pin(c, a, kept->directory, want);
		if (want->fd < 0)
			continue;
		v[n++] = (struct kept_pin){ xstrdup(want->name), pin_id(want->fd), want->fd };
		k->held++;
	}
	let_go(k, kept);
	kept->v = v;
	kept->n = n;
}

static void want(struct arena *a, struct wanted *w, const char *name, uint32_t id)
{
	*LIST_ADD(a, &w->list) = (struct kept_pin){ (char *)name, id, -1 };
}

static const char *below(struct arena *a, const char *part, const char *name)
{
	return arena_printf(a, "%s/%s", part, layout_escape(a, name));
}

/* --- objects ---------------------------------------------------------------------- */

/* With a thousand objects that did not change no name is to be made. */
static bool object_is_held(const struct keep *k, const struct kept *kept,
			   const struct observed_object *o)
{
	size_t n = 0;

	if (!kept || kept->n != o->program_count + o->map_count + o->extension_count + 1 ||
	    can_hold_more(k, kept))
		return false;
	for (size_t i = 0; i < o->program_count; i++)
		if (kept->v[n++].id != o->programs[i].id)
			return false;
	for (size_t i = 0; i < o->map_count; i++)
		if (kept->v[n++].id != o->maps[i].id)
			return false;
	for (size_t i = 0; i < o->extension_count; i++)
		if (kept->v[n++].id != o->extensions[i].id)
			return false;
	return kept->v[n].id == o->meta_id;
}

static void hold_object(struct keep *k, const struct kern_context *c, struct arena *a,
			const struct observed_object *o)
{
	const char *directory = layout_object_dir(a, o->instance, o->version);
	struct kept *kept = find(k, directory);
	struct wanted w = { 0 };

	if (!o->complete || object_is_held(k, kept, o)) {
		if (kept)
			kept->seen = true;
		return;
	}
	for (size_t i = 0; i < o->program_count; i++)
		want(a, &w, below(a, LAYOUT_PROGRAMS, o->programs[i].name), o->programs[i].id);
	for (size_t i = 0; i < o->map_count; i++)
		want(a, &w, below(a, LAYOUT_MAPS, o->maps[i].name), o->maps[i].id);
	for (size_t i = 0; i < o->extension_count; i++)
		want(a, &w, below(a, LAYOUT_EXTENSIONS, o->extensions[i].name),
		     o->extensions[i].id);
	want(a, &w, LAYOUT_META, o->meta_id);
	kept = get(k, directory);
	kept->seen = true;
	hold(k, c, a, kept, &w);
}

/* --- chains and links ------------------------------------------------------------- */

static bool is_among(const struct observed_tc_program *p, size_t n, uint32_t id)
{
	for (size_t i = 0; i < n; i++)
		if (p[i].id == id)
			return true;
	return false;
}

static bool runs_somewhere(const struct observed *o, uint32_t id)
{
	for (size_t i = 0; i < o->interface_count; i++)
		if (o->interfaces[i].xdp_id == id)
			return true;
	for (size_t i = 0; i < o->tc_count; i++)
		if (is_among(o->tc[i].programs, o->tc[i].program_count, id) ||
		    is_among(o->tc[i].filters, o->tc[i].filter_count, id))
			return true;
	return false;
}

/*
 * Of libxdp's only the links: its dispatcher's references are counted before it goes. An emptied slot's link is not
 * there to be held; one that was made anew is.
 */
static void hold_chain(struct keep *k, const struct kern_context *c, struct arena *a,
		       const struct observed_chain *chain)
{
	const char *directory = layout_chain_dir(a, chain->id);
	struct kept *kept = get(k, directory);
	struct wanted w = { 0 };

	kept->seen = true;
	if (!chain->complete)
		return;
	if (chain->meta.mechanism != MECHANISM_LIBXDP) {
		want(a, &w, LAYOUT_DISPATCHER, chain->id);
		want(a, &w, LAYOUT_MEMBERS, 0);
		want(a, &w, LAYOUT_META, 0);
	}
	for (uint32_t slot = 0;
	     chain->meta.mechanism == MECHANISM_LIBXDP && slot < chain->meta.member_count; slot++) {
		const char *name = arena_printf(a, "link-%u", slot);

		if (chain->slots[slot] || find_pin(kept, name))
			want(a, &w, name, 0);
	}
	if (kept->n != w.list.n || can_hold_more(k, kept))
		hold(k, c, a, kept, &w);
}

static void hold_link(struct keep *k, const struct kern_context *c, struct arena *a,
		      const struct observed_link *link)
{
	struct kept *kept;
	struct wanted w = { 0 };

	if (!link->pinned && !link->lost)
		return;
	kept = get(k, layout_link_pin(a, link->id, link->netns));
	kept->seen = true;
	if (kept->n && !can_hold_more(k, kept))
		return;
	want(a, &w, "", link->id);
	hold(k, c, a, kept, &w);
}

/* A chain of libxdp's without a directory: its links serve for as long as its dispatcher does. */
static bool chain_is_needed(const struct kept *kept, const struct observed *o)
{
	const char *id = kept->directory + sizeof(LAYOUT_CHAINS);
	uint32_t number;

	return str_starts(kept->directory, LAYOUT_CHAINS "/") &&
	       num_parse_u32(id, UINT32_MAX, &number) == 0 && runs_somewhere(o, number);
}

void keep_update(struct keep *k, const struct kern_context *c, struct arena *a,
		 const struct observed *o)
{
	for (size_t i = 0; i < k->n; i++)
		k->v[i].seen = false;
	for (size_t i = 0; i < o->object_count; i++)
		hold_object(k, c, a, &o->objects[i]);
	for (size_t i = 0; i < o->chain_count; i++)
		hold_chain(k, c, a, &o->chains[i]);
	for (size_t i = 0; i < o->link_count; i++)
		hold_link(k, c, a, &o->links[i]);
	for (size_t i = k->n; i-- > 0;)
		if (!k->v[i].seen && !chain_is_needed(&k->v[i], o))
			remove_at(k, i);
}

size_t keep_unheld(const struct keep *k, size_t *ret_held)
{
	size_t n = 0;

	for (size_t i = 0; i < k->n; i++)
		for (size_t at = 0; at < k->v[i].n; at++)
			n += k->v[i].v[at].fd < 0;
	*ret_held = k->held;
	return n;
}

/* --- our directory ---------------------------------------------------------------- */

static bool is_same_directory(int x, int y)
{
	struct stat a, b;

	return fstat(x, &a) == 0 && fstat(y, &b) == 0 && a.st_dev == b.st_dev &&
	       a.st_ino == b.st_ino;
}

/* The kernel marks what was removed at the end of its path. */
static const char *where_it_is(const struct keep *k, struct arena *a)
{
	char path[4096];
	ssize_t n = readlink(fd_path(k->directory).s, path, sizeof(path) - 1);

	if (n <= 0)
		return NULL;
	path[n] = '\0';
	return str_ends(path, " (deleted)") ? NULL : arena_strdup(a, path);
}

const char *keep_directory(struct keep *k, struct arena *a, int fd, const char *path)
{
	const char *now = NULL;

	if (!k)
		return NULL;
	if (k->directory >= 0 && (fd < 0 || !is_same_directory(k->directory, fd)))
		now = where_it_is(k, a);
	if (str_eq(now, path))
		now = NULL; /* it is there, and no more what it was */
	if (fd >= 0 && (k->directory < 0 || !is_same_directory(k->directory, fd))) {
		closep(&k->directory);
		k->directory = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	}
	return now;
}

bool keep_knows_directory(const struct keep *k, int fd)
{
	return k && k->directory >= 0 && is_same_directory(k->directory, fd);
}

/* --- marks -------------------------------------------------------------------- */

/* 1: the map is metadata of ours, 0: it is not or is gone. */
static int is_mark(struct arena *a, uint32_t id, const char *name, struct error *e)
{
	cleanup(closep) int fd = bpf_map_get_fd_by_id(id);
	struct observed_map map;
	int r;

	if (fd < 0)
		return errno == ENOENT ? 0 :
					 error_set(e, -errno, "cannot look at map id %u: %s", id,
						   error_string(errno));
	r = pin_map_info(a, fd, &map, e);
	return r < 0 ? r : pin_is_meta(fd, &map, name);
}

static void list_pinned(struct arena *a, const struct observed *o, struct ids *ret)
{
	for (size_t i = 0; i < o->chain_count; i++)
		ids_add(a, ret, o->chains[i].id);
	for (size_t i = 0; i < o->object_count; i++)
		for (size_t k = 0; k < o->objects[i].program_count; k++)
			ids_add(a, ret, o->objects[i].programs[k].id);
	ids_sort(ret);
}

int keep_find_marks(const struct kern_context *c, struct arena *a, struct observed *o,
		    struct error *e)
{
	const char *name = pin_meta_name(a, c->tag);
	struct ids pinned = { 0 };

	list_pinned(a, o, &pinned);
	for (size_t i = 0; i < o->program_count; i++) {
		struct observed_program *p = &o->programs[i];
		int r;

		if (ids_has(&pinned, p->id) || p->map_count == 0 || !pin_is_by_us(p))
			continue;
		/* It is bound after the load; other maps are not to be opened by id (object_recover.c says why). */
		r = is_mark(a, p->maps[p->map_count - 1], name, e);
		if (r < 0)
			return r;
		p->ours = p->ours || r;
	}
	return 0;
}
