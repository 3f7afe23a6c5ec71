/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * What one member of a chain costs over calling it directly as a BPF sub-program: the
 * same members and the same chain logic (bpf/bench_direct.bpf.c), run in turn by
 * BPF_PROG_TEST_RUN in one process, by every mechanism that this kernel can do. Absolute
 * figures are this machine's (caches hot, members empty); the difference per member is the
 * point. The tc dispatcher is run with a socket buffer instead of a bare packet, so its own figure for one
 * member is what its others are to be held against.
 *
 *   bench_chain DIRECTORY_OF_BPF_OBJECTS [JSON_FILE]         BENCH_REPEAT=300000
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/libxdp_dispatcher.h"
#include "bpf/tailcall_dispatcher.h"
#include "bpf/tc_dispatcher.h"

#define ROUNDS    61
#define REPEAT    300000
#define TARGET_NS 1.5

struct chain {
	struct bpf_object *object, *members[TAILCALL_SLOT_COUNT_MAX];
	struct bpf_link *links[TAILCALL_SLOT_COUNT_MAX];
	int program, array; /* array -1: called directly */
	unsigned int verdict;
};

struct figures {
	unsigned int members;
	/* Least of all rounds, for the whole chain; 0: this kernel cannot, or not as many. */
	double direct_ns, tailcall_ns, empty_ns, libxdp_ns, tc_ns;
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

/* What the object's configuration is, with at least so many bytes. */
static void *configuration(struct bpf_object *o, size_t size)
{
	struct bpf_map *rodata = bpf_object__find_map_by_name(o, ".rodata");
	size_t have = 0;
	void *config = rodata ? bpf_map__initial_value(rodata, &have) : NULL;

	if (!config || have < size)
		die("no configuration in the object");
	return config;
}

static void configure(struct bpf_object *o, unsigned int members)
{
	struct tailcall_config *config = configuration(o, sizeof(*config));

	config->slot_count = (uint16_t)members;
	for (unsigned int i = 0; i < members; i++)
		config->slots[i].proceed_on = 1u << 2; /* XDP_PASS */
}

static void configure_libxdp(struct bpf_object *o, unsigned int members)
{
	struct libxdp_config_3 *config = configuration(o, sizeof(*config));

	config->magic = LIBXDP_MAGIC;
	config->dispatcher_version = 3;
	config->num_progs_enabled = (uint8_t)members;
	for (unsigned int i = 0; i < members; i++)
		config->chain_call_actions[i] = LIBXDP_ACTIONS_MARK | 1u << 2;
}

static void configure_tc(struct bpf_object *o, unsigned int members)
{
	struct tc_config *config = configuration(o, sizeof(*config));

	config->slot_count = (uint16_t)members;
	for (unsigned int i = 0; i < members; i++)
		config->slots[i].proceed_on = 1u << 1; /* TC_ACT_OK */
}

static void load_chain(struct chain *c, const char *directory, const char *name,
		       const char *program, unsigned int members)
{
	struct bpf_program *p;

	c->object = open_object(directory, name);
	c->verdict = 2;
	configure(c->object, members);
	p = bpf_object__find_program_by_name(c->object, program);
	if (!p || bpf_object__load(c->object) < 0)
		die(name);
	c->program = bpf_program__fd(p);
	c->array = bpf_object__find_map_fd_by_name(c->object, "members");
}

static void fill_array(const struct chain *c, int member, unsigned int members)
{
	for (uint32_t i = 0; i < members; i++)
		if (bpf_map_update_elem(c->array, &i, &member, BPF_ANY) < 0)
			die("members");
}

static void fill(struct chain *c, const char *directory, unsigned int members)
{
	struct bpf_program *p;

	c->members[0] = open_object(directory, "probe");
	p = bpf_object__find_program_by_name(c->members[0], "probe_pass");
	if (!p || bpf_object__load(c->members[0]) < 0)
		die("probe");
	fill_array(c, bpf_program__fd(p), members);
}

/* False where the kernel refuses freplace programs. */
static int replace_slot(struct chain *c, const char *directory, unsigned int slot,
			const char *function)
{
	struct bpf_program *p, *each;

	c->members[slot] = open_object(directory, "probe");
	p = bpf_object__find_program_by_name(c->members[slot], "probe_pass");
	bpf_object__for_each_program(each, c->members[slot])
		(void)bpf_program__set_autoload(each, each == p);
	(void)bpf_program__set_type(p, BPF_PROG_TYPE_EXT);
	(void)bpf_program__set_expected_attach_type(p, 0);
	if (bpf_program__set_attach_target(p, c->program, function) < 0 ||
	    bpf_object__load(c->members[slot]) < 0)
		return 0;
	c->links[slot] = bpf_program__attach_freplace(p, c->program, function);
	return c->links[slot] != NULL;
}

/* One member replaces the main function, as libxdp and the daemon have it. */
static int load_libxdp(struct chain *c, const char *directory, unsigned int members)
{
	struct bpf_program *p;
	char function[16];

	c->object = open_object(directory, "libxdp_dispatcher_3");
	c->verdict = 2;
	c->array = -1;
	configure_libxdp(c->object, members);
	p = bpf_object__find_program_by_name(c->object, "xdp_dispatcher");
	if (!p || bpf_object__load(c->object) < 0)
		die("libxdp_dispatcher_3");
	c->program = bpf_program__fd(p);
	for (unsigned int i = 0; i < members; i++) {
		snprintf(function, sizeof(function), "prog%u", i);
		if (!replace_slot(c, directory, i, members == 1 ? "xdp_dispatcher" : function))
			return 0;
	}
	return 1;
}

static void load_tc(struct chain *c, const char *directory, unsigned int members)
{
	struct bpf_program *p;

	c->object = open_object(directory, "tc_dispatcher");
	configure_tc(c->object, members);
	p = bpf_object__find_program_by_name(c->object, "bpfshare_tc");
	if (!p || bpf_object__load(c->object) < 0)
		die("tc_dispatcher");
	c->program = bpf_program__fd(p);
	c->array = bpf_object__find_map_fd_by_name(c->object, "members");
	c->members[0] = open_object(directory, "probe_tc");
	p = bpf_object__find_program_by_name(c->members[0], "probe_ok");
	if (!p || bpf_object__load(c->members[0]) < 0)
		die("probe_tc");
	fill_array(c, bpf_program__fd(p), members);
}

static void unload(struct chain *c)
{
	for (unsigned int i = 0; i < TAILCALL_SLOT_COUNT_MAX; i++) {
		(void)bpf_link__destroy(c->links[i]);
		bpf_object__close(c->members[i]);
	}
	bpf_object__close(c->object);
}

/* Packets of one round; an emulated machine needs fewer. */
static int repeat(void)
{
	const char *text = getenv("BENCH_REPEAT");
	long n = text ? strtol(text, NULL, 10) : 0;

	return n > 0 && n < REPEAT ? (int)n : REPEAT;
}

static double run(const struct chain *c)
{
	static unsigned char packet[64];
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = packet, .data_size_in = sizeof(packet),
		    .repeat = repeat());

	if (bpf_prog_test_run_opts(c->program, &opts) < 0)
		die("BPF_PROG_TEST_RUN");
	if (opts.retval != c->verdict)
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
	struct chain direct = { 0 }, filled = { 0 }, empty = { 0 }, libxdp = { 0 }, tc = { 0 };
	/* A refusal of freplace is an answer here, not a fault to be told of. */
	libbpf_print_fn_t talk = libbpf_set_print(NULL);
	int has_libxdp = members <= LIBXDP_SLOT_COUNT && load_libxdp(&libxdp, directory, members);
	struct figures f = { .members = members };

	(void)libbpf_set_print(talk);

	load_chain(&direct, directory, "bench_direct", "bench_direct", members);
	load_chain(&filled, directory, "tailcall_dispatcher", "bpfshare_chain", members);
	load_chain(&empty, directory, "tailcall_dispatcher", "bpfshare_chain", members);
	load_tc(&tc, directory, members);
	fill(&filled, directory, members);
	for (int i = 0; i < ROUNDS; i++) {
		least(&f.direct_ns, run(&direct));
		least(&f.tailcall_ns, run(&filled));
		least(&f.empty_ns, run(&empty));
		least(&f.tc_ns, run(&tc));
		if (has_libxdp)
			least(&f.libxdp_ns, run(&libxdp));
	}
	unload(&direct);
	unload(&filled);
	unload(&empty);
	unload(&libxdp);
	unload(&tc);
	return f;
}

static double per_member(const struct figures *f, double ns)
{
	return (ns - f->direct_ns) / f->members;
}

static void print_libxdp(const struct figures *f)
{
	if (f->libxdp_ns > 0)
		printf(" %12.0f %11.2f", f->libxdp_ns, per_member(f, f->libxdp_ns));
	else
		printf(" %12s %11s", "-", "-");
}

static void print(const struct figures *f, size_t n)
{
	printf("cost of a chain, ns per packet (BPF_PROG_TEST_RUN, least of %d x %d)\n\n", ROUNDS,
	       repeat());
	printf("%8s %12s %12s %11s %12s %11s %12s %12s\n", "members", "direct call", "tailcall",
	       "more each", "libxdp", "more each", "empty slots", "tc slots");
	for (size_t i = 0; i < n; i++) {
		printf("%8u %12.0f %12.0f %11.2f", f[i].members, f[i].direct_ns, f[i].tailcall_ns,
		       per_member(&f[i], f[i].tailcall_ns));
		print_libxdp(&f[i]);
		printf(" %12.0f %12.0f\n", f[i].empty_ns, f[i].tc_ns);
	}
	printf("\ntarget: at most %.1f ns more for each member\n", TARGET_NS);
}

static void write_libxdp(FILE *out, const struct figures *f)
{
	if (f->libxdp_ns > 0)
		fprintf(out, ", \"libxdp_ns\": %.1f, \"libxdp_more_per_member_ns\": %.3f",
			f->libxdp_ns, per_member(f, f->libxdp_ns));
	else
		fprintf(out, ", \"libxdp_ns\": null, \"libxdp_more_per_member_ns\": null");
}

static void write_json(const char *path, const struct figures *f, size_t n)
{
	FILE *out = fopen(path, "we");

	if (!out)
		die(path);
	fprintf(out, "{\"bench\": \"chain\", \"target_ns\": %.1f, \"rows\": [", TARGET_NS);
	for (size_t i = 0; i < n; i++) {
		fprintf(out,
			"%s\n  {\"members\": %u, \"direct_ns\": %.1f, \"tailcall_ns\": %.1f, "
			"\"empty_ns\": %.1f, \"tc_ns\": %.1f, \"more_per_member_ns\": %.3f",
			i ? "," : "", f[i].members, f[i].direct_ns, f[i].tailcall_ns, f[i].empty_ns,
			f[i].tc_ns, per_member(&f[i], f[i].tailcall_ns));
		write_libxdp(out, &f[i]);
		fprintf(out, "}");
	}
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
