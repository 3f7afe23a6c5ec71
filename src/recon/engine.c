/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
#include "recon/engine.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>

#include "base/alloc.h"
#include "base/log.h"
#include "recon/defaults.h"
#include "recon/waiting.h"

/* How long a lock that was taken away may be in other hands before we give way. */
#define RETAKE_POLLS   100
#define RETAKE_POLL_NS (10ull * 1000 * 1000)

uint64_t engine_now_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

void engine_node(struct arena *a, struct node *ret)
{
	struct kernel_version v = { 0 };
	struct utsname name;

	(void)uname(&name); /* fails only for a bad pointer */
	/* "6.1.0-13-amd64": what does not follow the scheme counts as 0. */
	(void)sscanf(name.release, "%u.%u.%u", &v.major, &v.minor, &v.patch);
	*ret = (struct node){
		.host = arena_strdup(a, name.nodename),
		.arch = arena_strdup(a, name.machine),
		.kernel = v,
	};
}

/* Objects are loaded from the very generation that the plan was made from. */
static int fetch(void *arg, const struct object_decl *decl, struct source_blob *ret,
		 struct error *e)
{
	const struct engine *g = arg;

	return generation_fetch((struct generation *)recon_generation(g->recon), decl, ret, e);
}

/* Whether a lock is on the directory that is at the path now: it may have been removed or unmounted. */
static bool is_current(int fd, const char *path)
{
	struct stat held, present;

	return fd >= 0 && fstat(fd, &held) == 0 && stat(path, &present) == 0 &&
	       held.st_dev == present.st_dev && held.st_ino == present.st_ino;
}

/* -ENOENT means that the directory is still to be made, and is no fault. */
static int lock_bpffs(struct engine *g, struct error *e)
{
	struct error why = { 0 };
	int r;

	if (is_current(g->lock.bpffs_fd, g->bpffs_dir))
		return 0;
	if (g->lock.bpffs_fd >= 0)
		(void)close(take_fd(g->lock.bpffs_fd));
	r = lock_take_bpffs(&g->lock, g->bpffs_dir, &why);
	return r == -EWOULDBLOCK ? error_set(e, r, "%s", why.text) : 0;
}

/*
 * Another daemon that starts takes this lock before it finds ours of the bpffs directory and goes away:
 * that is no reason to give way to it.
 */
static int lock_retake(struct engine *g, struct lock *ret, struct error *e)
{
	const struct timespec pause = { .tv_nsec = RETAKE_POLL_NS };
	pid_t holder;
	int r = lock_take(g->run_dir, ret, &holder, e);

	for (int i = 0; r == -EWOULDBLOCK && i < RETAKE_POLLS; i++) {
		(void)nanosleep(&pause, NULL);
		r = lock_take(g->run_dir, ret, &holder, e);
	}
	return r;
}

/* A lock on what nobody finds any more keeps nobody out. */
static int lock_run(struct engine *g, struct error *e)
{
	cleanup(freep) char *path = xasprintf("%s/lock", g->run_dir);
	struct lock fresh = LOCK_NONE;
	struct error why = { 0 };
	int r;

	if (is_current(g->lock.run_fd, path))
		return 0;
	r = lock_retake(g, &fresh, &why);
	if (r == -EWOULDBLOCK)
		return error_set(e, r, "the lock was taken away: %s", why.text);
	if (r < 0) {
		log_warning("%s was taken away and cannot be locked again: %s", path, why.text);
		return 0;
	}
	log_warning("%s was taken away; it is made and locked again", path);
	closep(&g->lock.run_fd);
	g->lock.run_fd = take_fd(fresh.run_fd);
	return 0;
}

static int lock_all(struct engine *g, struct error *e)
{
	int r = lock_run(g, e);

	return r < 0 ? r : lock_bpffs(g, e);
}

int engine_new(const struct engine_options *o, struct engine **ret, pid_t *ret_holder,
	       struct error *e)
{
	cleanup(engine_freep) struct engine *g = xnew(struct engine);
	struct recon_options recon = { .ops = &kern_linux_ops, .run_dir = o->run_dir };
	struct loader_options loader = o->loader;
	int r;

	g->arena = arena_new();
	g->lock = (struct lock)LOCK_NONE;
	g->run_dir = o->run_dir;
	g->bpffs_dir = o->bpffs_dir;
	r = lock_take(o->run_dir, &g->lock, ret_holder, e);
	if (r == 0) /* now, before the sockets of another daemon are touched */
		r = lock_bpffs(g, e);
	if (loader.state_dir)
		loader.state_dir = arena_printf(g->arena, "%s/" LAST_GOOD, loader.state_dir);
	if (r == 0)
		r = loader_new(&loader, &g->loader, e);
	if (r == 0)
		r = kern_linux_new(&(struct kern_linux_options){ .bpffs_dir = o->bpffs_dir,
								 .run_dir = o->run_dir,
								 .fetch = fetch,
								 .fetch_arg = g },
				   &g->kernel, e);
	if (r < 0)
		return r;
	recon.ctx = g->kernel;
	recon.loader = g->loader;
	recon.waiting_path = arena_printf(g->arena, "%s/" WAITING_FILE, o->run_dir);
	engine_node(g->arena, &recon.node);
	r = recon_new(&recon, &g->recon, e);
	if (r < 0)
		return r;
	*ret = take_ptr(g);
	return 0;
}

void engine_free(struct engine *g)
{
	if (!g)
		return;
	recon_free(g->recon);
	if (g->kernel)
		kern_linux_free(g->kernel);
	if (g->loader)
		loader_free(g->loader);
	lock_release(&g->lock);
	arena_free(g->arena);
	free(g);
}

/* The one code that has a meaning here is that of a lock, whatever the kernel answered to a pass. */
static int pass_code(int r)
{
	return r == -EWOULDBLOCK ? -EBUSY : r;
}

int engine_run(struct engine *g, unsigned int dirty, struct error *e)
{
	int r = lock_all(g, e);

	if (r == 0)
		r = pass_code(recon_run(g->recon, dirty, engine_now_ns(), e));
	if (r == 0)
		r = lock_bpffs(g, e);
	return r;
}

int engine_purge(struct engine *g, struct error *e)
{
	int r = lock_all(g, e);

	return r < 0 ? r : pass_code(recon_purge(g->recon, engine_now_ns(), e));
}
