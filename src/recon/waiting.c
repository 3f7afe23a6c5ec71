/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * The file: the id of the boot, then one line for each removal, as plan_removal_id() names it. It is
 * written anew and renamed.
 */
#include "recon/waiting.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "base/str.h"
#include "recon/boot_id.h"

/* As many as a node of the largest size can hold. */
#define FILE_BYTES_MAX (4u * 1024 * 1024)

struct waiting {
	char *path;
	struct arena *arena; /* of the list */
	struct string_list list;
};

static void clear(struct waiting *w)
{
	arena_free(w->arena);
	w->arena = arena_new();
	w->list = (struct string_list){ 0 };
}

/* The text is cut into lines in place. */
static void parse(struct waiting *w, char *text)
{
	char boot[BOOT_ID_SIZE], *save = NULL, *line = strtok_r(text, "\n", &save);
	LIST(const char *) ids = { 0 };

	if (boot_id_read(boot) < 0 || !str_eq(line, boot))
		return;
	while ((line = strtok_r(NULL, "\n", &save)))
		if (strlen(line) == SHA256_HEX - 1)
			*LIST_ADD(w->arena, &ids) = arena_strdup(w->arena, line);
	w->list = (struct string_list){ .v = ids.v, .n = ids.n };
}

static void load(struct waiting *w)
{
	cleanup(closep) int fd = open(w->path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	cleanup(freep) char *text = NULL;
	struct stat st;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_uid != geteuid() ||
	    st.st_size > FILE_BYTES_MAX)
		return;
	text = xcalloc(1, (size_t)st.st_size + 1);
	n = read(fd, text, (size_t)st.st_size);
	if (n == st.st_size)
		parse(w, text);
}

struct waiting *waiting_new(const char *path)
{
	struct waiting *w = xnew(struct waiting);

	clear(w);
	if (path) {
		w->path = xstrdup(path);
		load(w);
	}
	return w;
}

void waiting_free(struct waiting *w)
{
	if (!w)
		return;
	arena_free(w->arena);
	free(w->path);
	free(w);
}

struct string_list waiting_list(const struct waiting *w)
{
	return w->list;
}

static int write_text(const char *path, const struct strbuf *text)
{
	cleanup(closep) int fd = -1;
	ssize_t n;

	/* What lies there may be a FIFO, which would be waited for. */
	(void)unlink(path);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	n = fd < 0 ? -1 : write(fd, text->s, text->len);
	if (n < 0)
		return -errno;
	return (size_t)n == text->len ? 0 : -ENOSPC;
}

static int save(const struct waiting *w)
{
	cleanup(freep) char *fresh = xasprintf("%s.new", w->path);
	cleanup(strbuf_done) struct strbuf text = { 0 };
	char boot[BOOT_ID_SIZE];
	int r;

	if (!w->list.n)
		return unlink(w->path) < 0 && errno != ENOENT ? -errno : 0;
	r = boot_id_read(boot);
	if (r < 0)
		return r;
	strbuf_addf(&text, "%s\n", boot);
	for (size_t i = 0; i < w->list.n; i++)
		strbuf_addf(&text, "%s\n", w->list.v[i]);
	r = write_text(fresh, &text);
	if (r == 0 && rename(fresh, w->path) < 0)
		r = -errno;
	if (r < 0)
		(void)unlink(fresh);
	return r;
}

static bool is_same(const struct string_list *a, const struct string_list *b)
{
	for (size_t i = 0; i < a->n && a->n == b->n; i++)
		if (!str_eq(a->v[i], b->v[i]))
			return false;
	return a->n == b->n;
}

int waiting_update(struct waiting *w, const struct plan *p, struct error *e)
{
	struct arena *a = arena_new();
	struct string_list list = { .v = arena_calloc(a, p->held_count, sizeof(*list.v)) };
	int r;

	for (size_t i = 0; i < p->held_count; i++)
		if (p->held[i].removes)
			list.v[list.n++] = plan_removal_id(a, &p->held[i]);
	if (is_same(&list, &w->list)) {
		arena_free(a);
		return 0;
	}
	arena_free(w->arena);
	w->arena = a;
	w->list = list;
	r = w->path ? save(w) : 0;
	return r < 0 ? error_set(e, r,
				 "%s: %s; after a restart of the daemon, a removal that waits for "
				 "`bpfsharectl confirm` is judged by itself",
				 w->path, error_string(r)) :
		       0;
}
