/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/macros.h"
#include "base/str.h"
#include "kern/libxdp.h"
#include "kern/pin.h"
#include "libxdp_fixture.h"
#include "model/layout.h"

static const char *const abc[] = { "a", "b", "c" };

static void load_abc(void)
{
	load_extended("a", 1, XDP_PASS);
	load_extended("b", 2, XDP_PASS);
	load_extended("c", 3, XDP_PASS);
}

static const struct observed_chain *find(uint32_t id)
{
	struct observed *o = arena_new_of(fixture.a, struct observed);

	*o = observe();
	return observed_find_chain(o, id);
}

static struct op slot_op(const struct op *built, uint32_t id, uint32_t slot)
{
	struct op op = *built;

	op.kind = OP_SLOT_SET;
	op.chain.id = id;
	op.chain.slot = slot;
	return op;
}

static struct op chain_remove(uint32_t id)
{
	return (struct op){ .kind = OP_CHAIN_REMOVE, .key = "test", .chain = { .id = id } };
}

static void make_protocol_directory(mode_t mode)
{
	assert_int_equal(mkdir(protocol_path("%s", ""), mode), 0);
}

/* --- the verdict, against a model -------------------------------------------------- */

static const uint32_t verdicts[] = { 0, 1, 2, 3, 4, 5, 31, 63, 0xffffffff };

/* A chain as drawn: per slot which verdict its member gives, or that it is missing or cut off. */
struct drawn {
	size_t n;
	struct drawn_slot {
		size_t member; /* index of verdicts */
		bool missing;  /* nothing to run: a program of ours drops */
		bool foreign;  /* given by its id */
		bool cut;      /* its link is gone */
		bool required;
		uint32_t proceed_on;
	} slots[10];
};

static uint32_t draw(uint32_t *state, uint32_t below_this)
{
	*state = *state * 1664525 + 1013904223;
	return (*state >> 8) % below_this;
}

static struct drawn draw_chain(uint32_t *state)
{
	struct drawn d = { .n = 1 + draw(state, 10) };

	for (size_t i = 0; i < d.n; i++)
		d.slots[i] = (struct drawn_slot){
			.member = draw(state, ARRAY_SIZE(verdicts)),
			.missing = draw(state, 12) == 0,
			.foreign = draw(state, 3) == 0,
			.cut = draw(state, 4) == 0,
			.required = draw(state, 2) == 0,
			.proceed_on = draw(state, 4) ? 0x1f : draw(state, 32),
		};
	return d;
}

/* The rule of the design in as many words; seen gets who ran. */
static uint32_t model(const struct drawn *d, struct strbuf *seen)
{
	uint32_t verdict = XDP_PASS;

	for (size_t i = 0; i < d->n; i++) {
		const struct drawn_slot *s = &d->slots[i];
		uint32_t answer = s->missing ? XDP_DROP : verdicts[s->member];

		if (s->cut && s->required)
			return XDP_DROP;
		if (s->cut)
			continue;
		if (!s->missing)
			strbuf_addf(seen, "%s%zu", seen->len ? " " : "", s->member);
		if (d->n == 1)
			return answer; /* nothing stands between it and the driver */
		if (answer == 31) {
			verdict = XDP_PASS;
			continue;
		}
		if (answer > XDP_REDIRECT)
			return XDP_ABORTED;
		verdict = answer;
		if (!(s->proceed_on >> answer & 1))
			return verdict;
	}
	return verdict;
}

static const char *member_name(size_t i)
{
	return arena_printf(fixture.a, "m%zu", i);
}

/* Takes the last pin of a slot's link away, and waits until its program has left the dispatcher. */
static void cut(uint32_t chain, uint32_t slot, size_t slot_count)
{
	const struct timespec pause = { .tv_nsec = 1000 * 1000 };
	const char *pin = below("chains/%u/link-%u", chain, slot);
	cleanup(closep) int dispatcher = bpf_prog_get_fd_by_id(chain);
	cleanup(closep) int program = bpf_prog_get_fd_by_id(pinned_link(pin));

	assert_true(dispatcher >= 0 && program >= 0);
	assert_int_equal(unlink(pin), 0);
	for (int i = 0; i < 10000; i++) {
		cleanup(closep) int fd = -1;

		/* The place is free once it can be taken, and free again as soon as this is closed. */
		if (libxdp_attach(program, dispatcher, libxdp_target(fixture.a, slot, slot_count),
				  &fd, NULL) == 0)
			return;
		(void)nanosleep(&pause, NULL);
	}
	fail_msg("slot %u of chain %u is not let go", slot, chain);
}

static uint32_t build_drawn(const struct drawn *d)
{
	const char *names[10];
	struct op op;
	uint32_t id;

	for (size_t i = 0; i < d->n; i++)
		names[i] = d->slots[i].missing ? NULL : member_name(d->slots[i].member);
	op = libxdp_op("drawn", names, d->n);
	op.chain.meta.protocol = 2 + (uint32_t)d->n % 2;
	for (size_t i = 0; i < d->n; i++) {
		op.chain.meta.members[i].required = d->slots[i].required;
		op.chain.meta.members[i].proceed_on = d->slots[i].proceed_on;
		if (d->slots[i].foreign && names[i])
			op.chain.members[i] = (struct program_ref){ .id = extension_id(names[i]) };
	}
	id = libxdp_build(&op);
	for (uint32_t i = 0; i < d->n; i++)
		if (d->slots[i].cut)
			cut(id, i, d->n);
	return id;
}

static void verdicts_are_as_the_model_says(void **state)
{
	uint32_t seed = 1;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(verdicts); i++)
		load_extended(member_name(i), (uint32_t)i, verdicts[i]);
	for (uint32_t round = 1; round <= 60; round++) {
		cleanup(strbuf_done) struct strbuf seen = { 0 };
		struct drawn d = draw_chain(&seed);
		uint32_t wanted = model(&d, &seen), id = build_drawn(&d), got;
		struct op op = chain_remove(id);

		got = run_chain(id, round);
		if (got != wanted || !str_eq(trace_of(round), strbuf_get(&seen)))
			fail_msg("round %u, %zu slots: verdict %u, ran '%s'; wanted %u, '%s'",
				 round, d.n, got, trace_of(round), wanted, strbuf_get(&seen));
		apply_fine(&op);
	}
}

static void ten_members_run_and_eleven_are_refused(void **state)
{
	const char *names[11];
	struct op op;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		names[i] = member_name(i);
		load_extended(names[i], (uint32_t)i, i == 9 ? XDP_TX : XDP_PASS);
	}
	op = libxdp_op("ten", names, 10);
	assert_int_equal(run_chain(libxdp_build(&op), 1), XDP_TX);
	assert_string_equal(trace_of(1), "0 1 2 3 4 5 6 7 8 9");
	op = libxdp_op("eleven", names, 11);
	apply_fails(&op, -E2BIG, "ChainTooLong", FAILURE_KERNEL, "11 programs");
	assert_int_equal(observe().chain_count, 1);
}

/* Before 6.12 any stub takes it; since then only one that may change packets itself. */
static void a_member_that_changes_packets_runs(void **state)
{
	static const char *const programs[] = { "xdp_adjusts", NULL };
	static const char *const names[] = { "r", "a" };
	struct object_decl *decl = declare("r", "test_replace");
	struct op load = load_op(decl, "v", programs), extend = extension_op(decl, "v", programs);

	(void)state;
	load_extended("a", 1, XDP_PASS);
	apply_fine(&load);
	apply_fine(&extend);
	for (size_t n = 1; n <= 2; n++) {
		struct op op = libxdp_op("adjusts", names, n);

		op.chain.members[0].function = "xdp_adjusts";
		op.chain.meta.members[0].proceed_on = 1u << XDP_TX;
		assert_int_equal(run_chain(libxdp_build(&op), (uint32_t)n),
				 n == 1 ? XDP_TX : XDP_PASS);
	}
	assert_string_equal(trace_of(2), "1");
}

/* --- what a dispatcher says of itself ------------------------------------------------- */

static uint32_t word_at(const unsigned char *bytes, size_t offset)
{
	uint32_t word;

	memcpy(&word, bytes + offset, sizeof(word));
	return word;
}

static void configurations_are_exact(void **state)
{
	(void)state;
	load_abc();
	for (uint32_t version = 2; version <= 3; version++) {
		struct op op = libxdp_op("abc", abc, 3);
		unsigned char bytes[256];

		op.chain.meta.protocol = version;
		op.chain.meta.members[1].proceed_on = 0x7fffffff;
		op.chain.meta.members[2].proceed_on = 0;
		op.chain.meta.members[2].required = true;
		assert_int_equal(read_config(libxdp_build(&op), bytes, sizeof(bytes)),
				 version == 2 ? 124 : 128);
		assert_int_equal(bytes[0], 236);
		assert_int_equal(bytes[1], version);
		assert_int_equal(bytes[2], 3);
		assert_int_equal(bytes[3], 0);
		assert_int_equal(word_at(bytes, 4), 0x80000004);
		assert_int_equal(word_at(bytes, 8), 0xffffffff);
		assert_int_equal(word_at(bytes, 12), 0x80000000);
		for (size_t i = 0; i < 10; i++) {
			assert_int_equal(word_at(bytes, 44 + 4 * i), i < 3 ? 10 + i : 0);
			/* Only bits that the protocol gives no meaning: see libxdp_dispatcher.h. */
			assert_int_equal(word_at(bytes, 84 + 4 * i) & 0x7f, 0);
		}
		assert_int_equal(word_at(bytes, 84), 0);
		assert_int_equal(word_at(bytes, 92), 1u << 31);
		if (version == 3)
			assert_int_equal(word_at(bytes, 124), 0);
	}
}

static void a_version_that_nobody_knows_is_refused(void **state)
{
	struct op op;

	(void)state;
	load_extended("a", 1, XDP_PASS);
	op = libxdp_op("a", abc, 1);
	op.chain.meta.protocol = 4;
	apply_fails(&op, -EINVAL, "LoadFailed", FAILURE_KERNEL, "version 4");
	op = libxdp_op("none", abc, 0);
	apply_fails(&op, -EINVAL, "LoadFailed", FAILURE_KERNEL, "0 programs");
}

static bool kernel_has_frags(void)
{
	const struct bpf_insn instructions[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = XDP_PASS },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .prog_flags = BPF_F_XDP_HAS_FRAGS);
	cleanup(closep) int fd = bpf_prog_load(BPF_PROG_TYPE_XDP, "frags", "GPL", instructions,
					       ARRAY_SIZE(instructions), &opts);

	return fd >= 0;
}

/* An interface of a large MTU takes the dispatcher only if it is loaded with the flag. */
static void frags_are_the_whole_chains(void **state)
{
	unsigned char bytes[256];
	uint32_t with, without, ifindex;
	struct op op, root;

	(void)state;
	if (!kernel_has_frags()) {
		print_message("# this kernel has no XDP in several buffers\n");
		skip();
	}
	load_abc();
	op = libxdp_op("with", abc, 2);
	op.chain.frags = op.chain.meta.frags = true;
	for (size_t i = 0; i < 2; i++)
		op.chain.meta.members[i].frags = true;
	with = libxdp_build(&op);
	assert_int_equal(read_config(with, bytes, sizeof(bytes)), 124);
	assert_int_equal(bytes[3], 1);
	assert_int_equal(word_at(bytes, 84), BPF_F_XDP_HAS_FRAGS);
	assert_int_equal(word_at(bytes, 88), BPF_F_XDP_HAS_FRAGS);
	op = libxdp_op("without", abc, 2);
	op.chain.meta.members[1].frags = true;
	without = libxdp_build(&op);
	assert_int_equal(read_config(without, bytes, sizeof(bytes)), 124);
	assert_int_equal(bytes[3], 0);
	assert_int_equal(word_at(bytes, 84), 0);
	assert_int_equal(word_at(bytes, 88), BPF_F_XDP_HAS_FRAGS);

	ifindex = make_veth("v0");
	must_run("ip link set v0-p mtu 9000");
	must_run("ip link set v0 mtu 9000");
	root = libxdp_root("v0", ifindex, with, 0);
	root.root.mode = XDP_MODE_NATIVE;
	apply_fine(&root);
	/* A change that would take the flag away is refused, and the old chain stays. */
	root = libxdp_root("v0", ifindex, without, with);
	root.root.mode = XDP_MODE_NATIVE;
	assert_true(apply(&root).code < 0);
	assert_int_equal(look_at(ifindex)->xdp_id, with);
	assert_protocol_pins(ifindex, with, abc, 2);
	assert_int_not_equal(access(protocol_path("dispatch-%u-%u", ifindex, without), F_OK), 0);
}

static void a_chain_is_described(void **state)
{
	static const char *const members[] = { "a", NULL, "c" };
	const struct observed_chain *chain;
	struct op op;
	uint32_t id;

	(void)state;
	load_abc();
	op = libxdp_op("described", members, 3);
	op.chain.meta.protocol = 3;
	id = libxdp_build(&op);
	chain = find(id);
	assert_true(chain->complete);
	assert_int_equal(chain->meta.mechanism, MECHANISM_LIBXDP);
	assert_int_equal(chain->meta.protocol, 3);
	assert_string_equal(chain->meta.signature, "described");
	assert_int_equal(chain->meta.member_count, 3);
	assert_int_equal(chain->meta.members[2].run_priority, 12);
	assert_int_equal(chain->slots[0], extension_id("a"));
	assert_int_not_equal(chain->slots[1], 0);
	assert_int_equal(chain->slots[2], extension_id("c"));
	assert_int_equal(chain->pinned_count, 0);
}

/* --- members --------------------------------------------------------------------------- */

static void both_forms_have_the_same_maps(void **state)
{
	struct observed o;
	const struct observed_object *object;
	const struct observed_program *one, *other;

	(void)state;
	load_extended("a", 1, XDP_PASS);
	o = observe();
	object = observed_find_object(&o, "a", "v");
	assert_int_equal(object->extension_count, 1);
	one = observed_object_program(object, "xdp_trace");
	other = observed_object_extension(object, "xdp_trace");
	assert_int_equal(other->type, BPF_PROG_TYPE_EXT);
	assert_int_equal(other->id, extension_id("a"));
	assert_int_not_equal(one->id, other->id);
	/* The mark is one of them, too. */
	assert_int_equal(one->map_count, other->map_count);
	for (size_t i = 0; i < one->map_count; i++) {
		bool found = false;

		for (size_t k = 0; k < other->map_count; k++)
			found = found || other->maps[k] == one->maps[i];
		assert_true(found);
	}
}

/* The flag belongs to a dispatcher; a freplace program with it is refused. */
static void a_member_may_know_frags(void **state)
{
	static const char *const programs[] = { "xdp_frags", NULL };
	static const char *const names[] = { "f", "a" };
	struct object_decl *decl = declare("f", "test_frags");
	struct op load = load_op(decl, "v", programs), extend = extension_op(decl, "v", programs);
	struct op op;

	(void)state;
	load.object.meta.frags = kernel_has_frags();
	extend.object.meta.frags = load.object.meta.frags;
	load_extended("a", 1, XDP_TX);
	apply_fine(&load);
	apply_fine(&extend);
	op = libxdp_op("fa", names, 2);
	op.chain.members[0].function = programs[0];
	assert_int_equal(run_chain(libxdp_build(&op), 1), XDP_TX);
	assert_string_equal(trace_of(1), "1");
}

static void loading_again_is_fine(void **state)
{
	static const char *const programs[] = { "xdp_trace", NULL };
	struct op op;
	uint32_t id;

	(void)state;
	load_extended("a", 1, XDP_PASS);
	id = extension_id("a");
	op = extension_op(declare("a", "test_trace"), "v", programs);
	apply_fine(&op);
	assert_int_equal(extension_id("a"), id);
}

static void an_extension_needs_its_object(void **state)
{
	static const char *const programs[] = { "xdp_trace", NULL };
	struct op op;

	(void)state;
	op = extension_op(declare("a", "test_trace"), "v", programs);
	apply_fails(&op, -ENOENT, "MapCreateFailed", FAILURE_TRANSIENT, "of a");
}

static void a_program_without_btf_is_told(void **state)
{
	static const char *const programs[] = { "xdp_trace", NULL };
	struct object_decl *decl;
	struct elf_object elf;
	struct elf_program program;
	struct op op;

	(void)state;
	load_member("a", 1, XDP_PASS);
	decl = declare("a", "test_trace");
	elf = *decl->source->elf;
	program = *elf_find_program(&elf, "xdp_trace");
	assert_true(program.has_btf);
	program.has_btf = false;
	elf.programs = &program;
	elf.program_count = 1;
	((struct object_source *)decl->source)->elf = &elf;
	op = extension_op(decl, "v", programs);
	apply_fails(&op, -EINVAL, "NoBtf", FAILURE_KERNEL, "clang -g");
	assert_int_equal(extension_id("a"), 0);
}

static void another_prototype_is_told(void **state)
{
	static const char *const programs[] = { "xdp_other_prototype", NULL };
	struct object_decl *decl = declare("r", "test_replace");
	struct op load = load_op(decl, "v", programs), extend = extension_op(decl, "v", programs);

	(void)state;
	apply_fine(&load);
	apply_fails(&extend, 0, "VerifierRefused", FAILURE_KERNEL, "struct xdp_md *ctx");
	assert_int_equal(observe().objects[0].extension_count, 0);
}

/* What an array is filled with at first, it was filled with by the first form. */
static void live_program_arrays_are_left_alone(void **state)
{
	static const char *const programs[] = { "xdp_jump_target", "xdp_prog_array", NULL };
	static const char *const target[] = { "xdp_jump_target", NULL };
	struct object_decl *decl = declare("j", "test_prog_array");
	struct op load = load_op(decl, "v", programs), extend = extension_op(decl, "v", target);
	cleanup(closep) int map = -1;
	uint32_t before = 0, after = 0, key = 1;

	(void)state;
	apply_fine(&load);
	map = bpf_obj_get(below("%s", layout_map_pin(fixture.a, "j", "v", "jumps")));
	assert_true(map >= 0);
	assert_int_equal(bpf_map_lookup_elem(map, &key, &before), 0);
	apply_fine(&extend);
	assert_int_equal(bpf_map_lookup_elem(map, &key, &after), 0);
	assert_int_equal(after, before);
	assert_int_equal(observe().objects[0].extension_count, 1);
}

static void a_missing_member_leaves_no_chain(void **state)
{
	struct op op;

	(void)state;
	load_extended("a", 1, XDP_PASS);
	load_member("b", 2, XDP_PASS);
	op = libxdp_op("ab", abc, 2);
	apply_fails(&op, -ENOENT, "MemberMissing", FAILURE_TRANSIENT, "extensions");
	op.chain.members[1] = (struct program_ref){ .id = 0x7fffffff };
	apply_fails(&op, -ENOENT, "MemberMissing", FAILURE_TRANSIENT, "2147483647");
	/* A program that can be attached to an interface replaces no function. */
	op.chain.members[1] = (struct program_ref){ .id = program_id("b") };
	apply_fails(&op, -EINVAL, "MemberRefused", FAILURE_KERNEL, "freplace");
	assert_int_equal(observe().chain_count, 0);
}

/* --- roots ------------------------------------------------------------------------------ */

static void pins_come_before_a_swap_and_go_after(void **state)
{
	static const char *const ca[] = { "c", "a" };
	struct op op, root;
	uint32_t first, second, ifindex;

	(void)state;
	load_abc();
	ifindex = make_veth("v0");
	op = libxdp_op("abc", abc, 3);
	first = libxdp_build(&op);
	root = libxdp_root("v0", ifindex, first, 0);
	apply_fine(&root);
	assert_protocol_pins(ifindex, first, abc, 3);
	assert_int_equal(find(first)->pinned_count, 1);
	assert_int_equal(find(first)->pinned_at[0], ifindex);
	send_packet("v0-p", 1);
	assert_string_equal(wait_for_trace(1), "1 2 3");

	op = libxdp_op("ca", ca, 2);
	second = libxdp_build(&op);
	root = libxdp_root("v0", ifindex, second, first);
	apply_fine(&root);
	assert_protocol_pins(ifindex, second, ca, 2);
	assert_int_not_equal(access(protocol_path("dispatch-%u-%u", ifindex, first), F_OK), 0);
	send_packet("v0-p", 2);
	assert_string_equal(wait_for_trace(2), "3 1");

	op = chain_remove(first);
	apply_fine(&op);
	root = root_op(OP_ROOT_CLEAR, "v0", ifindex);
	root.root.expected_id = second;
	root.root.expected_mode = look_at(ifindex)->xdp_mode;
	apply_fine(&root);
	assert_int_equal(look_at(ifindex)->xdp_id, 0);
	assert_int_not_equal(access(protocol_path("dispatch-%u-%u", ifindex, second), F_OK), 0);
}

/* One dispatcher at several interfaces: nothing of the protocol forbids it. */
static void a_dispatcher_serves_several_interfaces(void **state)
{
	static const char *const names[] = { "v0", "v1", "v2" };
	struct observed o;
	const struct observed_chain *chain;
	uint32_t ifindex[3], id;
	struct op op, root;

	(void)state;
	load_abc();
	op = libxdp_op("abc", abc, 3);
	id = libxdp_build(&op);
	for (size_t i = 0; i < 3; i++) {
		ifindex[i] = make_veth(names[i]);
		root = libxdp_root(names[i], ifindex[i], id, 0);
		apply_fine(&root);
	}
	o = observe();
	chain = observed_find_chain(&o, id);
	assert_int_equal(o.dispatch_count, 3);
	assert_int_equal(chain->pinned_count, 3);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(chain->pinned_at[i], ifindex[i]);
		assert_int_equal(o.dispatches[i].ifindex, ifindex[i]);
		assert_true(o.dispatches[i].ours);
		assert_int_equal(o.dispatches[i].members[2].id, extension_id("c"));
		assert_protocol_pins(ifindex[i], id, abc, 3);
	}
	root = root_op(OP_ROOT_CLEAR, "v1", ifindex[1]);
	root.root.expected_id = id;
	root.root.expected_mode = look_at(ifindex[1])->xdp_mode;
	apply_fine(&root);
	assert_int_equal(find(id)->pinned_count, 2);
	send_packet("v2-p", 1);
	assert_string_equal(wait_for_trace(1), "1 2 3");
}

static void a_swap_that_fails_leaves_no_pins(void **state)
{
	struct op op, root;
	uint32_t first, second, ifindex;

	(void)state;
	load_abc();
	ifindex = make_veth("v0");
	op = libxdp_op("abc", abc, 3);
	first = libxdp_build(&op);
	root = libxdp_root("v0", ifindex, first, 0);
	apply_fine(&root);
	op = libxdp_op("ab", abc, 2);
	second = libxdp_build(&op);
	root = libxdp_root("v0", ifindex, second, 0);
	apply_fails(&root, 0, "RootChanged", FAILURE_TRANSIENT, "expected was no program");
	assert_int_not_equal(access(protocol_path("dispatch-%u-%u", ifindex, second), F_OK), 0);
	assert_protocol_pins(ifindex, first, abc, 3);
	send_packet("v0-p", 1);
	assert_string_equal(wait_for_trace(1), "1 2 3");
}

static void other_directories_are_left_alone(void **state)
{
	static const char *const others[] = { "dispatch-1-999999999", "other", "dispatch-1" };
	struct op op, root;
	uint32_t id, ifindex;

	(void)state;
	load_abc();
	make_protocol_directory(0755);
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		assert_int_equal(mkdir(protocol_path("%s", others[i]), 0755), 0);
	ifindex = make_veth("v0");
	op = libxdp_op("abc", abc, 3);
	id = libxdp_build(&op);
	root = libxdp_root("v0", ifindex, id, 0);
	apply_fine(&root);
	root = root_op(OP_ROOT_CLEAR, "v0", ifindex);
	root.root.expected_id = id;
	root.root.expected_mode = look_at(ifindex)->xdp_mode;
	apply_fine(&root);
	op = chain_remove(id);
	apply_fine(&op);
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		assert_int_equal(access(protocol_path("%s", others[i]), F_OK), 0);
}

/* From this mechanism to the other and back, by two swaps. */
static void a_running_chain_changes_its_mechanism(void **state)
{
	struct op op, root;
	uint32_t libxdp, tailcall, ifindex;

	(void)state;
	load_abc();
	ifindex = make_veth("v0");
	op = libxdp_op("abc", abc, 3);
	libxdp = libxdp_build(&op);
	tailcall = build_chain("tailcall", abc, 3);
	root = libxdp_root("v0", ifindex, libxdp, 0);
	apply_fine(&root);
	root = libxdp_root("v0", ifindex, tailcall, libxdp);
	root.root.mechanism = MECHANISM_TAILCALL;
	apply_fine(&root);
	send_packet("v0-p", 1);
	assert_string_equal(wait_for_trace(1), "1 2 3");
	assert_int_not_equal(access(protocol_path("dispatch-%u-%u", ifindex, libxdp), F_OK), 0);
	root = libxdp_root("v0", ifindex, libxdp, tailcall);
	apply_fine(&root);
	assert_protocol_pins(ifindex, libxdp, abc, 3);
	send_packet("v0-p", 2);
	assert_string_equal(wait_for_trace(2), "1 2 3");
}

static void lost_pins_are_made_anew(void **state)
{
	struct op op, root;
	uint32_t id, ifindex;

	(void)state;
	load_abc();
	ifindex = make_veth("v0");
	op = libxdp_op("abc", abc, 3);
	id = libxdp_build(&op);
	root = libxdp_root("v0", ifindex, id, 0);
	apply_fine(&root);
	assert_int_equal(unlink(protocol_path("dispatch-%u-%u/prog1-link", ifindex, id)), 0);
	assert_int_equal(find(id)->pinned_count, 0); /* not whole */
	root.kind = OP_ROOT_PIN;
	apply_fine(&root);
	assert_protocol_pins(ifindex, id, abc, 3);
	assert_int_equal(pin_directory_remove(fixture.a,
					      protocol_path("dispatch-%u-%u", ifindex, id), NULL),
			 0);
	send_packet("v0-p", 1);
	assert_string_equal(wait_for_trace(1), "1 2 3"); /* our own pins hold the links */
	apply_fine(&root);
	assert_protocol_pins(ifindex, id, abc, 3);
	assert_int_equal(find(id)->pinned_count, 1);
	root.kind = OP_ROOT_UNPIN;
	apply_fine(&root);
	apply_fine(&root); /* gone already */
	assert_int_not_equal(access(protocol_path("dispatch-%u-%u", ifindex, id), F_OK), 0);
}

/* An exclusive root has the same pins: tools see its members, even if they cannot join. */
static void a_root_on_a_link_has_pins_as_well(void **state)
{
	struct op op, root;
	struct observed o;
	uint32_t id, ifindex;

	(void)state;
	if (!fixture_has("bpf_link")) {
		print_message("# this kernel has no XDP on links\n");
		skip();
	}
	load_abc();
	ifindex = make_veth("v0");
	op = libxdp_op("abc", abc, 3);
	id = libxdp_build(&op);
	root = libxdp_root("v0", ifindex, id, 0);
	root.kind = OP_LINK_SET;
	apply_fine(&root);
	assert_protocol_pins(ifindex, id, abc, 3);
	o = observe();
	assert_int_equal(o.link_count, 1);
	root = root_op(OP_LINK_REMOVE, "v0", ifindex);
	root.root.link_id = o.links[0].id;
	root.root.expected_id = id;
	apply_fine(&root);
	assert_int_equal(look_at(ifindex)->xdp_id, 0);
	assert_int_not_equal(access(protocol_path("dispatch-%u-%u", ifindex, id), F_OK), 0);
}

/* --- lock --------------------------------------------------------------------------------- */

static void a_lock_that_somebody_holds_is_told(void **state)
{
	cleanup(closep) int fd = -1;
	struct op op, root;
	uint32_t id, ifindex;

	(void)state;
	load_extended("a", 1, XDP_PASS);
	ifindex = make_veth("v0");
	op = libxdp_op("a", abc, 1);
	id = libxdp_build(&op);
	make_protocol_directory(0700);
	fd = open(protocol_path("%s", ""), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	root = libxdp_root("v0", ifindex, id, 0);
	apply_fails(&root, -EWOULDBLOCK, "LibxdpLocked", FAILURE_TRANSIENT, "fuser");
	assert_int_equal(look_at(ifindex)->xdp_id, 0); /* looking goes on without */
	assert_int_not_equal(access(protocol_path("dispatch-%u-%u", ifindex, id), F_OK), 0);
	assert_int_equal(flock(fd, LOCK_UN), 0);
	apply_fine(&root);
	assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0); /* it was let go */
}

static void a_directory_that_anybody_writes_to_is_not_used(void **state)
{
	struct op op, root;
	uint32_t id, ifindex;

	(void)state;
	load_extended("a", 1, XDP_PASS);
	ifindex = make_veth("v0");
	op = libxdp_op("a", abc, 1);
	id = libxdp_build(&op);
	make_protocol_directory(0700);
	assert_int_equal(chmod(protocol_path("%s", ""), 0777), 0);
	root = libxdp_root("v0", ifindex, id, 0);
	apply_fails(&root, -EPERM, "UntrustedPath", FAILURE_FOREIGN, "chmod 700");
	assert_int_equal(look_at(ifindex)->xdp_id, 0);
	assert_int_equal(chmod(protocol_path("%s", ""), 0755), 0); /* as others may have made it */
	apply_fine(&root);
}

/* --- slots ----------------------------------------------------------------------------------- */

/* Attached but never observed: nobody but the pins holds the links. */
static uint32_t attach_unobserved(const struct op *op, uint32_t *ret_ifindex)
{
	struct op root;
	uint32_t id;

	*ret_ifindex = make_veth("v0");
	id = libxdp_build(op);
	root = libxdp_root("v0", *ret_ifindex, id, 0);
	apply_fine(&root);
	return id;
}

static void a_lost_link_is_made_anew(void **state)
{
	struct op op, slot;
	uint32_t id, ifindex;

	(void)state;
	load_abc();
	op = libxdp_op("abc", abc, 3);
	op.chain.meta.members[1].required = true;
	id = attach_unobserved(&op, &ifindex);
	assert_int_equal(unlink(protocol_path("dispatch-%u-%u/prog1-link", ifindex, id)), 0);
	cut(id, 1, 3);
	assert_int_equal(run_chain(id, 1), XDP_DROP);
	assert_string_equal(trace_of(1), "1");
	assert_int_equal(find(id)->slots[1], 0);
	slot = slot_op(&op, id, 1);
	apply_fine(&slot);
	assert_int_equal(run_chain(id, 2), XDP_PASS);
	assert_string_equal(trace_of(2), "1 2 3");
	assert_int_equal(find(id)->slots[1], extension_id("b"));
	assert_protocol_pins(ifindex, id, abc, 3);
	apply_fine(&slot); /* it is there already */
	assert_int_equal(run_chain(id, 3), XDP_PASS);
}

static void a_lone_member_is_put_back(void **state)
{
	struct op op, slot;
	uint32_t id;

	(void)state;
	load_extended("a", 1, XDP_TX);
	op = libxdp_op("a", abc, 1);
	op.chain.meta.members[0].required = true;
	id = libxdp_build(&op);
	assert_int_equal(run_chain(id, 1), XDP_TX);
	cut(id, 0, 1);
	assert_int_equal(run_chain(id, 2), XDP_DROP);
	slot = slot_op(&op, id, 0);
	apply_fine(&slot);
	assert_int_equal(run_chain(id, 3), XDP_TX);
}

/* The daemon holds what it has seen; all pins of a link can go without it. */
static void a_link_that_lives_on_is_pinned_again(void **state)
{
	struct op op, slot;
	uint32_t id, ifindex, link;

	(void)state;
	load_abc();
	op = libxdp_op("abc", abc, 3);
	id = attach_unobserved(&op, &ifindex);
	link = pinned_link_id(below("chains/%u/link-1", id));
	assert_true(find(id)->complete);
	assert_int_equal(unlink(protocol_path("dispatch-%u-%u/prog1-link", ifindex, id)), 0);
	assert_int_equal(unlink(below("chains/%u/link-1", id)), 0);
	assert_int_equal(find(id)->slots[1], 0); /* to be repaired */
	assert_int_equal(run_chain(id, 1), XDP_PASS);
	assert_string_equal(trace_of(1), "1 2 3"); /* and not missed meanwhile */
	slot = slot_op(&op, id, 1);
	apply_fine(&slot);
	assert_int_equal(pinned_link_id(below("chains/%u/link-1", id)), link);
	assert_protocol_pins(ifindex, id, abc, 3);
}

static void a_link_of_another_dispatcher_fills_no_slot(void **state)
{
	struct op op = { 0 };
	uint32_t one, other;

	(void)state;
	load_abc();
	op = libxdp_op("abc", abc, 3);
	one = libxdp_build(&op);
	op = libxdp_op("ab", abc, 2);
	other = libxdp_build(&op);
	cut(one, 1, 3);
	assert_int_equal(rename(below("chains/%u/link-1", other), below("chains/%u/link-1", one)),
			 0);
	if (find(one)->slots[1] != 0) {
		print_message("# this kernel does not say what a link is attached to\n");
		skip();
	}
	op = libxdp_op("abc", abc, 3);
	op = slot_op(&op, one, 1);
	apply_fine(&op);
	assert_int_equal(run_chain(one, 1), XDP_PASS);
	assert_string_equal(trace_of(1), "1 2 3");
}

static void slots_that_cannot_be_set(void **state)
{
	struct op op, slot;
	uint32_t id;

	(void)state;
	load_abc();
	op = libxdp_op("ab", abc, 2);
	id = libxdp_build(&op);
	op = libxdp_op("abc", abc, 3);
	slot = slot_op(&op, id, 2);
	apply_fails(&slot, -ENOENT, "ChainMissing", FAILURE_TRANSIENT, "no slot 2");
	/* A place that another member has is not given away. */
	op = libxdp_op("cb", (const char *const[]){ "c", "b" }, 2);
	slot = slot_op(&op, id, 0);
	apply_fails(&slot, -EBUSY, "MemberRefused", FAILURE_FOREIGN, "prog0");
	assert_int_equal(run_chain(id, 1), XDP_PASS);
	assert_string_equal(trace_of(1), "1 2");
}

/* --- remove ------------------------------------------------------------------------------------ */

static void a_removed_chain_is_gone(void **state)
{
	struct op op, root;
	uint32_t id, ifindex;

	(void)state;
	load_abc();
	op = libxdp_op("abc", abc, 3);
	id = attach_unobserved(&op, &ifindex);
	must_run("ip link del v0");
	assert_int_equal(access(protocol_path("dispatch-%u-%u", ifindex, id), F_OK), 0);
	assert_int_equal(find(id)->pinned_count, 1); /* left over by the interface */
	root = chain_remove(id);
	apply_fine(&root);
	assert_int_not_equal(access(protocol_path("dispatch-%u-%u", ifindex, id), F_OK), 0);
	assert_int_not_equal(access(below("chains/%u", id), F_OK), 0);
	wait_for_end_of(id);
	assert_true(program_lives(extension_id("a")));
	apply_fine(&root); /* what is gone already is gone */
}

/* A process in a network namespace of its own, until it is stopped. */
static pid_t start_elsewhere(void)
{
	int ready[2];
	char c;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		bool made = unshare(CLONE_NEWNET) == 0 && write(ready[1], "x", 1) == 1;

		while (made)
			(void)pause();
		_exit(1);
	}
	(void)close(ready[1]);
	assert_int_equal(read(ready[0], &c, 1), 1);
	(void)close(ready[0]);
	return pid;
}

static void stop_elsewhere(pid_t pid)
{
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

/* An interface takes its program along into another namespace, where no observation of ours sees it. */
static void a_chain_in_use_elsewhere_is_kept(void **state)
{
	pid_t elsewhere = start_elsewhere();
	uint32_t id, ifindex;
	struct op op;

	(void)state;
	load_abc();
	op = libxdp_op("abc", abc, 3);
	id = attach_unobserved(&op, &ifindex);
	must_run("ip link set v0 netns %d", (int)elsewhere);
	op = chain_remove(id);
	apply_fails(&op, -EBUSY, "ChainStillUsed", FAILURE_FOREIGN, "still in use");
	assert_true(find(id)->complete);
	assert_int_equal(run_chain(id, 1), XDP_PASS);
	assert_string_equal(trace_of(1), "1 2 3");
	assert_protocol_pins(ifindex, id, abc, 3);

	/* An earlier attempt was interrupted right after the unpin. */
	assert_int_equal(unlink(below("chains/%u/dispatcher", id)), 0);
	apply_fails(&op, -EBUSY, "ChainStillUsed", FAILURE_FOREIGN, "still in use");
	assert_int_equal(pinned_link(below("chains/%u/link-0", id)), extension_id("a"));

	must_run("ip link del v0-p");
	stop_elsewhere(elsewhere);
	apply_fine(&op);
	assert_int_equal(observe().chain_count, 0);
	wait_for_end_of(id);
}

/* Others' members are in it, and an interface runs it: they keep what libxdp's own chains have. */
static void a_chain_is_handed_over(void **state)
{
	struct op op;
	uint32_t id, ifindex;

	(void)state;
	load_abc();
	op = libxdp_op("abc", abc, 3);
	id = attach_unobserved(&op, &ifindex);
	assert_true(find(id)->complete);
	assert_int_equal(unlink(protocol_path("dispatch-%u-%u/prog1-link", ifindex, id)), 0);
	op = chain_remove(id);
	op.chain.hand_over = true;
	apply_fine(&op);
	assert_int_not_equal(access(below("chains/%u", id), F_OK), 0);
	assert_protocol_pins(ifindex, id, abc, 3); /* the lost one as well */
	send_packet("v0-p", 1);
	assert_string_equal(wait_for_trace(1), "1 2 3");
	assert_int_equal(look_at(ifindex)->xdp_id, id);
}

/* Without pins of the protocol nothing would hold its members. */
static void a_chain_without_pins_is_not_handed_over(void **state)
{
	struct op op;
	uint32_t id, ifindex;

	(void)state;
	load_abc();
	op = libxdp_op("abc", abc, 3);
	id = attach_unobserved(&op, &ifindex);
	assert_int_equal(pin_directory_remove(fixture.a,
					      protocol_path("dispatch-%u-%u", ifindex, id), NULL),
			 0);
	op = chain_remove(id);
	op.chain.hand_over = true;
	apply_fails(&op, -EBUSY, "ChainStillUsed", FAILURE_FOREIGN, "still in use");
	send_packet("v0-p", 1);
	assert_string_equal(wait_for_trace(1), "1 2 3");
}

static void what_an_interrupted_removal_left_is_removed(void **state)
{
	struct op op, remove;
	uint32_t id;

	(void)state;
	load_abc();
	op = libxdp_op("abc", abc, 3);
	id = libxdp_build(&op);
	remove = chain_remove(id);
	assert_int_equal(unlink(below("chains/%u/meta", id)), 0);
	assert_int_equal(unlink(below("chains/%u/dispatcher", id)), 0);
	assert_int_equal(unlink(below("chains/%u/link-0", id)), 0);
	apply_fine(&remove);
	assert_int_not_equal(access(below("chains/%u", id), F_OK), 0);
	wait_for_end_of(id);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(verdicts_are_as_the_model_says),
		FIXTURE_TEST(ten_members_run_and_eleven_are_refused),
		FIXTURE_TEST(a_member_that_changes_packets_runs),
		FIXTURE_TEST(configurations_are_exact),
		FIXTURE_TEST(a_version_that_nobody_knows_is_refused),
		FIXTURE_TEST(frags_are_the_whole_chains),
		FIXTURE_TEST(a_chain_is_described),
		FIXTURE_TEST(both_forms_have_the_same_maps),
		FIXTURE_TEST(a_member_may_know_frags),
		FIXTURE_TEST(loading_again_is_fine),
		FIXTURE_TEST(an_extension_needs_its_object),
		FIXTURE_TEST(a_program_without_btf_is_told),
		FIXTURE_TEST(another_prototype_is_told),
		FIXTURE_TEST(live_program_arrays_are_left_alone),
		FIXTURE_TEST(a_missing_member_leaves_no_chain),
		FIXTURE_TEST(pins_come_before_a_swap_and_go_after),
		FIXTURE_TEST(a_dispatcher_serves_several_interfaces),
		FIXTURE_TEST(a_swap_that_fails_leaves_no_pins),
		FIXTURE_TEST(other_directories_are_left_alone),
		FIXTURE_TEST(a_running_chain_changes_its_mechanism),
		FIXTURE_TEST(lost_pins_are_made_anew),
		FIXTURE_TEST(a_root_on_a_link_has_pins_as_well),
		FIXTURE_TEST(a_lock_that_somebody_holds_is_told),
		FIXTURE_TEST(a_directory_that_anybody_writes_to_is_not_used),
		FIXTURE_TEST(a_lost_link_is_made_anew),
		FIXTURE_TEST(a_lone_member_is_put_back),
		FIXTURE_TEST(a_link_that_lives_on_is_pinned_again),
		FIXTURE_TEST(a_link_of_another_dispatcher_fills_no_slot),
		FIXTURE_TEST(slots_that_cannot_be_set),
		FIXTURE_TEST(a_removed_chain_is_gone),
		FIXTURE_TEST(a_chain_in_use_elsewhere_is_kept),
		FIXTURE_TEST(a_chain_is_handed_over),
		FIXTURE_TEST(a_chain_without_pins_is_not_handed_over),
		FIXTURE_TEST(what_an_interrupted_removal_left_is_removed),
	};

	return LIBXDP_RUN("libxdp", tests);
}
