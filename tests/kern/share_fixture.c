/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/macros.h"
#include "base/str.h"
#include "kern/mountinfo.h"
#include "kern/share.h"
#include "kern/syscalls.h"
#include "model/layout.h"
#include "share_fixture.h"

struct world world;

bool world_can_be_made(void)
{
	cleanup(closep) int mount = -1;
	struct error e = { 0 };

	if (geteuid() != 0)
		printf("1..0 # SKIP needs root\n");
	else if (mount_create_bpffs("probe", &mount, &e) < 0)
		printf("1..0 # SKIP %s\n", e.text);
	else
		return true;
	return false;
}

static void must(long r, const char *what)
{
	if (r < 0)
		fail_msg("%s: %s", what, strerror(errno));
}
#define MUST(call) must((call), #call)

static uint32_t id_of_map(int fd)
{
	struct bpf_map_info info = { 0 };
	uint32_t size = sizeof(info);

	MUST(bpf_map_get_info_by_fd(fd, &info, &size));
	return info.id;
}

static int make_map(const char *name, uint32_t *ret_id)
{
	cleanup(arena_freep) struct arena *a = arena_new();
	int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, name, 4, 8, 1, NULL);

	MUST(fd);
	MUST(bpf_obj_pin(fd, arena_printf(a, "%s/%s", world.c.bpffs_dir,
					  layout_map_pin(a, "x", "v", name))));
	*ret_id = id_of_map(fd);
	return fd;
}

static void make_directory(const char *path)
{
	if (mkdir(path, 0755) == 0)
		MUST(chmod(path, 0755)); /* whatever the umask is */
}

static void make_directories(const char *path)
{
	cleanup(freep) char *copy = xstrdup(path);

	for (char *p = copy + 1; *p; p++)
		if (*p == '/') {
			*p = '\0';
			make_directory(copy);
			*p = '/';
		}
	make_directory(copy);
}

int world_setup(void **state)
{
	struct op mount_op = { .kind = OP_BPFFS_MOUNT };
	struct op directory_op = { .kind = OP_DIRECTORY_CREATE };
	struct op_result r = { 0 };

	(void)state;
	umask(0077); /* as a careful service manager sets it: no mode may depend on it */
	(void)strcpy(world.root, "/tmp/bpfshare-mounts.XXXXXX");
	if (!mkdtemp(world.root) || unshare(CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("tmpfs", world.root, "tmpfs", 0, "mode=0755") < 0 ||
	    mount(NULL, world.root, NULL, MS_SHARED, NULL) < 0)
		return -1;
	world.c.bpffs_dir = xasprintf("%s/bpf/bpfshare", world.root);
	world.c.run_dir = xasprintf("%s/run", world.root);
	(void)strcpy(world.c.tag, "0badcafe");
	world.a = arena_new();
	bpffs_apply(&world.c, world.a, &mount_op, &r);
	if (r.code == 0)
		bpffs_apply(&world.c, world.a, &directory_op, &r);
	if (r.code < 0) {
		print_error("%s\n", r.error.text);
		return -1;
	}
	make_directories(world_path("bpf/bpfshare/objects/x/v/maps"));
	make_directories(world_path("seen"));
	make_directories(world_path("run"));
	world.map_a = make_map("a", &world.id_a);
	world.map_b = make_map("b", &world.id_b);
	arena_free(world.a);
	return 0;
}

int world_teardown(void **state)
{
	(void)state;
	(void)umount2(world.root, MNT_DETACH);
	(void)close(world.map_a);
	(void)close(world.map_b);
	free((void *)world.c.bpffs_dir);
	free((void *)world.c.run_dir);
	return rmdir(world.root);
}

int world_begin(void **state)
{
	(void)state;
	world.a = arena_new();
	return 0;
}

/*
 * One pass over everything below the world's root but the bpffs with the maps; a covered mount
 * needs another.
 */
static size_t unmount_some(size_t *ret_left)
{
	const char *keep = world_path("bpf");
	size_t done = 0;
	struct mountinfo m;

	*ret_left = 0;
	MUST(mountinfo_read(world.a, "self", &m, NULL));
	for (size_t i = 0; i < m.n; i++) {
		const char *path = m.v[i].path;

		if (!str_starts(path, world.root) || str_eq(path, world.root) || str_eq(path, keep))
			continue;
		if (umount2(path, MNT_DETACH) == 0)
			done++;
		else
			++*ret_left;
	}
	return done;
}

static int remove_tree(const char *path)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		(void)execlp("rm", "rm", "-rf", path, NULL);
		_exit(127);
	}
	return pid < 0 || waitpid(pid, &status, 0) != pid || status ? -1 : 0;
}

int world_end(void **state)
{
	size_t left;
	int r;

	(void)state;
	while (unmount_some(&left))
		;
	r = left ? -1 : remove_tree(world_path("run"));
	if (r == 0)
		r = remove_tree(world_path("places"));
	make_directories(world_path("run"));
	arena_free(world.a);
	return r;
}

const char *world_path(const char *relative)
{
	return arena_printf(world.a, "%s/%s", world.root, relative);
}

static int open_with(const char *path, uint32_t flags)
{
	LIBBPF_OPTS(bpf_obj_get_opts, opts, .file_flags = flags);
	int fd = bpf_obj_get_opts(path, &opts);

	return fd < 0 ? -errno : fd;
}

int open_read(const char *path)
{
	return open_with(path, BPF_F_RDONLY);
}

int open_write(const char *path)
{
	return open_with(path, 0);
}

/* Children */

int as_user(uid_t uid, gid_t gid, int (*f)(const char *arg), const char *arg)
{
	pid_t pid = fork();
	int status = 0;

	MUST(pid);
	if (pid == 0) {
		if (setgroups(0, NULL) < 0 || setresgid(gid, gid, gid) < 0 ||
		    setresuid(uid, uid, uid) < 0)
			_exit(255);
		_exit(f(arg));
	}
	MUST(waitpid(pid, &status, 0));
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int open_nothing(const char *arg)
{
	return -open_read(arg);
}

bool unprivileged_bpf_is_blocked(void)
{
	return as_user(MEMBER_UID, SHARE_GID, open_nothing, "/nonexistent") == EPERM;
}

/* A test that fails leaves no children behind. */
static void end_with_parent(void)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		_exit(255);
}

struct prober {
	pid_t pid;
	volatile struct prober_state {
		unsigned long rounds;
		bool stop;
	} * state;
};

struct prober *prober_start(int (*f)(const char *arg), const char *arg)
{
	struct prober *p = arena_new_of(world.a, struct prober);

	p->state = mmap(NULL, sizeof(*p->state), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			-1, 0);
	assert_ptr_not_equal(p->state, MAP_FAILED);
	p->pid = fork();
	MUST(p->pid);
	if (p->pid == 0) {
		int r = 0;

		end_with_parent();
		while (r == 0 && !p->state->stop) {
			r = f(arg);
			p->state->rounds += r == 0;
		}
		_exit(r);
	}
	prober_wait(p, 1);
	return p;
}

void prober_wait(const struct prober *p, unsigned long rounds)
{
	unsigned long from = p->state->rounds;

	/* A prober that has met what it must not meet has ended, and is judged by prober_stop(). */
	while (p->state->rounds < from + rounds) {
		siginfo_t info = { 0 };

		MUST(waitid(P_PID, (id_t)p->pid, &info, WEXITED | WNOHANG | WNOWAIT));
		if (info.si_pid)
			return;
		(void)sched_yield();
	}
}

int prober_stop(struct prober *p, unsigned long *ret_rounds)
{
	int status = 0;

	p->state->stop = true;
	MUST(waitpid(p->pid, &status, 0));
	*ret_rounds = p->state->rounds;
	(void)munmap((void *)p->state, sizeof(*p->state));
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

struct container {
	pid_t pid;
	int fd; /* sends a path, receives a map id */
};

static void serve(int fd)
{
	char path[4096];
	ssize_t n;

	while ((n = recv(fd, path, sizeof(path) - 1, 0)) > 0) {
		uint32_t id = 0;
		int map;

		path[n] = '\0';
		map = open_read(path);
		if (map >= 0) {
			id = id_of_map(map);
			(void)close(map);
		}
		if (send(fd, &id, sizeof(id), 0) < 0)
			return;
	}
}

struct container *container_start(const char *dir)
{
	struct container *c = arena_new_of(world.a, struct container);
	const char *seen = world_path("seen");
	uint32_t ready = 0;
	int pair[2];

	MUST(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair));
	c->pid = fork();
	MUST(c->pid);
	if (c->pid == 0) {
		(void)close(pair[0]);
		end_with_parent();
		if (unshare(CLONE_NEWNS) < 0 ||
		    mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0 ||
		    mount(dir, seen, NULL, MS_BIND | MS_REC, NULL) < 0 ||
		    send(pair[1], &ready, sizeof(ready), 0) < 0)
			_exit(1);
		serve(pair[1]);
		_exit(0);
	}
	(void)close(pair[1]);
	c->fd = pair[0];
	assert_int_equal(recv(c->fd, &ready, sizeof(ready), 0), sizeof(ready));
	return c;
}

uint32_t container_map_id(struct container *c, const char *relative)
{
	const char *path = world_path(arena_printf(world.a, "seen/%s", relative));
	uint32_t id;

	MUST(send(c->fd, path, strlen(path), 0));
	assert_int_equal(recv(c->fd, &id, sizeof(id), 0), sizeof(id));
	return id;
}

void container_stop(struct container *c)
{
	int status = 0;

	/* Later children hold copies of the descriptor. */
	MUST(shutdown(c->fd, SHUT_RDWR));
	(void)close(c->fd);
	MUST(waitpid(c->pid, &status, 0));
	assert_int_equal(status, 0);
}

/* Operations */

struct op share_op(enum op_kind kind, const char *share, const char *path)
{
	return (struct op){
		.kind = kind,
		.share = { .share = share, .path = path, .gid = SHARE_GID, .mode = 0750 },
	};
}

struct op_share_pin share_pin(const char *alias, const char *map, uint32_t mode)
{
	return (struct op_share_pin){
		.alias = alias,
		.map = { .instance = "x", .version = "v", .map = map },
		.mode = mode,
	};
}

struct op_result apply(const struct op *op)
{
	struct op_result r = { 0 };

	share_apply(&world.c, world.a, op, &r);
	return r;
}

void apply_fine(const struct op *op)
{
	struct op_result r = apply(op);

	if (r.code != 0)
		fail_msg("%s: %s", r.reason, r.error.text);
}

void apply_fails(const struct op *op, const char *reason, enum failure_class class,
		 const char *words)
{
	struct op_result r = apply(op);

	assert_true(r.code < 0);
	assert_string_equal(r.reason, reason);
	assert_int_equal(r.class, class);
	if (!strstr(r.error.text, words))
		fail_msg("'%s' is not in: %s", words, r.error.text);
}

const char *mount_sealed(const char *share)
{
	const char *path = world_path(arena_printf(world.a, "run/shares/%s/maps", share));
	struct op op = share_op(OP_SHARE_MOUNT, share, path);
	struct op_share_pin pin = share_pin("a", "a", 0440);

	op.share.read_only = true;
	op.share.pins = &pin;
	op.share.pin_count = 1;
	apply_fine(&op);
	return path;
}

const char *mount_writable(const char *share)
{
	const char *path = world_path(arena_printf(world.a, "run/shares/%s/maps", share));
	struct op op = share_op(OP_SHARE_MOUNT, share, path);
	struct op_share_pin pins[] = { share_pin("w", "a", 0660), share_pin("r", "b", 0440) };

	op.share.pins = pins;
	op.share.pin_count = ARRAY_SIZE(pins);
	apply_fine(&op);
	return path;
}

struct observed observe(const char *const *paths, size_t n)
{
	struct string_list list = { .v = (const char **)paths, .n = n };
	struct observed o = { 0 };
	struct error e = { 0 };

	if (share_observe(&world.c, world.a, &list, &o, &e) < 0)
		fail_msg("%s", e.text);
	return o;
}

struct observed_mount observe_at(const char *path)
{
	struct observed o = observe(&path, 1);
	const struct observed_mount *m = observed_find_mount(&o, path);

	assert_non_null(m);
	return *m;
}
