/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * What one member of a `tailcall` chain costs over calling it directly as a BPF
 * sub-program: the same members and the same chain logic (bpf/bench_direct.bpf.c), run
 * in turn by BPF_PROG_TEST_RUN in one process. Absolute figures are this machine's
 * (caches hot, members empty); the difference per member is the point.
 *
 *   bench_chain DIRECTORY_OF_BPF_OBJECTS [JSON_FILE]
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/tailcall_dispatcher.h"

#define ROUNDS    61
#define REPEAT    300000
#define TARGET_NS 1.5

struct chain {
	struct bpf_object *object, *members;
	int program, array; /* array -1: called directly */
};

struct figures {
	unsigned int members;
	double direct_ns, tailcall_ns, empty_ns; /* least of all rounds, for the whole chain */
};

static void die(const char *what)
{
	fprintf(stderr, "bench_chain: %s: %s\n", what, strerror(errno));
	exit(1);
}

static struct bpf_object *open_object(const char *directory, const char *name)
{
	char path[4096];
	struct bpf_object *o;

	snprintf(path, sizeof(path), "%s/%s.bpf.o", directory, name);
	o = bpf_object__open(path);
	if (!o)
		die(path);
	return o;
}

static void configure(struct bpf_object *o, unsigned int members)
{
	struct bpf_map *rodata = bpf_object__find_map_by_name(o, ".rodata");
	size_t size;
	struct tailcall_config *config = rodata ? bpf_map__initial_value(rodata, &size) : NULL;

	if (!config || size < sizeof(*config))
		die("no configuration in the object");
	config->slot_count = (uint16_t)members;
	for (unsigned int i = 0; i < members; i++)
		config->slots[i].proceed_on = 1u << 2; /* XDP_PASS */
}

static void load_chain(struct chain *c, const char *directory, const char *name,
		       const char *program, unsigned int members)
{
	struct bpf_program *p;

	c->object = open_object(directory, name);
	configure(c->object, members);
	p = bpf_object__find_program_by_name(c->object, program);
	if (!p || bpf_object__load(c->object) < 0)
		die(name);
	c->program = bpf_program__fd(p);
	c->array = bpf_object__find_map_fd_by_name(c->object, "members");
}

static void fill(struct chain *c, const char *directory, unsigned int members)
{
	struct bpf_program *p;

	c->members = open_object(directory, "probe");
	p = bpf_object__find_program_by_name(c->members, "probe_pass");
	if (!p || bpf_object__load(c->members) < 0)
		die("probe");
	for (uint32_t i = 0; i < members; i++) {
		int fd = bpf_program__fd(p);

		if (bpf_map_update_elem(c->array, &i, &fd, BPF_ANY) < 0)
			die("members");
	}
}

static double run(const struct chain *c)
{
	static unsigned char packet[64];
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = packet, .data_size_in = sizeof(packet),
		    .repeat = REPEAT);

	if (bpf_prog_test_run_opts(c->program, &opts) < 0)
		die("BPF_PROG_TEST_RUN");
	if (opts.retval != 2)
		die("a chain of passing members did not pass");
	return opts.duration;
}

static void least(double *best, double ns)
{
	if (*best == 0 || ns < *best)
		*best = ns;
}

static struct figures measure(const char *directory, unsigned int members)
{
	struct chain direct = { .array = -1 }, filled = { 0 }, empty = { 0 };
	struct figures f = { .members = members };

	load_chain(&direct, directory, "bench_direct", "bench_direct", members);
	load_chain(&filled, directory, "tailcall_dispatcher", "bpfshare_chain", members);
	load_chain(&empty, directory, "tailcall_dispatcher", "bpfshare_chain", members);
	fill(&filled, directory, members);
	for (int i = 0; i < ROUNDS; i++) {
		least(&f.direct_ns, run(&direct));
		least(&f.tailcall_ns, run(&filled));
		least(&f.empty_ns, run(&empty));
	}
	bpf_object__close(direct.object);
	bpf_object__close(filled.object);
	bpf_object__close(filled.members);
	bpf_object__close(empty.object);
	return f;
}

static double per_member(const struct figures *f)
{
	return (f->tailcall_ns - f->direct_ns) / f->members;
}

static void print(const struct figures *f, size_t n)
{
	printf("cost of a chain, ns per packet (BPF_PROG_TEST_RUN, least of %d x %d)\n\n", ROUNDS,
	       REPEAT);
	printf("%8s %12s %12s %12s %18s\n", "members", "direct call", "tailcall", "empty slots",
	       "more per member");
	for (size_t i = 0; i < n; i++)
		printf("%8u %12.0f %12.0f %12.0f %15.2f ns\n", f[i].members, f[i].direct_ns,
		       f[i].tailcall_ns, f[i].empty_ns, per_member(&f[i]));
	printf("\ntarget: at most %.1f ns more per member\n", TARGET_NS);
}

static void write_json(const char *path, const struct figures *f, size_t n)
{
	FILE *out = fopen(path, "we");

	if (!out)
		die(path);
	fprintf(out, "{\"bench\": \"chain\", \"target_ns\": %.1f, \"rows\": [", TARGET_NS);
	for (size_t i = 0; i < n; i++)
		fprintf(out,
			"%s\n  {\"members\": %u, \"direct_ns\": %.1f, \"tailcall_ns\": %.1f, "
			"\"empty_ns\": %.1f, \"more_per_member_ns\": %.3f}",
			i ? "," : "", f[i].members, f[i].direct_ns, f[i].tailcall_ns, f[i].empty_ns,
			per_member(&f[i]));
	fprintf(out, "\n]}\n");
	if (fclose(out) != 0)
		die(path);
}

int main(int argc, char **argv)
{
	static const unsigned int members[] = { 1, 2, 4, 8, 16 };
	struct figures f[sizeof(members) / sizeof(members[0])];
	size_t n = sizeof(members) / sizeof(members[0]);

	if (argc < 2 || argc > 3) {
		fprintf(stderr, "usage: bench_chain DIRECTORY [JSON_FILE]\n");
		return 64;
	}
	for (size_t i = 0; i < n; i++)
		f[i] = measure(argv[1], members[i]);
	print(f, n);
	if (argc == 3)
		write_json(argv[2], f, n);
	return 0;
}
