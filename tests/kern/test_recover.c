/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* kern/keep.h, kern/recover.h: what the kernel still holds is found without its pins, and pinned again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/macros.h"
#include "base/str.h"
#include "fixture.h"
#include "kern/pin.h"
#include "kern/stamp.h"
#include "model/meta.h"

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

/* The version is as it was but for one pin, and restoring that makes it whole. */
static void assert_one_is_put_back(const char *instance, const struct observed_object *was)
{
	const struct observed_object *lost = find(instance);

	assert_same(was, lost);
	assert_int_equal(lost->lost_count, 1);
	restore(lost->lost, 1);
	assert_same(was, find(instance));
	assert_int_equal(find(instance)->lost_count, 0);
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

static void load_again(const char *instance, uint32_t id)
{
	struct op op = { .kind = OP_OBJECT_REMOVE, .object = { .version = "v" } };

	op.object.instance = instance;
	apply_fine(&op);
	load_member(instance, id, XDP_PASS);
}

static void pin_over(int fd, const char *pin)
{
	assert_int_equal(unlink(pin), 0);
	assert_int_equal(bpf_obj_pin(fd, pin), 0);
}

/* Of one version, while no daemon is there to hold what was pinned. */
static void assert_replaced_is_found(int other, const char *name)
{
	const uint32_t veth = make_veth("v0");
	struct op op = root_op(OP_ROOT_SET, "v0", veth);
	const struct observed_object *was, *lost;

	load_member("a", 1, XDP_PASS);
	/* Nobody else holds a program. */
	op.root.program = (struct program_ref){ "a", "v", "xdp_trace", 0 };
	apply_fine(&op);
	was = find("a");
	pin_over(other, below("objects/a/v/%s", name));
	fixture_restart();
	lost = find("a");
	assert_same(was, lost);
	assert_int_equal(lost->lost_count, 1);
	assert_string_equal(lost->lost[0].path, arena_printf(fixture.a, "objects/a/v/%s", name));
	assert_true(lost->lost[0].replaced);
	restore(lost->lost, 1);
	assert_same(was, find("a"));
	assert_int_equal(find("a")->lost_count, 0);
	fixture_restart();
	assert_same(was, find("a"));
	assert_int_equal(find("a")->lost_count, 0);
}

static void a_map_that_was_replaced_unseen_is_not_believed(void **state)
{
	cleanup(closep) int other = bpf_map_create(BPF_MAP_TYPE_ARRAY, "other", 4, 8, 1, NULL);

	(void)state;
	assert_replaced_is_found(other, "maps/packets");
}

/* Of the same name and kind as ours. */
static void a_twin_of_a_map_is_not_believed(void **state)
{
	const char *pin = below("objects/b/v/maps/packets");
	cleanup(closep) int other = -1;

	(void)state;
	load_member("b", 2, XDP_PASS);
	other = bpf_obj_get(pin);
	assert_true(other >= 0);
	assert_replaced_is_found(other, "maps/packets");
}

static void a_program_that_was_replaced_unseen_is_not_believed(void **state)
{
	cleanup(closep) int other = load_foreign();

	(void)state;
	assert_replaced_is_found(other, "programs/xdp_trace");
}

/* The program of another version, which is ours as well. */
static void a_twin_of_a_program_is_not_believed(void **state)
{
	cleanup(closep) int other = -1;

	(void)state;
	load_member("b", 2, XDP_PASS);
	other = bpf_obj_get(below("objects/b/v/programs/xdp_trace"));
	assert_true(other >= 0);
	assert_replaced_is_found(other, "programs/xdp_trace");
}

static void metadata_that_was_replaced_unseen_is_not_believed(void **state)
{
	cleanup(closep) int other = bpf_map_create(BPF_MAP_TYPE_ARRAY, "other", 4, 8, 1, NULL);

	(void)state;
	assert_replaced_is_found(other, "meta");
}

/* Readable, and of the same version: but no program is bound to it. */
static void a_twin_of_metadata_is_not_believed(void **state)
{
	cleanup(closep) int fd = -1, other = -1;
	const struct observed_object *was;
	const uint32_t zero = 0;
	struct pin_meta data;

	(void)state;
	load_member("a", 1, XDP_PASS);
	fd = bpf_obj_get(below("objects/a/v/meta"));
	assert_int_equal(pin_meta_read_fd(fixture.a, fd, "meta", &data, NULL), 0);
	other = bpf_map_create(BPF_MAP_TYPE_ARRAY, "twin", 4, (uint32_t)data.size, 1, NULL);
	assert_int_equal(bpf_map_update_elem(other, &zero, data.data, BPF_ANY), 0);
	was = find("a");
	pin_over(other, below("objects/a/v/meta"));
	fixture_restart();
	assert_one_is_put_back("a", was);
}

/* It is used by the version's program, but as another map. */
static void another_map_of_the_version_is_not_believed(void **state)
{
	cleanup(closep) int other = -1;
	const struct observed_object *was;

	(void)state;
	load_member("a", 1, XDP_PASS);
	was = find("a");
	other = bpf_obj_get(below("objects/a/v/maps/trace"));
	assert_true(other >= 0);
	pin_over(other, below("objects/a/v/maps/packets"));
	fixture_restart();
	assert_one_is_put_back("a", was);
}

/* Metadata of b's version "v" that somebody else made, bound to a program and a map of the names of b's. */
struct forgery {
	enum bpf_prog_type type;
	uint32_t flags; /* of the metadata's map */
	bool frozen, empty;
	uid_t uid;
	int program, map, meta;
};

static void forgery_done(struct forgery *f)
{
	closep(&f->program);
	closep(&f->map);
	closep(&f->meta);
}

static int load_program(enum bpf_prog_type type)
{
	const struct bpf_insn code[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K },
		{ .code = BPF_JMP | BPF_EXIT },
	};

	return bpf_prog_load(type, "xdp_trace", "GPL", code, ARRAY_SIZE(code), NULL);
}

static const char *name_of_meta(void)
{
	cleanup(closep) int fd = bpf_obj_get(below("objects/b/v/meta"));
	struct observed_map map;

	assert_int_equal(pin_map_info(fixture.a, fd, &map, NULL), 0);
	return map.name;
}

/* While b is loaded, of which all is known by then. */
static void forge(struct forgery *f)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = f->flags);
	const char *name = name_of_meta();
	struct meta_object m = find("b")->meta;
	const uint32_t zero = 0;
	const void *data;
	size_t size;

	if (f->empty)
		m.program_count = m.map_count = 0;
	data = meta_object_encode(fixture.a, &m, &size);
	/* What the kernel writes down is the real one; the effective one keeps its capabilities. */
	assert_int_equal(setresuid(f->uid, (uid_t)-1, (uid_t)-1), 0);
	f->program = load_program(f->type);
	assert_int_equal(setresuid(0, (uid_t)-1, (uid_t)-1), 0);
	f->map = bpf_map_create(BPF_MAP_TYPE_ARRAY, "packets", 4, 8, 1, NULL);
	f->meta = bpf_map_create(BPF_MAP_TYPE_ARRAY, name, 4, (uint32_t)size, 1, &opts);
	assert_true(f->program >= 0 && f->map >= 0 && f->meta >= 0);
	assert_int_equal(bpf_map_update_elem(f->meta, &zero, data, BPF_ANY), 0);
	if (f->frozen)
		assert_int_equal(bpf_map_freeze(f->meta), 0);
	assert_int_equal(bpf_prog_bind_map(f->program, f->map, NULL), 0);
	assert_int_equal(bpf_prog_bind_map(f->program, f->meta, NULL), 0);
}

/* The ids of the forged ones are lower, so that a search meets them first. */
static void assert_not_believed(const struct forgery *what, const char *pin)
{
	cleanup(forgery_done) struct forgery f = *what;
	const struct observed_object *was;

	load_member("a", 1, XDP_PASS);
	load_member("b", 2, XDP_PASS);
	forge(&f);
	load_again("b", 2);
	was = find("b");
	assert_int_equal(unlink(below("objects/b/v/%s", pin)), 0);
	fixture_restart();
	assert_one_is_put_back("b", was);
}

/* Metadata as we make it but for one thing. */
#define GENUINE .type = BPF_PROG_TYPE_XDP, .flags = BPF_F_RDONLY_PROG, .frozen = true

static void forged_metadata_is_not_believed(void **state)
{
	(void)state;
	assert_not_believed(&(struct forgery){ .type = BPF_PROG_TYPE_SOCKET_FILTER },
			    "maps/packets");
}

static void metadata_of_nothing_is_not_believed(void **state)
{
	(void)state;
	assert_not_believed(&(struct forgery){ GENUINE, .empty = true }, "maps/packets");
}

static void metadata_that_can_be_written_is_not_believed(void **state)
{
	(void)state;
	assert_not_believed(
		&(struct forgery){ .type = BPF_PROG_TYPE_XDP, .flags = BPF_F_RDONLY_PROG }, "meta");
}

static void metadata_that_programs_can_write_is_not_believed(void **state)
{
	(void)state;
	assert_not_believed(&(struct forgery){ .type = BPF_PROG_TYPE_XDP, .frozen = true }, "meta");
}

static void metadata_of_another_user_is_not_believed(void **state)
{
	(void)state;
	assert_not_believed(&(struct forgery){ GENUINE, .uid = 65534 }, "meta");
}

static void metadata_of_another_type_is_not_believed(void **state)
{
	(void)state;
	assert_not_believed(&(struct forgery){ .type = BPF_PROG_TYPE_SOCKET_FILTER,
					       .flags = BPF_F_RDONLY_PROG,
					       .frozen = true },
			    "meta");
}

/* Nothing but its pin tells it from ours. */
static void metadata_that_is_pinned_is_preferred(void **state)
{
	(void)state;
	assert_not_believed(&(struct forgery){ GENUINE }, "maps/packets");
}

static void metadata_of_what_runs_is_preferred(void **state)
{
	cleanup(forgery_done) struct forgery f = { GENUINE };
	const uint32_t veth = make_veth("v0");
	struct op op = root_op(OP_ROOT_SET, "v0", veth);
	const struct observed_object *was;

	(void)state;
	load_member("a", 1, XDP_PASS);
	load_member("b", 2, XDP_PASS);
	forge(&f);
	load_again("b", 2);
	op.root.program = (struct program_ref){ "b", "v", "xdp_trace", 0 };
	apply_fine(&op);
	was = find("b");
	remove_all();
	fixture_restart();
	assert_same(was, find("b"));
}

/* The mark of a root: ours is known by it, and what carries another's is not. */
static void a_forged_mark_is_not_believed(void **state)
{
	cleanup(forgery_done) struct forgery f = { .type = BPF_PROG_TYPE_XDP };
	LIBBPF_OPTS(bpf_link_create_opts, opts);
	cleanup(closep) int link = -1;
	const uint32_t veth = make_veth("v0");
	struct observed o;
	bool seen = false;

	(void)state;
	load_member("a", 1, XDP_PASS);
	load_member("b", 2, XDP_PASS);
	forge(&f);
	link = bpf_link_create(f.program, (int)veth, BPF_XDP, &opts);
	assert_true(link >= 0);
	o = observe();
	for (size_t i = 0; i < o.program_count; i++) {
		seen |= o.programs[i].id == id_of_program(f.program);
		assert_false(o.programs[i].id == id_of_program(f.program) && o.programs[i].ours);
	}
	assert_true(seen);
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

static void what_cannot_be_held_is_told(void **state)
{
	static const char *const names[] = { "a", "b", "c", "d", "e", "f" };
	struct rlimit before, low;
	struct op op = { .kind = OP_OBJECT_REMOVE, .object = { .version = "v" } };
	struct observed o;
	size_t all;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		load_member(names[i], (uint32_t)i + 1, XDP_PASS);
	o = observe();
	assert_int_equal(o.pins_unheld, 0);
	all = o.pins_held;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	low = (struct rlimit){ 40, before.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	fixture_restart();
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	for (int i = 0; i < 2; i++) {
		o = observe();
		assert_int_equal(o.pins_held, 20);
		assert_int_equal(o.pins_held + o.pins_unheld, all);
	}
	/* What is not held is found by others that lead to it, as by a process that was not there. */
	assert_int_equal(unlink(below("objects/f/v/maps/packets")), 0);
	assert_int_equal(find("f")->lost_count, 1);
	assert_int_equal(find("f")->lost[0].id, observed_object_map(find("f"), "packets")->id);
	/* Room is used as soon as there is some. */
	for (size_t i = 1; i < 4; i++) {
		op.object.instance = names[i];
		apply_fine(&op);
	}
	(void)observe();
	o = observe();
	assert_int_equal(o.pins_unheld, 0);
	assert_true(o.pins_held > 0 && o.pins_held <= 20);
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

static bool is_told(const struct observed *o, const char *path)
{
	for (size_t i = 0; i < o->foreign.n; i++)
		if (str_eq(o->foreign.v[i], path))
			return true;
	return false;
}

static struct op removal_of(const char *instance, const char *version)
{
	return (struct op){ .kind = OP_OBJECT_REMOVE,
			    .object = { .instance = instance, .version = version } };
}

static void pins_of_others_outlive_the_version(void **state)
{
	struct op op = removal_of("b", "v");
	cleanup(closep) int other = bpf_map_create(BPF_MAP_TYPE_ARRAY, "other", 4, 8, 1, NULL);
	struct observed o;

	(void)state;
	load_member("a", 1, XDP_PASS);
	load_member("b", 2, XDP_PASS);
	assert_int_equal(bpf_obj_pin(other, below("objects/b/v/maps/mine")), 0);
	assert_int_equal(bpf_obj_pin(other, below("objects/mine")), 0);
	assert_int_equal(bpf_obj_pin(other, below("chains/5")), 0);
	o = observe();
	assert_int_equal(o.foreign.n, 3);
	apply_fine(&op);
	assert_true(find("b")->unknown);
	assert_true(exists(below("objects/b/v/maps/mine")));
	assert_false(exists(below("objects/b/v/maps/packets")));
	assert_false(exists(below("objects/b/v/meta")));
	assert_true(exists(below("objects/mine")));
	o = observe();
	assert_int_equal(o.foreign.n, 3);
	assert_true(is_told(&o, "objects/b/v/maps/mine"));
	apply_fine(&op); /* and is not removed again */
	assert_true(exists(below("objects/b/v/maps/mine")));
	/* Nor is it in the way of another load. */
	load_member("b", 2, XDP_PASS);
	assert_true(find("b")->complete);
	o = observe();
	assert_true(is_told(&o, "objects/b/v-foreign/maps/mine"));
	assert_int_equal(unlink(below("objects/b/v-foreign/maps/mine")), 0);
	o = observe();
	assert_int_equal(o.foreign.n, 2);
	assert_false(observed_find_object(&o, "b", "v-foreign")->unknown);
	op = removal_of("b", "v-foreign");
	apply_fine(&op);
	assert_false(exists(below("objects/b/v-foreign")));
	assert_true(find("b")->complete);
}

/* Of two levels as ours have, but with nothing that we make. */
static void a_directory_of_others_is_no_version(void **state)
{
	struct op op = removal_of("x", "y"), empty = removal_of("x", "z");
	cleanup(closep) int other = bpf_map_create(BPF_MAP_TYPE_ARRAY, "other", 4, 8, 1, NULL);
	struct observed o;

	(void)state;
	must_run("mkdir -p %s %s %s", below("objects/x/y/maps"), below("objects/x/y/theirs"),
		 below("objects/x/z/programs"));
	assert_int_equal(bpf_obj_pin(other, below("objects/x/y/maps/mine")), 0);
	assert_int_equal(bpf_obj_pin(other, below("objects/x/y/meta")), 0);
	o = observe();
	assert_true(observed_find_object(&o, "x", "y")->unknown);
	assert_false(observed_find_object(&o, "x", "z")->unknown);
	assert_int_equal(o.foreign.n, 3);
	assert_true(is_told(&o, "objects/x/y/maps/mine"));
	assert_true(is_told(&o, "objects/x/y/meta"));
	assert_true(is_told(&o, "objects/x/y/theirs"));
	apply_fine(&op);
	apply_fine(&empty);
	assert_true(exists(below("objects/x/y/maps/mine")));
	assert_true(exists(below("objects/x/y/meta")));
	assert_true(exists(below("objects/x/y/theirs")));
	assert_false(exists(below("objects/x/z")));
}

/* What is pinned of a version says what it is of, so metadata that cannot be read takes nothing with it. */
static void a_version_without_readable_metadata_is_kept(void **state)
{
	cleanup(closep) int other = bpf_map_create(BPF_MAP_TYPE_ARRAY, "other", 4, 8, 1, NULL);
	struct op op = removal_of("a", "v");
	struct observed o;

	(void)state;
	load_member("a", 1, XDP_PASS);
	pin_over(other, below("objects/a/v/meta"));
	must_run("rm -r %s", below("objects/a/v/programs"));
	fixture_restart();
	o = observe();
	assert_true(find("a")->unknown);
	assert_true(is_told(&o, "objects/a/v/maps/packets"));
	apply_fine(&op);
	assert_true(exists(below("objects/a/v/maps/packets")));
	assert_true(exists(below("objects/a/v/meta")));
}

/* As a load leaves it that is interrupted before its last step, or (name: the program, which is not pinned) earlier. */
static void interrupt_load(const char *name)
{
	uint32_t id;

	load_member("a", 1, XDP_PASS);
	id = program_id("a");
	assert_int_equal(rename(below("objects/a/v/meta"), below("objects/a/v/unfinished")), 0);
	if (name)
		assert_int_equal(unlink(below("objects/a/v/%s", name)), 0);
	fixture_restart();
	if (name)
		wait_for_end_of(id);
}

static void an_interrupted_load_is_cleared_away(void **state)
{
	cleanup(closep) int other = bpf_map_create(BPF_MAP_TYPE_ARRAY, "other", 4, 8, 1, NULL);
	struct op op = removal_of("a", "v");

	(void)state;
	interrupt_load("programs/xdp_trace");
	assert_false(find("a")->unknown);
	assert_false(find("a")->complete);
	assert_int_equal(bpf_obj_pin(other, below("objects/a/v/maps/mine")), 0);
	apply_fine(&op);
	assert_false(exists(below("objects/a/v/maps/packets")));
	assert_false(exists(below("objects/a/v/unfinished")));
	assert_true(exists(below("objects/a/v/maps/mine")));
	assert_true(find("a")->unknown);
}

static void a_load_that_lacks_its_last_step_is_finished(void **state)
{
	const struct observed_object *lost;

	(void)state;
	interrupt_load(NULL);
	lost = find("a");
	assert_true(lost->complete);
	assert_int_equal(lost->lost_count, 1);
	restore(lost->lost, 1);
	assert_int_equal(find("a")->lost_count, 0);
	assert_false(exists(below("objects/a/v/unfinished")));
}

/* Programs lead to what was pinned beside them, also when not all is there any more. */
static void a_version_without_metadata_is_known_by_its_programs(void **state)
{
	struct op op = removal_of("a", "v");

	(void)state;
	load_member("a", 1, XDP_PASS);
	assert_int_equal(unlink(below("objects/a/v/meta")), 0);
	fixture_restart();
	assert_false(find("a")->unknown);
	assert_true(find("a")->complete);
	apply_fine(&op);
	assert_false(exists(below("objects/a")));
}

/* By a name of theirs, which is all that is left of the version afterwards: it is no reason to remove it for ever. */
static void a_program_of_ours_that_others_pin_shows_no_version(void **state)
{
	struct op op = removal_of("a", "v");
	cleanup(closep) int program = -1;
	struct observed o;

	(void)state;
	load_member("a", 1, XDP_PASS);
	program = bpf_obj_get(below("objects/a/v/programs/xdp_trace"));
	assert_int_equal(bpf_obj_pin(program, below("objects/a/v/programs/mine")), 0);
	o = observe();
	assert_true(is_told(&o, "objects/a/v/programs/mine"));
	apply_fine(&op);
	assert_false(exists(below("objects/a/v/programs/xdp_trace")));
	assert_false(exists(below("objects/a/v/maps")));
	for (int i = 0; i < 2; i++) {
		assert_true(find("a")->unknown);
		o = observe();
		assert_true(is_told(&o, "objects/a/v/programs/mine"));
		fixture_restart();
	}
	assert_int_equal(unlink(below("objects/a/v/programs/mine")), 0);
	assert_false(find("a")->unknown);
	apply_fine(&op);
	assert_false(exists(below("objects/a")));
}

/* The name under which a pin is made before it gets the place of another. */
static void what_others_pin_with_a_tilde_stays(void **state)
{
	const char *path = "objects/a/v/maps/packets";
	cleanup(closep) int other = bpf_map_create(BPF_MAP_TYPE_ARRAY, "other", 4, 8, 1, NULL);
	cleanup(closep) int ours = -1;
	struct op op = removal_of("a", "v");
	const struct observed_object *was, *lost;

	(void)state;
	load_member("a", 1, XDP_PASS);
	was = find("a");
	assert_int_equal(bpf_obj_pin(other, below("%s~", path)), 0);
	pin_over(other, below("%s", path));
	lost = find("a");
	restore(lost->lost, 1);
	assert_same(was, find("a"));
	assert_true(exists(below("%s~", path)));
	assert_false(exists(below("%s~~", path)));
	/* But what an interruption left of ours is used up. */
	assert_int_equal(unlink(below("%s~", path)), 0);
	ours = bpf_obj_get(below("%s", path));
	assert_int_equal(bpf_obj_pin(ours, below("%s~", path)), 0);
	pin_over(other, below("%s", path));
	lost = find("a");
	restore(lost->lost, 1);
	assert_same(was, find("a"));
	assert_false(exists(below("%s~", path)));
	assert_int_equal(bpf_obj_pin(ours, below("%s~", path)), 0);
	apply_fine(&op);
	assert_false(exists(below("objects/a")));
}

/* What changes from now on has another time than what changed before. */
static void wait_for_tick(void)
{
	const struct timespec before = stamp_now();
	struct timespec now;

	do
		now = stamp_now();
	while (now.tv_sec == before.tv_sec && now.tv_nsec == before.tv_nsec);
}

static void pins_of_others_outlive_the_chain(void **state)
{
	static const char *const members[] = { "a" };
	cleanup(closep) int other = bpf_map_create(BPF_MAP_TYPE_ARRAY, "other", 4, 8, 1, NULL);
	struct op op = { .kind = OP_CHAIN_REMOVE, .key = "chain" };
	struct observed o;

	(void)state;
	load_member("a", 1, XDP_PASS);
	op.chain.id = build_chain("s", members, 1);
	assert_int_equal(bpf_obj_pin(other, below("chains/%u/mine", op.chain.id)), 0);
	for (int i = 0; i < 2; i++) {
		o = observe();
		assert_true(observed_find_chain(&o, op.chain.id)->complete);
		assert_int_equal(o.foreign.n, 1);
		assert_true(is_told(&o, arena_printf(fixture.a, "chains/%u/mine", op.chain.id)));
		assert_int_equal(unlink(below("chains/%u/mine", op.chain.id)), 0);
		assert_int_equal(observe().foreign.n, 0);
		/* Also when the directory has been known for a while. */
		wait_for_tick();
		assert_int_equal(observe().foreign.n, 0);
		assert_int_equal(bpf_obj_pin(other, below("chains/%u/mine", op.chain.id)), 0);
	}
	apply_fine(&op);
	o = observe();
	assert_null(observed_find_chain(&o, op.chain.id));
	assert_true(is_told(&o, arena_printf(fixture.a, "chains/%u/mine", op.chain.id)));
	assert_true(exists(below("chains/%u/mine", op.chain.id)));
	assert_false(exists(below("chains/%u/members", op.chain.id)));
	assert_false(exists(below("chains/%u/meta", op.chain.id)));
}

/* It has a number, and nothing else that ours have; one that is empty is what we left unfinished. */
static void a_directory_of_others_is_no_chain(void **state)
{
	cleanup(closep) int other = bpf_map_create(BPF_MAP_TYPE_ARRAY, "other", 4, 8, 1, NULL);
	struct op op = { .kind = OP_CHAIN_REMOVE, .key = "chain 77", .chain = { .id = 77 } };
	struct observed o;

	(void)state;
	must_run("mkdir %s %s", below("chains/77"), below("chains/78"));
	assert_int_equal(bpf_obj_pin(other, below("chains/77/mine")), 0);
	o = observe();
	assert_null(observed_find_chain(&o, 77));
	assert_non_null(observed_find_chain(&o, 78));
	assert_true(is_told(&o, "chains/77/mine"));
	apply_fine(&op);
	assert_true(exists(below("chains/77/mine")));
	op.chain.id = 78;
	apply_fine(&op);
	assert_false(exists(below("chains/78")));
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
		FIXTURE_TEST(a_map_that_was_replaced_unseen_is_not_believed),
		FIXTURE_TEST(a_twin_of_a_map_is_not_believed),
		FIXTURE_TEST(a_program_that_was_replaced_unseen_is_not_believed),
		FIXTURE_TEST(a_twin_of_a_program_is_not_believed),
		FIXTURE_TEST(metadata_that_was_replaced_unseen_is_not_believed),
		FIXTURE_TEST(a_twin_of_metadata_is_not_believed),
		FIXTURE_TEST(another_map_of_the_version_is_not_believed),
		FIXTURE_TEST(forged_metadata_is_not_believed),
		FIXTURE_TEST(metadata_of_nothing_is_not_believed),
		FIXTURE_TEST(metadata_that_can_be_written_is_not_believed),
		FIXTURE_TEST(metadata_that_programs_can_write_is_not_believed),
		FIXTURE_TEST(metadata_of_another_user_is_not_believed),
		FIXTURE_TEST(metadata_of_another_type_is_not_believed),
		FIXTURE_TEST(metadata_that_is_pinned_is_preferred),
		FIXTURE_TEST(metadata_of_what_runs_is_preferred),
		FIXTURE_TEST(a_forged_mark_is_not_believed),
		FIXTURE_TEST(a_held_array_keeps_its_slots),
		FIXTURE_TEST(what_cannot_be_held_is_told),
		FIXTURE_TEST(what_is_removed_on_purpose_is_not_held),
		FIXTURE_TEST(pins_of_others_outlive_the_version),
		FIXTURE_TEST(a_directory_of_others_is_no_version),
		FIXTURE_TEST(a_version_without_readable_metadata_is_kept),
		FIXTURE_TEST(an_interrupted_load_is_cleared_away),
		FIXTURE_TEST(a_load_that_lacks_its_last_step_is_finished),
		FIXTURE_TEST(a_version_without_metadata_is_known_by_its_programs),
		FIXTURE_TEST(a_program_of_ours_that_others_pin_shows_no_version),
		FIXTURE_TEST(what_others_pin_with_a_tilde_stays),
		FIXTURE_TEST(pins_of_others_outlive_the_chain),
		FIXTURE_TEST(a_directory_of_others_is_no_chain),
		FIXTURE_TEST(a_renamed_directory_is_told),
	};

	return FIXTURE_RUN("recover", tests);
}
