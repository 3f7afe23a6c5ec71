/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* Other network namespaces: found, entered and left, and worked in by the back end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/macros.h"
#include "base/str.h"
#include "fixture.h"
#include "kern/netns.h"
#include "model/layout.h"

static struct {
	pid_t holder;     /* a process in a namespace of its own */
	const char *path; /* of that */
	uint32_t chain;
} w;

static int begin(void **state)
{
	static const char *const members[] = { "a", "b" };
	int ready[2];
	char c;

	if (fixture_begin(state) < 0 || pipe2(ready, O_CLOEXEC) < 0)
		return -1;
	w.holder = fork();
	if (w.holder == 0) {
		if (unshare(CLONE_NEWNET) < 0 || write(ready[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			(void)pause();
	}
	(void)close(ready[1]);
	if (w.holder < 0 || read(ready[0], &c, 1) != 1)
		return -1;
	(void)close(ready[0]);
	w.path = arena_printf(fixture.a, "/proc/%d/ns/net", w.holder);
	load_member("a", 1, 2);
	load_member("b", 2, 2);
	w.chain = build_chain("one", members, 2);
	return 0;
}

static void holder_end(void)
{
	(void)kill(w.holder, SIGKILL);
	(void)waitpid(w.holder, NULL, 0);
	w.holder = 0;
}

static int end(void **state)
{
	if (w.holder)
		holder_end();
	return fixture_end(state);
}
#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

static const char *own(void)
{
	char target[64] = "";

	assert_true(readlink("/proc/thread-self/ns/net", target, sizeof(target) - 1) > 0);
	return arena_strdup(fixture.a, target);
}

static size_t count_descriptors(void)
{
	size_t n = 0;

	for (int fd = 0; fd < 1024; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void expect_absent(const char *name, const char *words)
{
	size_t before = count_descriptors();
	struct error e = { 0 };
	int fd = -1;

	assert_int_equal(netns_open(name, &fd, NULL, &e), -ENOENT);
	assert_int_equal(fd, -1);
	if (!strstr(e.text, words))
		fail_msg("'%s' is not in '%s'", words, e.text);
	assert_int_equal(count_descriptors(), before);
}

static void only_namespaces_of_the_network_are_opened(void **state)
{
	const char *file = arena_printf(fixture.a, "%s/file", fixture.root);
	const char *pipe = arena_printf(fixture.a, "%s/pipe", fixture.root);
	int fd = open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	(void)state;
	assert_true(fd >= 0);
	(void)close(fd);
	assert_int_equal(mkfifo(pipe, 0600), 0);
	expect_absent(file, "is no namespace");
	expect_absent(pipe, "is no namespace"); /* and nobody waits for a writer */
	expect_absent("/dev/null", "is no namespace");
	expect_absent(fixture.root, "is no namespace");
	expect_absent("/proc/self/ns/mnt", "not one of the network");
	expect_absent(arena_printf(fixture.a, "%s/below", file), "Not a directory");
	expect_absent("no-such-namespace", "/run/netns/no-such-namespace");
	assert_int_equal(unlink(file), 0);
	assert_int_equal(unlink(pipe), 0);
}

static void a_thread_goes_inside_and_comes_back(void **state)
{
	struct netns_guard guard = NETNS_GUARD_INIT;
	const char *home = own();
	size_t before = count_descriptors();

	(void)state;
	assert_int_equal(netns_enter(w.path, &guard, NULL), 0);
	assert_string_not_equal(own(), home);
	netns_leave(&guard);
	assert_string_equal(own(), home);
	netns_leave(&guard);
	assert_int_equal(netns_enter(NULL, &guard, NULL), 0);
	assert_string_equal(own(), home);
	netns_leave(&guard);
	assert_int_equal(netns_enter("/nowhere", &guard, NULL), -ENOENT);
	assert_string_equal(own(), home);
	assert_int_equal(count_descriptors(), before);
}

static void without_a_way_back_the_process_ends(void **state)
{
	pid_t child = fork();
	int status;

	(void)state;
	if (child == 0) {
		struct netns_guard guard = NETNS_GUARD_INIT;

		(void)close(STDERR_FILENO);
		if (netns_enter(w.path, &guard, NULL) < 0)
			_exit(1);
		guard.home = open("/dev/null", O_RDONLY | O_CLOEXEC);
		netns_leave(&guard);
		_exit(2);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

static struct observed look(const char *const *names, size_t n)
{
	const struct observe_request want = {
		.netns = { arena_dup(fixture.a, names, n * sizeof(*names)), n },
	};
	struct error e = { 0 };
	struct observed o;

	if (kern_linux_ops.observe(fixture.k, fixture.a, &want, &o, &e) < 0)
		fail_msg("%s", e.text);
	return o;
}

static void one_namespace_is_listed_under_one_name(void **state)
{
	const char *task = arena_printf(fixture.a, "/proc/%d/task/%d/ns/net", w.holder, w.holder);
	const char *const names[] = { w.path, "/proc/self/ns/net", "/nowhere", task };
	struct observed o = look(names, ARRAY_SIZE(names));

	(void)state;
	assert_int_equal(o.netns_count, 4);
	for (size_t i = 1; i < o.netns_count; i++)
		assert_true(strcmp(o.netns[i - 1].name, o.netns[i].name) < 0);
	assert_false(observed_find_netns(&o, "/nowhere")->found);
	assert_non_null(observed_find_netns(&o, "/nowhere")->fault);
	assert_string_equal(observed_find_netns(&o, "/proc/self/ns/net")->same_as, "");
	assert_null(observed_find_netns(&o, w.path)->same_as);
	assert_string_equal(observed_find_netns(&o, task)->same_as, w.path);
	/* Its loopback interface has the number of ours. */
	assert_non_null(observed_find_interface(&o, NULL, 1));
	assert_non_null(observed_find_interface(&o, w.path, 1));
	assert_null(observed_find_interface(&o, task, 1));
	for (size_t i = 0; i < o.netns_count; i++)
		assert_false(o.netns[i].recorded);
}

static struct op inside(enum op_kind kind, uint32_t expected)
{
	struct op op = root_op(kind, "lo", 1);

	op.root.netns = w.path;
	op.root.mode = XDP_MODE_GENERIC;
	op.root.chain_id = w.chain;
	op.root.expected_id = expected;
	op.root.expected_mode = expected ? XDP_GENERIC : XDP_NONE;
	return op;
}

static bool has_record(void)
{
	return access(below("%s", layout_netns_dir(fixture.a, w.path)), F_OK) == 0;
}

static void operations_happen_inside_and_are_recorded(void **state)
{
	struct op set = inside(OP_ROOT_SET, 0), clear = inside(OP_ROOT_CLEAR, w.chain);
	struct op forget = { .kind = OP_NETNS_FORGET, .key = "n", .netns = { w.path } };
	const char *home = own();
	struct observed o;

	(void)state;
	assert_false(has_record());
	apply_fine(&set);
	assert_string_equal(own(), home);
	assert_true(has_record());
	o = look(NULL, 0); /* nobody asks: the record leads there */
	assert_true(observed_find_netns(&o, w.path)->recorded);
	assert_int_equal(observed_find_interface(&o, w.path, 1)->xdp_id, w.chain);
	assert_int_equal(observed_find_interface(&o, NULL, 1)->xdp_id, 0);
	apply_fine(&clear);
	o = look(NULL, 0);
	assert_int_equal(observed_find_interface(&o, w.path, 1)->xdp_id, 0);
	apply_fine(&forget);
	assert_false(has_record());
	apply_fine(&forget);
}

static void a_namespace_that_went_meanwhile_is_told(void **state)
{
	struct op set = inside(OP_ROOT_SET, 0);

	(void)state;
	holder_end();
	(void)apply_fails(&set, -ENOENT, "NetnsAbsent", FAILURE_TRANSIENT, "in namespace /proc/");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(only_namespaces_of_the_network_are_opened),
		TEST(a_thread_goes_inside_and_comes_back),
		TEST(without_a_way_back_the_process_ends),
		TEST(one_namespace_is_listed_under_one_name),
		TEST(operations_happen_inside_and_are_recorded),
		TEST(a_namespace_that_went_meanwhile_is_told),
	};

	return FIXTURE_RUN("netns", tests);
}
