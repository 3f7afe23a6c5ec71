/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * A dispatcher of three slots is run on a packet of nobody's with every kind of answer a
 * member can give. That it loads proves little: some verifiers conclude that a slot is always empty and remove
 * what the dispatcher does with the answer, and some JITs had no tail calls in sub-programs.
 */
#include "kern/probe_slots.h"

#include <linux/if_ether.h>

#include <bpf/bpf.h>

#include "base/macros.h"

static int set_slot(const struct probe_slots *p, uint32_t slot, unsigned int member)
{
	return member ? bpf_map_update_elem(p->array, &slot, &p->members[member], BPF_ANY) :
			bpf_map_delete_elem(p->array, &slot);
}

/* Slots that stay what they are are not touched: emptying one takes a grace period. */
static int set_slots(const struct probe_slots *p, const struct probe_step *s,
		     const struct probe_step *before)
{
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < PROBE_SLOTS; i++)
		if (s->members[i] != (before ? before->members[i] : 0))
			r = set_slot(p, i, s->members[i]);
	return r;
}

bool probe_slots_run(struct arena *a, const struct probe_slots *p, struct feature *f)
{
	unsigned char packet[ETH_ZLEN] = { 0 };

	for (size_t i = 0; i < p->step_count; i++) {
		const struct probe_step *s = &p->steps[i];
		LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = packet,
			    .data_size_in = sizeof(packet), .repeat = 1);
		int r = set_slots(p, s, i ? s - 1 : NULL);

		if (r == 0)
			r = bpf_prog_test_run_opts(p->dispatcher, &opts);
		if (r < 0) {
			f->detail = arena_printf(a, "the self-check failed at %s: %s", s->meaning,
						 error_string(r));
			return false;
		}
		if ((int)opts.retval != s->verdict) {
			f->detail = arena_printf(
				a,
				"the self-check failed at %s: the verdict is %d, not %d; "
				"this kernel does not hand on what members answer",
				s->meaning, (int)opts.retval, s->verdict);
			return false;
		}
	}
	return true;
}

const char *probe_slots_refused(struct arena *a, const struct op_result *result)
{
	return arena_printf(a,
			    "%s; chains need a kernel whose BPF JIT is on (sysctl "
			    "net.core.bpf_jit_enable) and can tail-call from sub-programs",
			    result->error.text);
}
