/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* Where a share may be mounted, and whose mounts are whose. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/macros.h"
#include "base/str.h"
#include "kern/share.h"
#include "kern/syscalls.h"
#include "share_fixture.h"

static void make_directory(const char *path, mode_t mode, uid_t owner)
{
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(chown(path, owner, 0), 0);
	assert_int_equal(chmod(path, mode), 0);
}

static void make_file(const char *path)
{
	assert_int_equal(close(open(path, O_CREAT | O_WRONLY, 0600)), 0);
}

static bool exists(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

/* An empty share: what is in it does not matter here. */
static struct op share_at(const char *relative)
{
	struct op op = share_op(OP_SHARE_MOUNT, "d", world_path(relative));

	op.share.read_only = true;
	return op;
}

static void refused_at(const char *relative, const char *reason, const char *words)
{
	struct op op = share_at(relative);
	const char *paths[] = { op.share.path };
	struct observed before = observe(paths, 1), after;

	apply_fails(&op, reason, FAILURE_FOREIGN, words);
	after = observe(paths, 1);
	assert_int_equal(before.mount_count, after.mount_count);
}

static int begin_places(void **state)
{
	world_begin(state);
	make_directory(world_path("places"), 0755, 0);
	return 0;
}

static void missing_directories_are_made(void **state)
{
	struct op op = share_at("places/one/two/three");
	struct stat st;

	(void)state;
	apply_fine(&op);
	assert_int_equal(stat(world_path("places/one/two"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0755);
	assert_int_equal(st.st_uid, 0);
	assert_true(observe_at(op.share.path).ours);
}

static void an_empty_directory_is_used(void **state)
{
	struct op op = share_at("places/empty");

	(void)state;
	make_directory(op.share.path, 0700, 0);
	apply_fine(&op);
	assert_true(observe_at(op.share.path).ours);
}

static void directories_of_others_are_not_trusted(void **state)
{
	(void)state;
	make_directory(world_path("places/theirs"), 0755, STRANGER_UID);
	make_directory(world_path("places/theirs/ours"), 0755, 0);
	refused_at("places/theirs", "UntrustedPath", "/places/theirs does not belong to root");
	refused_at("places/theirs/d", "UntrustedPath", "/places/theirs does not belong to root");
	refused_at("places/theirs/ours", "UntrustedPath", "/places/theirs does not belong to root");
	refused_at("places/theirs/ours/d", "UntrustedPath", "/places/theirs does not belong");
	assert_false(exists(world_path("places/theirs/d")));
	assert_false(exists(world_path("places/theirs/ours/d")));
}

static void directories_that_others_write_to_are_not_trusted(void **state)
{
	(void)state;
	make_directory(world_path("places/all"), 0777, 0);
	make_directory(world_path("places/group"), 0775, 0);
	make_directory(world_path("places/all/theirs"), 0755, STRANGER_UID);
	refused_at("places/all", "UntrustedPath", "can be written by others");
	refused_at("places/all/d", "UntrustedPath", "/places/all can be written by others");
	refused_at("places/group/d", "UntrustedPath", "/places/group can be written by others");
}

/* Such as /tmp: what root owns in it stays where it is. */
/* What is below the run directory we have made, and only root can have changed. */
static void places_of_our_own_are_made_good(void **state)
{
	struct op op = share_at("run/shares/d/maps");
	struct stat st;

	(void)state;
	apply_fine(&op);
	assert_int_equal(umount2(op.share.path, 0), 0);
	assert_int_equal(chmod(op.share.path, 0777), 0);
	assert_int_equal(chown(world_path("run/shares/d"), 4242, 4242), 0);
	apply_fine(&op);
	assert_int_equal(stat(world_path("run/shares/d"), &st), 0);
	assert_int_equal(st.st_uid, 0);
	assert_int_equal(st.st_mode & 07777, 0755);
	assert_int_equal(umount2(op.share.path, 0), 0);
	assert_int_equal(stat(op.share.path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0755);
}

static void sticky_directories_are_trusted_but_not_all_that_is_in_them(void **state)
{
	struct op op = share_at("places/tmp/afxdp_dp/eth0");

	(void)state;
	make_directory(world_path("places/tmp"), 01777, 0);
	apply_fine(&op);
	make_directory(world_path("places/tmp/theirs"), 0755, STRANGER_UID);
	refused_at("places/tmp/theirs/eth0", "UntrustedPath", "does not belong to root");
	make_directory(world_path("places/their_tmp"), 01777, STRANGER_UID);
	refused_at("places/their_tmp/eth0", "UntrustedPath", "does not belong to root");
}

static void links_and_files_are_no_way_to_a_share(void **state)
{
	(void)state;
	make_directory(world_path("places/real"), 0755, 0);
	make_file(world_path("places/file"));
	assert_int_equal(symlink("real", world_path("places/link")), 0);
	refused_at("places/link", "UntrustedPath", "/places/link is no directory");
	refused_at("places/link/d", "UntrustedPath", "/places/link is no directory");
	refused_at("places/file", "UntrustedPath", "/places/file is no directory");
	refused_at("places/real/../d", "UntrustedPath", "goes in circles");
	assert_false(exists(world_path("places/real/d")));
}

static void a_relative_path_is_refused(void **state)
{
	struct op op = share_op(OP_SHARE_MOUNT, "d", "tmp/d");

	(void)state;
	apply_fails(&op, "UntrustedPath", FAILURE_FOREIGN, "no absolute path");
}

static void what_a_directory_holds_is_not_hidden(void **state)
{
	(void)state;
	make_directory(world_path("places/full"), 0755, 0);
	make_file(world_path("places/full/.hidden"));
	refused_at("places/full", "PathNotEmpty", "/places/full is not empty");
}

static void foreign_mounts_are_left_alone(void **state)
{
	struct op op = share_at("places/theirs");
	struct observed_mount m;

	(void)state;
	make_directory(op.share.path, 0755, 0);
	assert_int_equal(mount("theirs", op.share.path, "tmpfs", 0, NULL), 0);
	refused_at("places/theirs", "PathInUse", "theirs of type tmpfs");
	op.share.replace = true;
	apply_fails(&op, "PathInUse", FAILURE_FOREIGN, "unmount it or give the share another path");
	op.kind = OP_SHARE_SEAL;
	apply_fails(&op, "PathInUse", FAILURE_FOREIGN, "theirs");
	op.kind = OP_SHARE_UNMOUNT;
	apply_fine(&op); /* nothing of ours is there any more */
	m = observe_at(op.share.path);
	assert_false(m.ours || m.covered);
	assert_int_equal(m.stacked, 0);
	assert_null(m.share);
}

static void shares_of_another_daemon_are_foreign(void **state)
{
	struct op op = share_at("places/d");
	struct observed o;

	(void)state;
	(void)strcpy(world.c.tag, "deadbeef");
	apply_fine(&op);
	(void)strcpy(world.c.tag, "0badcafe");
	refused_at("places/d", "PathInUse", "bpfshare:deadbeef:d of type bpf");
	assert_false(observe_at(op.share.path).ours);
	o = observe(NULL, 0);
	assert_int_equal(o.mount_count, 0);
}

/* What is covered can be recognised from outside only where the source is kept. */
static void skip_without_source(void)
{
	if (mount_keeps_source(NULL) == 0) {
		print_message("# this kernel does not keep the source of a bpffs\n");
		skip();
	}
}

static void a_share_that_is_covered_says_so(void **state)
{
	const char *path = mount_sealed("d");
	struct op op = share_op(OP_SHARE_UNMOUNT, "d", path);
	struct observed_mount m;

	(void)state;
	skip_without_source();
	assert_int_equal(mount("theirs", path, "tmpfs", 0, NULL), 0);
	m = observe_at(path);
	assert_true(m.ours && m.covered);
	assert_string_equal(m.cover, path);
	assert_string_equal(m.share, "d");
	assert_int_equal(m.stacked, 1);
	assert_int_equal(m.pin_count, 0);
	apply_fails(&op, "PathInUse", FAILURE_FOREIGN, "covered");
	assert_int_equal(umount(path), 0);
	m = observe_at(path);
	assert_true(m.ours && !m.covered);
	assert_int_equal(m.pin_count, 1);
}

static void a_share_below_a_covered_directory_says_so(void **state)
{
	const char *path = mount_sealed("d");
	struct op op = share_op(OP_SHARE_UNMOUNT, "d", path);
	struct observed_mount m;

	(void)state;
	skip_without_source();
	assert_int_equal(mount("theirs", world_path("run/shares"), "tmpfs", 0, NULL), 0);
	m = observe_at(path);
	assert_true(m.ours && m.covered);
	assert_string_equal(m.cover, world_path("run/shares"));
	apply_fails(&op, "PathInUse", FAILURE_FOREIGN,
		    arena_printf(world.a, "umount -l %s", world_path("run/shares")));
	assert_int_equal(umount(world_path("run/shares")), 0);
	assert_false(observe_at(path).covered);
}

static void shares_that_nobody_asked_for_are_found(void **state)
{
	const char *d = mount_sealed("d"), *f = mount_writable("f");
	struct op op = share_at("places/else");
	struct observed o;

	(void)state;
	op.share.share = "e";
	apply_fine(&op);
	o = observe(&d, 1);
	assert_int_equal(o.mount_count, 3);
	assert_string_equal(o.mounts[0].path, op.share.path);
	assert_string_equal(o.mounts[0].share, "e");
	assert_string_equal(o.mounts[1].path, d);
	assert_string_equal(o.mounts[2].path, f);
	assert_int_equal(o.mounts[2].pin_count, 2);
}

/* A bind mount carries our mark, but whoever made it did not ask us to unmount it. */
static void copies_that_somebody_bound_are_left_alone(void **state)
{
	const char *path = mount_sealed("d"), *copy = world_path("places/copy");
	struct op op = share_op(OP_SHARE_UNMOUNT, "d", path);
	struct observed o;

	(void)state;
	make_directory(copy, 0755, 0);
	assert_int_equal(mount(path, copy, NULL, MS_BIND, NULL), 0);
	o = observe(&path, 1);
	assert_int_equal(o.mount_count, 1);
	assert_string_equal(o.mounts[0].path, path);
	/* Even when nothing asks for the share any more. */
	o = observe(NULL, 0);
	assert_int_equal(o.mount_count, 1);
	assert_string_equal(o.mounts[0].path, path);
	apply_fine(&op);
	assert_int_equal(umount(copy), 0);
}

static void unmounting_removes_what_mounting_made(void **state)
{
	struct op inside = share_op(OP_SHARE_UNMOUNT, "d", mount_sealed("d"));
	struct op outside = share_at("places/a/b");

	(void)state;
	make_file(world_path("run/other"));
	apply_fine(&inside);
	assert_false(exists(world_path("run/shares")));
	assert_true(exists(world_path("run/other")));
	/*
	 * The daemon's own directory stays, and so do directories elsewhere that may be
	 * somebody's.
	 */
	assert_int_equal(unlink(world_path("run/other")), 0);
	inside = share_op(OP_SHARE_UNMOUNT, "d", mount_sealed("d"));
	apply_fine(&inside);
	assert_true(exists(world_path("run")));
	apply_fine(&outside);
	outside.kind = OP_SHARE_UNMOUNT;
	apply_fine(&outside);
	assert_false(exists(world_path("places/a/b")));
	assert_true(exists(world_path("places/a")));
	apply_fine(&outside); /* that it is gone already is fine */
}

static void unmounting_works_while_in_use(void **state)
{
	const char *path = mount_sealed("d");
	struct op op = share_op(OP_SHARE_UNMOUNT, "d", path);
	cleanup(closep) int user = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	(void)state;
	assert_true(user >= 0);
	apply_fine(&op);
	assert_false(exists(path));
}

static void unmounting_takes_all_of_a_stack(void **state)
{
	const char *path = mount_sealed("d");
	struct op op = share_op(OP_SHARE_UNMOUNT, "d", path);

	(void)state;
	assert_int_equal(mount(path, path, NULL, MS_BIND, NULL), 0);
	assert_int_equal(observe_at(path).stacked, mount_keeps_source(NULL) ? 2 : 1);
	apply_fine(&op);
	assert_int_equal(observe(&path, 1).mount_count, 0);
	assert_false(exists(path));
}

static void another_share_at_the_path_is_replaced(void **state)
{
	const char *path = mount_sealed("d");
	struct op op = share_op(OP_SHARE_MOUNT, "e", path);
	struct observed_mount m;

	(void)state;
	op.share.replace = true;
	apply_fine(&op);
	m = observe_at(path);
	assert_string_equal(m.share, "e");
	assert_int_equal(m.stacked, 1);
	op.kind = OP_SHARE_SEAL;
	op.share.share = "d";
	apply_fails(&op, "Vanished", FAILURE_TRANSIENT, "not there any more");
}

static void a_private_parent_is_mentioned(void **state)
{
	struct op op = share_at("places/private/d");
	struct op_result r;

	(void)state;
	make_directory(world_path("places/private"), 0755, 0);
	assert_int_equal(mount("x", world_path("places/private"), "tmpfs", 0, "mode=0755"), 0);
	assert_int_equal(mount(NULL, world_path("places/private"), NULL, MS_PRIVATE, NULL), 0);
	r = apply(&op);
	assert_int_equal(r.code, 0);
	assert_non_null(strstr(r.note, "--make-shared"));
	op = share_at("places/d");
	r = apply(&op);
	assert_int_equal(r.code, 0);
	assert_null(r.note);
}

static int mount_as_stranger(const char *path)
{
	struct op op = share_op(OP_SHARE_MOUNT, "d", path);
	struct op_result r = { 0 };

	share_apply(&world.c, world.a, &op, &r);
	return r.code < 0 && str_eq(r.reason, "NotPermitted") && r.class == FAILURE_KERNEL ? 0 : 1;
}

static void without_privilege_nothing_is_mounted(void **state)
{
	const char *path = world_path("places/empty");

	(void)state;
	assert_int_equal(as_user(STRANGER_UID, STRANGER_GID, mount_as_stranger, path), 0);
	make_directory(path, 0755, 0);
	assert_int_equal(as_user(STRANGER_UID, STRANGER_GID, mount_as_stranger, path), 0);
	assert_int_equal(observe(&path, 1).mount_count, 0);
}

static int namespace_at_start = -1;

static void another_mount_namespace_is_noticed(void **state)
{
	struct error e = { 0 };

	(void)state;
	if (namespace_at_start != -EXDEV) /* the whole run can be in one */
		assert_int_equal(namespace_at_start, 0);
	assert_int_equal(share_check_namespace(&e), -EXDEV);
	assert_non_null(strstr(e.text, "mount namespace of its own"));
}

#define PLACE_TEST(f) cmocka_unit_test_setup_teardown(f, begin_places, world_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		PLACE_TEST(missing_directories_are_made),
		PLACE_TEST(an_empty_directory_is_used),
		PLACE_TEST(directories_of_others_are_not_trusted),
		PLACE_TEST(directories_that_others_write_to_are_not_trusted),
		PLACE_TEST(places_of_our_own_are_made_good),
		PLACE_TEST(sticky_directories_are_trusted_but_not_all_that_is_in_them),
		PLACE_TEST(links_and_files_are_no_way_to_a_share),
		PLACE_TEST(a_relative_path_is_refused),
		PLACE_TEST(what_a_directory_holds_is_not_hidden),
		PLACE_TEST(foreign_mounts_are_left_alone),
		PLACE_TEST(shares_of_another_daemon_are_foreign),
		PLACE_TEST(a_share_that_is_covered_says_so),
		PLACE_TEST(a_share_below_a_covered_directory_says_so),
		PLACE_TEST(shares_that_nobody_asked_for_are_found),
		PLACE_TEST(copies_that_somebody_bound_are_left_alone),
		PLACE_TEST(unmounting_removes_what_mounting_made),
		PLACE_TEST(unmounting_works_while_in_use),
		PLACE_TEST(unmounting_takes_all_of_a_stack),
		PLACE_TEST(another_share_at_the_path_is_replaced),
		PLACE_TEST(a_private_parent_is_mentioned),
		PLACE_TEST(without_privilege_nothing_is_mounted),
		PLACE_TEST(another_mount_namespace_is_noticed),
	};

	/* Before the world makes a namespace of its own, we are in that of whoever ran the test. */
	namespace_at_start = share_check_namespace(NULL);
	return WORLD_RUN("share_place", tests);
}
