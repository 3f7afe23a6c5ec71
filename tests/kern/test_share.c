/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* Who can do what with a share, and what becomes of it while it changes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/macros.h"
#include "base/str.h"
#include "kern/share.h"
#include "kern/syscalls.h"
#include "model/layout.h"
#include "share_fixture.h"

static const char *below(const char *dir, const char *name)
{
	return arena_printf(world.a, "%s/%s", dir, name);
}

static void assert_owner(const char *path, mode_t mode)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, mode);
	assert_int_equal(st.st_uid, 0);
	assert_int_equal(st.st_gid, SHARE_GID);
}

static void seal(const char *path, bool read_only)
{
	cleanup(closep) int fd = open(path, O_PATH | O_CLOEXEC);

	assert_int_equal(superblock_set_read_only(fd, read_only, NULL), 0);
}

/* Children: 0 or errno. */

static int can_read(const char *path)
{
	uint32_t key = 0;
	uint64_t value;
	int fd = open_read(path);

	if (fd < 0)
		return -fd;
	return bpf_map_lookup_elem(fd, &key, &value) < 0 ? errno : 0;
}

static int can_write(const char *path)
{
	uint32_t key = 0;
	uint64_t value = 42;
	int fd = open_write(path);

	if (fd < 0)
		return -fd;
	return bpf_map_update_elem(fd, &key, &value, 0) < 0 ? errno : 0;
}

static int can_write_what_it_reads(const char *path)
{
	uint32_t key = 0;
	uint64_t value = 42;
	int fd = open_read(path);

	if (fd < 0)
		return 255;
	return bpf_map_update_elem(fd, &key, &value, 0) < 0 ? errno : 0;
}

/* The way around read-only access: pin the descriptor again where one may write, and open that. */
static int can_pin_again(const char *path)
{
	char again[256];
	int fd = open_read(path);

	if (fd < 0)
		return 255;
	(void)snprintf(again, sizeof(again), "%.*s/again", (int)(strrchr(path, '/') - path), path);
	return bpf_obj_pin(fd, again) < 0 ? errno : 0;
}

static int can_remove(const char *path)
{
	return unlink(path) < 0 ? errno : 0;
}

/* A moment without the share, or with it open for writing, ends these. */
static int is_there(const char *path)
{
	int fd = open_read(path);

	if (fd < 0)
		return -fd;
	(void)close(fd);
	return 0;
}

static int is_not_writable(const char *path)
{
	int fd = open_write(path);

	if (fd >= 0)
		return 255;
	return fd == -EROFS ? 0 : -fd;
}

/* Mounting */

static void a_share_is_what_was_asked_for(void **state)
{
	const char *path = mount_sealed("d");
	struct observed_mount m = observe_at(path);

	(void)state;
	assert_owner(path, 0750);
	assert_owner(below(path, "a"), 0440);
	assert_true(m.ours && m.read_only && m.shared && !m.covered);
	assert_string_equal(m.share, "d");
	assert_int_equal(m.stacked, 1);
	assert_int_equal(m.uid, 0);
	assert_int_equal(m.gid, SHARE_GID);
	assert_int_equal(m.mode, 0750);
	assert_int_equal(m.pin_count, 1);
	assert_string_equal(m.pins[0].name, "a");
	assert_int_equal(m.pins[0].map_id, world.id_a);
	assert_int_equal(m.pins[0].gid, SHARE_GID);
	assert_int_equal(m.pins[0].mode, 0440);
}

static void a_writable_share_is_not_sealed(void **state)
{
	struct observed_mount m = observe_at(mount_writable("d"));

	(void)state;
	assert_true(m.ours && !m.read_only && m.shared);
	assert_int_equal(m.pin_count, 2);
	assert_string_equal(m.pins[0].name, "r");
	assert_int_equal(m.pins[0].map_id, world.id_b);
	assert_int_equal(m.pins[0].mode, 0440);
	assert_string_equal(m.pins[1].name, "w");
	assert_int_equal(m.pins[1].map_id, world.id_a);
	assert_int_equal(m.pins[1].mode, 0660);
}

static void a_share_of_a_missing_map_is_not_mounted(void **state)
{
	const char *path = world_path("run/shares/d/maps");
	struct op op = share_op(OP_SHARE_MOUNT, "d", path);
	struct op_share_pin pins[] = { share_pin("a", "a", 0440), share_pin("c", "c", 0440) };

	(void)state;
	op.share.pins = pins;
	op.share.pin_count = 2;
	apply_fails(&op, "Vanished", FAILURE_TRANSIENT, "open map x/c");
	assert_int_equal(observe(&path, 1).mount_count, 0);
}

/* Access */

static void skip_where_unprivileged_bpf_is_blocked(void)
{
	if (unprivileged_bpf_is_blocked()) {
		print_message(
			"# unprivileged bpf(2) is blocked by kernel.unprivileged_bpf_disabled\n");
		skip();
	}
}

static void members_read_a_sealed_share(void **state)
{
	const char *pin = below(mount_sealed("d"), "a");

	(void)state;
	skip_where_unprivileged_bpf_is_blocked();
	assert_int_equal(as_user(MEMBER_UID, SHARE_GID, can_read, pin), 0);
	assert_int_equal(as_user(MEMBER_UID, SHARE_GID, can_write, pin), EROFS);
	assert_int_equal(as_user(MEMBER_UID, SHARE_GID, can_write_what_it_reads, pin), EPERM);
	assert_int_equal(as_user(MEMBER_UID, SHARE_GID, can_pin_again, pin), EROFS);
	assert_int_equal(as_user(MEMBER_UID, SHARE_GID, can_remove, pin), EROFS);
}

static void strangers_open_nothing(void **state)
{
	const char *sealed = below(mount_sealed("d"), "a"), *open = below(mount_writable("e"), "w");

	(void)state;
	skip_where_unprivileged_bpf_is_blocked();
	assert_int_equal(as_user(STRANGER_UID, STRANGER_GID, can_read, sealed), EACCES);
	assert_int_equal(as_user(STRANGER_UID, STRANGER_GID, can_read, open), EACCES);
	assert_int_equal(as_user(STRANGER_UID, STRANGER_GID, can_write, open), EACCES);
	/* The mode of the pin counts on its own where the directory is open to all. */
	assert_int_equal(chmod(world_path("run/shares/e/maps"), 0755), 0);
	assert_int_equal(as_user(STRANGER_UID, STRANGER_GID, can_read, open), EACCES);
}

static void members_write_where_they_may(void **state)
{
	const char *path = mount_writable("d");
	const char *w = below(path, "w"), *r = below(path, "r");
	uint32_t key = 0;
	uint64_t value = 0;

	(void)state;
	skip_where_unprivileged_bpf_is_blocked();
	assert_int_equal(bpf_map_update_elem(world.map_a, &key, &value, 0), 0);
	assert_int_equal(as_user(MEMBER_UID, SHARE_GID, can_write, w), 0);
	assert_int_equal(bpf_map_lookup_elem(world.map_a, &key, &value), 0);
	assert_int_equal(value, 42);
	assert_int_equal(as_user(MEMBER_UID, SHARE_GID, can_read, r), 0);
	assert_int_equal(as_user(MEMBER_UID, SHARE_GID, can_write, r), EACCES);
	assert_int_equal(as_user(MEMBER_UID, SHARE_GID, can_pin_again, r), EACCES);
	assert_int_equal(as_user(MEMBER_UID, SHARE_GID, can_remove, w), EACCES);
}

static void even_root_only_reads_a_sealed_share(void **state)
{
	const char *pin = below(mount_sealed("d"), "a");

	(void)state;
	assert_int_equal(can_read(pin), 0);
	assert_int_equal(can_write(pin), EROFS);
	assert_int_equal(can_pin_again(pin), EROFS);
	assert_int_equal(can_remove(pin), EROFS);
}

/* Small changes */

static void a_pin_is_replaced_without_a_gap(void **state)
{
	const char *path = mount_writable("d"), *pin = below(path, "w");
	struct op op = share_op(OP_SHARE_PIN, "d", path);
	struct prober *p = prober_start(is_there, pin);
	unsigned long rounds;
	struct observed_mount m;

	(void)state;
	for (int i = 0; i < 50; i++) {
		struct op_share_pin to = share_pin("w", i % 2 ? "a" : "b", 0660);

		op.share.pins = &to;
		op.share.pin_count = 1;
		apply_fine(&op);
		prober_wait(p, 1);
	}
	assert_int_equal(prober_stop(p, &rounds), 0);
	assert_true(rounds >= 50);
	m = observe_at(path);
	assert_int_equal(m.pin_count, 2);
	assert_int_equal(m.pins[1].map_id, world.id_a);
	assert_owner(pin, 0660);
}

static void left_over_temporary_pins_are_seen_and_in_nobodys_way(void **state)
{
	const char *path = mount_writable("d");
	struct op op = share_op(OP_SHARE_PIN, "d", path);
	struct op_share_pin pin = share_pin("n", "b", 0440);
	struct observed_mount m;

	(void)state;
	assert_int_equal(bpf_obj_pin(world.map_a, below(path, "~n")), 0);
	m = observe_at(path);
	assert_int_equal(m.pin_count, 3);
	assert_string_equal(m.pins[2].name, "~n");
	op.share.pins = &pin;
	op.share.pin_count = 1;
	apply_fine(&op);
	m = observe_at(path);
	assert_int_equal(m.pin_count, 3);
	assert_string_equal(m.pins[0].name, "n");
	assert_int_equal(m.pins[0].map_id, world.id_b);
}

static void pins_owners_and_modes_are_repaired(void **state)
{
	const char *path = mount_writable("d"), *pin = below(path, "w");
	struct op op = share_op(OP_SHARE_OWNER, "d", path);

	(void)state;
	assert_int_equal(chown(pin, MEMBER_UID, STRANGER_GID), 0);
	assert_int_equal(chmod(pin, 0666), 0);
	op.share.pin = "w";
	op.share.mode = 0660;
	apply_fine(&op);
	assert_owner(pin, 0660);
	assert_int_equal(chown(path, MEMBER_UID, STRANGER_GID), 0);
	assert_int_equal(chmod(path, 01777), 0);
	op.share.pin = NULL;
	op.share.mode = 0710;
	apply_fine(&op);
	assert_owner(path, 0710);
	op.kind = OP_SHARE_UNPIN;
	op.share.pin = "w";
	apply_fine(&op);
	apply_fine(&op); /* that it is gone already is fine */
	assert_int_equal(observe_at(path).pin_count, 1);
}

/* A consumer that is root could point us at a file of the host. */
static void links_in_the_place_of_pins_are_not_followed(void **state)
{
	const char *path = mount_writable("d"), *victim = world_path("run/victim");
	struct op op = share_op(OP_SHARE_OWNER, "d", path);
	struct observed_mount m;
	struct stat st;

	(void)state;
	assert_int_equal(close(open(victim, O_CREAT | O_WRONLY, 0600)), 0);
	assert_int_equal(symlink(victim, below(path, "link")), 0);
	assert_int_equal(symlink(below(path, "w"), below(path, "map")), 0);
	assert_int_equal(mkdir(below(path, "dir"), 0700), 0);
	m = observe_at(path);
	assert_int_equal(m.pin_count, 5);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(m.pins[i].map_id, 0);
	op.share.pin = "link";
	op.share.mode = 0666;
	(void)apply(&op);
	assert_int_equal(stat(victim, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	op.kind = OP_SHARE_UNPIN;
	op.share.pin = "dir";
	apply_fine(&op);
	op.share.pin = "link";
	apply_fine(&op);
	assert_int_equal(stat(victim, &st), 0);
	assert_int_equal(observe_at(path).pin_count, 3);
}

/* A consumer that is root can make a directory, which no rename replaces. */
static void directories_in_the_place_of_pins_give_way(void **state)
{
	const char *path = mount_writable("d"), *victim = world_path("run/victim");
	struct op op = share_op(OP_SHARE_PIN, "d", path);
	struct op_share_pin pin = share_pin("w", "b", 0660);
	struct observed_mount m;
	struct stat st;

	(void)state;
	assert_int_equal(close(open(victim, O_CREAT | O_WRONLY, 0600)), 0);
	assert_int_equal(unlink(below(path, "w")), 0);
	assert_int_equal(mkdir(below(path, "w"), 0700), 0);
	assert_int_equal(mkdir(below(path, "w/x"), 0700), 0);
	assert_int_equal(symlink(world_path("run"), below(path, "w/x/out")), 0);
	assert_int_equal(bpf_obj_pin(world.map_a, below(path, "w/x/map")), 0);
	assert_int_equal(mkdir(below(path, "~w"), 0700), 0);
	assert_int_equal(mkdir(below(path, "~w/x"), 0700), 0);
	op.share.pins = &pin;
	op.share.pin_count = 1;
	apply_fine(&op);
	m = observe_at(path);
	assert_int_equal(m.pin_count, 2);
	assert_string_equal(m.pins[1].name, "w");
	assert_int_equal(m.pins[1].map_id, world.id_b);
	assert_owner(below(path, "w"), 0660);
	assert_int_equal(stat(victim, &st), 0);
	assert_int_equal(unlink(below(path, "w")), 0);
	assert_int_equal(symlink(victim, below(path, "w")), 0);
	apply_fine(&op);
	assert_int_equal(observe_at(path).pins[1].map_id, world.id_b);
	assert_int_equal(stat(victim, &st), 0);
}

static void a_file_mounted_over_a_pin_is_no_map(void **state)
{
	const char *path = mount_writable("d");
	struct observed_mount m;

	(void)state;
	assert_int_equal(mount(below(path, "r"), below(path, "w"), NULL, MS_BIND, NULL), 0);
	m = observe_at(path);
	assert_int_equal(m.pins[0].map_id, world.id_b);
	assert_int_equal(m.pins[1].map_id, 0);
}

static void an_opened_seal_is_closed_again(void **state)
{
	const char *path = mount_sealed("d");
	struct op op = share_op(OP_SHARE_SEAL, "d", path);

	(void)state;
	seal(path, false);
	assert_int_equal(mount(NULL, path, NULL, MS_PRIVATE, NULL), 0);
	assert_false(observe_at(path).read_only);
	assert_false(observe_at(path).shared);
	op.share.read_only = true;
	apply_fine(&op);
	assert_true(observe_at(path).read_only);
	assert_true(observe_at(path).shared);
	op.share.read_only = false;
	apply_fine(&op);
	assert_false(observe_at(path).read_only);
}

/* Changes of a sealed share */

static struct op replacement(const char *path, struct op_share_pin *pin)
{
	struct op op = share_op(OP_SHARE_MOUNT, "d", path);

	op.share.read_only = true;
	op.share.replace = true;
	op.share.pins = pin;
	op.share.pin_count = 1;
	return op;
}

/* Replaces the sealed share several times, with map b at the end. */
static void replace_often(const char *path, struct prober *p)
{
	for (int i = 0; i < 11; i++) {
		struct op_share_pin pin = share_pin("a", i % 2 ? "a" : "b", 0440);
		struct op op = replacement(path, &pin);

		apply_fine(&op);
		if (p)
			prober_wait(p, 1);
	}
}

static void a_sealed_share_is_replaced_without_a_gap(void **state)
{
	const char *path = mount_sealed("d");
	struct prober *p = prober_start(is_there, below(path, "a"));
	unsigned long rounds;
	struct observed_mount m;

	(void)state;
	replace_often(path, p);
	assert_int_equal(prober_stop(p, &rounds), 0);
	assert_true(rounds >= 11);
	m = observe_at(path);
	assert_true(m.ours && m.read_only && m.shared);
	assert_int_equal(m.stacked, 1);
	assert_int_equal(m.pins[0].map_id, world.id_b);
	assert_owner(path, 0750);
	assert_owner(below(path, "a"), 0440);
}

static void a_sealed_share_is_replaced_without_a_window(void **state)
{
	const char *path = mount_sealed("d");
	struct prober *p;
	unsigned long rounds;

	(void)state;
	if (!share_can_mount_beneath()) {
		print_message("# no mounting beneath another mount before Linux 6.5\n");
		skip();
	}
	p = prober_start(is_not_writable, below(path, "a"));
	replace_often(path, p);
	assert_int_equal(prober_stop(p, &rounds), 0);
	assert_true(rounds >= 11);
}

static void a_replacement_changes_everything(void **state)
{
	const char *path = mount_sealed("d");
	struct op_share_pin pin = share_pin("other", "b", 0440);
	struct op op = replacement(path, &pin);
	struct op_result r;
	struct observed_mount m;

	(void)state;
	op.share.gid = STRANGER_GID;
	op.share.mode = 0710;
	r = apply(&op);
	assert_int_equal(r.code, 0);
	/* Where there was no way but to open the seal, that is said. */
	if (share_can_mount_beneath())
		assert_null(r.reason);
	else
		assert_string_equal(r.reason, "ReadOnlyWindow");
	m = observe_at(path);
	assert_true(m.read_only);
	assert_int_equal(m.gid, STRANGER_GID);
	assert_int_equal(m.mode, 0710);
	assert_int_equal(m.pin_count, 1);
	assert_string_equal(m.pins[0].name, "other");
	assert_int_equal(m.pins[0].gid, STRANGER_GID);
}

static void a_sealed_share_can_become_writable(void **state)
{
	const char *path = mount_sealed("d");
	struct op_share_pin pin = share_pin("a", "a", 0660);
	struct op op = replacement(path, &pin);

	(void)state;
	op.share.read_only = false;
	apply_fine(&op);
	assert_false(observe_at(path).read_only);
	op.share.read_only = true;
	apply_fine(&op);
	assert_true(observe_at(path).read_only);
}

static void a_container_that_bound_the_directory_above_sees_a_replacement(void **state)
{
	struct container *early, *late;
	const char *path;

	(void)state;
	assert_int_equal(mkdir(world_path("run/shares"), 0755), 0);
	early = container_start(world_path("run/shares"));
	assert_int_equal(container_map_id(early, "d/maps/a"), 0);
	path = mount_sealed("d");
	assert_int_equal(container_map_id(early, "d/maps/a"), world.id_a);
	late = container_start(world_path("run/shares"));
	replace_often(path, NULL);
	assert_int_equal(container_map_id(early, "d/maps/a"), world.id_b);
	assert_int_equal(container_map_id(late, "d/maps/a"), world.id_b);
	container_stop(early);
	container_stop(late);
}

/* The directory above, bound elsewhere on the host: what is mounted there follows by itself. */
static void a_second_way_to_the_path_follows(void **state)
{
	const char *path = world_path("run/shares/d/maps"), *way = world_path("seen");
	struct op op = share_op(OP_SHARE_UNMOUNT, "d", path);
	struct op_share_pin pin = share_pin("a", "b", 0440);
	struct op replace = replacement(path, &pin);
	uint32_t id = 0;
	cleanup(closep) int dir = -1;

	(void)state;
	assert_int_equal(mount(world_path("run"), way, NULL, MS_BIND, NULL), 0);
	assert_string_equal(mount_sealed("d"), path);
	assert_int_equal(observe(NULL, 0).mount_count, 1);
	assert_string_equal(observe(NULL, 0).mounts[0].path, path);
	apply_fine(&replace);
	assert_int_equal(observe(NULL, 0).mount_count, 1);
	dir = open(below(way, "shares/d/maps"), O_PATH | O_CLOEXEC);
	assert_int_equal(share_pin_map_id(dir, "a", &id, NULL), 0);
	assert_int_equal(id, world.id_b);
	apply_fine(&op);
	assert_int_equal(observe(NULL, 0).mount_count, 0);
	assert_int_equal(observe(&way, 1).mounts[0].ours, false);
}

static void a_container_that_bound_the_path_sees_changes_of_pins(void **state)
{
	const char *path = mount_writable("d");
	struct container *c = container_start(path);
	struct op op = share_op(OP_SHARE_PIN, "d", path);
	struct op_share_pin pin = share_pin("w", "b", 0660);

	(void)state;
	assert_int_equal(container_map_id(c, "w"), world.id_a);
	op.share.pins = &pin;
	op.share.pin_count = 1;
	apply_fine(&op);
	assert_int_equal(container_map_id(c, "w"), world.id_b);
	container_stop(c);
}

/* As a crash between moving the new instance beneath and unmounting the old one leaves it. */
static void the_lowest_of_several_is_kept(void **state)
{
	const char *path = mount_sealed("d"),
		   *source = layout_mount_source(world.a, "0badcafe", "d");
	struct op op = share_op(OP_SHARE_SEAL, "d", path);
	struct op_share_pin pin = share_pin("a", "b", 0440);

	(void)state;
	if (mount_keeps_source(NULL) == 0) {
		/* there is no mounting beneath on such a kernel either */
		print_message("# this kernel does not keep the source of a bpffs\n");
		skip();
	}
	for (int i = 0; i < 2; i++) {
		cleanup(closep) int mount = -1, target = open(path, O_PATH | O_CLOEXEC);

		assert_int_equal(mount_create_bpffs(source, &mount, NULL), 0);
		assert_int_equal(mount_move(mount, target, false, NULL), 0);
	}
	assert_int_equal(observe_at(path).stacked, 3);
	assert_int_equal(observe_at(path).pin_count, 0);
	op.share.read_only = true;
	apply_fine(&op);
	assert_int_equal(observe_at(path).stacked, 1);
	assert_int_equal(observe_at(path).pins[0].map_id, world.id_a);
	/* A replacement does it on its way. */
	{
		cleanup(closep) int mount = -1, target = open(path, O_PATH | O_CLOEXEC);

		assert_int_equal(mount_create_bpffs(source, &mount, NULL), 0);
		assert_int_equal(mount_move(mount, target, false, NULL), 0);
	}
	op = replacement(path, &pin);
	apply_fine(&op);
	assert_int_equal(observe_at(path).stacked, 1);
	assert_int_equal(observe_at(path).pins[0].map_id, world.id_b);
}

/* The window of kernels that cannot mount beneath; the operations work on all. */

static void a_sealed_share_changes_only_through_a_window(void **state)
{
	const char *path = mount_sealed("d");
	struct op op = share_op(OP_SHARE_PIN, "d", path);
	struct op_share_pin pin = share_pin("b", "b", 0440);
	struct op_result r;

	(void)state;
	op.share.pins = &pin;
	op.share.pin_count = 1;
	apply_fails(&op, "ReadOnlyFileSystem", FAILURE_KERNEL, "sealed");
	op.share.window = true;
	r = apply(&op);
	assert_int_equal(r.code, 0);
	assert_string_equal(r.reason, "ReadOnlyWindow");
	assert_non_null(r.note);
	assert_true(observe_at(path).read_only);
	assert_int_equal(observe_at(path).pin_count, 2);
	assert_int_equal(can_write(below(path, "b")), EROFS);
}

static void a_window_is_closed_when_the_change_fails(void **state)
{
	const char *path = mount_sealed("d");
	struct op op = share_op(OP_SHARE_PIN, "d", path);
	struct op_share_pin pin = share_pin("dir", "b", 0440);
	struct observed_mount m;

	(void)state;
	seal(path, false);
	assert_int_equal(mkdir(below(path, "dir"), 0700), 0);
	seal(path, true);
	/* What others mount there is not ours to remove. */
	assert_int_equal(mount("tmpfs", below(path, "dir"), "tmpfs", 0, NULL), 0);
	assert_int_equal(mkdir(below(path, "dir/kept"), 0700), 0);
	op.share.pins = &pin;
	op.share.pin_count = 1;
	op.share.window = true;
	apply_fails(&op, "KernelRefused", FAILURE_KERNEL, "dir");
	m = observe_at(path);
	assert_true(m.read_only);
	assert_int_equal(m.pin_count, 2); /* "a" and the directory: no temporary */
	assert_int_equal(rmdir(below(path, "dir/kept")), 0);
	assert_int_equal(umount(below(path, "dir")), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(a_share_is_what_was_asked_for),
		WORLD_TEST(a_writable_share_is_not_sealed),
		WORLD_TEST(a_share_of_a_missing_map_is_not_mounted),
		WORLD_TEST(members_read_a_sealed_share),
		WORLD_TEST(strangers_open_nothing),
		WORLD_TEST(members_write_where_they_may),
		WORLD_TEST(even_root_only_reads_a_sealed_share),
		WORLD_TEST(a_pin_is_replaced_without_a_gap),
		WORLD_TEST(left_over_temporary_pins_are_seen_and_in_nobodys_way),
		WORLD_TEST(pins_owners_and_modes_are_repaired),
		WORLD_TEST(links_in_the_place_of_pins_are_not_followed),
		WORLD_TEST(directories_in_the_place_of_pins_give_way),
		WORLD_TEST(a_file_mounted_over_a_pin_is_no_map),
		WORLD_TEST(an_opened_seal_is_closed_again),
		WORLD_TEST(a_sealed_share_is_replaced_without_a_gap),
		WORLD_TEST(a_sealed_share_is_replaced_without_a_window),
		WORLD_TEST(a_replacement_changes_everything),
		WORLD_TEST(a_sealed_share_can_become_writable),
		WORLD_TEST(a_container_that_bound_the_directory_above_sees_a_replacement),
		WORLD_TEST(a_second_way_to_the_path_follows),
		WORLD_TEST(a_container_that_bound_the_path_sees_changes_of_pins),
		WORLD_TEST(the_lowest_of_several_is_kept),
		WORLD_TEST(a_sealed_share_changes_only_through_a_window),
		WORLD_TEST(a_window_is_closed_when_the_change_fails),
	};

	return WORLD_RUN("share", tests);
}
