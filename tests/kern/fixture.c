/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fixture.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "base/macros.h"
#include "base/str.h"
#include "bpf/test_trace.h"
#include "kern/elf_reader.h"
#include "model/layout.h"

struct fixture fixture;

static const char *first_member; /* whose trace all members of a test write */

static void must(long r, const char *what)
{
	if (r < 0)
		fail_msg("%s: %s", what, strerror(errno));
}
#define MUST(call) must((call), #call)

/* --- the world ------------------------------------------------------------- */

static bool new_namespaces(void)
{
	return unshare(CLONE_NEWNS | CLONE_NEWNET) == 0 &&
	       mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
}

bool fixture_can_be_made(void)
{
	cleanup(closep) int map = -1;

	if (geteuid() != 0) {
		printf("1..0 # SKIP needs root\n");
		return false;
	}
	map = bpf_map_create(BPF_MAP_TYPE_ARRAY, "test", 4, 4, 1, NULL);
	if (map < 0)
		printf("1..0 # SKIP cannot create BPF maps: %s\n", strerror(errno));
	else if (!new_namespaces())
		printf("1..0 # SKIP cannot make namespaces: %s\n", strerror(errno));
	else if (system("ip -V >/dev/null 2>&1") != 0)
		printf("1..0 # SKIP needs ip (iproute2)\n");
	else
		return true;
	return false;
}

int fixture_setup(void **state)
{
	(void)state;
	strcpy(fixture.root, "/tmp/bpfshare-test.XXXXXX");
	return mkdtemp(fixture.root) ? 0 : -1;
}

int fixture_teardown(void **state)
{
	(void)state;
	return rmdir(fixture.root);
}

static int fetch(void *arg, const struct object_decl *decl, struct source_blob *ret,
		 struct error *e)
{
	cleanup(closep) int fd = open(decl->path, O_RDONLY | O_CLOEXEC);
	struct stat st;

	(void)arg;
	if (fd < 0 || fstat(fd, &st) < 0)
		return error_set(e, -errno, "%s: %s", decl->path, error_string(errno));
	ret->size = (size_t)st.st_size;
	ret->data = xcalloc(1, ret->size);
	MUST(read(fd, ret->data, ret->size));
	hash_bytes(ret->data, ret->size, ret->sha256);
	return 0;
}

int fixture_begin(void **state)
{
	struct kern_linux_options options = { .fetch = fetch };
	struct op directories = { .kind = OP_DIRECTORY_CREATE };

	(void)state;
	/* Leaving a mount namespace that nobody else is in ends all its mounts. */
	if (!new_namespaces() || mount("tmpfs", fixture.root, "tmpfs", 0, "mode=0755") < 0)
		return -1;
	fixture.a = arena_new();
	fixture.run_dir = options.run_dir =
		arena_printf(fixture.a, "%s/run-%u", fixture.root, fixture.tests++);
	fixture.bpffs_dir = options.bpffs_dir = arena_printf(fixture.a, "%s/bpf/x", fixture.root);
	if (mkdir(arena_printf(fixture.a, "%s/bpf", fixture.root), 0755) < 0 ||
	    mount("bpf", arena_printf(fixture.a, "%s/bpf", fixture.root), "bpf", 0, "mode=0700") <
		    0)
		return -1;
	if (kern_linux_new(&options, &fixture.k, NULL) < 0)
		return -1;
	first_member = NULL;
	apply_fine(&directories);
	return 0;
}

int fixture_end(void **state)
{
	(void)state;
	kern_linux_free(fixture.k);
	arena_free(fixture.a);
	/* Pins may only go with the last mount: the test after this one must not find them. */
	return new_namespaces() && umount2(fixture.root, MNT_DETACH) == 0 ? 0 : -1;
}

void fixture_restart(void)
{
	struct kern_linux_options options = {
		.fetch = fetch,
		.bpffs_dir = fixture.bpffs_dir,
		.run_dir = fixture.run_dir,
	};

	kern_linux_free(fixture.k);
	assert_int_equal(kern_linux_new(&options, &fixture.k, NULL), 0);
}

bool fixture_has(const char *feature)
{
	struct observed o = { 0 };

	o.features = kern_linux_features(fixture.k, &o.feature_count);
	return observed_has_feature(&o, feature);
}

const char *below(const char *fmt, ...)
{
	va_list args;
	char text[256];

	va_start(args, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	return arena_printf(fixture.a, "%s/%s", fixture.bpffs_dir, text);
}

void must_run(const char *fmt, ...)
{
	va_list args;
	char text[512];

	va_start(args, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	if (system(text) != 0)
		fail_msg("failed: %s", text);
}

/* --- operations ------------------------------------------------------------ */

struct op_result apply(const struct op *op)
{
	struct op_result r = { .code = 1 };

	kern_linux_ops.apply(fixture.k, fixture.a, op, &r);
	return r;
}

struct op_result apply_fine(const struct op *op)
{
	struct op_result r = apply(op);

	if (r.code != 0)
		fail_msg("%s: %s (%s)%s%s", op_kind_names[op->kind], r.error.text, r.reason,
			 r.log ? "\n" : "", r.log ? r.log : "");
	assert_string_equal(r.error.text, "");
	return r;
}

struct op_result apply_fails(const struct op *op, int code, const char *reason,
			     enum failure_class class, const char *words)
{
	struct op_result r = apply(op);

	if (r.code >= 0 || (code && r.code != code) || !str_eq(r.reason, reason) ||
	    r.class != class || !strstr(r.error.text, words))
		fail_msg("%s: code %d, reason %s, class %d, text '%s'; wanted %d, %s, %d, '%s'",
			 op_kind_names[op->kind], r.code, r.reason, (int)r.class, r.error.text,
			 code, reason, (int)class, words);
	return r;
}

struct observed observe(void)
{
	const struct observe_request want = { 0 };
	struct observed o = { 0 };
	struct error e = { 0 };

	if (kern_linux_ops.observe(fixture.k, fixture.a, &want, &o, &e) < 0)
		fail_msg("observe: %s", e.text);
	assert_string_equal(e.text, "");
	return o;
}

/* --- objects ---------------------------------------------------------------- */

struct object_decl *declare(const char *name, const char *file)
{
	struct object_decl *d = arena_new_of(fixture.a, struct object_decl);
	struct object_source *source = arena_new_of(fixture.a, struct object_source);
	const char *directory = getenv("abs_top_builddir"), *reason;
	cleanup(source_blob_done) struct source_blob blob = { 0 };
	struct elf_object *elf = NULL;
	struct error e = { 0 };

	d->name = name;
	d->path = arena_printf(fixture.a, "%s/bpf/%s.bpf.o", directory ? directory : ".", file);
	if (fetch(NULL, d, &blob, &e) < 0 ||
	    elf_read(fixture.a, blob.data, blob.size, &elf, &reason, &e) < 0)
		fail_msg("%s", e.text);
	source->path = d->path;
	memcpy(source->sha256, blob.sha256, sizeof(source->sha256));
	source->elf = elf;
	d->source = source;
	return d;
}

void declare_value(struct object_decl *d, const char *variable, uint64_t value)
{
	const struct elf_variable *v = elf_find_variable(d->source->elf, variable);
	struct global_value *values = arena_calloc(fixture.a, d->value_count + 1, sizeof(*values));

	assert_non_null(v);
	assert_true(v->size <= sizeof(value));
	if (d->value_count > 0)
		memcpy(values, d->values, d->value_count * sizeof(*values));
	values[d->value_count++] =
		(struct global_value){ .section = v->section,
				       .offset = v->offset,
				       .size = v->size,
				       .bytes = arena_dup(fixture.a, &value, sizeof(value)) };
	d->values = values;
}

static void load_op_meta(struct op_object *o)
{
	const struct elf_object *elf = o->decl->source->elf;
	struct meta_object *m = &o->meta;

	m->instance = o->instance;
	m->object = o->decl->name;
	m->version = o->version;
	m->origin = "test.yaml:1";
	m->elf_path = o->decl->path;
	m->elf_sha256 = o->decl->source->sha256;
	m->declaration = "d";
	m->programs = o->programs;
	m->program_count = o->program_count;
	m->maps = arena_calloc(fixture.a, elf->map_count, sizeof(*m->maps));
	m->map_count = elf->map_count;
	for (size_t i = 0; i < elf->map_count; i++) {
		m->maps[i].name = elf->maps[i].name;
		m->maps[i].btf_hash = elf->maps[i].btf_hash;
	}
}

struct op load_op(struct object_decl *decl, const char *version, const char *const *programs)
{
	const struct elf_object *elf = decl->source->elf;
	struct op op = { .kind = OP_OBJECT_LOAD, .key = decl->name };
	struct op_object *o = &op.object;

	o->instance = decl->name;
	o->version = version;
	o->decl = decl;
	while (programs[o->program_count])
		o->program_count++;
	o->programs = arena_dup(fixture.a, programs, o->program_count * sizeof(*programs));
	o->maps = arena_calloc(fixture.a, elf->map_count, sizeof(*o->maps));
	o->map_count = elf->map_count;
	for (size_t i = 0; i < elf->map_count; i++)
		o->maps[i].name = elf->maps[i].name;
	load_op_meta(o);
	return op;
}

void load_op_use(struct op *op, const char *map, const char *instance, const char *version,
		 const char *their_map)
{
	struct op_object *o = &op->object;

	for (size_t i = 0; i < o->map_count; i++)
		if (str_eq(o->maps[i].name, map)) {
			o->maps[i].action = MAP_USE;
			o->maps[i].from = (struct map_ref){ instance, version, their_map };
			o->meta.maps[i].use = arena_printf(fixture.a, "%s/%s", instance, their_map);
			return;
		}
	fail_msg("no map %s", map);
}

static void load_into_trace(const char *name, struct object_decl *d, const char *const *programs)
{
	struct op op = load_op(d, "v", programs);

	if (first_member)
		load_op_use(&op, "trace", first_member, "v", "trace");
	else
		first_member = name;
	apply_fine(&op);
}

void load_member(const char *name, uint32_t id, uint32_t verdict)
{
	static const char *const programs[] = { "xdp_trace", NULL };
	struct object_decl *d = declare(name, "test_trace");

	declare_value(d, "id", id);
	declare_value(d, "verdict", verdict);
	declare_value(d, "ethertype", TEST_ETHERTYPE);
	load_into_trace(name, d, programs);
}

void load_tc_member(const char *name, uint32_t id, int verdict, bool by_packet)
{
	static const char *const all[] = { "classifier_trace", "tc_trace", "tcx_egress_trace",
					   "tcx_ingress_trace", NULL };
	static const char *const one[] = { "tc_trace", NULL };
	struct object_decl *d = declare(name, "test_tc");

	declare_value(d, "id", id);
	declare_value(d, "verdict", (uint32_t)verdict);
	declare_value(d, "verdict_in_packet", by_packet);
	load_into_trace(name, d, by_packet ? one : all);
}

uint32_t id_of_program(int fd)
{
	struct bpf_prog_info info = { 0 };
	uint32_t size = sizeof(info);

	MUST(bpf_obj_get_info_by_fd(fd, &info, &size));
	return info.id;
}

static uint32_t id_of_pin(const char *instance, const char *function)
{
	cleanup(closep) int fd =
		bpf_obj_get(below("%s", layout_program_pin(fixture.a, instance, "v", function)));

	MUST(fd);
	return id_of_program(fd);
}

uint32_t program_id(const char *instance)
{
	return id_of_pin(instance, "xdp_trace");
}

uint32_t tc_program_id(const char *instance)
{
	return id_of_pin(instance, "tc_trace");
}

bool program_lives(uint32_t id)
{
	uint32_t next = 0;

	return bpf_prog_get_next_id(id - 1, &next) == 0 && next == id;
}

void wait_for_end_of(uint32_t id)
{
	const struct timespec pause = { .tv_nsec = 1000 * 1000 };

	for (int i = 0; program_lives(id); i++) {
		if (i == 10000)
			fail_msg("program id %u lives on", id);
		(void)nanosleep(&pause, NULL);
	}
}

const char *trace_of(uint32_t packet)
{
	cleanup(strbuf_done) struct strbuf text = { 0 };
	cleanup(closep) int fd =
		bpf_obj_get(below("%s", layout_map_pin(fixture.a, first_member, "v", "trace")));
	struct test_trace trace;
	const uint32_t key = 0;

	MUST(fd);
	MUST(bpf_map_lookup_elem(fd, &key, &trace));
	for (uint32_t i = trace.count - MIN(trace.count, TEST_TRACE_RECORDS); i < trace.count;
	     i++) {
		const struct test_trace_record *r = &trace.records[i % TEST_TRACE_RECORDS];

		if (r->packet == packet)
			strbuf_addf(&text, "%s%u", text.len ? " " : "", r->id);
	}
	return arena_strdup(fixture.a, strbuf_get(&text));
}

/* --- chains ---------------------------------------------------------------- */

struct op chain_op(const char *signature, const char *const *instances, size_t n, bool required)
{
	struct op op = { .kind = OP_CHAIN_BUILD, .key = "test" };
	struct op_chain *c = &op.chain;

	c->signature = signature;
	c->member_count = n;
	c->members = arena_calloc(fixture.a, n, sizeof(*c->members));
	c->meta = (struct meta_chain){ .signature = signature,
				       .origin = "test.yaml:1",
				       .member_count = n };
	c->meta.members = arena_calloc(fixture.a, n, sizeof(*c->meta.members));
	for (size_t i = 0; i < n; i++) {
		if (instances[i])
			c->members[i] = (struct program_ref){ instances[i], "v", "xdp_trace" };
		c->meta.members[i] = (struct meta_member){
			.instance = instances[i] ? instances[i] : "absent",
			.program = "xdp_trace",
			.priority = (uint16_t)(10 + i),
			.proceed_on = XDP_VERDICTS_DEFAULT,
			.required = required,
		};
	}
	return op;
}

uint32_t build_chain(const char *signature, const char *const *instances, size_t n)
{
	struct op op = chain_op(signature, instances, n, false);
	struct observed o;

	apply_fine(&op);
	o = observe();
	for (size_t i = 0; i < o.chain_count; i++)
		if (o.chains[i].complete && str_eq(o.chains[i].meta.signature, signature))
			return o.chains[i].id;
	fail_msg("the chain is not there");
	return 0;
}

static void make_packet(unsigned char packet[ETH_ZLEN], uint32_t number)
{
	const uint16_t type = htons(TEST_ETHERTYPE);
	const uint32_t number_be = htonl(number);

	memset(packet, 0, ETH_ZLEN);
	memset(packet, 0xff, ETH_ALEN);
	memcpy(packet + 12, &type, sizeof(type));
	memcpy(packet + ETH_HLEN, &number_be, sizeof(number_be));
}

uint32_t run_chain(uint32_t id, uint32_t number)
{
	unsigned char packet[ETH_ZLEN];
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = packet, .data_size_in = sizeof(packet),
		    .repeat = 1);
	cleanup(closep) int fd = bpf_obj_get(below("chains/%u/dispatcher", id));

	make_packet(packet, number);
	MUST(fd);
	MUST(bpf_prog_test_run_opts(fd, &opts));
	return opts.retval;
}

/* --- interfaces ------------------------------------------------------------- */

uint32_t make_veth(const char *name)
{
	must_run("ip link add %s type veth peer name %s-p", name, name);
	must_run("ip link set %s up", name);
	must_run("ip link set %s-p up", name);
	return if_nametoindex(name);
}

void send_packet(const char *interface, uint32_t number)
{
	cleanup(closep) int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	struct sockaddr_ll to = { .sll_family = AF_PACKET,
				  .sll_ifindex = (int)if_nametoindex(interface),
				  .sll_halen = ETH_ALEN };
	unsigned char packet[ETH_ZLEN];

	make_packet(packet, number);
	MUST(fd);
	MUST(sendto(fd, packet, sizeof(packet), 0, (struct sockaddr *)&to, sizeof(to)));
}

const char *wait_for_trace(uint32_t packet)
{
	const struct timespec pause = { .tv_nsec = 1000 * 1000 };

	for (int i = 0; i < 10000; i++) {
		const char *seen = trace_of(packet);

		if (*seen)
			return seen;
		(void)nanosleep(&pause, NULL);
	}
	fail_msg("packet %u was not seen", packet);
	return NULL;
}

struct op root_op(enum op_kind kind, const char *interface, uint32_t ifindex)
{
	return (struct op){ .kind = kind,
			    .key = interface,
			    .root = { .interface = interface, .ifindex = ifindex } };
}

const struct observed_interface *look_at(uint32_t ifindex)
{
	struct observed *o = arena_new_of(fixture.a, struct observed);
	const struct observed_interface *i;

	*o = observe();
	i = observed_find_interface(o, NULL, ifindex);
	assert_non_null(i);
	return i;
}

int load_foreign(void)
{
	const struct bpf_insn instructions[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = XDP_PASS },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	int fd = bpf_prog_load(BPF_PROG_TYPE_XDP, "foreign", "GPL", instructions,
			       ARRAY_SIZE(instructions), NULL);

	MUST(fd);
	return fd;
}
