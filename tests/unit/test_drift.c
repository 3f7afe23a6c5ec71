/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* recon/drift.h: what is a repair, what it is called, and when somebody is fought. */
#include "recon/drift.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/alloc.h"
#include "base/str.h"

#define SECOND (1000ull * 1000 * 1000)
#define NOW    (1000 * SECOND)

static struct fixture {
	struct arena *a;
	struct drift *drift;
	struct observed_interface eth0;
	struct observed_program programs[2], foreign;
	struct observed_object object;
	struct observed_pin pin;
	struct observed_mount mount;
	struct observed o;
} f;

static int setup(void **state)
{
	(void)state;
	f = (struct fixture){ .a = arena_new(), .drift = drift_new() };
	f.eth0 = (struct observed_interface){ .ifindex = 2, .name = "eth0", .xdp_id = 17 };
	f.programs[0] = (struct observed_program){ .id = 17, .name = "p" };
	f.programs[1] = (struct observed_program){ .id = 18, .name = "q" };
	f.foreign = (struct observed_program){ .id = 99, .name = "evil", .uid = 7 };
	f.object = (struct observed_object){ .instance = "a",
					     .version = "1",
					     .complete = true,
					     .programs = f.programs,
					     .program_count = 2,
					     .meta = { .declaration = "d" } };
	f.pin = (struct observed_pin){ .name = "m", .map_id = 5, .gid = 4, .mode = 0440 };
	f.mount = (struct observed_mount){ .path = "/s",
					   .ours = true,
					   .share = "s",
					   .shared = true,
					   .gid = 4,
					   .mode = 0750,
					   .pins = &f.pin,
					   .pin_count = 1 };
	f.o = (struct observed){ .bpffs_mounted = true,
				 .directory_ready = true,
				 .interfaces = &f.eth0,
				 .interface_count = 1,
				 .objects = &f.object,
				 .object_count = 1,
				 .programs = &f.foreign,
				 .program_count = 1,
				 .mounts = &f.mount,
				 .mount_count = 1 };
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	drift_free(f.drift);
	arena_free(f.a);
	return 0;
}

/* Back to function of object a, from what has this id. */
static struct op root_op(const char *function, uint32_t expected)
{
	return (struct op){ .kind = OP_ROOT_SET,
			    .key = "eth0/xdp",
			    .subject = "eth0#2/xdp",
			    .root = { .ifindex = 2,
				      .interface = "eth0",
				      .expected_id = expected,
				      .program = { "a", "1", function, 0 } } };
}

static const char *reason_of(const struct op *op)
{
	return drift_judge(f.drift, f.a, &f.o, op).reason;
}

static void assert_reason(const struct op *op, const char *reason, const char *words)
{
	struct drift_cause c = drift_judge(f.drift, f.a, &f.o, op);

	assert_string_equal(c.reason ? c.reason : "none", reason);
	if (!strstr(c.text, words))
		fail_msg("no '%s' in: %s", words, c.text);
}

static void what_was_never_there_is_no_repair(void **state)
{
	const struct op op = root_op("p", 0);

	(void)state;
	assert_null(reason_of(&op));
}

static void a_root_that_was_there_is_repaired(void **state)
{
	struct op op = root_op("p", 0);

	(void)state;
	drift_settled(f.drift, &f.o, true);
	f.eth0.xdp_id = 0;
	assert_reason(&op, "RootRemoved", "detached");
	op = root_op("p", 99);
	assert_reason(&op, "RootReplaced", "program evil (id 99, loaded by uid 7)");
	op = root_op("q", 0); /* something else is declared now */
	assert_null(reason_of(&op));
}

/* By a new chain of the same members, as several new versions are. */
static void several_slots_are_one_repair(void **state)
{
	uint32_t slots[] = { 17, 18 };
	struct meta_member members[2] = { { .instance = "a", .program = "p" },
					  { .instance = "a", .program = "q" } };
	struct observed_chain chain = {
		.id = 50,
		.complete = true,
		.meta = { .signature = "s", .members = members, .member_count = 2 },
		.slots = slots
	};
	struct op op = root_op("", 50);

	(void)state;
	f.o.chains = &chain;
	f.o.chain_count = 1;
	f.eth0.xdp_id = 50;
	op.root.program = (struct program_ref){ 0 };
	op.root.signature = "s";
	drift_settled(f.drift, &f.o, true);
	assert_null(reason_of(&op)); /* the slots are as they were, so it is an upgrade */
	slots[0] = 99;
	assert_reason(&op, "SlotChanged", "1 of its slots");
	slots[1] = 0;
	assert_reason(&op, "SlotChanged", "2 of its slots");
	drift_new_files(f.drift); /* other versions may have come together with it */
	assert_null(reason_of(&op));
}

static void what_is_missing_stays_remembered(void **state)
{
	const struct op op = root_op("p", 0);

	(void)state;
	drift_settled(f.drift, &f.o, true);
	f.eth0.xdp_id = 0;
	drift_settled(f.drift, &f.o, true); /* the repair was put off */
	assert_string_equal(reason_of(&op), "RootRemoved");
}

static void what_we_took_away_is_new_again(void **state)
{
	struct op clear = root_op("p", 17);
	const struct op op = root_op("p", 0);

	(void)state;
	drift_settled(f.drift, &f.o, true);
	clear.kind = OP_ROOT_CLEAR;
	drift_did(f.drift, f.a, &clear, &f.o);
	f.eth0.xdp_id = 0;
	drift_settled(f.drift, &f.o, true);
	assert_null(reason_of(&op));
}

static void another_interface_is_new(void **state)
{
	struct op op = root_op("p", 0);

	(void)state;
	drift_settled(f.drift, &f.o, true);
	f.eth0.ifindex = op.root.ifindex = 3;
	f.eth0.xdp_id = 0;
	assert_null(reason_of(&op));
	drift_settled(f.drift, &f.o, true);
	f.eth0.ifindex = op.root.ifindex = 2; /* a new one of the old number */
	assert_null(reason_of(&op));
}

static void a_lost_object_is_told(void **state)
{
	struct op op = {
		.kind = OP_OBJECT_LOAD,
		.key = "object a",
		.object = { .instance = "a", .version = "1", .meta = { .declaration = "d" } }
	};

	(void)state;
	assert_null(reason_of(&op));
	drift_settled(f.drift, &f.o, true);
	f.o.object_count = 0;
	assert_reason(&op, "ObjectLost", "nothing holds");
	op.object.meta.declaration = "e"; /* a new version */
	assert_null(reason_of(&op));
}

static void pins_are_always_repairs(void **state)
{
	static const struct observed_lost lost[] = {
		{ PIN_TYPE_MAP, "objects/a/1/maps/m", 5, false },
		{ PIN_TYPE_LINK, "links/3", 3, false },
		{ PIN_TYPE_MAP, "objects/a/1/meta", 6, true },
	};
	struct op op = { .kind = OP_PIN_RESTORE, .key = "object a", .pins = { lost, 1 } };

	(void)state;
	assert_reason(&op, "PinRemoved", "not pinned any more");
	drift_settled(f.drift, &f.o, true);
	assert_reason(&op, "PinRemoved", "the pin objects/a/1/maps/m was removed");
	op.pins.v = &lost[1];
	assert_reason(&op, "LinkPinRemoved", "links/3");
	op.pins.v = &lost[2];
	assert_reason(&op, "PinReplaced", "objects/a/1/meta");
}

static bool protocol_is_known(uint32_t chain)
{
	const struct op op = { .kind = OP_ROOT_PIN,
			       .key = "eth0/xdp",
			       .root = { .ifindex = 2, .chain_id = chain } };

	return reason_of(&op) != NULL;
}

static void pins_of_the_protocol_are_forgotten_with_their_chain(void **state)
{
	uint32_t at[] = { 2 };
	struct observed_chain chain = { .complete = true, .pinned_at = at, .pinned_count = 1 };

	(void)state;
	chain.meta.signature = "s";
	f.o.chains = &chain;
	f.o.chain_count = 1;
	for (chain.id = 100; chain.id < 110; chain.id++) {
		drift_settled(f.drift, &f.o, true);
		chain.pinned_count = 0; /* somebody removes them, which is remembered … */
		drift_settled(f.drift, &f.o, true);
		assert_true(protocol_is_known(chain.id));
		chain.pinned_count = 1;
	}
	f.o.chain_count = 0; /* … as long as there is something to bring back */
	drift_settled(f.drift, &f.o, true);
	for (uint32_t id = 100; id < 110; id++)
		assert_false(protocol_is_known(id));
}

static struct op share_op(enum op_kind kind, const char *pin)
{
	return (struct op){ .kind = kind,
			    .key = "share s",
			    .share = { .share = "s",
				       .path = "/s",
				       .gid = 4,
				       .mode = pin ? 0440 : 0750,
				       .pin = pin } };
}

static void shares_have_their_reasons(void **state)
{
	struct op mode = share_op(OP_SHARE_OWNER, NULL), seal = share_op(OP_SHARE_SEAL, NULL);
	struct op pin = share_op(OP_SHARE_OWNER, "m"), mount = share_op(OP_SHARE_MOUNT, NULL);
	struct op unpin = share_op(OP_SHARE_UNPIN, "theirs");
	struct observed_pin theirs = { .name = "theirs", .map_id = 8 };

	(void)state;
	assert_null(reason_of(&mount));
	drift_settled(f.drift, &f.o, true);
	f.mount.mode = 0777;
	assert_reason(&mode, "ModeChanged", "directory");
	mode.share.mode = 0700; /* which is declared now */
	assert_null(reason_of(&mode));
	f.mount.shared = false;
	assert_reason(&seal, "PropagationChanged", "private");
	f.pin.uid = 3;
	assert_reason(&pin, "OwnerChanged", "its pin m was given to 3:4");
	f.mount.pins = &theirs;
	assert_reason(&unpin, "ForeignPin", "map id 8");
	f.o.mount_count = 0;
	assert_reason(&mount, "ShareUnmounted", "unmounted");
}

/* --- fights ------------------------------------------------------------------------------- */

static bool refuses(uint64_t now)
{
	struct op op = root_op("p", 99);
	const struct plan plan = { .ops = &op, .op_count = 1 };

	return drift_refuse(f.drift, f.a, &f.o, &plan, now);
}

static void repair(uint64_t now)
{
	const struct op op = root_op("p", 99);
	const struct drift_cause cause = drift_judge(f.drift, f.a, &f.o, &op);

	assert_false(refuses(now));
	(void)drift_repaired(f.drift, &op, &cause, now);
	drift_did(f.drift, f.a, &op, &f.o);
	drift_settled(f.drift, &f.o, true);
}

static size_t refused_at(uint64_t now)
{
	size_t n;

	(void)drift_failures(f.drift, f.a, now, &n);
	return n;
}

static void many_repairs_in_a_short_time_are_a_fight(void **state)
{
	const struct failure *failure;
	const char *key, *message;
	size_t n;

	(void)state;
	drift_settled(f.drift, &f.o, true);
	for (uint64_t i = 0; i < DRIFT_REPAIRS; i++)
		repair(NOW + i * SECOND);
	assert_false(drift_next_contested(f.drift, &key, &message));
	assert_true(refuses(NOW + 6 * SECOND));
	assert_false(refuses(NOW + 6 * SECOND)); /* that is known by now */
	failure = drift_failures(f.drift, f.a, NOW + 6 * SECOND, &n);
	assert_int_equal(n, 1);
	assert_string_equal(failure->subject, "eth0#2/xdp");
	assert_string_equal(failure->version, FAILURE_ANY_VERSION);
	assert_string_equal(failure->reason, "Contested");
	assert_non_null(strstr(failure->message, "program evil (id 99, loaded by uid 7)"));
	assert_false(failure->due);
	assert_true(drift_next_contested(f.drift, &key, &message));
	assert_string_equal(key, "eth0/xdp");
	assert_false(drift_next_contested(f.drift, &key, &message));
	assert_int_equal(drift_next_ns(f.drift, NOW + 6 * SECOND), NOW + 16 * SECOND);
	drift_forgive(f.drift);
	assert_int_equal(refused_at(NOW + 6 * SECOND), 0);
}

static void other_files_end_it_and_what_they_change_is_no_repair(void **state)
{
	struct op op = root_op("p", 0), other = root_op("q", 99);

	(void)state;
	drift_settled(f.drift, &f.o, true);
	for (uint64_t i = 0; i < DRIFT_REPAIRS; i++)
		repair(NOW + i * SECOND);
	assert_true(refuses(NOW + 6 * SECOND));
	drift_new_files(f.drift);
	assert_int_equal(refused_at(NOW + 6 * SECOND), 0);
	assert_true(refuses(NOW + 6 * SECOND)); /* the same is wanted */
	assert_int_equal(refused_at(NOW + 6 * SECOND), 1);
	drift_new_files(f.drift);
	(void)drift_refuse(f.drift, f.a, &f.o, &(struct plan){ .ops = &other, .op_count = 1 },
			   NOW + 6 * SECOND);
	assert_int_equal(refused_at(NOW + 6 * SECOND), 0);
	assert_null(reason_of(&op)); /* what was there before may be meant to change */
	drift_settled(f.drift, &f.o, false);
	assert_null(reason_of(&op));
	drift_did(f.drift, f.a, &op, &f.o); /* but not what was just done for them */
	assert_string_equal(reason_of(&op), "RootRemoved");
	drift_new_files(f.drift);
	assert_null(reason_of(&op));
	drift_settled(f.drift, &f.o, true);
	assert_string_equal(reason_of(&op), "RootRemoved");
}

/* A pass looks several times without the clock going on. */
static void what_is_undone_within_a_pass_counts_each_time(void **state)
{
	(void)state;
	drift_settled(f.drift, &f.o, true);
	for (uint64_t i = 0; i < DRIFT_REPAIRS; i++)
		repair(NOW);
	assert_true(refuses(NOW));
}

static void each_time_of_rest_is_longer(void **state)
{
	uint64_t now = NOW, next;

	(void)state;
	drift_settled(f.drift, &f.o, true);
	for (size_t i = 0; i < DRIFT_REPAIRS; i++)
		repair(now += SECOND);
	for (uint64_t wait = DRIFT_FIRST_NS; wait < 1000 * SECOND; wait *= 2) {
		assert_true(refuses(now += SECOND));
		next = drift_next_ns(f.drift, now);
		assert_int_equal(next - now, MIN(wait, DRIFT_MOST_NS));
		assert_int_equal(refused_at(next - 1), 1);
		assert_int_equal(refused_at(next), 0);
		repair(now = next); /* one attempt, which does not last */
	}
}

static void a_quiet_time_ends_it(void **state)
{
	uint64_t now = NOW;

	(void)state;
	drift_settled(f.drift, &f.o, true);
	for (size_t i = 0; i < DRIFT_REPAIRS; i++)
		repair(now += SECOND);
	assert_true(refuses(now += SECOND));
	repair(now = drift_next_ns(f.drift, now));
	now += 2 * DRIFT_FIRST_NS + DRIFT_WINDOW_NS + SECOND;
	for (size_t i = 0; i < DRIFT_REPAIRS; i++)
		repair(now += SECOND);
}

static void now_and_then_is_no_fight(void **state)
{
	(void)state;
	drift_settled(f.drift, &f.o, true);
	for (uint64_t i = 0; i < 20; i++)
		repair(NOW + i * 16 * SECOND);
}

static void much_at_once_is_no_fight(void **state)
{
	const struct op op = root_op("p", 99);
	struct drift_cause cause;

	(void)state;
	drift_settled(f.drift, &f.o, true);
	cause = drift_judge(f.drift, f.a, &f.o, &op);
	for (size_t i = 0; i < 20; i++)
		(void)drift_repaired(f.drift, &op, &cause, NOW);
	assert_false(refuses(NOW + SECOND));
}

static void repairs_are_counted_by_reason(void **state)
{
	const struct op op = root_op("p", 99);
	const struct drift_cause a = { "A", "a" }, b = { "B", "b" };
	const char *reason;
	uint64_t count;

	(void)state;
	(void)drift_repaired(f.drift, &op, &a, NOW);
	(void)drift_repaired(f.drift, &op, &b, NOW);
	assert_int_equal(drift_repaired(f.drift, &op, &a, NOW), 2);
	assert_true(drift_count(f.drift, 0, &reason, &count));
	assert_string_equal(reason, "A");
	assert_int_equal(count, 2);
	assert_true(drift_count(f.drift, 1, &reason, &count));
	assert_int_equal(count, 1);
	assert_false(drift_count(f.drift, 2, &reason, &count));
}

static void count_notice(void *arg, const struct drift_notice *n)
{
	assert_string_equal(n->cause.reason, "ForeignPin");
	++*(size_t *)arg;
}

static void what_is_foreign_is_told_once(void **state)
{
	const char *paths[] = { "objects/mine", "mine" };
	size_t n = 0;

	(void)state;
	f.o.foreign = (struct string_list){ paths, 1 };
	drift_notice(f.drift, &f.o, count_notice, &n);
	drift_notice(f.drift, &f.o, count_notice, &n);
	assert_int_equal(n, 1);
	f.o.foreign.n = 2;
	drift_notice(f.drift, &f.o, count_notice, &n);
	assert_int_equal(n, 2);
	f.o.foreign.n = 0;
	drift_notice(f.drift, &f.o, count_notice, &n);
	f.o.foreign.n = 1; /* there again */
	drift_notice(f.drift, &f.o, count_notice, &n);
	assert_int_equal(n, 3);
}

static void check_limit(void *arg, const struct drift_notice *n)
{
	assert_string_equal(n->cause.reason, "DescriptorLimit");
	assert_non_null(strstr(n->cause.text, "than the 512 descriptors"));
	assert_non_null(strstr(n->cause.text, "LimitNOFILE=2048"));
	++*(size_t *)arg;
}

static void what_cannot_be_held_is_told_once(void **state)
{
	size_t n = 0;

	(void)state;
	f.o.pins_held = 512;
	drift_notice(f.drift, &f.o, check_limit, &n);
	assert_int_equal(n, 0);
	f.o.pins_unheld = 1;
	drift_notice(f.drift, &f.o, check_limit, &n);
	f.o.pins_unheld = 500;
	drift_notice(f.drift, &f.o, check_limit, &n);
	assert_int_equal(n, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_was_never_there_is_no_repair),
		TEST(a_root_that_was_there_is_repaired),
		TEST(several_slots_are_one_repair),
		TEST(what_is_missing_stays_remembered),
		TEST(what_we_took_away_is_new_again),
		TEST(another_interface_is_new),
		TEST(a_lost_object_is_told),
		TEST(pins_are_always_repairs),
		TEST(pins_of_the_protocol_are_forgotten_with_their_chain),
		TEST(shares_have_their_reasons),
		TEST(many_repairs_in_a_short_time_are_a_fight),
		TEST(other_files_end_it_and_what_they_change_is_no_repair),
		TEST(what_is_undone_within_a_pass_counts_each_time),
		TEST(each_time_of_rest_is_longer),
		TEST(a_quiet_time_ends_it),
		TEST(now_and_then_is_no_fight),
		TEST(much_at_once_is_no_fight),
		TEST(repairs_are_counted_by_reason),
		TEST(what_is_foreign_is_told_once),
		TEST(what_cannot_be_held_is_told_once),
	};

	return cmocka_run_group_tests_name("drift", tests, NULL, NULL);
}
