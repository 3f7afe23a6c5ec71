/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * chains/ID of a dispatcher by libxdp's protocol. Its links are pinned here besides in libxdp's own directories,
 * so that nobody who cleans those up takes a member out of a running chain. A link holds its dispatcher: that
 * nobody runs it any more has to be counted, it does not show in the dispatcher's end.
 */
#include "kern/libxdp.h"

#include <errno.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/macros.h"
#include "base/str.h"
#include "kern/chain.h"
#include "kern/chain_names.h"
#include "kern/pin.h"
#include "kern/program_users.h"
#include "model/layout.h"

/* How long what was let go may still be counted: pins and links go in callbacks after a grace period. */
#define FREE_POLLS   25
#define FREE_POLL_NS (10 * 1000 * 1000)

static void objectp(struct bpf_object **o)
{
	bpf_object__close(*o);
}

static const char *link_pin(const struct kern_context *c, struct arena *a, uint32_t id, size_t slot)
{
	return pin_path(c, a, layout_chain_link(a, id, (uint32_t)slot));
}

static const char *dispatcher_pin(const struct kern_context *c, struct arena *a, uint32_t id)
{
	return pin_path(c, a, arena_printf(a, "%s/" LAYOUT_DISPATCHER, layout_chain_dir(a, id)));
}

/* --- observe -------------------------------------------------------------------- */

bool libxdp_link_info(int fd, struct libxdp_link *ret)
{
	struct bpf_link_info info = { 0 };
	uint32_t size = sizeof(info);

	if (pin_kind(fd) != PIN_LINK || bpf_obj_get_info_by_fd(fd, &info, &size) < 0 ||
	    info.type != BPF_LINK_TYPE_TRACING)
		return false;
	*ret = (struct libxdp_link){ .id = info.id,
				     .program_id = info.prog_id,
				     .dispatcher_id = info.tracing.target_obj_id };
	return true;
}

/* Before 5.13 the kernel does not say what a link is attached to; then its place has to do. */
static bool is_attached(const struct libxdp_link *link, uint32_t id)
{
	return link->dispatcher_id == id || link->dispatcher_id == 0;
}

/* 0: nothing is pinned there that makes a program run in this dispatcher. */
static int observe_slot(const char *pin, uint32_t id, uint32_t *ret_program_id, struct error *e)
{
	cleanup(closep) int fd = -1;
	struct libxdp_link link;
	int r = pin_open_if(pin, &fd, e);

	*ret_program_id = 0;
	if (r > 0 && libxdp_link_info(fd, &link) && is_attached(&link, id))
		*ret_program_id = link.program_id;
	return MIN(r, 0);
}

int libxdp_chain_observe(const struct kern_context *c, struct arena *a,
			 struct observed_chain *chain, struct error *e)
{
	cleanup(closep) int dispatcher = -1;
	struct observed_program program;
	int r;

	r = pin_open_if(dispatcher_pin(c, a, chain->id), &dispatcher, e);
	if (r <= 0 || pin_kind(dispatcher) != PIN_PROGRAM)
		return MIN(r, 0);
	r = pin_program_info(a, dispatcher, &program, e);
	chain->slots = arena_calloc(a, chain->meta.member_count, sizeof(*chain->slots));
	for (size_t slot = 0; r == 0 && slot < chain->meta.member_count; slot++)
		r = observe_slot(link_pin(c, a, chain->id, slot), chain->id, &chain->slots[slot],
				 e);
	if (r < 0)
		return r;
	chain->complete = program.id == chain->id;
	chain->run_count = program.run_count;
	chain->run_ns = program.run_ns;
	return 0;
}

int libxdp_chain_is(const struct kern_context *c, struct arena *a, uint32_t id, struct error *e)
{
	struct observed_chain chain = { .id = id };
	struct string_list names;
	int r = chain_observe_one(c, a, &chain, e);

	if (r < 0 || chain.meta.mechanism == MECHANISM_LIBXDP)
		return r < 0 ? r : 1;
	/* Without metadata (an interrupted build or removal) the pins tell. */
	r = pin_directory_list(a, pin_path(c, a, layout_chain_dir(a, id)), &names, e);
	for (size_t i = 0; r == 0 && i < names.n; i++)
		r = str_starts(names.v[i], "link-");
	return r;
}

/* --- build ------------------------------------------------------------------------- */

static void configure(const struct kern_context *c, const struct op_chain *op,
		      struct libxdp_config *ret)
{
	*ret = (struct libxdp_config){
		.version = op->meta.protocol,
		.frags = op->frags,
		.tag = libxdp_tag(c),
		.slot_count = op->meta.member_count,
	};
	for (size_t i = 0; i < op->meta.member_count; i++) {
		const struct meta_member *m = &op->meta.members[i];

		ret->slots[i] = (struct libxdp_slot){
			.actions = m->proceed_on,
			.priority = m->run_priority,
			.flags = m->frags ? BPF_F_XDP_HAS_FRAGS : 0,
			.required = m->required,
		};
	}
}

static int check(const struct op_chain *op, struct op_result *ret)
{
	size_t count = op->meta.member_count;

	if (count > LIBXDP_SLOT_COUNT || op->member_count != count) {
		error_set(&ret->error, -E2BIG,
			  "a chain of %zu programs; libxdp's protocol has places for %d", count,
			  LIBXDP_SLOT_COUNT);
		return result_fail_as(ret, -E2BIG, "ChainTooLong");
	}
	if (count > 0 && op->meta.protocol >= LIBXDP_VERSION_MIN &&
	    op->meta.protocol <= LIBXDP_VERSION_MAX)
		return 0;
	error_set(&ret->error, -EINVAL,
		  "no dispatcher can be built for %zu programs in version %u of libxdp's structure",
		  count, op->meta.protocol);
	return result_fail_as(ret, -EINVAL, "LoadFailed");
}

static const char *describe(struct arena *a, const struct program_ref *member)
{
	if (member->instance)
		return arena_printf(a, "%s/%s", member->instance, member->function);
	return member->id ? arena_printf(a, "program id %u", member->id) : "a program that drops";
}

/* The EXT program of a member. One that is neither ours nor anybody's is missing, and drops. */
static int open_member(const struct kern_context *c, struct arena *a,
		       const struct program_ref *member, int *ret_fd, struct op_result *ret)
{
	int r;

	if (!member->instance && !member->id)
		return libxdp_missing_load(a, ret_fd, ret);
	if (member->instance) {
		r = pin_open(pin_path(c, a,
				      layout_extension_pin(a, member->instance, member->version,
							   member->function)),
			     ret_fd, &ret->error);
	} else {
		*ret_fd = bpf_prog_get_fd_by_id(member->id);
		r = *ret_fd < 0 ? error_set(&ret->error, -errno, "cannot open program id %u: %s",
					    member->id, error_string(errno)) :
				  0;
	}
	return r < 0 ? result_fail_as(ret, r, "MemberMissing") : 0;
}

static int refuse_member(struct arena *a, const struct program_ref *member, const char *target,
			 int code, struct op_result *ret)
{
	const char *remedy = "";

	if (code == -EINVAL)
		remedy =
			"; a member must have been loaded as a freplace program for a function "
			"int NAME(struct xdp_md *ctx), and be attached to more than one dispatcher, "
			"which needs Linux 5.10";
	else if (code == -EBUSY)
		remedy = "; that place is taken, or the program is in a program array";
	error_prefix(&ret->error, code, "%s cannot take the place of %s in the dispatcher",
		     describe(a, member), target);
	error_set(&ret->error, code, "%s%s", ret->error.text, remedy);
	return result_fail_as(ret, code, "MemberRefused");
}

static int attach(const struct kern_context *c, struct arena *a, const struct program_ref *member,
		  const char *target, int dispatcher_fd, int *ret_fd, struct op_result *ret)
{
	cleanup(closep) int fd = -1;
	int r = open_member(c, a, member, &fd, ret);

	if (r < 0)
		return r;
	r = libxdp_attach(fd, dispatcher_fd, target, ret_fd, &ret->error);
	return r < 0 ? refuse_member(a, member, target, r, ret) : 0;
}

static int pin_meta(const struct kern_context *c, struct arena *a, const char *directory,
		    const struct meta_chain *meta, struct error *e)
{
	/* Bound to no program: libxdp wants a dispatcher to have one map. */
	const struct pin_owner owner = { .tag = c->tag };
	const void *data;
	size_t size;

	data = meta_chain_encode(a, meta, &size);
	return pin_meta_write(a, directory, &owner, data, size, e);
}

static int pin_all(const struct kern_context *c, struct arena *a, const struct op_chain *op,
		   int dispatcher_fd, const int *links, uint32_t id, struct error *e)
{
	const char *directory = pin_path(c, a, layout_chain_dir(a, id));
	int r;

	/* As with an array: what lies there is of a dead dispatcher. */
	r = chain_directory_remove(a, directory, e);
	if (r == 0)
		r = pin_directory_create(directory, e);
	if (r == 0)
		r = pin_put(dispatcher_fd, dispatcher_pin(c, a, id), e);
	for (size_t slot = 0; r == 0 && slot < op->meta.member_count; slot++)
		r = pin_put(links[slot], link_pin(c, a, id, slot), e);
	if (r == 0)
		r = pin_meta(c, a, directory, &op->meta, e);
	if (r < 0)
		(void)chain_directory_remove(a, directory, NULL);
	return r;
}

struct links {
	int fd[LIBXDP_SLOT_COUNT];
};

static void links_close(struct links *l)
{
	for (size_t i = 0; i < LIBXDP_SLOT_COUNT; i++)
		closep(&l->fd[i]);
}

void libxdp_chain_build(const struct kern_context *c, struct arena *a, const struct op *op,
			uint32_t *ret_id, struct op_result *ret)
{
	cleanup(objectp) struct bpf_object *o = NULL;
	cleanup(links_close) struct links links;
	const struct op_chain *chain = &op->chain;
	struct observed_program program;
	struct libxdp_config config;
	int fd = -1, r;

	for (size_t i = 0; i < LIBXDP_SLOT_COUNT; i++)
		links.fd[i] = -1;
	if (check(chain, ret) < 0)
		return;
	configure(c, chain, &config);
	if (libxdp_dispatcher_load(a, &config, &o, &fd, ret) < 0)
		return;
	for (size_t i = 0; i < chain->member_count; i++)
		if (attach(c, a, &chain->members[i], libxdp_target(a, i, chain->member_count), fd,
			   &links.fd[i], ret) < 0)
			return;
	r = pin_program_info(a, fd, &program, &ret->error);
	if (r == 0)
		r = pin_all(c, a, chain, fd, links.fd, program.id, &ret->error);
	if (r < 0)
		result_fail_as(ret, r, "PinFailed");
	else
		*ret_id = program.id;
}

/* --- one slot ----------------------------------------------------------------------- */

static bool is_link_of(int fd, uint32_t id, uint32_t program_id)
{
	struct libxdp_link link;

	return libxdp_link_info(fd, &link) && is_attached(&link, id) &&
	       (link.program_id == program_id || !program_id);
}

/* A link whose pin of ours was deleted may live on: in libxdp's pins, or in a descriptor of this daemon. */
static bool find_link(const struct kern_context *c, struct arena *a, const struct op_chain *op,
		      const struct string_list *directories, uint32_t program_id, int *ret_fd)
{
	const char *pin = link_pin(c, a, op->id, op->slot);

	for (size_t i = 0; i <= directories->n; i++) {
		cleanup(closep) int fd = bpf_obj_get(pin);

		if (fd >= 0 && is_link_of(fd, op->id, program_id)) {
			*ret_fd = take_fd(fd);
			return true;
		}
		if (i < directories->n)
			pin = libxdp_path(c, a,
					  libxdp_pin_name(a, directories->v[i], op->slot, "link"));
	}
	return false;
}

/* The id of the member's program; 0 for the one that only drops, since each of them is another. */
static int member_id(const struct kern_context *c, struct arena *a,
		     const struct program_ref *member, uint32_t *ret, struct op_result *result)
{
	struct observed_program program;
	cleanup(closep) int fd = -1;
	int r;

	*ret = member->id;
	if (!member->instance)
		return 0;
	r = open_member(c, a, member, &fd, result);
	if (r < 0)
		return r;
	r = pin_program_info(a, fd, &program, &result->error);
	*ret = r < 0 ? 0 : program.id;
	return r < 0 ? result_fail_as(result, r, "MemberMissing") : 0;
}

static int find_or_attach(const struct kern_context *c, struct arena *a, const struct op_chain *op,
			  const struct string_list *directories, int kept_fd, int *ret_fd,
			  struct op_result *ret)
{
	static const struct program_ref missing = { 0 };
	const struct program_ref *member = op_slot_member(op);
	struct observed_chain chain = { .id = op->id };
	cleanup(closep) int dispatcher = -1;
	uint32_t program_id;
	int r;

	member = member ? member : &missing;
	r = member_id(c, a, member, &program_id, ret);
	if (r < 0 || find_link(c, a, op, directories, program_id, ret_fd))
		return r;
	if (kept_fd >= 0 && is_link_of(kept_fd, op->id, program_id)) {
		*ret_fd = fcntl(kept_fd, F_DUPFD_CLOEXEC, 3);
		return 0;
	}
	r = chain_observe_one(c, a, &chain, &ret->error);
	if (r == 0 && (!chain.complete || op->slot >= chain.meta.member_count))
		r = error_set(&ret->error, -ENOENT, "chain %u has no slot %u", op->id, op->slot);
	if (r == 0)
		r = pin_open(dispatcher_pin(c, a, op->id), &dispatcher, &ret->error);
	if (r < 0)
		return result_fail_as(ret, r, "ChainMissing");
	return attach(c, a, member, libxdp_target(a, op->slot, chain.meta.member_count), dispatcher,
		      ret_fd, ret);
}

static int pin_link(const struct kern_context *c, struct arena *a, const struct op_chain *op,
		    const struct string_list *directories, int fd, struct error *e)
{
	const char *pin = link_pin(c, a, op->id, op->slot);
	int r = pin_remove(pin, e);

	if (r == 0)
		r = pin_put(fd, pin, e);
	for (size_t i = 0; r == 0 && i < directories->n; i++)
		r = libxdp_pin_slot(c, a, directories->v[i], op->slot, fd, e);
	return r;
}

void libxdp_slot_set(const struct kern_context *c, struct arena *a, const struct op *op,
		     int kept_fd, struct op_result *ret)
{
	cleanup(closep) int lock = -1, fd = -1;
	struct string_list directories;
	int r;

	if (libxdp_lock(c, a, &lock, ret) < 0)
		return;
	r = libxdp_directories(c, a, op->chain.id, &directories, &ret->error);
	if (r < 0) {
		result_fail_as(ret, r, "PinFailed");
		return;
	}
	if (find_or_attach(c, a, &op->chain, &directories, kept_fd, &fd, ret) < 0)
		return;
	r = pin_link(c, a, &op->chain, &directories, fd, &ret->error);
	if (r < 0)
		result_fail_as(ret, r, "PinFailed");
}

/* --- remove --------------------------------------------------------------------------- */

/* All links that are attached to the dispatcher, whoever holds them. */
static int count_links(uint32_t dispatcher_id, int64_t *ret, struct error *e)
{
	uint32_t id = 0;

	*ret = 0;
	while (bpf_link_get_next_id(id, &id) == 0) {
		cleanup(closep) int fd = bpf_link_get_fd_by_id(id);
		struct libxdp_link link;

		if (fd >= 0 && libxdp_link_info(fd, &link) && link.dispatcher_id == dispatcher_id)
			++*ret;
	}
	return errno == ENOENT ? 0 :
				 error_set(e, -errno, "cannot list links: %s", error_string(errno));
}

/* Before 5.13: those that are pinned at their place. */
static int count_pinned_links(const struct kern_context *c, struct arena *a, uint32_t id,
			      int64_t *ret, struct error *e)
{
	*ret = 0;
	for (size_t slot = 0; slot < LIBXDP_SLOT_COUNT; slot++) {
		cleanup(closep) int fd = -1;
		struct libxdp_link link;
		int r = pin_open_if(link_pin(c, a, id, slot), &fd, e);

		if (r < 0)
			return r;
		*ret += r > 0 && libxdp_link_info(fd, &link) && link.dispatcher_id == 0;
	}
	return 0;
}

/* References that are neither of our pin nor of links. What the kernel cannot tell of is kept (-EBUSY). */
static int count_users(const struct kern_context *c, struct arena *a, uint32_t id, int64_t *ret,
		       struct error *e)
{
	bool pinned = access(dispatcher_pin(c, a, id), F_OK) == 0;
	int64_t all = 0, links = 0, old_links = 0;
	int r;

	*ret = 0;
	r = count_pinned_links(c, a, id, &old_links, e);
	if (r == 0)
		r = count_links(id, &links, e);
	/* What held the program is gone, so its id may be anybody's. */
	if (r < 0 || links + old_links + pinned == 0)
		return r;
	r = program_users_count(c->users, id, &all, e);
	if (r == -EOPNOTSUPP)
		return error_prefix(
			e, -EBUSY,
			"whether dispatcher %u is still in use cannot be told, so it is kept", id);
	*ret = all - links - old_links - pinned;
	return r;
}

/* 1: somebody runs it, 0: nobody does. */
static int is_used(const struct kern_context *c, struct arena *a, uint32_t id, struct error *e)
{
	const struct timespec pause = { .tv_nsec = FREE_POLL_NS };
	int64_t users = 0;

	for (int i = 0; i < FREE_POLLS; i++) {
		int r = count_users(c, a, id, &users, e);

		if (r < 0 || users <= 0)
			return r;
		(void)nanosleep(&pause, NULL);
	}
	return 1;
}

/* Something of ours holds the program, so that the id is still its own. */
static bool is_held(const struct kern_context *c, struct arena *a, uint32_t id)
{
	bool held = access(dispatcher_pin(c, a, id), F_OK) == 0;

	for (size_t slot = 0; !held && slot < LIBXDP_SLOT_COUNT; slot++)
		held = access(link_pin(c, a, id, slot), F_OK) == 0;
	return held;
}

static int remove_directories(const struct kern_context *c, struct arena *a, uint32_t id,
			      struct op_result *ret)
{
	struct string_list directories = { 0 };
	cleanup(closep) int lock = -1;
	int r = 0;

	if (is_held(c, a, id))
		r = libxdp_directories(c, a, id, &directories, &ret->error);

	if (r == 0 && directories.n > 0 && libxdp_lock(c, a, &lock, ret) < 0)
		return ret->code;
	for (size_t i = 0; r == 0 && i < directories.n; i++)
		r = libxdp_directory_remove(c, a, directories.v[i], &ret->error);
	if (r == 0)
		r = chain_directory_remove(a, pin_path(c, a, layout_chain_dir(a, id)), &ret->error);
	return r < 0 ? result_fail_as(ret, r, "RemoveFailed") : 0;
}

/*
 * The pins of the protocol hold its members from now on, as in any chain of others: so they are made whole
 * before ours go. 1: done, 0: there is no directory of the protocol to leave it in.
 */
static int hand_over(const struct kern_context *c, struct arena *a, uint32_t id,
		     struct op_result *ret)
{
	struct string_list directories;
	cleanup(closep) int lock = -1;
	int r;

	if (libxdp_lock(c, a, &lock, ret) < 0)
		return ret->code;
	r = libxdp_directories(c, a, id, &directories, &ret->error);
	if (r == 0 && directories.n == 0)
		return 0;
	for (size_t slot = 0; r == 0 && slot < LIBXDP_SLOT_COUNT; slot++) {
		cleanup(closep) int fd = -1;

		r = pin_open_if(link_pin(c, a, id, slot), &fd, &ret->error);
		for (size_t i = 0; r > 0 && i < directories.n; i++)
			r = libxdp_pin_slot(c, a, directories.v[i], slot, fd, &ret->error) ?: 1;
		r = MIN(r, 0);
	}
	if (r == 0)
		r = chain_directory_remove(a, pin_path(c, a, layout_chain_dir(a, id)), &ret->error);
	return r < 0 ? result_fail_as(ret, r, "RemoveFailed") : 1;
}

void libxdp_chain_remove(const struct kern_context *c, struct arena *a, const struct op *op,
			 struct op_result *ret)
{
	uint32_t id = op->chain.id;
	int r;

	if (op->chain.hand_over && hand_over(c, a, id, ret) != 0)
		return;
	r = is_used(c, a, id, &ret->error);
	if (r > 0) {
		error_set(
			&ret->error, -EBUSY,
			"dispatcher %u is still in use outside of what bpfshare sees: by an "
			"interface in another network namespace, a link or an open descriptor; it "
			"is kept until that ends",
			id);
		result_fail_as(ret, -EBUSY, RESULT_CHAIN_STILL_USED);
	} else if (r < 0) {
		result_fail_as(ret, r, "RemoveFailed");
	} else {
		(void)remove_directories(c, a, id, ret);
	}
}
