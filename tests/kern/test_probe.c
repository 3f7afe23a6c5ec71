/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/macros.h"
#include "base/str.h"
#include "fixture.h"
#include "kern/context.h"

static const struct feature *find(const char *name)
{
	size_t n;
	const struct feature *f = kern_linux_features(fixture.k, &n);

	for (size_t i = 0; i < n; i++)
		if (str_eq(f[i].name, name))
			return &f[i];
	fail_msg("no feature %s", name);
	return NULL;
}

static void features_are_sorted_and_explained(void **state)
{
	const struct feature *f;
	size_t n;

	(void)state;
	f = kern_linux_features(fixture.k, &n);
	for (size_t i = 0; i < n; i++) {
		assert_true(i == 0 || strcmp(f[i - 1].name, f[i].name) < 0);
		assert_non_null(f[i].detail);
		print_message("# %s: %s: %s\n", f[i].name, f[i].available ? "yes" : "no",
			      f[i].detail);
	}
}

static void features_are_probed_once(void **state)
{
	struct observed o = observe();
	size_t n;

	(void)state;
	assert_ptr_equal(o.features, kern_linux_features(fixture.k, &n));
	assert_int_equal(o.feature_count, n);
}

/* What the project stands on; a kernel without it is no kernel to run the other tests on. */
static void chains_are_offered(void **state)
{
	(void)state;
	if (!find("tailcall")->available)
		fail_msg("%s", find("tailcall")->detail);
}

/* Newer programs than this one by the names that the probe gives. */
static size_t probe_programs(uint32_t id)
{
	size_t count = 0;

	while (bpf_prog_get_next_id(id, &id) == 0) {
		cleanup(closep) int fd = bpf_prog_get_fd_by_id(id);
		struct bpf_prog_info info = { 0 };
		uint32_t size = sizeof(info);

		if (fd >= 0 && bpf_obj_get_info_by_fd(fd, &info, &size) == 0)
			count += str_starts(info.name, "probe_") ||
				 str_eq(info.name, "bpfshare_tc") ||
				 str_eq(info.name, "bpfshare_chain");
	}
	return count;
}

/* The kernel frees programs some time after their last user, so the end is waited for. */
static void probing_leaves_nothing_behind(void **state)
{
	const struct timespec pause = { .tv_nsec = 1000 * 1000 };
	uint32_t id = 0, last = 0;
	size_t n;

	(void)state;
	while (bpf_prog_get_next_id(id, &id) == 0)
		last = id;
	(void)probe_features(fixture.a, &n);
	for (int i = 0; probe_programs(last) > 0; i++) {
		assert_true(i < 10000);
		(void)nanosleep(&pause, NULL);
	}
}

/* From here on the system call fails with this code, for this process and its children. */
static void forbid(long number, int code)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned int)number, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned int)code),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = { .len = ARRAY_SIZE(filter), .filter = filter };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
		_exit(100);
}

/* What f returns, 0…99, in a process that may not make this call. */
static int without(long number, int code, int (*f)(void))
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		forbid(number, code);
		_exit(f());
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int grace(void)
{
	struct op_result r = { 0 };

	grace_apply(&r);
	return r.code == 0 ? 0 : 1;
}

static void a_grace_period_passes(void **state)
{
	struct op op = { .kind = OP_GRACE, .key = "test" };

	(void)state;
	apply_fine(&op);
	assert_int_equal(without(SYS_membarrier, ENOSYS, grace), 0);
	assert_int_equal(without(SYS_membarrier, EINVAL, grace), 0);
}

static int none_but_files(void)
{
	size_t n;
	const struct feature *f = probe_features(fixture.a, &n);

	for (size_t i = 0; i < n; i++) {
		bool by_bpf = !str_eq(f[i].name, "btf") && !str_eq(f[i].name, "stats") &&
			      !str_eq(f[i].name, "membarrier") &&
			      !str_eq(f[i].name, "mount_beneath");

		if (by_bpf && f[i].available)
			return 1;
		if (!f[i].detail || (by_bpf && !strstr(f[i].detail, "not permitted") &&
				     !strstr(f[i].detail, "refuses")))
			return 2;
	}
	return 0;
}

static void a_refused_system_call_is_no_feature(void **state)
{
	(void)state;
	assert_int_equal(without(SYS_bpf, EPERM, none_but_files), 0);
}

static int unprivileged_cannot_be_tried(void)
{
	size_t n;
	const struct feature *f = probe_features(fixture.a, &n);

	for (size_t i = 0; i < n; i++)
		if (str_eq(f[i].name, "unprivileged_map_access"))
			return f[i].available || !strstr(f[i].detail, "cannot be tried");
	return 1;
}

static void what_cannot_be_tried_is_not_claimed(void **state)
{
	(void)state;
	assert_int_equal(without(SYS_setresuid, EPERM, unprivileged_cannot_be_tried), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(features_are_sorted_and_explained),
		FIXTURE_TEST(features_are_probed_once),
		FIXTURE_TEST(chains_are_offered),
		FIXTURE_TEST(probing_leaves_nothing_behind),
		FIXTURE_TEST(a_grace_period_passes),
		FIXTURE_TEST(a_refused_system_call_is_no_feature),
		FIXTURE_TEST(what_cannot_be_tried_is_not_claimed),
	};

	return FIXTURE_RUN("probe", tests);
}
