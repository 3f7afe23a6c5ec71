/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * The one commit of a chain: who is at the root of an interface. A swap is a
 * compare-and-swap in the kernel, so whoever came between observation and operation wins and is seen by
 * the next pass. Netlink and bpf_link refuse to replace each other, and so do native and generic
 * mode: only for these changes there is a moment without a root (detach_first).
 */
#include "kern/root.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <string.h>
#include <sys/socket.h>

#include <bpf/bpf.h>

#include "base/macros.h"
#include "kern/attach_words.h"
#include "kern/interface.h"
#include "kern/link.h"
#include "kern/netlink.h"

/* ENOTSUPP of the kernel, which never was meant for user space and reaches it all the same. */
#define KERNEL_ENOTSUPP 524

#define NONE -1

/* One interface while its root is changed. */
struct place {
	const struct kern_context *c; /* NULL where no link is involved */
	struct arena *a;
	const struct op_root *op;
	bool by_link; /* what is to be attached sits on a link */
	struct netlink netlink;
	struct op_result *ret;
};

static void place_done(struct place *p)
{
	netlink_close(&p->netlink);
}

static uint32_t mode_flag(enum xdp_attached mode)
{
	switch (mode) {
	case XDP_GENERIC:
		return XDP_FLAGS_SKB_MODE;
	case XDP_HARDWARE:
		return XDP_FLAGS_HW_MODE;
	default:
		return XDP_FLAGS_DRV_MODE;
	}
}

static enum xdp_attached wanted_mode(enum xdp_mode mode)
{
	switch (mode) {
	case XDP_MODE_GENERIC:
		return XDP_GENERIC;
	case XDP_MODE_OFFLOAD:
		return XDP_HARDWARE;
	default:
		return XDP_DRIVER;
	}
}

/* program_fd NONE: detach; expected_fd NONE: there must be no root in this mode. */
static int netlink_attach(struct place *p, int program_fd, int expected_fd, enum xdp_attached mode,
			  struct error *e)
{
	uint32_t flags = mode_flag(mode) |
			 (expected_fd == NONE ? XDP_FLAGS_UPDATE_IF_NOEXIST : XDP_FLAGS_REPLACE);
	_Alignas(struct nlmsghdr) char buffer[256];
	struct nlmsghdr *h = mnl_nlmsg_put_header(buffer);
	struct ifinfomsg *info;
	struct nlattr *nest;

	h->nlmsg_type = RTM_SETLINK;
	info = mnl_nlmsg_put_extra_header(h, sizeof(*info));
	info->ifi_family = AF_UNSPEC;
	info->ifi_index = (int)p->op->ifindex;
	nest = mnl_attr_nest_start(h, IFLA_XDP);
	mnl_attr_put_u32(h, IFLA_XDP_FD, (uint32_t)program_fd);
	mnl_attr_put_u32(h, IFLA_XDP_FLAGS, flags);
	if (expected_fd != NONE)
		mnl_attr_put_u32(h, IFLA_XDP_EXPECTED_FD, (uint32_t)expected_fd);
	mnl_attr_nest_end(h, nest);
	return netlink_request(&p->netlink, h, e);
}

/* One that is refused is tried once more to hear why. */
static int link_attach(struct place *p, int program_fd, enum xdp_attached mode, struct error *e)
{
	const struct link_place at = { p->op->netns, p->op->ifindex, 0 };
	struct attach_words words;
	char text[256];
	int r;

	r = link_create(p->c, p->a, &at, program_fd, mode_flag(mode), e);
	if (r == 0)
		return 0;
	attach_words_begin(&words);
	r = link_create(p->c, p->a, &at, program_fd, mode_flag(mode), e);
	if (attach_words_end(&words, text, sizeof(text)) && r < 0)
		error_set(e, r, "%s (%s)", text, error_string(r));
	return r;
}

static int attach(struct place *p, bool by_link, int program_fd, enum xdp_attached mode,
		  struct error *e)
{
	if (by_link)
		return link_attach(p, program_fd, mode, e);
	return netlink_attach(p, program_fd, NONE, mode, e);
}

/* --- what a failure means -------------------------------------------------- */

static int fail(struct place *p, int code, enum failure_class class, const char *reason)
{
	p->ret->code = code;
	p->ret->class = class;
	p->ret->reason = reason;
	return code;
}

/* Codes by which a kernel says that it, or the driver, cannot do what is asked in this mode. */
static bool is_refusal(int code)
{
	return code == -EOPNOTSUPP || code == -KERNEL_ENOTSUPP || code == -EINVAL ||
	       code == -ERANGE || code == -ENOSYS || code == -EMSGSIZE;
}

static bool is_conflict(int code)
{
	return code == -EEXIST || code == -EBUSY || code == -EAGAIN;
}

/*
 * Drivers have many codes for "not in native mode" (ENOMEM for a lack of queues, for example), so
 * what may be answered by generic mode is told by what it is not.
 */
static bool may_be_generic(int code)
{
	return !is_conflict(code) && code != -ENODEV && code != -ENOENT && code != -EPERM &&
	       code != -EACCES && code != -EINTR && code != -ENOBUFS;
}

/* The usual one; a program that takes packets in one piece only fits more than this into a page, but not much. */
#define MTU_USUAL 1500

/*
 * Nearly always the reason why a driver takes a program on one node and not on another. False when the
 * refusal, whose text is in e, is not about it.
 */
static bool advise_mtu(struct place *p, int code, struct error *e)
{
	uint32_t mtu = interface_mtu(&p->netlink, p->op->ifindex);

	if (!strcasestr(e->text, "mtu") && mtu <= MTU_USUAL)
		return false;
	error_set(
		e, code,
		"%s; the MTU of %s is %u, and a driver takes a program that handles packets in one "
		"piece only while they (for a veth those of its peer) fit into a page, about 3,500 "
		"bytes: build the program with SEC(\"xdp.frags\"), lower the MTU, or declare "
		"`mode: generic`",
		e->text, p->op->interface, mtu);
	return true;
}

/* `auto` tried generic mode as well. */
static void advise_native(struct place *p, int code, struct error *e)
{
	if (!advise_mtu(p, code, e) && p->op->mode == XDP_MODE_NATIVE)
		error_set(e, code,
			  "%s; if the driver of %s has no native mode, `mode: auto` takes generic "
			  "mode, which is slower",
			  e->text, p->op->interface);
}

static void advise_offload(struct place *p, int code, struct error *e)
{
	error_set(e, code,
		  "%s; only few network cards run programs themselves, and %s does not take this "
		  "one: declare `mode: native` or `mode: auto`",
		  e->text, p->op->interface);
}

static const char *refused_reason(struct place *p, int code, struct error *e)
{
	switch (wanted_mode(p->op->mode)) {
	case XDP_HARDWARE:
		advise_offload(p, code, e);
		return "OffloadRefused";
	case XDP_DRIVER:
		advise_native(p, code, e);
		return p->op->mode == XDP_MODE_NATIVE ? "NativeRefused" : "AttachRefused";
	default:
		return "AttachRefused";
	}
}

static const char *program_name(struct arena *a, uint32_t id)
{
	return id ? arena_printf(a, "program id %u", id) : "no program";
}

/*
 * Looks who is there now, which tells a lost race from somebody who stays. The text of the failure is in
 * ret->error.
 */
static int explain(struct place *p, int code)
{
	struct error *e = &p->ret->error;
	const struct op_root *op = p->op;
	enum xdp_attached mode;
	uint32_t id;
	int r;

	r = interface_root(&p->netlink, op->ifindex, &id, &mode, NULL);
	if (r == -ENODEV || code == -ENODEV) {
		error_set(e, -ENODEV, "interface %s (index %u) is gone", op->interface,
			  op->ifindex);
		return fail(p, -ENODEV, FAILURE_TRANSIENT, "InterfaceGone");
	}
	error_prefix(e, code, "root of %s", op->interface);
	if (r == 0 && id != op->expected_id) {
		error_set(e, code, "%s; expected was %s, there is %s now", e->text,
			  program_name(p->a, op->expected_id), program_name(p->a, id));
		return fail(p, code, FAILURE_TRANSIENT, "RootChanged");
	}
	if (is_conflict(code))
		return fail(p, code, FAILURE_FOREIGN, "RootHeld");
	if (is_refusal(code))
		return fail(p, code, FAILURE_KERNEL, refused_reason(p, code, e));
	result_fail(p->ret, code);
	return code;
}

/* --- attach, swap, detach --------------------------------------------------- */

/* To an interface without a root. `auto` takes generic mode where the driver refuses. */
static int attach_first(struct place *p, int program_fd)
{
	enum xdp_attached mode = wanted_mode(p->op->mode);
	struct error *e = &p->ret->error;
	struct error native;
	int r;

	r = attach(p, p->by_link, program_fd, mode, e);
	if (r == 0 || p->op->mode != XDP_MODE_AUTO || !may_be_generic(r))
		return r;
	(void)advise_mtu(p, r, e);
	native = *e;
	r = attach(p, p->by_link, program_fd, XDP_GENERIC, e);
	if (r < 0)
		return error_set(e, r, "%s; in native mode: %s", e->text, native.text);
	*e = (struct error){ 0 };
	p->ret->reason = "NativeRefused";
	p->ret->note =
		arena_printf(p->a,
			     "attached to %s in generic mode, which is slower, because native "
			     "mode was refused: %s",
			     p->op->interface, native.text);
	return 0;
}

/* The program that is expected to be the root; NONE if none is. */
static int open_expected(struct place *p, int *ret_fd)
{
	uint32_t id = p->op->expected_id;

	*ret_fd = NONE;
	if (id == 0)
		return 0;
	*ret_fd = bpf_prog_get_fd_by_id(id);
	if (*ret_fd >= 0)
		return 0;
	return error_set(&p->ret->error, -errno, "cannot open program id %u: %s", id,
			 error_string(errno));
}

static int detach(struct place *p, int expected_fd, struct error *e)
{
	const struct op_root *op = p->op;

	if (op->link_id)
		return link_remove(p->c, p->a, op->link_id, op->expected_id, e);
	return netlink_attach(p, NONE, expected_fd, op->expected_mode, e);
}

/* Takes the old root off, puts the new one on, and takes that back if it fails. */
static int exchange(struct place *p, int program_fd, int expected_fd)
{
	struct error *e = &p->ret->error;
	struct error back = { 0 };
	int r, restored;

	r = detach(p, expected_fd, e);
	if (r < 0)
		return r;
	r = attach_first(p, program_fd);
	if (r == 0)
		return 0;
	restored = attach(p, p->op->link_id != 0, expected_fd, p->op->expected_mode, &back);
	if (restored == 0)
		return error_set(e, r, "%s; the old root was put back", e->text);
	return error_set(e, r, "%s; putting the old root back failed as well: %s", e->text,
			 back.text);
}

static int swap(struct place *p, int program_fd, int expected_fd)
{
	const struct op_root *op = p->op;
	const struct link_place at = { op->netns, op->ifindex, op->link_id };

	if (op->expected_id == 0)
		return attach_first(p, program_fd);
	if (op->detach_first)
		return exchange(p, program_fd, expected_fd);
	if (p->by_link && op->link_id)
		return link_update(p->c, p->a, &at, program_fd, expected_fd, &p->ret->error);
	if (p->by_link)
		return attach_first(p, program_fd);
	return netlink_attach(p, program_fd, expected_fd, op->expected_mode, &p->ret->error);
}

/* True if the interface has this root now. What the kernel did although its answer got lost is done. */
static bool root_is(struct place *p, int program_fd)
{
	struct bpf_prog_info info = { 0 };
	uint32_t size = sizeof(info), id = 0;
	enum xdp_attached mode;

	if (program_fd != NONE && bpf_obj_get_info_by_fd(program_fd, &info, &size) < 0)
		return false;
	return interface_root(&p->netlink, p->op->ifindex, &id, &mode, NULL) == 0 && id == info.id;
}

static void set(struct place *p, int program_fd)
{
	cleanup(closep) int expected_fd = NONE;
	int r;

	r = netlink_open(&p->netlink, &p->ret->error);
	if (r < 0) {
		result_fail(p->ret, r);
		return;
	}
	r = open_expected(p, &expected_fd);
	if (r == 0)
		r = swap(p, program_fd, expected_fd);
	if (r == -ENOBUFS && !p->by_link && root_is(p, program_fd))
		p->ret->error = (struct error){ 0 };
	else if (r < 0)
		(void)explain(p, r);
}

void root_set(const struct kern_context *c, struct arena *a, const struct op *op, int program_fd,
	      struct op_result *ret)
{
	cleanup(place_done) struct place p = { .c = c, .a = a, .op = &op->root, .ret = ret };

	set(&p, program_fd);
}

void root_link_set(const struct kern_context *c, struct arena *a, const struct op *op,
		   int program_fd, struct op_result *ret)
{
	cleanup(place_done) struct place p = {
		.c = c, .a = a, .op = &op->root, .ret = ret, .by_link = true
	};

	set(&p, program_fd);
}

void root_clear(struct arena *a, const struct op *op, struct op_result *ret)
{
	cleanup(place_done) struct place p = { .a = a, .op = &op->root, .ret = ret };
	cleanup(closep) int expected_fd = NONE;
	int r;

	r = netlink_open(&p.netlink, &ret->error);
	if (r < 0) {
		result_fail(ret, r);
		return;
	}
	r = open_expected(&p, &expected_fd);
	if (r == 0)
		r = netlink_attach(&p, NONE, expected_fd, op->root.expected_mode, &ret->error);
	if (r < 0 && (root_is(&p, NONE) || explain(&p, r) == -ENODEV))
		*ret = (struct op_result){ 0 };
}

void root_link_remove(const struct kern_context *c, struct arena *a, const struct op *op,
		      struct op_result *ret)
{
	int r = link_remove(c, a, op->root.link_id, op->root.expected_id, &ret->error);

	if (r < 0) {
		error_prefix(&ret->error, r, "root of %s", op->root.interface);
		result_fail(ret, r);
	}
}
