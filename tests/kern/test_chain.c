/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <bpf/bpf.h>
#include <errno.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/macros.h"
#include "base/str.h"
#include "fixture.h"
#include "kern/pin.h"
#include "model/layout.h"
#include "model/limits.h"

static const char *const abc[] = { "a", "b", "c" };

static void load_abc(void)
{
	load_member("a", 1, XDP_PASS);
	load_member("b", 2, XDP_PASS);
	load_member("c", 3, XDP_PASS);
}

static const struct observed_chain *find(uint32_t id)
{
	struct observed *o = arena_new_of(fixture.a, struct observed);

	*o = observe();
	return observed_find_chain(o, id);
}

static struct op slot_op(uint32_t id, uint32_t slot, const char *instance)
{
	struct op op = { .kind = OP_SLOT_SET,
			 .key = "test",
			 .chain = { .id = id, .slot = slot, .member_count = 1 } };

	op.chain.members = arena_new_of(fixture.a, struct program_ref);
	if (instance)
		*op.chain.members = (struct program_ref){ instance, "v", "xdp_trace" };
	return op;
}

static struct op remove_op(uint32_t id)
{
	return (struct op){ .kind = OP_CHAIN_REMOVE, .key = "test", .chain = { .id = id } };
}

/* --- build ------------------------------------------------------------------ */

static void members_run_in_order(void **state)
{
	static const char *const cab[] = { "c", "a", "b" };

	(void)state;
	load_abc();
	assert_int_equal(run_chain(build_chain("abc", abc, 3), 1), XDP_PASS);
	assert_string_equal(trace_of(1), "1 2 3");
	assert_int_equal(run_chain(build_chain("cab", cab, 3), 2), XDP_PASS);
	assert_string_equal(trace_of(2), "3 1 2");
}

static void a_chain_of_one_runs(void **state)
{
	(void)state;
	load_member("a", 1, XDP_DROP);
	assert_int_equal(run_chain(build_chain("a", abc, 1), 1), XDP_DROP);
	assert_string_equal(trace_of(1), "1");
}

static void as_many_as_possible_run(void **state)
{
	const char *names[LIMIT_CHAIN_TAILCALL + 1];
	struct op op;

	(void)state;
	for (uint32_t i = 0; i < ARRAY_SIZE(names); i++) {
		names[i] = arena_printf(fixture.a, "m%u", i);
		load_member(names[i], i, i == LIMIT_CHAIN_TAILCALL - 1 ? XDP_TX : XDP_PASS);
	}
	assert_int_equal(run_chain(build_chain("all", names, LIMIT_CHAIN_TAILCALL), 1), XDP_TX);
	assert_string_equal(trace_of(1), "0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15");
	op = chain_op("more", names, LIMIT_CHAIN_TAILCALL + 1, false);
	apply_fails(&op, -E2BIG, "ChainTooLong", FAILURE_KERNEL, "17 programs");
	assert_int_equal(observe().chain_count, 1);
}

static void a_verdict_that_does_not_pass_on_ends_the_chain(void **state)
{
	(void)state;
	load_member("a", 1, XDP_PASS);
	load_member("b", 2, XDP_DROP);
	load_member("c", 3, XDP_PASS);
	assert_int_equal(run_chain(build_chain("abc", abc, 3), 1), XDP_DROP);
	assert_string_equal(trace_of(1), "1 2");
}

static void proceed_on_says_what_passes_on(void **state)
{
	struct op op;
	struct observed o;

	(void)state;
	load_member("a", 1, XDP_TX);
	load_member("b", 2, XDP_DROP);
	op = chain_op("ab", abc, 2, false);
	op.chain.meta.members[0].proceed_on = 1u << XDP_TX;
	apply_fine(&op);
	o = observe();
	assert_int_equal(run_chain(o.chains[0].id, 1), XDP_DROP);
	assert_string_equal(trace_of(1), "1 2");
}

static void a_chain_is_described(void **state)
{
	static const char *const members[] = { "a", NULL, "c" };
	const struct observed_chain *chain;
	struct op op;
	struct observed o;

	(void)state;
	load_abc();
	op = chain_op("described", members, 3, true);
	op.chain.meta.members[2].proceed_on = 0x1f;
	apply_fine(&op);
	o = observe();
	assert_int_equal(o.chain_count, 1);
	chain = &o.chains[0];
	assert_true(chain->complete);
	assert_true(program_lives(chain->id));
	assert_string_equal(chain->meta.signature, "described");
	assert_int_equal(chain->meta.member_count, 3);
	assert_int_equal(chain->slots[0], program_id("a"));
	assert_int_equal(chain->slots[1], 0);
	assert_int_equal(chain->slots[2], program_id("c"));
	assert_string_equal(chain->meta.members[2].instance, "c");
	assert_int_equal(chain->meta.members[2].priority, 12);
	assert_int_equal(chain->meta.members[2].proceed_on, 0x1f);
	assert_true(chain->meta.members[1].required);
}

static void a_missing_member_leaves_no_chain(void **state)
{
	static const char *const members[] = { "a", "nobody" };
	struct op op;

	(void)state;
	load_member("a", 1, XDP_PASS);
	op = chain_op("s", members, 2, false);
	apply_fails(&op, -ENOENT, "MemberMissing", FAILURE_TRANSIENT, "nobody");
	assert_int_equal(observe().chain_count, 0);
}

static void a_member_of_another_kind_is_refused(void **state)
{
	static const char *const programs[] = { "tc_pass", NULL };
	struct op load = load_op(declare("tc", "test_wrong_type"), "v", programs);
	struct op slot, chain;

	(void)state;
	apply_fine(&load);
	load_member("a", 1, XDP_PASS);
	slot = slot_op(build_chain("s", abc, 1), 0, "tc");
	slot.chain.members->function = "tc_pass";
	apply_fails(&slot, -EINVAL, "MemberRefused", FAILURE_KERNEL, "tc/tc_pass");
	assert_int_equal(run_chain(slot.chain.id, 1), XDP_PASS);
	assert_string_equal(trace_of(1), "1");
	chain = chain_op("t", abc, 1, false);
	chain.chain.members[0] = *slot.chain.members;
	apply_fails(&chain, -EINVAL, "MemberRefused", FAILURE_KERNEL, "loaded alike");
	assert_int_equal(observe().chain_count, 1);
}

/* Ids come again one day; a directory that lies there then is of a program that died long ago. */
static void what_lies_in_the_way_is_dead(void **state)
{
	uint32_t id = 0;
	struct error e = { 0 };
	const struct observed_chain *chain;

	(void)state;
	load_member("a", 1, XDP_PASS);
	load_member("b", 2, XDP_PASS);
	id = program_id("b");
	for (uint32_t i = id + 1; i < id + 40; i++) {
		cleanup(closep) int fd = bpf_obj_get(below("objects/a/v/maps/trace"));

		assert_int_equal(pin_directory_create(below("chains/%u", i), &e), 0);
		assert_int_equal(bpf_obj_pin(fd, below("chains/%u/members", i)), 0);
		assert_int_equal(bpf_obj_pin(fd, below("chains/%u/meta", i)), 0);
	}
	id = build_chain("b", &abc[1], 1);
	chain = find(id);
	assert_true(chain->complete);
	assert_int_equal(chain->slots[0], program_id("b"));
}

/* --- slots ------------------------------------------------------------------ */

static void an_empty_slot_is_skipped_or_drops(void **state)
{
	static const char *const members[] = { "a", NULL, "c" };
	struct op required;
	struct observed o;
	uint32_t id;

	(void)state;
	load_abc();
	id = build_chain("optional", members, 3);
	assert_int_equal(run_chain(id, 1), XDP_PASS);
	assert_string_equal(trace_of(1), "1 3");
	required = chain_op("required", members, 3, true);
	apply_fine(&required);
	o = observe();
	for (size_t i = 0; i < o.chain_count; i++)
		if (o.chains[i].id != id)
			assert_int_equal(run_chain(o.chains[i].id, 2), XDP_DROP);
	assert_string_equal(trace_of(2), "1");
}

static void a_slot_is_set_in_place(void **state)
{
	struct op op;
	uint32_t id;

	(void)state;
	load_abc();
	load_member("d", 4, XDP_PASS);
	id = build_chain("abc", abc, 3);
	op = slot_op(id, 1, "d");
	apply_fine(&op);
	run_chain(id, 1);
	assert_string_equal(trace_of(1), "1 4 3");
	assert_int_equal(find(id)->slots[1], program_id("d"));
	op = slot_op(id, 1, NULL);
	apply_fine(&op);
	apply_fine(&op); /* empty already */
	run_chain(id, 2);
	assert_string_equal(trace_of(2), "1 3");
	assert_int_equal(find(id)->slots[1], 0);
	op = slot_op(id, 1, "b");
	apply_fine(&op);
	run_chain(id, 3);
	assert_string_equal(trace_of(3), "1 2 3");
}

static void slots_that_cannot_be_set(void **state)
{
	struct op op;
	uint32_t id;

	(void)state;
	load_member("a", 1, XDP_PASS);
	id = build_chain("a", abc, 1);
	op = slot_op(id, LIMIT_CHAIN_TAILCALL, "a");
	apply_fails(&op, -E2BIG, "MemberRefused", FAILURE_KERNEL, "slot 16");
	op = slot_op(id, LIMIT_CHAIN_TAILCALL, NULL);
	apply_fails(&op, -E2BIG, "MemberRefused", FAILURE_KERNEL, "slot 16");
	op = slot_op(id, 0, "nobody");
	apply_fails(&op, -ENOENT, "MemberMissing", FAILURE_TRANSIENT, "nobody");
	op = slot_op(id + 1, 0, "a");
	apply_fails(&op, -ENOENT, "ChainMissing", FAILURE_TRANSIENT, "members");
	assert_int_equal(find(id)->slots[0], program_id("a"));
}

/* --- observe ------------------------------------------------------------------ */

static void what_lacks_a_pin_is_not_complete(void **state)
{
	static const char *const parts[] = { "dispatcher", "members", "meta" };

	(void)state;
	load_member("a", 1, XDP_PASS);
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		uint32_t id = build_chain("a", abc, 1);

		assert_int_equal(unlink(below("chains/%u/%s", id, parts[i])), 0);
		fixture_restart();
		assert_false(find(id)->complete);
		assert_int_equal(observe().chain_count, i + 1);
	}
}

static void a_directory_of_another_program_is_not_complete(void **state)
{
	uint32_t id;

	(void)state;
	load_member("a", 1, XDP_PASS);
	id = build_chain("a", abc, 1);
	assert_int_equal(rename(below("chains/%u", id), below("chains/999999999")), 0);
	fixture_restart();
	assert_false(find(999999999)->complete);
	assert_null(find(id));
}

static void names_that_are_no_ids_are_nobodys(void **state)
{
	(void)state;
	assert_int_equal(mkdir(below("chains/x"), 0700), 0);
	assert_int_equal(mkdir(below("chains/0"), 0700), 0);
	assert_int_equal(mkdir(below("chains/99999999999"), 0700), 0);
	assert_int_equal(observe().chain_count, 0);
}

static void a_newer_chain_is_told_apart(void **state)
{
	struct meta_chain m = { .signature = "s", .origin = "" };
	const struct pin_owner owner = { .tag = "0123abcd" };
	struct error e = { 0 };
	const void *encoded;
	unsigned char *data;
	size_t size;

	(void)state;
	encoded = meta_chain_encode(fixture.a, &m, &size);
	data = arena_dup(fixture.a, encoded, size);
	data[8]++;
	assert_int_equal(pin_directory_create(below("chains/7"), &e), 0);
	assert_int_equal(pin_meta_write(fixture.a, below("chains/7"), &owner, data, size, &e), 0);
	assert_true(find(7)->newer);
	assert_false(find(7)->complete);
}

/* --- remove ------------------------------------------------------------------- */

static void a_removed_chain_is_gone(void **state)
{
	struct op op;
	uint32_t id;

	(void)state;
	load_abc();
	id = build_chain("abc", abc, 3);
	op = remove_op(id);
	apply_fine(&op);
	assert_int_not_equal(access(below("chains/%u", id), F_OK), 0);
	assert_false(program_lives(id));
	assert_true(program_lives(program_id("a")));
	apply_fine(&op); /* what is gone already is gone */
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

static void attach_chain(const char *name, uint32_t ifindex, uint32_t id)
{
	struct op op = root_op(OP_ROOT_SET, name, ifindex);

	op.root.chain_id = id;
	apply_fine(&op);
}

static void nothing_is_lost(uint32_t id, uint32_t packet)
{
	const struct observed_chain *chain = find(id);

	assert_true(chain->complete);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(chain->slots[i], program_id(abc[i]));
	assert_int_equal(run_chain(id, packet), XDP_PASS);
	assert_string_equal(trace_of(packet), "1 2 3");
}

/* An interface takes its program along into another namespace, where no observation of ours sees it. */
static void a_chain_in_use_elsewhere_is_kept(void **state)
{
	pid_t elsewhere = start_elsewhere();
	uint32_t id, ifindex;
	struct op op;

	(void)state;
	load_abc();
	id = build_chain("abc", abc, 3);
	ifindex = make_veth("v0");
	attach_chain("v0", ifindex, id);
	must_run("ip link set v0 netns %d", (int)elsewhere);
	op = remove_op(id);
	apply_fails(&op, -EBUSY, "ChainStillUsed", FAILURE_FOREIGN, "still in use");
	nothing_is_lost(id, 1);

	/* An earlier attempt was interrupted right after the unpin. */
	assert_int_equal(unlink(below("chains/%u/dispatcher", id)), 0);
	apply_fails(&op, -EBUSY, "ChainStillUsed", FAILURE_FOREIGN, "still in use");
	nothing_is_lost(id, 2);

	must_run("ip link del v0-p");
	stop_elsewhere(elsewhere);
	apply_fine(&op);
	assert_int_equal(observe().chain_count, 0);
	assert_false(program_lives(id));
}

static void a_chain_that_somebody_holds_open_is_kept(void **state)
{
	struct op op;
	uint32_t id;
	int fd;

	(void)state;
	load_abc();
	id = build_chain("abc", abc, 3);
	fd = bpf_prog_get_fd_by_id(id);
	assert_true(fd >= 0);
	op = remove_op(id);
	apply_fails(&op, -EBUSY, "ChainStillUsed", FAILURE_FOREIGN, "still in use");
	nothing_is_lost(id, 1);
	(void)close(fd);
	apply_fine(&op);
	assert_int_equal(observe().chain_count, 0);
}

/* What an interrupted removal left of a dead dispatcher does not hinder, whoever has its id now. */
static void left_overs_of_a_dead_dispatcher_are_removed(void **state)
{
	cleanup(closep) int foreign = load_foreign();
	uint32_t id, theirs = id_of_program(foreign);
	struct op op;

	(void)state;
	load_member("a", 1, XDP_PASS);
	id = build_chain("a", abc, 1);
	assert_int_equal(unlink(below("chains/%u/dispatcher", id)), 0);
	assert_int_equal(rename(below("chains/%u", id), below("chains/%u", theirs)), 0);
	fixture_restart();
	op = remove_op(theirs);
	apply_fine(&op);
	assert_int_equal(observe().chain_count, 0);
	assert_true(program_lives(theirs));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(members_run_in_order),
		FIXTURE_TEST(a_chain_of_one_runs),
		FIXTURE_TEST(as_many_as_possible_run),
		FIXTURE_TEST(a_verdict_that_does_not_pass_on_ends_the_chain),
		FIXTURE_TEST(proceed_on_says_what_passes_on),
		FIXTURE_TEST(a_chain_is_described),
		FIXTURE_TEST(a_missing_member_leaves_no_chain),
		FIXTURE_TEST(a_member_of_another_kind_is_refused),
		FIXTURE_TEST(what_lies_in_the_way_is_dead),
		FIXTURE_TEST(an_empty_slot_is_skipped_or_drops),
		FIXTURE_TEST(a_slot_is_set_in_place),
		FIXTURE_TEST(slots_that_cannot_be_set),
		FIXTURE_TEST(what_lacks_a_pin_is_not_complete),
		FIXTURE_TEST(a_directory_of_another_program_is_not_complete),
		FIXTURE_TEST(names_that_are_no_ids_are_nobodys),
		FIXTURE_TEST(a_newer_chain_is_told_apart),
		FIXTURE_TEST(a_removed_chain_is_gone),
		FIXTURE_TEST(a_chain_in_use_elsewhere_is_kept),
		FIXTURE_TEST(a_chain_that_somebody_holds_open_is_kept),
		FIXTURE_TEST(left_overs_of_a_dead_dispatcher_are_removed),
	};

	return FIXTURE_RUN("chain", tests);
}
