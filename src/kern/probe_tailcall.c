/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
#include "kern/probe_tailcall.h"

#include <errno.h>

#include <bpf/libbpf.h>

#include "base/macros.h"
#include "bpf/probe.skel.h"
#include "bpf/tailcall_dispatcher.h"
#include "bpf/tailcall_dispatcher.skel.h"
#include "kern/probe_slots.h"
#include "kern/verifier.h"

enum member { EMPTY, PASS, DROP, CONTINUE, UNKNOWN };

/*
 * Slot 0 passes PASS on, slot 1 as well but must not be empty, slot 2 is the last. In this order only
 * the last step empties a slot, for which the kernel takes a grace period.
 */
static const struct probe_step steps[] = {
	{ { EMPTY, EMPTY, EMPTY }, XDP_DROP, "an empty slot that must not be" },
	{ { EMPTY, PASS, EMPTY }, XDP_PASS, "a slot between two empty ones" },
	{ { EMPTY, PASS, DROP }, XDP_DROP, "a last program that drops" },
	{ { DROP, PASS, PASS }, XDP_DROP, "a first program that drops" },
	{ { PASS, PASS, UNKNOWN }, XDP_ABORTED, "a program with an unknown verdict" },
	{ { PASS, PASS, CONTINUE }, XDP_PASS, "a last program that passes control on" },
	{ { PASS, EMPTY, CONTINUE }, XDP_DROP, "a slot that was emptied" },
};

struct check {
	struct tailcall_dispatcher_bpf *dispatcher;
	struct probe_bpf *members;
};

static void check_done(struct check *c)
{
	tailcall_dispatcher_bpf__destroy(c->dispatcher);
	probe_bpf__destroy(c->members);
}

static bool load(struct arena *a, struct check *c, struct feature *f)
{
	struct op_result result = { 0 };
	struct tailcall_config *config;

	c->dispatcher = tailcall_dispatcher_bpf__open();
	c->members = probe_bpf__open();
	if (!c->dispatcher || !c->members) {
		f->detail = arena_printf(a, "the probe cannot be opened: %s", error_string(errno));
		return false;
	}
	config = &c->dispatcher->rodata->config;
	config->slot_count = PROBE_SLOTS;
	config->slots[0].proceed_on = 1 << XDP_PASS;
	config->slots[1] = (struct tailcall_slot){ .proceed_on = 1 << XDP_PASS, .required = 1 };
	if (verifier_load(c->members->obj, a, &result) == 0 &&
	    verifier_load(c->dispatcher->obj, a, &result) == 0)
		return true;
	f->detail = probe_slots_refused(a, &result);
	return false;
}

bool probe_tailcall(struct arena *a, struct feature *f)
{
	cleanup(check_done) struct check c = { 0 };

	if (!load(a, &c, f))
		return false;
	return probe_slots_run(
		a,
		&(struct probe_slots){
			.dispatcher = bpf_program__fd(c.dispatcher->progs.bpfshare_chain),
			.array = bpf_map__fd(c.dispatcher->maps.members),
			.members = {
				[PASS] = bpf_program__fd(c.members->progs.probe_pass),
				[DROP] = bpf_program__fd(c.members->progs.probe_drop),
				[CONTINUE] = bpf_program__fd(c.members->progs.probe_continue),
				[UNKNOWN] = bpf_program__fd(c.members->progs.probe_unknown),
			},
			.steps = steps,
			.step_count = ARRAY_SIZE(steps),
		},
		f);
}
