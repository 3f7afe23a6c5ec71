/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
#include "recon_fixture.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/str.h"

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
	struct fixture *f = ctx;

	kern_fake_ops.apply(f->kernel, a, op, ret);
	f->root_sets += op->kind == OP_ROOT_SET;
	f->tc_sets += op->kind == OP_TC_SET;
	if (f->opponent && ret->code == 0)
		f->opponent(f, op);
}

static const struct kern_ops blinking_ops = { .observe = observe, .begin = begin, .apply = apply };

/* This many observations fail, after so many that do not. */
void blind(struct fixture *f, size_t after, size_t n)
{
	f->blind_from = f->observations + 1 + after;
	f->blind_for = n;
}

/* --- the place --------------------------------------------------------------------------------- */

const char *at(struct fixture *f, const char *path)
{
	return arena_printf(f->a, "%s/%s", f->top, path);
}

void write_bytes(struct fixture *f, const char *path, const void *data, size_t size)
{
	const char *fresh = at(f, ".new");
	int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_return_code(fd, errno);
	assert_int_equal(write(fd, data, size), (ssize_t)size);
	(void)close(fd);
	assert_return_code(rename(fresh, at(f, path)), errno);
}

void write_text(struct fixture *f, const char *path, const char *text)
{
	write_bytes(f, path, text, strlen(text));
}

void copy_object(struct fixture *f, const char *name)
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

void add_interface(struct fixture *f, const char *name)
{
	kern_fake_set_interface(
		f->kernel, &(struct observed_interface){ .name = name, .mtu = 1500, .up = true });
}

/* A new process on the same node. */
void start(struct fixture *f)
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

void stop(struct fixture *f)
{
	recon_free(f->recon);
	loader_free(f->loader);
	f->recon = NULL;
	f->loader = NULL;
}

void restart(struct fixture *f)
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

int setup(void **state)
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

int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

int teardown(void **state)
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

int run(struct fixture *f, unsigned int dirty)
{
	f->now += SECOND / 100;
	f->e.text[0] = 0;
	return recon_run(f->recon, dirty, f->now, &f->e);
}

void pass(struct fixture *f, unsigned int dirty)
{
	if (run(f, dirty) < 0)
		fail_msg("%s", f->e.text);
}

bool converged(struct fixture *f)
{
	return recon_status(f->recon)->converged;
}

void assert_has(const char *text, const char *part)
{
	if (!text || !strstr(text, part))
		fail_msg("\"%s\" not in \"%s\"", part, text ? text : "(null)");
}

bool runs(struct fixture *f, const char *interface, const char *object)
{
	return strstr(kern_fake_chain(f->kernel, f->a, interface), object) != NULL;
}

const char *ours(struct fixture *f)
{
	return kern_fake_ours(f->kernel, f->a);
}

const char *settled(struct fixture *f)
{
	pass(f, FILES);
	return ours(f);
}

void pass_anew(struct fixture *f)
{
	restart(f);
	pass(f, FILES);
}

/* How many events say this. */
size_t told(struct fixture *f, const char *part)
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

const struct desired_file *file(struct fixture *f, const char *name)
{
	const struct status *st = recon_status(f->recon);

	for (size_t i = 0; i < st->file_count; i++)
		if (str_ends(st->files[i].path, name))
			return &st->files[i];
	fail_msg("no file %s", name);
	return NULL;
}

void damage_all(struct fixture *f, const char *directory)
{
	DIR *d = opendir(at(f, directory));
	const struct dirent *entry;

	assert_non_null(d);
	while ((entry = readdir(d)))
		if (entry->d_name[0] != '.')
			write_text(f, arena_printf(f->a, "%s/%s", directory, entry->d_name), "x");
	(void)closedir(d);
}
