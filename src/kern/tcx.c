/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Every program of ours is a link of its own. It takes its place when it is made and keeps it
 * when its program is replaced, so the order of ours is made by making them, and links of
 * others never move. A place is named by a neighbour and by the list's revision: whoever
 * changed the list since it was observed makes the kernel refuse with ESTALE.
 */
#include "kern/tcx.h"

#include <errno.h>

#include <bpf/bpf.h>

#include "base/macros.h"
#include "kern/link.h"
#include "kern/pin.h"
#include "kern/tc.h"
#include "model/layout.h"

#define NONE -1

/* Enough for most lists, so that one call tells all; no kernel has lists of more than the other. */
#define QUERY_FIRST 8
#define QUERY_MAX   65536

static enum bpf_attach_type attach_type(enum tc_direction direction)
{
	return direction == TC_EGRESS ? BPF_TCX_EGRESS : BPF_TCX_INGRESS;
}

/* --- observe ---------------------------------------------------------------- */

/* -ENOSPC: there are more than *count, which tells how many then. */
static int query(struct observed_tc *tc, uint32_t *programs, uint32_t *links, uint32_t *count)
{
	LIBBPF_OPTS(bpf_prog_query_opts, opts, .prog_ids = programs, .link_ids = links,
		    .count = *count);

	if (bpf_prog_query_opts((int)tc->ifindex, attach_type(tc->direction), &opts) < 0) {
		*count = MAX(opts.count, 2 * *count);
		return -errno;
	}
	tc->revision = opts.revision;
	*count = opts.count;
	return 0;
}

int tcx_query(struct arena *a, struct observed_tc *tc, struct error *e)
{
	uint32_t first_programs[QUERY_FIRST], first_links[QUERY_FIRST];
	uint32_t *programs = first_programs, *links = first_links, count = QUERY_FIRST;
	int r = query(tc, programs, links, &count);

	while (r == -ENOSPC && count < QUERY_MAX) {
		programs = arena_calloc(a, count, sizeof(*programs));
		links = arena_calloc(a, count, sizeof(*links));
		r = query(tc, programs, links, &count);
	}
	if (r < 0)
		return error_set(e, r, "cannot list the TCX programs of interface %u: %s",
				 tc->ifindex, error_string(r));
	tc->program_count = count;
	tc->programs = arena_calloc(a, count, sizeof(*tc->programs));
	for (uint32_t i = 0; i < count; i++)
		tc->programs[i] =
			(struct observed_tc_program){ .id = programs[i], .link_id = links[i] };
	return 0;
}

/* --- what a failure means ---------------------------------------------------- */

static const struct observed_tc_program *find_program(const struct observed_tc *now, uint32_t id)
{
	for (size_t i = 0; i < now->program_count; i++)
		if (now->programs[i].id == id)
			return &now->programs[i];
	return NULL;
}

static uint32_t id_of(int program_fd)
{
	struct bpf_prog_info info = { 0 };
	uint32_t size = sizeof(info);

	return bpf_obj_get_info_by_fd(program_fd, &info, &size) < 0 ? 0 : info.id;
}

/* The program is in the list already, and not by the link that this operation is about. */
static int explain_duplicate(struct arena *a, const struct op_tc *op,
			     const struct observed_tc_program *there, struct op_result *ret)
{
	const char *by = there->link_id ? arena_printf(a, "link id %u", there->link_id) :
					  "somebody who made no link";

	error_set(&ret->error, -EEXIST,
		  "%s: program id %u is attached there already, by %s, and cannot be twice in one "
		  "list; detach that one",
		  tc_place_name(a, op), there->id, by);
	return tc_fail(ret, -EEXIST, FAILURE_FOREIGN, "TcHeld");
}

static int explain_refusal(struct arena *a, const struct op_tc *op, const struct observed_tc *now,
			   int code, struct op_result *ret)
{
	struct error *e = &ret->error;

	error_prefix(e, code, "%s", tc_place_name(a, op));
	switch (code) {
	case -ERANGE:
		error_set(e, code,
			  "%s; the list has the %zu programs that the kernel takes at most: "
			  "somebody has to detach one",
			  e->text, now->program_count);
		return tc_fail(ret, code, FAILURE_FOREIGN, "TcListFull");
	case -EINVAL:
	case -EOPNOTSUPP:
	case -ENOSYS:
		return tc_fail(ret, code, FAILURE_KERNEL, "AttachRefused");
	default:
		result_fail(ret, code);
		return code;
	}
}

/* Codes that say that the list, or the link, is not what was observed. */
static bool is_stale(const struct op_tc *op, const struct observed_tc *now, int code)
{
	const struct observed_tc_program *there;

	if (code == -ESTALE || code == -ENOENT)
		return true;
	if (!op->link_id)
		return op->revision && now->revision != op->revision;
	/* EPERM is what the kernel says when the link holds another program than the expected one. */
	there = find_program(now, op->expected_id);
	return !there || there->link_id != op->link_id;
}

/* Looks at the list as it is now. The text of the failure is in ret->error. */
static int explain(struct arena *a, const struct op_tc *op, int program_fd, int code,
		   struct op_result *ret)
{
	struct observed_tc now = { .ifindex = op->ifindex, .direction = op->direction };
	const struct observed_tc_program *there;
	int r = tcx_query(a, &now, NULL);

	if (r == -ENODEV || code == -ENODEV || code == -ENOLINK) {
		error_set(&ret->error, -ENODEV, "interface %s (index %u) is gone", op->interface,
			  op->ifindex);
		return tc_fail(ret, -ENODEV, FAILURE_TRANSIENT, "InterfaceGone");
	}
	if (r == 0 && is_stale(op, &now, code)) {
		error_prefix(&ret->error, code, "%s", tc_place_name(a, op));
		error_set(&ret->error, code,
			  "%s; the list of programs changed since it was looked at",
			  ret->error.text);
		return tc_fail(ret, code, FAILURE_TRANSIENT, "TcListChanged");
	}
	there = r == 0 && code == -EEXIST ? find_program(&now, id_of(program_fd)) : NULL;
	return there ? explain_duplicate(a, op, there, ret) :
		       explain_refusal(a, op, &now, code, ret);
}

/* --- change ------------------------------------------------------------------ */

/* The neighbour of a new link, if it is named by a program of ours; else *ret_fd stays NONE. */
static int open_relative(const struct kern_context *c, struct arena *a, const struct op_tc *op,
			 int *ret_fd, struct error *e)
{
	const struct program_ref *p = &op->relative;
	bool by_neighbour = op->place == TC_PLACE_BEFORE || op->place == TC_PLACE_AFTER;

	if (op->link_id || !by_neighbour || !p->instance)
		return 0;
	return pin_open(pin_path(c, a, layout_program_pin(a, p->instance, p->version, p->function)),
			ret_fd, e);
}

/* What the kernel says is left to be explained; that of the pin is told in *ret. */
static int create(const struct kern_context *c, struct arena *a, const struct op_tc *op,
		  int program_fd, int relative_fd, struct op_result *ret)
{
	bool before = op->place == TC_PLACE_FIRST || op->place == TC_PLACE_BEFORE;
	LIBBPF_OPTS(bpf_link_create_opts, opts, .flags = before ? BPF_F_BEFORE : BPF_F_AFTER,
		    .tcx.expected_revision = op->revision);
	cleanup(closep) int fd = NONE;
	int r;

	if (relative_fd != NONE)
		opts.tcx.relative_fd = (uint32_t)relative_fd;
	else if (op->place == TC_PLACE_BEFORE || op->place == TC_PLACE_AFTER)
		opts.tcx.relative_id = op->relative_id;
	fd = bpf_link_create(program_fd, (int)op->ifindex, attach_type(op->direction), &opts);
	if (fd < 0)
		return error_set(&ret->error, -errno, "%s", error_string(errno));
	r = link_keep(c, a, op->netns, fd, &ret->error);
	if (r < 0) {
		error_prefix(&ret->error, r, "%s", tc_place_name(a, op));
		ret->reason = "PinFailed";
		result_fail(ret, r);
	}
	return 0;
}

static int update(const struct kern_context *c, struct arena *a, const struct op_tc *op,
		  int program_fd, struct error *e)
{
	cleanup(closep) int expected = bpf_prog_get_fd_by_id(op->expected_id);
	const struct link_place at = { op->netns, op->ifindex, op->link_id };

	if (expected < 0)
		return error_set(e, -errno, "cannot open program id %u: %s", op->expected_id,
				 error_string(errno));
	return link_update(c, a, &at, program_fd, expected, e);
}

void tcx_set(const struct kern_context *c, struct arena *a, const struct op_tc *op, int program_fd,
	     struct op_result *ret)
{
	cleanup(closep) int relative = NONE;
	int r = open_relative(c, a, op, &relative, &ret->error);

	if (r < 0) {
		error_prefix(&ret->error, r, "neighbour in %s", tc_place_name(a, op));
		result_fail(ret, r);
		ret->reason = "ProgramMissing";
		return;
	}
	if (op->link_id)
		r = update(c, a, op, program_fd, &ret->error);
	else
		r = create(c, a, op, program_fd, relative, ret);
	if (r < 0)
		(void)explain(a, op, program_fd, r, ret);
}

/* That the interface took the list along is fine: its link is left without one, and only unpinned. */
void tcx_clear(const struct kern_context *c, struct arena *a, const struct op_tc *op,
	       struct op_result *ret)
{
	int r = link_remove(c, a, op->link_id, op->expected_id, &ret->error);

	if (r < 0) {
		error_prefix(&ret->error, r, "%s", tc_place_name(a, op));
		result_fail(ret, r);
	}
}
