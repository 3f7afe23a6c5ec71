/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* kern/keep.h, kern/recover.h: what the kernel still holds is found without its pins, and pinned again. */
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
#include <unistd.h>

#include "base/macros.h"
#include "base/str.h"
#include "fixture.h"
#include "kern/pin.h"

static const struct observed_object *find(const char *instance)
{
	struct observed *o = arena_new_of(fixture.a, struct observed);

	*o = observe();
	return observed_find_object(o, instance, "v");
}

static bool exists(const char *path)
{
	return access(path, F_OK) == 0;
}

static void restore(const struct observed_lost *lost, size_t n)
{
	struct op op = { .kind = OP_PIN_RESTORE, .key = "pins", .pins = { lost, n } };

	apply_fine(&op);
}

/* All of both: equal ids, so equal contents. */
static void assert_same(const struct observed_object *was, const struct observed_object *is)
{
	assert_non_null(is);
	assert_true(is->complete);
	assert_int_equal(is->meta_id, was->meta_id);
	assert_int_equal(is->program_count, was->program_count);
	for (size_t i = 0; i < was->program_count; i++) {
		assert_string_equal(is->programs[i].name, was->programs[i].name);
		assert_int_equal(is->programs[i].id, was->programs[i].id);
	}
	assert_int_equal(is->map_count, was->map_count);
	for (size_t i = 0; i < was->map_count; i++) {
		const struct observed_map *map = observed_object_map(is, was->maps[i].name);

		assert_non_null(map);
		assert_int_equal(map->id, was->maps[i].id);
	}
}

static void remove_all(void)
{
	must_run("find %s -mindepth 2 -depth -delete", fixture.bpffs_dir);
}

static void what_is_held_is_pinned_again(void **state)
{
	const struct observed_object *was, *lost, *now;

	(void)state;
	load_member("a", 1, XDP_PASS);
	was = find("a");
	assert_int_equal(was->lost_count, 0);
	remove_all();
	lost = find("a");
	assert_same(was, lost);
	assert_int_equal(lost->lost_count, 1 + was->map_count + 1);
	assert_true(str_ends(lost->lost[lost->lost_count - 1].path, "/meta"));
	restore(lost->lost, lost->lost_count);
	now = find("a");
	assert_same(was, now);
	assert_int_equal(now->lost_count, 0);
	fixture_restart();
	assert_same(was, find("a"));
	assert_int_equal(find("a")->lost_count, 0);
}

static void what_runs_is_found_by_another_process(void **state)
{
	const uint32_t veth = make_veth("v0");
	struct op op = root_op(OP_ROOT_SET, "v0", veth);
	const struct observed_object *was, *lost;

	(void)state;
	load_member("a", 1, XDP_PASS);
	load_member("b", 2, XDP_PASS);
	op.root.program = (struct program_ref){ "b", "v", "xdp_trace", 0 };
	apply_fine(&op);
	send_packet("v0-p", 7);
	assert_string_equal(wait_for_trace(7), "2");
	was = find("b");
	remove_all();
	fixture_restart();
	lost = find("b");
	assert_same(was, lost);
	assert_null(
		find("a")); /* which ran nowhere, and of whose maps nothing tells whose they are */
	restore(lost->lost, lost->lost_count);
	assert_int_equal(find("b")->lost_count, 0);
	assert_true(exists(below("objects/b/v/maps/packets")));
	assert_true(exists(below("objects/b/v/maps/%s", "%2Erodata")));
}

static void what_does_not_run_is_gone_for_another_process(void **state)
{
	const struct observed_object *was;

	(void)state;
	load_member("a", 1, XDP_PASS);
	was = find("a");
	remove_all();
	fixture_restart();
	wait_for_end_of(was->programs[0].id);
	assert_null(find("a"));
}

/* One pin of a version that nobody runs: the others lead to it. */
static void a_map_is_found_by_its_program(void **state)
{
	const struct observed_object *was, *lost;

	(void)state;
	load_member("a", 1, XDP_PASS);
	was = find("a");
	assert_int_equal(unlink(below("objects/a/v/maps/packets")), 0);
	fixture_restart();
	lost = find("a");
	assert_same(was, lost);
	assert_int_equal(lost->lost_count, 1);
	assert_string_equal(lost->lost[0].path, "objects/a/v/maps/packets");
	restore(lost->lost, 1);
	assert_int_equal(find("a")->lost_count, 0);
}

static void another_map_in_the_place_of_a_pin_is_not_believed(void **state)
{
	const char *pin, *path = "objects/a/v/maps/packets";
	cleanup(closep) int other = bpf_map_create(BPF_MAP_TYPE_ARRAY, "other", 4, 8, 1, NULL);
	const struct observed_object *was, *lost;

	(void)state;
	load_member("a", 1, XDP_PASS);
	was = find("a");
	pin = below("%s", path);
	assert_int_equal(unlink(pin), 0);
	assert_int_equal(bpf_obj_pin(other, pin), 0);
	lost = find("a");
	assert_same(was, lost);
	assert_int_equal(lost->lost_count, 1);
	assert_true(lost->lost[0].replaced);
	restore(lost->lost, 1);
	assert_same(was, find("a"));
	assert_int_equal(find("a")->lost_count, 0);
	assert_false(exists(below("%s~", path)));
}

static void a_held_array_keeps_its_slots(void **state)
{
	static const char *const members[] = { "a", "b" };
	const struct observed_chain *c;
	struct observed o;
	uint32_t id;

	(void)state;
	load_member("a", 1, XDP_PASS);
	load_member("b", 2, XDP_PASS);
	id = build_chain("s", members, 2);
	(void)observe();
	must_run("rm -r %s", below("chains/%u", id));
	o = observe();
	c = observed_find_chain(&o, id);
	assert_non_null(c);
	assert_true(c->complete);
	assert_int_equal(c->lost_count, 3);
	assert_int_equal(c->slots[1], program_id("b"));
	restore(c->lost, c->lost_count);
	run_chain(id, 9);
	assert_string_equal(trace_of(9), "1 2");
	o = observe();
	assert_int_equal(observed_find_chain(&o, id)->lost_count, 0);
}

static void what_is_removed_on_purpose_is_not_held(void **state)
{
	struct op op = { .kind = OP_OBJECT_REMOVE, .object = { .instance = "a", .version = "v" } };
	const struct observed_object *was;

	(void)state;
	load_member("a", 1, XDP_PASS);
	was = find("a");
	apply_fine(&op);
	wait_for_end_of(was->programs[0].id);
	assert_null(find("a"));
}

static void pins_of_others_outlive_the_version(void **state)
{
	struct op op = { .kind = OP_OBJECT_REMOVE, .object = { .instance = "a", .version = "v" } };
	cleanup(closep) int other = bpf_map_create(BPF_MAP_TYPE_ARRAY, "other", 4, 8, 1, NULL);
	struct observed o;

	(void)state;
	load_member("a", 1, XDP_PASS);
	assert_int_equal(bpf_obj_pin(other, below("objects/a/v/maps/mine")), 0);
	assert_int_equal(bpf_obj_pin(other, below("objects/mine")), 0);
	assert_int_equal(bpf_obj_pin(other, below("chains/5")), 0);
	o = observe();
	assert_int_equal(o.foreign.n, 3);
	apply_fine(&op);
	assert_null(find("a"));
	assert_true(exists(below("objects/a/v~/maps/mine")));
	assert_false(exists(below("objects/a/v~/maps/packets")));
	assert_true(exists(below("objects/mine")));
	o = observe();
	assert_int_equal(o.foreign.n, 3);
	apply_fine(&op); /* and is not removed again */
	assert_true(exists(below("objects/a/v~/maps/mine")));
}

static void a_renamed_directory_is_told(void **state)
{
	struct op directories = { .kind = OP_DIRECTORY_CREATE };
	const char *to = arena_printf(fixture.a, "%s/bpf/y", fixture.root);
	const struct observed_object *was;
	struct observed o;

	(void)state;
	load_member("a", 1, XDP_PASS);
	was = find("a");
	assert_int_equal(rename(fixture.bpffs_dir, to), 0);
	o = observe();
	assert_false(o.directory_ready);
	assert_string_equal(o.directory_moved, to);
	apply_fine(&directories);
	assert_same(was, find("a"));
	restore(find("a")->lost, find("a")->lost_count);
	o = observe();
	assert_null(o.directory_moved);
	assert_int_equal(find("a")->lost_count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(what_is_held_is_pinned_again),
		FIXTURE_TEST(what_runs_is_found_by_another_process),
		FIXTURE_TEST(what_does_not_run_is_gone_for_another_process),
		FIXTURE_TEST(a_map_is_found_by_its_program),
		FIXTURE_TEST(another_map_in_the_place_of_a_pin_is_not_believed),
		FIXTURE_TEST(a_held_array_keeps_its_slots),
		FIXTURE_TEST(what_is_removed_on_purpose_is_not_held),
		FIXTURE_TEST(pins_of_others_outlive_the_version),
		FIXTURE_TEST(a_renamed_directory_is_told),
	};

	return FIXTURE_RUN("recover", tests);
}
