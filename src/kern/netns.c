/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * The kernel takes interface numbers from the namespace of whoever asks, so a thread goes inside for every
 * question and change, and comes back at once. Nothing stays open inside: a descriptor would keep a
 * namespace, with all its interfaces, alive after its owner deleted it.
 */
#include "kern/netns.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/macros.h"
#include "base/str.h"
#include "kern/pin.h"
#include "kern/syscalls.h"
#include "model/layout.h"

/* Where `ip netns` keeps names, and container runtimes put links for it. */
#define NETNS_DIRECTORY "/run/netns/"
#define NETNS_OWN       "/proc/thread-self/ns/net"

const char *netns_path(struct arena *a, const char *name)
{
	return *name == '/' ? name : arena_printf(a, NETNS_DIRECTORY "%s", name);
}

/* These say that nothing of that name is there now; the process of /proc/PID/ns/net may be gone. */
static bool is_absent(int code)
{
	return code == ENOENT || code == ENOTDIR || code == ELOOP || code == ESRCH ||
	       code == ENAMETOOLONG;
}

/* path is what fd (O_PATH) was opened by. */
static int check_is_namespace(int fd, const char *path, struct error *e)
{
	struct statfs st;

	if (fstatfs(fd, &st) < 0)
		return error_set(e, -errno, "statfs %s: %s", path, error_string(errno));
	if (st.f_type == NSFS_MAGIC)
		return 0;
	return error_set(e, -ENOENT,
			 "%s is no namespace but a file of another kind; `ip netns add` makes one",
			 path);
}

/* By the descriptor, so that nothing but what was checked is opened: no device, no pipe. */
static int open_checked(int path_fd, const char *path, int *ret_fd, struct error *e)
{
	cleanup(closep) int fd = open(fd_path(path_fd).s, O_RDONLY | O_CLOEXEC);
	int type;

	if (fd < 0)
		return error_set(e, -errno, "open %s: %s", path, error_string(errno));
	type = ioctl(fd, NS_GET_NSTYPE);
	if (type < 0)
		return error_set(e, -errno, "%s: type of the namespace: %s", path,
				 error_string(errno));
	if (type != CLONE_NEWNET)
		return error_set(e, -ENOENT, "%s is a namespace, but not one of the network", path);
	*ret_fd = take_fd(fd);
	return 0;
}

static int get_id(int fd, const char *path, struct netns_id *ret, struct error *e)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return error_set(e, -errno, "stat %s: %s", path, error_string(errno));
	*ret = (struct netns_id){ st.st_dev, st.st_ino };
	return 0;
}

int netns_open(const char *name, int *ret_fd, struct netns_id *ret_id, struct error *e)
{
	cleanup(arena_freep) struct arena *a = arena_new();
	const char *path = netns_path(a, name);
	/* Links are followed: /run/netns/NAME often leads to /proc/PID/ns/net of a container. */
	cleanup(closep) int path_fd = open(path, O_PATH | O_CLOEXEC), fd = -1;
	int r;

	if (path_fd < 0 && is_absent(errno))
		return error_set(e, -ENOENT, "%s: %s", path, error_string(errno));
	if (path_fd < 0)
		return error_set(e, -errno, "open %s: %s", path, error_string(errno));
	r = check_is_namespace(path_fd, path, e);
	if (r == 0)
		r = open_checked(path_fd, path, &fd, e);
	if (r == 0 && ret_id)
		r = get_id(fd, path, ret_id, e);
	if (r == 0)
		*ret_fd = take_fd(fd);
	return r;
}

/* --- inside ----------------------------------------------------------------- */

static int open_own(int *ret_fd, struct error *e)
{
	*ret_fd = open(NETNS_OWN, O_RDONLY | O_CLOEXEC);
	if (*ret_fd >= 0)
		return 0;
	return error_set(e, -errno, "open " NETNS_OWN ": %s; is /proc mounted?",
			 error_string(errno));
}

int netns_enter(const char *name, struct netns_guard *g, struct error *e)
{
	cleanup(closep) int home = -1, fd = -1;
	int r;

	g->home = -1;
	if (!name)
		return 0;
	r = netns_open(name, &fd, NULL, e);
	if (r == 0)
		r = open_own(&home, e);
	if (r < 0)
		return r;
	if (setns(fd, CLONE_NEWNET) < 0)
		return error_set(e, -errno, "enter namespace %s: %s", name, error_string(errno));
	g->home = take_fd(home);
	return 0;
}

void netns_leave(struct netns_guard *g)
{
	if (g->home < 0)
		return;
	if (setns(g->home, CLONE_NEWNET) < 0) {
		(void)fprintf(stderr,
			      "bpfshare: no way back into the own network namespace: %s; the "
			      "process ends, since it would change interfaces of another one\n",
			      strerror(errno));
		abort();
	}
	closep(&g->home);
	g->home = -1;
}

/* --- observe ---------------------------------------------------------------- */

struct netns_list {
	struct arena *a;
	LIST(struct observed_netns) list;
	LIST(struct netns_id) ids; /* by index of list, once that is sorted */
	struct netns_id own;
};

static struct observed_netns *add_name(struct netns_list *l, const char *name)
{
	struct observed_netns *n;

	for (size_t i = 0; i < l->list.n; i++)
		if (str_eq(l->list.v[i].name, name))
			return &l->list.v[i];
	n = LIST_ADD(l->a, &l->list);
	n->name = arena_strdup(l->a, name);
	return n;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct observed_netns *)a)->name,
		      ((const struct observed_netns *)b)->name);
}

/*
 * Where something of ours may be, not being allowed to look is a failure of the whole observation; where
 * nothing of ours can be it is a fault of that one name.
 */
static int observe_one(struct netns_list *l, struct observed_netns *n, struct netns_id *id,
		       struct error *e)
{
	cleanup(closep) int fd = -1;
	struct error why = { 0 };
	int r = netns_open(n->name, &fd, id, &why);

	if (r < 0 && r != -ENOENT && (n->recorded || (r != -EACCES && r != -EPERM)))
		return error_set(e, r, "namespace %s: %s", n->name, why.text);
	n->found = r == 0;
	if (r < 0)
		n->fault = arena_strdup(l->a, why.text);
	return 0;
}

/* Interfaces are listed under one name only: ours, or the first in sort order. */
static void find_other_name(struct netns_list *l, size_t at)
{
	struct observed_netns *n = &l->list.v[at];

	if (netns_id_equal(&l->ids.v[at], &l->own))
		n->same_as = "";
	for (size_t i = 0; i < at && !n->same_as; i++)
		if (l->list.v[i].found && netns_id_equal(&l->ids.v[i], &l->ids.v[at]))
			n->same_as = l->list.v[i].same_as ? l->list.v[i].same_as :
							    l->list.v[i].name;
}

static int observe_all(struct netns_list *l, struct error *e)
{
	cleanup(closep) int own = -1;
	int r = open_own(&own, e);

	if (r == 0)
		r = get_id(own, NETNS_OWN, &l->own, e);
	for (size_t i = 0; r == 0 && i < l->list.n; i++)
		r = observe_one(l, &l->list.v[i], LIST_ADD(l->a, &l->ids), e);
	for (size_t i = 0; r == 0 && i < l->list.n; i++)
		if (l->list.v[i].found)
			find_other_name(l, i);
	return r;
}

int netns_observe(const struct kern_context *c, struct arena *a, const struct string_list *want,
		  struct observed *ret, struct error *e)
{
	struct netns_list l = { .a = a };
	struct string_list records = { 0 };
	int r = ret->bpffs_mounted ? pin_part_list(c, a, LAYOUT_NETNS, &records, e) : 0;

	if (r < 0)
		return error_prefix(e, r, "namespaces");
	for (size_t i = 0; i < want->n; i++)
		add_name(&l, want->v[i]);
	for (size_t i = 0; i < records.n; i++) {
		const char *name = layout_unescape(a, records.v[i]);

		if (name)
			add_name(&l, name)->recorded = true;
	}
	if (l.list.n == 0)
		return 0;
	qsort(l.list.v, l.list.n, sizeof(*l.list.v), by_name);
	r = observe_all(&l, e);
	ret->netns = l.list.v;
	ret->netns_count = l.list.n;
	return r;
}

/* --- records ---------------------------------------------------------------- */

int netns_record(const struct kern_context *c, struct arena *a, const char *name, struct error *e)
{
	int r = pin_directory_create(pin_path(c, a, LAYOUT_NETNS), e);

	return r < 0 ? r : pin_directory_create(pin_path(c, a, layout_netns_dir(a, name)), e);
}

void netns_record_apply(const struct kern_context *c, struct arena *a, const struct op *op,
			struct op_result *ret)
{
	int r = netns_record(c, a, op->netns.name, &ret->error);

	if (r < 0)
		result_fail(ret, r);
}

void netns_forget_apply(const struct kern_context *c, struct arena *a, const struct op *op,
			struct op_result *ret)
{
	const char *path = pin_path(c, a, layout_netns_dir(a, op->netns.name));

	if (rmdir(path) == 0 || errno == ENOENT)
		return;
	error_set(&ret->error, -errno, "remove %s: %s", path, error_string(errno));
	result_fail(ret, ret->error.code);
}
