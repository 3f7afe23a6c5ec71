/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * recon over the fake kernel, with the real loader on real directories: what a pass concludes from
 * files and kernel, what stays when it cannot look, and what the next process knows.
 */
#include "recon/recon.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/str.h"
#include "fake/kern_fake.h"

#define SECOND 1000000000ull

struct fixture {
	struct arena *a;
	char *top;
	const char *directories[2]; /* d, and on demand v */
	size_t directory_count;
	struct kern_fake *kernel;
	size_t observations, blind_from, blind_for; /* observations that fail, by number from 1 */
	struct loader *loader;
	struct recon *recon;
	uint64_t now;
	struct error e;
};

/* --- the kernel, which can refuse to be looked at -------------------------------------------- */

static int observe(void *ctx, struct arena *a, const struct observe_request *want,
		   struct observed *ret, struct error *e)
{
	struct fixture *f = ctx;
	size_t number = ++f->observations;

	if (number >= f->blind_from && number - f->blind_from < f->blind_for)
		return error_set(e, -EIO, "netlink: %s", error_string(EIO));
	return kern_fake_ops.observe(f->kernel, a, want, ret, e);
}

static void begin(void *ctx)
{
	kern_fake_ops.begin(((struct fixture *)ctx)->kernel);
}

static void apply(void *ctx, struct arena *a, const struct op *op, struct op_result *ret)
{
	kern_fake_ops.apply(((struct fixture *)ctx)->kernel, a, op, ret);
}

static const struct kern_ops blinking_ops = { .observe = observe, .begin = begin, .apply = apply };

/* This many observations fail, after so many that do not. */
static void blind(struct fixture *f, size_t after, size_t n)
{
	f->blind_from = f->observations + 1 + after;
	f->blind_for = n;
}

/* --- the place --------------------------------------------------------------------------------- */

static const char *at(struct fixture *f, const char *path)
{
	return arena_printf(f->a, "%s/%s", f->top, path);
}

static void write_bytes(struct fixture *f, const char *path, const void *data, size_t size)
{
	const char *fresh = at(f, ".new");
	int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_return_code(fd, errno);
	assert_int_equal(write(fd, data, size), (ssize_t)size);
	(void)close(fd);
	assert_return_code(rename(fresh, at(f, path)), errno);
}

static void write_text(struct fixture *f, const char *path, const char *text)
{
	write_bytes(f, path, text, strlen(text));
}

static void copy_object(struct fixture *f, const char *name)
{
	const char *build = getenv("abs_top_builddir");
	FILE *in = fopen(arena_printf(f->a, "%s/bpf/%s", build ? build : ".", name), "re");
	cleanup(strbuf_done) struct strbuf b = { 0 };
	char chunk[4096];
	size_t n;

	if (!in)
		fail_msg("%s: %s", name, strerror(errno));
	while ((n = fread(chunk, 1, sizeof(chunk), in)) > 0)
		strbuf_addn(&b, chunk, n);
	(void)fclose(in);
	write_bytes(f, arena_printf(f->a, "d/%s", name), strbuf_get(&b), b.len);
}

#define ON(name, interface)                                                   \
	"objects: {" name ": {file: test_trace.bpf.o, programs: {xdp_trace: " \
	"{attach: [{xdp: {interface: " interface "}}]}}}}\n"

static void add_interface(struct fixture *f, const char *name)
{
	kern_fake_set_interface(
		f->kernel, &(struct observed_interface){ .name = name, .mtu = 1500, .up = true });
}

/* A new process on the same node. */
static void start(struct fixture *f)
{
	const struct loader_options lo = {
		.directories = { .v = f->directories, .n = f->directory_count },
		.settings_path = at(f, "bpfshared.yaml"),
		.state_dir = at(f, "state"),
		.any_owner = true,
	};
	struct recon_options ro = {
		.ops = &blinking_ops,
		.ctx = f,
		.run_dir = "/run/bpfshare",
		.waiting_path = at(f, "waiting"),
		.node = { .host = "node", .arch = "x86_64", .kernel = { 6, 12, 0 } },
	};

	assert_int_equal(loader_new(&lo, &f->loader, &f->e), 0);
	ro.loader = f->loader;
	assert_int_equal(recon_new(&ro, &f->recon, &f->e), 0);
}

static void stop(struct fixture *f)
{
	recon_free(f->recon);
	loader_free(f->loader);
	f->recon = NULL;
	f->loader = NULL;
}

static void restart(struct fixture *f)
{
	stop(f);
	start(f);
}

static void silence(enum log_level level, const char *const *fields, const char *text)
{
	(void)level;
	(void)fields;
	(void)text;
}

static int setup(void **state)
{
	struct fixture *f = xnew(struct fixture);
	const char *tmp = getenv("TMPDIR");

	f->a = arena_new();
	f->top = xasprintf("%s/recon.XXXXXX", tmp && *tmp ? tmp : "/tmp");
	f->kernel = kern_fake_new();
	f->now = 1000 * SECOND;
	if (!mkdtemp(f->top))
		return -1;
	log_set_sink(silence);
	f->directories[0] = at(f, "d");
	f->directories[1] = at(f, "v");
	f->directory_count = 1;
	assert_return_code(mkdir(f->directories[0], 0755), errno);
	copy_object(f, "test_trace.bpf.o");
	write_text(f, "d/a.yaml", ON("a", "eth0"));
	add_interface(f, "eth0");
	add_interface(f, "eth1");
	start(f);
	*state = f;
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	stop(f);
	assert_string_equal(kern_fake_violations(f->kernel), "");
	kern_fake_free(f->kernel);
	(void)nftw(f->top, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	free(f->top);
	arena_free(f->a);
	free(f);
	return 0;
}

/* --- words --------------------------------------------------------------------------------------- */

#define FILES  (RECON_DIRTY_FILES | RECON_DIRTY_KERNEL)
#define KERNEL RECON_DIRTY_KERNEL

static int run(struct fixture *f, unsigned int dirty)
{
	f->now += SECOND / 100;
	f->e.text[0] = 0;
	return recon_run(f->recon, dirty, f->now, &f->e);
}

static void pass(struct fixture *f, unsigned int dirty)
{
	if (run(f, dirty) < 0)
		fail_msg("%s", f->e.text);
}

static bool converged(struct fixture *f)
{
	return recon_status(f->recon)->converged;
}

static void assert_has(const char *text, const char *part)
{
	if (!text || !strstr(text, part))
		fail_msg("\"%s\" not in \"%s\"", part, text ? text : "(null)");
}

static bool runs(struct fixture *f, const char *interface, const char *object)
{
	return strstr(kern_fake_chain(f->kernel, f->a, interface), object) != NULL;
}

static const char *ours(struct fixture *f)
{
	return kern_fake_ours(f->kernel, f->a);
}

/* How many events say this. */
static size_t told(struct fixture *f, const char *part)
{
	const struct recon_event *e;
	uint64_t last = 0;
	size_t n = 0;

	while ((e = recon_event_next(f->recon, last))) {
		n += strstr(e->message, part) != NULL;
		last = e->sequence;
	}
	return n;
}

static const struct desired_file *file(struct fixture *f, const char *name)
{
	const struct status *st = recon_status(f->recon);

	for (size_t i = 0; i < st->file_count; i++)
		if (str_ends(st->files[i].path, name))
			return &st->files[i];
	fail_msg("no file %s", name);
	return NULL;
}

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

/* --- directories ---------------------------------------------------------------------------------------- */

static void a_vanished_directory_is_no_wish(void **state)
{
	struct fixture *f = *state;
	const char *before;

	pass(f, FILES);
	before = ours(f);
	assert_int_equal(rename(at(f, "d"), at(f, "away")), 0);
	pass(f, FILES);
	assert_string_equal(ours(f), before);
	assert_false(converged(f));
	assert_has(recon_trouble(f->recon), "vanished");
	assert_int_equal(recon_status(f->recon)->object_count, 1);
	kern_fake_detach(f->kernel, "eth0"); /* what is in force is still looked after */
	pass(f, FILES);
	assert_true(runs(f, "eth0", "a/"));
	assert_int_equal(mkdir(at(f, "d"), 0755), 0);
	pass(f, FILES);
	assert_true(converged(f));
	assert_false(runs(f, "eth0", "a/"));
}

static void a_start_without_any_directory_changes_nothing(void **state)
{
	struct fixture *f = *state;
	const char *before;

	pass(f, FILES);
	before = ours(f);
	assert_int_equal(rename(at(f, "d"), at(f, "away")), 0);
	restart(f);
	pass(f, FILES);
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
	pass(f, FILES);
	before = ours(f);
	assert_return_code(rename(at(f, "d"), at(f, "away")), errno);
	restart(f);
	for (size_t i = 0; i < 2; i++) {
		pass(f, FILES);
		assert_string_equal(ours(f), before);
		assert_has(recon_trouble(f->recon), "has vanished");
	}
	assert_return_code(mkdir(at(f, "d"), 0755), errno); /* empty: nothing is wanted */
	pass(f, FILES);
	assert_true(converged(f));
	assert_false(runs(f, "eth0", "a/"));
}

/* A directory that was never there is none. */
static void a_directory_that_nobody_ever_saw_is_not_missed(void **state)
{
	struct fixture *f = *state;

	f->directory_count = 2;
	restart(f);
	pass(f, FILES);
	assert_true(converged(f));
	restart(f);
	pass(f, FILES);
	assert_true(converged(f));
}

/* What is not seen is not forgotten: the store is for the time after as well. */
static void a_start_without_a_directory_forgets_nothing(void **state)
{
	struct fixture *f = *state;
	const char *before;

	pass(f, FILES);
	before = ours(f);
	assert_return_code(rename(at(f, "d"), at(f, "away")), errno);
	restart(f);
	pass(f, FILES);
	assert_return_code(rename(at(f, "away"), at(f, "d")), errno);
	write_text(f, "d/a.yaml", "objects: {a: {fil: test_trace.bpf.o}}\n");
	restart(f);
	pass(f, FILES);
	assert_int_equal(file(f, "a.yaml")->in_force, IN_FORCE_PREVIOUS);
	assert_string_equal(ours(f), before);
}

/* --- last good versions ------------------------------------------------------------------------------------ */

#define BROKEN "objects: {a: {file: test_trace.bpf.o, programms: {}}}\n"

static void a_broken_file_keeps_its_last_good_version(void **state)
{
	struct fixture *f = *state;
	const char *before;

	pass(f, FILES);
	before = ours(f);
	write_text(f, "d/a.yaml", BROKEN);
	pass(f, FILES);
	assert_false(converged(f));
	assert_int_equal(file(f, "a.yaml")->state, FILE_INVALID);
	assert_int_equal(file(f, "a.yaml")->in_force, IN_FORCE_PREVIOUS);
	assert_string_equal(ours(f), before);
	restart(f);
	pass(f, FILES);
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
	const char *before;

	pass(f, FILES);
	before = ours(f);
	write_text(f, "d/a.yaml", BROKEN);
	write_text(f, "d/test_trace.bpf.o", "no object file");
	restart(f);
	pass(f, FILES);
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

	pass(f, FILES);
	before = ours(f);
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

	pass(f, FILES);
	before = ours(f);
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
	pass(f, FILES);
	before = ours(f);
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

	pass(f, FILES);
	before = ours(f);
	install_other(f);
	blind(f, 0, 1); /* its hash is wanted first */
	(void)run(f, FILES);
	refused = arena_strdup(f->a, recon_generation(f->recon)->desired.objects[0].source->sha256);
	kern_fake_refuse_content(f->kernel, refused);
	pass(f, FILES);
	assert_string_equal(ours(f), before);
	assert_object(f, STATE_FAILED, IN_FORCE_PREVIOUS, ANY_REASON);
	restart(f);
	pass(f, FILES);
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

static void damage_all(struct fixture *f, const char *directory)
{
	DIR *d = opendir(at(f, directory));
	const struct dirent *entry;

	assert_non_null(d);
	while ((entry = readdir(d)))
		if (entry->d_name[0] != '.')
			write_text(f, arena_printf(f->a, "%s/%s", directory, entry->d_name), "x");
	(void)closedir(d);
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
	restart(f);
	pass(f, FILES);
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
	restart(f);
	pass(f, FILES);
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
	write_text(f, "d/a.yaml", BROKEN);
	restart(f);
	pass(f, FILES);
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
	restart(f);
	undeclare(f, "cdef");
	pass(f, FILES);
	assert_true(waits(f));
	assert_int_equal(told(f, "judged by itself"), 1);
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

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

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
		TEST(a_vanished_directory_is_no_wish),
		TEST(a_start_without_any_directory_changes_nothing),
		TEST(a_directory_that_an_earlier_process_saw_is_missed),
		TEST(a_directory_that_nobody_ever_saw_is_not_missed),
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
		TEST(broken_settings_keep_the_last_good_ones),
		TEST(broken_settings_at_the_first_start_change_nothing),
		TEST(broken_settings_at_a_start_use_the_stored_ones),
		TEST(removed_settings_are_defaults),
		TEST(what_failed_is_tried_again_when_it_is_due),
		TEST(a_refused_object_waits_for_a_person_or_a_new_file),
		TEST(foreign_failures_end_with_an_event),
		TEST(suspended_nothing_is_changed),
		TEST(a_suspension_ends_by_itself),
		TEST(many_removals_wait_for_their_confirmation),
		TEST(what_waits_goes_on_waiting),
		TEST(a_file_that_comes_back_ends_the_wait),
		TEST(a_confirmation_is_for_what_was_shown),
		TEST(a_confirmation_ends_with_a_pass_that_could_not_look),
		TEST(a_stale_note_of_what_waits_is_none),
		TEST(purge_removes_all_and_suspends),
		TEST(purge_needs_no_directory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
