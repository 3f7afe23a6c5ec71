/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * The pins by which libxdp knows the members of a chain: a directory per interface and dispatcher. The lock is held
 * from the first new pin over the swap of the root to the last old pin, because libxdp takes a directory whose
 * dispatcher is not attached for litter. Its own tools wait for the lock without end, so whoever holds it
 * for long is told of instead of waited for.
 */
#include "kern/libxdp.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#include <bpf/bpf.h>

#include "base/macros.h"
#include "kern/chain.h"
#include "kern/pin.h"
#include "model/layout.h"

#define LOCK_SHARED_WAIT_MS 100
#define LOCK_POLL_MS        10

const char *libxdp_path(const struct kern_context *c, struct arena *a, const char *relative)
{
	const char *slash = strrchr(c->bpffs_dir, '/');

	return arena_printf(a, "%.*s/" LAYOUT_PROTOCOL "%s%s", (int)(slash - c->bpffs_dir),
			    c->bpffs_dir, *relative ? "/" : "", relative);
}

const char *libxdp_pin_name(struct arena *a, const char *directory, size_t slot, const char *part)
{
	return arena_printf(a, "%s/prog%zu-%s", directory, slot, part);
}

/* --- lock --------------------------------------------------------------------- */

static int64_t now_ms(void)
{
	struct timespec t = { 0 };

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int lock_within(int fd, int how, int64_t wait_ms)
{
	const struct timespec pause = { .tv_nsec = LOCK_POLL_MS * 1000 * 1000 };
	const int64_t end = now_ms() + wait_ms;

	while (flock(fd, how | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return -errno;
		if (now_ms() >= end)
			return -EWOULDBLOCK;
		(void)nanosleep(&pause, NULL);
	}
	return 0;
}

/* A bpffs may be mounted 1777: then anybody can have made the directory, with pins of their own in it. */
static bool is_trusted(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && st.st_uid == 0 && !(st.st_mode & (S_IWGRP | S_IWOTH));
}

int libxdp_lock(const struct kern_context *c, struct arena *a, int *ret_fd, struct op_result *ret)
{
	const char *path = libxdp_path(c, a, "");
	cleanup(closep) int fd = -1;
	int r = pin_directory_create(path, &ret->error);
	int64_t began, waited;

	if (r < 0)
		return result_fail_as(ret, r, "PinFailed");
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0) {
		r = error_set(&ret->error, -errno, "cannot open %s: %s", path, error_string(errno));
		return result_fail_as(ret, r, "PinFailed");
	}
	if (!is_trusted(fd)) {
		r = error_set(
			&ret->error, -EPERM,
			"%s is there, but others than root can write to it; if you trust what "
			"is in it: chown root:root %s && chmod 700 %s",
			path, path, path);
		ret->reason = "UntrustedPath";
		result_fail(ret, r);
		return r;
	}
	began = now_ms();
	r = lock_within(fd, LOCK_EX, *c->lock_wait_ms);
	waited = now_ms() - began;
	*c->lock_wait_ms -= MIN(waited, *c->lock_wait_ms);
	if (r == 0) {
		*ret_fd = take_fd(fd);
		return 0;
	}
	error_set(&ret->error, r,
		  "another process has held libxdp's lock for %d seconds (%s); fuser -v %s names "
		  "it; it is tried again",
		  LIBXDP_LOCK_WAIT_MS / 1000, error_string(r), path);
	result_fail_as(ret, r, "LibxdpLocked");
	ret->class = FAILURE_TRANSIENT;
	return r;
}

int libxdp_lock_shared(const struct kern_context *c, struct arena *a, int *ret_fd, struct error *e)
{
	const char *path = libxdp_path(c, a, "");
	cleanup(closep) int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	*ret_fd = -1;
	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP))
		return 0;
	if (fd < 0)
		return error_set(e, -errno, "cannot open %s: %s", path, error_string(errno));
	if (!is_trusted(fd))
		return 0;
	(void)lock_within(fd, LOCK_SH, LOCK_SHARED_WAIT_MS);
	*ret_fd = take_fd(fd);
	return 0;
}

/* --- pins ------------------------------------------------------------------------ */

/* True if that very program or link (by its id) is pinned there already. */
static bool holds_program(const char *path, uint32_t id)
{
	cleanup(closep) int fd = bpf_obj_get(path);
	struct bpf_prog_info info = { 0 };
	uint32_t size = sizeof(info);

	return fd >= 0 && pin_kind(fd) == PIN_PROGRAM &&
	       bpf_obj_get_info_by_fd(fd, &info, &size) == 0 && info.id == id;
}

static bool holds_link(const char *path, uint32_t id)
{
	cleanup(closep) int fd = bpf_obj_get(path);
	struct libxdp_link link;

	return fd >= 0 && libxdp_link_info(fd, &link) && link.id == id;
}

static int pin_anew(int fd, const char *path, struct error *e)
{
	int r = pin_remove(path, e);

	return r < 0 ? r : pin_put(fd, path, e);
}

int libxdp_pin_slot(const struct kern_context *c, struct arena *a, const char *directory,
		    size_t slot, int link_fd, struct error *e)
{
	const char *program_pin = libxdp_path(c, a, libxdp_pin_name(a, directory, slot, "prog"));
	const char *link_pin = libxdp_path(c, a, libxdp_pin_name(a, directory, slot, "link"));
	cleanup(closep) int program = -1;
	struct libxdp_link link;
	int r = 0;

	if (!libxdp_link_info(link_fd, &link))
		return error_set(e, -EINVAL, "the link of slot %zu is none of freplace", slot);
	if (!holds_link(link_pin, link.id))
		r = pin_anew(link_fd, link_pin, e);
	if (r < 0 || holds_program(program_pin, link.program_id))
		return r;
	program = bpf_prog_get_fd_by_id(link.program_id);
	if (program < 0)
		return error_set(e, -errno, "cannot open program id %u: %s", link.program_id,
				 error_string(errno));
	return pin_anew(program, program_pin, e);
}

/* All slots of a dispatcher of ours, from its own pins. */
static int pin_all(const struct kern_context *c, struct arena *a, uint32_t ifindex, uint32_t id,
		   bool *ret_made, struct error *e)
{
	const char *directory = layout_protocol_dir(a, ifindex, id);
	struct observed_chain chain = { .id = id };
	int r;

	*ret_made = mkdir(libxdp_path(c, a, directory), 0700) == 0;
	if (!*ret_made && errno != EEXIST)
		return error_set(e, -errno, "cannot create directory %s: %s",
				 libxdp_path(c, a, directory), error_string(errno));
	r = chain_observe_one(c, a, &chain, e);
	if (r == 0 && !chain.complete)
		return error_set(e, -ENOENT, "chain %u is not complete", id);
	for (size_t slot = 0; r == 0 && slot < chain.meta.member_count; slot++) {
		const char *pin = pin_path(c, a, layout_chain_link(a, id, (uint32_t)slot));
		cleanup(closep) int fd = -1;

		r = pin_open(pin, &fd, e);
		if (r == 0)
			r = libxdp_pin_slot(c, a, directory, slot, fd, e);
	}
	return r;
}

int libxdp_directory_remove(const struct kern_context *c, struct arena *a, const char *name,
			    struct error *e)
{
	return pin_directory_remove(a, libxdp_path(c, a, name), e);
}

int libxdp_directories(const struct kern_context *c, struct arena *a, uint32_t id,
		       struct string_list *ret, struct error *e)
{
	LIST(const char *) found = { 0 };
	struct string_list all;
	int r = pin_directory_list(a, libxdp_path(c, a, ""), &all, e);

	*ret = (struct string_list){ 0 };
	for (size_t i = 0; r == 0 && i < all.n; i++) {
		uint32_t ifindex, of;

		if (layout_protocol_parse(all.v[i], &ifindex, &of) && of == id)
			*LIST_ADD(a, &found) = all.v[i];
	}
	ret->v = found.v;
	ret->n = found.n;
	return r;
}

/* --- around a swap ----------------------------------------------------------------- */

static const char *old_directory(const struct libxdp_swap *s)
{
	return layout_protocol_dir(s->a, s->op->ifindex, s->op->expected_id);
}

static bool has_old_directory(const struct libxdp_swap *s)
{
	return s->op->expected_id && access(libxdp_path(s->c, s->a, old_directory(s)), F_OK) == 0;
}

int libxdp_swap_begin(struct libxdp_swap *s, struct op_result *ret)
{
	int r;

	s->lock = -1;
	if (!s->id && !has_old_directory(s))
		return 0;
	r = libxdp_lock(s->c, s->a, &s->lock, ret);
	if (r == 0 && s->id) {
		r = pin_all(s->c, s->a, s->op->ifindex, s->id, &s->made, &ret->error);
		if (r < 0)
			result_fail_as(ret, r, r == -ENOENT ? "MemberMissing" : "PinFailed");
	}
	if (r < 0) {
		error_prefix(&ret->error, r, "root of %s", s->op->interface);
		libxdp_swap_end(s, ret);
	}
	return r;
}

/*
 * Links of foreign members go with the directory, and packets may still be under way in the old dispatcher. Those of
 * ours have pins of their own, which outlive a grace period anyway.
 */
static void remove_old(struct libxdp_swap *s, struct op_result *ret)
{
	struct op_result grace = { 0 };
	struct error e = { 0 };

	if (s->op->expected_id == s->id || !has_old_directory(s))
		return;
	if (access(pin_path(s->c, s->a, layout_chain_dir(s->a, s->op->expected_id)), F_OK) < 0)
		grace_apply(&grace);
	if (libxdp_directory_remove(s->c, s->a, old_directory(s), &e) < 0 && !ret->note)
		ret->note = arena_printf(
			s->a, "%s: pins of the dispatcher that was there before remain: %s",
			s->op->interface, e.text);
}

void libxdp_swap_end(struct libxdp_swap *s, struct op_result *ret)
{
	if (s->lock < 0)
		return;
	if (ret->code == 0)
		remove_old(s, ret);
	else if (s->made)
		(void)libxdp_directory_remove(
			s->c, s->a, layout_protocol_dir(s->a, s->op->ifindex, s->id), NULL);
	(void)close(take_fd(s->lock));
}

void libxdp_root_pin(const struct kern_context *c, struct arena *a, const struct op *op,
		     struct op_result *ret)
{
	const struct op_root *root = &op->root;
	cleanup(closep) int lock = -1;
	bool made;
	int r;

	if (libxdp_lock(c, a, &lock, ret) < 0)
		return;
	r = pin_all(c, a, root->ifindex, root->chain_id, &made, &ret->error);
	if (r < 0) {
		error_prefix(&ret->error, r, "pins of %s for libxdp", root->interface);
		result_fail_as(ret, r, r == -ENOENT ? "MemberMissing" : "PinFailed");
	}
}

void libxdp_root_unpin(const struct kern_context *c, struct arena *a, const struct op *op,
		       struct op_result *ret)
{
	const struct op_root *root = &op->root;
	const char *directory = layout_protocol_dir(a, root->ifindex, root->chain_id);
	cleanup(closep) int lock = -1;
	int r;

	if (access(libxdp_path(c, a, directory), F_OK) < 0 && errno == ENOENT)
		return;
	if (libxdp_lock(c, a, &lock, ret) < 0)
		return;
	r = libxdp_directory_remove(c, a, directory, &ret->error);
	if (r < 0)
		result_fail_as(ret, r, "RemoveFailed");
}
