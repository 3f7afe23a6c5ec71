/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/macros.h"
#include "base/str.h"
#include "tc_fixture.h"

static const char *const ab[] = { "a", "b" };

/* --- clsact ------------------------------------------------------------------------ */

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

/* The probe tries a filter, in a namespace of its own. */
static void probing_touches_no_interface(void **state)
{
	const struct observed *o;

	(void)state;
	need("clsact");
	o = look(true);
	assert_true(o->tc_count >= 2 * 3);
	for (size_t i = 0; i < o->tc_count; i++)
		assert_int_equal(o->tc[i].qdisc, TC_QDISC_NONE);
}

static void a_filter_is_made_replaced_and_deleted(void **state)
{
	const struct observed_tc_program *f;
	struct op op;

	(void)state;
	need("clsact");
	assert_int_equal(at(TC_INGRESS)->qdisc, TC_QDISC_NONE);
	put_filter(TC_INGRESS, "a", 0);
	put_filter(TC_EGRESS, "b", 0);
	assert_int_equal(at(TC_INGRESS)->qdisc, TC_QDISC_CLSACT);
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
	assert_int_equal(at(TC_INGRESS)->filter_count, 1);
	op = clear_op(MECHANISM_CLSACT, TC_INGRESS, w.c);
	apply_fine(&op);
	apply_fine(&op); /* what is gone already is gone */
	assert_null(filter_at(TC_INGRESS));
	assert_int_equal(filter_at(TC_EGRESS)->id, w.b);
	assert_int_equal(at(TC_INGRESS)->qdisc, TC_QDISC_CLSACT);
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
	assert_int_equal(at(TC_INGRESS)->filter_count, 3);
	assert_false(at(TC_INGRESS)->filters[0].ours);
	op = clear_op(MECHANISM_CLSACT, TC_INGRESS, w.b);
	apply_fine(&op);
	assert_string_equal(labels(at(TC_INGRESS)->filters, 2), "f0 f1");
	assert_string_equal(labels(at(TC_EGRESS)->filters, 1), "f2");
	assert_int_equal(at(TC_INGRESS)->filter_count, 2);
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
	assert_int_equal(at(TC_INGRESS)->qdisc, TC_QDISC_NONE);
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

/* A filter in our place with any name, which neither libbpf nor tc(8) can give. */
static void forge(const char *name, int program)
{
	_Alignas(struct nlmsghdr) char buffer[512];
	cleanup(closep) int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	struct nlmsghdr *h = mnl_nlmsg_put_header(buffer);
	struct nlattr *options;
	struct tcmsg *t;

	h->nlmsg_type = RTM_NEWTFILTER;
	h->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL;
	t = mnl_nlmsg_put_extra_header(h, sizeof(*t));
	t->tcm_ifindex = (int)w.veth;
	t->tcm_parent = TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS);
	t->tcm_info = TC_H_MAKE((uint32_t)PRIORITY << 16, htons(ETH_P_ALL));
	t->tcm_handle = HANDLE;
	mnl_attr_put_strz(h, TCA_KIND, "bpf");
	options = mnl_attr_nest_start(h, TCA_OPTIONS);
	mnl_attr_put_u32(h, TCA_BPF_FD, (uint32_t)program);
	mnl_attr_put_strz(h, TCA_BPF_NAME, name);
	mnl_attr_put_u32(h, TCA_BPF_FLAGS, TCA_BPF_FLAG_ACT_DIRECT);
	mnl_attr_nest_end(h, options);
	assert_true(send(fd, h, h->nlmsg_len, 0) > 0);
	assert_true(recv(fd, buffer, sizeof(buffer), 0) > 0); /* the acknowledgement */
}

/* The name alone makes no filter ours, and neither does the program. */
static void a_mark_is_not_forged(void **state)
{
	const char *mark;
	struct op op;

	(void)state;
	need("clsact");
	cleanup(closep) int a = bpf_prog_get_fd_by_id(w.a);

	foreign_filter(TC_EGRESS, 3, a);
	assert_int_equal(at(TC_EGRESS)->filters[0].id, w.a);
	assert_false(at(TC_EGRESS)->filters[0].ours);
	put_filter(TC_INGRESS, "a", 0);
	mark = filter_at(TC_INGRESS)->filter_name;
	op = clear_op(MECHANISM_CLSACT, TC_INGRESS, w.a);
	apply_fine(&op);
	forge(mark, new_foreign());
	assert_string_equal(filter_at(TC_INGRESS)->filter_name, mark);
	assert_false(filter_at(TC_INGRESS)->ours);
	op = set_op(MECHANISM_CLSACT, TC_INGRESS, "b");
	apply_fails(&op, -EEXIST, "TcListChanged", FAILURE_TRANSIENT, "there is program id");
	op.tc.expected_id = w.a;
	apply_fails(&op, -ESTALE, "TcListChanged", FAILURE_TRANSIENT, "there is program id");
	assert_int_equal(filter_at(TC_INGRESS)->id, id_of_program(w.foreign[0]));
}

/* Classic BPF has a filter of the kind bpf, and no program. */
static void a_filter_without_a_program_stays(void **state)
{
	struct op op = set_op(MECHANISM_CLSACT, TC_INGRESS, "a");

	(void)state;
	need("clsact");
	must_run("tc qdisc add dev v0 clsact");
	must_run("tc filter add dev v0 ingress prio %u handle %u protocol all bpf da "
		 "bytecode '1,6 0 0 0'",
		 PRIORITY, HANDLE);
	assert_int_equal(filter_at(TC_INGRESS)->id, 0);
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
	assert_int_equal(at(TC_INGRESS)->filter_count, 1);
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
	assert_int_equal(at(TC_INGRESS)->qdisc, TC_QDISC_INGRESS);
	assert_int_equal(filter_at(TC_INGRESS)->id, w.a);
	assert_int_equal(at(TC_EGRESS)->qdisc, TC_QDISC_INGRESS);
	assert_int_equal(at(TC_EGRESS)->filter_count, 0);
	op = set_op(MECHANISM_CLSACT, TC_EGRESS, "b");
	apply_fails(&op, -EBUSY, "IngressQdisc", FAILURE_FOREIGN, "egress of v0");
	op = clear_op(MECHANISM_CLSACT, TC_EGRESS, w.a);
	apply_fine(&op);
	send_packet("v0-p", 7);
	assert_string_equal(wait_for_trace(7), "1");
	op = clear_op(MECHANISM_CLSACT, TC_INGRESS, w.a);
	apply_fine(&op);
	assert_int_equal(at(TC_INGRESS)->filter_count, 0);
	assert_int_equal(at(TC_INGRESS)->qdisc, TC_QDISC_INGRESS);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		TC_TEST(probing_touches_no_interface),
		TC_TEST(a_filter_is_made_replaced_and_deleted),
		TC_TEST(a_filter_runs_a_dispatcher),
		TC_TEST(filters_of_others_are_not_touched),
		TC_TEST(an_unexpected_filter_of_ours_is_left_for_another_look),
		TC_TEST(a_filter_in_our_place_is_refused_and_stays),
		TC_TEST(a_mark_is_not_forged),
		TC_TEST(a_filter_without_a_program_stays),
		TC_TEST(another_kind_of_filter_at_our_priority_stays),
		TC_TEST(a_foreign_ingress_qdisc_stays),
		TC_TEST(the_kernels_words_about_a_filter_are_kept),
		TC_TEST(filters_go_with_their_interface),
	};

	return FIXTURE_RUN("clsact", tests);
}
