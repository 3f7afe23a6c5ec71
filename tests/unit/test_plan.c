/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Parts of the plan that stories over the fake kernel (test_plan_golden) and random ones
 * (test_property) do not reach: single rules with many cases, and observations that no kernel of this
 * version makes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ctype.h>
#include <errno.h>
#include <linux/bpf.h>
#include <string.h>

#include "base/hash.h"
#include "base/str.h"
#include "config/config.h"
#include "fake/driver.h"
#include "model/layout.h"
#include "model/limits.h"
#include "plan/plan_internal.h"

static const uint32_t map_indices[] = { 0, 1 };

static struct elf_map maps[] = {
	{ .name = "counters", .type = BPF_MAP_TYPE_ARRAY, .max_entries = 4, .btf_hash = "" },
	{ .name = "xsks", .type = BPF_MAP_TYPE_XSKMAP, .max_entries = 4, .btf_hash = "" },
};

static struct elf_program programs[] = {
	{ .name = "p",
	  .section = "xdp",
	  .type = BPF_PROG_TYPE_XDP,
	  .expected_attach_type = BPF_XDP },
	{ .name = "tail",
	  .section = "xdp",
	  .type = BPF_PROG_TYPE_XDP,
	  .expected_attach_type = BPF_XDP,
	  .needed = true },
	{ .name = "x",
	  .section = "xdp",
	  .type = BPF_PROG_TYPE_XDP,
	  .expected_attach_type = BPF_XDP,
	  .maps = map_indices,
	  .map_count = 2 },
};

static struct elf_object elf = {
	.license = "GPL", .programs = programs, .maps = maps, .program_count = 3, .map_count = 2
};
static struct object_source source = { .path = "/a.o", .sha256 = "aa", .elf = &elf };

struct fixture {
	struct arena *a;
	struct kern_fake *kernel;
	struct driver driver;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->a = arena_new();
	f->kernel = kern_fake_new();
	driver_init(&f->driver, f->kernel);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	driver_done(&f->driver);
	kern_fake_free(f->kernel);
	arena_free(f->a);
	free(f);
	return 0;
}

static struct desired *declare(struct fixture *f, const char *yaml)
{
	struct fragment *v = config_parse(f->a, "conf.yaml", yaml, strlen(yaml), &driver_settings);
	struct desired *d = arena_new_of(f->a, struct desired);

	assert_true(v->valid);
	config_merge(f->a, &v, 1, NULL, 0, d);
	for (size_t i = 0; i < d->object_count; i++)
		d->objects[i].source = &source;
	config_judge(f->a, d, NULL);
	f->driver.in.desired = d;
	return d;
}

static void add_interface(struct fixture *f, const char *name, uint32_t mtu)
{
	kern_fake_set_interface(
		f->kernel, &(struct observed_interface){ .name = name, .mtu = mtu, .up = true });
}

#define ATTACHED "objects: {a: {file: a.o, programs: {p: {attach: [{xdp: {interface: eth0}}]}}}}"

static const struct status_attachment *first_attachment(const struct plan *plan)
{
	return &plan->status->objects[0].programs[0].attachments[0];
}

/* --- when -------------------------------------------------------------------------------- */

static void kernel_versions_compare_by_number(void **state)
{
	static const struct {
		const char *constraint;
		bool holds;
	} cases[] = {
		{ ">= 6.12", true },  { ">= 6.12.1", false },       { "> 6.9", true },
		{ "> 6.12", false },  { "<= 6.12", true },          { "< 6.12", false },
		{ "< 6.12.1", true }, { "< 10.0", true },           { "== 6.12", true },
		{ "== 6.1", false },  { ">= 5.10, < 6.12", false }, { ">= 5.10, <= 6.12", true },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct plan *plan;

		declare(f, arena_printf(f->a,
					"objects: {a: {file: a.o, when: {kernel: \"%s\"}, "
					"programs: {p: {}}}}",
					cases[i].constraint));
		plan = driver_plan(&f->driver);
		if (cases[i].holds != (plan->status->summary[STATE_SKIPPED] == 0))
			fail_msg("%s", cases[i].constraint);
	}
}

/* --- declarations ------------------------------------------------------------------------- */

static void add_number(struct hasher *h, uint64_t n)
{
	unsigned char bytes[8];

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (unsigned char)(n >> (8 * i));
	hasher_add(h, bytes, sizeof(bytes));
}

/* As versions that knew no `on_change` wrote it down, with every map that is named. */
static void old_hash(char ret[SHA256_HEX])
{
	struct hasher *h = hasher_new();

	hasher_add_field(h, source.sha256);
	add_number(h, 2);
	hasher_add_field(h, "p");
	hasher_add_field(h, "tail");
	add_number(h, 0);
	add_number(h, 1);
	hasher_add_field(h, "counters");
	add_number(h, 0);
	for (int i = 0; i < 3; i++)
		hasher_add_field(h, NULL);
	hasher_finish(h, ret);
}

static void what_older_versions_loaded_stays(void **state)
{
	static const char plain[] =
		"objects: {a: {file: a.o, maps: {counters: {}}, programs: {p: {}}}}";
	struct fixture *f = *state;
	char hash[SHA256_HEX];

	declare(f, plain);
	assert_non_null(driver_converge(&f->driver));
	old_hash(hash);
	kern_fake_set_declaration(f->kernel, "a", hash);
	kern_fake_set_old_metadata(f->kernel);
	assert_int_equal(driver_plan(&f->driver)->op_count, 0);
	hash[0] = hash[0] == '0' ? '1' : '0';
	kern_fake_set_declaration(f->kernel, "a", hash);
	assert_true(driver_plan(&f->driver)->op_count > 0);
}

static void what_becomes_of_a_map_is_no_other_version(void **state)
{
	struct fixture *f = *state;

	declare(f, "objects: {a: {file: a.o, programs: {p: {}}}}");
	assert_non_null(driver_converge(&f->driver));
	declare(f, "objects: {a: {file: a.o, maps: {counters: {on_change: grow}, xsks: {}}, "
		   "programs: {p: {}}}}");
	assert_int_equal(driver_plan(&f->driver)->op_count, 0);
	declare(f, "objects: {a: {file: a.o, maps: {counters: {max_entries: 8, on_change: grow}}, "
		   "programs: {p: {}}}}");
	assert_true(driver_plan(&f->driver)->op_count > 0);
}

/* --- order ---------------------------------------------------------------------------------- */

static struct slot slot_of(const char *object, uint16_t priority, struct attachment *at)
{
	return (struct slot){
		.object = object, .program = "p", .priority = priority, .attachment = at
	};
}

static const char *names_of(struct arena *a, const struct slot *v, size_t n)
{
	const char *text = "";

	for (size_t i = 0; i < n; i++)
		text = arena_printf(a, "%s%s", text, v[i].object);
	return text;
}

static void order_is_independent_of_the_order_given(void **state)
{
	static struct program_reference c = { "c", "p" }, ghost = { "ghost", "p" };
	struct attach_decl before = { .before = &c, .before_count = 1 };
	struct attach_decl after = { .after = &ghost, .after_count = 1 };
	struct attachment first = { .decl = &before }, second = { .decl = &after };
	const struct slot given[] = {
		slot_of("d", 20, &first),
		slot_of("c", 10, NULL),
		slot_of("b", 20, &second),
		slot_of("a", 20, NULL),
	};
	struct fixture *f = *state;
	uint64_t cyclic;

	/* All 24 permutations, by the digits of a number in the factorial system. */
	for (size_t number = 0; number < 24; number++) {
		struct slot left[4], v[4];
		size_t n = number;

		memcpy(left, given, sizeof(left));
		for (size_t i = 0; i < 4; i++) {
			size_t k = n % (4 - i);

			n /= 4 - i;
			v[i] = left[k];
			memmove(&left[k], &left[k + 1], (3 - i - k) * sizeof(*left));
		}
		assert_null(slots_order(f->a, v, 4, &cyclic));
		assert_string_equal(names_of(f->a, v, 4), "abdc");
	}
}

static void cycle_names_its_members_only(void **state)
{
	static struct program_reference a = { "a", "p" }, b = { "b", "p" };
	struct attach_decl after_a = { .after = &a, .after_count = 1 };
	struct attach_decl after_b = { .after = &b, .after_count = 1 };
	struct attachment at_a = { .decl = &after_a }, at_b = { .decl = &after_b };
	struct slot v[] = {
		slot_of("a", 10, &at_b),
		slot_of("b", 20, &at_a),
		slot_of("c", 30, &at_a), /* behind the circle, not in it */
		slot_of("d", 40, NULL),
	};
	struct fixture *f = *state;
	uint64_t cyclic;

	assert_string_equal(slots_order(f->a, v, 4, &cyclic), "a/p before b/p before a/p");
	assert_int_equal(cyclic, 3);
	assert_string_equal(names_of(f->a, v, 4), "abcd");
}

static void a_member_before_itself_is_a_cycle(void **state)
{
	static struct program_reference a = { "a", "p" };
	struct attach_decl decl = { .before = &a, .before_count = 1 };
	struct attachment at = { .decl = &decl };
	struct slot v[] = { slot_of("a", 10, &at) };
	struct fixture *f = *state;
	uint64_t cyclic;

	assert_string_equal(slots_order(f->a, v, 1, &cyclic), "a/p before a/p");
}

static void sixteen_members_can_be_ordered(void **state)
{
	struct slot v[LIMIT_CHAIN_TAILCALL];
	struct fixture *f = *state;
	uint64_t cyclic;

	for (size_t i = 0; i < LIMIT_CHAIN_TAILCALL; i++)
		v[i] = slot_of(arena_printf(f->a, "%c", (char)('p' - i)), 10, NULL);
	assert_null(slots_order(f->a, v, LIMIT_CHAIN_TAILCALL, &cyclic));
	assert_string_equal(names_of(f->a, v, LIMIT_CHAIN_TAILCALL), "abcdefghijklmnop");
}

static void order_of_as_many_as_tcx_takes(void **state)
{
	struct slot v[LIMIT_CHAIN_TCX];
	struct fixture *f = *state;
	uint64_t cyclic;

	for (size_t i = 0; i < LIMIT_CHAIN_TCX; i++)
		v[i] = slot_of("x", (uint16_t)(LIMIT_CHAIN_TCX - i), NULL);
	assert_null(slots_order(f->a, v, LIMIT_CHAIN_TCX, &cyclic));
	for (size_t i = 0; i < LIMIT_CHAIN_TCX; i++)
		assert_int_equal(v[i].priority, i + 1);
}

/* b and d run behind a and c, and nothing tells why. */
static void unranked_members_keep_their_places(void **state)
{
	struct fixture *f = *state;
	struct live_member live[4];
	struct slot v[] = { slot_of("d", 0, NULL), slot_of("c", 10, NULL), slot_of("b", 0, NULL),
			    slot_of("a", 20, NULL) };
	uint64_t cyclic;

	for (size_t i = 0; i < ARRAY_SIZE(v); i++)
		v[i].live = &live[ARRAY_SIZE(v) - 1 - i];
	v[0].unranked = v[2].unranked = true;
	assert_null(slots_order(f->a, v, ARRAY_SIZE(v), &cyclic));
	assert_string_equal(names_of(f->a, v, ARRAY_SIZE(v)), "cdab");
}

/* --- versions ---------------------------------------------------------------------------------- */

static const char *version_of(struct fixture *f)
{
	struct plan *plan = driver_plan(&f->driver);

	assert_true(plan->op_count > 0);
	assert_int_equal(plan->ops[0].kind, OP_OBJECT_LOAD);
	return arena_strdup(f->a, plan->ops[0].object.version);
}

static void version_depends_on_what_is_loaded_only(void **state)
{
	static unsigned char one[] = { 1 }, two[] = { 2 };
	struct global_value sorted[] = { { ".data", 0, 1, one }, { ".rodata", 4, 1, two } };
	struct global_value other[] = { { ".rodata", 4, 1, two }, { ".data", 0, 1, one } };
	struct global_value changed[] = { { ".data", 0, 1, two }, { ".rodata", 4, 1, two } };
	struct fixture *f = *state;
	struct desired *d = declare(f, "objects: {a: {file: a.o, programs: {p: {}}}}");
	const char *plain = version_of(f), *with_values;

	d->objects[0].values = sorted;
	d->objects[0].value_count = 2;
	with_values = version_of(f);
	assert_string_not_equal(with_values, plain);
	d->objects[0].values = other;
	assert_string_equal(version_of(f), with_values);
	d->objects[0].values = changed;
	assert_string_not_equal(version_of(f), with_values);
	declare(f, "objects: {a: {file: b.o, description: x, programs: {p: {attach: [{xdp: "
		   "{interface: eth9}, priority: 3}]}}}}");
	assert_string_equal(version_of(f), plain);
	declare(f,
		"objects: {a: {file: a.o, maps: {counters: {max_entries: 9}}, programs: {p: {}}}}");
	assert_string_not_equal(version_of(f), plain);
}

static void programs_of_a_filled_array_are_loaded_too(void **state)
{
	struct fixture *f = *state;
	const struct op_object *o;

	declare(f, "objects: {a: {file: a.o, programs: {p: {}}}}");
	o = &driver_plan(&f->driver)->ops[0].object;
	assert_int_equal(o->program_count, 2);
	assert_string_equal(o->programs[0], "p");
	assert_string_equal(o->programs[1], "tail");
	assert_int_equal(o->meta.map_count, 2);
	assert_string_equal(o->meta.origin, "conf.yaml:1");
}

/* --- what a newer version made -------------------------------------------------------------------- */

static struct plan *plan_over(struct fixture *f, const struct observed *o)
{
	f->driver.in.observed = o;
	return plan_build(f->a, &f->driver.in);
}

/* What it says of one thing may be true of all, so nothing is done beside it either. */
static void assert_refused(struct fixture *f, const struct observed *o, const char *layout)
{
	struct plan *plan = plan_over(f, o);

	assert_int_equal(plan->op_count, 0);
	assert_non_null(strstr(plan->newer, layout));
	assert_false(plan->status->converged);
	assert_int_equal(first_attachment(plan)->condition.state, STATE_BLOCKED);
	assert_string_equal(first_attachment(plan)->condition.reason, REASON_NEWER_LAYOUT);
	assert_int_equal(plan->status->objects[0].condition.state, STATE_BLOCKED);
	f->driver.in.purge = true;
	plan = plan_over(f, o);
	assert_int_equal(plan->op_count, 0);
	assert_false(plan->status->converged);
	f->driver.in.purge = false;
}

static void newer_layout_is_never_touched(void **state)
{
	struct observed_interface eth0 = {
		.ifindex = 2, .name = "eth0", .xdp_id = 50, .xdp_mode = XDP_DRIVER
	};
	struct observed_chain chain = { .id = 50 };
	struct observed_object object = { .instance = "old", .version = "1" };
	struct observed o = { .bpffs_mounted = true,
			      .directory_ready = true,
			      .interfaces = &eth0,
			      .interface_count = 1,
			      .chains = &chain,
			      .chain_count = 1,
			      .objects = &object,
			      .object_count = 1 };
	struct fixture *f = *state;

	declare(f, ATTACHED);
	chain.newer = LAYOUT_VERSION + 1;
	assert_refused(f, &o, arena_printf(f->a, "layout %d,", LAYOUT_VERSION + 1));
	chain.newer = 0;
	object.newer = LAYOUT_VERSION + 2;
	assert_refused(f, &o, arena_printf(f->a, "layout %d,", LAYOUT_VERSION + 2));
	object.newer = 0;
	o.layout = LAYOUT_VERSION + 3;
	assert_refused(f, &o, arena_printf(f->a, "layout %d,", LAYOUT_VERSION + 3));
	o.layout = LAYOUT_VERSION;
	assert_null(plan_over(f, &o)->newer);
}

/* A tree without the mark of our layout gets it, though nothing else is to be done. */
static void an_older_layout_is_taken_over(void **state)
{
	struct observed_link link = { .id = 5 };
	struct observed o = { .bpffs_mounted = true, .links = &link, .link_count = 1 };
	struct fixture *f = *state;
	const struct plan *plan;

	declare(f, "{}");
	plan = plan_over(f, &o);
	assert_true(plan->op_count >= 1);
	assert_int_equal(plan->ops[0].kind, OP_DIRECTORY_CREATE);
	o.link_count = 0; /* nothing there: nothing to be said of it */
	assert_int_equal(plan_over(f, &o)->op_count, 0);
}

static void an_empty_directory_of_an_instance_goes_unless_it_is_to_be_filled(void **state)
{
	struct observed_object object = { .instance = "a", .version = "" };
	struct observed o = { .bpffs_mounted = true,
			      .directory_ready = true,
			      .objects = &object,
			      .object_count = 1 };
	struct fixture *f = *state;
	struct plan *plan;

	declare(f, "objects: {a: {file: a.o, programs: {p: {}}}}");
	plan = plan_over(f, &o);
	assert_int_equal(plan->op_count, 1);
	assert_int_equal(plan->ops[0].kind, OP_OBJECT_LOAD);
	declare(f, "{}");
	plan = plan_over(f, &o);
	assert_int_equal(plan->op_count, 1);
	assert_int_equal(plan->ops[0].kind, OP_OBJECT_REMOVE);
	assert_false(plan->ops[0].removes);
	assert_string_equal(op_format(f->a, &plan->ops[0]),
			    "remove the empty directory of object a: no file declares it any more");
}

static void two_roots_in_two_modes_are_foreign(void **state)
{
	struct observed_interface eth0 = {
		.ifindex = 2, .name = "eth0", .xdp_id = 50, .xdp_mode = XDP_MULTIPLE
	};
	struct observed_program program = { .id = 50, .name = "p" };
	struct observed_object object = {
		.instance = "a", .version = "1", .programs = &program, .program_count = 1
	};
	struct observed o = { .bpffs_mounted = true,
			      .directory_ready = true,
			      .interfaces = &eth0,
			      .interface_count = 1,
			      .objects = &object,
			      .object_count = 1 };
	static struct settings replace;
	struct fixture *f = *state;

	replace = driver_settings;
	replace.xdp.on_foreign = ON_FOREIGN_REPLACE;
	f->driver.in.settings = &replace;
	declare(f, ATTACHED);
	assert_string_equal(first_attachment(plan_over(f, &o))->condition.reason,
			    REASON_FOREIGN_PROGRAM);
}

/* --- failures --------------------------------------------------------------------------------------- */

static void failure_class_decides_the_state(void **state)
{
	static const struct {
		enum failure_class class;
		enum state state;
	} cases[] = {
		{ FAILURE_TRANSIENT, STATE_PENDING },
		{ FAILURE_KERNEL, STATE_FAILED },
		{ FAILURE_FOREIGN, STATE_BLOCKED },
	};
	struct fixture *f = *state;

	add_interface(f, "eth0", 1500);
	declare(f, ATTACHED);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct plan *plan;

		driver_forget_failures(&f->driver);
		kern_fake_detach(f->kernel, "eth0");
		kern_fake_fail(f->kernel, i == 0, -EINVAL, cases[i].class); /* the attach */
		plan = driver_converge(&f->driver);
		assert_int_equal(plan->op_count, 0);
		assert_false(plan->status->converged);
		assert_int_equal(first_attachment(plan)->condition.state, cases[i].state);
		assert_string_equal(first_attachment(plan)->condition.reason, "Injected");
		assert_string_equal(first_attachment(plan)->condition.message, "injected failure");
	}
}

static void a_refused_root_is_tried_again_when_the_interface_changes(void **state)
{
	struct fixture *f = *state;

	add_interface(f, "eth0", 9000);
	declare(f, ATTACHED);
	kern_fake_fail(f->kernel, 1, -ERANGE, FAILURE_KERNEL);
	assert_int_equal(driver_converge(&f->driver)->op_count, 0);
	assert_int_equal(kern_fake_root(f->kernel, "eth0"), 0);
	add_interface(f, "eth0", 1500);
	assert_true(driver_converge(&f->driver)->status->converged);
	assert_int_not_equal(kern_fake_root(f->kernel, "eth0"), 0);
}

static void a_refused_slot_gets_a_new_dispatcher(void **state)
{
	struct fixture *f = *state;
	uint32_t before;

	add_interface(f, "eth0", 1500);
	declare(f, "objects: {a: {file: a.o, programs: {p: {attach: [{xdp: {interface: eth0}, "
		   "proceed_on: [pass, drop]}]}}}}");
	assert_true(driver_converge(&f->driver)->status->converged);
	before = kern_fake_root(f->kernel, "eth0");
	kern_fake_empty_slot(f->kernel, before, 0);
	kern_fake_fail(f->kernel, 0, -EINVAL, FAILURE_KERNEL);
	assert_true(driver_converge(&f->driver)->status->converged);
	assert_int_not_equal(kern_fake_root(f->kernel, "eth0"), before);
}

/* --- the rest ------------------------------------------------------------------------------------------ */

static void loopback_is_meant_by_its_name_only(void **state)
{
	struct fixture *f = *state;
	const struct plan *plan;

	kern_fake_set_interface(f->kernel,
				&(struct observed_interface){ .name = "lo", .loopback = true });
	declare(f,
		"interfaces: {all: {select: [{physical: false}, {name: \"l*\"}, {group: 0}]},"
		" lo: {select: [{name: lo}]}}\n"
		"objects: {a: {file: a.o, programs: {p: {attach: [{xdp: {interface: [\"*\", \"@all\","
		" lo]}}]}}}}");
	plan = driver_plan(&f->driver);
	assert_int_equal(plan->status->sets[0].matches, 0);
	assert_int_equal(plan->status->sets[1].matches, 1);
	assert_int_equal(plan->status->objects[0].programs[0].attachment_count, 3);
	assert_null(plan->status->objects[0].programs[0].attachments[0].interface);
	assert_null(plan->status->objects[0].programs[0].attachments[1].interface);
	assert_string_equal(plan->status->objects[0].programs[0].attachments[2].interface, "lo");
}

static void observation_looks_at_what_is_declared(void **state)
{
	struct fixture *f = *state;
	struct settings settings = driver_settings;
	struct observe_request want;
	const struct desired *d = declare(
		f,
		"interfaces: {a: {select: [{name: x}], except: [{driver: ice}]}}\n"
		"objects: {a: {file: a.o, programs: {p: {}}}}\n"
		"shares:\n"
		"  one: {maps: [a/counters], targets: [{bpffs: {group: dash}}, {bpffs: {path: /tmp/x,"
		" user: bob}}]}\n"
		"  two: {maps: [a/counters], targets: [{bpffs: {group: dash}}]}\n");

	settings.libxdp_protocol = 3;
	plan_observe_request(f->a, d, &settings, "/run/test", &want);
	assert_int_equal(want.libxdp_protocol, 3);
	assert_int_equal(want.paths.n, 3);
	assert_string_equal(want.paths.v[0], "/run/test/shares/one/maps");
	assert_string_equal(want.paths.v[1], "/tmp/x");
	assert_int_equal(want.groups.n, 1);
	assert_string_equal(want.groups.v[0], "dash");
	assert_int_equal(want.users.n, 1);
	assert_string_equal(want.users.v[0], "bob");
	assert_true(want.drivers);
}

static void equal_inputs_give_an_equal_plan(void **state)
{
	struct fixture *f = *state;
	struct plan *x, *y;

	add_interface(f, "eth0", 1500);
	declare(f, ATTACHED);
	(void)driver_plan(&f->driver);
	x = plan_build(f->driver.pass, &f->driver.in);
	y = plan_build(f->driver.pass, &f->driver.in);
	assert_int_equal(x->op_count, 2);
	assert_int_equal(y->op_count, 2);
	for (size_t i = 0; i < 2; i++)
		assert_string_equal(op_format(f->a, &x->ops[i]), op_format(f->a, &y->ops[i]));
}

static void guard_trips_exactly_beyond_its_bounds(void **state)
{
	static const struct {
		uint32_t percent, least;
		bool held;
	} cases[] = {
		/* Of an attachment, an object and a share all three go. */
		{ 0, 3, true }, { 99, 3, true }, { 100, 3, false }, { 0, 4, false }, { 0, 1, true },
	};
	struct fixture *f = *state;

	add_interface(f, "eth0", 1500);
	declare(f, ATTACHED "\nshares: {s: {maps: [a/counters], targets: [{bpffs: {}}]}}");
	assert_true(driver_converge(&f->driver)->status->converged);
	declare(f, "{}");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct settings s = driver_settings;
		const struct plan *plan;

		s.mass_removal_percent = cases[i].percent;
		s.mass_removal_least = cases[i].least;
		f->driver.in.settings = &s;
		plan = driver_plan(&f->driver);
		assert_int_equal(plan->held_count > 0, cases[i].held);
		assert_int_equal(plan->op_count > 0, !cases[i].held);
	}
}

static void every_reason_is_a_token_with_a_meaning(void **state)
{
	(void)state;
	for (size_t i = 0; i < plan_reason_count; i++) {
		const struct reason *r = &plan_reasons[i];

		assert_true(isupper((unsigned char)r->token[0]));
		for (const char *c = r->token; *c; c++)
			assert_true(isalnum((unsigned char)*c));
		assert_true(strlen(r->meaning) > 10);
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(plan_reasons[k].token, r->token);
	}
}

#define with_fixture(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_fixture(kernel_versions_compare_by_number),
		with_fixture(what_older_versions_loaded_stays),
		with_fixture(what_becomes_of_a_map_is_no_other_version),
		with_fixture(order_is_independent_of_the_order_given),
		with_fixture(cycle_names_its_members_only),
		with_fixture(a_member_before_itself_is_a_cycle),
		with_fixture(sixteen_members_can_be_ordered),
		with_fixture(order_of_as_many_as_tcx_takes),
		with_fixture(unranked_members_keep_their_places),
		with_fixture(version_depends_on_what_is_loaded_only),
		with_fixture(programs_of_a_filled_array_are_loaded_too),
		with_fixture(newer_layout_is_never_touched),
		with_fixture(an_older_layout_is_taken_over),
		with_fixture(an_empty_directory_of_an_instance_goes_unless_it_is_to_be_filled),
		with_fixture(two_roots_in_two_modes_are_foreign),
		with_fixture(failure_class_decides_the_state),
		with_fixture(a_refused_root_is_tried_again_when_the_interface_changes),
		with_fixture(a_refused_slot_gets_a_new_dispatcher),
		with_fixture(loopback_is_meant_by_its_name_only),
		with_fixture(observation_looks_at_what_is_declared),
		with_fixture(equal_inputs_give_an_equal_plan),
		with_fixture(guard_trips_exactly_beyond_its_bounds),
		cmocka_unit_test(every_reason_is_a_token_with_a_meaning),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
