/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
#include "source_fixture.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "model/limits.h"

/* What is read. */

static void files_come_sorted_over_all_directories(void **state)
{
	struct fixture *f = *state;

	make_directory(f, "etc", 0755);
	make_directory(f, "usr", 0755);
	use_directory(f, "etc");
	use_directory(f, "usr");
	write_text(f, "etc/20-b.yaml", "b");
	write_text(f, "usr/10-a.yml", "a");
	write_text(f, "usr/30-c.yaml", "c");
	reread(f);
	assert_string_equal(summary(f), "10-a.yml=applied 20-b.yaml=applied 30-c.yaml=applied");
	assert_string_equal(file_named(f, "10-a.yml")->path, at(f, "usr/10-a.yml"));
	assert_int_equal(file_named(f, "10-a.yml")->directory, 1);
	assert_string_equal(file_named(f, "20-b.yaml")->text, "b");
	assert_int_equal(file_named(f, "20-b.yaml")->size, 1);
	assert_null(file_named(f, "20-b.yaml")->error.message);
	assert_int_equal(directory_at(f, 0)->state, DIRECTORY_READ);
}

static void the_same_name_in_an_earlier_directory_replaces(void **state)
{
	struct fixture *f = *state;

	make_directory(f, "etc", 0755);
	make_directory(f, "usr", 0755);
	use_directory(f, "etc");
	use_directory(f, "usr");
	write_text(f, "usr/a.yaml", "vendor");
	write_text(f, "etc/a.yaml", "admin");
	reread(f);
	assert_int_equal(file_count(f), 1);
	assert_string_equal(file_named(f, "a.yaml")->text, "admin");
	assert_return_code(unlink(at(f, "etc/a.yaml")), errno);
	reread(f);
	assert_string_equal(file_named(f, "a.yaml")->text, "vendor");
}

static void other_names_are_nobodys_business(void **state)
{
	struct fixture *f = *state;

	use_one(f);
	write_text(f, "d/a.yaml", "a");
	write_text(f, "d/.hidden.yaml", "x");
	write_text(f, "d/..swap.yaml", "x");
	write_text(f, "d/a.yaml~", "x");
	write_text(f, "d/a.yaml.dpkg-new", "x");
	write_text(f, "d/README", "x");
	write_text(f, "d/a.bpf.o", "x");
	make_directory(f, "d/.git", 0755);
	reread(f);
	assert_string_equal(summary(f), "a.yaml=applied");
}

static void directories_within_are_reported(void **state)
{
	struct fixture *f = *state;

	use_one(f);
	make_directory(f, "usr", 0755);
	use_directory(f, "usr");
	write_text(f, "usr/a.yaml", "a");
	make_directory(f, "d/a.yaml", 0755);
	make_directory(f, "d/a.yaml.d", 0755);
	make_directory(f, "d/more", 0755);
	reread(f);
	/* A directory has no say about a file of its name elsewhere. */
	assert_string_equal(summary(f),
			    "a.yaml=applied a.yaml=ignored a.yaml.d=ignored more=ignored");
	assert_contains(file_named(f, "a.yaml.d")->error.message, "drop-in");
	assert_contains(file_named(f, "more")->error.message, "sub-directories");
	assert_non_null(file_named(f, "more")->error.hint);
}

static void only_a_link_to_dev_null_masks(void **state)
{
	struct fixture *f = *state;

	use_one(f);
	make_directory(f, "usr", 0755);
	use_directory(f, "usr");
	write_text(f, "usr/a.yaml", "a");
	write_text(f, "usr/b.yaml", "b");
	write_text(f, "usr/c.yaml", "c");
	make_link(f, "/dev/null", "d/a.yaml");
	write_text(f, "d/b.yaml", "");
	make_link(f, "../../../../../../../../../dev/null", "d/c.yaml");
	reread(f);
	assert_string_equal(summary(f), "a.yaml=masked b.yaml=invalid c.yaml=refused");
	assert_null(file_named(f, "a.yaml")->error.message);
	assert_contains(file_named(f, "b.yaml")->error.message, "EmptyFile");
	assert_contains(file_named(f, "b.yaml")->error.hint, "/dev/null");
}

static void a_file_of_the_largest_size_is_read(void **state)
{
	struct fixture *f = *state;

	use_one(f);
	write_text(f, "d/large.yaml", "#");
	write_text(f, "d/larger.yaml", "#");
	assert_return_code(truncate(at(f, "d/large.yaml"), LIMIT_FILE_BYTES), errno);
	assert_return_code(truncate(at(f, "d/larger.yaml"), LIMIT_FILE_BYTES + 1), errno);
	reread(f);
	assert_string_equal(summary(f), "large.yaml=applied larger.yaml=invalid");
	assert_int_equal(file_named(f, "large.yaml")->size, LIMIT_FILE_BYTES);
	assert_int_equal(file_named(f, "large.yaml")->text[LIMIT_FILE_BYTES], 0);
	assert_contains(file_named(f, "larger.yaml")->error.message, "larger than 1048576 bytes");
	assert_null(file_named(f, "larger.yaml")->text);
}

static void one_file_more_than_the_limit_is_invalid(void **state)
{
	struct fixture *f = *state;
	size_t n;
	const struct source_file *files;

	use_one(f);
	write_text(f, "d/0000.yaml", "#");
	for (int i = 1; i <= LIMIT_FILES; i++)
		assert_return_code(link(at(f, "d/0000.yaml"),
					at(f, arena_printf(f->arena, "d/%04d.yaml", i))),
				   errno);
	reread(f);
	files = source_files(f->source, &n);
	assert_int_equal(n, LIMIT_FILES + 1);
	assert_int_equal(files[LIMIT_FILES - 1].state, FILE_APPLIED);
	assert_int_equal(files[LIMIT_FILES].state, FILE_INVALID);
	assert_contains(files[LIMIT_FILES].error.message, "more than 4096");
}

static void names_that_cannot_be_shown_are_invalid(void **state)
{
	struct fixture *f = *state;

	use_one(f);
	write_text(f, "d/new\nline.yaml", "x");
	write_text(f, "d/\xff.yaml", "x");
	write_text(f, "d/\xc3\xa4.yaml", "x");
	reread(f);
	assert_string_equal(summary(f), "\\xff.yaml=invalid new\\x0aline.yaml=invalid "
					"\xc3\xa4.yaml=applied");
	assert_contains(file_named(f, "\\xff.yaml")->error.hint, "rename");
}

static void a_relative_directory_is_found_from_the_working_directory(void **state)
{
	struct fixture *f = *state;
	cleanup(freep) char *before = getcwd(NULL, 0);
	cleanup(arena_freep) struct arena *a = arena_new();
	struct source_blob blob = { 0 };
	const char *path = NULL, *reason = NULL;
	struct error e = { 0 };

	use_one(f);
	write_text(f, "d/a.yaml", "a");
	write_text(f, "d/a.o", "elf");
	f->directories[0] = "d/";
	assert_return_code(chdir(f->top), errno);
	reread(f);
	assert_string_equal(file_named(f, "a.yaml")->path, "d/a.yaml");
	assert_int_equal(source_read_object(f->source, 0, "a.o", a, &blob, &path, &reason, &e), 0);
	assert_string_equal(path, at(f, "d/a.o"));
	source_blob_done(&blob);
	assert_return_code(chdir(before), errno);
}

static size_t descriptors_below(const char *top)
{
	size_t n = 0;

	for (int fd = 3; fd < 256; fd++) {
		char link[32], path[4096];
		ssize_t length;

		(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
		length = readlink(link, path, sizeof(path) - 1);
		if (length < 0)
			continue;
		path[length] = '\0';
		n += strncmp(path, top, strlen(top)) == 0;
	}
	return n;
}

/* Its file system can be unmounted then, and objects are read from whatever is there. */
static void a_source_at_rest_holds_no_directory(void **state)
{
	struct fixture *f = *state;
	struct blob_result before, after;

	use_one(f);
	write_text(f, "d/a.yaml", "a");
	write_text(f, "d/a.o", "elf");
	reread(f);
	assert_true(descriptors_below(f->top) > 0);
	before = read_object(f, "a.yaml", "a.o");
	source_rest(f->source);
	assert_int_equal(descriptors_below(f->top), 0);
	after = read_object(f, "a.yaml", "a.o");
	assert_int_equal(after.code, 0);
	assert_string_equal(after.sha256, before.sha256);
	assert_string_equal(after.path, before.path);
	assert_int_equal(descriptors_below(f->top), 0);
	assert_return_code(rename(at(f, "d"), at(f, "e")), errno);
	after = read_object(f, "a.yaml", "a.o");
	assert_int_equal(after.code, -ENOENT);
	assert_string_equal(after.reason, "ObjectMissing");
	assert_return_code(rename(at(f, "e"), at(f, "d")), errno);
}

/* What is refused. */

static void absent_and_unreadable_directories_are_told_apart(void **state)
{
	struct fixture *f = *state;

	write_text(f, "file", "x");
	use_directory(f, "absent");
	use_directory(f, "absent/below");
	use_directory(f, "file");
	use_directory(f, "file/below");
	reread(f);
	assert_int_equal(directory_at(f, 0)->state, DIRECTORY_ABSENT);
	assert_int_equal(directory_at(f, 1)->state, DIRECTORY_ABSENT);
	assert_int_equal(directory_at(f, 2)->state, DIRECTORY_UNREADABLE);
	assert_contains(directory_at(f, 2)->message, "Not a directory");
	assert_int_equal(directory_at(f, 3)->state, DIRECTORY_UNREADABLE);
}

static void what_is_no_regular_file_is_refused_without_blocking(void **state)
{
	struct fixture *f = *state;
	struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = "s.yaml" };
	cleanup(freep) char *before = getcwd(NULL, 0);
	cleanup(closep) int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	use_one(f);
	assert_return_code(mkfifo(at(f, "d/f.yaml"), 0644), errno);
	make_link(f, "f.yaml", "d/l.yaml");
	/* Relative, as the path to the test's directory can be too long for an address. */
	assert_return_code(chdir(at(f, "d")), errno);
	assert_return_code(bind(s, (struct sockaddr *)&address, sizeof(address)), errno);
	assert_return_code(chdir(before), errno);
	assert_return_code(chmod(at(f, "d/s.yaml"), 0644), errno);
	(void)alarm(20); /* a reader that blocks is killed */
	reread(f);
	(void)alarm(0);
	assert_string_equal(summary(f), "f.yaml=refused l.yaml=refused s.yaml=refused");
	assert_contains(file_named(f, "f.yaml")->error.message, "a FIFO");
	assert_contains(file_named(f, "s.yaml")->error.message, "a socket");
}

static void a_device_is_refused(void **state)
{
	struct fixture *f = *state;

	need_root();
	use_one(f);
	if (mknod(at(f, "d/n.yaml"), S_IFCHR | 0644, 0) < 0)
		skip_because("needs leave to make device nodes (CAP_MKNOD)");
	reread(f);
	assert_contains(file_named(f, "n.yaml")->error.message, "a character device");
	assert_int_equal(file_named(f, "n.yaml")->state, FILE_REFUSED);
}

static void writable_files_are_refused(void **state)
{
	struct fixture *f = *state;
	const char *path;

	use_one(f);
	write_mode(f, "d/a.yaml", "a", 0666);
	write_mode(f, "d/b.yaml", "b", 0602);
	write_mode(f, "d/c.yaml", "c", 0600);
	reread(f);
	assert_string_equal(summary(f), "a.yaml=refused b.yaml=refused c.yaml=applied");
	path = at(f, "d/a.yaml");
	assert_string_equal(file_named(f, "a.yaml")->error.message,
			    "it is writable by others (mode 0666)");
	assert_contains(file_named(f, "a.yaml")->error.hint, "o-w ");
	assert_contains(file_named(f, "a.yaml")->error.hint, path);
	assert_null(file_named(f, "a.yaml")->text);
}

static void a_group_may_write_only_if_it_is_roots(void **state)
{
	struct fixture *f = *state;

	need_root();
	use_one(f);
	write_mode(f, "d/root.yaml", "a", 0664);
	write_mode(f, "d/other.yaml", "b", 0664);
	assert_return_code(chown(at(f, "d/other.yaml"), 0, STRANGER), errno);
	reread(f);
	assert_string_equal(summary(f), "other.yaml=refused root.yaml=applied");
	assert_contains(file_named(f, "other.yaml")->error.message, "gid 54321 (mode 0664)");
	assert_contains(file_named(f, "other.yaml")->error.hint, "chmod g-w ");
}

static void only_trusted_owners_are_read(void **state)
{
	struct fixture *f = *state;

	need_root();
	use_one(f);
	write_text(f, "d/a.yaml", "a");
	make_link(f, "/dev/null", "d/mask.yaml");
	assert_return_code(chown(at(f, "d/a.yaml"), STRANGER, 0), errno);
	assert_return_code(lchown(at(f, "d/mask.yaml"), STRANGER, 0), errno);
	reread(f);
	assert_string_equal(summary(f), "a.yaml=refused mask.yaml=refused");
	assert_contains(file_named(f, "a.yaml")->error.message, "owned by uid 54321");
	assert_contains(file_named(f, "a.yaml")->error.hint, "allowed_owners");
	f->owner = STRANGER;
	reread(f);
	assert_string_equal(summary(f), "a.yaml=applied mask.yaml=masked");
}

static void a_writable_directory_is_not_read(void **state)
{
	struct fixture *f = *state;

	use_one(f);
	write_text(f, "d/a.yaml", "a");
	assert_return_code(chmod(at(f, "d"), 0777), errno);
	reread(f);
	assert_int_equal(file_count(f), 0);
	assert_int_equal(directory_at(f, 0)->state, DIRECTORY_UNREADABLE);
	assert_contains(directory_at(f, 0)->message, "/d is writable by others (mode 0777)");
	assert_contains(directory_at(f, 0)->message, "-w ");
}

static void a_writable_directory_above_is_as_bad(void **state)
{
	struct fixture *f = *state;

	make_directory(f, "above", 0755);
	make_directory(f, "above/d", 0755);
	write_text(f, "above/d/a.yaml", "a");
	assert_return_code(chmod(at(f, "above"), 0777), errno);
	use_directory(f, "above/d");
	reread(f);
	assert_int_equal(directory_at(f, 0)->state, DIRECTORY_UNREADABLE);
	assert_contains(directory_at(f, 0)->message, "/above is writable by others");
	/* Others cannot rename what is root's in a sticky directory of root. */
	assert_return_code(chmod(at(f, "above"), 01777), errno);
	reread(f);
	assert_int_equal(directory_at(f, 0)->state,
			 geteuid() == 0 ? DIRECTORY_READ : DIRECTORY_UNREADABLE);
}

static void a_check_as_an_ordinary_user_trusts_everybody(void **state)
{
	struct fixture *f = *state;

	f->options.any_owner = true;
	use_one(f);
	write_mode(f, "d/a.yaml", "a", 0666);
	assert_return_code(chmod(at(f, "d"), 0777), errno);
	reread(f);
	assert_string_equal(summary(f), "a.yaml=applied");
}

static void links_stay_inside(void **state)
{
	struct fixture *f = *state;

	use_one(f);
	write_text(f, "outside.yaml", "x");
	write_text(f, "d/.real", "inside");
	make_link(f, ".real", "d/in.yaml");
	make_link(f, "../outside.yaml", "d/out.yaml");
	make_link(f, at(f, "d/.real"), "d/absolute.yaml");
	make_link(f, "gone", "d/dangling.yaml");
	make_link(f, "../none", "d/nowhere.yaml");
	make_link(f, "loop.yaml", "d/loop.yaml");
	reread(f);
	assert_string_equal(summary(f), "absolute.yaml=refused dangling.yaml=invalid "
					"in.yaml=applied loop.yaml=invalid nowhere.yaml=refused "
					"out.yaml=refused");
	assert_string_equal(file_named(f, "in.yaml")->text, "inside");
	assert_string_equal(file_named(f, "out.yaml")->error.message,
			    arena_printf(f->arena, "it leads out of %s, to %s", at(f, "d"),
					 at(f, "outside.yaml")));
	assert_string_equal(file_named(f, "nowhere.yaml")->error.message,
			    arena_printf(f->arena,
					 "it leads out of %s, to %s, which does not exist",
					 at(f, "d"), at(f, "none")));
	assert_contains(file_named(f, "dangling.yaml")->error.message, "No such file");
	assert_contains(file_named(f, "loop.yaml")->error.message, "Too many levels");
}

static void a_directory_may_be_reached_by_links(void **state)
{
	struct fixture *f = *state;
	struct string_list watches;

	make_directory(f, "real", 0755);
	make_directory(f, "real/d", 0755);
	make_directory(f, "names", 0755);
	make_link(f, "../real/./d/", "names/current");
	make_link(f, at(f, "names"), "entry");
	write_text(f, "real/d/a.yaml", "a");
	use_directory(f, "entry/current");
	reread(f);
	assert_string_equal(summary(f), "a.yaml=applied");
	assert_string_equal(file_named(f, "a.yaml")->path, at(f, "entry/current/a.yaml"));
	source_watch_paths(f->source, f->arena, &watches);
	assert_int_equal(watches.n, 3); /* where each link is, and where they lead */
	assert_string_equal(watches.v[0], f->top);
	assert_string_equal(watches.v[1], at(f, "names"));
	assert_string_equal(watches.v[2], at(f, "real/d"));
}

static void forty_links_are_followed_and_no_more(void **state)
{
	struct fixture *f = *state;

	make_directory(f, "d0", 0755);
	write_text(f, "d0/a.yaml", "a");
	for (int i = 1; i <= 41; i++)
		make_link(f, arena_printf(f->arena, "d%d", i - 1),
			  arena_printf(f->arena, "d%d", i));
	use_directory(f, "d40");
	use_directory(f, "d41");
	reread(f);
	assert_int_equal(directory_at(f, 0)->state, DIRECTORY_READ);
	assert_int_equal(directory_at(f, 1)->state, DIRECTORY_UNREADABLE);
	assert_contains(directory_at(f, 1)->message, "Too many levels");
}

/* Object files. */

static void assert_refused(struct blob_result r, const char *reason, const char *part)
{
	assert_true(r.code < 0);
	assert_string_equal(r.reason, reason);
	assert_int_equal(r.e.code, r.code);
	assert_contains(r.e.text, part);
}

static void objects_are_found_beneath_their_file(void **state)
{
	struct fixture *f = *state;
	struct blob_result r;
	char sum[SHA256_HEX];

	use_one(f);
	make_directory(f, "d/obj", 0755);
	write_text(f, "d/a.yaml", "a");
	write_text(f, "d/obj/x.o", "content");
	make_link(f, "obj/x.o", "d/link.o");
	reread(f);
	r = read_object(f, "a.yaml", "obj/x.o");
	assert_int_equal(r.code, 0);
	assert_string_equal(r.text, "content");
	assert_string_equal(r.path, at(f, "d/obj/x.o"));
	hash_bytes("content", strlen("content"), sum);
	assert_string_equal(r.sha256, sum);
	assert_int_equal(read_object(f, "a.yaml", "./obj/../link.o").code, 0);
}

static void objects_outside_need_an_absolute_path(void **state)
{
	struct fixture *f = *state;

	use_one(f);
	make_directory(f, "lib", 0755);
	write_text(f, "d/a.yaml", "a");
	write_text(f, "lib/x.o", "content");
	make_link(f, "../lib/x.o", "d/link.o");
	make_link(f, at(f, "lib"), "alias");
	reread(f);
	assert_refused(read_object(f, "a.yaml", "../lib/x.o"), "ObjectRefused", "absolute path");
	assert_refused(read_object(f, "a.yaml", "link.o"), "ObjectRefused", "leads out of");
	assert_string_equal(read_object(f, "a.yaml", at(f, "lib/x.o")).text, "content");
	assert_string_equal(read_object(f, "a.yaml", at(f, "alias/x.o")).text, "content");
}

static void objects_are_under_the_same_rule(void **state)
{
	struct fixture *f = *state;

	use_one(f);
	make_directory(f, "d/open", 0777);
	write_text(f, "d/a.yaml", "a");
	write_text(f, "d/open/x.o", "x");
	write_mode(f, "d/writable.o", "x", 0606);
	assert_return_code(mkfifo(at(f, "d/fifo.o"), 0644), errno);
	make_directory(f, "d/dir.o", 0755);
	reread(f);
	assert_refused(read_object(f, "a.yaml", "open/x.o"), "ObjectRefused", "/open is writable");
	assert_refused(read_object(f, "a.yaml", at(f, "d/open/x.o")), "ObjectRefused",
		       "/open is writable");
	assert_refused(read_object(f, "a.yaml", "writable.o"), "ObjectRefused", "chmod o-w");
	assert_refused(read_object(f, "a.yaml", "fifo.o"), "ObjectRefused", "a FIFO");
	assert_refused(read_object(f, "a.yaml", "dir.o"), "ObjectRefused", "a directory");
	assert_refused(read_object(f, "a.yaml", "."), "ObjectRefused", "a directory");
	assert_refused(read_object(f, "a.yaml", "/"), "ObjectRefused", "a directory");
}

static void what_was_read_is_watched(void **state)
{
	struct fixture *f = *state;
	struct string_list watches;

	use_one(f);
	reread(f);
	source_watch_paths(f->source, f->arena, &watches);
	assert_int_equal(watches.n, 1); /* empty as it is */
	assert_string_equal(watches.v[0], at(f, "d"));
	make_directory(f, "lib", 0755);
	make_directory(f, "d/obj", 0755);
	write_text(f, "d/a.yaml", "a");
	write_text(f, "lib/x.o", "x");
	write_text(f, "d/obj/y.o", "y");
	reread(f);
	assert_int_equal(read_object(f, "a.yaml", at(f, "lib/x.o")).code, 0);
	assert_int_equal(read_object(f, "a.yaml", "obj/y.o").code, 0);
	source_watch_paths(f->source, f->arena, &watches);
	assert_int_equal(watches.n, 3);
	assert_string_equal(watches.v[1], at(f, "lib"));
	assert_string_equal(watches.v[2], at(f, "d/obj"));
}

static void missing_objects_are_watched_for(void **state)
{
	struct fixture *f = *state;
	struct string_list watches;
	struct blob_result r;

	use_one(f);
	make_directory(f, "lib", 0755);
	write_text(f, "d/a.yaml", "a");
	reread(f);
	r = read_object(f, "a.yaml", "none.o");
	assert_refused(r, "ObjectMissing", "put the file there");
	assert_string_equal(r.path, at(f, "d/none.o"));
	assert_refused(read_object(f, "a.yaml", at(f, "lib/sub/x.o")), "ObjectMissing", "/lib/sub");
	assert_refused(read_object(f, "a.yaml", "a.yaml/x.o"), "ObjectMissing", "Not a directory");
	source_watch_paths(f->source, f->arena, &watches);
	assert_int_equal(watches.n, 2);
	assert_string_equal(watches.v[0], at(f, "d"));
	assert_string_equal(watches.v[1], at(f, "lib"));
}

static void an_object_that_is_too_large_is_told(void **state)
{
	struct fixture *f = *state;

	use_one(f);
	write_text(f, "d/a.yaml", "a");
	write_text(f, "d/large.o", "");
	assert_return_code(truncate(at(f, "d/large.o"), (off_t)LIMIT_OBJECT_BYTES + 1), errno);
	reread(f);
	assert_refused(read_object(f, "a.yaml", "large.o"), "ObjectTooLarge",
		       "larger than 67108864");
	assert_return_code(truncate(at(f, "d/large.o"), LIMIT_OBJECT_BYTES), errno);
	assert_int_equal(read_object(f, "a.yaml", "large.o").code, 0);
}

static void an_object_without_permission_is_unreadable(void **state)
{
	struct fixture *f = *state;

	if (geteuid() == 0)
		skip_because("root can read everything");
	use_one(f);
	write_text(f, "d/a.yaml", "a");
	write_mode(f, "d/secret.o", "x", 0);
	write_mode(f, "d/secret.yaml", "x", 0);
	reread(f);
	assert_refused(read_object(f, "a.yaml", "secret.o"), "ObjectUnreadable",
		       "Permission denied");
	assert_int_equal(file_named(f, "secret.yaml")->state, FILE_INVALID);
}

static size_t count_descriptors(void)
{
	DIR *d = opendir("/proc/self/fd");
	size_t n = 0;

	if (!d)
		skip_because("needs /proc");
	while (readdir(d))
		n++;
	(void)closedir(d);
	return n;
}

static void nothing_stays_open(void **state)
{
	struct fixture *f = *state;
	size_t before = count_descriptors();

	use_one(f);
	use_directory(f, "absent");
	make_directory(f, "d/..1", 0755);
	make_link(f, "..1", "d/..data");
	write_text(f, "d/..1/a.yaml", "a");
	write_text(f, "d/..1/x.o", "x");
	write_text(f, "d/..1/bad.yaml", "");
	make_link(f, "../../outside", "d/..1/out.yaml");
	reread(f);
	(void)read_object(f, "a.yaml", "x.o");
	(void)read_object(f, "a.yaml", "none.o");
	(void)read_object(f, "a.yaml", "../..");
	source_free(take_ptr(f->source));
	assert_int_equal(count_descriptors(), before);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(files_come_sorted_over_all_directories),
		TEST(the_same_name_in_an_earlier_directory_replaces),
		TEST(other_names_are_nobodys_business),
		TEST(directories_within_are_reported),
		TEST(only_a_link_to_dev_null_masks),
		TEST(a_file_of_the_largest_size_is_read),
		TEST(one_file_more_than_the_limit_is_invalid),
		TEST(names_that_cannot_be_shown_are_invalid),
		TEST(a_relative_directory_is_found_from_the_working_directory),
		TEST(a_source_at_rest_holds_no_directory),
		TEST(absent_and_unreadable_directories_are_told_apart),
		TEST(what_is_no_regular_file_is_refused_without_blocking),
		TEST(a_device_is_refused),
		TEST(writable_files_are_refused),
		TEST(a_group_may_write_only_if_it_is_roots),
		TEST(only_trusted_owners_are_read),
		TEST(a_writable_directory_is_not_read),
		TEST(a_writable_directory_above_is_as_bad),
		TEST(a_check_as_an_ordinary_user_trusts_everybody),
		TEST(links_stay_inside),
		TEST(a_directory_may_be_reached_by_links),
		TEST(forty_links_are_followed_and_no_more),
		TEST(objects_are_found_beneath_their_file),
		TEST(objects_outside_need_an_absolute_path),
		TEST(objects_are_under_the_same_rule),
		TEST(what_was_read_is_watched),
		TEST(missing_objects_are_watched_for),
		TEST(an_object_that_is_too_large_is_told),
		TEST(an_object_without_permission_is_unreadable),
		TEST(nothing_stays_open),
	};

	return cmocka_run_group_tests_name("source", tests, NULL, NULL);
}
