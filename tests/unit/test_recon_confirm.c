/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* A removal that waits for the word of the operator, and what that word is for. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "recon_fixture.h"

static void many_removals_wait_for_their_confirmation(void **state)
{
	struct fixture *f = *state;
	const char *before;

	write_text(f, "bpfshared.yaml", "mass_removal: {over_percent: 10, and_at_least: 1}\n");
	write_text(f, "d/b.yaml", ON("b", "eth1"));
	pass(f, FILES);
	before = ours(f);
	assert_int_equal(unlink(at(f, "d/b.yaml")), 0);
	pass(f, FILES);
	assert_string_equal(ours(f), before);
	assert_true(recon_plan(f->recon)->held_count > 0);
	assert_false(converged(f));
	/* A confirmation is for what was shown: more than that is held again. */
	assert_int_equal(recon_confirm(f->recon, NULL, &f->e), 0);
	assert_int_equal(unlink(at(f, "d/a.yaml")), 0);
	pass(f, FILES);
	assert_string_equal(ours(f), before);
	pass(f, KERNEL);
	assert_string_equal(ours(f), before);
	assert_int_equal(recon_confirm(f->recon, NULL, &f->e), 0);
	pass(f, KERNEL);
	assert_false(runs(f, "eth0", "a/") || runs(f, "eth1", "b/"));
	assert_true(converged(f));
}

/* Six objects at eth0 (a, b, c) and eth1 (d, e, f), under a guard of more than half and at least two. */
static void declare_six(struct fixture *f)
{
	write_text(f, "bpfshared.yaml", "mass_removal: {over_percent: 50, and_at_least: 3}\n");
	for (const char *name = "abcdef"; *name; name++)
		write_text(f, arena_printf(f->a, "d/%c.yaml", *name),
			   arena_printf(f->a,
					"objects: {%c: {file: test_trace.bpf.o, programs: "
					"{xdp_trace: {attach: [{xdp: {interface: eth%d}}]}}}}\n",
					*name, *name >= 'd'));
	pass(f, FILES);
	assert_true(converged(f));
}

static void undeclare(struct fixture *f, const char *names)
{
	for (; *names; names++)
		assert_return_code(unlink(at(f, arena_printf(f->a, "d/%c.yaml", *names))), errno);
}

static bool waits(struct fixture *f)
{
	return recon_plan(f->recon)->held_count > 0;
}

static const char *token(struct fixture *f)
{
	return arena_strdup(f->a, recon_plan(f->recon)->held_token);
}

/* Each is judged by what runs as a whole; by then more of that is there, or less of what goes. */
static void what_waits_goes_on_waiting(void **state)
{
	struct fixture *f = *state;
	const char *before;

	declare_six(f);
	undeclare(f, "abcd");
	pass(f, FILES);
	assert_true(waits(f));
	assert_int_equal(told(f, "operations wait for"), 1);
	before = ours(f);
	restart(f);
	pass(f, FILES);
	assert_true(waits(f));
	/* More is declared, so that four of six become four of sixteen. */
	add_interface(f, "eth2");
	for (char name = 'k'; name < 'u'; name++)
		write_text(f, arena_printf(f->a, "d/%c.yaml", name),
			   arena_printf(f->a,
					"objects: {%c: {file: test_trace.bpf.o, programs: "
					"{xdp_trace: {attach: [{xdp: {interface: eth2}}]}}}}\n",
					name));
	pass(f, FILES);
	assert_true(waits(f));
	assert_true(runs(f, "eth2", "k/") && runs(f, "eth2", "t/"));
	assert_true(runs(f, "eth0", "a/") && runs(f, "eth1", "d/"));
	restart(f);
	pass(f, FILES);
	assert_true(waits(f));
	/* What remains to go is less than the guard looks at. */
	kern_fake_remove_interface(f->kernel, "eth0");
	pass(f, KERNEL);
	assert_true(waits(f));
	assert_true(runs(f, "eth1", "d/"));
	/* Suspended, nothing waits for anybody, and afterwards it does again. */
	recon_suspend(f->recon, 0);
	pass(f, FILES);
	assert_int_equal(recon_confirm(f->recon, NULL, &f->e), -EBUSY);
	recon_resume(f->recon);
	pass(f, FILES);
	assert_true(waits(f));
	assert_true(runs(f, "eth1", "d/"));
	assert_int_equal(recon_confirm(f->recon, NULL, &f->e), 0);
	pass(f, KERNEL);
	assert_true(recon_confirmed(f->recon));
	assert_false(waits(f));
	assert_true(converged(f));
	assert_false(runs(f, "eth1", "d/"));
	assert_true(runs(f, "eth1", "e/"));
	assert_true(strlen(before) > 0);
}

/* What waits is put back where it ran, also by a process that never saw it there. */
static void drift_is_no_confirmation(void **state)
{
	struct fixture *f = *state;
	const char *before, *shown;

	declare_six(f);
	undeclare(f, "abcd");
	pass(f, FILES);
	before = ours(f);
	shown = token(f);
	for (int i = 0; i < 2; i++) {
		kern_fake_detach(f->kernel, "eth0"); /* nothing of it is declared any more */
		kern_fake_detach(f->kernel, "eth1");
		pass(f, KERNEL);
		assert_true(runs(f, "eth0", "a/") && runs(f, "eth0", "c/"));
		assert_true(runs(f, "eth1", "d/") && runs(f, "eth1", "e/"));
		assert_string_equal(token(f), shown);
		stop(f);
		kern_fake_detach(f->kernel, "eth0");
		start(f);
		pass(f, FILES);
		assert_string_equal(ours(f), before);
		assert_string_equal(token(f), shown);
	}
	assert_int_equal(recon_confirm(f->recon, shown, &f->e), 0);
	pass(f, KERNEL);
	assert_true(converged(f));
	assert_false(runs(f, "eth0", "a/") || runs(f, "eth1", "d/"));
	pass(f, KERNEL);
	assert_false(runs(f, "eth0", "a/") || runs(f, "eth1", "d/"));
	assert_int_equal(access(at(f, "waiting"), F_OK), -1);
}

/* Twelve things under a guard of more than half and at least eight: with the fourth object eight are gone. */
static void declare_slowly_removable(struct fixture *f)
{
	declare_six(f);
	write_text(f, "bpfshared.yaml", "mass_removal: {over_percent: 50, and_at_least: 8}\n");
	pass(f, FILES);
	f->now += 120 * SECOND;
	pass(f, KERNEL);
	assert_true(converged(f));
}

static void removals_in_quick_succession_are_one(void **state)
{
	struct fixture *f = *state;

	declare_slowly_removable(f);
	for (const char *name = "abc"; *name; name++) {
		undeclare(f, arena_strndup(f->a, name, 1));
		f->now += 5 * SECOND;
		pass(f, FILES);
		assert_true(converged(f));
	}
	undeclare(f, "d");
	f->now += 40 * SECOND;
	pass(f, FILES);
	assert_true(waits(f));
	assert_true(runs(f, "eth1", "d/"));
	undeclare(f, "e");
	f->now += 120 * SECOND; /* what waits does so whatever becomes of the others */
	pass(f, FILES);
	assert_true(waits(f));
	assert_true(runs(f, "eth1", "d/") && runs(f, "eth1", "e/"));
	/* That word is for all that went before as well. */
	assert_int_equal(recon_confirm(f->recon, NULL, &f->e), 0);
	pass(f, KERNEL);
	assert_true(converged(f));
	write_text(f, "d/nothing.yaml", "{}\n");
	undeclare(f, "f");
	pass(f, FILES);
	assert_true(converged(f));
	assert_string_equal(ours(f), "");
}

static void removals_over_a_long_time_never_wait(void **state)
{
	struct fixture *f = *state;

	declare_slowly_removable(f);
	write_text(f, "d/nothing.yaml", "{}\n");
	for (const char *name = "abcdef"; *name; name++) {
		undeclare(f, arena_strndup(f->a, name, 1));
		f->now += 21 * SECOND; /* three of them are six things */
		pass(f, FILES);
		assert_true(converged(f));
	}
	assert_string_equal(ours(f), "");
}

/* As many come as go, or the interface takes its part away. */
static void what_is_replaced_is_not_lost(void **state)
{
	struct fixture *f = *state;

	declare_slowly_removable(f);
	for (const char *name = "abcdef"; *name; name++) {
		write_text(f, arena_printf(f->a, "d/new-%c.yaml", *name),
			   arena_printf(f->a,
					"objects: {new-%c: {file: test_trace.bpf.o, programs: "
					"{xdp_trace: {attach: [{xdp: {interface: eth0}}]}}}}\n",
					*name));
		undeclare(f, arena_strndup(f->a, name, 1));
		pass(f, FILES);
		assert_true(converged(f));
	}
	kern_fake_remove_interface(f->kernel, "eth0");
	pass(f, KERNEL);
	assert_return_code(unlink(at(f, "d/new-a.yaml")), errno);
	pass(f, FILES);
	assert_false(waits(f));
}

static void a_file_that_comes_back_ends_the_wait(void **state)
{
	struct fixture *f = *state;
	const char *before;

	declare_six(f);
	before = ours(f);
	undeclare(f, "abcd");
	pass(f, FILES);
	assert_true(waits(f));
	declare_six(f);
	assert_false(waits(f));
	assert_string_equal(ours(f), before);
	assert_int_equal(told(f, "nothing waits any more"), 1);
	undeclare(f, "ab"); /* few enough, and nothing of the wait is left */
	pass(f, FILES);
	assert_true(converged(f));
	assert_false(runs(f, "eth0", "a/"));
	restart(f);
	undeclare(f, "c");
	pass(f, FILES);
	assert_true(converged(f));
}

/* It is for what was shown, once: not for what the files say by the time it arrives. */
static void a_confirmation_is_for_what_was_shown(void **state)
{
	struct fixture *f = *state;
	const char *before, *shown;

	declare_six(f);
	before = ours(f);
	assert_int_equal(recon_confirm(f->recon, NULL, &f->e), -ENOENT);
	undeclare(f, "abcd");
	pass(f, FILES);
	shown = token(f);
	undeclare(f, "e");
	assert_int_equal(recon_confirm(f->recon, shown, &f->e), 0);
	pass(f, FILES);
	assert_false(recon_confirmed(f->recon));
	assert_string_equal(ours(f), before);
	assert_true(waits(f));
	assert_int_equal(recon_confirm(f->recon, shown, &f->e), -ENOENT);
	assert_has(f->e.text, "no longer");
	assert_int_equal(recon_confirm(f->recon, "", &f->e), -ENOENT); /* stands for anything */
	/* Less than was shown is something else as well. */
	shown = token(f);
	write_text(f, "d/e.yaml", ON("e", "eth1"));
	assert_int_equal(recon_confirm(f->recon, shown, &f->e), 0);
	pass(f, FILES);
	assert_false(recon_confirmed(f->recon));
	assert_string_equal(ours(f), before);
	/* What is added beside it is not: the confirmation holds. */
	shown = arena_strndup(f->a, token(f), 12);
	write_text(f, "d/z.yaml", ON("z", "eth1"));
	assert_int_equal(recon_confirm(f->recon, shown, &f->e), 0);
	assert_int_equal(recon_confirm(f->recon, shown, &f->e), 0); /* twice */
	pass(f, FILES);
	assert_true(recon_confirmed(f->recon));
	assert_true(converged(f));
	assert_false(runs(f, "eth0", "a/"));
	assert_true(runs(f, "eth1", "z/"));
	assert_int_equal(recon_confirm(f->recon, shown, &f->e), -ENOENT);
	assert_int_equal(recon_confirm(f->recon, NULL, &f->e), -ENOENT);
}

/* What cannot be looked at confirms nothing, and what is there now is no answer to it later. */
static void a_confirmation_ends_with_a_pass_that_could_not_look(void **state)
{
	struct fixture *f = *state;

	declare_six(f);
	undeclare(f, "abcd");
	pass(f, FILES);
	assert_int_equal(recon_confirm(f->recon, NULL, &f->e), 0);
	blind(f, 0, 1);
	assert_int_equal(run(f, KERNEL), -EIO);
	assert_false(recon_confirmed(f->recon));
	pass(f, KERNEL);
	assert_true(waits(f));
	assert_true(runs(f, "eth0", "a/"));
}

/* A file of another boot, or of nobody, lets nothing wait that would not. */
static void a_stale_note_of_what_waits_is_none(void **state)
{
	struct fixture *f = *state;

	declare_six(f);
	write_text(f, "waiting", "6a5e0a4c-0000-0000-0000-000000000000\nnonsense\n");
	restart(f);
	undeclare(f, "ab");
	pass(f, FILES);
	assert_true(converged(f));
	assert_return_code(unlink(at(f, "waiting")), errno);
	assert_return_code(mkdir(at(f, "waiting"), 0755), errno);
	write_text(f, "d/nothing.yaml", "{}\n"); /* an empty directory would not say so */
	restart(f);
	undeclare(f, "cdef");
	pass(f, FILES);
	assert_true(waits(f));
	assert_int_equal(told(f, "judged by itself"), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(many_removals_wait_for_their_confirmation),
		TEST(what_waits_goes_on_waiting),
		TEST(drift_is_no_confirmation),
		TEST(removals_in_quick_succession_are_one),
		TEST(removals_over_a_long_time_never_wait),
		TEST(what_is_replaced_is_not_lost),
		TEST(a_file_that_comes_back_ends_the_wait),
		TEST(a_confirmation_is_for_what_was_shown),
		TEST(a_confirmation_ends_with_a_pass_that_could_not_look),
		TEST(a_stale_note_of_what_waits_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
