/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/macros.h"
#include "base/str.h"
#include "fixture.h"
#include "model/layout.h"

/* Two chains and a veth to put them on. */
static struct {
	uint32_t veth, one, two;
} w;

static int begin(void **state)
{
	static const char *const members[] = { "a", "b" };

	if (fixture_begin(state) < 0)
		return -1;
	load_member("a", 1, XDP_PASS);
	load_member("b", 2, XDP_PASS);
	w.one = build_chain("one", members, 1);
	w.two = build_chain("two", members, 2);
	w.veth = make_veth("v0");
	return 0;
}
#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, fixture_end)

static void expect_root(uint32_t ifindex, uint32_t id, enum xdp_attached mode)
{
	const struct observed_interface *i = look_at(ifindex);

	assert_int_equal(i->xdp_id, id);
	assert_int_equal(i->xdp_mode, mode);
}

static struct op set_op(uint32_t chain, uint32_t expected, enum xdp_attached expected_mode)
{
	struct op op = root_op(OP_ROOT_SET, "v0", w.veth);

	op.root.chain_id = chain;
	op.root.expected_id = expected;
	op.root.expected_mode = expected_mode;
	return op;
}

static struct op link_op(uint32_t chain, uint32_t expected, uint32_t link_id)
{
	struct op op = set_op(chain, expected, XDP_DRIVER);

	op.kind = OP_LINK_SET;
	op.root.link_id = link_id;
	return op;
}

static void attach_foreign(int fd, uint32_t flags)
{
	assert_int_equal(bpf_xdp_attach((int)w.veth, fd, flags, NULL), 0);
}

static void need_link(void)
{
	if (fixture_has("bpf_link"))
		return;
	print_message("# this kernel has no bpf_link for XDP\n");
	skip();
}

static struct observed_link only_link(void)
{
	struct observed o = observe();

	assert_int_equal(o.link_count, 1);
	return o.links[0];
}

/* --- attach and swap ------------------------------------------------------------ */

static void a_first_root_is_native(void **state)
{
	struct op op = set_op(w.one, 0, XDP_NONE);
	struct op_result r;

	(void)state;
	r = apply_fine(&op);
	assert_null(r.reason);
	assert_null(r.note);
	expect_root(w.veth, w.one, XDP_DRIVER);
}

static void packets_meet_the_chain_in_order(void **state)
{
	struct op op = set_op(w.two, 0, XDP_NONE);

	(void)state;
	apply_fine(&op);
	send_packet("v0-p", 77);
	assert_string_equal(wait_for_trace(77), "1 2");
}

static void generic_mode_is_taken_where_it_is_asked_for(void **state)
{
	struct op op = set_op(w.one, 0, XDP_NONE);

	(void)state;
	op.root.mode = XDP_MODE_GENERIC;
	apply_fine(&op);
	expect_root(w.veth, w.one, XDP_GENERIC);
	op = set_op(w.two, w.one, XDP_GENERIC);
	apply_fine(&op); /* `auto` keeps the mode that is there */
	expect_root(w.veth, w.two, XDP_GENERIC);
}

static void a_swap_needs_the_expected_root(void **state)
{
	struct op op = set_op(w.one, 0, XDP_NONE);

	(void)state;
	apply_fine(&op);
	op = set_op(w.two, w.one, XDP_DRIVER);
	apply_fine(&op);
	expect_root(w.veth, w.two, XDP_DRIVER);
	apply_fails(&op, -EEXIST, "RootChanged", FAILURE_TRANSIENT, "root of v0");
	op = set_op(w.one, program_id("a"), XDP_DRIVER);
	apply_fails(&op, -EEXIST, "RootChanged", FAILURE_TRANSIENT, "there is program id");
	op = set_op(w.one, 0, XDP_NONE);
	apply_fails(&op, -EBUSY, "RootChanged", FAILURE_TRANSIENT, "expected was no program");
	op = set_op(w.one, 4000000000u, XDP_DRIVER);
	apply_fails(&op, -ENOENT, "RootChanged", FAILURE_TRANSIENT, "4000000000");
	expect_root(w.veth, w.two, XDP_DRIVER);
}

static void a_lone_program_is_a_root_by_its_pin(void **state)
{
	struct op op = set_op(0, 0, XDP_NONE);

	(void)state;
	op.root.program = (struct program_ref){ "a", "v", "xdp_trace" };
	apply_fine(&op);
	expect_root(w.veth, program_id("a"), XDP_DRIVER);
	op.root.program.instance = "nobody";
	apply_fails(&op, -ENOENT, "ProgramMissing", FAILURE_TRANSIENT, "nobody");
}

static void a_chain_of_this_plan_is_known_by_its_signature(void **state)
{
	static const char *const members[] = { "b" };
	struct op build = chain_op("new", members, 1, false), op = set_op(0, 0, XDP_NONE);
	struct observed o;

	(void)state;
	op.root.signature = "new";
	apply_fails(&op, -ENOENT, "ProgramMissing", FAILURE_TRANSIENT, "not built");
	apply_fine(&build);
	apply_fine(&op);
	o = observe();
	expect_root(w.veth, o.chains[o.chain_count - 1].id, XDP_DRIVER);
	kern_linux_ops.begin(fixture.k);
	apply_fails(&op, -ENOENT, "ProgramMissing", FAILURE_TRANSIENT, "not built");
}

static void a_driver_without_xdp_gets_generic_mode_and_a_note(void **state)
{
	struct op op = set_op(w.one, 0, XDP_NONE);
	struct op_result r;

	(void)state;
	must_run("ip link add d0 type bridge");
	op.root.interface = "d0";
	op.root.ifindex = if_nametoindex("d0");
	op.root.mode = XDP_MODE_NATIVE;
	apply_fails(&op, -EOPNOTSUPP, "NativeRefused", FAILURE_KERNEL, "root of d0");
	op.root.mode = XDP_MODE_AUTO;
	r = apply_fine(&op);
	assert_string_equal(r.reason, "NativeRefused");
	assert_non_null(strstr(r.note, "generic mode"));
	expect_root(op.root.ifindex, w.one, XDP_GENERIC);
	op.root.mode = XDP_MODE_OFFLOAD;
	op.root.expected_id = w.one;
	op.root.expected_mode = XDP_GENERIC;
	op.root.detach_first = true;
	apply_fails(&op, 0, "OffloadRefused", FAILURE_KERNEL, "old root was put back");
	expect_root(op.root.ifindex, w.one, XDP_GENERIC);
}

/* The kernel's extended acknowledgement, which names the cause, and not only its code. */
static void the_kernels_own_words_are_kept(void **state)
{
	struct op op = set_op(w.one, 0, XDP_NONE);

	(void)state;
	must_run("ip link set v0 mtu 9000");
	must_run("ip link set v0-p mtu 9000");
	op.root.mode = XDP_MODE_NATIVE;
	apply_fails(&op, -ERANGE, "NativeRefused", FAILURE_KERNEL, "too large");
}

static void a_change_of_mode_detaches_first(void **state)
{
	struct op op = set_op(w.one, 0, XDP_NONE);

	(void)state;
	apply_fine(&op);
	op = set_op(w.two, w.one, XDP_DRIVER);
	op.root.mode = XDP_MODE_GENERIC;
	op.root.detach_first = true;
	apply_fine(&op);
	expect_root(w.veth, w.two, XDP_GENERIC);
	op = set_op(w.one, program_id("a"), XDP_GENERIC);
	op.root.mode = XDP_MODE_NATIVE;
	op.root.detach_first = true;
	apply_fails(&op, -EEXIST, "RootChanged", FAILURE_TRANSIENT, "expected");
	expect_root(w.veth, w.two, XDP_GENERIC);
	op.root.expected_id = w.two;
	op.root.mode = XDP_MODE_OFFLOAD;
	apply_fails(&op, 0, "OffloadRefused", FAILURE_KERNEL, "old root was put back");
	expect_root(w.veth, w.two, XDP_GENERIC);
}

/* --- others ---------------------------------------------------------------------- */

static void a_foreign_root_is_not_touched_unasked(void **state)
{
	cleanup(closep) int foreign = load_foreign();
	struct op op = set_op(w.one, 0, XDP_NONE);
	const struct observed_program *p;
	struct observed o;
	uint32_t id = id_of_program(foreign);

	(void)state;
	attach_foreign(foreign, XDP_FLAGS_DRV_MODE);
	apply_fails(&op, -EBUSY, "RootChanged", FAILURE_TRANSIENT, "there is program id");
	expect_root(w.veth, id, XDP_DRIVER);
	o = observe();
	p = observed_find_program(&o, id);
	assert_non_null(p);
	assert_string_equal(p->name, "foreign");
	assert_int_equal(p->uid, 0);
	assert_int_equal(strlen(p->tag), 16);

	op.root.expected_id = id; /* on_foreign: replace */
	op.root.expected_mode = XDP_DRIVER;
	apply_fine(&op);
	expect_root(w.veth, w.one, XDP_DRIVER);
}

static void a_foreign_root_in_generic_mode_is_in_the_way_too(void **state)
{
	cleanup(closep) int foreign = load_foreign();
	struct op op = set_op(w.one, 0, XDP_NONE);

	(void)state;
	attach_foreign(foreign, XDP_FLAGS_SKB_MODE);
	apply_fails(&op, -EEXIST, "RootChanged", FAILURE_TRANSIENT, "there is program id");
	expect_root(w.veth, id_of_program(foreign), XDP_GENERIC);
}

static void a_foreign_link_is_not_replaced(void **state)
{
	cleanup(closep) int foreign = load_foreign(), link = -1;
	struct op op = set_op(w.one, id_of_program(foreign), XDP_DRIVER);

	(void)state;
	need_link();
	link = bpf_link_create(foreign, (int)w.veth, BPF_XDP, NULL);
	assert_true(link >= 0);
	apply_fails(&op, -EBUSY, "RootHeld", FAILURE_FOREIGN, "link");
	expect_root(w.veth, id_of_program(foreign), XDP_DRIVER);
	assert_int_equal(observe().link_count, 0);
}

static void a_gone_interface_is_said_to_be_gone(void **state)
{
	struct op op = set_op(w.one, 0, XDP_NONE);
	struct op clear = root_op(OP_ROOT_CLEAR, "v0", w.veth);

	(void)state;
	apply_fine(&op);
	clear.root.expected_id = w.one;
	clear.root.expected_mode = XDP_DRIVER;
	must_run("ip link del v0");
	apply_fails(&op, -ENODEV, "InterfaceGone", FAILURE_TRANSIENT, "v0");
	op.root.expected_id = w.one;
	apply_fails(&op, -ENODEV, "InterfaceGone", FAILURE_TRANSIENT, "v0");
	apply_fine(&clear);
}

static void a_gone_interface_is_told_from_a_refused_link(void **state)
{
	struct op op = link_op(w.one, 0, 0);

	(void)state;
	need_link();
	must_run("ip link del v0");
	apply_fails(&op, -ENODEV, "InterfaceGone", FAILURE_TRANSIENT, "v0");
}

static void a_slave_of_a_bond_that_runs_xdp_is_held(void **state)
{
	struct op op = set_op(w.one, 0, XDP_NONE);

	(void)state;
	if (system("ip link add bond0 type bond mode active-backup 2>/dev/null") != 0) {
		print_message("# this kernel has no bonding\n");
		skip();
	}
	must_run("ip link set v0 down");
	must_run("ip link set v0 master bond0");
	assert_int_equal(look_at(w.veth)->master_ifindex, if_nametoindex("bond0"));
	assert_string_equal(look_at(w.veth)->master_kind, "bond");
	must_run("ip link set v0 up");
	op.root.interface = "bond0";
	op.root.ifindex = if_nametoindex("bond0");
	op.root.mode = XDP_MODE_NATIVE;
	if (apply(&op).code < 0) {
		print_message("# bonds do not run XDP in their drivers before Linux 5.15\n");
		skip();
	}
	op = set_op(w.two, look_at(w.veth)->xdp_id, XDP_DRIVER);
	apply_fails(&op, -EEXIST, "RootHeld", FAILURE_FOREIGN, "upper device");
}

/* --- clear ------------------------------------------------------------------------ */

static void a_root_is_cleared_if_it_is_the_expected_one(void **state)
{
	cleanup(closep) int foreign = load_foreign();
	struct op op = set_op(w.one, 0, XDP_NONE);
	struct op clear = root_op(OP_ROOT_CLEAR, "v0", w.veth);

	(void)state;
	apply_fine(&op);
	clear.root.expected_id = w.two;
	clear.root.expected_mode = XDP_DRIVER;
	apply_fails(&clear, -EEXIST, "RootChanged", FAILURE_TRANSIENT, "expected was program id");
	expect_root(w.veth, w.one, XDP_DRIVER);
	clear.root.expected_id = w.one;
	apply_fine(&clear);
	expect_root(w.veth, 0, XDP_NONE);
	apply_fine(&clear); /* somebody else was quicker */
	attach_foreign(foreign, XDP_FLAGS_DRV_MODE);
	apply_fails(&clear, -EEXIST, "RootChanged", FAILURE_TRANSIENT, "expected was program id");
}

/* --- exclusive -------------------------------------------------------------------- */

static void an_exclusive_root_is_pinned_and_cannot_be_replaced(void **state)
{
	cleanup(closep) int foreign = load_foreign();
	struct op op = link_op(w.one, 0, 0);
	struct observed_link link;

	(void)state;
	need_link();
	apply_fine(&op);
	link = only_link();
	assert_int_equal(link.ifindex, w.veth);
	assert_int_equal(link.program_id, w.one);
	assert_int_equal(access(below("links/%u", link.id), F_OK), 0);
	expect_root(w.veth, w.one, XDP_DRIVER);
	assert_true(bpf_xdp_attach((int)w.veth, foreign, XDP_FLAGS_DRV_MODE, NULL) < 0);
	apply_fails(&op, -EBUSY, "RootChanged", FAILURE_TRANSIENT, "expected was no program");
}

static void an_exclusive_root_is_swapped_on_its_link(void **state)
{
	struct op op = link_op(w.one, 0, 0);
	uint32_t id;

	(void)state;
	need_link();
	apply_fine(&op);
	id = only_link().id;
	op = link_op(w.two, w.one, id);
	apply_fine(&op);
	assert_int_equal(only_link().id, id);
	expect_root(w.veth, w.two, XDP_DRIVER);
	apply_fails(&op, -EPERM, "RootChanged", FAILURE_TRANSIENT, "expected was program id");
	op = link_op(w.one, w.two, id + 1000);
	apply_fails(&op, -ENOENT, "Vanished", FAILURE_TRANSIENT, "is gone");
	expect_root(w.veth, w.two, XDP_DRIVER);
}

static void an_exclusive_root_is_removed_at_once(void **state)
{
	struct op op = link_op(w.one, 0, 0), remove = root_op(OP_LINK_REMOVE, "v0", w.veth);
	cleanup(closep) int held = -1;

	(void)state;
	need_link();
	apply_fine(&op);
	remove.root.link_id = only_link().id;
	remove.root.expected_id = w.one;
	held = bpf_link_get_fd_by_id(remove.root.link_id);
	assert_true(held >= 0);
	apply_fine(&remove);
	expect_root(w.veth, 0, XDP_NONE);
	assert_int_not_equal(access(below("links/%u", remove.root.link_id), F_OK), 0);
	apply_fine(&remove);
}

static void a_link_whose_interface_is_gone_is_seen_and_removed(void **state)
{
	struct op op = link_op(w.one, 0, 0), remove = root_op(OP_LINK_REMOVE, "v0", w.veth);
	struct observed_link link;

	(void)state;
	need_link();
	apply_fine(&op);
	must_run("ip link del v0");
	link = only_link();
	assert_int_equal(link.ifindex, 0);
	assert_int_equal(link.program_id, w.one);
	remove.root.link_id = link.id;
	remove.root.expected_id = w.one;
	apply_fine(&remove);
	assert_int_equal(observe().link_count, 0);
}

static void a_link_that_lost_its_pin_is_found(void **state)
{
	struct op op = link_op(w.one, 0, 0), remove = root_op(OP_LINK_REMOVE, "v0", w.veth);
	cleanup(closep) int held = -1;
	uint32_t id;

	(void)state;
	need_link();
	apply_fine(&op);
	id = only_link().id;
	held = bpf_link_get_fd_by_id(id);
	assert_true(held >= 0);
	assert_int_equal(unlink(below("links/%u", id)), 0);
	assert_int_equal(only_link().id, id);
	op = link_op(w.two, w.one, id);
	apply_fine(&op);
	assert_int_equal(access(below("links/%u", id), F_OK), 0);
	assert_int_equal(unlink(below("links/%u", id)), 0);

	remove.root.link_id = id;
	remove.root.expected_id = w.one; /* a link of this id with another program is not ours */
	apply_fine(&remove);
	expect_root(w.veth, w.two, XDP_DRIVER);
	remove.root.expected_id = w.two;
	apply_fine(&remove);
	expect_root(w.veth, 0, XDP_NONE);
}

static void a_root_moves_onto_a_link_and_back(void **state)
{
	struct op op = set_op(w.one, 0, XDP_NONE);

	(void)state;
	need_link();
	apply_fine(&op);
	op = link_op(w.two, w.one, 0);
	apply_fails(&op, -EBUSY, "RootHeld", FAILURE_FOREIGN, "root of v0");
	op.root.detach_first = true;
	apply_fine(&op);
	expect_root(w.veth, w.two, XDP_DRIVER);
	op = set_op(w.one, w.two, XDP_DRIVER);
	op.root.link_id = only_link().id;
	apply_fails(&op, -EBUSY, "RootHeld", FAILURE_FOREIGN, "link");
	op.root.detach_first = true;
	apply_fine(&op);
	expect_root(w.veth, w.one, XDP_DRIVER);
	assert_int_equal(observe().link_count, 0);
}

static void a_link_is_put_back_when_its_successor_is_refused(void **state)
{
	struct op op = link_op(w.one, 0, 0);

	(void)state;
	need_link();
	apply_fine(&op);
	op = set_op(w.two, w.one, XDP_DRIVER);
	op.root.link_id = only_link().id;
	op.root.mode = XDP_MODE_OFFLOAD;
	op.root.detach_first = true;
	apply_fails(&op, 0, "OffloadRefused", FAILURE_KERNEL, "old root was put back");
	assert_int_equal(only_link().program_id, w.one);
	assert_int_equal(access(below("links/%u", only_link().id), F_OK), 0);
	expect_root(w.veth, w.one, XDP_DRIVER);
}

static void an_exclusive_root_takes_generic_mode_too(void **state)
{
	struct op op = link_op(w.one, 0, 0);
	struct op_result r;

	(void)state;
	need_link();
	must_run("ip link add d0 type bridge");
	op.root.interface = "d0";
	op.root.ifindex = if_nametoindex("d0");
	r = apply_fine(&op);
	assert_string_equal(r.reason, "NativeRefused");
	expect_root(op.root.ifindex, w.one, XDP_GENERIC);
}

/* --- interfaces --------------------------------------------------------------------- */

static const struct observed_interface *named(const struct observed *o, const char *name)
{
	for (size_t i = 0; i < o->interface_count; i++)
		if (str_eq(o->interfaces[i].name, name))
			return &o->interfaces[i];
	fail_msg("no interface %s", name);
	return NULL;
}

static void interfaces_are_described(void **state)
{
	const struct observe_request want = { .drivers = true };
	const struct observed_interface *i;
	struct observed o;

	(void)state;
	must_run("ip link add br0 type bridge");
	must_run("ip link set v0 address 02:00:00:00:00:aa mtu 1400 group 7 master br0");
	must_run("ip link property add dev v0 altname first-name altname second.name");
	assert_int_equal(kern_linux_ops.observe(fixture.k, fixture.a, &want, &o, NULL), 0);
	i = named(&o, "v0");
	assert_int_equal(i->ifindex, w.veth);
	assert_ptr_equal(observed_find_interface(&o, NULL, w.veth), i);
	assert_string_equal(i->mac, "02:00:00:00:00:aa");
	assert_string_equal(i->kind, "veth");
	assert_string_equal(i->driver, "veth");
	assert_int_equal(i->mtu, 1400);
	assert_int_equal(i->group, 7);
	assert_true(i->up);
	assert_false(i->loopback);
	assert_false(i->physical);
	assert_int_equal(i->master_ifindex, if_nametoindex("br0"));
	assert_string_equal(i->master_kind, "bridge");
	assert_int_equal(i->altnames.n, 2);
	assert_string_equal(i->altnames.v[0], "first-name");
	assert_string_equal(i->altnames.v[1], "second.name");
	i = named(&o, "lo");
	assert_true(i->loopback);
	assert_false(i->physical);
	assert_false(i->up);
	assert_null(i->master_kind);
	assert_string_equal(i->kind, "");
	for (size_t n = 1; n < o.interface_count; n++)
		assert_true(o.interfaces[n - 1].ifindex < o.interfaces[n].ifindex);
}

/* More than fit into one message of a dump. */
static void many_interfaces_are_all_seen(void **state)
{
	struct observed o;
	size_t seen = 0;

	(void)state;
	for (int i = 0; i < 100; i++)
		must_run("ip link add many%d type veth peer name many%d-p", i, i);
	o = observe();
	for (size_t i = 0; i < o.interface_count; i++)
		seen += str_starts(o.interfaces[i].name, "many");
	assert_int_equal(seen, 200);
}

static void one_root_on_many_interfaces_is_one_program(void **state)
{
	struct op op = set_op(w.one, 0, XDP_NONE);
	struct observed o;

	(void)state;
	apply_fine(&op);
	op.root.interface = "v1";
	op.root.ifindex = make_veth("v1");
	apply_fine(&op);
	o = observe();
	assert_int_equal(o.program_count, 1);
	assert_int_equal(o.programs[0].id, w.one);
	assert_string_equal(o.programs[0].name, "bpfshare_chain");
}

/* --- no bpffs ------------------------------------------------------------------------ */

static void without_a_bpffs_there_is_nothing_of_ours(void **state)
{
	struct observed o;

	(void)state;
	fixture_restart(); /* one that holds nothing */
	must_run("umount %s/bpf", fixture.root);
	o = observe();
	assert_false(o.bpffs_mounted);
	assert_int_equal(o.object_count + o.chain_count + o.link_count, 0);
	assert_true(o.interface_count > 0);
}

/* --- descriptors ---------------------------------------------------------------------- */

static size_t open_descriptors(void)
{
	DIR *d = opendir("/proc/self/fd");
	size_t count = 0;

	assert_non_null(d);
	while (readdir(d))
		count++;
	(void)closedir(d);
	return count;
}

static void no_descriptor_is_left_open(void **state)
{
	struct op set = set_op(w.one, 0, XDP_NONE), wrong = set_op(w.two, w.two, XDP_DRIVER);
	struct op swap = set_op(w.two, w.one, XDP_DRIVER);
	struct op clear = root_op(OP_ROOT_CLEAR, "v0", w.veth);
	struct op slot = { .kind = OP_SLOT_SET, .chain = { .id = w.two, .member_count = 1 } };
	struct op grace = { .kind = OP_GRACE };
	struct op remove = { .kind = OP_CHAIN_REMOVE, .chain = { .id = w.two } };
	struct program_ref member = { "b", "v", "xdp_trace" };
	static const char *const programs[] = { "xdp_refused", NULL };
	struct op refused = load_op(declare("bad", "test_refused"), "v", programs);
	size_t before = open_descriptors();

	(void)state;
	slot.chain.members = &member;
	clear.root.expected_id = w.two;
	clear.root.expected_mode = XDP_DRIVER;
	(void)observe();
	apply_fine(&set);
	assert_true(apply(&wrong).code < 0);
	apply_fine(&swap);
	apply_fine(&slot);
	assert_true(apply(&remove).code < 0);
	apply_fine(&clear);
	apply_fine(&grace);
	apply_fine(&remove);
	assert_true(apply(&refused).code < 0);
	(void)observe();
	/* What a chain has pinned (its dispatcher, array and metadata) is held while it lives, and one of two is gone. */
	assert_int_equal(open_descriptors(), before - 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_first_root_is_native),
		TEST(packets_meet_the_chain_in_order),
		TEST(generic_mode_is_taken_where_it_is_asked_for),
		TEST(a_swap_needs_the_expected_root),
		TEST(a_lone_program_is_a_root_by_its_pin),
		TEST(a_chain_of_this_plan_is_known_by_its_signature),
		TEST(a_driver_without_xdp_gets_generic_mode_and_a_note),
		TEST(the_kernels_own_words_are_kept),
		TEST(a_change_of_mode_detaches_first),
		TEST(a_foreign_root_is_not_touched_unasked),
		TEST(a_foreign_root_in_generic_mode_is_in_the_way_too),
		TEST(a_foreign_link_is_not_replaced),
		TEST(a_gone_interface_is_said_to_be_gone),
		TEST(a_gone_interface_is_told_from_a_refused_link),
		TEST(a_slave_of_a_bond_that_runs_xdp_is_held),
		TEST(a_root_is_cleared_if_it_is_the_expected_one),
		TEST(an_exclusive_root_is_pinned_and_cannot_be_replaced),
		TEST(an_exclusive_root_is_swapped_on_its_link),
		TEST(an_exclusive_root_is_removed_at_once),
		TEST(a_link_whose_interface_is_gone_is_seen_and_removed),
		TEST(a_link_that_lost_its_pin_is_found),
		TEST(a_root_moves_onto_a_link_and_back),
		TEST(a_link_is_put_back_when_its_successor_is_refused),
		TEST(an_exclusive_root_takes_generic_mode_too),
		TEST(interfaces_are_described),
		TEST(many_interfaces_are_all_seen),
		TEST(one_root_on_many_interfaces_is_one_program),
		TEST(without_a_bpffs_there_is_nothing_of_ours),
		TEST(no_descriptor_is_left_open),
	};

	return FIXTURE_RUN("netlink", tests);
}
