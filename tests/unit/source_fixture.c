/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
#include "source_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/str.h"

const char *at(struct fixture *f, const char *path)
{
	return arena_printf(f->arena, "%s/%s", f->top, path);
}

int setup(void **state)
{
	struct fixture *f = xnew(struct fixture);
	const char *tmp = getenv("TMPDIR");

	f->arena = arena_new();
	f->top = xasprintf("%s/source.XXXXXX", tmp && *tmp ? tmp : "/tmp");
	if (!mkdtemp(f->top))
		return -1;
	(void)umask(022);
	f->owner = getuid();
	f->options.owners = &f->owner;
	f->options.owner_count = 1;
	f->options.directories.v = f->directories;
	*state = f;
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

int teardown(void **state)
{
	struct fixture *f = *state;

	source_free(f->source);
	(void)nftw(f->top, remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
	arena_free(f->arena);
	free(f->top);
	free(f);
	return 0;
}

void make_directory(struct fixture *f, const char *path, mode_t mode)
{
	assert_return_code(mkdir(at(f, path), 0755), errno);
	assert_return_code(chmod(at(f, path), mode), errno);
}

void write_mode(struct fixture *f, const char *path, const char *text, mode_t mode)
{
	int fd = open(at(f, path), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_return_code(fd, errno);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	assert_return_code(fchmod(fd, mode), errno);
	(void)close(fd);
}

void write_text(struct fixture *f, const char *path, const char *text)
{
	write_mode(f, path, text, 0644);
}

void make_link(struct fixture *f, const char *target, const char *path)
{
	assert_return_code(symlink(target, at(f, path)), errno);
}

void use_directory(struct fixture *f, const char *path)
{
	f->directories[f->options.directories.n++] = at(f, path);
}

void use_one(struct fixture *f)
{
	make_directory(f, "d", 0755);
	use_directory(f, "d");
}

void reread(struct fixture *f)
{
	struct error e = { 0 };

	source_free(f->source);
	f->source = NULL;
	assert_int_equal(source_read(&f->options, &f->source, &e), 0);
}

size_t file_count(struct fixture *f)
{
	size_t n;

	(void)source_files(f->source, &n);
	return n;
}

const struct source_file *file_named(struct fixture *f, const char *name)
{
	size_t n;
	const struct source_file *files = source_files(f->source, &n);

	for (size_t i = 0; i < n; i++)
		if (str_eq(files[i].name, name))
			return &files[i];
	fail_msg("%s was not read", name);
	return NULL;
}

const struct source_directory *directory_at(struct fixture *f, size_t i)
{
	size_t n;
	const struct source_directory *d = source_directories(f->source, &n);

	assert_true(i < n);
	return &d[i];
}

const char *summary(struct fixture *f)
{
	static const char *const states[] = {
		[FILE_APPLIED] = "applied", [FILE_INVALID] = "invalid", [FILE_MASKED] = "masked",
		[FILE_IGNORED] = "ignored", [FILE_REFUSED] = "refused",
	};
	cleanup(strbuf_done) struct strbuf text = { 0 };
	size_t n;
	const struct source_file *files = source_files(f->source, &n);

	for (size_t i = 0; i < n; i++)
		strbuf_addf(&text, "%s%s=%s", i ? " " : "", files[i].name, states[files[i].state]);
	return arena_strdup(f->arena, strbuf_get(&text));
}

void need_root(void)
{
	if (geteuid() != 0)
		skip_because("needs root, to give files to another user");
}

struct blob_result read_object(struct fixture *f, const char *name, const char *path)
{
	size_t n;
	const struct source_file *files = source_files(f->source, &n);
	struct source_blob blob = { 0 };
	struct blob_result r = { 0 };

	r.code = source_read_object(f->source, (size_t)(file_named(f, name) - files), path,
				    f->arena, &blob, &r.path, &r.reason, &r.e);
	if (r.code == 0) {
		(void)snprintf(r.text, sizeof(r.text), "%.*s", (int)MIN(blob.size, (size_t)60),
			       (const char *)blob.data);
		memcpy(r.sha256, blob.sha256, sizeof(r.sha256));
		source_blob_done(&blob);
	}
	return r;
}
