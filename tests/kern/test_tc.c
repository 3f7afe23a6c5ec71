/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/macros.h"
#include "base/str.h"
#include "model/limits.h"
#include "tc_fixture.h"

static const char *const ab[] = { "a", "b" };

/* --- what outlives its pins ---------------------------------------------------------- */

static void remove_pins(const char *instance)
{
	must_run("rm -r %s/objects/%s", fixture.bpffs_dir, instance);
}

/* Also when nothing is declared for tc any more, and no pin hints at it. */
static void slots_stay_filled_without_pins(void **state)
{
	struct op op = set_op(MECHANISM_CLSACT, TC_INGRESS, NULL);
	struct observed *o;

	(void)state;
	need("clsact");
	op.tc.chain_id = build(ab, 2);
	apply_fine(&op);
	(void)look(false);
	must_run("rm -r %s/chains/%u", fixture.bpffs_dir, op.tc.chain_id);
	remove_pins("b");
	remove_pins("c");
	assert_int_equal(unlink(below("objects/a/v/programs/tc_trace")), 0);
	for (int i = 0; i < 2; i++) {
		o = look(false);
		assert_true(filter_at(TC_INGRESS)->ours);
		assert_true(observed_find_chain(o, op.tc.chain_id)->lost_count > 0);
	}
	send_packet("v0-p", 9);
	assert_string_equal(wait_for_trace(9), "1 2");
	op = clear_op(MECHANISM_CLSACT, TC_INGRESS, op.tc.chain_id);
	apply_fine(&op);
	/* Until the chain is removed it may be wanted again. */
	apply_fine(&(struct op){ .kind = OP_CHAIN_REMOVE, .chain = { .id = op.tc.expected_id } });
	(void)look(false);
	wait_for_end_of(op.tc.expected_id);
}

static void remove_object(const char *instance)
{
	const struct op op = { .kind = OP_OBJECT_REMOVE,
			       .object = { .instance = instance, .version = "v" } };

	apply_fine(&op);
}

static void nothing_is_looked_at_without_a_reason(void **state)
{
	struct observed *o;

	(void)state;
	assert_true(look(false)->tc_count >= 2 * 2); /* something of ours could be in a filter */
	remove_object("a");
	remove_object("b");
	o = look(false);
	assert_true(o->tc_count >= 2 * 2);
	if (fixture_has("tcx"))
		put("c", TC_PLACE_LAST, NULL);
	remove_object("c");
	o = look(false);
	assert_int_equal(o->tc_count, fixture_has("tcx") ? 1 : 0);
	if (o->tc_count > 0) {
		assert_int_equal(o->tc[0].ifindex, w.veth);
		assert_int_equal(o->tc[0].program_count, 1);
		assert_true(o->tc[0].programs[0].ours); /* by its link */
	}
	o = look(true);
	assert_int_equal(o->tc_count, 2 * o->interface_count);
}

/* --- namespaces ------------------------------------------------------------------------ */

/* A namespace `blue` with an interface of the name and the index of ours; its file is in the test's own mounts. */
static void make_blue(void)
{
	must_run("mkdir -p /run/netns && mount -t tmpfs tmpfs /run/netns");
	must_run("ip netns add blue");
	must_run("ip -n blue link add v0 index %u type veth peer name v0-p", w.veth);
}

static struct observed *look_into_blue(void)
{
	static const char *names[] = { "blue" };
	const struct observe_request want = { .tc = true, .netns = { names, 1 } };
	struct observed *o = arena_new_of(fixture.a, struct observed);
	struct error e = { 0 };

	if (kern_linux_ops.observe(fixture.k, fixture.a, &want, o, &e) < 0)
		fail_msg("observe: %s", e.text);
	return o;
}

static void put_into_blue(enum mechanism mechanism)
{
	struct op op = set_op(mechanism, TC_EGRESS, "a");
	const struct observed_tc *own, *blue;
	struct observed *o;

	op.tc.netns = "blue";
	apply_fine(&op);
	o = look_into_blue();
	own = observed_find_tc(o, NULL, w.veth, TC_EGRESS);
	blue = observed_find_tc(o, "blue", w.veth, TC_EGRESS);
	assert_int_equal(own->program_count + own->filter_count, 0);
	assert_int_equal(blue->program_count + blue->filter_count, 1);
	op = clear_op(mechanism, TC_EGRESS, w.a);
	op.tc.netns = "blue";
	if (blue->program_count > 0) {
		assert_true(blue->programs[0].ours);
		op.tc.link_id = blue->programs[0].link_id;
	} else {
		assert_true(blue->filters[0].ours);
	}
	apply_fine(&op);
	blue = observed_find_tc(look_into_blue(), "blue", w.veth, TC_EGRESS);
	assert_int_equal(blue->program_count + blue->filter_count, 0);
	op = set_op(mechanism, TC_EGRESS, "a");
	op.tc.netns = "blue";
	op.tc.ifindex = 1000;
	apply_fails(&op, -ENODEV, "InterfaceGone", FAILURE_TRANSIENT, "v0");
}

static void equal_places_of_two_namespaces_are_kept_apart(void **state)
{
	(void)state;
	make_blue();
	if (fixture_has("tcx"))
		put_into_blue(MECHANISM_TCX);
	if (fixture_has("clsact"))
		put_into_blue(MECHANISM_CLSACT);
}

/* --- the dispatcher -------------------------------------------------------------------- */

/* What a section's name means to libbpf does not keep a program from any place. */
static void a_program_of_any_section_fits_everywhere(void **state)
{
	static const char *const functions[] = { "classifier_trace", "tc_trace", "tcx_egress_trace",
						 "tcx_ingress_trace" };
	static const char *const four[] = { "a", "a", "a", "a" };
	struct op op = chain_op("all", four, ARRAY_SIZE(four), false);
	uint32_t expected = 0;

	(void)state;
	op.chain.meta.hook = HOOK_TC;
	for (size_t i = 0; i < ARRAY_SIZE(four); i++) {
		op.chain.members[i].function = functions[i];
		op.chain.meta.members[i].proceed_on = TC_VERDICTS_DEFAULT;
	}
	apply_fine(&op);
	assert_int_equal((int)run_chain(observe().chains[0].id, 1), TC_ACT_UNSPEC);
	assert_string_equal(trace_of(1), "1 1 1 1");
	for (size_t i = 0; i < 2 * ARRAY_SIZE(functions); i++) {
		enum tc_direction direction = i % 2 ? TC_EGRESS : TC_INGRESS;

		op = set_op(MECHANISM_TCX, direction, "a");
		op.tc.program.function = functions[i / 2];
		if (fixture_has("tcx"))
			apply_fine(&op);
		op = set_op(MECHANISM_CLSACT, TC_INGRESS, "a");
		op.tc.program.function = functions[i / 2];
		op.tc.expected_id = expected;
		if (!fixture_has("clsact"))
			continue;
		apply_fine(&op);
		expected = filter_at(TC_INGRESS)->id;
	}
}

static void an_xdp_program_is_no_member(void **state)
{
	struct op op;

	(void)state;
	load_member("x", 9, 2);
	op = (struct op){ .kind = OP_SLOT_SET,
			  .key = "test",
			  .chain = { .id = build(ab, 2), .slot = 0, .member_count = 1 } };
	op.chain.members = arena_new_of(fixture.a, struct program_ref);
	*op.chain.members = (struct program_ref){ "x", "v", "xdp_trace", 0 };
	apply_fails(&op, -EINVAL, "MemberRefused", FAILURE_KERNEL, "x/xdp_trace");
	*op.chain.members = (struct program_ref){ "c", "v", "tc_trace", 0 };
	apply_fine(&op);
	assert_int_equal((int)run_chain(op.chain.id, 1), TC_ACT_UNSPEC);
	assert_string_equal(trace_of(1), "3 2");
	op = (struct op){ .kind = OP_CHAIN_REMOVE, .key = "test", .chain = { .id = op.chain.id } };
	apply_fine(&op);
}

#define MODEL_CHAINS  30
#define MODEL_PACKETS 20

struct model_packet {
	unsigned char header[ETH_HLEN];
	uint32_t number;
	signed char verdicts[LIMIT_CHAIN_TAILCALL];
	unsigned char rest[32];
} __attribute__((packed));

/* The rule as the manual has it. Writes who runs into text. */
static int model(const struct op_chain *chain, const signed char *verdicts, struct strbuf *text)
{
	int verdict = TC_ACT_UNSPEC;

	for (size_t i = 0; i < chain->member_count; i++) {
		if (!chain->members[i].instance) {
			if (chain->meta.members[i].required)
				return TC_ACT_SHOT;
			continue;
		}
		strbuf_addf(text, "%s%zu", text->len ? " " : "", i);
		verdict = verdicts[i];
		if (verdict < TC_ACT_UNSPEC || verdict > TC_ACT_TRAP ||
		    !(chain->meta.members[i].proceed_on & (1u << (verdict + 1))))
			return verdict;
	}
	return verdict;
}

static void run_packet(int dispatcher, const struct op_chain *chain, uint32_t number)
{
	struct model_packet packet = { .number = htonl(number) };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = &packet, .data_size_in = sizeof(packet),
		    .repeat = 1);
	cleanup(strbuf_done) struct strbuf text = { 0 };
	int verdict;

	packet.header[ETH_HLEN - 2] = TEST_ETHERTYPE >> 8;
	packet.header[ETH_HLEN - 1] = TEST_ETHERTYPE & 0xff;
	for (size_t i = 0; i < LIMIT_CHAIN_TAILCALL; i++)
		packet.verdicts[i] = (signed char)(rand() % 8 ? TC_ACT_UNSPEC + rand() % 10 :
								rand() % 256 - 128);
	verdict = model(chain, packet.verdicts, &text);
	assert_int_equal(bpf_prog_test_run_opts(dispatcher, &opts), 0);
	if ((int)opts.retval != verdict || !str_eq(trace_of(number), strbuf_get(&text)))
		fail_msg("verdict %d after '%s'; the model has %d after '%s'", (int)opts.retval,
			 trace_of(number), verdict, strbuf_get(&text));
}

static struct op random_chain(const char *signature)
{
	size_t n = 1 + (size_t)rand() % LIMIT_CHAIN_TAILCALL;
	const char *names[LIMIT_CHAIN_TAILCALL];
	struct op op;

	for (size_t i = 0; i < n; i++)
		names[i] = rand() % 8 ? arena_printf(fixture.a, "m%zu", i) : NULL;
	op = chain_op(signature, names, n, false);
	op.chain.meta.hook = HOOK_TC;
	for (size_t i = 0; i < n; i++) {
		op.chain.members[i].function = "tc_trace";
		/* Mostly passing on, or chains would be short. */
		op.chain.meta.members[i].proceed_on = (uint32_t)(rand() | rand() | rand()) & 0x3ff;
		op.chain.meta.members[i].required = rand() % 16 == 0;
	}
	return op;
}

static int open_dispatcher(const char *signature)
{
	struct observed o = observe();
	int fd = -1;

	for (size_t i = 0; i < o.chain_count; i++)
		if (str_eq(o.chains[i].meta.signature, signature))
			fd = bpf_obj_get(below("chains/%u/dispatcher", o.chains[i].id));
	assert_true(fd >= 0);
	return fd;
}

static void verdicts_are_as_the_model_has_them(void **state)
{
	uint32_t number = 100;

	(void)state;
	srand(7);
	for (uint32_t i = 0; i < LIMIT_CHAIN_TAILCALL; i++)
		load_tc_member(arena_printf(fixture.a, "m%u", i), i, 0, true);
	for (int i = 0; i < MODEL_CHAINS; i++) {
		struct op op = random_chain(arena_printf(fixture.a, "model %d", i));
		cleanup(closep) int fd = -1;

		apply_fine(&op);
		fd = open_dispatcher(op.chain.signature);
		for (int k = 0; k < MODEL_PACKETS; k++)
			run_packet(fd, &op.chain, number++);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TC_TEST(slots_stay_filled_without_pins),
		TC_TEST(nothing_is_looked_at_without_a_reason),
		TC_TEST(equal_places_of_two_namespaces_are_kept_apart),
		TC_TEST(a_program_of_any_section_fits_everywhere),
		TC_TEST(an_xdp_program_is_no_member),
		TC_TEST(verdicts_are_as_the_model_has_them),
	};

	return FIXTURE_RUN("tc", tests);
}
