/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* Directories that cannot be looked at, and files and objects at fault: what is wanted then. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "recon_fixture.h"

/* --- directories ---------------------------------------------------------------------------------------- */

static void a_vanished_directory_is_no_wish(void **state)
{
	struct fixture *f = *state;
	const char *before = settled(f);

	assert_int_equal(rename(at(f, "d"), at(f, "away")), 0);
	pass(f, FILES);
	assert_string_equal(ours(f), before);
	assert_false(converged(f));
	assert_has(recon_trouble(f->recon), "vanished");
	assert_int_equal(recon_status(f->recon)->object_count, 1);
	kern_fake_detach(f->kernel, "eth0"); /* what is in force is still looked after */
	pass(f, FILES);
	assert_true(runs(f, "eth0", "a/"));
	assert_int_equal(mkdir(at(f, "d"), 0755), 0); /* whose files may follow */
	pass(f, FILES);
	assert_false(converged(f));
	assert_true(runs(f, "eth0", "a/"));
	write_text(f, "d/nothing.yaml", "# nothing\n");
	pass(f, FILES);
	assert_true(converged(f));
	assert_false(runs(f, "eth0", "a/"));
}

/* What is missed may be in a file that cannot be read: no other object is meant then. */
static void a_missed_object_may_be_in_an_invalid_file(void **state)
{
	struct fixture *f = *state;
	size_t found = 0;

	write_text(f, "d/m2.yaml",
		   "objects: {m2: {file: test_trace.bpf.o, maps: {trace: {use: m1/trace}}, "
		   "programs: {xdp_trace: {}}}}\n");
	write_text(f, "d/m1.yaml", "objects:\n  m1: {file: test_trace.bpf.o\n");
	pass(f, FILES);
	for (size_t i = 0; i < recon_status(f->recon)->object_count; i++) {
		const struct status_object *o = &recon_status(f->recon)->objects[i];

		if (strcmp(o->name, "m2") != 0)
			continue;
		found++;
		assert_has(o->condition.message, "no file declares the object 'm1'");
		assert_has(o->condition.message, "m1.yaml:");
		assert_has(o->condition.message, "which is invalid (FileInvalid)");
		assert_null(strstr(o->condition.message, "did you mean"));
	}
	assert_int_equal(found, 1);
}

static void a_start_without_any_directory_changes_nothing(void **state)
{
	struct fixture *f = *state;
	const char *before = settled(f);

	assert_int_equal(rename(at(f, "d"), at(f, "away")), 0);
	pass_anew(f);
	assert_string_equal(ours(f), before);
	assert_int_equal(recon_operations(f->recon), 0);
	assert_false(converged(f));
	assert_has(recon_trouble(f->recon), "has vanished");
	assert_false(recon_status(f->recon)->suspended);
	assert_int_equal(rename(at(f, "away"), at(f, "d")), 0);
	pass(f, FILES);
	assert_true(converged(f));
	assert_int_equal(recon_operations(f->recon), 0);
}

/* That the other one is there, and empty, says nothing about the first. */
static void a_directory_that_an_earlier_process_saw_is_missed(void **state)
{
	struct fixture *f = *state;
	const char *before;

	f->directory_count = 2;
	assert_return_code(mkdir(at(f, "v"), 0755), errno);
	restart(f);
	before = settled(f);
	assert_return_code(rename(at(f, "d"), at(f, "away")), errno);
	restart(f);
	for (size_t i = 0; i < 2; i++) {
		pass(f, FILES);
		assert_string_equal(ours(f), before);
		assert_has(recon_trouble(f->recon), "has vanished");
	}
	assert_return_code(mkdir(at(f, "d"), 0755), errno);
	pass(f, FILES);
	assert_string_equal(ours(f), before);
	write_text(f, "d/nothing.yaml", "{}\n");
	pass(f, FILES);
	assert_true(converged(f));
	assert_false(runs(f, "eth0", "a/"));
}

/* A directory that was never there is none. */
static void a_directory_that_nobody_ever_saw_is_not_missed(void **state)
{
	struct fixture *f = *state;

	f->directory_count = 2;
	pass_anew(f);
	assert_true(converged(f));
	pass_anew(f);
	assert_true(converged(f));
}

static void move(struct fixture *f, const char *from, const char *to)
{
	assert_return_code(rename(at(f, from), at(f, to)), errno);
}

/* Two objects, each in a file of its own, as the directory has them. */
static void settle_two(struct fixture *f)
{
	write_text(f, "d/b.yaml", ON("b", "eth1"));
	pass(f, FILES);
	assert_true(converged(f));
}

static void assert_both_run(struct fixture *f)
{
	assert_true(runs(f, "eth0", "a/"));
	assert_true(runs(f, "eth1", "b/"));
}

/* Whoever restores files does so one by one. */
static void what_was_unknown_may_come_back_slowly(void **state)
{
	struct fixture *f = *state;

	settle_two(f);
	stop(f);
	move(f, "d/a.yaml", "a.yaml");
	move(f, "d/b.yaml", "b.yaml");
	start(f);
	pass(f, FILES);
	assert_both_run(f);
	move(f, "a.yaml", "d/a.yaml");
	for (size_t i = 0; i < 3; i++) {
		f->now += SECOND;
		pass(f, FILES);
		assert_both_run(f);
		assert_false(converged(f));
	}
	move(f, "b.yaml", "d/b.yaml");
	pass(f, FILES);
	assert_both_run(f);
	assert_true(converged(f));
	f->now += 100 * SECOND;
	assert_return_code(unlink(at(f, "d/b.yaml")), errno); /* nothing is doubtful any more */
	pass(f, FILES);
	assert_true(converged(f));
	assert_false(runs(f, "eth1", "b/"));
}

static void so_may_those_of_a_directory_that_is_made_again(void **state)
{
	struct fixture *f = *state;

	settle_two(f);
	move(f, "d", "away");
	pass(f, FILES);
	assert_return_code(mkdir(at(f, "d"), 0755), errno);
	pass(f, FILES);
	assert_both_run(f);
	copy_object(f, "test_trace.bpf.o");
	write_text(f, "d/b.yaml", ON("b", "eth1"));
	pass(f, FILES);
	assert_both_run(f);
	assert_false(converged(f));
	assert_int_equal(recon_confirm(f->recon, NULL, &f->e), 0); /* the other is not wanted */
	pass(f, KERNEL);
	assert_true(converged(f));
	assert_false(runs(f, "eth0", "a/"));
	f->now += 100 * SECOND;
	write_text(f, "d/b.yaml", "{}\n");
	pass(f, FILES);
	assert_true(converged(f));
	assert_false(runs(f, "eth1", "b/"));
}

static void another_empty_directory_is_not_that_one(void **state)
{
	struct fixture *f = *state;
	const char *before = settled(f);

	assert_return_code(mkdir(at(f, "other"), 0755), errno);
	move(f, "d", "away");
	move(f, "other", "d");
	pass(f, FILES);
	assert_string_equal(ours(f), before);
	assert_false(converged(f));
	assert_has(recon_trouble(f->recon), "now is another one");
}

/* A directory in it, or a file that nobody understands, is no word. */
static void what_says_nothing_does_not_speak(void **state)
{
	struct fixture *f = *state;
	const char *before = settled(f);

	stop(f);
	move(f, "d/a.yaml", "a.yaml");
	assert_return_code(mkdir(at(f, "d/lost+found"), 0755), errno);
	write_text(f, "d/x.yaml", "");
	start(f);
	pass(f, FILES);
	assert_string_equal(ours(f), before);
	assert_false(converged(f));
	assert_has(recon_trouble(f->recon), "says what is wanted, but object a came from there");
}

/* What an unmounted volume leaves: only the kernel knows that there was more. */
static void a_start_with_an_emptied_directory_changes_nothing(void **state)
{
	struct fixture *f = *state;
	const char *before = settled(f);

	stop(f);
	assert_return_code(rename(at(f, "d/a.yaml"), at(f, "a.yaml")), errno);
	start(f);
	for (size_t i = 0; i < 2; i++) {
		pass(f, FILES);
		assert_string_equal(ours(f), before);
		assert_int_equal(recon_operations(f->recon), 0);
		assert_false(converged(f));
		assert_has(recon_trouble(f->recon),
			   "says what is wanted, but object a came from there");
	}
	assert_return_code(rename(at(f, "a.yaml"), at(f, "d/a.yaml")), errno);
	pass(f, FILES);
	assert_true(converged(f));
	assert_string_equal(ours(f), before);
	assert_return_code(unlink(at(f, "d/a.yaml")), errno); /* seen by the same process: a wish */
	pass(f, FILES);
	assert_true(converged(f));
	assert_false(runs(f, "eth0", "a/"));
	restart(f); /* and of nothing, nothing is missed */
	pass(f, FILES);
	assert_true(converged(f));
}

static void a_file_without_declarations_says_nothing_is_wanted(void **state)
{
	static const char *const texts[] = { "# nothing\n", "{}\n" };
	struct fixture *f = *state;

	for (size_t i = 0; i < 2; i++) {
		write_text(f, "d/a.yaml", ON("a", "eth0"));
		pass(f, FILES);
		assert_true(runs(f, "eth0", "a/"));
		stop(f);
		assert_return_code(unlink(at(f, "d/a.yaml")), errno);
		start(f);
		pass(f, FILES);
		assert_true(runs(f, "eth0", "a/"));
		write_text(f, "d/nothing.yaml", texts[i]);
		pass(f, FILES);
		assert_true(converged(f));
		assert_false(runs(f, "eth0", "a/"));
		assert_return_code(unlink(at(f, "d/nothing.yaml")), errno);
	}
}

/* While no process looked; what is declared elsewhere now is not missed. */
static void a_directory_whose_files_moved_may_be_empty(void **state)
{
	struct fixture *f = *state;

	f->directory_count = 2;
	assert_return_code(mkdir(at(f, "v"), 0755), errno);
	pass_anew(f);
	stop(f);
	assert_return_code(rename(at(f, "d/a.yaml"), at(f, "v/a.yaml")), errno);
	assert_return_code(rename(at(f, "d/test_trace.bpf.o"), at(f, "v/test_trace.bpf.o")), errno);
	start(f);
	pass(f, FILES);
	assert_true(converged(f));
	assert_true(runs(f, "eth0", "a/"));
}

/* What is not seen is not forgotten: the store is for the time after as well. */
static void a_start_without_a_directory_forgets_nothing(void **state)
{
	struct fixture *f = *state;
	const char *before = settled(f);

	assert_return_code(rename(at(f, "d"), at(f, "away")), errno);
	pass_anew(f);
	assert_return_code(rename(at(f, "away"), at(f, "d")), errno);
	write_text(f, "d/a.yaml", "objects: {a: {fil: test_trace.bpf.o}}\n");
	pass_anew(f);
	assert_int_equal(file(f, "a.yaml")->in_force, IN_FORCE_PREVIOUS);
	assert_string_equal(ours(f), before);
}

/* --- last good versions ------------------------------------------------------------------------------------ */

#define BROKEN "objects: {a: {file: test_trace.bpf.o, programms: {}}}\n"

static void a_broken_file_keeps_its_last_good_version(void **state)
{
	struct fixture *f = *state;
	const char *before = settled(f);

	write_text(f, "d/a.yaml", BROKEN);
	pass(f, FILES);
	assert_false(converged(f));
	assert_int_equal(file(f, "a.yaml")->state, FILE_INVALID);
	assert_int_equal(file(f, "a.yaml")->in_force, IN_FORCE_PREVIOUS);
	assert_string_equal(ours(f), before);
	pass_anew(f);
	assert_int_equal(file(f, "a.yaml")->in_force, IN_FORCE_PREVIOUS);
	assert_string_equal(ours(f), before);
	assert_int_equal(recon_operations(f->recon), 0);
	write_text(f, "d/a.yaml", ON("a", "eth1"));
	pass(f, FILES);
	assert_true(converged(f));
	assert_true(runs(f, "eth1", "a/"));
}

/* The object file is kept with the text: it may have been replaced in the meantime. */
static void the_object_file_is_kept_as_well(void **state)
{
	struct fixture *f = *state;
	const char *before = settled(f);

	write_text(f, "d/a.yaml", BROKEN);
	write_text(f, "d/test_trace.bpf.o", "no object file");
	pass_anew(f);
	assert_string_equal(ours(f), before);
	assert_int_equal(recon_status(f->recon)->objects[0].condition.state, STATE_READY);
}

/* Nothing of ours is left in the kernel, as after a boot; the state directory is. */
static void reboot(struct fixture *f)
{
	stop(f);
	assert_string_equal(kern_fake_violations(f->kernel), "");
	kern_fake_free(f->kernel);
	f->kernel = kern_fake_new();
	add_interface(f, "eth0");
	add_interface(f, "eth1");
	start(f);
}

static void assert_object(struct fixture *f, enum state state, enum in_force in_force,
			  const char *reason)
{
	const struct status_object *o = &recon_status(f->recon)->objects[0];

	assert_int_equal(o->condition.state, state);
	assert_int_equal(o->in_force, in_force);
	if (reason && *reason)
		assert_string_equal(o->condition.reason, reason);
	else
		assert_int_equal(!reason, !o->condition.reason);
}

#define ANY_REASON ""

/* While its YAML is fine: over changes, restarts and boots, what was good last is what is loaded. */
static void an_object_file_at_fault_keeps_its_last_good_version(void **state)
{
	struct fixture *f = *state;
	const char *before, *generation;

	before = settled(f);
	generation = arena_strdup(f->a, recon_status(f->recon)->generation);
	write_text(f, "d/test_trace.bpf.o", "no object file");
	pass(f, FILES);
	assert_string_equal(ours(f), before);
	assert_false(converged(f));
	assert_object(f, STATE_FAILED, IN_FORCE_PREVIOUS, "NotElf");
	assert_has(recon_status(f->recon)->objects[0].condition.message,
		   "its last good version stays in force");
	assert_string_not_equal(recon_status(f->recon)->generation, generation);
	reboot(f);
	pass(f, FILES);
	assert_string_equal(ours(f), before);
	assert_object(f, STATE_FAILED, IN_FORCE_PREVIOUS, "NotElf");
	assert_false(converged(f));
	assert_return_code(unlink(at(f, "d/test_trace.bpf.o")), errno);
	write_text(f, "d/b.yaml", "objects: {}\n"); /* a change, after which all is kept anew */
	reboot(f);
	pass(f, FILES);
	assert_string_equal(ours(f), before);
	assert_object(f, STATE_FAILED, IN_FORCE_PREVIOUS, "ObjectMissing");
	write_text(f, "d/a.yaml", ON("a", "eth1")); /* the declaration is followed */
	pass(f, FILES);
	assert_true(runs(f, "eth1", "a/"));
	reboot(f);
	pass(f, FILES);
	assert_true(runs(f, "eth1", "a/"));
	copy_object(f, "test_trace.bpf.o");
	pass(f, FILES);
	assert_true(converged(f));
	assert_object(f, STATE_READY, IN_FORCE_DECLARED, NULL);
}

/* What the last good version cannot do is not asked of it: nothing is loaded that was not declared. */
static void a_last_good_object_that_lacks_a_program_is_not_used(void **state)
{
	struct fixture *f = *state;

	pass(f, FILES);
	write_text(f, "d/test_trace.bpf.o", "no object file");
	write_text(f, "d/a.yaml",
		   "objects: {a: {file: test_trace.bpf.o, programs: {other: {}}}}\n");
	pass(f, FILES);
	assert_object(f, STATE_FAILED, IN_FORCE_PREVIOUS, "NotElf");
	reboot(f);
	pass(f, FILES);
	assert_string_equal(ours(f), "");
	assert_object(f, STATE_FAILED, IN_FORCE_NONE, "NotElf");
}

static void other_content_than_declared_is_not_used(void **state)
{
	static const char format[] =
		"objects: {a: {file: test_trace.bpf.o, sha256: %s, programs: {xdp_trace: "
		"{attach: [{xdp: {interface: eth0}}]}}}}\n";
	static const char zeros[] =
		"0000000000000000000000000000000000000000000000000000000000000000";
	struct fixture *f = *state;
	const char *before, *hash;

	before = settled(f);
	hash = arena_strdup(f->a, recon_generation(f->recon)->desired.objects[0].source->sha256);
	write_text(f, "d/a.yaml", arena_printf(f->a, format, hash));
	pass(f, FILES);
	assert_true(converged(f));
	copy_object(f, "test_version_1.bpf.o");
	assert_return_code(rename(at(f, "d/test_version_1.bpf.o"), at(f, "d/test_trace.bpf.o")),
			   errno);
	reboot(f);
	pass(f, FILES);
	assert_string_equal(ours(f), before);
	assert_object(f, STATE_FAILED, IN_FORCE_PREVIOUS, "Sha256Mismatch");
	write_text(f, "d/a.yaml", arena_printf(f->a, format, zeros));
	reboot(f);
	pass(f, FILES);
	assert_string_equal(ours(f), "");
	assert_object(f, STATE_FAILED, IN_FORCE_NONE, "Sha256Mismatch");
}

/* The same name and content in another directory is the same generation, and another path. */
static void a_file_that_moves_is_kept_where_it_is(void **state)
{
	struct fixture *f = *state;
	const char *before;

	f->directory_count = 2;
	assert_return_code(mkdir(at(f, "v"), 0755), errno);
	restart(f);
	before = settled(f);
	assert_return_code(link(at(f, "d/test_trace.bpf.o"), at(f, "v/test_trace.bpf.o")), errno);
	assert_return_code(rename(at(f, "d/a.yaml"), at(f, "v/a.yaml")), errno);
	pass(f, FILES);
	assert_true(converged(f));
	write_text(f, "v/a.yaml", "objects: {a: {fil: test_trace.bpf.o}}\n");
	reboot(f);
	pass(f, FILES);
	assert_int_equal(file(f, "a.yaml")->in_force, IN_FORCE_PREVIOUS);
	assert_string_equal(ours(f), before);
}

/* A state directory that goes while the daemon runs, as when one is mounted over it. */
static void a_store_that_was_removed_is_made_again(void **state)
{
	struct fixture *f = *state;

	pass(f, FILES);
	assert_int_equal(nftw(at(f, "state"), remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
	write_text(f, "d/b.yaml", ON("b", "eth1"));
	pass(f, FILES);
	assert_int_equal(told(f, "last good"), 0);
	write_text(f, "d/a.yaml", "objects: {a: {fil: test_trace.bpf.o}}\n");
	reboot(f);
	pass(f, FILES);
	assert_int_equal(file(f, "a.yaml")->in_force, IN_FORCE_PREVIOUS);
	assert_true(runs(f, "eth0", "a/"));
}

/* Likewise an object alone: that it was stored once is no proof that it is. */
static void a_kept_object_that_was_removed_is_kept_again(void **state)
{
	struct fixture *f = *state;

	pass(f, FILES);
	assert_int_equal(nftw(at(f, "state/objects"), remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
	assert_return_code(mkdir(at(f, "state/objects"), 0700), errno);
	write_text(f, "d/b.yaml", ON("b", "eth1"));
	pass(f, FILES);
	assert_int_equal(told(f, "last good"), 0);
	write_text(f, "d/test_trace.bpf.o", "no object file");
	reboot(f);
	pass(f, FILES);
	assert_true(runs(f, "eth0", "a/") && runs(f, "eth1", "b/"));
}

/* The same program, built anew: other bytes. */
static void install_other(struct fixture *f)
{
	FILE *file;

	copy_object(f, "test_trace.bpf.o");
	file = fopen(at(f, "d/test_trace.bpf.o"), "ae");
	assert_non_null(file);
	assert_int_equal(fputc('\n', file), '\n');
	assert_int_equal(fclose(file), 0);
}

/* An upgrade that the kernel refuses is not what a boot finds: the program before it is. */
static void what_the_kernel_refuses_is_not_the_last_good(void **state)
{
	struct fixture *f = *state;
	const char *before, *refused;

	before = settled(f);
	install_other(f);
	blind(f, 0, 1); /* its hash is wanted first */
	(void)run(f, FILES);
	refused = arena_strdup(f->a, recon_generation(f->recon)->desired.objects[0].source->sha256);
	kern_fake_refuse_content(f->kernel, refused);
	pass(f, FILES);
	assert_string_equal(ours(f), before);
	assert_object(f, STATE_FAILED, IN_FORCE_PREVIOUS, ANY_REASON);
	pass_anew(f);
	assert_string_equal(ours(f), before);
	for (size_t i = 0; i < 2; i++) {
		reboot(f);
		kern_fake_refuse_content(f->kernel, refused);
		pass(f, FILES);
		assert_string_equal(ours(f), before);
		assert_object(f, STATE_FAILED, IN_FORCE_PREVIOUS, ANY_REASON);
		assert_has(recon_status(f->recon)->objects[0].condition.message,
			   "its last good version stays in force");
		assert_false(converged(f));
	}
	pass(f, FILES);
	pass(f, KERNEL | RECON_DIRTY_RETRY); /* tried again; what runs stays */
	assert_string_equal(ours(f), before);
	assert_object(f, STATE_FAILED, IN_FORCE_PREVIOUS, ANY_REASON);
	write_text(f, "d/b.yaml", ON("b", "eth1")); /* the first that names it has nothing else */
	pass(f, FILES);
	assert_true(runs(f, "eth0", "a/"));
	assert_false(runs(f, "eth1", "b/"));
	assert_return_code(unlink(at(f, "d/b.yaml")), errno);
	copy_object(f, "test_trace.bpf.o");
	pass(f, FILES);
	assert_true(converged(f));
	assert_object(f, STATE_READY, IN_FORCE_DECLARED, NULL);
}

static bool has_diag(struct fixture *f, const char *part)
{
	const struct diags *d = &recon_generation(f->recon)->diags;

	for (size_t i = 0; i < d->list.n; i++)
		if (strstr(d->list.v[i].message, part))
			return true;
	return false;
}

static void a_damaged_last_good_version_is_told(void **state)
{
	struct fixture *f = *state;

	pass(f, FILES);
	damage_all(f, "state/files");
	write_text(f, "d/a.yaml", BROKEN);
	pass_anew(f);
	assert_true(has_diag(f, "is damaged"));
	assert_int_equal(file(f, "a.yaml")->in_force, IN_FORCE_NONE);
	assert_true(runs(f, "eth0", "a/")); /* what an invalid file declared is not removed */
}

static void a_damaged_kept_object_is_told(void **state)
{
	struct fixture *f = *state;

	pass(f, FILES);
	damage_all(f, "state/objects");
	write_text(f, "d/a.yaml", BROKEN);
	pass_anew(f);
	assert_true(has_diag(f, "was damaged"));
	assert_int_equal(file(f, "a.yaml")->in_force, IN_FORCE_PREVIOUS);
	assert_int_equal(recon_operations(f->recon), 0);
}

static void a_store_that_cannot_be_used_is_told_once(void **state)
{
	struct fixture *f = *state;

	stop(f);
	(void)nftw(at(f, "state"), remove_one, 16, FTW_DEPTH | FTW_PHYS);
	write_text(f, "state", "in the way");
	start(f);
	pass(f, FILES);
	assert_true(converged(f));
	assert_int_equal(told(f, "last good versions"), 1);
	assert_has(recon_warning(f->recon), "in memory only");
	assert_has(recon_warning(f->recon), "bpfsharectl reload");
	write_text(f, "d/b.yaml", ON("b", "eth1"));
	pass(f, FILES);
	pass(f, FILES);
	assert_int_equal(told(f, "last good versions"), 1);
	write_text(f, "d/a.yaml", BROKEN); /* memory has it */
	pass(f, FILES);
	assert_int_equal(file(f, "a.yaml")->in_force, IN_FORCE_PREVIOUS);
	assert_true(has_diag(f, "last good versions"));
	write_text(f, "d/a.yaml", ON("a", "eth0"));
	pass(f, FILES);
	assert_int_equal(unlink(at(f, "state")), 0);
	pass(f, FILES); /* nothing changed; what could not be kept is kept now */
	assert_int_equal(told(f, "kept on disk again"), 1);
	assert_null(recon_warning(f->recon));
	write_text(f, "d/a.yaml", BROKEN);
	pass_anew(f);
	assert_int_equal(file(f, "a.yaml")->in_force, IN_FORCE_PREVIOUS);
}

/* What the store could not take is newer than what it has. */
static void memory_is_newer_than_a_store_that_failed(void **state)
{
	struct fixture *f = *state;
	const char *before;

	pass(f, FILES);
	/* Nothing more can be written: the name of new files is taken by a directory. */
	assert_int_equal(mkdir(at(f, "state/files/.new"), 0755), 0);
	write_text(f, "d/a.yaml", ON("a", "eth1"));
	pass(f, FILES);
	assert_int_equal(told(f, "no last good version can be kept"), 1);
	assert_true(runs(f, "eth1", "a/"));
	before = ours(f);
	write_text(f, "d/a.yaml", BROKEN);
	pass(f, FILES);
	assert_string_equal(ours(f), before);
	assert_int_equal(rmdir(at(f, "state/files/.new")), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_vanished_directory_is_no_wish),
		TEST(a_missed_object_may_be_in_an_invalid_file),
		TEST(a_start_without_any_directory_changes_nothing),
		TEST(a_directory_that_an_earlier_process_saw_is_missed),
		TEST(a_directory_that_nobody_ever_saw_is_not_missed),
		TEST(a_start_with_an_emptied_directory_changes_nothing),
		TEST(what_was_unknown_may_come_back_slowly),
		TEST(so_may_those_of_a_directory_that_is_made_again),
		TEST(another_empty_directory_is_not_that_one),
		TEST(what_says_nothing_does_not_speak),
		TEST(a_file_without_declarations_says_nothing_is_wanted),
		TEST(a_directory_whose_files_moved_may_be_empty),
		TEST(a_start_without_a_directory_forgets_nothing),
		TEST(a_broken_file_keeps_its_last_good_version),
		TEST(an_object_file_at_fault_keeps_its_last_good_version),
		TEST(a_last_good_object_that_lacks_a_program_is_not_used),
		TEST(other_content_than_declared_is_not_used),
		TEST(what_the_kernel_refuses_is_not_the_last_good),
		TEST(a_file_that_moves_is_kept_where_it_is),
		TEST(a_store_that_was_removed_is_made_again),
		TEST(a_kept_object_that_was_removed_is_kept_again),
		TEST(the_object_file_is_kept_as_well),
		TEST(a_damaged_last_good_version_is_told),
		TEST(a_damaged_kept_object_is_told),
		TEST(a_store_that_cannot_be_used_is_told_once),
		TEST(memory_is_newer_than_a_store_that_failed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
