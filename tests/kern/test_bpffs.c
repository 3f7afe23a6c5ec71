/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* Our directory on a bpffs, users and groups, and what error codes mean. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "base/macros.h"
#include "base/str.h"
#include "kern/mountinfo.h"
#include "model/layout.h"
#include "share_fixture.h"

static struct observed look(const struct kern_context *c)
{
	cleanup(arena_freep) struct arena *a = arena_new();
	struct observed o = { 0 };
	struct error e = { 0 };

	if (bpffs_observe(c, a, &o, &e) < 0)
		fail_msg("%s", e.text);
	return o;
}

static struct op_result run(const struct kern_context *c, enum op_kind kind)
{
	struct op op = { .kind = kind };
	struct op_result r = { 0 };

	bpffs_apply(c, world.a, &op, &r);
	return r;
}

static void run_fine(const struct kern_context *c, enum op_kind kind)
{
	struct op_result r = run(c, kind);

	if (r.code != 0)
		fail_msg("%s: %s", r.reason, r.error.text);
}

static void run_fails(const struct kern_context *c, enum op_kind kind, const char *reason)
{
	struct op_result r = run(c, kind);

	assert_true(r.code < 0);
	assert_string_equal(r.reason, reason);
	assert_int_equal(r.class, FAILURE_FOREIGN);
}

static void a_directory_is_made_on_a_new_bpffs(void **state)
{
	struct kern_context c = { .bpffs_dir = world_path("places/bpf/bpfshare") };
	static const char *const made[] = { "", "/objects", "/chains", "/links", "/layout-2" };
	struct observed o = look(&c);
	struct statfs fs;
	struct stat st;

	(void)state;
	assert_false(o.bpffs_mounted || o.directory_ready);
	run_fine(&c, OP_BPFFS_MOUNT);
	o = look(&c);
	assert_true(o.bpffs_mounted && !o.directory_ready);
	run_fine(&c, OP_DIRECTORY_CREATE);
	o = look(&c);
	assert_true(o.bpffs_mounted && o.directory_ready);
	assert_int_equal(statfs(c.bpffs_dir, &fs), 0);
	assert_int_equal(fs.f_type, BPF_FS_MAGIC);
	assert_int_equal(stat(world_path("places/bpf"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	for (size_t i = 0; i < ARRAY_SIZE(made); i++) {
		assert_int_equal(stat(arena_printf(world.a, "%s%s", c.bpffs_dir, made[i]), &st), 0);
		assert_int_equal(st.st_mode & 07777, 0700);
	}
}

static void make(const struct kern_context *c, const char *name)
{
	assert_int_equal(mkdir(arena_printf(world.a, "%s/%s", c->bpffs_dir, name), 0700), 0);
}

/* A tree that was made before there were marks, by an older version and by a newer one. */
static void layouts_are_told_by_their_marks(void **state)
{
	struct kern_context c = { .bpffs_dir = world_path("places/bpf/bpfshare") };
	const char *mark = arena_printf(world.a, "%s/" LAYOUT_MARK, c.bpffs_dir);
	struct observed o;

	(void)state;
	run_fine(&c, OP_BPFFS_MOUNT);
	run_fine(&c, OP_DIRECTORY_CREATE);
	assert_int_equal(look(&c).layout, LAYOUT_VERSION);
	assert_int_equal(rmdir(mark), 0);
	o = look(&c);
	assert_true(!o.directory_ready && o.layout == 0);
	make(&c, "layout-1");
	o = look(&c);
	assert_true(!o.directory_ready && o.layout == 1);
	run_fine(&c, OP_DIRECTORY_CREATE);
	o = look(&c);
	assert_true(o.directory_ready && o.layout == LAYOUT_VERSION);
	assert_int_equal(rmdir(arena_printf(world.a, "%s/layout-1", c.bpffs_dir)), -1);
	make(&c, "layout-77");
	assert_int_equal(look(&c).layout, 77);
	assert_int_equal(chmod(c.bpffs_dir, 0777), 0); /* anybody could have made it */
	assert_int_equal(look(&c).layout, 0);
}

static void what_is_there_is_used(void **state)
{
	struct kern_context c = { .bpffs_dir = world_path("places/bpf/bpfshare") };
	struct mountinfo before, after;

	(void)state;
	run_fine(&c, OP_BPFFS_MOUNT);
	run_fine(&c, OP_DIRECTORY_CREATE);
	assert_int_equal(rmdir(arena_printf(world.a, "%s/chains", c.bpffs_dir)), 0);
	assert_false(look(&c).directory_ready);
	assert_int_equal(mountinfo_read(world.a, "self", &before, NULL), 0);
	run_fine(&c, OP_BPFFS_MOUNT);
	run_fine(&c, OP_DIRECTORY_CREATE);
	assert_int_equal(mountinfo_read(world.a, "self", &after, NULL), 0);
	assert_int_equal(before.n, after.n);
	assert_true(look(&c).directory_ready);
}

static void a_directory_that_is_in_use_is_not_mounted_over(void **state)
{
	struct kern_context c = { .bpffs_dir = world_path("places/full/bpfshare") };

	(void)state;
	assert_int_equal(mkdir(world_path("places"), 0755), 0);
	assert_int_equal(chmod(world_path("places"), 0755), 0);
	assert_int_equal(mkdir(world_path("places/full"), 0755), 0);
	assert_int_equal(mkdir(world_path("places/full/thing"), 0755), 0);
	run_fails(&c, OP_BPFFS_MOUNT, "PathNotEmpty");
	assert_int_equal(rmdir(world_path("places/full/thing")), 0);
	assert_int_equal(mount("theirs", world_path("places/full"), "tmpfs", 0, NULL), 0);
	run_fails(&c, OP_BPFFS_MOUNT, "PathInUse");
	assert_false(look(&c).bpffs_mounted);
}

/* On a bpffs with the kernel's default mode of 1777 anybody can be there first. */
static void a_directory_of_somebody_else_is_not_ours(void **state)
{
	struct kern_context c = { .bpffs_dir = world_path("places/bpf/bpfshare") };
	struct op_result r = { 0 };
	char objects[256];

	(void)state;
	run_fine(&c, OP_BPFFS_MOUNT);
	assert_int_equal(chmod(world_path("places/bpf"), 01777), 0);
	assert_int_equal(mkdir(c.bpffs_dir, 0755), 0);
	assert_int_equal(chown(c.bpffs_dir, STRANGER_UID, 0), 0);
	run_fails(&c, OP_DIRECTORY_CREATE, "UntrustedPath");
	assert_int_equal(chown(c.bpffs_dir, 0, 0), 0);
	(void)snprintf(objects, sizeof(objects), "%s/objects", c.bpffs_dir);
	assert_int_equal(mkdir(objects, 0755), 0);
	assert_int_equal(chmod(objects, 0777), 0);
	run_fails(&c, OP_DIRECTORY_CREATE, "UntrustedPath");
	bpffs_apply(&c, world.a, &(struct op){ .kind = OP_DIRECTORY_CREATE }, &r);
	assert_non_null(
		strstr(r.error.text, arena_printf(world.a, "chown root:root %s && chmod 700 %s",
						  objects, objects)));
	assert_int_equal(chmod(objects, 0755), 0);
	run_fine(&c, OP_DIRECTORY_CREATE);
	assert_true(look(&c).directory_ready);
	assert_int_equal(chmod(c.bpffs_dir, 0775), 0);
	assert_false(look(&c).directory_ready);
}

/* Users and groups */

static void replace_file(const char *path, const char *text)
{
	const char *copy = world_path(strrchr(path, '/') + 1);
	FILE *f = fopen(copy, "we");

	assert_non_null(f);
	(void)fputs(text, f);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(copy, 0644), 0);
	assert_int_equal(mount(copy, path, NULL, MS_BIND, NULL), 0);
}

static int begin_names(void **state)
{
	/* Long enough that the first buffer is too small. */
	static char group[20000];
	int n = snprintf(
		group, sizeof(group),
		"root:x:0:\nalone:x:71:\nteam:x:72:ann\ncrowd:x:73:\nself:x:74:selma\nmany:x:75:");

	world_begin(state);
	for (int i = 0; i < 2000; i++)
		n += snprintf(group + n, sizeof(group) - (size_t)n, "%su%d", i ? "," : "", i);
	(void)snprintf(group + n, sizeof(group) - (size_t)n, "\n");
	replace_file("/etc/group", group);
	replace_file("/etc/passwd", "root:x:0:0::/:/bin/sh\n"
				    "alf:x:61:71::/:/bin/sh\n"
				    "tim:x:62:72::/:/bin/sh\n"
				    "carl:x:63:73::/:/bin/sh\n"
				    "cora:x:64:73::/:/bin/sh\n"
				    "selma:x:65:74::/:/bin/sh\n"
				    "lost:x:66:99::/:/bin/sh\n"
				    "4242:x:67:71::/:/bin/sh\n");
	return 0;
}

static int end_names(void **state)
{
	if (umount("/etc/group") < 0 || umount("/etc/passwd") < 0)
		return -1;
	return world_end(state);
}

static struct observed observe_names(const char **users, size_t n, const char **groups, size_t m)
{
	struct observe_request want = { .users = { users, n }, .groups = { groups, m } };
	struct observed o = { 0 };
	struct error e = { 0 };

	if (names_observe(world.a, &want, &o, &e) < 0)
		fail_msg("%s", e.text);
	assert_int_equal(o.name_count, n + m);
	return o;
}

static void users_have_their_primary_group(void **state)
{
	static const struct {
		const char *name;
		uint32_t uid, gid;
		bool is_shared;
	} rows[] = {
		{ "root", 0, 0, false },    { "alf", 61, 71, true }, /* user 67 has it too */
		{ "tim", 62, 72, true },                             /* the group lists ann */
		{ "carl", 63, 73, true },                            /* cora has it too */
		{ "selma", 65, 74, false }, { "lost", 66, 99, false }, { "65", 65, 74, false },
	};
	const char *users[ARRAY_SIZE(rows)];
	struct observed o;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		users[i] = rows[i].name;
	o = observe_names(users, ARRAY_SIZE(rows), NULL, 0);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct observed_name *n = observed_find_name(&o, rows[i].name, false);

		assert_non_null(n);
		assert_true(n->found && !n->is_group);
		assert_int_equal(n->id, rows[i].uid);
		assert_int_equal(n->primary_gid, rows[i].gid);
		assert_int_equal(n->shared_group, rows[i].is_shared);
	}
}

static void groups_are_found_by_name_or_are_numbers(void **state)
{
	const char *groups[] = { "team", "many", "12345", "nobody_at_all", "4294967295" };
	struct observed o = observe_names(NULL, 0, groups, ARRAY_SIZE(groups));

	(void)state;
	assert_int_equal(observed_find_name(&o, "team", true)->id, 72);
	assert_int_equal(observed_find_name(&o, "many", true)->id, 75);
	assert_true(observed_find_name(&o, "12345", true)->found);
	assert_int_equal(observed_find_name(&o, "12345", true)->id, 12345);
	assert_false(observed_find_name(&o, "nobody_at_all", true)->found);
	assert_false(observed_find_name(&o, "4294967295", true)->found);
}

static void unknown_users_are_not_found(void **state)
{
	/* A number is a uid, even where somebody is called that. Its primary group is not known. */
	const char *users[] = { "nobody_at_all", "4242", "team", "" }, *groups[] = { "root" };
	struct observed o = observe_names(users, ARRAY_SIZE(users), groups, 1);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(users); i++)
		assert_false(observed_find_name(&o, users[i], false)->found);
	assert_true(observed_find_name(&o, "root", true)->found);
	assert_null(observed_find_name(&o, "root", false));
}

/* Results */

static void codes_have_a_class_and_a_reason(void **state)
{
	static const struct {
		int code;
		enum failure_class class;
		const char *reason;
	} rows[] = {
		{ -ENOMEM, FAILURE_TRANSIENT, "OutOfMemory" },
		{ -ENOSPC, FAILURE_TRANSIENT, "OutOfSpace" },
		{ -EAGAIN, FAILURE_TRANSIENT, "Interrupted" },
		{ -ENODEV, FAILURE_TRANSIENT, "Vanished" },
		{ -EPERM, FAILURE_KERNEL, "NotPermitted" },
		{ -EINVAL, FAILURE_KERNEL, "KernelRefused" },
		{ -EOPNOTSUPP, FAILURE_KERNEL, "NotSupported" },
		{ -EBUSY, FAILURE_FOREIGN, "Busy" },
		{ -EEXIST, FAILURE_FOREIGN, "Busy" },
		{ -EXFULL, FAILURE_KERNEL, "KernelRefused" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct op_result r = { 0 };

		result_fail(&r, rows[i].code);
		assert_int_equal(r.code, rows[i].code);
		assert_int_equal(r.class, rows[i].class);
		assert_string_equal(r.reason, rows[i].reason);
	}
}

static void a_reason_that_is_known_stays(void **state)
{
	struct op_result r = { .reason = "VerifierRefused" };

	(void)state;
	result_fail(&r, -EPERM);
	assert_string_equal(r.reason, "VerifierRefused");
	assert_int_equal(r.class, FAILURE_KERNEL);
	/* Ours to refuse, somebody else's to put right. */
	r = (struct op_result){ .reason = "UntrustedPath" };
	result_fail(&r, -EPERM);
	assert_int_equal(r.class, FAILURE_FOREIGN);
}

#define NAME_TEST(f) cmocka_unit_test_setup_teardown(f, begin_names, end_names)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(a_directory_is_made_on_a_new_bpffs),
		WORLD_TEST(layouts_are_told_by_their_marks),
		WORLD_TEST(what_is_there_is_used),
		WORLD_TEST(a_directory_that_is_in_use_is_not_mounted_over),
		WORLD_TEST(a_directory_of_somebody_else_is_not_ours),
		NAME_TEST(users_have_their_primary_group),
		NAME_TEST(groups_are_found_by_name_or_are_numbers),
		NAME_TEST(unknown_users_are_not_found),
		WORLD_TEST(codes_have_a_class_and_a_reason),
		WORLD_TEST(a_reason_that_is_known_stays),
	};

	return WORLD_RUN("bpffs", tests);
}
