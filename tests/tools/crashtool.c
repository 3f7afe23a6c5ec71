/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Runs a command and stops at its writes to the kernel: the points at which it can die or be
 * refused something. A seccomp filter hands just these system calls to this tracer, so that all others
 * run at full speed.
 *
 *   crashtool run [-o LIST] [-c CREATED] [-n POINT ACTION] -- COMMAND...
 *       numbers the points from 1 and lists them. At POINT the command is killed before the call
 *       runs (kill-before), killed once it has run (kill-after), or the call is left out and fails
 *       with an error (ENOMEM, EPERM, EBUSY, EINTR, ENOSPC). The processes that it started live on.
 *   crashtool run -s CONTROL [-o LIST] [-c CREATED] -- COMMAND...
 *       for a command that does not end: each SIGUSR1 reads "POINT ACTION" from CONTROL, starts
 *       counting and LIST anew and then removes CONTROL. SIGTERM is handed on.
 *   crashtool state CREATED BASE DIRECTORY...     see crash_state.c
 *   crashtool counts PIN...                       likewise
 *   crashtool stream INTERFACE SENDER NETNS       see crash_stream.c
 *
 * CREATED collects the ids of all programs, maps and links that the command made, for `state`.
 * Exit status of `run`: that of the command, 128 + N if a signal ended it, 125 for a mistake of ours.
 */
#include "tools/crashtool.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/bpf.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__x86_64__)
#define NATIVE_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define NATIVE_ARCH AUDIT_ARCH_AARCH64
#else
#error "crashtool knows the registers of x86-64 and aarch64 only"
#endif

#define EXIT_MISTAKE 125

/* --- which calls are points --------------------------------------------------------- */

enum call_kind {
	CALL_PLAIN,  /* always a point */
	CALL_PATH_0, /* the same, and the argument of this number is a path */
	CALL_PATH_1,
	CALL_BPF,    /* if the command writes */
	CALL_SOCKET, /* if it is a request to a netlink socket that is not for information */
	CALL_MESSAGE,
	CALL_FILE, /* if the descriptor is a regular file and none of the standard ones */
	CALL_OPEN, /* if it may create */
};

struct call {
	long number;
	const char *name;
	enum call_kind kind;
};

#define CALL(name, kind)                 \
	{                                \
		__NR_##name, #name, kind \
	}

/* The numbers of newer ones are the same on all architectures; older headers lack them. */
#ifndef __NR_move_mount
#define __NR_move_mount 429
#define __NR_fsopen     430
#define __NR_fsconfig   431
#define __NR_fsmount    432
#endif
#ifndef __NR_mount_setattr
#define __NR_mount_setattr 442
#endif

static const struct call calls[] = {
	CALL(bpf, CALL_BPF),          CALL(mount, CALL_PATH_1),
	CALL(umount2, CALL_PATH_0),   CALL(move_mount, CALL_PLAIN),
	CALL(fsopen, CALL_PATH_0),    CALL(fsconfig, CALL_PLAIN),
	CALL(fsmount, CALL_PLAIN),    CALL(mount_setattr, CALL_PATH_1),
	CALL(mkdirat, CALL_PATH_1),   CALL(unlinkat, CALL_PATH_1),
	CALL(renameat, CALL_PATH_1),  CALL(renameat2, CALL_PATH_1),
	CALL(symlinkat, CALL_PATH_0), CALL(linkat, CALL_PATH_1),
	CALL(fchmod, CALL_PLAIN),     CALL(fchmodat, CALL_PATH_1),
	CALL(fchown, CALL_PLAIN),     CALL(fchownat, CALL_PATH_1),
	CALL(sendto, CALL_SOCKET),    CALL(sendmsg, CALL_MESSAGE),
	CALL(write, CALL_FILE),       CALL(pwrite64, CALL_FILE),
	CALL(ftruncate, CALL_FILE),   CALL(fsync, CALL_FILE),
	CALL(openat, CALL_OPEN),
#ifdef __NR_mkdir /* aarch64 has only those above */
	CALL(mkdir, CALL_PATH_0),     CALL(rmdir, CALL_PATH_0),
	CALL(unlink, CALL_PATH_0),    CALL(rename, CALL_PATH_0),
	CALL(symlink, CALL_PATH_0),   CALL(link, CALL_PATH_0),
	CALL(chmod, CALL_PATH_0),     CALL(chown, CALL_PATH_0),
	CALL(lchown, CALL_PATH_0),
#endif
};

#define CALL_COUNT (sizeof(calls) / sizeof(calls[0]))

/* Names by number; NULL: reads, or makes nothing but a descriptor. BTF goes with who made it. */
static const char *const bpf_commands[] = {
	[BPF_MAP_CREATE] = "MAP_CREATE",
	[BPF_MAP_UPDATE_ELEM] = "MAP_UPDATE_ELEM",
	[BPF_MAP_DELETE_ELEM] = "MAP_DELETE_ELEM",
	[BPF_PROG_LOAD] = "PROG_LOAD",
	[BPF_OBJ_PIN] = "OBJ_PIN",
	[BPF_PROG_ATTACH] = "PROG_ATTACH",
	[BPF_PROG_DETACH] = "PROG_DETACH",
	[BPF_BTF_LOAD] = "BTF_LOAD",
	[BPF_MAP_LOOKUP_AND_DELETE_ELEM] = "MAP_LOOKUP_AND_DELETE_ELEM",
	[BPF_MAP_FREEZE] = "MAP_FREEZE",
	[BPF_MAP_LOOKUP_AND_DELETE_BATCH] = "MAP_LOOKUP_AND_DELETE_BATCH",
	[BPF_MAP_UPDATE_BATCH] = "MAP_UPDATE_BATCH",
	[BPF_MAP_DELETE_BATCH] = "MAP_DELETE_BATCH",
	[BPF_LINK_CREATE] = "LINK_CREATE",
	[BPF_LINK_UPDATE] = "LINK_UPDATE",
	[BPF_LINK_DETACH] = "LINK_DETACH",
	[BPF_PROG_BIND_MAP] = "PROG_BIND_MAP",
};

/* --- what is done at a point ----------------------------------------------------------- */

enum action { ACTION_NONE, ACTION_KILL_BEFORE, ACTION_KILL_AFTER, ACTION_FAIL };

struct injection {
	unsigned long point; /* 0: never */
	enum action action;
	int error; /* of ACTION_FAIL */
};

static const struct {
	const char *name;
	int error;
} errors[] = {
	{ "ENOMEM", ENOMEM }, { "EPERM", EPERM },   { "EBUSY", EBUSY },
	{ "EINTR", EINTR },   { "ENOSPC", ENOSPC },
};

static bool action_parse(const char *word, struct injection *ret)
{
	if (!strcmp(word, "kill-before"))
		return ret->action = ACTION_KILL_BEFORE, true;
	if (!strcmp(word, "kill-after"))
		return ret->action = ACTION_KILL_AFTER, true;
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		if (!strcmp(word, errors[i].name))
			return ret->action = ACTION_FAIL, ret->error = errors[i].error, true;
	return !strcmp(word, "none");
}

/* A process or thread of the command, between the entry and the exit of a call. */
struct tracee {
	pid_t pid;
	bool known;   /* its first stop, which only says that it is there, is over */
	bool inside;  /* a call that is a point */
	bool creates; /* and makes a program, a map or a link, of this name: */
	char name[BPF_OBJ_NAME_LEN];
};

#define TRACEES_MAX 64

struct tracer {
	struct injection injection;
	unsigned long points;
	const char *list_path, *created_path, *control_path;
	FILE *list, *created;
	struct tracee tracees[TRACEES_MAX];
	size_t tracee_count;
	pid_t main;
	int status;
	bool ended;
};

static int mistake(const char *what)
{
	fprintf(stderr, "crashtool: %s: %s\n", what, strerror(errno));
	return EXIT_MISTAKE;
}

static struct tracee *tracee_find(struct tracer *t, pid_t pid)
{
	for (size_t i = 0; i < t->tracee_count; i++)
		if (t->tracees[i].pid == pid)
			return &t->tracees[i];
	if (t->tracee_count == TRACEES_MAX) {
		fprintf(stderr, "crashtool: more than %d processes\n", TRACEES_MAX);
		exit(EXIT_MISTAKE);
	}
	t->tracees[t->tracee_count] = (struct tracee){ .pid = pid };
	return &t->tracees[t->tracee_count++];
}

static void tracee_forget(struct tracer *t, pid_t pid)
{
	for (size_t i = 0; i < t->tracee_count; i++)
		if (t->tracees[i].pid == pid) {
			t->tracees[i] = t->tracees[--t->tracee_count];
			return;
		}
}

/* --- looking into the process ------------------------------------------------------------ */

/* How many bytes could be read; what is there may end at a page. */
static size_t peek(pid_t pid, uint64_t address, void *to, size_t size)
{
	struct iovec local = { .iov_base = to, .iov_len = size };
	struct iovec remote = { .iov_base = (void *)(uintptr_t)address, .iov_len = size };
	ssize_t n = process_vm_readv(pid, &local, 1, &remote, 1, 0);

	return n < 0 ? 0 : (size_t)n;
}

static void peek_path(pid_t pid, uint64_t address, char *to, size_t size)
{
	size_t n = 0, part = 0;

	to[0] = '\0';
	while (n + 1 < size) {
		part = 4096 - (address + n) % 4096;
		if (part > size - 1 - n)
			part = size - 1 - n;
		part = peek(pid, address + n, to + n, part);
		if (part == 0 || memchr(to + n, '\0', part))
			break;
		n += part;
	}
	if (n + 1 >= size || (n > 0 && part == 0))
		to[n] = '\0';
}

/* Whether this command of bpf(2) makes something that has an id, and its name. */
static bool peek_name(pid_t pid, uint64_t command, uint64_t address, char name[BPF_OBJ_NAME_LEN])
{
	uint64_t offset = command == BPF_MAP_CREATE ? offsetof(union bpf_attr, map_name) :
						      offsetof(union bpf_attr, prog_name);

	memset(name, 0, BPF_OBJ_NAME_LEN);
	if (command == BPF_LINK_CREATE)
		return memcpy(name, "link", sizeof("link"));
	if (command != BPF_MAP_CREATE && command != BPF_PROG_LOAD)
		return false;
	(void)peek(pid, address + offset, name, BPF_OBJ_NAME_LEN - 1);
	return true;
}

static bool is_netlink(pid_t pid, int fd)
{
	int domain = 0, pidfd = (int)syscall(SYS_pidfd_open, pid, 0), copy = -1;
	socklen_t size = sizeof(domain);

	if (pidfd >= 0)
		copy = (int)syscall(SYS_pidfd_getfd, pidfd, fd, 0);
	if (copy < 0 || getsockopt(copy, SOL_SOCKET, SO_DOMAIN, &domain, &size) < 0)
		domain = 0;
	if (copy >= 0)
		close(copy);
	if (pidfd >= 0)
		close(pidfd);
	return domain == AF_NETLINK;
}

/* Requests come in fours, new, delete, get and set, whatever they are about (rtnetlink(7)). */
static bool netlink_point(pid_t pid, int fd, uint64_t address, char *detail, size_t size)
{
	struct nlmsghdr header = { 0 };

	if (!is_netlink(pid, fd) || peek(pid, address, &header, sizeof(header)) != sizeof(header))
		return false;
	snprintf(detail, size, "netlink %u", header.nlmsg_type);
	return header.nlmsg_type >= NLMSG_MIN_TYPE && (header.nlmsg_type & 3) != 2;
}

static bool message_point(pid_t pid, int fd, uint64_t address, char *detail, size_t size)
{
	struct msghdr message;
	struct iovec iov;

	return peek(pid, address, &message, sizeof(message)) == sizeof(message) &&
	       message.msg_iovlen > 0 &&
	       peek(pid, (uintptr_t)message.msg_iov, &iov, sizeof(iov)) == sizeof(iov) &&
	       netlink_point(pid, fd, (uintptr_t)iov.iov_base, detail, size);
}

static bool file_point(pid_t pid, int fd, char *detail, size_t size)
{
	char link[64];
	struct stat st;
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/%d/fd/%d", (int)pid, fd);
	if (fd <= STDERR_FILENO || stat(link, &st) < 0 || !S_ISREG(st.st_mode))
		return false;
	n = readlink(link, detail, size - 1);
	detail[n < 0 ? 0 : n] = '\0';
	return true;
}

static bool bpf_point(uint64_t command, char *detail, size_t size)
{
	if (command >= sizeof(bpf_commands) / sizeof(bpf_commands[0]) || !bpf_commands[command])
		return false;
	snprintf(detail, size, "%s", bpf_commands[command]);
	return true;
}

static bool is_point(pid_t pid, const struct call *c, const uint64_t *args, char *detail,
		     size_t size)
{
	detail[0] = '\0';
	switch (c->kind) {
	case CALL_PATH_0:
		peek_path(pid, args[0], detail, size);
		return true;
	case CALL_PATH_1:
		peek_path(pid, args[1], detail, size);
		return true;
	case CALL_BPF:
		return bpf_point(args[0], detail, size);
	case CALL_SOCKET:
		return netlink_point(pid, (int)args[0], args[1], detail, size);
	case CALL_MESSAGE:
		return message_point(pid, (int)args[0], args[1], detail, size);
	case CALL_FILE:
		return file_point(pid, (int)args[0], detail, size);
	case CALL_OPEN:
		peek_path(pid, args[1], detail, size);
		return args[2] & O_CREAT;
	default:
		return true;
	}
}

static const struct call *call_find(uint64_t number)
{
	for (size_t i = 0; i < CALL_COUNT; i++)
		if ((uint64_t)calls[i].number == number)
			return &calls[i];
	return NULL;
}

/* --- interfering ---------------------------------------------------------------------------- */

/* The call of number -1 does not run, and the register of its result stays as it is set here. */
static int leave_out(pid_t pid, int error)
{
	struct user_regs_struct regs;
	struct iovec iov = { .iov_base = &regs, .iov_len = sizeof(regs) };

	if (ptrace(PTRACE_GETREGSET, pid, NT_PRSTATUS, &iov) < 0)
		return -1;
#if defined(__x86_64__)
	regs.orig_rax = (unsigned long long)-1;
	regs.rax = (unsigned long long)-error;
#else
	{
		int none = -1;
		struct iovec number = { .iov_base = &none, .iov_len = sizeof(none) };

		if (ptrace(PTRACE_SETREGSET, pid, NT_ARM_SYSTEM_CALL, &number) < 0)
			return -1;
		regs.regs[0] = (unsigned long long)-error;
	}
#endif
	return ptrace(PTRACE_SETREGSET, pid, NT_PRSTATUS, &iov) < 0 ? -1 : 0;
}

static void resume(pid_t pid, int signal)
{
	(void)ptrace(PTRACE_CONT, pid, NULL, (void *)(intptr_t)signal);
}

static void resume_to_exit(pid_t pid)
{
	(void)ptrace(PTRACE_SYSCALL, pid, NULL, NULL);
}

/* A call of a process that the command started, as probes do, is a point of the command. */
static void kill_all(struct tracer *t, pid_t pid)
{
	(void)kill(t->main, SIGKILL);
	if (pid != t->main)
		resume(pid, 0);
}

static void on_call(struct tracer *t, pid_t pid)
{
	struct __ptrace_syscall_info info;
	char detail[512];
	const struct call *c = NULL;
	struct tracee *p = tracee_find(t, pid);
	bool hit;

	if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, (void *)sizeof(info), &info) > 0 &&
	    info.op == PTRACE_SYSCALL_INFO_SECCOMP)
		c = call_find(info.seccomp.nr);
	if (!c || !is_point(pid, c, (const uint64_t *)info.seccomp.args, detail, sizeof(detail))) {
		resume(pid, 0);
		return;
	}
	hit = ++t->points == t->injection.point;
	if (t->list)
		fprintf(t->list, "%lu %s%s %s", t->points, pid == t->main ? "" : "child:", c->name,
			detail);
	if (hit && t->injection.action == ACTION_KILL_BEFORE) {
		if (t->list)
			fprintf(t->list, " # kill-before\n");
		kill_all(t, pid);
		return;
	}
	if (hit && t->injection.action == ACTION_FAIL && leave_out(pid, t->injection.error) < 0)
		exit(mistake("cannot leave out a call"));
	p->inside = true;
	p->creates = c->kind == CALL_BPF &&
		     peek_name(pid, info.seccomp.args[0], info.seccomp.args[1], p->name);
	resume_to_exit(pid);
}

/* "map 5 (name)": the kernel shows "map_id: 5" for the new descriptor. */
static void note_created(FILE *to, pid_t pid, int fd, const char *name)
{
	char path[64], line[128], kind[8];
	unsigned int id;
	FILE *info;

	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", (int)pid, fd);
	info = fopen(path, "re");
	if (!info)
		return;
	while (fgets(line, sizeof(line), info))
		if (sscanf(line, "%4[a-z]_id: %u", kind, &id) == 2 &&
		    (!strcmp(kind, "prog") || !strcmp(kind, "map") || !strcmp(kind, "link"))) {
			fprintf(to, "%s %u (%s)\n", kind, id, name);
			break;
		}
	fclose(info);
}

static void on_call_exit(struct tracer *t, pid_t pid)
{
	struct tracee *p = tracee_find(t, pid);
	struct __ptrace_syscall_info info;
	bool hit = t->points == t->injection.point && p->inside;

	if (p->inside && ptrace(PTRACE_GET_SYSCALL_INFO, pid, (void *)sizeof(info), &info) > 0 &&
	    info.op == PTRACE_SYSCALL_INFO_EXIT) {
		if (t->list)
			fprintf(t->list, " = %lld%s\n", (long long)info.exit.rval,
				!hit                                     ? "" :
				t->injection.action == ACTION_KILL_AFTER ? " # kill-after" :
				t->injection.action == ACTION_FAIL       ? " # failed" :
									   "");
		if (t->created && p->creates && info.exit.rval >= 0)
			note_created(t->created, pid, (int)info.exit.rval, p->name);
	}
	p->inside = false;
	if (hit && t->injection.action == ACTION_KILL_AFTER)
		kill_all(t, pid);
	else
		resume(pid, 0);
}

/* --- the loop ------------------------------------------------------------------------------- */

static void list_open(struct tracer *t)
{
	if (t->list)
		fclose(t->list);
	t->list = t->list_path ? fopen(t->list_path, "we") : NULL;
	if (t->list_path && !t->list)
		exit(mistake(t->list_path));
	if (t->list)
		setlinebuf(t->list);
}

static void on_control(struct tracer *t)
{
	FILE *control = t->control_path ? fopen(t->control_path, "re") : NULL;
	struct injection injection = { 0 };
	char word[16];

	if (!control)
		return;
	if (fscanf(control, "%lu %15s", &injection.point, word) == 2 &&
	    action_parse(word, &injection)) {
		t->injection = injection;
		t->points = 0;
		list_open(t);
	}
	fclose(control);
	(void)unlink(t->control_path);
}

static void on_stop(struct tracer *t, pid_t pid, int status)
{
	struct tracee *p = tracee_find(t, pid);
	int signal = WSTOPSIG(status), event = status >> 16;

	if (event == PTRACE_EVENT_SECCOMP)
		on_call(t, pid);
	else if (signal == (SIGTRAP | 0x80))
		on_call_exit(t, pid);
	else if (event || (signal == SIGSTOP && !p->known))
		resume(pid, 0);
	else
		resume(pid, signal);
	p->known = true;
}

static void reap(struct tracer *t)
{
	int status;
	pid_t pid;

	while (!t->ended && (pid = waitpid(-1, &status, __WALL | WNOHANG)) != 0) {
		if (pid < 0) {
			t->ended = true;
		} else if (WIFSTOPPED(status)) {
			on_stop(t, pid, status);
		} else {
			tracee_forget(t, pid);
			if (pid == t->main)
				t->status = status;
		}
	}
}

static void loop(struct tracer *t, const sigset_t *signals)
{
	int signal;

	for (;;) {
		reap(t);
		if (t->ended)
			return;
		signal = sigwaitinfo(signals, NULL);
		if (signal == SIGUSR1)
			on_control(t);
		else if (signal == SIGTERM || signal == SIGINT)
			(void)kill(t->main, signal);
	}
}

/* Every call of the table stops for the tracer; all others do not even know of it. */
static int filter_install(void)
{
	struct sock_filter code[CALL_COUNT + 5];
	struct sock_fprog program = { .filter = code, .len = 0 };
	size_t n = 0;

	code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
						 offsetof(struct seccomp_data, arch));
	code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, NATIVE_ARCH, 0,
						 CALL_COUNT + 1);
	code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
						 offsetof(struct seccomp_data, nr));
	for (size_t i = 0; i < CALL_COUNT; i++)
		code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
							 (uint32_t)calls[i].number,
							 (uint8_t)(CALL_COUNT - i), 0);
	code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE);
	program.len = (unsigned short)n;
	/* Root may do so without giving up what set-user-ID programs are for. */
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

static void start_child(char **command, const sigset_t *mask)
{
	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0 || raise(SIGSTOP) != 0 ||
	    sigprocmask(SIG_SETMASK, mask, NULL) < 0 || filter_install() < 0)
		_exit(mistake("tracing"));
	(void)execvp(command[0], command);
	_exit(mistake(command[0]));
}

static int start(struct tracer *t, char **command, const sigset_t *mask)
{
	const long options = PTRACE_O_TRACESECCOMP | PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK |
			     PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC |
			     PTRACE_O_EXITKILL;
	int status;

	t->main = fork();
	if (t->main == 0)
		start_child(command, mask);
	if (t->main < 0 || waitpid(t->main, &status, __WALL) < 0 || !WIFSTOPPED(status) ||
	    ptrace(PTRACE_SETOPTIONS, t->main, NULL, (void *)options) < 0)
		return mistake("tracing");
	tracee_find(t, t->main)->known = true;
	resume(t->main, 0);
	return 0;
}

static int run(struct tracer *t, char **command)
{
	sigset_t signals, before;
	int r;

	sigemptyset(&signals);
	sigaddset(&signals, SIGCHLD);
	sigaddset(&signals, SIGUSR1);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigprocmask(SIG_BLOCK, &signals, &before);
	list_open(t);
	t->created = t->created_path ? fopen(t->created_path, "ae") : NULL;
	if (t->created_path && !t->created)
		return mistake(t->created_path);
	if (t->created)
		setlinebuf(t->created);
	r = start(t, command, &before);
	if (r != 0)
		return r;
	loop(t, &signals);
	return WIFEXITED(t->status) ? WEXITSTATUS(t->status) : 128 + WTERMSIG(t->status);
}

static int cmd_run(int argc, char **argv)
{
	struct tracer t = { 0 };
	int i = 2;

	for (; i + 1 < argc && argv[i][0] == '-' && strcmp(argv[i], "--") != 0; i += 2) {
		if (!strcmp(argv[i], "-o"))
			t.list_path = argv[i + 1];
		else if (!strcmp(argv[i], "-c"))
			t.created_path = argv[i + 1];
		else if (!strcmp(argv[i], "-s"))
			t.control_path = argv[i + 1];
		else if (!strcmp(argv[i], "-n") && i + 2 < argc &&
			 action_parse(argv[i + 2], &t.injection))
			t.injection.point = strtoul(argv[++i], NULL, 10);
		else
			return crashtool_usage();
	}
	if (i + 1 >= argc || strcmp(argv[i], "--") != 0)
		return crashtool_usage();
	return run(&t, argv + i + 1);
}

int crashtool_usage(void)
{
	fprintf(stderr,
		"usage: crashtool run [-o LIST] [-c CREATED] [-n POINT ACTION | -s CONTROL] -- COMMAND...\n"
		"       crashtool state CREATED BASE DIRECTORY...\n"
		"       crashtool counts PIN...\n"
		"       crashtool stream INTERFACE SENDER NETNS\n");
	return 2;
}

int main(int argc, char **argv)
{
	if (argc > 2 && !strcmp(argv[1], "run"))
		return cmd_run(argc, argv);
	if (argc > 4 && !strcmp(argv[1], "state"))
		return crash_state(argv[2], argv[3], argv + 4);
	if (argc > 2 && !strcmp(argv[1], "counts"))
		return crash_counts(argv + 2);
	if (argc == 5 && !strcmp(argv[1], "stream"))
		return crash_stream(argv[2], argv[3], argv[4]);
	return crashtool_usage();
}
