/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_link.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/macros.h"
#include "base/str.h"
#include "model/layout.h"
#include "take_over_fixture.h"
#include "tools/xsk.h"

static const uint32_t zero;

/* Data sections: variables changed and counted. */
static uint64_t data_of(const char *version, const char *section)
{
	return value_of(version, section, 0);
}

static struct op keep_op(const char *file, const char *const *programs, const char *const *maps)
{
	struct op op = load_version("v2", file, programs);

	for (; *maps; maps++)
		take(&op, *maps, MAP_KEEP);
	return op;
}

static bool load_or_skip(const struct op *op, const char *what)
{
	struct op_result r = apply(op);

	if (r.code == 0)
		return true;
	print_message("# this kernel has no %s: %s\n", what, r.error.text);
	return false;
}

/* --- MAP_KEEP -------------------------------------------------------------------- */

static const char *const kept_maps[] = {
	".bss",
	".data",
	"array",
	"cgroups",
	"cpus",
	"devices",
	"devices_hash",
	"filled_outer",
	"hash",
	"hash_no_prealloc",
	"inner_one",
	"jumps",
	"locked_array",
	"locked_hash",
	"locked_large",
	"lpm",
	"lru_hash",
	"lru_per_cpu_lists",
	"lru_percpu_hash",
	"outer",
	"outer_of_two",
	"percpu_array",
	"percpu_hash",
	"percpu_odd",
	"perf",
	"queue",
	"reuseport",
	"ring",
	"socket_storage",
	"sockets",
	"sockets_hash",
	"stack",
	"stacks",
	"xsks",
};

static void keep_all(struct op *op)
{
	for (size_t i = 0; i < ARRAY_SIZE(kept_maps); i++)
		take(op, kept_maps[i], MAP_KEEP);
}

static void a_kept_map_is_the_same_map(void **state)
{
	struct op op;

	(void)state;
	load_first();
	op = load_version("v2", "test_take_over", take_over_programs);
	keep_all(&op);
	apply_fine(&op);
	for (size_t i = 0; i < ARRAY_SIZE(kept_maps); i++)
		assert_int_equal(map_info("v2", kept_maps[i]).id, map_info("v1", kept_maps[i]).id);
	assert_int_not_equal(map_info("v2", "filled_jumps").id, map_info("v1", "filled_jumps").id);
	assert_int_equal(run("v2", "xdp_jump"), XDP_DROP);
}

static void maps_of_young_types_are_kept(void **state)
{
	static const char *const programs[] = { "xdp_bloom", NULL };
	static const char *const maps[] = { "arena", "bloom", "task_storage", "user_ring", NULL };
	struct op op = load_version("v1", "test_new_maps", programs);
	cleanup(closep) int fd = -1;

	(void)state;
	if (!load_or_skip(&op, "maps of these types (Linux 6.9)"))
		skip();
	fd = map_fd("v1", "bloom");
	MUST(bpf_map_update_elem(fd, NULL, &(uint32_t){ 4711 }, BPF_ANY));
	op = keep_op("test_new_maps", programs, maps);
	apply_fine(&op);
	for (size_t i = 0; maps[i]; i++)
		assert_int_equal(map_info("v2", maps[i]).id, map_info("v1", maps[i]).id);
	assert_int_equal(run("v2", "xdp_bloom"), XDP_DROP);
}

static void both_versions_count_in_a_kept_map(void **state)
{
	struct op op;

	(void)state;
	load_first();
	run("v1", "xdp_count");
	op = load_version("v2", "test_take_over", take_over_programs);
	keep_all(&op);
	apply_fine(&op);
	run("v2", "xdp_count");
	run("v1", "xdp_count");
	assert_int_equal(value_of("v2", "array", 0), 3);
	assert_int_equal(value_of("v2", "hash", 2), 2);
	assert_int_equal(data_of("v2", ".bss"), 3);
	assert_int_equal(data_of("v2", ".data"), 10);
}

/* The file would put its own inner map there again. */
static void a_kept_map_of_maps_is_not_filled_again(void **state)
{
	cleanup(closep) int outer = -1, other = -1;
	struct op op;

	(void)state;
	load_first();
	outer = map_fd("v1", "filled_outer");
	other = bpf_map_create(BPF_MAP_TYPE_ARRAY, "other", 4, 8, 1, NULL);
	MUST(bpf_map_update_elem(other, &zero, &(uint64_t){ 3 }, BPF_ANY));
	MUST(bpf_map_update_elem(outer, &zero, &other, BPF_ANY));
	op = load_version("v2", "test_take_over", take_over_programs);
	keep_all(&op);
	apply_fine(&op);
	assert_int_equal(run("v1", "xdp_inner"), 3);
	assert_int_equal(run("v2", "xdp_inner"), 3);
}

/* Also beside maps that are kept, for which the file's bytes are changed. */
static void a_map_of_maps_that_is_new_is_filled(void **state)
{
	struct op op;

	(void)state;
	load_first();
	op = load_version("v2", "test_take_over", take_over_programs);
	take(&op, "hash", MAP_KEEP);
	apply_fine(&op);
	put("v2", "inner_one", 0, 4);
	assert_int_equal(run("v2", "xdp_inner"), 4);
	assert_int_equal(run("v2", "xdp_jump"), XDP_DROP);
}

/* The programs of another version would be put into it. */
static void a_kept_program_array_is_not_filled_again(void **state)
{
	uint32_t before = 0, after = 0;
	const uint32_t slot = 1;
	cleanup(closep) int fd = -1;
	struct op op;

	(void)state;
	load_first();
	fd = map_fd("v1", "filled_jumps");
	MUST(bpf_map_lookup_elem(fd, &slot, &before));
	op = load_version("v2", "test_take_over", take_over_programs);
	take(&op, "filled_jumps", MAP_KEEP);
	apply_fine(&op);
	MUST(bpf_map_lookup_elem(fd, &slot, &after));
	assert_int_equal(before, after);
	put("v2", "inner_one", 0, 4); /* filled as ever */
	assert_int_equal(run("v2", "xdp_inner"), 4);
}

static void a_map_that_went_is_not_kept(void **state)
{
	struct op op;

	(void)state;
	load_first();
	op = load_version("v2", "test_take_over", take_over_programs);
	take(&op, "hash", MAP_KEEP)->from_id++;
	apply_fails(&op, -ESTALE, "Vanished", FAILURE_TRANSIENT,
		    "map hash of version v1 cannot be kept: its pin has map id");
	take(&op, "hash", MAP_KEEP);
	MUST(unlink(below("%s", layout_map_pin(fixture.a, "o", "v1", "hash"))));
	apply_fails(&op, -ENOENT, "Vanished", FAILURE_TRANSIENT,
		    "map hash of version v1 cannot be kept: cannot open pin");
	assert_int_equal(access(below("objects/o/v2"), F_OK), -1);
}

static void a_map_of_another_shape_is_not_kept(void **state)
{
	struct op_map *m;
	struct op op;

	(void)state;
	load_first();
	op = load_version("v2", "test_take_over", take_over_programs);
	m = take(&op, "hash", MAP_KEEP);
	m->from.map = "array";
	m->from_id = map_info("v1", "array").id;
	apply_fails(&op, -EINVAL, "MapChanged", FAILURE_KERNEL, "it is another kind of map");
	assert_int_equal(access(below("objects/o/v2"), F_OK), -1);
}

/* --- MAP_CARRY ---------------------------------------------------------------------- */

static const char *const carry_programs[] = { "xdp_carry", NULL };

static uint64_t variable_of(const char *version, const struct op *op, const char *name, size_t part)
{
	const struct elf_variable *v = elf_find_variable(op->object.decl->source->elf, name);
	unsigned char bytes[4096];
	uint64_t value = 0;
	cleanup(closep) int fd = -1;

	assert_non_null(v);
	fd = map_fd(version, v->section);
	assert_true(map_info(version, v->section).value_size <= sizeof(bytes));
	MUST(bpf_map_lookup_elem(fd, &zero, bytes));
	memcpy(&value, bytes + v->offset + part, MIN(v->size - part, sizeof(value)));
	return value;
}

static struct op load_variables(void)
{
	struct op op = load_version("v1", "test_carry_1", carry_programs);

	apply_fine(&op);
	assert_int_equal(run("v1", "xdp_carry"), XDP_PASS);
	return op;
}

static void variables_go_over_by_name(void **state)
{
	struct op_result r;
	struct op op;

	(void)state;
	load_variables();
	op = load_version("v2", "test_carry_2", carry_programs);
	take(&op, ".data", MAP_CARRY);
	take(&op, ".bss", MAP_CARRY);
	r = apply_fine(&op);
	assert_int_equal(variable_of("v2", &op, "total", 0), 2);
	assert_int_equal(variable_of("v2", &op, "limit", 0), 5);
	assert_int_equal(variable_of("v2", &op, "state", 0) & UINT32_MAX, 10);
	assert_int_equal(variable_of("v2", &op, "state", 8), 21);
	assert_int_equal(variable_of("v2", &op, "hidden", 0), 31);
	assert_int_equal(variable_of("v2", &op, "fresh", 0), 99);
	assert_int_equal(variable_of("v2", &op, "seen", 0), 1);
	assert_int_equal(variable_of("v2", &op, "unseen", 0), 0);
	assert_non_null(
		strstr(r.note, ".data: 4 variables have the values of version v1, 1 are new"));
	assert_int_not_equal(map_info("v1", ".data").id, map_info("v2", ".data").id);
	assert_int_equal(run("v2", "xdp_carry"), XDP_PASS);
	assert_int_equal(variable_of("v2", &op, "total", 0), 3);
}

static void a_declared_variable_has_its_declared_value(void **state)
{
	struct op op;

	(void)state;
	load_variables();
	op = load_version("v2", "test_carry_2", carry_programs);
	declare_value((struct object_decl *)op.object.decl, "limit", 77);
	take(&op, ".data", MAP_CARRY);
	apply_fine(&op);
	assert_int_equal(variable_of("v2", &op, "limit", 0), 77);
	assert_int_equal(variable_of("v2", &op, "total", 0), 2);
}

/* Its value came from a declaration that is gone. */
static void a_variable_that_is_declared_no_more_has_the_value_of_the_file(void **state)
{
	static const char *fresh[] = { "limit" };
	struct op_map *map;
	struct op op;

	(void)state;
	load_variables();
	op = load_version("v2", "test_carry_2", carry_programs);
	map = take(&op, ".data", MAP_CARRY);
	map->fresh = fresh;
	map->fresh_count = ARRAY_SIZE(fresh);
	apply_fine(&op);
	assert_int_equal(variable_of("v2", &op, "limit", 0), 6);
	assert_int_equal(variable_of("v2", &op, "total", 0), 2);
}

static void a_variable_of_another_type_is_told(void **state)
{
	struct op op;

	(void)state;
	load_variables();
	op = load_version("v2", "test_carry_3", carry_programs);
	take(&op, ".data", MAP_CARRY);
	apply_fails(&op, -EINVAL, "MapChanged", FAILURE_KERNEL,
		    "the values of .data of version v1 cannot be taken over: variable state has "
		    "another type, variable total has another type; `on_change: reset`");
	assert_int_equal(access(below("objects/o/v2"), F_OK), -1);
	assert_int_equal(run("v1", "xdp_carry"), XDP_PASS);
	/* What is declared does not go over, so its type does not matter. */
	declare_value((struct object_decl *)op.object.decl, "total", 5);
	apply_fails(&op, -EINVAL, "MapChanged", FAILURE_KERNEL,
		    "cannot be taken over: variable state has another type; ");
}

static void a_section_without_types_is_not_carried(void **state)
{
	struct op op;

	(void)state;
	load_variables();
	op = load_version("v2", "test_carry_2", carry_programs);
	take(&op, ".data", MAP_CARRY)->from = (struct map_ref){ "o", "v1", ".plain" };
	{
		cleanup(closep) int fd =
			bpf_map_create(BPF_MAP_TYPE_ARRAY, "plain", 4, 64, 1, NULL);
		struct bpf_map_info info = { 0 };
		uint32_t size = sizeof(info);

		MUST(fd);
		MUST(bpf_obj_pin(fd, below("%s", layout_map_pin(fixture.a, "o", "v1", ".plain"))));
		MUST(bpf_obj_get_info_by_fd(fd, &info, &size));
		for (size_t i = 0; i < op.object.map_count; i++)
			if (op.object.maps[i].action == MAP_CARRY)
				op.object.maps[i].from_id = info.id;
	}
	apply_fails(&op, -EINVAL, "MapChanged", FAILURE_KERNEL,
		    "the kernel has no types of its variables");
}

/* --- what only programs and sockets can tell --------------------------------------- */

static void remove_first(void)
{
	struct op remove = { .kind = OP_OBJECT_REMOVE,
			     .object = { .instance = "o", .version = "v1" } };

	apply_fine(&remove);
}

static void a_timer_of_a_kept_map_goes_on(void **state)
{
	static const char *const programs[] = { "xdp_timer", NULL };
	static const char *const maps[] = { "expired", "timers", NULL };
	const struct timespec pause = { .tv_nsec = 1000 * 1000 };
	struct op op = load_version("v1", "test_opaque", programs);

	(void)state;
	if (!load_or_skip(&op, "timers (Linux 5.15)"))
		skip();
	op = keep_op("test_opaque", programs, maps);
	assert_int_equal(run("v1", "xdp_timer"), XDP_PASS);
	apply_fine(&op);
	remove_first();
	for (int i = 0; value_of("v2", "expired", 0) == 0; i++) {
		assert_true(i < 10000);
		(void)nanosleep(&pause, NULL);
	}
	assert_int_equal(run("v2", "xdp_timer"), XDP_PASS);
}

/*
 * A pointer to something of the program's own has its type by the BTF of the version that made the map, which the kernel
 * takes for another one than that of the next version, however equal they are.
 */
static void a_pointer_to_a_type_of_the_version_before_is_told(void **state)
{
	static const char *const programs[] = { "xdp_get", "xdp_put", NULL };
	static const char *const maps[] = { "numbers", NULL };
	struct op op = load_version("v1", "test_opaque", programs);

	(void)state;
	if (!load_or_skip(&op, "allocated objects (Linux 6.2)"))
		skip();
	assert_int_equal(run("v1", "xdp_put"), XDP_PASS);
	op = keep_op("test_opaque", programs, maps);
	apply_fails(
		&op, -EACCES, "VerifierRefused", FAILURE_KERNEL,
		"map numbers is kept, and what its values point to has the types of the version "
		"that made it");
	assert_int_equal(run("v1", "xdp_get"), XDP_DROP);
}

struct records {
	uint64_t numbers[8];
	size_t n;
};

static int on_record(void *arg, void *data, size_t size)
{
	struct records *r = arg;

	assert_int_equal(size, sizeof(uint64_t));
	assert_true(r->n < ARRAY_SIZE(r->numbers));
	memcpy(&r->numbers[r->n++], data, size);
	return 0;
}

static void a_consumer_goes_on_with_a_kept_ring(void **state)
{
	static const char *const maps[] = { "ring", ".bss", NULL };
	struct ring_buffer *consumer;
	struct records records = { 0 };
	struct op op;

	(void)state;
	load_first();
	{
		cleanup(closep) int fd = map_fd("v1", "ring");

		consumer = ring_buffer__new(fd, on_record, &records, NULL);
	}
	assert_non_null(consumer);
	run("v1", "xdp_count");
	op = keep_op("test_take_over", take_over_programs, maps);
	apply_fine(&op);
	run("v2", "xdp_count");
	run("v1", "xdp_count");
	remove_first();
	run("v2", "xdp_count");
	while (records.n < 4)
		assert_true(ring_buffer__poll(consumer, 10000) > 0);
	for (uint64_t i = 0; i < 4; i++)
		assert_int_equal(records.numbers[i], i);
	ring_buffer__free(consumer);
}

static void a_socket_stays_in_a_kept_map(void **state)
{
	static const char *const maps[] = { "xsks", NULL };
	uint32_t ifindex = make_veth("t0");
	struct xsk socket = { .fd = -1 };
	struct op op;

	(void)state;
	load_first();
	if (xsk_open(ifindex, &socket) < 0) {
		print_message("# no AF_XDP sockets here: %s\n", strerror(errno));
		skip();
	}
	{
		cleanup(closep) int fd = map_fd("v1", "xsks");

		MUST(bpf_map_update_elem(fd, &zero, &socket.fd, BPF_ANY));
	}
	op = keep_op("test_take_over", take_over_programs, maps);
	apply_fine(&op);
	remove_first();
	{
		cleanup(closep) int fd = bpf_obj_get(
			below("%s", layout_program_pin(fixture.a, "o", "v2", "xdp_xsk")));

		MUST(bpf_xdp_attach((int)ifindex, fd, XDP_FLAGS_SKB_MODE, NULL));
	}
	send_packet("t0-p", 1);
	MUST(xsk_wait(&socket, 1, 10000));
	(void)close(socket.fd);
}

/* The form that runs in a chain by libxdp's protocol, loaded when a chain first asks for it. */
static void the_other_form_of_a_program_has_the_kept_maps(void **state)
{
	static const char *const programs[] = { "xdp_count", NULL };
	static const char *const maps[] = { "hash", ".bss", "ring", NULL };
	const struct observed_object *o;
	struct observed all;
	struct op op;
	size_t found = 0;

	(void)state;
	if (!fixture_has("trampoline")) {
		print_message("# this kernel takes no freplace programs\n");
		skip();
	}
	load_first();
	run("v1", "xdp_count");
	op = keep_op("test_take_over", take_over_programs, maps);
	apply_fine(&op);
	op = load_version("v2", "test_take_over", programs);
	op.kind = OP_EXTENSION_LOAD;
	apply_fine(&op);
	all = observe();
	o = observed_find_object(&all, "o", "v2");
	assert_non_null(o);
	assert_int_equal(o->extension_count, 1);
	for (size_t i = 0; i < o->extensions[0].map_count; i++)
		for (size_t k = 0; maps[k]; k++)
			found += o->extensions[0].maps[i] == map_info("v1", maps[k]).id;
	assert_int_equal(found, 3);
	assert_int_equal(value_of("v2", "hash", 0), 0);
	assert_int_equal(data_of("v2", ".bss"), 1);
}

static void what_a_program_array_was_given_stays(void **state)
{
	static const char *const maps[] = { "jumps", NULL };
	cleanup(closep) int program = -1, array = -1;
	uint32_t id = 0;
	struct op op;

	(void)state;
	load_first();
	program = bpf_obj_get(below("%s", layout_program_pin(fixture.a, "o", "v1", "xdp_count")));
	MUST(program);
	array = map_fd("v1", "jumps");
	MUST(bpf_map_update_elem(array, &zero, &program, BPF_ANY));
	op = keep_op("test_take_over", take_over_programs, maps);
	apply_fine(&op);
	closep(&array);
	array = map_fd("v2", "jumps");
	remove_first();
	MUST(bpf_map_lookup_elem(array, &zero, &id));
	assert_int_equal(id, id_of_program(program));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(a_kept_map_is_the_same_map),
		FIXTURE_TEST(maps_of_young_types_are_kept),
		FIXTURE_TEST(both_versions_count_in_a_kept_map),
		FIXTURE_TEST(a_kept_map_of_maps_is_not_filled_again),
		FIXTURE_TEST(a_map_of_maps_that_is_new_is_filled),
		FIXTURE_TEST(a_kept_program_array_is_not_filled_again),
		FIXTURE_TEST(a_map_that_went_is_not_kept),
		FIXTURE_TEST(a_map_of_another_shape_is_not_kept),
		FIXTURE_TEST(variables_go_over_by_name),
		FIXTURE_TEST(a_declared_variable_has_its_declared_value),
		FIXTURE_TEST(a_variable_that_is_declared_no_more_has_the_value_of_the_file),
		FIXTURE_TEST(a_variable_of_another_type_is_told),
		FIXTURE_TEST(a_section_without_types_is_not_carried),
		FIXTURE_TEST(a_timer_of_a_kept_map_goes_on),
		FIXTURE_TEST(a_pointer_to_a_type_of_the_version_before_is_told),
		FIXTURE_TEST(a_consumer_goes_on_with_a_kept_ring),
		FIXTURE_TEST(a_socket_stays_in_a_kept_map),
		FIXTURE_TEST(what_a_program_array_was_given_stays),
		FIXTURE_TEST(the_other_form_of_a_program_has_the_kept_maps),
	};

	return FIXTURE_RUN("take_over", tests);
}
