/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* Chains by libxdp's protocol in use: at interfaces, under their lock, repaired and taken away. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/macros.h"
#include "kern/libxdp.h"
#include "kern/pin.h"
#include "libxdp_fixture.h"

static struct op slot_op(const struct op *built, uint32_t id, uint32_t slot)
{
	struct op op = *built;

	op.kind = OP_SLOT_SET;
	op.chain.id = id;
	op.chain.slot = slot;
	return op;
}

static void make_protocol_directory(mode_t mode)
{
	assert_int_equal(mkdir(protocol_path("%s", ""), mode), 0);
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
	assert_int_equal(find_chain(first)->pinned_count, 1);
	assert_int_equal(find_chain(first)->pinned_at[0], ifindex);
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

	op = chain_removal(first);
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
	assert_int_equal(find_chain(id)->pinned_count, 2);
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
	op = chain_removal(id);
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
	assert_int_equal(find_chain(id)->pinned_count, 0); /* not whole */
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
	assert_int_equal(find_chain(id)->pinned_count, 1);
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

static int64_t now_ms(void)
{
	struct timespec t;

	assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &t), 0);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Nobody is answered while the daemon waits, and a plan may have a thousand interfaces. */
static void a_plan_waits_for_the_lock_once(void **state)
{
	cleanup(closep) int fd = -1;
	struct op op, root;
	uint32_t id, ifindex;
	int64_t began;

	(void)state;
	load_extended("a", 1, XDP_PASS);
	ifindex = make_veth("v0");
	op = libxdp_op("a", abc, 1);
	id = libxdp_build(&op);
	make_protocol_directory(0700);
	fd = open(protocol_path("%s", ""), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	root = libxdp_root("v0", ifindex, id, 0);
	kern_linux_ops.begin(fixture.k);
	began = now_ms();
	for (size_t i = 0; i < 10; i++)
		apply_fails(&root, -EWOULDBLOCK, "LibxdpLocked", FAILURE_TRANSIENT, "fuser");
	assert_in_range(now_ms() - began, LIBXDP_LOCK_WAIT_MS, 4 * LIBXDP_LOCK_WAIT_MS);
	kern_linux_ops.begin(fixture.k); /* the next plan waits again */
	began = now_ms();
	apply_fails(&root, -EWOULDBLOCK, "LibxdpLocked", FAILURE_TRANSIENT, "fuser");
	assert_true(now_ms() - began >= LIBXDP_LOCK_WAIT_MS);
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
	cut_slot(id, 1, 3);
	assert_int_equal(run_chain(id, 1), XDP_DROP);
	assert_string_equal(trace_of(1), "1");
	assert_int_equal(find_chain(id)->slots[1], 0);
	slot = slot_op(&op, id, 1);
	apply_fine(&slot);
	assert_int_equal(run_chain(id, 2), XDP_PASS);
	assert_string_equal(trace_of(2), "1 2 3");
	assert_int_equal(find_chain(id)->slots[1], extension_id("b"));
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
	cut_slot(id, 0, 1);
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
	assert_true(find_chain(id)->complete);
	assert_int_equal(unlink(protocol_path("dispatch-%u-%u/prog1-link", ifindex, id)), 0);
	assert_int_equal(unlink(below("chains/%u/link-1", id)), 0);
	assert_int_equal(find_chain(id)->slots[1], 0); /* to be repaired */
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
	cut_slot(one, 1, 3);
	assert_int_equal(rename(below("chains/%u/link-1", other), below("chains/%u/link-1", one)),
			 0);
	if (find_chain(one)->slots[1] != 0) {
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
	assert_int_equal(find_chain(id)->pinned_count, 1); /* left over by the interface */
	root = chain_removal(id);
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
	op = chain_removal(id);
	apply_fails(&op, -EBUSY, "ChainStillUsed", FAILURE_FOREIGN, "still in use");
	assert_true(find_chain(id)->complete);
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
	assert_true(find_chain(id)->complete);
	assert_int_equal(unlink(protocol_path("dispatch-%u-%u/prog1-link", ifindex, id)), 0);
	op = chain_removal(id);
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
	op = chain_removal(id);
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
	remove = chain_removal(id);
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
		FIXTURE_TEST(pins_come_before_a_swap_and_go_after),
		FIXTURE_TEST(a_dispatcher_serves_several_interfaces),
		FIXTURE_TEST(a_swap_that_fails_leaves_no_pins),
		FIXTURE_TEST(other_directories_are_left_alone),
		FIXTURE_TEST(a_running_chain_changes_its_mechanism),
		FIXTURE_TEST(lost_pins_are_made_anew),
		FIXTURE_TEST(a_root_on_a_link_has_pins_as_well),
		FIXTURE_TEST(a_lock_that_somebody_holds_is_told),
		FIXTURE_TEST(a_plan_waits_for_the_lock_once),
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

	return LIBXDP_RUN("libxdp root", tests);
}
