/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * A dispatcher of three slots is run on a packet of nobody's with every kind of answer a
 * member can give. That it loads proves little: some verifiers conclude that a slot is always empty and remove
 * what the dispatcher does with the answer, and some JITs had no tail calls in sub-programs.
 */
#include "kern/probe_tailcall.h"

#include <errno.h>
#include <linux/if_ether.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/macros.h"
#include "bpf/probe.skel.h"
#include "bpf/tailcall_dispatcher.h"
#include "bpf/tailcall_dispatcher.skel.h"
#include "kern/verifier.h"

#define SLOTS 3

enum member { EMPTY, PASS, DROP, CONTINUE, UNKNOWN, MEMBER_COUNT };

/*
 * Slot 0 passes PASS on, slot 1 as well but must not be empty, slot 2 is the last. In this order only
 * the last step empties a slot, for which the kernel takes a grace period.
 */
static const struct step {
	enum member members[SLOTS];
	uint32_t verdict;
	const char *meaning;
} steps[] = {
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
	enum member present[SLOTS];
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
	config->slot_count = SLOTS;
	config->slots[0].proceed_on = 1 << XDP_PASS;
	config->slots[1] = (struct tailcall_slot){ .proceed_on = 1 << XDP_PASS, .required = 1 };
	if (verifier_load(c->members->obj, a, &result) == 0 &&
	    verifier_load(c->dispatcher->obj, a, &result) == 0)
		return true;
	f->detail = arena_printf(a,
				 "%s; chains need a kernel whose BPF JIT is on (sysctl "
				 "net.core.bpf_jit_enable) and can tail-call from sub-programs",
				 result.error.text);
	return false;
}

static int set_slot(struct check *c, uint32_t slot, enum member member)
{
	struct bpf_program *const programs[MEMBER_COUNT] = {
		[PASS] = c->members->progs.probe_pass,
		[DROP] = c->members->progs.probe_drop,
		[CONTINUE] = c->members->progs.probe_continue,
		[UNKNOWN] = c->members->progs.probe_unknown,
	};
	int array = bpf_map__fd(c->dispatcher->maps.members), fd;

	if (member == c->present[slot])
		return 0;
	c->present[slot] = member;
	if (member == EMPTY)
		return bpf_map_delete_elem(array, &slot);
	fd = bpf_program__fd(programs[member]);
	return bpf_map_update_elem(array, &slot, &fd, BPF_ANY);
}

static bool run(struct arena *a, struct check *c, const struct step *s, struct feature *f)
{
	unsigned char packet[ETH_ZLEN] = { 0 };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = packet, .data_size_in = sizeof(packet),
		    .repeat = 1);
	int r = 0;

	for (uint32_t slot = 0; r == 0 && slot < SLOTS; slot++)
		r = set_slot(c, slot, s->members[slot]);
	if (r == 0)
		r = bpf_prog_test_run_opts(bpf_program__fd(c->dispatcher->progs.bpfshare_chain),
					   &opts);
	if (r < 0) {
		f->detail = arena_printf(a, "the self-check failed at %s: %s", s->meaning,
					 error_string(r));
		return false;
	}
	if (opts.retval != s->verdict) {
		f->detail = arena_printf(a,
					 "the self-check failed at %s: the verdict is %u, not %u; "
					 "this kernel does not hand on what members answer",
					 s->meaning, opts.retval, s->verdict);
		return false;
	}
	return true;
}

bool probe_tailcall(struct arena *a, struct feature *f)
{
	cleanup(check_done) struct check c = { 0 };
	bool good = load(a, &c, f);

	for (size_t i = 0; good && i < ARRAY_SIZE(steps); i++)
		good = run(a, &c, &steps[i], f);
	return good;
}
