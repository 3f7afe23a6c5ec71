/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <unistd.h>

#include "base/macros.h"
#include "tc_fixture.h"

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
	revision = at(TC_EGRESS)->revision;
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
	assert_int_equal(at(TC_EGRESS)->revision, revision + 4);
}

static void a_list_that_others_changed_is_left_for_another_look(void **state)
{
	struct op op;

	(void)state;
	need("tcx");
	op = set_op(MECHANISM_TCX, TC_INGRESS, "a");
	op.tc.revision = at(TC_INGRESS)->revision;
	cleanup(closep) int link = foreign_link(new_foreign(), BPF_TCX_INGRESS);

	apply_fails(&op, -ESTALE, "TcListChanged", FAILURE_TRANSIENT, "ingress of v0");
	assert_string_equal(list_of(TC_INGRESS), "f0");
	assert_int_equal(look(true)->link_count, 0);
	op.tc.revision = at(TC_INGRESS)->revision;
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
	programs_for_the_kernels_limit(LIMIT_CHAIN_TCX - 1);
	apply_fine(&op);
	assert_int_equal(at(TC_INGRESS)->program_count, LIMIT_CHAIN_TCX);
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
	assert_int_equal(at(TC_INGRESS)->program_count, 1);
	assert_int_equal(at(TC_INGRESS)->programs[0].id, chain);
	assert_true(at(TC_INGRESS)->programs[0].ours);
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
	assert_true(at(TC_INGRESS)->programs[0].ours);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		TC_TEST(links_take_their_places),
		TC_TEST(links_of_others_keep_their_places),
		TC_TEST(whose_programs_they_are_is_told),
		TC_TEST(revisions_follow_our_own_operations),
		TC_TEST(a_list_that_others_changed_is_left_for_another_look),
		TC_TEST(a_full_list_is_said_to_be_full),
		TC_TEST(a_program_is_not_twice_in_a_list),
		TC_TEST(a_program_is_replaced_in_its_place),
		TC_TEST(a_link_becomes_a_dispatcher),
		TC_TEST(directions_are_independent),
		TC_TEST(a_link_that_cannot_be_pinned_does_not_stay),
		TC_TEST(a_link_whose_interface_is_gone_is_removed),
		TC_TEST(a_link_that_lost_its_pin_is_found),
	};

	return FIXTURE_RUN("tcx", tests);
}
