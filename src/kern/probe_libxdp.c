/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * All that a chain's life needs is done once, with programs on packets of nobody's: freplace programs are loaded, attached to one
 * dispatcher and then, as every change of a chain does it, to another (Linux 5.10); empty slots, passing on and dropping,
 * and the replacement of a dispatcher's main function are run.
 */
#include "kern/probe_libxdp.h"

#include <errno.h>
#include <linux/if_ether.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/macros.h"
#include "bpf/probe.skel.h"
#include "kern/libxdp.h"
#include "kern/verifier.h"

#define SLOTS 3

enum member { EMPTY, PASS, DROP, CONTINUE, UNKNOWN, MEMBER_COUNT };

/* Slot 0 passes PASS on, slot 1 as well but must not be empty, slot 2 is the last. */
static const struct step {
	enum member members[SLOTS];
	size_t count;
	uint32_t verdict;
	const char *meaning;
} steps[] = {
	{ { EMPTY, EMPTY, EMPTY }, 3, XDP_DROP, "an empty slot that must not be" },
	{ { EMPTY, PASS, DROP }, 3, XDP_DROP, "a last program that drops" },
	{ { DROP, PASS, CONTINUE }, 3, XDP_DROP, "a first program that drops" },
	{ { PASS, CONTINUE, UNKNOWN }, 3, XDP_ABORTED, "a program with an unknown verdict" },
	{ { EMPTY, PASS, CONTINUE }, 3, XDP_PASS, "a last program that passes control on" },
	{ { DROP }, 1, XDP_DROP, "a program that replaces the whole dispatcher" },
};

struct check {
	struct bpf_object *template;
	struct probe_bpf *members;
};

static void check_done(struct check *c)
{
	probe_bpf__destroy(c->members);
	bpf_object__close(c->template);
}

static void objectp(struct bpf_object **o)
{
	bpf_object__close(*o);
}

static int dispatcher(struct arena *a, size_t count, struct bpf_object **ret_object, int *ret_fd,
		      struct op_result *ret)
{
	struct libxdp_config config = { .version = LIBXDP_VERSION_MIN, .slot_count = count };

	for (size_t i = 0; i + 1 < count; i++)
		config.slots[i].actions = 1 << XDP_PASS;
	if (count > 1)
		config.slots[1].required = true;
	return libxdp_dispatcher_load(a, &config, ret_object, ret_fd, ret);
}

static bool load(struct arena *a, struct check *c, struct feature *f)
{
	struct op_result result = { 0 };
	int fd = -1, r;

	c->members = probe_bpf__open();
	if (!c->members) {
		f->detail = arena_printf(a, "the probe cannot be opened: %s", error_string(errno));
		return false;
	}
	r = dispatcher(a, SLOTS, &c->template, &fd, &result);
	if (r == 0)
		r = libxdp_prepare_extension(c->members->obj, fd, &result.error);
	if (r == 0)
		r = verifier_load(c->members->obj, a, &result);
	if (r < 0)
		f->detail = arena_strdup(a, result.error.text);
	return r == 0;
}

static int run(struct arena *a, const struct check *c, const struct step *s, uint32_t *ret_verdict,
	       struct op_result *ret)
{
	struct bpf_program *const programs[MEMBER_COUNT] = {
		[PASS] = c->members->progs.probe_pass,
		[DROP] = c->members->progs.probe_drop,
		[CONTINUE] = c->members->progs.probe_continue,
		[UNKNOWN] = c->members->progs.probe_unknown,
	};
	unsigned char packet[ETH_ZLEN] = { 0 };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = packet, .data_size_in = sizeof(packet),
		    .repeat = 1);
	cleanup(objectp) struct bpf_object *o = NULL;
	int links[SLOTS] = { -1, -1, -1 };
	int fd = -1, r = dispatcher(a, s->count, &o, &fd, ret);

	for (size_t i = 0; r == 0 && i < s->count; i++)
		if (s->members[i] != EMPTY)
			r = libxdp_attach(bpf_program__fd(programs[s->members[i]]), fd,
					  libxdp_target(a, i, s->count), &links[i], &ret->error);
	if (r == 0) {
		r = bpf_prog_test_run_opts(fd, &opts);
		if (r < 0)
			error_set(&ret->error, r, "%s", error_string(r));
	}
	for (size_t i = 0; i < SLOTS; i++)
		closep(&links[i]);
	*ret_verdict = opts.retval;
	return r;
}

bool probe_libxdp(struct arena *a, struct feature *f)
{
	cleanup(check_done) struct check c = { 0 };

	if (!load(a, &c, f))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		struct op_result result = { 0 };
		uint32_t verdict;

		if (run(a, &c, &steps[i], &verdict, &result) < 0) {
			f->detail = arena_printf(a, "the self-check failed at %s: %s",
						 steps[i].meaning, result.error.text);
			return false;
		}
		if (verdict == steps[i].verdict)
			continue;
		f->detail = arena_printf(a,
					 "the self-check failed at %s: the verdict is %u, not %u; "
					 "this kernel does not hand on what members answer",
					 steps[i].meaning, verdict, steps[i].verdict);
		return false;
	}
	return true;
}
