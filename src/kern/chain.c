/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * A dispatcher, its program array and what it was built for, pinned in a directory
 * that is named by the dispatcher's program id and never renamed. `meta` comes last when a
 * chain is built; when it is removed, `dispatcher` goes first, and the rest only when the kernel has
 * really let go of that program.
 */
#include "kern/chain.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/macros.h"
#include "base/num.h"
#include "base/str.h"
#include "kern/chain_names.h"
#include "kern/dispatcher.h"
#include "kern/keep.h"
#include "kern/libxdp.h"
#include "kern/pin.h"
#include "kern/recover.h"
#include "kern/verifier.h"
#include "model/layout.h"
#include "model/limits.h"

/*
 * How long a dispatcher that nobody uses any more may take to go: a removed pin lets go of it
 * only in a callback after a grace period.
 */
#define GONE_POLLS   250
#define GONE_POLL_NS (1000 * 1000)

static int fail(struct op_result *ret, int code, const char *reason)
{
	result_fail(ret, code);
	ret->reason = reason;
	return code;
}

static const char *chain_pin(const struct kern_context *c, struct arena *a, uint32_t id,
			     const char *part)
{
	return arena_printf(a, "%s/%s/%s", c->bpffs_dir, layout_chain_dir(a, id), part);
}

static const char *chain_directory(const struct kern_context *c, struct arena *a, uint32_t id)
{
	return pin_path(c, a, layout_chain_dir(a, id));
}

/* --- observe -------------------------------------------------------------- */

/* The array says which program runs in a slot, whatever anybody meant to put there. */
static int observe_slots(struct arena *a, int members_fd, struct observed_chain *chain,
			 struct error *e)
{
	uint32_t count = (uint32_t)chain->meta.member_count;

	chain->slots = arena_calloc(a, count, sizeof(*chain->slots));
	for (uint32_t slot = 0; slot < count; slot++) {
		if (bpf_map_lookup_elem(members_fd, &slot, &chain->slots[slot]) == 0)
			continue;
		if (errno != ENOENT)
			return error_set(e, -errno, "cannot read slot %u of chain %u: %s", slot,
					 chain->id, error_string(errno));
	}
	return 0;
}

/* 1: metadata is there and understood, 0: it is not (newer may be set). */
static int observe_meta(struct recover *look, struct observed_chain *chain, struct error *e)
{
	const char *what = chain_directory(look->c, look->a, chain->id);
	struct error why = { 0 };
	cleanup(closep) int fd = -1;
	struct pin_meta meta;
	int r = recover_open(look, LAYOUT_META, PIN_TYPE_MAP, &fd, e);

	if (r <= 0)
		return r;
	r = pin_meta_read_fd(look->a, fd, what, &meta, &why);
	if (r == 0)
		r = meta_chain_decode(look->a, meta.data, meta.size, &chain->meta, &why);
	chain->newer = r == -EOPNOTSUPP ? meta_layout(meta.data, meta.size) : 0;
	if (r == -EBADMSG || chain->newer)
		return 0;
	return r < 0 ? error_set(e, r, "%s", why.text) : 1;
}

static int observe_tailcall(struct recover *look, struct observed_chain *chain, struct error *e)
{
	cleanup(closep) int dispatcher = -1, members = -1;
	struct observed_program program;
	int r = recover_open(look, LAYOUT_DISPATCHER, PIN_TYPE_PROGRAM, &dispatcher, e);

	if (r > 0)
		r = recover_open(look, LAYOUT_MEMBERS, PIN_TYPE_MAP, &members, e);
	if (r <= 0)
		return r;
	r = pin_program_info(look->a, dispatcher, &program, e);
	if (r == 0)
		r = observe_slots(look->a, members, chain, e);
	if (r < 0)
		return r;
	chain->complete = program.id == chain->id;
	chain->run_count = program.run_count;
	chain->run_ns = program.run_ns;
	return 0;
}

int chain_observe_one(const struct kern_context *c, struct arena *a, struct observed_chain *chain,
		      struct error *e)
{
	struct recover look = { c, a, layout_chain_dir(a, chain->id), { 0 } };
	struct observed_lost meta = { 0 };
	int r = observe_meta(&look, chain, e);

	if (r <= 0)
		return r;
	if (chain->meta.mechanism == MECHANISM_LIBXDP)
		return libxdp_chain_observe(c, a, chain, e);
	if (look.lost.n)
		meta = look.lost.v[--look.lost.n];
	r = observe_tailcall(&look, chain, e);
	if (meta.path)
		*LIST_ADD(a, &look.lost) = meta;
	chain->lost = look.lost.v;
	chain->lost_count = look.lost.n;
	return r;
}

static int by_id(const void *a, const void *b)
{
	const struct observed_chain *x = a, *y = b;

	return x->id < y->id ? -1 : x->id > y->id;
}

/* Chains whose directories are gone, while this daemon holds what was in them. */
static void add_kept(const struct kern_context *c, struct arena *a, struct string_list *names)
{
	LIST(const char *) all = { 0 };
	struct string_list kept;

	keep_list(c->keep, a, LAYOUT_CHAINS, LAYOUT_META, &kept);
	for (size_t i = 0; i < names->n; i++)
		*LIST_ADD(a, &all) = names->v[i];
	for (size_t i = 0; i < kept.n; i++)
		if (!names->n ||
		    !bsearch(&kept.v[i], names->v, names->n, sizeof(*names->v), pin_name_compare))
			*LIST_ADD(a, &all) = kept.v[i];
	*names = (struct string_list){ all.v, all.n };
}

int chain_observe(const struct kern_context *c, struct arena *a, struct observed *ret,
		  struct error *e)
{
	LIST(struct observed_chain) chains = { 0 };
	struct string_list names = { 0 };
	int r = 0;

	if (ret->bpffs_mounted)
		r = pin_part_directories(c, a, LAYOUT_CHAINS, &names, ret, e);
	add_kept(c, a, &names);
	for (size_t i = 0; r == 0 && i < names.n; i++) {
		struct observed_chain *chain;
		uint32_t id;

		if (num_parse_u32(names.v[i], UINT32_MAX, &id) < 0 || id == 0) {
			pin_foreign(a, ret, arena_printf(a, LAYOUT_CHAINS "/%s", names.v[i]));
			continue;
		}
		chain = LIST_ADD(a, &chains);
		chain->id = id;
		r = chain_observe_one(c, a, chain, e);
		if (r == 0 && !chain->complete && !chain->newer && !chain->lost_count &&
		    chain_names_are_foreign(c, a, names.v[i], ret))
			chains.n--;
	}
	if (r < 0)
		return error_prefix(e, r, "chains");
	if (chains.n > 0)
		qsort(chains.v, chains.n, sizeof(*chains.v), by_id);
	ret->chains = chains.v;
	ret->chain_count = chains.n;
	chain_names_look(c->chain_names, c, a, ret);
	return 0;
}

/* --- build ---------------------------------------------------------------- */

static int load(struct arena *a, const struct op_chain *op, struct dispatcher *d,
		struct op_result *ret)
{
	int code;

	if (op->meta.member_count > LIMIT_CHAIN_TAILCALL ||
	    op->member_count != op->meta.member_count) {
		error_set(&ret->error, -E2BIG, "a chain of %zu programs; at most %d are possible",
			  op->member_count, LIMIT_CHAIN_TAILCALL);
		return fail(ret, -E2BIG, "ChainTooLong");
	}
	code = dispatcher_open(d, &op->meta, op->frags, &ret->error);
	if (code < 0)
		return fail(ret, code, "LoadFailed");
	code = verifier_load(d->object, a, ret);
	if (code < 0)
		error_prefix(&ret->error, code, "dispatcher");
	return code;
}

static int slot_fill(const struct kern_context *c, struct arena *a, int members_fd, uint32_t slot,
		     const struct program_ref *member, struct op_result *ret)
{
	const char *pin =
		layout_program_pin(a, member->instance, member->version, member->function);
	cleanup(closep) int fd = -1;
	int r;

	r = pin_open(pin_path(c, a, pin), &fd, &ret->error);
	if (r < 0)
		return fail(ret, r, "MemberMissing");
	if (bpf_map_update_elem(members_fd, &slot, &fd, BPF_ANY) == 0)
		return 0;
	r = -errno;
	error_set(&ret->error, r, "%s/%s cannot be put into slot %u: %s%s", member->instance,
		  member->function, slot, error_string(r),
		  r == -EINVAL ?
			  "; all members of a chain must be programs of its hook, XDP for an "
			  "interface or tc, and be loaded alike, with or without frags, and "
			  "not bound to a device" :
			  "");
	return fail(ret, r, "MemberRefused");
}

static int pin_all(const struct kern_context *c, struct arena *a, const struct op_chain *op,
		   const struct dispatcher *d, uint32_t id, struct error *e)
{
	const char *directory = chain_directory(c, a, id);
	const int program = bpf_program__fd(d->program);
	const struct pin_owner owner = { c->tag, &program, 1 };
	const void *data;
	size_t size;
	int r;

	/* A directory of this name is of a dead dispatcher: while one lives its id is not given again. */
	r = chain_directory_remove(a, directory, e);
	if (r == 0)
		r = pin_directory_create(directory, e);
	if (r == 0)
		r = pin_put(program, chain_pin(c, a, id, LAYOUT_DISPATCHER), e);
	if (r == 0)
		r = pin_put(bpf_map__fd(d->members), chain_pin(c, a, id, LAYOUT_MEMBERS), e);
	if (r < 0)
		return r;
	data = meta_chain_encode(a, &op->meta, &size);
	return pin_meta_write(a, directory, &owner, data, size, e);
}

void chain_build(const struct kern_context *c, struct arena *a, const struct op *op,
		 uint32_t *ret_id, struct op_result *ret)
{
	cleanup(dispatcher_close) struct dispatcher d = { 0 };
	const struct op_chain *chain = &op->chain;
	struct observed_program program;
	int r;

	if (chain->meta.mechanism == MECHANISM_LIBXDP) {
		libxdp_chain_build(c, a, op, ret_id, ret);
		return;
	}
	if (load(a, chain, &d, ret) < 0)
		return;
	for (uint32_t slot = 0; slot < chain->member_count; slot++)
		if (chain->members[slot].instance &&
		    slot_fill(c, a, bpf_map__fd(d.members), slot, &chain->members[slot], ret) < 0)
			return;
	r = pin_program_info(a, bpf_program__fd(d.program), &program, &ret->error);
	if (r < 0) {
		fail(ret, r, "PinFailed");
		return;
	}
	r = pin_all(c, a, chain, &d, program.id, &ret->error);
	if (r < 0) {
		(void)chain_directory_remove(a, chain_directory(c, a, program.id), NULL);
		fail(ret, r, "PinFailed");
		return;
	}
	*ret_id = program.id;
}

void chain_slot_set(const struct kern_context *c, struct arena *a, const struct op *op, int kept_fd,
		    struct op_result *ret)
{
	const struct program_ref *member = op_slot_member(&op->chain);
	uint32_t slot = op->chain.slot;
	cleanup(closep) int fd = -1;
	int r;

	/* An array is the common case, and to be quick here is what it is for. */
	r = pin_open_if(chain_pin(c, a, op->chain.id, LAYOUT_MEMBERS), &fd, &ret->error);
	if (r == 0) {
		r = libxdp_chain_is(c, a, op->chain.id, &ret->error);
		if (r > 0) {
			libxdp_slot_set(c, a, op, kept_fd, ret);
			return;
		}
		if (r == 0)
			r = pin_open(chain_pin(c, a, op->chain.id, LAYOUT_MEMBERS), &fd,
				     &ret->error);
	}
	if (r < 0) {
		fail(ret, r, "ChainMissing");
	} else if (member) {
		(void)slot_fill(c, a, fd, slot, member, ret);
	} else if (bpf_map_delete_elem(fd, &slot) < 0 && errno != ENOENT) {
		r = error_set(&ret->error, -errno, "slot %u of chain %u cannot be emptied: %s",
			      slot, op->chain.id, error_string(errno));
		fail(ret, r, "MemberRefused");
	}
}

/* --- remove --------------------------------------------------------------- */

/*
 * 1: the kernel still has a program of this id that uses our array, 0: it has not. *ret_fd is left open
 * on it if asked for, which is a reference: whoever waits for the program to go must not ask.
 */
static int dispatcher_find(struct arena *a, uint32_t id, uint32_t members_id, int *ret_fd,
			   struct error *e)
{
	cleanup(closep) int fd = bpf_prog_get_fd_by_id(id);
	struct observed_program program;
	bool ours = members_id == 0;
	int r;

	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0)
		return error_set(e, -errno, "cannot look for program id %u: %s", id,
				 error_string(errno));
	r = pin_program_info(a, fd, &program, e);
	if (r < 0)
		return r;
	for (size_t i = 0; i < program.map_count; i++)
		ours |= program.maps[i] == members_id;
	if (ours && ret_fd)
		*ret_fd = take_fd(fd);
	return ours;
}

/* 1: still there after the time it may take. Looks at ids only, since a descriptor would keep it. */
static int dispatcher_stays(uint32_t id, struct error *e)
{
	const struct timespec pause = { .tv_nsec = GONE_POLL_NS };

	/* Hurries up callbacks that a kernel saves up to spare power; anything else is for the poll. */
	(void)grace_wait_by_membarrier();
	for (int i = 0; i < GONE_POLLS; i++) {
		uint32_t next = 0;

		if (bpf_prog_get_next_id(id - 1, &next) < 0 && errno != ENOENT)
			return error_set(e, -errno, "cannot list programs: %s",
					 error_string(errno));
		if (next != id)
			return 0;
		(void)nanosleep(&pause, NULL);
	}
	return 1;
}

/* The array's id, 0 when it is not pinned: then there is nothing to lose any more. */
static int members_id(const struct kern_context *c, struct arena *a, uint32_t id, uint32_t *ret,
		      struct error *e)
{
	cleanup(closep) int fd = -1;
	struct observed_map map;
	int r;

	*ret = 0;
	r = pin_open_if(chain_pin(c, a, id, LAYOUT_MEMBERS), &fd, e);
	if (r <= 0)
		return r;
	r = pin_map_info(a, fd, &map, e);
	if (r == 0)
		*ret = map.id;
	return r;
}

static int still_used(const struct kern_context *c, struct arena *a, uint32_t id, int fd,
		      const char **ret_reason, struct error *e)
{
	int r = pin_put(fd, chain_pin(c, a, id, LAYOUT_DISPATCHER), e);

	if (r < 0)
		return r;
	*ret_reason = RESULT_CHAIN_STILL_USED;
	return error_set(
		e, -EBUSY,
		"dispatcher %u is still in use outside of what bpfshare sees: by an "
		"interface in another network namespace, a link or an open descriptor; it is "
		"kept until that ends",
		id);
}

/* Takes the dispatcher's pin away if that makes the kernel free it, else leaves it as it was. */
static int dispatcher_release(const struct kern_context *c, struct arena *a, uint32_t id,
			      const char **ret_reason, struct error *e)
{
	cleanup(closep) int fd = -1;
	uint32_t array;
	int r;

	r = members_id(c, a, id, &array, e);
	if (r == 0)
		r = pin_remove(chain_pin(c, a, id, LAYOUT_DISPATCHER), e);
	if (r < 0 || array == 0)
		return r;
	/* An interrupted removal left no pin of it: meanwhile the id may be anybody's. */
	r = dispatcher_find(a, id, array, NULL, e);
	if (r > 0)
		r = dispatcher_stays(id, e);
	if (r > 0)
		r = dispatcher_find(a, id, array, &fd, e);
	return r <= 0 ? r : still_used(c, a, id, fd, ret_reason, e);
}

void chain_remove(const struct kern_context *c, struct arena *a, const struct op *op,
		  struct op_result *ret)
{
	const char *reason = "RemoveFailed";
	uint32_t id = op->chain.id;
	int r;

	r = libxdp_chain_is(c, a, id, &ret->error);
	if (r > 0) {
		libxdp_chain_remove(c, a, op, ret);
		return;
	}
	if (r == 0)
		r = dispatcher_release(c, a, id, &reason, &ret->error);
	if (r < 0) {
		fail(ret, r, reason);
		return;
	}
	r = chain_directory_remove(a, chain_directory(c, a, id), &ret->error);
	if (r < 0)
		fail(ret, r, "RemoveFailed");
}
