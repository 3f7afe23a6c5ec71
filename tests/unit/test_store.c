/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/str.h"
#include "kern/store.h"

struct fixture {
	struct arena *arena;
	char *top;
	const char *dir;
	struct store *store;
	struct error e;
};

static int setup(void **state)
{
	struct fixture *f = xnew(struct fixture);
	const char *tmp = getenv("TMPDIR");

	f->arena = arena_new();
	f->top = xasprintf("%s/store.XXXXXX", tmp && *tmp ? tmp : "/tmp");
	if (!mkdtemp(f->top))
		return -1;
	f->dir = arena_printf(f->arena, "%s/lib/last-good", f->top);
	*state = f;
	return store_open(f->dir, &f->store, &f->e);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	store_free(f->store);
	(void)nftw(f->top, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	arena_free(f->arena);
	free(f->top);
	free(f);
	return 0;
}

static void assert_said(const struct fixture *f, const char *part)
{
	if (!strstr(f->e.text, part))
		fail_msg("\"%s\" not in \"%s\"", part, f->e.text);
}

/* An entry with up to two objects, named and filled by their content. */
static struct store_entry make_entry(struct fixture *f, const char *path, const char *text,
				     const char *first, const char *second)
{
	const char *contents[] = { first, second };
	struct store_entry entry = {
		.path = path,
		.text = text,
		.size = strlen(text),
		.objects = arena_calloc(f->arena, 2, sizeof(*entry.objects)),
	};

	for (size_t i = 0; i < 2 && contents[i]; i++) {
		struct store_object *o = &entry.objects[entry.object_count++];

		o->path = arena_printf(f->arena, "%s.o", contents[i]);
		o->data = contents[i];
		o->size = strlen(contents[i]);
		hash_bytes(o->data, o->size, o->sha256);
	}
	return entry;
}

static void save(struct fixture *f, struct store_entry entry)
{
	if (store_save(f->store, &entry, &f->e) < 0)
		fail_msg("%s", f->e.text);
}

/* "TEXT OBJECT=CONTENT …" or "none". */
static const char *loaded(struct fixture *f, const char *path)
{
	cleanup(strbuf_done) struct strbuf text = { 0 };
	struct store_entry entry;
	int r = store_load(f->store, f->arena, path, &entry, &f->e);

	if (r == -ENOENT)
		return "none";
	if (r < 0)
		return "damaged";
	assert_string_equal(entry.path, path);
	assert_int_equal(strlen(entry.text), entry.size);
	strbuf_add(&text, entry.text);
	for (size_t i = 0; i < entry.object_count; i++) {
		struct source_blob blob = { 0 };

		r = store_load_object(f->store, entry.objects[i].sha256, &blob, &f->e);
		strbuf_addf(&text, " %s=", entry.objects[i].path);
		if (r < 0) {
			strbuf_add(&text, r == -ENOENT ? "none" : "damaged");
			continue;
		}
		assert_string_equal(blob.sha256, entry.objects[i].sha256);
		strbuf_addn(&text, blob.data, blob.size);
		source_blob_done(&blob);
	}
	return arena_strdup(f->arena, strbuf_get(&text));
}

static const char *file_path(struct fixture *f, const char *path)
{
	char name[SHA256_HEX];

	hash_bytes(path, strlen(path), name);
	return arena_printf(f->arena, "%s/files/%s", f->dir, name);
}

static const char *object_path(struct fixture *f, const char *content)
{
	char name[SHA256_HEX];

	hash_bytes(content, strlen(content), name);
	return arena_printf(f->arena, "%s/objects/%s", f->dir, name);
}

static bool exists(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

static size_t count_names(struct fixture *f, const char *below)
{
	DIR *d = opendir(arena_printf(f->arena, "%s/%s", f->dir, below));
	size_t n = 0;

	assert_non_null(d);
	while (readdir(d))
		n++;
	(void)closedir(d);
	return n - 2;
}

static void reopen(struct fixture *f)
{
	store_free(f->store);
	f->store = NULL;
	if (store_open(f->dir, &f->store, &f->e) < 0)
		fail_msg("%s", f->e.text);
}

static void overwrite(const char *path, off_t at, const char *bytes)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	assert_return_code(fd, errno);
	assert_int_equal(pwrite(fd, bytes, strlen(bytes), at), (ssize_t)strlen(bytes));
	(void)close(fd);
}

static void what_is_saved_comes_back(void **state)
{
	struct fixture *f = *state;
	struct stat st;

	save(f, make_entry(f, "/etc/a.yaml", "text of a\nobject 2\n", "one", "two"));
	save(f, make_entry(f, "/etc/b.yaml", "", NULL, NULL));
	assert_string_equal(loaded(f, "/etc/a.yaml"), "text of a\nobject 2\n one.o=one two.o=two");
	reopen(f);
	assert_string_equal(loaded(f, "/etc/a.yaml"), "text of a\nobject 2\n one.o=one two.o=two");
	assert_string_equal(loaded(f, "/etc/b.yaml"), "");
	assert_string_equal(loaded(f, "/etc/c.yaml"), "none");
	assert_said(f, "no last good version of /etc/c.yaml");
	assert_return_code(stat(f->dir, &st), errno);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_return_code(stat(file_path(f, "/etc/a.yaml"), &st), errno);
	assert_int_equal(st.st_mode & 07777, 0600);
}

static void a_new_version_replaces_the_old(void **state)
{
	struct fixture *f = *state;

	save(f, make_entry(f, "/etc/a.yaml", "old", "one", NULL));
	save(f, make_entry(f, "/etc/a.yaml", "new", "two", NULL));
	assert_string_equal(loaded(f, "/etc/a.yaml"), "new two.o=two");
}

static void bytes_of_any_kind_are_kept(void **state)
{
	static const char text[] = "a\0b\nsha256 x\n\xff";
	struct fixture *f = *state;
	struct store_entry entry = { .path = "/etc/odd\nname", .text = text, .size = sizeof(text) };
	struct store_entry back;

	save(f, entry);
	assert_int_equal(store_load(f->store, f->arena, entry.path, &back, &f->e), 0);
	assert_int_equal(back.size, sizeof(text));
	assert_memory_equal(back.text, text, sizeof(text));
	assert_string_equal(back.path, entry.path);
}

static void nothing_is_written_when_nothing_changed(void **state)
{
	struct fixture *f = *state;
	struct stat before[2], after[2];

	save(f, make_entry(f, "/etc/a.yaml", "text", "one", NULL));
	assert_return_code(stat(file_path(f, "/etc/a.yaml"), &before[0]), errno);
	assert_return_code(stat(object_path(f, "one"), &before[1]), errno);
	reopen(f);
	save(f, make_entry(f, "/etc/a.yaml", "text", "one", NULL));
	assert_return_code(stat(file_path(f, "/etc/a.yaml"), &after[0]), errno);
	assert_return_code(stat(object_path(f, "one"), &after[1]), errno);
	/* A file that was written is another one. */
	assert_int_equal(before[0].st_ino, after[0].st_ino);
	assert_int_equal(before[1].st_ino, after[1].st_ino);
	save(f, make_entry(f, "/etc/a.yaml", "other", "one", NULL));
	assert_return_code(stat(object_path(f, "one"), &after[1]), errno);
	assert_int_equal(before[1].st_ino, after[1].st_ino);
}

static void known_objects_need_not_be_given_again(void **state)
{
	struct fixture *f = *state;
	struct store_entry entry = make_entry(f, "/etc/a.yaml", "text", "one", NULL);

	entry.objects[0].data = NULL;
	assert_int_equal(store_save(f->store, &entry, &f->e), -ENOENT);
	assert_said(f, "one.o");
	assert_string_equal(loaded(f, "/etc/a.yaml"), "none");
	save(f, make_entry(f, "/etc/b.yaml", "text", "one", NULL));
	save(f, entry);
	assert_string_equal(loaded(f, "/etc/a.yaml"), "text one.o=one");
}

static void a_damaged_entry_is_not_used(void **state)
{
	struct fixture *f = *state;
	struct stat st;
	const char *path;

	save(f, make_entry(f, "/etc/a.yaml", "the text", "one", NULL));
	path = file_path(f, "/etc/a.yaml");
	assert_return_code(stat(path, &st), errno);
	for (off_t i = 0; i < st.st_size; i++) {
		unlink(path);
		save(f, make_entry(f, "/etc/a.yaml", "the text", "one", NULL));
		overwrite(path, i, "\1");
		assert_string_equal(loaded(f, "/etc/a.yaml"), "damaged");
		assert_return_code(truncate(path, i), errno);
		assert_string_equal(loaded(f, "/etc/a.yaml"), "damaged");
	}
	assert_said(f, "is damaged and is not used");
	save(f, make_entry(f, "/etc/a.yaml", "the text", "one", NULL));
	assert_string_equal(loaded(f, "/etc/a.yaml"), "the text one.o=one");
}

/* Whole and with the right hash, but of another file. */
static void an_entry_under_a_wrong_name_is_not_used(void **state)
{
	struct fixture *f = *state;

	save(f, make_entry(f, "/etc/a.yaml", "a", NULL, NULL));
	assert_return_code(rename(file_path(f, "/etc/a.yaml"), file_path(f, "/etc/b.yaml")), errno);
	assert_string_equal(loaded(f, "/etc/b.yaml"), "damaged");
}

static void a_damaged_object_is_removed_and_written_again(void **state)
{
	struct fixture *f = *state;

	save(f, make_entry(f, "/etc/a.yaml", "a", "one", NULL));
	overwrite(object_path(f, "one"), 0, "O");
	assert_string_equal(loaded(f, "/etc/a.yaml"), "a one.o=damaged");
	assert_said(f, "was damaged and is removed");
	assert_false(exists(object_path(f, "one")));
	assert_string_equal(loaded(f, "/etc/a.yaml"), "a one.o=none");
	save(f, make_entry(f, "/etc/a.yaml", "a", "one", NULL));
	assert_string_equal(loaded(f, "/etc/a.yaml"), "a one.o=one");
}

static void an_object_of_another_size_is_written_again(void **state)
{
	struct fixture *f = *state;

	save(f, make_entry(f, "/etc/a.yaml", "a", "one", NULL));
	assert_return_code(truncate(object_path(f, "one"), 1), errno);
	save(f, make_entry(f, "/etc/a.yaml", "a", "one", NULL));
	assert_string_equal(loaded(f, "/etc/a.yaml"), "a one.o=one");
}

static void only_hashes_name_objects(void **state)
{
	struct fixture *f = *state;
	struct store_entry entry = make_entry(f, "/etc/a.yaml", "a", "one", NULL);
	struct source_blob blob = { 0 };

	(void)snprintf(entry.objects[0].sha256, SHA256_HEX, "../files/x");
	assert_int_equal(store_save(f->store, &entry, &f->e), -EINVAL);
	assert_int_equal(store_load_object(f->store, "../../x", &blob, &f->e), -EINVAL);
}

static void others_are_dropped(void **state)
{
	static const char *const keep[] = { "/etc/c.yaml", "/etc/a.yaml", "/etc/never.yaml" };
	struct fixture *f = *state;
	struct string_list paths = { .v = (const char **)keep, .n = ARRAY_SIZE(keep) };

	save(f, make_entry(f, "/etc/a.yaml", "a", "shared", "one"));
	save(f, make_entry(f, "/etc/b.yaml", "b", "shared", "two"));
	save(f, make_entry(f, "/etc/c.yaml", "c", "three", NULL));
	assert_int_equal(count_names(f, "objects"), 4);
	assert_int_equal(store_retain(f->store, &paths, &f->e), 0);
	assert_string_equal(loaded(f, "/etc/a.yaml"), "a shared.o=shared one.o=one");
	assert_string_equal(loaded(f, "/etc/b.yaml"), "none");
	assert_string_equal(loaded(f, "/etc/c.yaml"), "c three.o=three");
	assert_false(exists(object_path(f, "two")));
	assert_int_equal(count_names(f, "files"), 2);
	assert_int_equal(count_names(f, "objects"), 3);
	/* The version before left an object that nobody needs now. */
	save(f, make_entry(f, "/etc/c.yaml", "c", "four", NULL));
	assert_int_equal(store_retain(f->store, &paths, &f->e), 0);
	assert_false(exists(object_path(f, "three")));
	paths.n = 0;
	assert_int_equal(store_retain(f->store, &paths, &f->e), 0);
	assert_int_equal(count_names(f, "files") + count_names(f, "objects"), 0);
}

static void leftovers_of_a_crash_go(void **state)
{
	static const char *const keep[] = { "/etc/a.yaml" };
	struct fixture *f = *state;
	struct string_list paths = { .v = (const char **)keep, .n = 1 };
	const char *left = arena_printf(f->arena, "%s/files/.new", f->dir);

	assert_return_code(symlink("/nonexistent/target", left), errno);
	save(f, make_entry(f, "/etc/a.yaml", "a", NULL, NULL));
	assert_false(exists(left));
	assert_return_code(symlink("/nonexistent/target", left), errno);
	assert_int_equal(store_retain(f->store, &paths, &f->e), 0);
	assert_false(exists(left));
	assert_string_equal(loaded(f, "/etc/a.yaml"), "a");
}

/* The limit on a file's size fails a write in its middle, as a full disk does, for any user. */
static void a_write_that_fails_keeps_the_old_version(void **state)
{
	struct fixture *f = *state;
	char *large = arena_alloc(f->arena, 100001);
	struct rlimit before, small;
	struct store_entry entry;
	int r;

	memset(large, 'x', 100000);
	save(f, make_entry(f, "/etc/a.yaml", "old", "one", NULL));
	assert_return_code(getrlimit(RLIMIT_FSIZE, &before), errno);
	small = before;
	small.rlim_cur = 4096;
	(void)signal(SIGXFSZ, SIG_IGN);

	assert_return_code(setrlimit(RLIMIT_FSIZE, &small), errno);
	entry = make_entry(f, "/etc/a.yaml", large, "one", NULL);
	r = store_save(f->store, &entry, &f->e);
	assert_return_code(setrlimit(RLIMIT_FSIZE, &before), errno);
	assert_int_equal(r, -EFBIG);
	assert_said(f, "File too large: make room there");
	assert_string_equal(loaded(f, "/etc/a.yaml"), "old one.o=one");

	assert_return_code(setrlimit(RLIMIT_FSIZE, &small), errno);
	entry = make_entry(f, "/etc/a.yaml", "new", large, NULL);
	r = store_save(f->store, &entry, &f->e);
	assert_return_code(setrlimit(RLIMIT_FSIZE, &before), errno);
	assert_int_equal(r, -EFBIG);
	assert_string_equal(loaded(f, "/etc/a.yaml"), "old one.o=one");
	assert_int_equal(count_names(f, "files"), 1); /* and nothing half-written */
	assert_int_equal(count_names(f, "objects"), 1);
}

static void a_full_disk_keeps_the_old_version(void **state)
{
	struct fixture *f = *state;
	char *large = arena_alloc(f->arena, 200001);
	struct store_entry entry;

	if (geteuid() != 0 || unshare(CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("tmpfs", f->dir, "tmpfs", 0, "size=64k,mode=0700") < 0) {
		(void)puts("# needs root and leave to mount (CAP_SYS_ADMIN)");
		(void)fflush(stdout);
		skip();
	}
	reopen(f);
	save(f, make_entry(f, "/etc/a.yaml", "old", "one", NULL));
	memset(large, 'x', 200000);
	entry = make_entry(f, "/etc/a.yaml", "new", large, NULL);
	assert_int_equal(store_save(f->store, &entry, &f->e), -ENOSPC);
	assert_said(f, "No space left on device: make room there");
	assert_string_equal(loaded(f, "/etc/a.yaml"), "old one.o=one");
	save(f, make_entry(f, "/etc/a.yaml", "newer", "two", NULL)); /* there is room again */
	assert_string_equal(loaded(f, "/etc/a.yaml"), "newer two.o=two");
	store_free(take_ptr(f->store));
	assert_return_code(umount2(f->dir, MNT_DETACH), errno);
}

static void a_directory_that_others_can_write_is_refused(void **state)
{
	struct fixture *f = *state;
	struct store *s = NULL;
	struct stat st;

	assert_return_code(chmod(f->dir, 0770), errno);
	assert_int_equal(store_open(f->dir, &s, &f->e), -EPERM);
	assert_said(f, "can be written by others");
	assert_return_code(chmod(f->dir, 0755), errno); /* read only: made private, and used */
	assert_int_equal(store_open(f->dir, &s, &f->e), 0);
	store_free(take_ptr(s));
	assert_return_code(stat(f->dir, &st), errno);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_return_code(chmod(arena_printf(f->arena, "%s/files", f->dir), 0777), errno);
	assert_int_equal(store_open(f->dir, &s, &f->e), -EPERM);
	assert_null(s);
	if (geteuid() != 0)
		return;
	assert_return_code(chmod(arena_printf(f->arena, "%s/files", f->dir), 0700), errno);
	assert_return_code(chown(f->dir, 54321, 0), errno);
	assert_int_equal(store_open(f->dir, &s, &f->e), -EPERM);
	assert_said(f, "owner 54321");
}

static struct string_list list_of(struct fixture *f, const char *path)
{
	return (struct string_list){ .v = arena_dup(f->arena, &path, sizeof(path)), .n = 1 };
}

static void write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_return_code(fd, errno);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	(void)close(fd);
}

/* It is not damaged, it may refer to any object, and the newer daemon may come back. */
static void an_entry_of_a_newer_format_is_left_alone(void **state)
{
	struct fixture *f = *state;
	struct string_list keep = list_of(f, "/etc/a.yaml");
	struct store_entry entry;

	save(f, make_entry(f, "/etc/a.yaml", "a", "one", NULL));
	write_text(file_path(f, "/etc/a.yaml"), "bpfshare-last-good 2\n{\"whatever\": 1}");
	assert_int_equal(store_load(f->store, f->arena, "/etc/a.yaml", &entry, &f->e), -EOPNOTSUPP);
	assert_said(f, "was kept by a newer bpfshare");
	assert_int_equal(store_retain(f->store, &keep, &f->e), 0);
	assert_true(exists(file_path(f, "/etc/a.yaml")));
	assert_true(exists(object_path(f, "one")));
	save(f, make_entry(f, "/etc/a.yaml", "b", "two", NULL)); /* the file is valid again */
	assert_string_equal(loaded(f, "/etc/a.yaml"), "b two.o=two");
	assert_int_equal(store_retain(f->store, &keep, &f->e), 0);
	assert_false(exists(object_path(f, "one")));
	write_text(file_path(f, "/etc/a.yaml"), "bpfshare-last-good 99999999999\n");
	assert_string_equal(loaded(f, "/etc/a.yaml"), "damaged"); /* no number of a format */
}

static void what_others_can_write_is_not_used(void **state)
{
	struct fixture *f = *state;

	save(f, make_entry(f, "/etc/a.yaml", "a", "one", NULL));
	assert_return_code(chmod(file_path(f, "/etc/a.yaml"), 0660), errno);
	assert_string_equal(loaded(f, "/etc/a.yaml"), "damaged");
	assert_said(f, "written by others");
	save(f, make_entry(f, "/etc/a.yaml", "a", "one", NULL));
	assert_string_equal(loaded(f, "/etc/a.yaml"), "a one.o=one");
	assert_return_code(chmod(object_path(f, "one"), 0602), errno);
	assert_string_equal(loaded(f, "/etc/a.yaml"), "a one.o=damaged");
	assert_said(f, "written by others");
	assert_false(exists(object_path(f, "one")));
	if (geteuid() != 0)
		return;
	save(f, make_entry(f, "/etc/a.yaml", "a", "one", NULL));
	assert_return_code(chown(object_path(f, "one"), 54321, 0), errno);
	save(f, make_entry(f, "/etc/a.yaml", "a", "one", NULL)); /* is not taken for our copy */
	assert_string_equal(loaded(f, "/etc/a.yaml"), "a one.o=one");
}

/* Nothing of what a planted link leads to is read or written. */
static void planted_links_are_replaced(void **state)
{
	struct fixture *f = *state;
	const char *victim = arena_printf(f->arena, "%s/victim", f->top);
	struct stat st;

	save(f, make_entry(f, "/etc/b.yaml", "b", "one", NULL));
	assert_return_code(rename(object_path(f, "one"), victim), errno);
	assert_return_code(symlink(victim, object_path(f, "one")), errno);
	assert_string_equal(loaded(f, "/etc/b.yaml"), "b one.o=damaged");
	assert_return_code(rename(file_path(f, "/etc/b.yaml"), victim), errno);
	assert_return_code(symlink(victim, file_path(f, "/etc/b.yaml")), errno);
	assert_string_equal(loaded(f, "/etc/b.yaml"), "damaged");
	save(f, make_entry(f, "/etc/b.yaml", "c", "one", NULL));
	assert_string_equal(loaded(f, "/etc/b.yaml"), "c one.o=one");
	assert_return_code(lstat(file_path(f, "/etc/b.yaml"), &st), errno);
	assert_true(S_ISREG(st.st_mode));
}

/* What is not ours stays, and the collector does its work around it. */
static void planted_directories_are_told_and_left(void **state)
{
	struct fixture *f = *state;
	struct string_list keep = list_of(f, "/etc/a.yaml");
	const char *stray = arena_printf(f->arena, "%s/files/notes", f->dir);
	struct store_entry entry = make_entry(f, "/etc/b.yaml", "b", NULL, NULL);

	save(f, make_entry(f, "/etc/a.yaml", "a", "one", NULL));
	save(f, make_entry(f, "/etc/c.yaml", "c", "two", NULL));
	assert_return_code(mkdir(file_path(f, "/etc/b.yaml"), 0700), errno);
	write_text(stray, "mine");
	assert_int_equal(store_save(f->store, &entry, &f->e), -EISDIR);
	assert_said(f, "remove the directory");
	assert_string_equal(loaded(f, "/etc/b.yaml"), "damaged");
	assert_int_equal(store_retain(f->store, &keep, &f->e), 0);
	assert_string_equal(loaded(f, "/etc/c.yaml"), "none");
	assert_false(exists(object_path(f, "two")));
	assert_true(exists(file_path(f, "/etc/b.yaml")) && exists(stray));
	assert_string_equal(loaded(f, "/etc/a.yaml"), "a one.o=one");
}

/* Of the right size: only its content tells, while there is something to make it good with. */
static void a_copy_damaged_on_the_disk_is_written_again(void **state)
{
	struct fixture *f = *state;

	save(f, make_entry(f, "/etc/a.yaml", "a", "one", NULL));
	overwrite(object_path(f, "one"), 1, "X");
	save(f, make_entry(f, "/etc/a.yaml", "a", "one", NULL));
	assert_string_equal(loaded(f, "/etc/a.yaml"), "a one.o=one");
}

static void a_store_that_was_replaced_is_known(void **state)
{
	struct fixture *f = *state;
	const char *away = arena_printf(f->arena, "%s/away", f->top);

	assert_true(store_is_current(f->store));
	assert_return_code(rename(f->dir, away), errno);
	assert_false(store_is_current(f->store));
	reopen(f);
	assert_true(store_is_current(f->store));
	assert_false(store_has_object(f->store, "x"));
}

static void a_read_only_disk_can_be_read(void **state)
{
	struct fixture *f = *state;
	struct string_list keep = list_of(f, "/etc/a.yaml");
	struct store_entry entry;

	if (geteuid() != 0 || unshare(CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("tmpfs", f->dir, "tmpfs", 0, "size=64k,mode=0755") < 0) {
		(void)puts("# needs root and leave to mount (CAP_SYS_ADMIN)");
		(void)fflush(stdout);
		skip();
	}
	reopen(f);
	save(f, make_entry(f, "/etc/a.yaml", "a", "one", NULL));
	assert_return_code(chmod(f->dir, 0755), errno); /* as an image may have it */
	assert_return_code(mount(NULL, f->dir, NULL, MS_REMOUNT | MS_RDONLY, "size=64k,mode=0755"),
			   errno);
	reopen(f);
	assert_string_equal(loaded(f, "/etc/a.yaml"), "a one.o=one");
	save(f, make_entry(f, "/etc/a.yaml", "a", "one", NULL)); /* nothing to write */
	assert_int_equal(store_retain(f->store, &keep, &f->e), 0);
	entry = make_entry(f, "/etc/a.yaml", "b", "one", NULL);
	assert_int_equal(store_save(f->store, &entry, &f->e), -EROFS);
	assert_said(f, "Read-only file system: make it writable");
	assert_string_equal(loaded(f, "/etc/a.yaml"), "a one.o=one");
	store_free(take_ptr(f->store));
	assert_return_code(umount2(f->dir, MNT_DETACH), errno);
}

static void a_place_that_cannot_be_is_told(void **state)
{
	struct fixture *f = *state;
	struct store *s = NULL;
	const char *file = arena_printf(f->arena, "%s/file", f->top);
	int fd = open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	assert_return_code(fd, errno);
	(void)close(fd);
	assert_int_equal(store_open(file, &s, &f->e), -ENOTDIR);
	assert_int_equal(store_open(arena_printf(f->arena, "%s/below", file), &s, &f->e), -ENOTDIR);
	assert_said(f, "last good versions: ");
	assert_null(s);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(what_is_saved_comes_back),
		TEST(a_new_version_replaces_the_old),
		TEST(bytes_of_any_kind_are_kept),
		TEST(nothing_is_written_when_nothing_changed),
		TEST(known_objects_need_not_be_given_again),
		TEST(a_damaged_entry_is_not_used),
		TEST(an_entry_under_a_wrong_name_is_not_used),
		TEST(a_damaged_object_is_removed_and_written_again),
		TEST(an_object_of_another_size_is_written_again),
		TEST(only_hashes_name_objects),
		TEST(others_are_dropped),
		TEST(leftovers_of_a_crash_go),
		TEST(a_write_that_fails_keeps_the_old_version),
		TEST(a_full_disk_keeps_the_old_version),
		TEST(a_directory_that_others_can_write_is_refused),
		TEST(an_entry_of_a_newer_format_is_left_alone),
		TEST(what_others_can_write_is_not_used),
		TEST(planted_links_are_replaced),
		TEST(planted_directories_are_told_and_left),
		TEST(a_copy_damaged_on_the_disk_is_written_again),
		TEST(a_store_that_was_replaced_is_known),
		TEST(a_read_only_disk_can_be_read),
		TEST(a_place_that_cannot_be_is_told),
	};

	return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
