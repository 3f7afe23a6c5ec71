/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Somebody who undoes what we do before we look again, as whoever follows the kernel's events does: it is noticed, we
 * stop for a while, and what an operator edits meanwhile is an attempt of its own.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"
#include "recon/drift.h"
#include "recon_fixture.h"

static void detaches(struct fixture *f, const struct op *op)
{
	if (op->kind == OP_ROOT_SET && str_eq(op->root.interface, "eth0"))
		kern_fake_detach(f->kernel, "eth0");
}

static void replaces(struct fixture *f, const struct op *op)
{
	if (op->kind == OP_ROOT_SET && str_eq(op->root.interface, "eth0"))
		(void)kern_fake_attach_foreign(f->kernel, "eth0", "evil", XDP_DRIVER);
}

static void detaches_tc(struct fixture *f, const struct op *op)
{
	if (op->kind == OP_TC_SET)
		kern_fake_tc_detach(f->kernel, "eth0", TC_INGRESS, 0);
}

static void takes_what_is_loaded(struct fixture *f, const struct op *op)
{
	if (op->kind != OP_OBJECT_LOAD || !str_eq(op->object.instance, "c"))
		return;
	kern_fake_lose_for_good(f->kernel, "c", "xdp_trace");
	f->loads++;
}

/* What was told of what others did, with this reason and these words. */
static size_t drifts(struct fixture *f, const char *reason, const char *words)
{
	const struct recon_event *e;
	uint64_t last = 0;
	size_t n = 0;

	for (; (e = recon_event_next(f->recon, last)); last = e->sequence)
		n += str_eq(e->kind, "drift") && str_eq(e->reason, reason) &&
		     strstr(e->message, words);
	return n;
}

/* Events follow one another for so long, ten a second. */
static void events(struct fixture *f, uint64_t ns)
{
	uint64_t end = f->now + ns;

	for (; f->now < end; f->now += SECOND / 10)
		pass(f, KERNEL);
}

/* The first time is no repair. */
static void assert_given_up(struct fixture *f, size_t sets, size_t first)
{
	assert_int_equal(sets, DRIFT_REPAIRS + first);
	assert_int_equal(drifts(f, "Contested", "again and again"), 1);
	assert_string_equal(recon_status(f->recon)->objects[0].condition.reason, "Contested");
	assert_true(recon_next_ns(f->recon) > f->now);
	assert_true(recon_next_ns(f->recon) <= f->now + DRIFT_FIRST_NS);
}

static void who_detaches_at_once_is_noticed(void **state)
{
	struct fixture *f = *state;

	pass(f, FILES);
	f->opponent = detaches;
	f->root_sets = 0;
	kern_fake_detach(f->kernel, "eth0");
	events(f, DRIFT_FIRST_NS / 2);
	assert_given_up(f, f->root_sets, 0);
	events(f, DRIFT_FIRST_NS); /* one more attempt, then twice as long nothing */
	assert_int_equal(f->root_sets, DRIFT_REPAIRS + 1);
	assert_int_equal(drifts(f, "Contested", "again and again"), 2);
	events(f, DRIFT_FIRST_NS);
	assert_int_equal(f->root_sets, DRIFT_REPAIRS + 1);
	f->opponent = NULL;
	events(f, 2 * DRIFT_FIRST_NS);
	assert_true(runs(f, "eth0", "a/xdp_trace"));
	assert_true(converged(f));
	assert_int_equal(f->root_sets, DRIFT_REPAIRS + 2);
}

static void also_from_the_first_time_on(void **state)
{
	struct fixture *f = *state;

	f->opponent = detaches;
	pass(f, FILES);
	events(f, DRIFT_FIRST_NS / 2);
	assert_given_up(f, f->root_sets, 1);
}

static void also_at_the_start_of_another_process(void **state)
{
	struct fixture *f = *state;

	pass(f, FILES);
	f->opponent = detaches;
	f->root_sets = 0;
	kern_fake_detach(f->kernel, "eth0");
	restart(f);
	pass(f, FILES);
	events(f, DRIFT_FIRST_NS / 2);
	assert_given_up(f, f->root_sets, 1);
}

static void also_when_a_file_changes(void **state)
{
	struct fixture *f = *state;

	pass(f, FILES);
	f->opponent = detaches;
	f->root_sets = 0;
	kern_fake_detach(f->kernel, "eth0");
	write_text(f, "d/b.yaml", ON("b", "eth1"));
	pass(f, FILES);
	events(f, DRIFT_FIRST_NS / 2);
	assert_given_up(f, f->root_sets, 2); /* that of eth1 as well */
	assert_true(runs(f, "eth1", "b/xdp_trace"));
}

static void it_is_told_who_it_is(void **state)
{
	struct fixture *f = *state;

	write_text(f, "d/sets.yaml",
		   "interfaces: {all: {select: [{name: \"eth*\"}], xdp: {on_foreign: replace}}}\n");
	f->opponent = replaces;
	pass(f, FILES);
	events(f, DRIFT_FIRST_NS / 2);
	assert_given_up(f, f->root_sets, 1);
	assert_int_equal(drifts(f, "RootReplaced", "program evil (id "), DRIFT_REPAIRS);
	assert_int_equal(drifts(f, "Contested", "program evil (id "), 1);
}

static void links_of_tc_likewise(void **state)
{
	struct fixture *f = *state;

	copy_object(f, "test_tc.bpf.o");
	write_text(f, "d/a.yaml",
		   "objects: {a: {file: test_tc.bpf.o, programs: {tcx_ingress_trace: "
		   "{attach: [{tc: {interface: eth0, direction: ingress}}]}}}}\n");
	f->opponent = detaches_tc;
	pass(f, FILES);
	events(f, DRIFT_FIRST_NS / 2);
	assert_given_up(f, f->tc_sets, 1);
}

/* Nobody ever saw it in place, so it is no repair; the daemon would load it for ever. */
static void what_never_lasts_is_given_up(void **state)
{
	struct fixture *f = *state;

	f->opponent = takes_what_is_loaded;
	write_text(f, "d/c.yaml", ON("c", "eth1"));
	pass(f, FILES);
	events(f, DRIFT_FIRST_NS / 2);
	assert_int_equal(f->loads, DRIFT_REPAIRS + 1);
	assert_int_equal(drifts(f, "NotLasting", "fault of bpfshare"), DRIFT_REPAIRS);
	assert_int_equal(drifts(f, "Contested", "done a moment ago"), 1);
	assert_true(runs(f, "eth0", "a/xdp_trace"));
	f->opponent = NULL;
	events(f, 2 * DRIFT_FIRST_NS);
	assert_true(runs(f, "eth1", "c/xdp_trace"));
	assert_true(converged(f));
}

/* The opponent has won eth0, for now. */
static void lose(struct fixture *f)
{
	pass(f, FILES);
	f->opponent = detaches;
	kern_fake_detach(f->kernel, "eth0");
	pass(f, KERNEL);
	assert_given_up(f, f->root_sets, 1);
	f->opponent = NULL;
	pass(f, KERNEL);
	assert_false(runs(f, "eth0", "a/"));
}

static void an_edit_is_an_attempt_of_its_own(void **state)
{
	struct fixture *f = *state;

	lose(f);
	write_text(f, "d/b.yaml", ON("b", "eth0"));
	pass(f, FILES);
	assert_true(runs(f, "eth0", "a/xdp_trace"));
	assert_true(runs(f, "eth0", "b/xdp_trace"));
	assert_true(converged(f));
	assert_int_equal(recon_next_ns(f->recon), 0);
}

static void so_is_something_else_in_its_place(void **state)
{
	struct fixture *f = *state;

	lose(f);
	write_text(f, "d/a.yaml", ON("c", "eth0"));
	pass(f, FILES);
	assert_true(runs(f, "eth0", "c/xdp_trace"));
	assert_true(converged(f));
}

static void files_that_say_the_same_are_none(void **state)
{
	struct fixture *f = *state;
	size_t before;

	lose(f);
	before = f->root_sets;
	write_text(f, "d/a.yaml", ON("a", "eth0"));
	pass(f, FILES);
	assert_int_equal(f->root_sets, before);
	assert_false(runs(f, "eth0", "a/"));
}

static void an_edit_of_others_is_none(void **state)
{
	struct fixture *f = *state;
	size_t before;

	lose(f);
	before = f->root_sets;
	write_text(f, "d/b.yaml", ON("b", "eth1"));
	pass(f, FILES);
	assert_true(runs(f, "eth1", "b/xdp_trace"));
	assert_false(runs(f, "eth0", "a/"));
	assert_int_equal(f->root_sets, before + 1);
	assert_true(recon_next_ns(f->recon) <= f->now + DRIFT_FIRST_NS);
	f->now += DRIFT_FIRST_NS;
	pass(f, KERNEL);
	assert_true(runs(f, "eth0", "a/xdp_trace"));
}

static void who_goes_on_is_noticed_again_after_an_edit(void **state)
{
	struct fixture *f = *state;
	size_t before;

	lose(f);
	before = f->root_sets;
	f->opponent = detaches;
	write_text(f, "d/b.yaml", ON("b", "eth0"));
	pass(f, FILES);
	events(f, DRIFT_FIRST_NS / 2);
	assert_int_equal(f->root_sets - before, DRIFT_REPAIRS + 1);
	assert_int_equal(drifts(f, "Contested", "again and again"), 2);
}

static void edits_are_no_fight(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < 20; i++) {
		write_text(f, "d/a.yaml", i % 2 ? ON("a", "eth0") : ON("c", "eth0"));
		pass(f, FILES);
		assert_true(runs(f, "eth0", i % 2 ? "a/" : "c/"));
		assert_true(converged(f));
		f->now += SECOND;
	}
	assert_int_equal(drifts(f, "Contested", "again and again"), 0);
	assert_int_equal(told(f, "repaired by"), 0);
}

static void interfaces_that_come_and_go_are_no_fight(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < 20; i++) {
		pass(f, FILES);
		assert_true(runs(f, "eth0", "a/"));
		kern_fake_remove_interface(f->kernel, "eth0");
		pass(f, KERNEL);
		add_interface(f, "eth0");
		f->now += SECOND;
	}
	assert_int_equal(drifts(f, "Contested", "again and again"), 0);
	assert_int_equal(told(f, "repaired by"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(who_detaches_at_once_is_noticed),
		TEST(also_from_the_first_time_on),
		TEST(also_at_the_start_of_another_process),
		TEST(also_when_a_file_changes),
		TEST(it_is_told_who_it_is),
		TEST(links_of_tc_likewise),
		TEST(what_never_lasts_is_given_up),
		TEST(an_edit_is_an_attempt_of_its_own),
		TEST(so_is_something_else_in_its_place),
		TEST(files_that_say_the_same_are_none),
		TEST(an_edit_of_others_is_none),
		TEST(who_goes_on_is_noticed_again_after_an_edit),
		TEST(edits_are_no_fight),
		TEST(interfaces_that_come_and_go_are_no_fight),
	};

	return cmocka_run_group_tests_name("recon_fights", tests, NULL, NULL);
}
