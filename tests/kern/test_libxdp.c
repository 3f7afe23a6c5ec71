/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* Chains by libxdp's protocol by themselves: what they do, what they are made of and what they say of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/macros.h"
#include "base/str.h"
#include "libxdp_fixture.h"
#include "model/layout.h"

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
			cut_slot(id, i, d->n);
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
		struct op op = chain_removal(id);

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
	chain = find_chain(id);
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
	apply_fails(&op, -ENOENT, "PinFailed", FAILURE_TRANSIENT, "meta");
}

/* By the pin alone it would be missed in each observation, and never loaded. */
static void what_is_pinned_in_its_place_is_replaced(void **state)
{
	static const char *const programs[] = { "xdp_trace", NULL };
	uint32_t was, other;
	const char *pin;
	struct op op;

	(void)state;
	load_extended("a", 1, XDP_PASS);
	load_extended("b", 2, XDP_PASS);
	was = extension_id("a");
	other = extension_id("b");
	pin = below("%s", layout_extension_pin(fixture.a, "a", "v", "xdp_trace"));
	assert_int_equal(unlink(pin), 0);
	must_run("bpftool prog pin id %u %s", other, pin);
	fixture_restart();
	wait_for_end_of(was);
	assert_int_equal(observe().objects[0].extension_count, 0);
	op = extension_op(declare("a", "test_trace"), "v", programs);
	apply_fine(&op);
	assert_int_equal(observe().objects[0].extension_count, 1);
	assert_true(extension_id("a") != other);
	assert_int_equal(extension_id("b"), other);
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
		FIXTURE_TEST(what_is_pinned_in_its_place_is_replaced),
		FIXTURE_TEST(a_program_without_btf_is_told),
		FIXTURE_TEST(another_prototype_is_told),
		FIXTURE_TEST(live_program_arrays_are_left_alone),
		FIXTURE_TEST(a_missing_member_leaves_no_chain),
	};

	return LIBXDP_RUN("libxdp", tests);
}
