/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <time.h>
#include <unistd.h>

#include "base/macros.h"
#include "base/str.h"
#include "fixture.h"
#include "kern/pin.h"
#include "model/layout.h"
#include "model/limits.h"

static const char *const trace_programs[] = { "xdp_trace", NULL };

static bool exists(const char *path)
{
	return access(path, F_OK) == 0;
}

static const struct observed_object *find(const char *instance, const char *version)
{
	struct observed *o = arena_new_of(fixture.a, struct observed);

	*o = observe();
	return observed_find_object(o, instance, version);
}

static void a_loaded_object_is_described(void **state)
{
	struct object_decl *d = declare("member", "test_trace");
	struct op op = load_op(d, "v", trace_programs);
	const struct observed_object *o;
	const struct observed_map *map;

	(void)state;
	op.object.meta.interface = "eth0";
	op.object.meta.frags = true;
	apply_fine(&op);
	o = find("member", "v");
	assert_non_null(o);
	assert_true(o->complete);
	assert_false(o->newer);
	assert_int_equal(o->program_count, 1);
	assert_string_equal(o->programs[0].name, "xdp_trace");
	assert_int_equal(o->programs[0].type, BPF_PROG_TYPE_XDP);
	assert_int_equal(o->programs[0].id, program_id("member"));
	assert_int_equal(strlen(o->programs[0].tag), 16);
	/* trace, packets, .rodata, and the metadata map that is bound to it */
	assert_int_equal(o->programs[0].map_count, 4);
	assert_int_equal(o->map_count, d->source->elf->map_count);
	map = observed_object_map(o, "packets");
	assert_non_null(map);
	assert_int_equal(map->type, BPF_MAP_TYPE_PERCPU_ARRAY);
	assert_int_equal(map->max_entries, 1);
	assert_non_null(observed_object_map(o, ".rodata"));
	assert_string_equal(o->meta.object, "member");
	assert_string_equal(o->meta.interface, "eth0");
	assert_string_equal(o->meta.elf_sha256, d->source->sha256);
	assert_string_equal(o->meta.origin, "test.yaml:1");
	assert_true(o->meta.frags);
	assert_true(o->meta.loaded_ns > 0);
}

static void metadata_cannot_be_changed(void **state)
{
	cleanup(closep) int fd = -1;
	const uint32_t key = 0;
	char value[LIMIT_META_BYTES] = "";

	(void)state;
	load_member("a", 1, XDP_PASS);
	fd = bpf_obj_get(below("objects/a/v/meta"));
	assert_true(fd >= 0);
	assert_int_equal(bpf_map_update_elem(fd, &key, value, BPF_ANY), -EPERM);
}

static void globals_are_set_before_the_load(void **state)
{
	const char *const members[] = { "a" };

	(void)state;
	load_member("a", 4711, XDP_TX);
	assert_int_equal(run_chain(build_chain("s", members, 1), 1), XDP_TX);
	assert_string_equal(trace_of(1), "4711");
}

static void a_global_outside_of_its_section_is_refused(void **state)
{
	struct object_decl *d = declare("a", "test_trace");
	struct global_value *v;
	struct op op;

	(void)state;
	declare_value(d, "id", 1);
	v = d->values;
	op = load_op(d, "v", trace_programs);
	v->offset = UINT32_MAX;
	apply_fails(&op, -EINVAL, "LoadFailed", FAILURE_KERNEL, ".rodata");
	v->offset = 0;
	v->section = ".rodata.no";
	apply_fails(&op, -EINVAL, "LoadFailed", FAILURE_KERNEL, ".rodata.no");
	assert_int_equal(observe().object_count, 0);
}

static void max_entries_are_as_declared(void **state)
{
	static const char *const programs[] = { "xdp_lookup", NULL };
	struct op op = load_op(declare("p", "test_pin_by_name"), "v", programs);

	(void)state;
	op.object.maps[0].max_entries = 1000;
	apply_fine(&op);
	assert_int_equal(observed_object_map(find("p", "v"), "pinned_by_name")->max_entries, 1000);
}

/* libbpf would pin below /sys/fs/bpf, or take whatever is pinned there. */
static void a_wish_to_be_pinned_by_name_is_ignored(void **state)
{
	static const char *const programs[] = { "xdp_lookup", NULL };
	struct op op = load_op(declare("p", "test_pin_by_name"), "v", programs);

	(void)state;
	must_run("mount -t bpf bpf /sys/fs/bpf");
	apply_fine(&op);
	assert_false(exists("/sys/fs/bpf/pinned_by_name"));
	assert_true(find("p", "v")->complete);
}

static void a_used_map_is_the_same_map(void **state)
{
	const struct observed_map *theirs, *ours;

	(void)state;
	load_member("first", 1, XDP_PASS);
	load_member("second", 2, XDP_PASS);
	theirs = observed_object_map(find("first", "v"), "trace");
	ours = observed_object_map(find("second", "v"), "trace");
	assert_int_equal(ours->id, theirs->id);
	assert_int_not_equal(observed_object_map(find("first", "v"), "packets")->id,
			     observed_object_map(find("second", "v"), "packets")->id);
}

static void a_map_of_another_shape_is_not_used(void **state)
{
	struct op op;

	(void)state;
	load_member("first", 1, XDP_PASS);
	op = load_op(declare("second", "test_trace"), "v", trace_programs);
	load_op_use(&op, "trace", "first", "v", "packets");
	apply_fails(&op, -EINVAL, "MapCreateFailed", FAILURE_KERNEL,
		    "map trace cannot be map packets of first");
	load_op_use(&op, "trace", "nobody", "v", "trace");
	apply_fails(&op, -ENOENT, "MapCreateFailed", FAILURE_TRANSIENT, "nobody");
	assert_int_equal(observe().object_count, 1);
}

static void a_map_that_cannot_be_is_named(void **state)
{
	static const char *const programs[] = { "xdp_lookup", NULL };
	struct op op = load_op(declare("p", "test_pin_by_name"), "v", programs);

	(void)state;
	op.object.maps[0].max_entries = UINT32_MAX;
	apply_fails(&op, -E2BIG, "MapCreateFailed", FAILURE_KERNEL, "pinned_by_name");
}

static void a_refused_program_has_its_log(void **state)
{
	static const char *const programs[] = { "xdp_refused", NULL };
	struct op op = load_op(declare("bad", "test_refused"), "v", programs);
	struct op_result r;

	(void)state;
	r = apply_fails(&op, -EACCES, "VerifierRefused", FAILURE_KERNEL, "function xdp_refused: ");
	assert_non_null(strstr(r.error.text, "invalid access to packet"));
	assert_non_null(r.log);
	assert_non_null(strstr(r.log, "invalid access to packet"));
	assert_true(strlen(r.log) <= LIMIT_LOG_BYTES);
	assert_false(exists(below("objects/bad")));
	assert_int_equal(observe().object_count, 0);
}

static void a_file_that_changed_meanwhile_is_not_loaded(void **state)
{
	struct object_decl *d = declare("a", "test_trace");
	struct op op = load_op(d, "v", trace_programs);

	(void)state;
	((struct object_source *)d->source)->sha256[0] ^= 1;
	apply_fails(&op, -ESTALE, "ObjectChanged", FAILURE_TRANSIENT, "test_trace.bpf.o");
	d->path = "/nonexistent/a.bpf.o";
	apply_fails(&op, -ENOENT, "ObjectUnreadable", FAILURE_TRANSIENT, "/nonexistent/a.bpf.o");
	assert_int_equal(observe().object_count, 0);
}

static void a_function_that_is_not_there_fails(void **state)
{
	static const char *const programs[] = { "xdp_nobody", "xdp_trace", NULL };
	struct op op = load_op(declare("a", "test_trace"), "v", programs);

	(void)state;
	apply_fails(&op, -ENOENT, "LoadFailed", FAILURE_TRANSIENT, "1 of the 2");
}

/* The target of the jump is not asked for, and its array must be filled all the same. */
static void what_a_program_array_needs_is_loaded(void **state)
{
	static const char *const programs[] = { "xdp_prog_array", NULL };
	struct op op = load_op(declare("jump", "test_prog_array"), "v", programs);
	const struct observed_object *o;
	unsigned char packet[64] = { 0 };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = packet, .data_size_in = sizeof(packet));
	cleanup(closep) int fd = -1;

	(void)state;
	apply_fine(&op);
	o = find("jump", "v");
	assert_true(o->complete);
	assert_int_equal(o->program_count, 1);
	fd = bpf_obj_get(below("objects/jump/v/programs/xdp_prog_array"));
	assert_true(fd >= 0);
	assert_int_equal(bpf_prog_test_run_opts(fd, &opts), 0);
	assert_int_equal(opts.retval, XDP_PASS);
}

static void only_what_is_asked_for_is_loaded(void **state)
{
	static const char *const programs[] = { "xdp_no_frags", NULL };
	struct op op = load_op(declare("f", "test_frags"), "v", programs);

	(void)state;
	apply_fine(&op);
	assert_int_equal(find("f", "v")->program_count, 1);
	assert_false(exists(below("objects/f/v/programs/xdp_frags")));
}

/* Frags take effect only where the operation wants them: told by who may be a member with whom. */
static void frags_are_as_the_operation_says(void **state)
{
	static const char *const frags[] = { "xdp_frags", NULL };
	struct op with = load_op(declare("with", "test_frags"), "v", frags);
	struct op without = load_op(declare("without", "test_frags"), "v", frags);
	const char *const members[] = { "x" };
	struct op chain = chain_op("s", members, 1, false);
	struct op_result r;

	(void)state;
	apply_fine(&without);
	chain.chain.members[0] = (struct program_ref){ "without", "v", "xdp_frags" };
	apply_fine(&chain);
	with.object.meta.frags = true;
	r = apply(&with);
	if (r.code < 0) {
		print_message("# no frags before Linux 5.18: %s\n", r.error.text);
		assert_int_equal(r.code, -EINVAL);
		skip();
	}
	chain.chain.members[0].instance = "with";
	apply_fails(&chain, -EINVAL, "MemberRefused", FAILURE_KERNEL, "frags");
	chain.chain.frags = true;
	apply_fine(&chain);
	chain.chain.members[0].instance = "without";
	apply_fails(&chain, -EINVAL, "MemberRefused", FAILURE_KERNEL, "frags");
}

static void an_interrupted_load_is_begun_anew(void **state)
{
	const struct observed_object *o;

	(void)state;
	assert_int_equal(mkdir(below("objects/a"), 0700), 0);
	assert_int_equal(mkdir(below("objects/a/v"), 0700), 0);
	assert_int_equal(mkdir(below("objects/a/v/maps"), 0700), 0);
	load_member("other", 1, XDP_PASS);
	{
		cleanup(closep) int fd = bpf_obj_get(below("objects/other/v/maps/trace"));

		assert_int_equal(bpf_obj_pin(fd, below("objects/a/v/maps/trace")), 0);
	}
	o = find("a", "v");
	assert_non_null(o);
	assert_false(o->complete);
	load_member("a", 2, XDP_PASS);
	o = find("a", "v");
	assert_true(o->complete);
}

/* What no program uses is known by its pin alone; the rest is found by what refers to it. */
static void what_lacks_a_pin_is_lost(void **state)
{
	(void)state;
	load_member("a", 1, XDP_PASS);
	load_member("b", 2, XDP_PASS);
	load_member("c", 3, XDP_PASS);
	assert_int_equal(unlink(below("objects/a/v/meta")), 0);
	assert_int_equal(unlink(below("objects/b/v/programs/xdp_trace")), 0);
	assert_int_equal(unlink(below("objects/c/v/maps/packets")), 0);
	fixture_restart();
	assert_true(find("a", "v")->complete);
	assert_int_equal(find("a", "v")->lost_count, 1);
	assert_true(find("c", "v")->complete);
	assert_int_equal(find("c", "v")->lost_count, 1);
	assert_false(find("b", "v")->complete); /* its program is gone */
	assert_int_equal(find("b", "v")->lost_count, 0);
	assert_int_equal(find("c", "v")->map_count, find("b", "v")->map_count);
}

/* Pins DATA as the metadata of objects/INSTANCE/v. */
static void plant_meta(const char *instance, const void *data, size_t size)
{
	const struct pin_owner owner = { .tag = "0123abcd" };
	struct error e = { 0 };

	assert_int_equal(pin_directory_create(below("objects/%s", instance), &e), 0);
	assert_int_equal(pin_directory_create(below("objects/%s/v", instance), &e), 0);
	if (pin_meta_write(fixture.a, below("objects/%s/v", instance), &owner, data, size, &e) < 0)
		fail_msg("%s", e.text);
}

static void metadata_of_others_is_told_apart(void **state)
{
	struct meta_object m = { .instance = "elsewhere",
				 .object = "o",
				 .version = "v",
				 .origin = "",
				 .elf_path = "",
				 .elf_sha256 = "",
				 .declaration = "" };
	const void *encoded;
	unsigned char *data;
	size_t size;

	(void)state;
	encoded = meta_object_encode(fixture.a, &m, &size);
	data = arena_dup(fixture.a, encoded, size);
	plant_meta("moved", data, size);
	plant_meta("elsewhere", data, size);
	data[8]++;
	plant_meta("newer", data, size);
	data[0] = 'x';
	plant_meta("damaged", data, size);
	assert_false(find("moved", "v")->complete);
	assert_true(find("elsewhere", "v")->complete);
	assert_true(find("newer", "v")->newer);
	assert_false(find("newer", "v")->complete);
	assert_false(find("damaged", "v")->complete);
	assert_false(find("damaged", "v")->newer);
}

static void a_pin_that_is_no_metadata_is_damage(void **state)
{
	cleanup(closep) int program = load_foreign(), map = -1;

	(void)state;
	map = bpf_map_create(BPF_MAP_TYPE_HASH, "hash", 4, 16, 1, NULL);
	for (int i = 0; i < 2; i++) {
		const char *instance = i == 0 ? "program" : "map";
		struct error e = { 0 };

		assert_int_equal(pin_directory_create(below("objects/%s", instance), &e), 0);
		assert_int_equal(pin_directory_create(below("objects/%s/v", instance), &e), 0);
		assert_int_equal(bpf_obj_pin(i == 0 ? program : map,
					     below("objects/%s/v/meta", instance)),
				 0);
		assert_false(find(instance, "v")->complete);
	}
}

/* A part of the tree that others can write to proves nothing. */
static void what_others_could_have_made_is_not_ours(void **state)
{
	(void)state;
	load_member("a", 1, XDP_PASS);
	assert_int_equal(chmod(below("objects"), 0777), 0);
	assert_int_equal(observe().object_count, 0);
	assert_int_equal(chmod(below("objects"), 0700), 0);
	assert_int_equal(chown(below("objects"), 65534, 0), 0);
	assert_int_equal(observe().object_count, 0);
	assert_int_equal(chown(below("objects"), 0, 0), 0);
	assert_int_equal(observe().object_count, 1);
}

static void names_of_interfaces_with_dots_have_pins(void **state)
{
	struct op op = load_op(declare("fwd", "test_trace"), "v1", trace_programs);

	(void)state;
	op.object.instance = op.object.meta.instance = "fwd@eth0.100";
	apply_fine(&op);
	assert_true(find("fwd@eth0.100", "v1")->complete);
}

static void a_failure_to_pin_leaves_nothing(void **state)
{
	char *version = arena_alloc(fixture.a, 301);
	struct op op;

	(void)state;
	memset(version, 'v', 300);
	op = load_op(declare("a", "test_trace"), version, trace_programs);
	apply_fails(&op, -ENAMETOOLONG, "PinFailed", FAILURE_KERNEL, "File name too long");
	assert_false(exists(below("objects/a")));
}

static void too_much_metadata_is_refused(void **state)
{
	struct op op = load_op(declare("a", "test_trace"), "v", trace_programs);
	char *long_text = arena_alloc(fixture.a, LIMIT_META_BYTES + 1);

	(void)state;
	memset(long_text, 'x', LIMIT_META_BYTES);
	op.object.meta.declaration = long_text;
	apply_fails(&op, -E2BIG, "PinFailed", FAILURE_KERNEL, "metadata takes");
	assert_false(exists(below("objects/a")));
}

static void two_versions_go_one_by_one(void **state)
{
	struct op one = load_op(declare("a", "test_trace"), "v1", trace_programs);
	struct op two = load_op(declare("a", "test_trace"), "v2", trace_programs);
	uint32_t id;

	(void)state;
	apply_fine(&one);
	apply_fine(&two);
	id = find("a", "v1")->programs[0].id;
	one.kind = two.kind = OP_OBJECT_REMOVE;
	apply_fine(&one);
	assert_null(find("a", "v1"));
	assert_true(find("a", "v2")->complete);
	wait_for_end_of(id);
	apply_fine(&two);
	assert_false(exists(below("objects/a")));
	apply_fine(&two); /* what is gone already is gone */
}

static void an_unfinished_object_can_be_removed(void **state)
{
	struct op op = { .kind = OP_OBJECT_REMOVE, .object = { .instance = "a", .version = "v" } };

	(void)state;
	load_member("a", 1, XDP_PASS);
	assert_int_equal(unlink(below("objects/a/v/meta")), 0);
	apply_fine(&op);
	assert_false(exists(below("objects/a")));
}

/* A load that stopped before its last pin: the programs are bound to the metadata already. */
static void what_is_pinned_is_not_lost_with_the_metadata(void **state)
{
	struct op op = { .kind = OP_PIN_RESTORE, .key = "object a" };
	const struct observed_object *o;

	(void)state;
	load_member("a", 1, XDP_PASS);
	assert_int_equal(unlink(below("objects/a/v/meta")), 0);
	o = find("a", "v");
	assert_true(o->complete);
	assert_int_equal(o->lost_count, 1);
	assert_string_equal(o->lost[0].path, "objects/a/v/meta");
	op.pins = (struct op_pins){ o->lost, o->lost_count };
	apply_fine(&op);
	assert_int_equal(find("a", "v")->lost_count, 0);
	assert_true(exists(below("objects/a/v/meta")));
}

static void an_empty_directory_is_observed_and_removed(void **state)
{
	struct op op = { .kind = OP_OBJECT_REMOVE, .object = { .instance = "a", .version = "" } };

	(void)state;
	assert_int_equal(mkdir(below("objects/a"), 0700), 0);
	assert_non_null(find("a", ""));
	assert_false(find("a", "")->complete);
	apply_fine(&op);
	assert_false(exists(below("objects/a")));
	load_member("a", 1, XDP_PASS);
	assert_null(find("a", ""));
	apply_fine(&op); /* it was filled since */
	assert_true(find("a", "v")->complete);
}

/* Where freplace works, tests/kern/test_libxdp.c has the rest. */
static void a_kernel_without_freplace_is_told(void **state)
{
	static const char *const programs[] = { "xdp_trace", NULL };
	struct op op;

	(void)state;
	if (fixture_has("trampoline")) {
		print_message("# this kernel takes freplace programs\n");
		skip();
	}
	load_member("a", 1, XDP_PASS);
	op = load_op(declare("a", "test_trace"), "v", programs);
	op.kind = OP_EXTENSION_LOAD;
	apply_fails(&op, 0, "LoadFailed", FAILURE_KERNEL, "mechanism: tailcall needs none");
	assert_int_equal(observe().objects[0].extension_count, 0);
	assert_true(observe().objects[0].complete);
}

static bool is_younger_than_the_tick(const char *path)
{
	struct timespec now;
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(clock_gettime(CLOCK_REALTIME_COARSE, &now), 0);
	return st.st_ctim.tv_sec > now.tv_sec ||
	       (st.st_ctim.tv_sec == now.tv_sec && st.st_ctim.tv_nsec >= now.tv_nsec);
}

/* Until what the observation reads is kept for the next ones. */
static void observe_until_kept(const char *directory)
{
	while (is_younger_than_the_tick(directory))
		;
	(void)observe();
	assert_true(find("a", "v")->complete);
}

static uint32_t observed_map_id(const char *map)
{
	const struct observed_object *o = find("a", "v");

	assert_non_null(o);
	assert_non_null(observed_object_map(o, map));
	return observed_object_map(o, map)->id;
}

static void what_is_known_is_looked_at_again_once_it_changes(void **state)
{
	struct op op = load_op(declare("a", "test_trace"), "v", trace_programs);
	struct op other = load_op(declare("b", "test_trace"), "v", trace_programs);
	const char *maps = below("objects/a/v/maps");
	cleanup(closep) int fd = -1;
	uint32_t before;

	(void)state;
	apply_fine(&op);
	apply_fine(&other);
	observe_until_kept(maps);
	before = observed_map_id("packets");

	/* the pin of another map of the same shape, moved over this one */
	fd = bpf_obj_get(below("objects/b/v/maps/packets"));
	assert_true(fd >= 0);
	assert_int_equal(bpf_obj_pin(fd, below("objects/a/v/maps/new")), 0);
	observe_until_kept(maps);
	assert_int_equal(observed_map_id("packets"), before);
	assert_int_equal(rename(below("objects/a/v/maps/new"), below("objects/a/v/maps/packets")),
			 0);
	/* it is not believed, but what belongs there is known */
	assert_int_equal(observed_map_id("packets"), before);
	assert_true(find("a", "v")->lost[0].replaced);

	assert_int_equal(unlink(below("objects/a/v/maps/packets")), 0);
	assert_false(find("a", "v")->lost[0].replaced);
	closep(&fd);
	fd = bpf_map_get_fd_by_id(before);
	assert_true(fd >= 0);
	assert_int_equal(bpf_obj_pin(fd, below("objects/a/v/maps/packets")), 0);
	assert_int_equal(find("a", "v")->lost_count, 0);

	observe_until_kept(maps);
	assert_int_equal(rename(below("objects/a"), below("objects/c")), 0);
	assert_int_equal(find("a", "v")->lost_count, 1 + find("a", "v")->map_count + 1);
	assert_false(find("c", "v")->complete);
	assert_int_equal(rename(below("objects/c"), below("objects/a")), 0);
	assert_int_equal(find("a", "v")->lost_count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(a_loaded_object_is_described),
		FIXTURE_TEST(metadata_cannot_be_changed),
		FIXTURE_TEST(globals_are_set_before_the_load),
		FIXTURE_TEST(a_global_outside_of_its_section_is_refused),
		FIXTURE_TEST(max_entries_are_as_declared),
		FIXTURE_TEST(a_wish_to_be_pinned_by_name_is_ignored),
		FIXTURE_TEST(a_used_map_is_the_same_map),
		FIXTURE_TEST(a_map_of_another_shape_is_not_used),
		FIXTURE_TEST(a_map_that_cannot_be_is_named),
		FIXTURE_TEST(a_refused_program_has_its_log),
		FIXTURE_TEST(a_file_that_changed_meanwhile_is_not_loaded),
		FIXTURE_TEST(a_function_that_is_not_there_fails),
		FIXTURE_TEST(what_a_program_array_needs_is_loaded),
		FIXTURE_TEST(only_what_is_asked_for_is_loaded),
		FIXTURE_TEST(frags_are_as_the_operation_says),
		FIXTURE_TEST(an_interrupted_load_is_begun_anew),
		FIXTURE_TEST(what_lacks_a_pin_is_lost),
		FIXTURE_TEST(metadata_of_others_is_told_apart),
		FIXTURE_TEST(a_pin_that_is_no_metadata_is_damage),
		FIXTURE_TEST(what_others_could_have_made_is_not_ours),
		FIXTURE_TEST(names_of_interfaces_with_dots_have_pins),
		FIXTURE_TEST(a_failure_to_pin_leaves_nothing),
		FIXTURE_TEST(too_much_metadata_is_refused),
		FIXTURE_TEST(two_versions_go_one_by_one),
		FIXTURE_TEST(an_unfinished_object_can_be_removed),
		FIXTURE_TEST(what_is_pinned_is_not_lost_with_the_metadata),
		FIXTURE_TEST(an_empty_directory_is_observed_and_removed),
		FIXTURE_TEST(a_kernel_without_freplace_is_told),
		FIXTURE_TEST(what_is_known_is_looked_at_again_once_it_changes),
	};

	return FIXTURE_RUN("object", tests);
}
