/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* What a pass concludes from files and kernel, and what stays when it cannot look. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "recon_fixture.h"

/* --- the ordinary course --------------------------------------------------------------------------- */

static void what_is_declared_comes_to_be_and_stays(void **state)
{
	struct fixture *f = *state;
	uint64_t operations;

	assert_null(recon_status(f->recon));
	pass(f, FILES);
	assert_true(converged(f));
	assert_null(recon_trouble(f->recon));
	assert_true(runs(f, "eth0", "a/xdp_trace"));
	assert_int_equal(recon_next_ns(f->recon), 0);
	operations = recon_operations(f->recon);
	assert_true(operations > 0);
	pass(f, FILES);
	pass(f, KERNEL);
	pass(f, KERNEL | RECON_DIRTY_FOREIGN | RECON_DIRTY_RETRY);
	assert_int_equal(recon_operations(f->recon), operations);
	assert_int_equal(recon_plan(f->recon)->op_count, 0);
	assert_int_equal(recon_passes(f->recon), 4);
}

static void a_new_process_finds_nothing_to_do(void **state)
{
	struct fixture *f = *state;
	const char *before;

	pass(f, FILES);
	before = ours(f);
	restart(f);
	pass(f, FILES);
	assert_true(converged(f));
	assert_int_equal(recon_operations(f->recon), 0);
	assert_string_equal(ours(f), before);
}

static void drift_is_repaired(void **state)
{
	struct fixture *f = *state;

	pass(f, FILES);
	kern_fake_detach(f->kernel, "eth0");
	assert_false(runs(f, "eth0", "a/"));
	pass(f, KERNEL);
	assert_true(runs(f, "eth0", "a/xdp_trace"));
	assert_true(converged(f));
}

static void files_are_read_only_when_they_are_dirty(void **state)
{
	struct fixture *f = *state;

	pass(f, FILES);
	write_text(f, "d/b.yaml", ON("b", "eth1"));
	pass(f, KERNEL);
	assert_false(runs(f, "eth1", "b/"));
	pass(f, FILES);
	assert_true(runs(f, "eth1", "b/xdp_trace"));
	assert_int_equal(unlink(at(f, "d/b.yaml")), 0);
	pass(f, FILES);
	assert_false(runs(f, "eth1", "b/"));
	assert_true(runs(f, "eth0", "a/"));
}

/* --- a kernel that cannot be looked at ---------------------------------------------------------------- */

static void a_blind_pass_keeps_the_old_plan_and_says_so(void **state)
{
	struct fixture *f = *state;
	const struct status *st;
	uint64_t passes;

	pass(f, FILES);
	passes = recon_passes(f->recon);
	kern_fake_detach(f->kernel, "eth0");
	blind(f, 0, 2);
	assert_int_equal(run(f, KERNEL), -EIO);
	assert_has(f->e.text, "kernel state not read");
	assert_has(recon_trouble(f->recon), "netlink");
	st = recon_status(f->recon);
	assert_non_null(st);
	assert_false(st->converged);
	assert_string_equal(st->objects[0].name, "a");
	assert_int_equal(recon_passes(f->recon), passes);
	assert_int_equal(recon_next_ns(f->recon), f->now + SECOND);
	assert_int_equal(run(f, KERNEL), -EIO);
	assert_int_equal(told(f, "kernel state not read"), 1);
	pass(f, KERNEL);
	assert_null(recon_trouble(f->recon));
	assert_true(converged(f));
	assert_true(runs(f, "eth0", "a/"));
}

static void blind_after_changes_the_status_is_still_whole(void **state)
{
	struct fixture *f = *state;

	pass(f, FILES);
	kern_fake_detach(f->kernel, "eth0");
	blind(f, 1, 1);
	assert_int_equal(run(f, KERNEL), -EIO);
	assert_true(runs(f, "eth0", "a/"));
	assert_false(converged(f));
	assert_true(recon_status(f->recon)->objects[0].condition.since.tv_sec > 0);
	pass(f, KERNEL);
	assert_true(converged(f));
}

static void files_stay_dirty_until_they_could_be_read(void **state)
{
	struct fixture *f = *state;

	blind(f, 0, 1);
	assert_int_equal(run(f, FILES), -EIO);
	assert_null(recon_status(f->recon));
	assert_has(recon_trouble(f->recon), "configuration not read");
	assert_int_equal(recon_next_ns(f->recon), f->now + SECOND);
	pass(f, 0); /* its retry is due; nobody says again that the files changed */
	assert_true(converged(f));
	assert_true(runs(f, "eth0", "a/"));
}

/* A new generation was read, but no round came through: the one after that takes its place. */
static void two_generations_in_a_row_without_a_round(void **state)
{
	struct fixture *f = *state;

	pass(f, FILES);
	blind(f, 0, 2);
	write_text(f, "d/b.yaml", ON("b", "eth1"));
	assert_int_equal(run(f, FILES), -EIO);
	assert_int_equal(recon_status(f->recon)->object_count, 1);
	write_text(f, "d/c.yaml", ON("c", "eth1"));
	assert_int_equal(run(f, FILES), -EIO);
	assert_string_equal(recon_status(f->recon)->objects[0].name, "a");
	pass(f, 0);
	assert_true(converged(f));
	assert_true(runs(f, "eth1", "b/") && runs(f, "eth1", "c/"));
}

/* --- settings ------------------------------------------------------------------------------------------------ */

static void broken_settings_keep_the_last_good_ones(void **state)
{
	struct fixture *f = *state;

	write_text(f, "bpfshared.yaml", "mass_removal: {over_percent: 7}\n");
	pass(f, FILES);
	write_text(f, "bpfshared.yaml", "mass_removal: {over_percent: seven}\n");
	write_text(f, "d/b.yaml", ON("b", "eth1"));
	pass(f, FILES);
	assert_int_equal(recon_settings(f->recon)->mass_removal_percent, 7);
	assert_false(converged(f));
	assert_has(recon_trouble(f->recon), "bpfshared.yaml:1");
	assert_has(recon_trouble(f->recon), "last good version is in force");
	assert_true(runs(f, "eth1", "b/")); /* files are still applied */
	pass(f, FILES);
	assert_int_equal(told(f, "last good version is in force"), 1);
	write_text(f, "bpfshared.yaml", "mass_removal: {over_percent: 8}\n");
	pass(f, FILES);
	assert_int_equal(recon_settings(f->recon)->mass_removal_percent, 8);
	assert_null(recon_trouble(f->recon));
	assert_true(converged(f));
}

static void broken_settings_at_the_first_start_change_nothing(void **state)
{
	struct fixture *f = *state;

	write_text(f, "bpfshared.yaml", "mass_removal: {over_percent: seven}\n");
	assert_true(run(f, FILES) < 0);
	assert_has(f->e.text, "nothing is changed until they are repaired");
	assert_has(recon_trouble(f->recon), "bpfshared.yaml:1");
	assert_null(recon_status(f->recon));
	assert_int_equal(recon_operations(f->recon), 0);
	assert_false(runs(f, "eth0", "a/"));
	assert_int_equal(recon_next_ns(f->recon), f->now + SECOND);
	assert_int_equal(told(f, "nothing is changed"), 1);
	write_text(f, "bpfshared.yaml", "mass_removal: {over_percent: 7}\n");
	pass(f, 0);
	assert_true(converged(f));
}

static void broken_settings_at_a_start_use_the_stored_ones(void **state)
{
	struct fixture *f = *state;

	write_text(f, "bpfshared.yaml", "mass_removal: {over_percent: 7}\n");
	pass(f, FILES);
	write_text(f, "bpfshared.yaml", "mass_removal: {over_percent: seven}\n");
	restart(f);
	pass(f, FILES);
	assert_int_equal(recon_settings(f->recon)->mass_removal_percent, 7);
	assert_false(converged(f));
	restart(f); /* they are not forgotten while the fault lasts */
	pass(f, FILES);
	assert_int_equal(recon_settings(f->recon)->mass_removal_percent, 7);
	damage_all(f, "state/files");
	restart(f);
	assert_true(run(f, FILES) < 0);
	assert_has(f->e.text, "is damaged");
	assert_int_equal(recon_operations(f->recon), 0);
}

static void removed_settings_are_defaults(void **state)
{
	struct fixture *f = *state;

	write_text(f, "bpfshared.yaml", "mass_removal: {over_percent: 7}\n");
	pass(f, FILES);
	assert_int_equal(unlink(at(f, "bpfshared.yaml")), 0);
	pass(f, FILES);
	assert_int_equal(recon_settings(f->recon)->mass_removal_percent, 50);
	assert_true(converged(f));
}

/* --- failures --------------------------------------------------------------------------------------------------- */

static void what_failed_is_tried_again_when_it_is_due(void **state)
{
	struct fixture *f = *state;
	uint64_t operations, due;

	kern_fake_fail(f->kernel, 0, -EAGAIN, FAILURE_TRANSIENT);
	pass(f, FILES);
	assert_false(converged(f));
	assert_false(runs(f, "eth0", "a/"));
	due = recon_next_ns(f->recon);
	assert_in_range(due - f->now, SECOND * 75 / 1000, SECOND * 125 / 1000);
	operations = recon_operations(f->recon);
	pass(f, KERNEL);
	assert_int_equal(recon_operations(f->recon), operations);
	assert_int_equal(recon_next_ns(f->recon), due);
	f->now = due;
	pass(f, 0);
	assert_true(converged(f));
	assert_true(runs(f, "eth0", "a/"));
	assert_int_equal(recon_next_ns(f->recon), 0);
}

static void a_refused_object_waits_for_a_person_or_a_new_file(void **state)
{
	struct fixture *f = *state;
	uint64_t operations;

	pass(f, FILES);
	kern_fake_refuse_content(f->kernel,
				 recon_generation(f->recon)->desired.objects[0].source->sha256);
	write_text(f, "d/b.yaml", ON("b", "eth1"));
	pass(f, FILES);
	assert_int_equal(recon_status(f->recon)->objects[1].condition.state, STATE_FAILED);
	assert_int_equal(recon_next_ns(f->recon), 0);
	operations = recon_operations(f->recon);
	f->now += 10000 * SECOND;
	pass(f, KERNEL | RECON_DIRTY_FOREIGN);
	assert_int_equal(recon_operations(f->recon), operations);
	pass(f, KERNEL | RECON_DIRTY_RETRY);
	assert_true(recon_operations(f->recon) > operations);
}

static void foreign_failures_end_with_an_event(void **state)
{
	struct fixture *f = *state;

	kern_fake_fail(f->kernel, 1, -EBUSY, FAILURE_FOREIGN);
	pass(f, FILES);
	assert_false(converged(f));
	pass(f, KERNEL);
	assert_false(converged(f));
	pass(f, KERNEL | RECON_DIRTY_FOREIGN);
	assert_true(converged(f));
}

/* --- commands ---------------------------------------------------------------------------------------------------- */

static void suspended_nothing_is_changed(void **state)
{
	struct fixture *f = *state;
	uint64_t operations;

	pass(f, FILES);
	recon_suspend(f->recon, 0);
	operations = recon_operations(f->recon);
	write_text(f, "d/b.yaml", ON("b", "eth1"));
	pass(f, FILES);
	assert_int_equal(recon_operations(f->recon), operations);
	assert_true(recon_status(f->recon)->suspended);
	assert_false(converged(f));
	assert_int_equal(recon_next_ns(f->recon), 0);
	recon_resume(f->recon);
	pass(f, KERNEL);
	assert_false(recon_status(f->recon)->suspended);
	assert_true(runs(f, "eth1", "b/"));
	assert_true(converged(f));
}

static void a_suspension_ends_by_itself(void **state)
{
	struct fixture *f = *state;
	uint64_t until;

	recon_suspend(f->recon, until = f->now + 5 * SECOND);
	pass(f, FILES);
	assert_int_equal(recon_next_ns(f->recon), until);
	assert_false(runs(f, "eth0", "a/"));
	f->now = until - SECOND / 100;
	pass(f, 0);
	assert_false(recon_status(f->recon)->suspended);
	assert_true(runs(f, "eth0", "a/"));
	assert_int_equal(told(f, "changes are made again"), 1);
}

static void purge_removes_all_and_suspends(void **state)
{
	struct fixture *f = *state;
	const char *empty = ours(f);

	pass(f, FILES);
	assert_string_not_equal(ours(f), empty);
	assert_int_equal(recon_purge(f->recon, f->now, &f->e), 0);
	assert_false(runs(f, "eth0", "a/"));
	assert_string_equal(ours(f), empty);
	assert_true(recon_status(f->recon)->suspended);
	pass(f, FILES);
	assert_string_equal(ours(f), empty);
	recon_resume(f->recon);
	pass(f, KERNEL);
	assert_true(runs(f, "eth0", "a/"));
}

/* The directories may be gone by then: the package is being removed. */
static void purge_needs_no_directory(void **state)
{
	struct fixture *f = *state;
	const char *empty = ours(f);

	pass(f, FILES);
	assert_int_equal(rename(at(f, "d"), at(f, "away")), 0);
	restart(f);
	assert_int_equal(recon_purge(f->recon, f->now, &f->e), 0);
	assert_string_equal(ours(f), empty);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_declared_comes_to_be_and_stays),
		TEST(a_new_process_finds_nothing_to_do),
		TEST(drift_is_repaired),
		TEST(files_are_read_only_when_they_are_dirty),
		TEST(a_blind_pass_keeps_the_old_plan_and_says_so),
		TEST(blind_after_changes_the_status_is_still_whole),
		TEST(files_stay_dirty_until_they_could_be_read),
		TEST(two_generations_in_a_row_without_a_round),
		TEST(broken_settings_keep_the_last_good_ones),
		TEST(broken_settings_at_the_first_start_change_nothing),
		TEST(broken_settings_at_a_start_use_the_stored_ones),
		TEST(removed_settings_are_defaults),
		TEST(what_failed_is_tried_again_when_it_is_due),
		TEST(a_refused_object_waits_for_a_person_or_a_new_file),
		TEST(foreign_failures_end_with_an_event),
		TEST(suspended_nothing_is_changed),
		TEST(a_suspension_ends_by_itself),
		TEST(purge_removes_all_and_suspends),
		TEST(purge_needs_no_directory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
