/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Filters are tried on the loopback of a network namespace that ends with the child that made it: nothing else tells whether
 * the modules of qdisc and filter are there (trying loads them, as the first filter would).
 */
#include "kern/probe_tc.h"

#include <errno.h>
#include <linux/pkt_cls.h>
#include <sched.h>

#include <bpf/libbpf.h>

#include "base/macros.h"
#include "bpf/probe_tc.skel.h"
#include "kern/child.h"
#include "kern/clsact.h"
#include "kern/dispatcher.h"
#include "kern/probe_slots.h"
#include "kern/verifier.h"

/* In every network namespace, a new one too. */
#define LOOPBACK_IFINDEX 1

#define UNKNOWN_VERDICT 42 /* of probe_unknown */

enum member { EMPTY, NEXT, OK, SHOT, UNKNOWN };

/*
 * Slot 0 passes NEXT and OK on, slot 1 only NEXT and must not be empty, slot 2 is the last. In this order
 * only the last step empties a slot, for which the kernel takes a grace period.
 */
static const struct probe_step steps[] = {
	{ { EMPTY, EMPTY, EMPTY }, TC_ACT_SHOT, "an empty slot that must not be" },
	{ { EMPTY, NEXT, EMPTY }, TC_ACT_UNSPEC, "a slot between two empty ones" },
	{ { EMPTY, NEXT, SHOT }, TC_ACT_SHOT, "a last program that drops" },
	{ { SHOT, NEXT, OK }, TC_ACT_SHOT, "a first program that drops" },
	{ { OK, OK, SHOT }, TC_ACT_OK, "a program whose verdict is final" },
	{ { OK, NEXT, UNKNOWN }, UNKNOWN_VERDICT, "a program with an unknown verdict" },
	{ { OK, NEXT, NEXT }, TC_ACT_UNSPEC, "a last program that passes control on" },
	{ { OK, EMPTY, OK }, TC_ACT_SHOT, "a slot that was emptied" },
};

struct check {
	struct dispatcher dispatcher;
	struct probe_tc_bpf *members;
};

static void check_done(struct check *c)
{
	dispatcher_close(&c->dispatcher);
	probe_tc_bpf__destroy(c->members);
}

static bool load(struct arena *a, struct check *c, struct feature *f)
{
	struct meta_member members[PROBE_SLOTS] = {
		{ .proceed_on = 1u << (TC_ACT_UNSPEC + 1) | 1u << (TC_ACT_OK + 1) },
		{ .proceed_on = TC_VERDICTS_DEFAULT, .required = true },
	};
	const struct meta_chain chain = { .hook = HOOK_TC,
					  .members = members,
					  .member_count = PROBE_SLOTS };
	struct op_result result = { 0 };

	c->members = probe_tc_bpf__open();
	if (!c->members) {
		f->detail = arena_printf(a, "the probe cannot be opened: %s", error_string(errno));
		return false;
	}
	if (verifier_load(c->members->obj, a, &result) == 0 &&
	    dispatcher_open(&c->dispatcher, &chain, false, &result.error) == 0 &&
	    verifier_load(c->dispatcher.object, a, &result) == 0)
		return true;
	f->detail = probe_slots_refused(a, &result);
	return false;
}

bool probe_tc_tailcall(struct arena *a, struct feature *f)
{
	cleanup(check_done) struct check c = { 0 };

	if (!load(a, &c, f))
		return false;
	return probe_slots_run(a,
			       &(struct probe_slots){
				       .dispatcher = bpf_program__fd(c.dispatcher.program),
				       .array = bpf_map__fd(c.dispatcher.members),
				       .members = {
					       [NEXT] = bpf_program__fd(c.members->progs.probe_next),
					       [OK] = bpf_program__fd(c.members->progs.probe_ok),
					       [SHOT] = bpf_program__fd(c.members->progs.probe_shot),
					       [UNKNOWN] = bpf_program__fd(c.members->progs.probe_unknown),
				       },
				       .steps = steps,
				       .step_count = ARRAY_SIZE(steps),
			       },
			       f);
}

/* --- clsact --------------------------------------------------------------------- */

static void probe_freep(struct probe_tc_bpf **p)
{
	probe_tc_bpf__destroy(*p);
}

static int try_filter(int program_fd)
{
	return unshare(CLONE_NEWNET) < 0 ? CHILD_UNTRIED : clsact_try(LOOPBACK_IFINDEX, program_fd);
}

bool probe_clsact(struct arena *a, struct feature *f)
{
	cleanup(probe_freep) struct probe_tc_bpf *p = probe_tc_bpf__open();
	struct op_result result = { 0 };
	struct bpf_program *each;
	int r;

	if (!p) {
		f->detail = arena_printf(a, "the probe cannot be opened: %s", error_string(errno));
		return false;
	}
	bpf_object__for_each_program(each, p->obj)
		(void)bpf_program__set_autoload(each, each == p->progs.probe_next);
	if (verifier_load(p->obj, a, &result) < 0) {
		f->detail = arena_strdup(a, result.error.text);
		return false;
	}
	r = child_ask(try_filter, bpf_program__fd(p->progs.probe_next));
	if (r == 0)
		return true;
	f->detail =
		r == CHILD_UNTRIED ?
			"cannot be tried without the right to make a network namespace" :
			arena_printf(a,
				     "a filter of the kind bpf at the qdisc clsact is refused: %s "
				     "(kernel modules sch_ingress and cls_bpf)",
				     error_string(r));
	return false;
}
