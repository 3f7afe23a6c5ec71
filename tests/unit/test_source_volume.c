/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* ConfigMap volumes: links through ..data, which kubelet swaps by rename. */
#include "source_fixture.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/alloc.h"

static void write_version(struct fixture *f, const char *dir, const char *version, const char *text)
{
	const char *real = arena_printf(f->arena, "%s/..%s", dir, version);

	make_directory(f, real, 0755);
	write_text(f, arena_printf(f->arena, "%s/a.yaml", real), text);
	write_text(f, arena_printf(f->arena, "%s/b.yaml", real), text);
	write_text(f, arena_printf(f->arena, "%s/x.o", real), text);
}

static void swap_data(struct fixture *f, const char *dir, const char *version)
{
	const char *new = at(f, arena_printf(f->arena, "%s/..data_tmp", dir));

	assert_return_code(symlink(arena_printf(f->arena, "..%s", version), new), errno);
	assert_return_code(rename(new, at(f, arena_printf(f->arena, "%s/..data", dir))), errno);
}

static void make_volume(struct fixture *f, const char *dir)
{
	static const char *const names[] = { "a.yaml", "b.yaml", "x.o" };

	write_version(f, dir, "1", "one");
	swap_data(f, dir, "1");
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		make_link(f, arena_printf(f->arena, "..data/%s", names[i]),
			  arena_printf(f->arena, "%s/%s", dir, names[i]));
}

static void a_volume_is_read_through_its_data(void **state)
{
	struct fixture *f = *state;
	struct string_list watches;

	use_one(f);
	make_volume(f, "d");
	/* A link of a key that comes with the next version. */
	make_link(f, "..data/later.yaml", "d/later.yaml");
	write_text(f, "d/beside.yaml", "x");
	reread(f);
	assert_string_equal(summary(f), "a.yaml=applied b.yaml=applied beside.yaml=ignored");
	assert_string_equal(file_named(f, "a.yaml")->path, at(f, "d/a.yaml"));
	assert_string_equal(read_object(f, "a.yaml", "x.o").text, "one");
	assert_string_equal(read_object(f, "a.yaml", "x.o").path, at(f, "d/x.o"));
	source_watch_paths(f->source, f->arena, &watches);
	assert_int_equal(watches.n, 2);
	assert_string_equal(watches.v[0], at(f, "d"));
	assert_string_equal(watches.v[1], at(f, "d/..1"));
}

static void what_was_opened_stays_one_version(void **state)
{
	struct fixture *f = *state;

	use_one(f);
	make_volume(f, "d");
	reread(f);
	assert_false(source_is_stale(f->source));
	write_version(f, "d", "2", "two");
	swap_data(f, "d", "2");
	assert_true(source_is_stale(f->source));
	assert_string_equal(read_object(f, "a.yaml", "x.o").text, "one");
	reread(f);
	assert_false(source_is_stale(f->source));
	assert_string_equal(file_named(f, "b.yaml")->text, "two");
	assert_string_equal(read_object(f, "a.yaml", "x.o").text, "two");
}

static void data_that_leads_nowhere_is_unreadable(void **state)
{
	struct fixture *f = *state;

	use_one(f);
	make_volume(f, "d");
	assert_return_code(unlink(at(f, "d/..data")), errno);
	make_link(f, "..gone", "d/..data");
	reread(f);
	assert_int_equal(directory_at(f, 0)->state, DIRECTORY_UNREADABLE);
	assert_contains(directory_at(f, 0)->message, "..gone");
	assert_return_code(unlink(at(f, "d/..data")), errno);
	make_link(f, "..", "d/..data");
	reread(f);
	assert_int_equal(directory_at(f, 0)->state, DIRECTORY_UNREADABLE);
	assert_contains(directory_at(f, 0)->message, "leads out of");
}

/*
 * A thread that swaps ..data while it is being read: whenever somebody opens a version or a
 * file in it, until it is told to stop.
 */
struct swapper {
	struct fixture *f;
	char *dir; /* the volume */
	bool keep; /* go round among the versions that are there, do not make new ones */
	unsigned int versions; /* there are these, from 1 */
	int events;            /* inotify */
	atomic_bool stop;
	atomic_uint swaps;
	pthread_t thread;
};

static bool put(const char *path, const char *text)
{
	FILE *f = fopen(path, "we");

	return f && fputs(text, f) >= 0 && fclose(f) == 0;
}

/* A version whose files all hold its number, as kubelet writes it: before the swap. */
static bool make_version(const struct swapper *s, unsigned int version)
{
	char real[512], path[600], text[16];

	(void)snprintf(real, sizeof(real), "%s/..%u", s->dir, version);
	(void)snprintf(text, sizeof(text), "%u", version);
	if (mkdir(real, 0755) < 0)
		return false;
	(void)snprintf(path, sizeof(path), "%s/a.yaml", real);
	if (!put(path, text))
		return false;
	(void)snprintf(path, sizeof(path), "%s/b.yaml", real);
	return put(path, text);
}

/* … and as it removes the one before: after the swap. */
static void drop_version(const struct swapper *s, unsigned int version)
{
	char path[600];

	(void)snprintf(path, sizeof(path), "%s/..%u/a.yaml", s->dir, version);
	(void)unlink(path);
	(void)snprintf(path, sizeof(path), "%s/..%u/b.yaml", s->dir, version);
	(void)unlink(path);
	(void)snprintf(path, sizeof(path), "%s/..%u", s->dir, version);
	(void)rmdir(path);
}

static bool watch_version(const struct swapper *s, unsigned int version)
{
	char real[512];

	(void)snprintf(real, sizeof(real), "%s/..%u", s->dir, version);
	return inotify_add_watch(s->events, real, IN_OPEN) >= 0;
}

/* false: told to stop. */
static bool wait_for_reader(struct swapper *s)
{
	struct pollfd p = { .fd = s->events, .events = POLLIN };
	char events[8192];

	while (!atomic_load(&s->stop)) {
		if (poll(&p, 1, 20) > 0)
			return read(s->events, events, sizeof(events)) > 0;
	}
	return false;
}

static void *swap_on(void *arg)
{
	struct swapper *s = arg;
	char new[512], data[512], target[16];

	(void)snprintf(new, sizeof(new), "%s/..data_tmp", s->dir);
	(void)snprintf(data, sizeof(data), "%s/..data", s->dir);
	for (unsigned int i = s->versions + 1; wait_for_reader(s); i++) {
		(void)snprintf(target, sizeof(target), "..%u", s->keep ? i % s->versions + 1 : i);
		if (!s->keep && (!make_version(s, i) || !watch_version(s, i)))
			break;
		if (symlink(target, new) < 0 || rename(new, data) < 0)
			break;
		if (!s->keep)
			drop_version(s, i - 1);
		atomic_fetch_add(&s->swaps, 1);
	}
	return NULL;
}

static void swapper_start(struct swapper *s)
{
	s->dir = xasprintf("%s/d", s->f->top);
	s->events = inotify_init1(IN_CLOEXEC);
	assert_return_code(s->events, errno);
	for (unsigned int v = 1; v <= s->versions; v++)
		assert_true(watch_version(s, v));
	assert_int_equal(pthread_create(&s->thread, NULL, swap_on, s), 0);
}

static void swapper_stop(struct swapper *s)
{
	atomic_store(&s->stop, true);
	assert_int_equal(pthread_join(s->thread, NULL), 0);
	(void)close(s->events);
	free(s->dir);
}

/* However often ..data moves: all files of one read are of one version, or there are none. */
static void a_read_never_mixes_versions(void **state)
{
	struct fixture *f = *state;
	struct swapper s = { .f = f, .versions = 1 };
	size_t whole = 0;

	use_one(f);
	make_volume(f, "d");
	assert_return_code(unlink(at(f, "d/..1/x.o")), errno);
	swapper_start(&s);
	for (int i = 0; i < 300 || (atomic_load(&s.swaps) < 100 && i < 100000); i++) {
		size_t n;
		const struct source_file *files;

		reread(f);
		files = source_files(f->source, &n);
		if (directory_at(f, 0)->state != DIRECTORY_READ) {
			assert_int_equal(n, 0);
			continue;
		}
		assert_string_equal(summary(f), "a.yaml=applied b.yaml=applied");
		assert_string_equal(files[0].text, files[1].text);
		whole++;
	}
	swapper_stop(&s);
	assert_true(atomic_load(&s.swaps) >= 100);
	assert_true(whole > 0);
	reread(f); /* at rest again */
	assert_int_equal(file_count(f), 2);
}

/* So many files that a swap meets every attempt to read them. */
static void a_volume_that_does_not_rest_is_unreadable(void **state)
{
	struct fixture *f = *state;
	struct swapper s = { .f = f, .keep = true, .versions = 16 };
	bool seen = false;

	use_one(f);
	write_text(f, "file", "x");
	assert_return_code(truncate(at(f, "file"), 64 * 1024), errno);
	for (unsigned int v = 1; v <= s.versions; v++) {
		make_directory(f, arena_printf(f->arena, "d/..%u", v), 0755);
		for (int i = 0; i < 50; i++)
			assert_return_code(
				link(at(f, "file"),
				     at(f, arena_printf(f->arena, "d/..%u/%d.yaml", v, i))),
				errno);
	}
	swap_data(f, "d", "1");
	swapper_start(&s);
	for (int i = 0; i < 10000 && !seen; i++) {
		reread(f);
		seen = directory_at(f, 0)->state == DIRECTORY_UNREADABLE;
	}
	swapper_stop(&s);
	assert_true(seen);
	assert_int_equal(file_count(f), 0);
	assert_contains(directory_at(f, 0)->message, "was replaced in each of 4 attempts");
	reread(f);
	assert_int_equal(file_count(f), 50);
}

/* kubelet: 0777 and 1777 directories, read-only in the container's mount namespace. */
static void volumes_at_kubelets_modes_are_read(void **state)
{
	static const mode_t modes[] = { 0777, 01777, 02777, 03777 };
	struct fixture *f = *state;
	const char *dir;

	need_root();
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		skip_because("needs leave to mount (CAP_SYS_ADMIN)");
	use_one(f);
	make_volume(f, "d");
	dir = at(f, "d");
	/* A group of its own, as fsGroup gives it. */
	assert_return_code(chown(dir, 0, STRANGER), errno);
	assert_return_code(chmod(at(f, "d/..1"), 02777), errno);
	assert_return_code(chmod(at(f, "d/..1/a.yaml"), 0666), errno);
	assert_return_code(chmod(dir, 0777), errno);
	reread(f);
	assert_int_equal(directory_at(f, 0)->state, DIRECTORY_UNREADABLE);
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		assert_return_code(chmod(dir, modes[i]), errno);
		assert_return_code(mount(dir, dir, NULL, MS_BIND, NULL), errno);
		assert_return_code(mount(NULL, dir, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL),
				   errno);
		reread(f);
		assert_string_equal(summary(f), "a.yaml=applied b.yaml=applied");
		assert_string_equal(read_object(f, "a.yaml", "x.o").text, "one");
		source_free(take_ptr(f->source));
		assert_return_code(umount2(dir, MNT_DETACH), errno);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(a_volume_is_read_through_its_data),
		TEST(what_was_opened_stays_one_version),
		TEST(data_that_leads_nowhere_is_unreadable),
		TEST(a_read_never_mixes_versions),
		TEST(a_volume_that_does_not_rest_is_unreadable),
		TEST(volumes_at_kubelets_modes_are_read),
	};

	return cmocka_run_group_tests_name("source_volume", tests, NULL, NULL);
}
