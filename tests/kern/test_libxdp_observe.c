/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* Dispatchers that others built, well or badly, as an observation tells them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_link.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/macros.h"
#include "base/str.h"
#include "kern/libxdp.h"
#include "kern/pin.h"
#include "libxdp_fixture.h"
#include "model/layout.h"

static const struct observed_dispatch *find(uint32_t ifindex)
{
	struct observed *o = arena_new_of(fixture.a, struct observed);

	*o = observe();
	return observed_find_dispatch(o, NULL, ifindex);
}

static void assert_fault(uint32_t ifindex, const char *words, uint32_t version)
{
	const struct observed_dispatch *d = find(ifindex);

	assert_non_null(d);
	if (!d->fault || !strstr(d->fault, words))
		fail_msg("'%s' not in '%s'", words, d->fault ? d->fault : "(no fault)");
	assert_int_equal(d->version, version);
	assert_int_equal(d->member_count, 0);
	assert_false(d->ours);
}

/* --- by another daemon -------------------------------------------------------------- */

/* A daemon with directories of its own, on the same bpffs and so with the same xdp directory. */
static struct kern_linux *start_other(void)
{
	struct kern_linux_options options = {
		.bpffs_dir = arena_printf(fixture.a, "%s/bpf/other", fixture.root),
		.run_dir = arena_printf(fixture.a, "%s/other", fixture.root),
	};
	struct op directories = { .kind = OP_DIRECTORY_CREATE };
	struct kern_linux *k;
	struct op_result r;

	assert_int_equal(kern_linux_new(&options, &k, NULL), 0);
	kern_linux_ops.apply(k, fixture.a, &directories, &r);
	assert_int_equal(r.code, 0);
	return k;
}

/* Members of ours, named by id, so that to the other daemon they are somebody's. */
static uint32_t build_elsewhere(struct kern_linux *other, const char *const *instances, size_t n)
{
	struct op op = libxdp_op("elsewhere", instances, n);
	struct observe_request want = { 0 };
	struct observed o;
	struct op_result r;

	for (size_t i = 0; i < n; i++) {
		op.chain.members[i] = (struct program_ref){ .id = extension_id(instances[i]) };
		op.chain.meta.members[i].proceed_on = (uint32_t)(0x10 + i);
		op.chain.meta.members[i].run_priority = (uint32_t)(1000 * i);
	}
	kern_linux_ops.apply(other, fixture.a, &op, &r);
	assert_int_equal(r.code, 0);
	assert_int_equal(kern_linux_ops.observe(other, fixture.a, &want, &o, NULL), 0);
	assert_int_equal(o.chain_count, 1);
	return o.chains[0].id;
}

static void a_foreign_chain_is_read_and_taken_over(void **state)
{
	static const char *const joined[] = { "a", "c", "b" };
	struct kern_linux *other = start_other();
	const struct observed_dispatch *d;
	uint32_t theirs, ours, ifindex;
	struct op op, root;
	struct op_result r;

	(void)state;
	load_extended("a", 1, XDP_REDIRECT);
	load_extended("b", 2, XDP_PASS);
	load_extended("c", 3, XDP_PASS);
	ifindex = make_veth("v0");
	theirs = build_elsewhere(other, abc, 2);
	root = libxdp_root("v0", ifindex, theirs, 0);
	kern_linux_ops.apply(other, fixture.a, &root, &r);
	assert_int_equal(r.code, 0);

	d = find(ifindex);
	assert_null(d->fault);
	assert_false(d->ours || d->frags || d->devbound);
	assert_int_equal(d->id, theirs);
	assert_int_equal(d->version, 2);
	assert_int_equal(d->member_count, 2);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(d->members[i].id, extension_id(abc[i]));
		assert_string_equal(d->members[i].name, "xdp_trace");
		assert_int_equal(strlen(d->members[i].tag), 16);
		assert_int_equal(d->members[i].actions, 0x10 + i);
		assert_int_equal(d->members[i].priority, 1000 * i);
		assert_int_equal(d->members[i].flags, 0);
		assert_true(d->members[i].linked);
	}
	assert_false(observed_find_program(&(struct observed[]){ observe() }[0], theirs)->ours);

	/* Ours with theirs in it: the swap removes their pins, and they run on. */
	op = libxdp_op("joined", joined, 3);
	for (size_t i = 0; i < 3; i += 2) {
		op.chain.members[i] = (struct program_ref){ .id = extension_id(joined[i]) };
		op.chain.meta.members[i].id = op.chain.members[i].id;
		op.chain.meta.members[i].instance = "";
		op.chain.meta.members[i].proceed_on = 0x7fffffff;
	}
	ours = libxdp_build(&op);
	root = libxdp_root("v0", ifindex, ours, theirs);
	apply_fine(&root);
	assert_protocol_pins(ifindex, ours, joined, 3);
	assert_int_not_equal(access(protocol_path("dispatch-%u-%u", ifindex, theirs), F_OK), 0);
	send_packet("v0-p", 1);
	assert_string_equal(wait_for_trace(1), "1 3 2");
	d = find(ifindex);
	assert_true(d->ours);
	assert_int_equal(d->members[0].actions, 0x7fffffff);
	kern_linux_free(other);
}

static void long_names_are_whole(void **state)
{
	static const char *const programs[] = { "xdp_with_a_name_of_many_characters", NULL };
	static const char *const names[] = { "r" };
	struct object_decl *decl = declare("r", "test_replace");
	struct op load = load_op(decl, "v", programs), extend = extension_op(decl, "v", programs);
	struct op op, root;
	uint32_t ifindex;

	(void)state;
	apply_fine(&load);
	apply_fine(&extend);
	op = libxdp_op("r", names, 1);
	op.chain.members[0].function = programs[0];
	ifindex = make_veth("v0");
	root = libxdp_root("v0", ifindex, libxdp_build(&op), 0);
	apply_fine(&root);
	assert_string_equal(find(ifindex)->members[0].name, programs[0]);
}

/* --- ours -------------------------------------------------------------------------------- */

static void ours_is_known_without_its_pins(void **state)
{
	struct op op, root;
	struct observed o;
	uint32_t id, ifindex;

	(void)state;
	load_extended("a", 1, XDP_PASS);
	load_extended("b", 2, XDP_PASS);
	ifindex = make_veth("v0");
	op = libxdp_op("ab", abc, 2);
	op.chain.meta.protocol = 3;
	id = libxdp_build(&op);
	root = libxdp_root("v0", ifindex, id, 0);
	apply_fine(&root);
	assert_true(find(ifindex)->ours);
	assert_int_equal(pin_directory_remove(fixture.a,
					      protocol_path("dispatch-%u-%u", ifindex, id), NULL),
			 0);
	/* Our own pins tell who its members are. */
	assert_null(find(ifindex)->fault);
	assert_int_equal(find(ifindex)->members[1].id, extension_id("b"));
	assert_false(find(ifindex)->members[1].linked);
	assert_int_equal(pin_directory_remove(fixture.a, below("chains/%u", id), NULL), 0);
	o = observe();
	assert_true(observed_find_program(&o, id)->ours);
	assert_true(find(ifindex)->ours);
	assert_null(find(ifindex)->fault);
	assert_int_equal(find(ifindex)->members[1].id, 0);
	/* The daemon has seen it, so that its members run on. */
	send_packet("v0-p", 1);
	assert_string_equal(wait_for_trace(1), "1 2");
}

/* --- made by hand -------------------------------------------------------------------------- */

/* A program of that name with maps that it refers to, at an interface. */
static void attach_lookalike(uint32_t ifindex, const int *maps, size_t n)
{
	struct bpf_insn code[16];
	size_t k = 0;
	int fd;

	for (size_t i = 0; i < n; i++) {
		code[k++] = (struct bpf_insn){ .code = BPF_LD | BPF_IMM | BPF_DW,
					       .dst_reg = BPF_REG_1,
					       .src_reg = BPF_PSEUDO_MAP_FD,
					       .imm = maps[i] };
		code[k++] = (struct bpf_insn){ 0 };
	}
	code[k++] = (struct bpf_insn){ .code = BPF_ALU64 | BPF_MOV | BPF_K,
				       .dst_reg = BPF_REG_0,
				       .imm = XDP_PASS };
	code[k++] = (struct bpf_insn){ .code = BPF_JMP | BPF_EXIT };
	fd = bpf_prog_load(BPF_PROG_TYPE_XDP, "xdp_dispatcher", "GPL", code, k, NULL);
	assert_true(fd >= 0);
	assert_int_equal(bpf_xdp_attach((int)ifindex, fd, XDP_FLAGS_SKB_MODE, NULL), 0);
	(void)close(fd);
}

static int make_map(enum bpf_map_type type, uint32_t size, uint32_t flags, const void *value)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = flags);
	const uint32_t key = 0;
	int fd = bpf_map_create(type, "m", sizeof(key), size, 1, &opts);

	assert_true(fd >= 0);
	if (value)
		assert_int_equal(bpf_map_update_elem(fd, &key, value, BPF_ANY), 0);
	return fd;
}

static void assert_lookalike(int map, const char *words, uint32_t version)
{
	uint32_t ifindex = make_veth("v0");

	attach_lookalike(ifindex, &map, 1);
	assert_fault(ifindex, words, version);
	must_run("ip link del v0");
	(void)close(map);
}

static void lookalikes_are_told(void **state)
{
	unsigned char value[8192] = { 236, 2, 3 };
	uint32_t ifindex;
	int maps[2];

	(void)state;
	assert_lookalike(make_map(BPF_MAP_TYPE_ARRAY, 124, 0, value), "read-only array", 0);
	assert_lookalike(make_map(BPF_MAP_TYPE_HASH, 124, BPF_F_RDONLY_PROG, value),
			 "read-only array", 0);
	assert_lookalike(make_map(BPF_MAP_TYPE_PERCPU_ARRAY, 124, 0, NULL), "read-only array", 0);
	assert_lookalike(make_map(BPF_MAP_TYPE_ARRAY, 8192, BPF_F_RDONLY_PROG, value),
			 "read-only array", 0);
	assert_lookalike(make_map(BPF_MAP_TYPE_ARRAY, 1, BPF_F_RDONLY_PROG, value), "none that a",
			 0);
	assert_lookalike(make_map(BPF_MAP_TYPE_ARRAY, 100, BPF_F_RDONLY_PROG, value), "too small",
			 2);
	assert_lookalike(make_map(BPF_MAP_TYPE_ARRAY, 124, BPF_F_RDONLY_PROG, value),
			 "not pinned where libxdp keeps them", 2);
	value[2] = 11;
	assert_lookalike(make_map(BPF_MAP_TYPE_ARRAY, 124, BPF_F_RDONLY_PROG, value),
			 "number of programs", 2);
	value[1] = 9;
	assert_lookalike(make_map(BPF_MAP_TYPE_ARRAY, 200, BPF_F_RDONLY_PROG, value),
			 "does not know", 9);
	value[0] = 2;
	assert_lookalike(make_map(BPF_MAP_TYPE_ARRAY, 84, BPF_F_RDONLY_PROG, value), "version 1",
			 1);
	ifindex = make_veth("v0");
	attach_lookalike(ifindex, NULL, 0);
	assert_fault(ifindex, "read-only array", 0);
	must_run("ip link del v0");
	maps[0] = maps[1] = -1;
	ifindex = make_veth("v0");
	for (size_t i = 0; i < 2; i++)
		maps[i] = make_map(BPF_MAP_TYPE_ARRAY, 124, BPF_F_RDONLY_PROG, value);
	attach_lookalike(ifindex, maps, 2);
	assert_fault(ifindex, "read-only array", 0);
	(void)close(maps[0]);
	(void)close(maps[1]);
}

/* The very configuration of a dispatcher of ours. */
static int copy_configuration(uint32_t id)
{
	unsigned char value[4096];
	const uint32_t key = 0;
	struct observed_program p;
	struct observed_map map;
	cleanup(closep) int fd = -1;

	assert_int_equal(pin_program_look(fixture.a, id, &p, NULL), 1);
	fd = bpf_map_get_fd_by_id(p.maps[0]);
	assert_int_equal(pin_map_info(fixture.a, fd, &map, NULL), 0);
	assert_true(map.value_size <= sizeof(value));
	assert_int_equal(bpf_map_lookup_elem(fd, &key, value), 0);
	return make_map(BPF_MAP_TYPE_ARRAY, map.value_size, BPF_F_RDONLY_PROG, value);
}

/* Our mark is for all to read who may load programs. */
static void the_mark_of_another_user_is_not_believed(void **state)
{
	static const uid_t users[] = { 65534, 0 };
	cleanup(closep) int map = -1;
	struct op op;

	(void)state;
	load_extended("a", 1, XDP_PASS);
	op = libxdp_op("a", abc, 1);
	map = copy_configuration(libxdp_build(&op));
	for (size_t i = 0; i < ARRAY_SIZE(users); i++) {
		uint32_t ifindex = make_veth("v0");

		/* What the kernel writes down is the real one; the effective one keeps its capabilities. */
		assert_int_equal(setresuid(users[i], (uid_t)-1, (uid_t)-1), 0);
		attach_lookalike(ifindex, &map, 1);
		assert_int_equal(setresuid(0, (uid_t)-1, (uid_t)-1), 0);
		assert_int_equal(find(ifindex)->ours, users[i] == 0);
		must_run("ip link del v0");
	}
}

static void make_protocol_directory(mode_t mode)
{
	assert_int_equal(mkdir(protocol_path("%s", ""), mode), 0);
}

/* Maps, links and directories where programs should be, and more of everything than there should be. */
static void hostile_pins_do_no_harm(void **state)
{
	unsigned char value[128] = { 236, 3, 4 };
	cleanup(closep) int map =
		make_map(BPF_MAP_TYPE_ARRAY, sizeof(value), BPF_F_RDONLY_PROG, value);
	cleanup(closep) int foreign = load_foreign();
	const char *directory;
	struct op op;
	uint32_t ifindex;

	(void)state;
	load_extended("a", 1, XDP_PASS);
	op = libxdp_op("a", abc, 1);
	(void)libxdp_build(&op);
	ifindex = make_veth("v0");
	attach_lookalike(ifindex, &map, 1);
	make_protocol_directory(0700);
	directory = protocol_path("dispatch-%u-%u", ifindex, look_at(ifindex)->xdp_id);
	assert_int_equal(mkdir(directory, 0700), 0);
	assert_fault(ifindex, "some of its programs", 3);
	assert_int_equal(bpf_obj_pin(map, arena_printf(fixture.a, "%s/prog0-prog", directory)), 0);
	assert_int_equal(bpf_obj_pin(map, arena_printf(fixture.a, "%s/prog0-link", directory)), 0);
	assert_int_equal(bpf_obj_pin(foreign, arena_printf(fixture.a, "%s/prog1-prog", directory)),
			 0);
	assert_int_equal(mkdir(arena_printf(fixture.a, "%s/prog2-prog", directory), 0700), 0);
	assert_int_equal(rename(below("chains/%u/link-0", observe().chains[0].id),
				arena_printf(fixture.a, "%s/prog3-prog", directory)),
			 0);
	for (size_t i = 0; i < 1000; i++) {
		assert_int_equal(mkdir(arena_printf(fixture.a, "%s/x%zu", directory, i), 0700), 0);
		assert_int_equal(mkdir(protocol_path("dispatch-%zu-7", i + 1), 0700), 0);
	}
	assert_int_equal(mkdir(protocol_path("dispatch-1-2-3"), 0700), 0);
	assert_int_equal(mkdir(protocol_path("dispatch-99999999999-1"), 0700), 0);
	assert_fault(ifindex, "some of its programs", 3);
}

/* Whoever can write there could name any program as a member. */
static void pins_that_anybody_could_make_are_not_believed(void **state)
{
	struct kern_linux *other = start_other();
	uint32_t theirs, ifindex;
	struct op root;
	struct op_result r;

	(void)state;
	load_extended("a", 1, XDP_PASS);
	ifindex = make_veth("v0");
	theirs = build_elsewhere(other, abc, 1);
	root = libxdp_root("v0", ifindex, theirs, 0);
	kern_linux_ops.apply(other, fixture.a, &root, &r);
	assert_int_equal(r.code, 0);
	assert_null(find(ifindex)->fault);
	assert_int_equal(chmod(protocol_path("%s", ""), 0777), 0);
	assert_fault(ifindex, "not pinned where", 2);
	kern_linux_free(other);
}

static void the_protocol_of_the_settings_is_told(void **state)
{
	struct observe_request want = { .libxdp_protocol = 3 };
	struct observed o;

	(void)state;
	assert_int_equal(kern_linux_ops.observe(fixture.k, fixture.a, &want, &o, NULL), 0);
	assert_int_equal(o.libxdp_protocol, 3);
	o = observe();
	assert_true(o.libxdp_protocol == 2 || o.libxdp_protocol == 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(a_foreign_chain_is_read_and_taken_over),
		FIXTURE_TEST(long_names_are_whole),
		FIXTURE_TEST(ours_is_known_without_its_pins),
		FIXTURE_TEST(lookalikes_are_told),
		FIXTURE_TEST(the_mark_of_another_user_is_not_believed),
		FIXTURE_TEST(hostile_pins_do_no_harm),
		FIXTURE_TEST(pins_that_anybody_could_make_are_not_believed),
		FIXTURE_TEST(the_protocol_of_the_settings_is_told),
	};

	return LIBXDP_RUN("libxdp_observe", tests);
}
