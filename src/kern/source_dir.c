/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * A ConfigMap volume is a directory of links through one link, ..data, which kubelet
 * swaps by rename: all files change at once. Reading name by name could see half of
 * the old version and half of the new one. So ..data is opened once, names and files
 * come from that descriptor, and the caller asks afterwards whether ..data still
 * leads there. kubelet removes the old directory right after the swap; what was read before stays
 * consistent, what was not gives ENOENT, and ..data has moved.
 */
#include "kern/source_dir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/str.h"
#include "model/limits.h"

#define DATA_LINK "..data"

/* Far beyond what is ever read, so that the names of a runaway directory do not fill the memory. */
#define NAMES_MAX (4 * LIMIT_FILES)

void source_place_done(struct source_place *p)
{
	if (p->files.fd != p->top.fd)
		closep(&p->files.fd);
	closep(&p->top.fd);
	p->top.fd = p->files.fd = -1;
}

static bool is_yaml_name(const char *name)
{
	return str_ends(name, ".yaml") || str_ends(name, ".yml");
}

static bool is_continuation(unsigned char c)
{
	return (c & 0xc0) == 0x80;
}

/* UTF-8 without control characters: what can stand in a message and in JSON. */
static bool name_is_text(const char *name)
{
	for (const unsigned char *c = (const unsigned char *)name; *c; c++) {
		size_t more = *c >= 0xf0 ? 3 : *c >= 0xe0 ? 2 : *c >= 0xc0 ? 1 : 0;

		if (*c < ' ' || *c == 0x7f || (*c >= 0x80 && *c < 0xc2) || *c > 0xf4)
			return false;
		/* Overlong forms, surrogates, beyond U+10FFFF: told by the second byte. */
		if ((*c == 0xe0 && c[1] < 0xa0) || (*c == 0xed && c[1] > 0x9f) ||
		    (*c == 0xf0 && c[1] < 0x90) || (*c == 0xf4 && c[1] > 0x8f))
			return false;
		for (; more > 0; more--)
			if (!is_continuation(*++c))
				return false;
	}
	return true;
}

/* The name with \xNN for each byte that is not printable ASCII. */
static const char *name_as_text(struct arena *a, const char *name)
{
	cleanup(strbuf_done) struct strbuf text = { 0 };

	for (const char *c = name; *c; c++) {
		if (*c >= ' ' && *c < 0x7f)
			strbuf_addc(&text, *c);
		else
			strbuf_addf(&text, "\\x%02x", (unsigned char)*c);
	}
	return arena_strdup(a, strbuf_get(&text));
}

static bool entry_is_directory(int fd, const struct dirent *d)
{
	struct stat st;

	if (d->d_type != DT_UNKNOWN)
		return d->d_type == DT_DIR;
	return fstatat(fd, d->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

static struct source_entry *add_entry(struct walker *w, struct source_entries *entries,
				      const char *name, size_t directory)
{
	struct source_entry *entry = LIST_ADD(w->arena, &entries->list);

	entry->name = arena_strdup(w->arena, name);
	entry->directory = directory;
	return entry;
}

static void add_directory(struct walker *w, struct source_entries *entries, const char *name,
			  size_t directory)
{
	struct source_entry *entry = add_entry(w, entries, name, directory);

	if (str_ends(name, ".d"))
		entry->message = "drop-in directories are not read";
	else
		entry->message = "sub-directories are not read";
	entry->hint = "put the files into the directory above it";
	if (!name_is_text(name))
		entry->name = name_as_text(w->arena, name);
}

static void add_file(struct walker *w, struct source_entries *entries, const char *name,
		     size_t directory)
{
	struct source_entry *entry = add_entry(w, entries, name, directory);

	entry->is_file = true;
	if (name_is_text(name))
		return;
	entry->name = name_as_text(w->arena, name);
	entry->message = "the file's name is not UTF-8 or has control characters";
	entry->hint = "rename the file";
}

/* Links into ..data say nothing new; all else beside it is not part of the volume. */
static void add_stray(struct walker *w, struct source_entries *entries, int fd, const char *name,
		      size_t directory)
{
	struct source_entry *entry;
	char target[sizeof(DATA_LINK)];
	ssize_t n = readlinkat(fd, name, target, sizeof(target));

	if (n == (ssize_t)sizeof(target) && memcmp(target, DATA_LINK "/", sizeof(target)) == 0)
		return;
	entry = add_entry(w, entries, name, directory);
	entry->message = "beside ..data only what is in it is read";
	entry->hint = "make it part of the ConfigMap, or use a directory of its own";
	if (!name_is_text(name))
		entry->name = name_as_text(w->arena, name);
}

enum listing { LIST_FILES, LIST_STRAYS };

/* The names in a directory. Dot-files, which includes kubelet's own, are nobody's business. */
static int list_place(struct walker *w, const struct place *place, enum listing what,
		      size_t directory, struct source_entries *entries)
{
	size_t before = entries->list.n;
	const struct dirent *d;
	DIR *stream;
	int r = 0, fd = openat(place->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	stream = fdopendir(fd);
	if (!stream)
		abort(); /* a directory, readable: only memory can be missing */
	while (errno = 0, (d = readdir(stream))) {
		if (d->d_name[0] == '.')
			continue;
		if (entry_is_directory(fd, d))
			add_directory(w, entries, d->d_name, directory);
		else if (is_yaml_name(d->d_name) && what == LIST_FILES)
			add_file(w, entries, d->d_name, directory);
		else if (is_yaml_name(d->d_name))
			add_stray(w, entries, fd, d->d_name, directory);
		if (entries->list.n - before > NAMES_MAX) {
			r = -E2BIG;
			break;
		}
	}
	if (!d && errno != 0)
		r = -errno;
	(void)closedir(stream);
	return r;
}

/* What ..data leads to, all zero if nowhere. */
static struct stat stat_data(const struct source_place *p)
{
	struct stat st;

	return fstatat(p->top.fd, DATA_LINK, &st, 0) == 0 ? st : (struct stat){ 0 };
}

static int open_data(struct walker *w, struct source_place *p, struct complaint *why)
{
	struct stat link;
	int r;

	p->files = p->top;
	p->data = stat_data(p);
	if (fstatat(p->top.fd, DATA_LINK, &link, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	p->has_data = true;
	r = walk_directory(w, &p->top, DATA_LINK, &p->files, why);
	if (r < 0) {
		p->files = p->top;
		if (r == -ESTALE) /* it moved during the walk, whatever it leads to afterwards */
			p->data = (struct stat){ 0 };
		return r;
	}
	/* Its files have the names by which everybody knows them, without ..data. */
	p->files.path = p->top.path;
	if (fstat(p->files.fd, &p->data) < 0)
		return complain(w, why, -errno, NULL, "%s/" DATA_LINK ": %s", p->top.path,
				error_string(errno));
	return 0;
}

int source_place_open(struct walker *w, const char *path, struct source_place *p,
		      struct complaint *why)
{
	cleanup(freep) char *cwd = NULL;
	int r;

	if (path[0] != '/') {
		cwd = getcwd(NULL, 0);
		if (!cwd)
			return complain(w, why, -errno, NULL, "working directory: %s",
					error_string(errno));
		path = arena_printf(w->arena, "%s/%s", str_eq(cwd, "/") ? "" : cwd, path);
	}
	r = walk_directory(w, NULL, path, &p->top, why);
	if (r < 0)
		return r;
	r = open_data(w, p, why);
	/* "Absent" is for the directory itself. */
	return r == -ENOENT ? -ESTALE : r;
}

static int read_place(struct walker *w, const char *path, size_t index, struct source_place *p,
		      struct source_entries *entries, struct complaint *why)
{
	int r = source_place_open(w, path, p, why);

	if (r < 0)
		return r;
	r = list_place(w, &p->files, LIST_FILES, index, entries);
	if (r >= 0 && p->has_data)
		r = list_place(w, &p->top, LIST_STRAYS, index, entries);
	if (r == -E2BIG)
		return complain(w, why, r, "remove what does not belong there",
				"%s holds more than %d names", path, NAMES_MAX);
	return r < 0 ? complain(w, why, r, NULL, "%s: %s", path, error_string(r)) : 0;
}

#ifndef STATX_MNT_ID_UNIQUE
#define STATX_MNT_ID_UNIQUE \
	0x4000u /* Linux 6.8; an older kernel leaves its bit out of the answer */
#endif

static struct source_identity identify(int fd)
{
	struct source_identity id = { 0 };
	struct statx st;

	if (statx(fd, "", AT_EMPTY_PATH | AT_NO_AUTOMOUNT, STATX_INO | STATX_MNT_ID_UNIQUE, &st) <
	    0)
		return id;
	id.device = makedev(st.stx_dev_major, st.stx_dev_minor);
	id.inode = st.stx_ino;
	if (!(st.stx_mask & STATX_MNT_ID_UNIQUE) &&
	    statx(fd, "", AT_EMPTY_PATH | AT_NO_AUTOMOUNT, STATX_MNT_ID, &st) < 0)
		return id;
	if (st.stx_mask & (STATX_MNT_ID_UNIQUE | STATX_MNT_ID))
		id.mount = st.stx_mnt_id;
	return id;
}

void source_place_read(struct walker *w, const char *path, size_t index, struct source_place *p,
		       struct source_entries *entries, struct source_directory *ret_state)
{
	struct complaint why = { 0 };
	size_t before = entries->list.n;
	int r = read_place(w, path, index, p, entries, &why);

	*ret_state = (struct source_directory){ .path = path, .state = DIRECTORY_READ };
	if (r >= 0) {
		ret_state->identity = identify(p->top.fd);
		return;
	}
	entries->list.n = before;
	ret_state->state = r == -ENOENT ? DIRECTORY_ABSENT : DIRECTORY_UNREADABLE;
	if (r != -ENOENT)
		ret_state->message =
			why.hint ? arena_printf(w->arena, "%s: %s", why.what, why.hint) : why.what;
}

bool source_place_moved(const struct source_place *p)
{
	struct stat now;

	if (p->top.fd < 0)
		return false;
	now = stat_data(p);
	return now.st_dev != p->data.st_dev || now.st_ino != p->data.st_ino;
}
