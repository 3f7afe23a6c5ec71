/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "libxdp_fixture.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/macros.h"
#include "base/num.h"
#include "base/str.h"
#include "kern/context.h"
#include "kern/libxdp.h"
#include "kern/pin.h"
#include "model/layout.h"

bool libxdp_can_be_tested(void)
{
	cleanup(arena_freep) struct arena *a = arena_new();
	const struct feature *f;
	size_t count;

	if (geteuid() != 0) {
		printf("1..0 # SKIP needs root\n");
		return false;
	}
	f = probe_features(a, &count);
	for (size_t i = 0; i < count; i++) {
		if (!str_eq(f[i].name, "libxdp"))
			continue;
		if (!f[i].available)
			printf("1..0 # SKIP no chains by libxdp's protocol: %s\n", f[i].detail);
		return f[i].available;
	}
	fail_msg("no feature libxdp");
	return false;
}

struct op extension_op(struct object_decl *decl, const char *version, const char *const *programs)
{
	struct op op = load_op(decl, version, programs);

	op.kind = OP_EXTENSION_LOAD;
	return op;
}

void load_extended(const char *name, uint32_t id, uint32_t verdict)
{
	static const char *const programs[] = { "xdp_trace", NULL };
	struct op op;

	load_member(name, id, verdict);
	op = extension_op(declare(name, "test_trace"), "v", programs);
	apply_fine(&op);
}

const char *const abc[3] = { "a", "b", "c" };

void load_abc(void)
{
	load_extended("a", 1, XDP_PASS);
	load_extended("b", 2, XDP_PASS);
	load_extended("c", 3, XDP_PASS);
}

uint32_t extension_id(const char *instance)
{
	return pinned_program(
		below("%s", layout_extension_pin(fixture.a, instance, "v", "xdp_trace")));
}

struct op libxdp_op(const char *signature, const char *const *instances, size_t n)
{
	struct op op = chain_op(signature, instances, n, false);

	op.chain.meta.mechanism = MECHANISM_LIBXDP;
	op.chain.meta.protocol = 2;
	for (size_t i = 0; i < n; i++)
		op.chain.meta.members[i].run_priority = (uint32_t)(10 + i);
	return op;
}

/* The newest directory, since ids only grow. */
uint32_t libxdp_build(const struct op *op)
{
	struct string_list names;
	uint32_t id = 0, newest = 0;

	apply_fine(op);
	assert_int_equal(pin_directory_list(fixture.a, below("chains"), &names, NULL), 0);
	for (size_t i = 0; i < names.n; i++) {
		assert_int_equal(num_parse_u32(names.v[i], UINT32_MAX, &id), 0);
		newest = MAX(newest, id);
	}
	assert_int_not_equal(newest, 0);
	return newest;
}

const struct observed_chain *find_chain(uint32_t id)
{
	struct observed *o = arena_new_of(fixture.a, struct observed);

	*o = observe();
	return observed_find_chain(o, id);
}

struct op chain_removal(uint32_t id)
{
	return (struct op){ .kind = OP_CHAIN_REMOVE, .key = "test", .chain = { .id = id } };
}

const char *protocol_path(const char *fmt, ...)
{
	char text[256];
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	return arena_printf(fixture.a, "%s/bpf/xdp/%s", fixture.root, text);
}

struct op libxdp_root(const char *interface, uint32_t ifindex, uint32_t chain, uint32_t expected)
{
	struct op op = root_op(OP_ROOT_SET, interface, ifindex);

	op.root.mechanism = MECHANISM_LIBXDP;
	op.root.chain_id = chain;
	op.root.expected_id = expected;
	if (expected)
		op.root.expected_mode = look_at(ifindex)->xdp_mode;
	return op;
}

uint32_t pinned_program(const char *path)
{
	cleanup(closep) int fd = bpf_obj_get(path);

	return fd >= 0 && pin_kind(fd) == PIN_PROGRAM ? id_of_program(fd) : 0;
}

static struct bpf_link_info link_info_of(const char *path)
{
	cleanup(closep) int fd = bpf_obj_get(path);
	struct bpf_link_info info = { 0 };
	uint32_t size = sizeof(info);

	if (fd >= 0 && pin_kind(fd) == PIN_LINK)
		assert_int_equal(bpf_obj_get_info_by_fd(fd, &info, &size), 0);
	return info;
}

uint32_t pinned_link(const char *path)
{
	return link_info_of(path).prog_id;
}

uint32_t pinned_link_id(const char *path)
{
	return link_info_of(path).id;
}

void assert_protocol_pins(uint32_t ifindex, uint32_t chain, const char *const *instances, size_t n)
{
	const char *directory = protocol_path("dispatch-%u-%u", ifindex, chain);
	struct string_list names;
	struct stat st;

	assert_int_equal(stat(directory, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(pin_directory_list(fixture.a, directory, &names, NULL), 0);
	assert_int_equal(names.n, 2 * n);
	for (size_t i = 0; i < n; i++) {
		const char *program = arena_printf(fixture.a, "%s/prog%zu-prog", directory, i);
		const char *link = arena_printf(fixture.a, "%s/prog%zu-link", directory, i);

		assert_int_equal(pinned_program(program), extension_id(instances[i]));
		assert_int_equal(pinned_link(link), extension_id(instances[i]));
	}
}

size_t read_config(uint32_t chain, unsigned char *bytes, size_t size)
{
	cleanup(closep) int program = bpf_prog_get_fd_by_id(chain), map = -1;
	struct bpf_prog_info info = { 0 };
	struct bpf_map_info map_info = { 0 };
	uint32_t id = 0, key = 0, n = sizeof(info);

	info.nr_map_ids = 1;
	info.map_ids = (uintptr_t)&id;
	assert_int_equal(bpf_obj_get_info_by_fd(program, &info, &n), 0);
	assert_string_equal(info.name, "xdp_dispatcher");
	assert_int_equal(info.nr_map_ids, 1);
	assert_int_not_equal(info.btf_id, 0);
	map = bpf_map_get_fd_by_id(id);
	n = sizeof(map_info);
	assert_int_equal(bpf_obj_get_info_by_fd(map, &map_info, &n), 0);
	assert_int_equal(map_info.type, BPF_MAP_TYPE_ARRAY);
	assert_int_equal(map_info.key_size, 4);
	assert_int_equal(map_info.max_entries, 1);
	assert_true((map_info.map_flags & BPF_F_RDONLY_PROG) != 0);
	assert_true(map_info.value_size <= size);
	assert_int_equal(bpf_map_lookup_elem(map, &key, bytes), 0);
	/* Frozen: what the verifier took for constants stays as it is. */
	assert_int_equal(bpf_map_update_elem(map, &key, bytes, BPF_ANY), -EPERM);
	return map_info.value_size;
}

void cut_slot(uint32_t chain, uint32_t slot, size_t slot_count)
{
	const struct timespec pause = { .tv_nsec = 1000 * 1000 };
	const char *pin = below("chains/%u/link-%u", chain, slot);
	cleanup(closep) int dispatcher = bpf_prog_get_fd_by_id(chain);
	cleanup(closep) int program = bpf_prog_get_fd_by_id(pinned_link(pin));

	assert_true(dispatcher >= 0 && program >= 0);
	assert_int_equal(unlink(pin), 0);
	for (int i = 0; i < 10000; i++) {
		cleanup(closep) int fd = -1;

		/* The place is free once it can be taken, and free again as soon as this is closed. */
		if (libxdp_attach(program, dispatcher, libxdp_target(fixture.a, slot, slot_count),
				  &fd, NULL) == 0)
			return;
		(void)nanosleep(&pause, NULL);
	}
	fail_msg("slot %u of chain %u is not let go", slot, chain);
}
