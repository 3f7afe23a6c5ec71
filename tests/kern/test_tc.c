/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/macros.h"
#include "base/str.h"
#include "fixture.h"
#include "kern/tcx.h"
#include "model/layout.h"
#include "model/limits.h"

/* The priority and handle of these tests; which ones the daemon takes is the plan's choice. */
#define PRIORITY 0x7bf0
#define HANDLE   1

#define FOREIGN_MAX TCX_PROGRAMS_MAX

/* A veth, members a (id 1), b and c, and programs of others by number. */
static struct {
	uint32_t veth, peer, a, b, c;
	int foreign[FOREIGN_MAX];
	size_t foreign_count;
} w;

static int begin(void **state)
{
	if (fixture_begin(state) < 0)
		return -1;
	load_tc_member("a", 1, TC_ACT_UNSPEC, false);
	load_tc_member("b", 2, TC_ACT_UNSPEC, false);
	load_tc_member("c", 3, TC_ACT_UNSPEC, false);
	w.a = tc_program_id("a");
	w.b = tc_program_id("b");
	w.c = tc_program_id("c");
	w.veth = make_veth("v0");
	w.peer = if_nametoindex("v0-p");
	w.foreign_count = 0;
	return 0;
}

static int end(void **state)
{
	while (w.foreign_count > 0)
		(void)close(w.foreign[--w.foreign_count]);
	return fixture_end(state);
}
#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

static void need(const char *feature)
{
	if (fixture_has(feature))
		return;
	print_message("# this kernel has no %s\n", feature);
	skip();
}

static struct observed *look(bool tc)
{
	const struct observe_request want = { .tc = tc };
	struct observed *o = arena_new_of(fixture.a, struct observed);
	struct error e = { 0 };

	if (kern_linux_ops.observe(fixture.k, fixture.a, &want, o, &e) < 0)
		fail_msg("observe: %s", e.text);
	return o;
}

static const struct observed_tc *at(uint32_t ifindex, enum tc_direction direction)
{
	const struct observed_tc *tc = observed_find_tc(look(true), NULL, ifindex, direction);

	assert_non_null(tc);
	return tc;
}

static const char *label(uint32_t id)
{
	if (id == w.a || id == w.b || id == w.c)
		return id == w.a ? "a" : id == w.b ? "b" : "c";
	for (size_t i = 0; i < w.foreign_count; i++)
		if (id_of_program(w.foreign[i]) == id)
			return arena_printf(fixture.a, "f%zu", i);
	return "?";
}

/* "a f0 b": the programs of a list, in order. */
static const char *labels(const struct observed_tc_program *p, size_t n)
{
	cleanup(strbuf_done) struct strbuf text = { 0 };

	for (size_t i = 0; i < n; i++)
		strbuf_addf(&text, "%s%s", i ? " " : "", label(p[i].id));
	return arena_strdup(fixture.a, strbuf_get(&text));
}

static const char *list_of(enum tc_direction direction)
{
	const struct observed_tc *tc = at(w.veth, direction);

	return labels(tc->programs, tc->program_count);
}

static const struct observed_tc_program *filter_at(enum tc_direction direction)
{
	const struct observed_tc *tc = at(w.veth, direction);

	for (size_t i = 0; i < tc->filter_count; i++)
		if (tc->filters[i].filter_priority == PRIORITY)
			return &tc->filters[i];
	return NULL;
}

/* A program of somebody else's, each one distinct. */
static int new_foreign(void)
{
	const struct bpf_insn instructions[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = TC_ACT_UNSPEC },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	int fd = bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "foreign", "GPL", instructions,
			       ARRAY_SIZE(instructions), NULL);

	assert_true(fd >= 0);
	assert_true(w.foreign_count < FOREIGN_MAX);
	w.foreign[w.foreign_count++] = fd;
	return fd;
}

static int foreign_link(int program, enum bpf_attach_type type)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts);
	int fd = bpf_link_create(program, (int)w.veth, type, &opts);

	assert_true(fd >= 0);
	return fd;
}

/* --- operations --------------------------------------------------------------- */

static struct op set_op(enum mechanism mechanism, enum tc_direction direction, const char *instance)
{
	struct op op = { .kind = OP_TC_SET, .key = "v0" };

	op.tc = (struct op_tc){
		.ifindex = w.veth, .interface = "v0", .direction = direction, .mechanism = mechanism
	};
	if (instance)
		op.tc.program = (struct program_ref){ instance, "v", "tc_trace", 0 };
	if (mechanism == MECHANISM_CLSACT) {
		op.tc.filter_priority = PRIORITY;
		op.tc.filter_handle = HANDLE;
	}
	return op;
}

static struct op clear_op(enum mechanism mechanism, enum tc_direction direction, uint32_t program)
{
	struct op op = set_op(mechanism, direction, NULL);

	op.kind = OP_TC_CLEAR;
	op.tc.expected_id = program;
	return op;
}

/* A link of its own, beside a program of ours (named) or of others (relative_id). */
static void put(const char *instance, enum tc_place place, const char *neighbour)
{
	struct op op = set_op(MECHANISM_TCX, TC_INGRESS, instance);

	op.tc.place = place;
	if (neighbour)
		op.tc.relative = (struct program_ref){ neighbour, "v", "tc_trace", 0 };
	op.tc.revision = at(w.veth, TC_INGRESS)->revision;
	apply_fine(&op);
}

static uint32_t link_of(enum tc_direction direction, uint32_t program)
{
	const struct observed_tc *tc = at(w.veth, direction);

	for (size_t i = 0; i < tc->program_count; i++)
		if (tc->programs[i].id == program)
			return tc->programs[i].link_id;
	return 0;
}

static uint32_t build(const char *const *instances, size_t n)
{
	struct op op = chain_op("s", instances, n, false);
	struct observed o;

	op.chain.meta.hook = HOOK_TC;
	for (size_t i = 0; i < n; i++) {
		if (op.chain.members[i].instance)
			op.chain.members[i].function = "tc_trace";
		op.chain.meta.members[i].program = "tc_trace";
		op.chain.meta.members[i].proceed_on = TC_VERDICTS_DEFAULT;
	}
	apply_fine(&op);
	o = observe();
	assert_int_equal(o.chain_count, 1);
	assert_true(o.chains[0].complete);
	assert_int_equal(o.chains[0].meta.hook, HOOK_TC);
	return o.chains[0].id;
}

static const char *const ab[] = { "a", "b" };

/* --- TCX: places ---------------------------------------------------------------- */

static void links_take_their_places(void **state)
{
	struct op op;

	(void)state;
	need("tcx");
	put("b", TC_PLACE_LAST, NULL);
	put("a", TC_PLACE_FIRST, NULL);
	put("c", TC_PLACE_AFTER, "a");
	assert_string_equal(list_of(TC_INGRESS), "a c b");
	op = clear_op(MECHANISM_TCX, TC_INGRESS, w.c);
	op.tc.link_id = link_of(TC_INGRESS, w.c);
	apply_fine(&op);
	assert_string_equal(list_of(TC_INGRESS), "a b");
	op = set_op(MECHANISM_TCX, TC_INGRESS, "c");
	op.tc.place = TC_PLACE_BEFORE;
	op.tc.relative_id = w.a;
	apply_fine(&op);
	assert_string_equal(list_of(TC_INGRESS), "c a b");
	assert_string_equal(list_of(TC_EGRESS), "");
}

static void links_of_others_keep_their_places(void **state)
{
	struct op op;

	(void)state;
	need("tcx");
	cleanup(closep) int one = foreign_link(new_foreign(), BPF_TCX_INGRESS);
	cleanup(closep) int two = foreign_link(new_foreign(), BPF_TCX_INGRESS);

	op = set_op(MECHANISM_TCX, TC_INGRESS, "a");
	op.tc.place = TC_PLACE_AFTER;
	op.tc.relative_id = id_of_program(w.foreign[0]);
	apply_fine(&op);
	put("b", TC_PLACE_LAST, NULL);
	put("c", TC_PLACE_FIRST, NULL);
	assert_string_equal(list_of(TC_INGRESS), "c f0 a f1 b");
	op = clear_op(MECHANISM_TCX, TC_INGRESS, w.a);
	op.tc.link_id = link_of(TC_INGRESS, w.a);
	apply_fine(&op);
	assert_string_equal(list_of(TC_INGRESS), "c f0 f1 b");
}

static void whose_programs_they_are_is_told(void **state)
{
	const struct observed_tc *tc;
	const struct observed_program *p;
	struct observed *o;

	(void)state;
	need("tcx");
	cleanup(closep) int link = foreign_link(new_foreign(), BPF_TCX_INGRESS);
	int loose = new_foreign();

	assert_int_equal(bpf_prog_attach_opts(loose, (int)w.veth, BPF_TCX_INGRESS, NULL), 0);
	put("a", TC_PLACE_LAST, NULL);
	o = look(true);
	tc = observed_find_tc(o, NULL, w.veth, TC_INGRESS);
	assert_int_equal(tc->program_count, 3);
	assert_false(tc->programs[0].ours);
	assert_int_not_equal(tc->programs[0].link_id, 0);
	assert_false(tc->programs[1].ours);
	assert_int_equal(tc->programs[1].link_id, 0);
	assert_true(tc->programs[2].ours);
	assert_int_equal(o->link_count, 1);
	assert_int_equal(o->links[0].id, tc->programs[2].link_id);
	assert_int_equal(o->links[0].hook, HOOK_TC);
	assert_int_equal(o->links[0].direction, TC_INGRESS);
	assert_int_equal(o->links[0].ifindex, w.veth);
	assert_int_equal(o->links[0].program_id, w.a);
	assert_true(o->links[0].pinned);
	p = observed_find_program(o, id_of_program(loose));
	assert_non_null(p);
	assert_string_equal(p->name, "foreign");
	assert_non_null(observed_find_program(o, w.a));
}

/* Observed once, several operations: each finds the revision that the one before it makes. */
static void revisions_follow_our_own_operations(void **state)
{
	struct op op;
	uint64_t revision;

	(void)state;
	need("tcx");
	revision = at(w.veth, TC_EGRESS)->revision;
	assert_true(revision > 0);
	op = set_op(MECHANISM_TCX, TC_EGRESS, "a");
	op.tc.revision = revision;
	apply_fine(&op);
	op = set_op(MECHANISM_TCX, TC_EGRESS, "b");
	op.tc.revision = revision + 1;
	apply_fine(&op);
	op = set_op(MECHANISM_TCX, TC_EGRESS, "c");
	op.tc.link_id = link_of(TC_EGRESS, w.b);
	op.tc.expected_id = w.b;
	apply_fine(&op);
	op = clear_op(MECHANISM_TCX, TC_EGRESS, w.a);
	op.tc.link_id = link_of(TC_EGRESS, w.a);
	apply_fine(&op);
	assert_string_equal(list_of(TC_EGRESS), "c");
	assert_int_equal(at(w.veth, TC_EGRESS)->revision, revision + 4);
}

static void a_list_that_others_changed_is_left_for_another_look(void **state)
{
	struct op op;

	(void)state;
	need("tcx");
	op = set_op(MECHANISM_TCX, TC_INGRESS, "a");
	op.tc.revision = at(w.veth, TC_INGRESS)->revision;
	cleanup(closep) int link = foreign_link(new_foreign(), BPF_TCX_INGRESS);

	apply_fails(&op, -ESTALE, "TcListChanged", FAILURE_TRANSIENT, "ingress of v0");
	assert_string_equal(list_of(TC_INGRESS), "f0");
	assert_int_equal(look(true)->link_count, 0);
	op.tc.revision = at(w.veth, TC_INGRESS)->revision;
	op.tc.place = TC_PLACE_AFTER;
	op.tc.relative = (struct program_ref){ "b", "v", "tc_trace", 0 };
	apply_fails(&op, -ENOENT, "TcListChanged", FAILURE_TRANSIENT, "ingress of v0");
	op.tc.relative.instance = "nobody";
	apply_fails(&op, -ENOENT, "ProgramMissing", FAILURE_TRANSIENT, "neighbour in ingress");
	assert_string_equal(list_of(TC_INGRESS), "f0");
}

static void programs_for_the_kernels_limit(size_t n)
{
	for (size_t i = 0; i < n; i++)
		assert_int_equal(
			bpf_prog_attach_opts(new_foreign(), (int)w.veth, BPF_TCX_INGRESS, NULL), 0);
}

static void a_full_list_is_said_to_be_full(void **state)
{
	struct op op = set_op(MECHANISM_TCX, TC_INGRESS, "a");

	(void)state;
	need("tcx");
	programs_for_the_kernels_limit(TCX_PROGRAMS_MAX - 2);
	apply_fine(&op);
	assert_int_equal(at(w.veth, TC_INGRESS)->program_count, TCX_PROGRAMS_MAX - 1);
	op = set_op(MECHANISM_TCX, TC_INGRESS, "b");
	apply_fails(&op, -ERANGE, "TcListFull", FAILURE_FOREIGN, "the 63 programs");
	assert_int_equal(look(true)->link_count, 1);
}

static void a_program_is_not_twice_in_a_list(void **state)
{
	struct op op = set_op(MECHANISM_TCX, TC_INGRESS, "a");
	cleanup(closep) int fd = bpf_prog_get_fd_by_id(w.a);

	(void)state;
	need("tcx");
	assert_int_equal(bpf_prog_attach_opts(fd, (int)w.veth, BPF_TCX_INGRESS, NULL), 0);
	apply_fails(&op, -EEXIST, "TcHeld", FAILURE_FOREIGN, "no link");
	op = set_op(MECHANISM_TCX, TC_INGRESS, "b");
	apply_fine(&op);
	apply_fails(&op, -EEXIST, "TcHeld", FAILURE_FOREIGN, "by link id");
	op = set_op(MECHANISM_TCX, TC_INGRESS, "a");
	op.tc.link_id = link_of(TC_INGRESS, w.b);
	op.tc.expected_id = w.b;
	apply_fails(&op, -EEXIST, "TcHeld", FAILURE_FOREIGN, "no link");
	assert_string_equal(list_of(TC_INGRESS), "a b");
}

/* --- TCX: links ------------------------------------------------------------------- */

static void a_program_is_replaced_in_its_place(void **state)
{
	struct op op;
	uint32_t link;

	(void)state;
	need("tcx");
	put("a", TC_PLACE_LAST, NULL);
	cleanup(closep) int foreign = foreign_link(new_foreign(), BPF_TCX_INGRESS);

	link = link_of(TC_INGRESS, w.a);
	op = set_op(MECHANISM_TCX, TC_INGRESS, "b");
	op.tc.link_id = link;
	op.tc.expected_id = w.a;
	apply_fine(&op);
	assert_string_equal(list_of(TC_INGRESS), "b f0");
	assert_int_equal(link_of(TC_INGRESS, w.b), link);
	op = set_op(MECHANISM_TCX, TC_INGRESS, "c");
	op.tc.link_id = link;
	op.tc.expected_id = w.a;
	apply_fails(&op, 0, "TcListChanged", FAILURE_TRANSIENT, "ingress of v0");
	op.tc.link_id = 4000000000;
	op.tc.expected_id = w.b;
	apply_fails(&op, -ENOENT, "TcListChanged", FAILURE_TRANSIENT, "is gone");
	assert_string_equal(list_of(TC_INGRESS), "b f0");
}

static void a_link_becomes_a_dispatcher(void **state)
{
	struct op op;
	uint32_t chain;

	(void)state;
	need("tcx");
	put("b", TC_PLACE_LAST, NULL);
	put("a", TC_PLACE_LAST, NULL);
	chain = build(ab, 2);
	op = set_op(MECHANISM_TCX, TC_INGRESS, NULL);
	op.tc.link_id = link_of(TC_INGRESS, w.b);
	op.tc.expected_id = w.b;
	op.tc.signature = "s"; /* built in this plan */
	apply_fine(&op);
	op = clear_op(MECHANISM_TCX, TC_INGRESS, w.a);
	op.tc.link_id = link_of(TC_INGRESS, w.a);
	apply_fine(&op);
	assert_int_equal(at(w.veth, TC_INGRESS)->program_count, 1);
	assert_int_equal(at(w.veth, TC_INGRESS)->programs[0].id, chain);
	assert_true(at(w.veth, TC_INGRESS)->programs[0].ours);
	send_packet("v0-p", 5);
	assert_string_equal(wait_for_trace(5), "1 2");
	op = set_op(MECHANISM_TCX, TC_EGRESS, NULL);
	op.tc.chain_id = chain;
	apply_fine(&op);
	send_packet("v0", 6);
	assert_string_equal(wait_for_trace(6), "1 2");
}

static void directions_are_independent(void **state)
{
	struct op op;

	(void)state;
	need("tcx");
	put("a", TC_PLACE_LAST, NULL);
	op = set_op(MECHANISM_TCX, TC_EGRESS, "b");
	apply_fine(&op);
	send_packet("v0-p", 7);
	assert_string_equal(wait_for_trace(7), "1");
	send_packet("v0", 8);
	assert_string_equal(wait_for_trace(8), "2");
}

static void a_link_that_cannot_be_pinned_does_not_stay(void **state)
{
	struct op op = set_op(MECHANISM_TCX, TC_INGRESS, "a");

	(void)state;
	need("tcx");
	assert_int_equal(rmdir(below("links")), 0);
	apply_fails(&op, -ENOENT, "PinFailed", FAILURE_TRANSIENT, "cannot pin");
	assert_string_equal(list_of(TC_INGRESS), "");
}

static void a_link_whose_interface_is_gone_is_removed(void **state)
{
	struct op op;
	struct observed *o;

	(void)state;
	need("tcx");
	put("a", TC_PLACE_LAST, NULL);
	must_run("ip link del v0");
	o = look(true);
	assert_int_equal(o->link_count, 1);
	assert_int_equal(o->links[0].hook, HOOK_TC);
	assert_int_equal(o->links[0].ifindex, 0);
	op = set_op(MECHANISM_TCX, TC_INGRESS, "b");
	apply_fails(&op, -ENODEV, "InterfaceGone", FAILURE_TRANSIENT, "v0");
	op.tc.link_id = o->links[0].id;
	op.tc.expected_id = w.a;
	apply_fails(&op, -ENODEV, "InterfaceGone", FAILURE_TRANSIENT, "v0");
	op = clear_op(MECHANISM_TCX, TC_INGRESS, w.a);
	op.tc.link_id = o->links[0].id;
	apply_fine(&op);
	apply_fine(&op); /* what is gone already is gone */
	assert_int_equal(look(true)->link_count, 0);
}

static void a_link_that_lost_its_pin_is_found(void **state)
{
	struct op op;
	struct observed *o;
	uint32_t id;

	(void)state;
	need("tcx");
	put("a", TC_PLACE_LAST, NULL);
	id = link_of(TC_INGRESS, w.a);
	cleanup(closep) int held = bpf_link_get_fd_by_id(id);

	assert_int_equal(unlink(below("links/%u", id)), 0);
	o = look(true);
	assert_int_equal(o->link_count, 1);
	assert_false(o->links[0].pinned);
	assert_true(at(w.veth, TC_INGRESS)->programs[0].ours);
	op = set_op(MECHANISM_TCX, TC_INGRESS, "b");
	op.tc.link_id = id;
	op.tc.expected_id = w.a;
	apply_fine(&op);
	assert_true(look(true)->links[0].pinned);
	op = clear_op(MECHANISM_TCX, TC_INGRESS, w.b);
	op.tc.link_id = id;
	apply_fine(&op);
	assert_string_equal(list_of(TC_INGRESS), "");
}

/* --- clsact ------------------------------------------------------------------------ */

static void put_filter(enum tc_direction direction, const char *instance, uint32_t expected)
{
	struct op op = set_op(MECHANISM_CLSACT, direction, instance);

	op.tc.expected_id = expected;
	apply_fine(&op);
}

/* A filter by somebody else: of these numbers, program and name. */
static void foreign_filter(enum tc_direction direction, uint32_t priority, int program)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)w.veth,
		    .attach_point = direction == TC_EGRESS ? BPF_TC_EGRESS : BPF_TC_INGRESS);
	LIBBPF_OPTS(bpf_tc_opts, opts, .prog_fd = program, .handle = HANDLE, .priority = priority);
	int r = bpf_tc_hook_create(&hook);

	assert_true(r == 0 || r == -EEXIST);
	assert_int_equal(bpf_tc_attach(&hook, &opts), 0);
}

static void a_filter_is_made_replaced_and_deleted(void **state)
{
	const struct observed_tc_program *f;
	struct op op;

	(void)state;
	need("clsact");
	assert_int_equal(at(w.veth, TC_INGRESS)->qdisc, TC_QDISC_NONE);
	put_filter(TC_INGRESS, "a", 0);
	put_filter(TC_EGRESS, "b", 0);
	assert_int_equal(at(w.veth, TC_INGRESS)->qdisc, TC_QDISC_CLSACT);
	f = filter_at(TC_INGRESS);
	assert_int_equal(f->id, w.a);
	assert_int_equal(f->filter_handle, HANDLE);
	assert_true(str_starts(f->filter_name, "bpfshare:"));
	assert_true(f->ours);
	assert_int_equal(filter_at(TC_EGRESS)->id, w.b);
	send_packet("v0-p", 7);
	assert_string_equal(wait_for_trace(7), "1");
	send_packet("v0", 8);
	assert_string_equal(wait_for_trace(8), "2");
	put_filter(TC_INGRESS, "c", w.a);
	assert_int_equal(filter_at(TC_INGRESS)->id, w.c);
	assert_int_equal(at(w.veth, TC_INGRESS)->filter_count, 1);
	op = clear_op(MECHANISM_CLSACT, TC_INGRESS, w.c);
	apply_fine(&op);
	apply_fine(&op); /* what is gone already is gone */
	assert_null(filter_at(TC_INGRESS));
	assert_int_equal(filter_at(TC_EGRESS)->id, w.b);
	assert_int_equal(at(w.veth, TC_INGRESS)->qdisc, TC_QDISC_CLSACT);
}

static void a_filter_runs_a_dispatcher(void **state)
{
	struct op op = set_op(MECHANISM_CLSACT, TC_INGRESS, NULL);

	(void)state;
	need("clsact");
	op.tc.chain_id = build(ab, 2);
	put_filter(TC_INGRESS, "c", 0);
	op.tc.expected_id = w.c;
	apply_fine(&op);
	send_packet("v0-p", 9);
	assert_string_equal(wait_for_trace(9), "1 2");
}

static void filters_of_others_are_not_touched(void **state)
{
	struct op op;

	(void)state;
	need("clsact");
	foreign_filter(TC_INGRESS, 1, new_foreign());
	foreign_filter(TC_INGRESS, PRIORITY + 1, new_foreign());
	foreign_filter(TC_EGRESS, 2, new_foreign());
	put_filter(TC_INGRESS, "a", 0);
	put_filter(TC_INGRESS, "b", w.a);
	assert_int_equal(at(w.veth, TC_INGRESS)->filter_count, 3);
	assert_false(at(w.veth, TC_INGRESS)->filters[0].ours);
	op = clear_op(MECHANISM_CLSACT, TC_INGRESS, w.b);
	apply_fine(&op);
	assert_string_equal(labels(at(w.veth, TC_INGRESS)->filters, 2), "f0 f1");
	assert_string_equal(labels(at(w.veth, TC_EGRESS)->filters, 1), "f2");
	assert_int_equal(at(w.veth, TC_INGRESS)->filter_count, 2);
}

static void an_unexpected_filter_of_ours_is_left_for_another_look(void **state)
{
	struct op op;

	(void)state;
	need("clsact");
	put_filter(TC_INGRESS, "a", 0);
	op = set_op(MECHANISM_CLSACT, TC_INGRESS, "b");
	apply_fails(&op, -EEXIST, "TcListChanged", FAILURE_TRANSIENT, "there is program id");
	op.tc.expected_id = w.c;
	apply_fails(&op, -ESTALE, "TcListChanged", FAILURE_TRANSIENT, "there is program id");
	op = clear_op(MECHANISM_CLSACT, TC_INGRESS, w.c);
	apply_fails(&op, -ESTALE, "TcListChanged", FAILURE_TRANSIENT, "there is program id");
	assert_int_equal(filter_at(TC_INGRESS)->id, w.a);
	must_run("tc qdisc del dev v0 clsact");
	op = set_op(MECHANISM_CLSACT, TC_INGRESS, "b");
	op.tc.expected_id = w.a;
	apply_fails(&op, -ESTALE, "TcListChanged", FAILURE_TRANSIENT, "there is none");
	assert_int_equal(at(w.veth, TC_INGRESS)->qdisc, TC_QDISC_NONE);
	op = clear_op(MECHANISM_CLSACT, TC_INGRESS, w.a);
	apply_fine(&op);
}

static void a_filter_in_our_place_is_refused_and_stays(void **state)
{
	struct op op;

	(void)state;
	need("clsact");
	foreign_filter(TC_INGRESS, PRIORITY, new_foreign());
	op = set_op(MECHANISM_CLSACT, TC_INGRESS, "a");
	apply_fails(&op, -EEXIST, "TcHeld", FAILURE_FOREIGN, "somebody else");
	op.tc.expected_id = id_of_program(w.foreign[0]);
	apply_fails(&op, -EEXIST, "TcHeld", FAILURE_FOREIGN, "somebody else");
	op = clear_op(MECHANISM_CLSACT, TC_INGRESS, id_of_program(w.foreign[0]));
	apply_fine(&op); /* ours is not there */
	assert_int_equal(filter_at(TC_INGRESS)->id, id_of_program(w.foreign[0]));
	assert_false(filter_at(TC_INGRESS)->ours);
}

/* The name alone makes no filter ours, and neither does the program. */
static void a_mark_is_not_forged(void **state)
{
	const char *mark;
	struct op op;

	(void)state;
	need("clsact");
	foreign_filter(TC_EGRESS, 3, bpf_prog_get_fd_by_id(w.a));
	assert_int_equal(at(w.veth, TC_EGRESS)->filters[0].id, w.a);
	assert_false(at(w.veth, TC_EGRESS)->filters[0].ours);
	put_filter(TC_INGRESS, "a", 0);
	mark = filter_at(TC_INGRESS)->filter_name;
	op = clear_op(MECHANISM_CLSACT, TC_INGRESS, w.a);
	apply_fine(&op);
	/* tc(8) names a filter after its pin and section. */
	assert_int_equal(bpf_obj_pin(new_foreign(), below("forged")), 0);
	must_run("tc filter add dev v0 ingress prio %u handle %u protocol all bpf da "
		 "bytecode '1,6 0 0 0'",
		 PRIORITY, HANDLE);
	assert_int_equal(filter_at(TC_INGRESS)->id, 0);
	assert_string_not_equal(filter_at(TC_INGRESS)->filter_name, mark);
	op = set_op(MECHANISM_CLSACT, TC_INGRESS, "a");
	apply_fails(&op, 0, "TcHeld", FAILURE_FOREIGN, "somebody else");
	assert_int_equal(filter_at(TC_INGRESS)->id, 0);
}

static void another_kind_of_filter_at_our_priority_stays(void **state)
{
	struct op op = set_op(MECHANISM_CLSACT, TC_INGRESS, "a");

	(void)state;
	need("clsact");
	must_run("tc qdisc add dev v0 clsact");
	if (system("tc filter add dev v0 ingress prio 31728 protocol all matchall classid 1:1 "
		   "2>/dev/null") != 0) {
		print_message("# this kernel has no matchall\n");
		skip();
	}
	apply_fails(&op, 0, "TcHeld", FAILURE_FOREIGN, "'matchall' (not of the kind bpf)");
	assert_int_equal(at(w.veth, TC_INGRESS)->filter_count, 1);
	assert_string_equal(filter_at(TC_INGRESS)->filter_name, "matchall");
	assert_false(filter_at(TC_INGRESS)->ours);
}

/* Filters for egress would silently be added to those for ingress. */
static void a_foreign_ingress_qdisc_stays(void **state)
{
	struct op op;

	(void)state;
	need("clsact");
	must_run("tc qdisc add dev v0 ingress");
	put_filter(TC_INGRESS, "a", 0);
	assert_int_equal(at(w.veth, TC_INGRESS)->qdisc, TC_QDISC_INGRESS);
	assert_int_equal(filter_at(TC_INGRESS)->id, w.a);
	assert_int_equal(at(w.veth, TC_EGRESS)->qdisc, TC_QDISC_INGRESS);
	assert_int_equal(at(w.veth, TC_EGRESS)->filter_count, 0);
	op = set_op(MECHANISM_CLSACT, TC_EGRESS, "b");
	apply_fails(&op, -EBUSY, "IngressQdisc", FAILURE_FOREIGN, "egress of v0");
	op = clear_op(MECHANISM_CLSACT, TC_EGRESS, w.a);
	apply_fine(&op);
	send_packet("v0-p", 7);
	assert_string_equal(wait_for_trace(7), "1");
	op = clear_op(MECHANISM_CLSACT, TC_INGRESS, w.a);
	apply_fine(&op);
	assert_int_equal(at(w.veth, TC_INGRESS)->filter_count, 0);
	assert_int_equal(at(w.veth, TC_INGRESS)->qdisc, TC_QDISC_INGRESS);
}

static void the_kernels_words_about_a_filter_are_kept(void **state)
{
	struct op op = set_op(MECHANISM_CLSACT, TC_INGRESS, "a");

	(void)state;
	need("clsact");
	must_run("tc qdisc add dev v0 ingress_block 22 clsact");
	apply_fails(&op, -EOPNOTSUPP, "AttachRefused", FAILURE_KERNEL, "shared");
}

static void filters_go_with_their_interface(void **state)
{
	struct op op;

	(void)state;
	need("clsact");
	put_filter(TC_INGRESS, "a", 0);
	must_run("ip link del v0");
	op = set_op(MECHANISM_CLSACT, TC_INGRESS, "b");
	apply_fails(&op, -ENODEV, "InterfaceGone", FAILURE_TRANSIENT, "v0");
	op.tc.expected_id = w.a;
	apply_fails(&op, -ENODEV, "InterfaceGone", FAILURE_TRANSIENT, "v0");
	op = clear_op(MECHANISM_CLSACT, TC_INGRESS, w.a);
	apply_fine(&op);
}

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
		assert_true(observed_find_program(o, op.tc.chain_id)->ours);
	}
	send_packet("v0-p", 9);
	assert_string_equal(wait_for_trace(9), "1 2");
	op = clear_op(MECHANISM_CLSACT, TC_INGRESS, op.tc.chain_id);
	apply_fine(&op);
	(void)look(false);
	wait_for_end_of(op.tc.expected_id);
}

static void nothing_is_looked_at_without_a_reason(void **state)
{
	struct observed *o;

	(void)state;
	assert_true(look(false)->tc_count >= 2 * 2); /* something of ours could be in a filter */
	remove_pins("a");
	remove_pins("b");
	o = look(false);
	assert_true(o->tc_count >= 2 * 2);
	if (fixture_has("tcx"))
		put("c", TC_PLACE_LAST, NULL);
	remove_pins("c");
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

static struct op random_chain(void)
{
	size_t n = 1 + (size_t)rand() % LIMIT_CHAIN_TAILCALL;
	const char *names[LIMIT_CHAIN_TAILCALL];
	struct op op;

	for (size_t i = 0; i < n; i++)
		names[i] = rand() % 8 ? arena_printf(fixture.a, "m%zu", i) : NULL;
	op = chain_op("model", names, n, false);
	op.chain.meta.hook = HOOK_TC;
	for (size_t i = 0; i < n; i++) {
		op.chain.members[i].function = "tc_trace";
		/* Mostly passing on, or chains would be short. */
		op.chain.meta.members[i].proceed_on = (uint32_t)(rand() | rand() | rand()) & 0x3ff;
		op.chain.meta.members[i].required = rand() % 16 == 0;
	}
	return op;
}

static void verdicts_are_as_the_model_has_them(void **state)
{
	uint32_t number = 100;

	(void)state;
	srand(7);
	for (uint32_t i = 0; i < LIMIT_CHAIN_TAILCALL; i++)
		load_tc_member(arena_printf(fixture.a, "m%u", i), i, 0, true);
	for (int i = 0; i < MODEL_CHAINS; i++) {
		struct op op = random_chain(), remove = { .kind = OP_CHAIN_REMOVE, .key = "test" };
		struct observed o;

		apply_fine(&op);
		o = observe();
		assert_int_equal(o.chain_count, 1);
		remove.chain.id = o.chains[0].id;
		{
			cleanup(closep) int fd =
				bpf_obj_get(below("chains/%u/dispatcher", remove.chain.id));

			for (int k = 0; k < MODEL_PACKETS; k++)
				run_packet(fd, &op.chain, number++);
		}
		apply_fine(&remove);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(links_take_their_places),
		TEST(links_of_others_keep_their_places),
		TEST(whose_programs_they_are_is_told),
		TEST(revisions_follow_our_own_operations),
		TEST(a_list_that_others_changed_is_left_for_another_look),
		TEST(a_full_list_is_said_to_be_full),
		TEST(a_program_is_not_twice_in_a_list),
		TEST(a_program_is_replaced_in_its_place),
		TEST(a_link_becomes_a_dispatcher),
		TEST(directions_are_independent),
		TEST(a_link_that_cannot_be_pinned_does_not_stay),
		TEST(a_link_whose_interface_is_gone_is_removed),
		TEST(a_link_that_lost_its_pin_is_found),
		TEST(a_filter_is_made_replaced_and_deleted),
		TEST(a_filter_runs_a_dispatcher),
		TEST(filters_of_others_are_not_touched),
		TEST(an_unexpected_filter_of_ours_is_left_for_another_look),
		TEST(a_filter_in_our_place_is_refused_and_stays),
		TEST(a_mark_is_not_forged),
		TEST(another_kind_of_filter_at_our_priority_stays),
		TEST(a_foreign_ingress_qdisc_stays),
		TEST(the_kernels_words_about_a_filter_are_kept),
		TEST(filters_go_with_their_interface),
		TEST(slots_stay_filled_without_pins),
		TEST(nothing_is_looked_at_without_a_reason),
		TEST(a_program_of_any_section_fits_everywhere),
		TEST(an_xdp_program_is_no_member),
		TEST(verdicts_are_as_the_model_has_them),
	};

	return FIXTURE_RUN("tc", tests);
}
