/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* recon/retry.h: when another attempt makes sense. */
#include "recon/retry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/str.h"

#define NOW 1000000000000ull

struct fixture {
	struct arena *arena;
	struct retry *retry;
};

static int setup(void **state)
{
	struct fixture *f = xnew(struct fixture);

	f->arena = arena_new();
	f->retry = retry_new(42);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	retry_free(f->retry);
	arena_free(f->arena);
	free(f);
	return 0;
}

static void record(struct fixture *f, enum op_kind kind, const char *subject, const char *version,
		   enum failure_class class, uint64_t now)
{
	const struct op op = { .kind = kind, .key = "key", .subject = subject, .version = version };
	struct op_result result = { .code = -EBUSY, .class = class, .reason = "Busy", .log = "log" };

	(void)error_set(&result.error, -EBUSY, "%s is busy", subject ? subject : "key");
	retry_record(f->retry, &op, &result, now);
}

static void forget(struct fixture *f, enum op_kind kind, const char *subject)
{
	const struct op op = { .kind = kind, .key = "key", .subject = subject };

	retry_forget(f->retry, &op);
}

static struct failure *failures(struct fixture *f, uint64_t now, size_t want)
{
	size_t n = 0;
	struct failure *v = retry_failures(f->retry, f->arena, now, &n);

	assert_int_equal(n, want);
	return v;
}

static bool is_due(struct fixture *f, const char *subject, uint64_t now)
{
	size_t n;
	struct failure *v = retry_failures(f->retry, f->arena, now, &n);

	for (size_t i = 0; i < n; i++)
		if (str_eq(v[i].subject, subject))
			return v[i].due;
	fail_msg("%s is not remembered", subject);
	return false;
}

static void what_failed_is_remembered(void **state)
{
	struct fixture *f = *state;
	const struct failure *v;

	record(f, OP_ROOT_SET, "eth0", "v1", FAILURE_FOREIGN, NOW);
	v = failures(f, NOW, 1);
	assert_string_equal(v->subject, "eth0");
	assert_string_equal(v->version, "v1");
	assert_string_equal(v->reason, "Busy");
	assert_string_equal(v->message, "eth0 is busy");
	assert_string_equal(v->log, "log");
	assert_int_equal(v->code, -EBUSY);
	assert_int_equal(v->class, FAILURE_FOREIGN);
	assert_false(v->due);
}

static void without_a_subject_the_key_is_it(void **state)
{
	struct fixture *f = *state;
	const struct failure *v;

	record(f, OP_DIRECTORY_CREATE, NULL, NULL, FAILURE_TRANSIENT, NOW);
	v = failures(f, NOW, 1);
	assert_string_equal(v->subject, "key");
	assert_string_equal(v->version, "");
}

static void waits_double_up_to_five_minutes(void **state)
{
	struct fixture *f = *state;
	uint64_t want = RETRY_FIRST_NS, now = NOW;

	for (size_t i = 0; i < 40; i++) {
		uint64_t next, wait;

		record(f, OP_ROOT_SET, "eth0", "v1", FAILURE_TRANSIENT, now);
		next = retry_next_ns(f->retry, now);
		wait = next - now;
		if (wait < want - want / 4 || wait > want + want / 4)
			fail_msg("attempt %zu: %llu ns, not about %llu", i,
				 (unsigned long long)wait, (unsigned long long)want);
		assert_false(is_due(f, "eth0", next - 1));
		assert_true(is_due(f, "eth0", next));
		now = next;
		want = MIN(2 * want, RETRY_MOST_NS);
	}
	assert_int_equal(want, RETRY_MOST_NS);
}

static void jitter_spreads_over_the_whole_range(void **state)
{
	struct fixture *f = *state;
	uint64_t least = UINT64_MAX, most = 0;

	for (size_t i = 0; i < 1000; i++) {
		uint64_t wait;

		retry_clear(f->retry);
		record(f, OP_ROOT_SET, "eth0", "v1", FAILURE_TRANSIENT, NOW);
		wait = retry_next_ns(f->retry, NOW) - NOW;
		least = MIN(least, wait);
		most = MAX(most, wait);
	}
	assert_in_range(least, RETRY_FIRST_NS * 75 / 100, RETRY_FIRST_NS * 77 / 100);
	assert_in_range(most, RETRY_FIRST_NS * 123 / 100, RETRY_FIRST_NS * 125 / 100);
}

static void equal_seeds_give_equal_waits(void **state)
{
	struct fixture *f = *state;
	struct retry *same = retry_new(42);
	struct fixture g = { f->arena, same };

	record(f, OP_ROOT_SET, "eth0", "v1", FAILURE_TRANSIENT, NOW);
	record(&g, OP_ROOT_SET, "eth0", "v1", FAILURE_TRANSIENT, NOW);
	assert_int_equal(retry_next_ns(f->retry, NOW), retry_next_ns(same, NOW));
	retry_free(same);
}

static void refused_objects_are_never_due(void **state)
{
	struct fixture *f = *state;

	record(f, OP_OBJECT_LOAD, "object a", "v1", FAILURE_KERNEL, NOW);
	assert_int_equal(retry_next_ns(f->retry, NOW), 0);
	assert_false(is_due(f, "object a", NOW + 1000 * RETRY_MOST_NS));
	/* Passing trouble with the same object is another matter, and so is another operation. */
	record(f, OP_OBJECT_LOAD, "object b", "v1", FAILURE_TRANSIENT, NOW);
	record(f, OP_ROOT_SET, "eth0", "v1", FAILURE_KERNEL, NOW);
	assert_true(is_due(f, "object b", NOW + RETRY_MOST_NS));
	assert_true(is_due(f, "eth0", NOW + RETRY_MOST_NS));
}

static void release_makes_all_due_but_what_the_kernel_refused(void **state)
{
	struct fixture *f = *state;

	record(f, OP_OBJECT_LOAD, "refused", "v1", FAILURE_KERNEL, NOW);
	record(f, OP_ROOT_SET, "kernel", "v1", FAILURE_KERNEL, NOW);
	record(f, OP_ROOT_SET, "foreign", "v1", FAILURE_FOREIGN, NOW);
	record(f, OP_ROOT_SET, "transient", "v1", FAILURE_TRANSIENT, NOW);
	retry_release(f->retry);
	assert_false(is_due(f, "refused", NOW));
	assert_false(is_due(f, "kernel", NOW));
	assert_true(is_due(f, "foreign", NOW));
	assert_true(is_due(f, "transient", NOW));
}

static void a_release_does_not_reset_the_back_off(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < 5; i++)
		record(f, OP_ROOT_SET, "eth0", "v1", FAILURE_FOREIGN, NOW);
	retry_release(f->retry);
	record(f, OP_ROOT_SET, "eth0", "v1", FAILURE_FOREIGN, NOW);
	assert_true(retry_next_ns(f->retry, NOW) - NOW >= 32 * RETRY_FIRST_NS * 3 / 4);
}

static void each_version_has_its_own_memory(void **state)
{
	struct fixture *f = *state;
	struct failure *v;

	record(f, OP_OBJECT_LOAD, "object a", "v1", FAILURE_KERNEL, NOW);
	record(f, OP_OBJECT_LOAD, "object a", "v2", FAILURE_TRANSIENT, NOW);
	v = failures(f, NOW + RETRY_MOST_NS, 2);
	assert_false(v[0].due);
	assert_true(v[1].due);
}

static void success_forgets_all_versions_of_a_subject(void **state)
{
	struct fixture *f = *state;

	record(f, OP_OBJECT_LOAD, "a", "v1", FAILURE_KERNEL, NOW);
	record(f, OP_OBJECT_LOAD, "b", "v1", FAILURE_TRANSIENT, NOW);
	record(f, OP_OBJECT_LOAD, "a", "v2", FAILURE_TRANSIENT, NOW);
	forget(f, OP_ROOT_SET, "a");
	assert_string_equal(failures(f, NOW, 1)->subject, "b");
	forget(f, OP_ROOT_SET, "c");
	(void)failures(f, NOW, 1);
	forget(f, OP_ROOT_SET, "b");
	(void)failures(f, NOW, 0);
	/* What comes back starts from the beginning. */
	record(f, OP_OBJECT_LOAD, "b", "v1", FAILURE_TRANSIENT, NOW);
	assert_true(retry_next_ns(f->retry, NOW) - NOW <= RETRY_FIRST_NS * 5 / 4);
}

/* A refused load leaves something behind; that this could be removed is no reason to load again. */
static void a_removal_does_not_forget_a_failed_load(void **state)
{
	struct fixture *f = *state;

	record(f, OP_OBJECT_LOAD, "object a", "v1", FAILURE_KERNEL, NOW);
	forget(f, OP_OBJECT_REMOVE, "object a");
	assert_false(is_due(f, "object a", NOW + RETRY_MOST_NS));
	record(f, OP_OBJECT_REMOVE, "object a", "v0", FAILURE_FOREIGN, NOW);
	forget(f, OP_OBJECT_REMOVE, "object a");
	assert_string_equal(failures(f, NOW, 1)->version, "v1");
	forget(f, OP_OBJECT_LOAD, "object a");
	(void)failures(f, NOW, 0);
}

static void clear_forgets_everything(void **state)
{
	struct fixture *f = *state;

	record(f, OP_OBJECT_LOAD, "a", "v1", FAILURE_KERNEL, NOW);
	record(f, OP_ROOT_SET, "b", "v1", FAILURE_FOREIGN, NOW);
	retry_clear(f->retry);
	(void)failures(f, NOW, 0);
	assert_int_equal(retry_next_ns(f->retry, NOW), 0);
}

static void the_oldest_goes_when_there_are_too_many(void **state)
{
	struct fixture *f = *state;
	const struct failure *v;
	char name[32];

	for (size_t i = 0; i < RETRY_ENTRIES + 2; i++) {
		(void)snprintf(name, sizeof(name), "subject %zu", i);
		record(f, OP_ROOT_SET, name, "v1", FAILURE_TRANSIENT, NOW);
	}
	v = failures(f, NOW, RETRY_ENTRIES);
	assert_string_equal(v[0].subject, "subject 2");
	assert_string_equal(v[RETRY_ENTRIES - 1].subject, name);
	/* One that is known needs no room. */
	record(f, OP_ROOT_SET, name, "v1", FAILURE_TRANSIENT, NOW);
	assert_string_equal(failures(f, NOW, RETRY_ENTRIES)[0].subject, "subject 2");
}

static void next_is_the_earliest_that_is_still_to_come(void **state)
{
	struct fixture *f = *state;
	uint64_t first, second;

	assert_int_equal(retry_next_ns(f->retry, NOW), 0);
	record(f, OP_ROOT_SET, "a", "v1", FAILURE_TRANSIENT, NOW);
	first = retry_next_ns(f->retry, NOW);
	record(f, OP_ROOT_SET, "b", "v1", FAILURE_TRANSIENT, NOW + RETRY_MOST_NS);
	record(f, OP_OBJECT_LOAD, "c", "v1", FAILURE_KERNEL, NOW);
	assert_int_equal(retry_next_ns(f->retry, NOW), first);
	second = retry_next_ns(f->retry, first);
	assert_true(second > NOW + RETRY_MOST_NS);
	assert_int_equal(retry_next_ns(f->retry, second), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_failed_is_remembered),
		TEST(without_a_subject_the_key_is_it),
		TEST(waits_double_up_to_five_minutes),
		TEST(jitter_spreads_over_the_whole_range),
		TEST(equal_seeds_give_equal_waits),
		TEST(refused_objects_are_never_due),
		TEST(release_makes_all_due_but_what_the_kernel_refused),
		TEST(a_release_does_not_reset_the_back_off),
		TEST(each_version_has_its_own_memory),
		TEST(success_forgets_all_versions_of_a_subject),
		TEST(a_removal_does_not_forget_a_failed_load),
		TEST(clear_forgets_everything),
		TEST(the_oldest_goes_when_there_are_too_many),
		TEST(next_is_the_earliest_that_is_still_to_come),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
