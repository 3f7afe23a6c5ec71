/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* Declarations against object files, which are values made here and not files. */
#include "unit/config_fixture.h"

#include <errno.h>
#include <linux/bpf.h>
#include <string.h>

#include "base/str.h"

/* 0 xsks, 1 counters, 2 .bss, 3 jumps, 4 tasks, 5 pinned, 6 timers, 7 .rodata */
static struct elf_map maps[] = {
	{ .name = "xsks", .type = BPF_MAP_TYPE_XSKMAP, .key_size = 4, .value_size = 4 },
	{ .name = "counters",
	  .type = BPF_MAP_TYPE_PERCPU_ARRAY,
	  .key_size = 4,
	  .value_size = 8,
	  .btf_hash = "aa" },
	{ .name = ".bss",
	  .type = BPF_MAP_TYPE_ARRAY,
	  .key_size = 4,
	  .value_size = 64,
	  .is_data = true },
	{ .name = "jumps", .type = BPF_MAP_TYPE_PROG_ARRAY, .key_size = 4, .value_size = 4 },
	{ .name = "tasks", .type = BPF_MAP_TYPE_TASK_STORAGE, .key_size = 4, .value_size = 4 },
	{ .name = "pinned",
	  .type = BPF_MAP_TYPE_HASH,
	  .key_size = 4,
	  .value_size = 16,
	  .pin_by_name = true },
	{ .name = "timers",
	  .type = BPF_MAP_TYPE_HASH,
	  .key_size = 4,
	  .value_size = 16,
	  .opaque = true },
	{ .name = ".rodata",
	  .type = BPF_MAP_TYPE_ARRAY,
	  .key_size = 4,
	  .value_size = 4,
	  .is_data = true },
};
static const uint32_t uses_xsks[] = { 0 }, uses_counters[] = { 1 };
static struct elf_program programs[] = {
	{ .name = "redirect",
	  .section = "xdp",
	  .type = BPF_PROG_TYPE_XDP,
	  .expected_attach_type = BPF_XDP,
	  .maps = uses_xsks,
	  .map_count = 1 },
	{ .name = "again",
	  .section = "xdp",
	  .type = BPF_PROG_TYPE_XDP,
	  .expected_attach_type = BPF_XDP,
	  .maps = uses_xsks,
	  .map_count = 1 },
	{ .name = "count",
	  .section = "xdp.frags",
	  .type = BPF_PROG_TYPE_XDP,
	  .expected_attach_type = BPF_XDP,
	  .maps = uses_counters,
	  .map_count = 1 },
	{ .name = "egress", .section = "tc", .type = BPF_PROG_TYPE_SCHED_CLS },
	{ .name = "at_entry",
	  .section = "xdp/devmap",
	  .type = BPF_PROG_TYPE_XDP,
	  .expected_attach_type = BPF_XDP_DEVMAP },
	{ .name = "on_cpu",
	  .section = "xdp/cpumap",
	  .type = BPF_PROG_TYPE_XDP,
	  .expected_attach_type = BPF_XDP_CPUMAP },
};
static struct elf_object elf = {
	.license = "GPL",
	.programs = programs,
	.program_count = ARRAY_SIZE(programs),
	.maps = maps,
	.map_count = ARRAY_SIZE(maps),
};
static const struct object_source good = {
	.path = "/etc/bpfshare.d/a.o",
	.sha256 = "00000000000000000000000000000000000000000000000000000000000000aa",
	.elf = &elf,
};

/* What comes of the text when all its objects are this file. */
struct judged {
	struct desired *d;
	struct diags diags;
};

static struct judged judge(struct arena *a, const char *text, const struct object_source *source)
{
	struct judged ret = { .d = declare(a, text) };

	diags_init(&ret.diags, a);
	for (size_t i = 0; i < ret.d->object_count; i++)
		ret.d->objects[i].source = source;
	config_judge(a, ret.d, &ret.diags);
	return ret;
}

/* Of the object `a` of the text; NULL for both where it can be loaded. */
static void expect_fault(const char *text, const char *reason, const char *message)
{
	NEW_ARENA(a);
	struct judged j = judge(a, text, &good);
	const struct object_decl *o = desired_find_object(j.d, "a");

	if (reason) {
		assert_string_equal(o->fault_reason ? o->fault_reason : "(none)", reason);
		if (!strstr(o->fault_message, message))
			fail_msg("'%s' has no '%s'", o->fault_message, message);
		expect_diag(&j.diags, reason);
		assert_true(o->fault_origin.line > 0);
	} else {
		assert_string_equal(o->fault_message ? o->fault_message : "", "");
		assert_null(o->fault_reason);
		assert_int_equal(j.diags.errors, 0);
	}
}

static void programs_must_be_there(void **state)
{
	(void)state;
	expect_fault("objects: {a: {file: a.o, programs: {count: {}, egress: {}, at_entry: {}}}}",
		     NULL, NULL);
	expect_fault("objects: {a: {file: a.o, programs: {redirekt: {}}}}", "NoSuchProgram",
		     "no program 'redirekt'; did you mean 'redirect'?");
	expect_fault("objects: {a: {file: a.o, programs: {something: {}}}}", "NoSuchProgram",
		     "its programs are: redirect, again, count, egress, at_entry, on_cpu");
}

static void programs_must_fit_their_hook(void **state)
{
	(void)state;
	expect_fault(
		"objects: {a: {file: a.o, programs: {count: {attach: [{xdp: {interface: x}}]}}}}",
		NULL, NULL);
	expect_fault(
		"objects: {a: {file: a.o, programs: {egress: {attach: [{xdp: {interface: x}}]}}}}",
		"WrongProgramType", "section \"tc\" and so of type sched_cls");
	expect_fault("objects: {a: {file: a.o, programs: {at_entry: {attach: [{xdp: {interface: "
		     "x}}]}}}}",
		     "WrongProgramType", "\"xdp/devmap\": it can run as an entry of a devmap only");
	expect_fault(
		"objects: {a: {file: a.o, programs: {on_cpu: {attach: [{xdp: {interface: x}}]}}}}",
		"WrongProgramType", "entry of a cpumap only");
	expect_fault("objects: {a: {file: a.o, programs: {egress: {attach: [{tc: {interface: x, "
		     "direction: egress}}]}}}}",
		     NULL, NULL);
	expect_fault("objects: {a: {file: a.o, programs: {count: {attach: [{tc: {interface: x, "
		     "direction: egress}}]}}}}",
		     "WrongProgramType",
		     "of type xdp; the hook tc takes programs of type sched_cls; write 'xdp' "
		     "instead of 'tc'");
	expect_fault("objects: {a: {file: a.o, programs: {egress: {attach: [{tc: {interface: x, "
		     "direction: egress}}, {xdp: {interface: x}}]}}}}",
		     "WrongProgramType", "write 'tc' instead of 'xdp'");
}

static void files_must_be_as_asked_for(void **state)
{
	static const struct object_source bad = {
		.code = -EINVAL,
		.reason = "NotElf",
		.message = "/x/a.o: not an ELF file",
		.path = "/x/a.o",
	};
	const struct object_decl *o;
	struct judged j;
	NEW_ARENA(a);

	(void)state;
	expect_fault("objects: {a: {file: a.o, sha256: "
		     "00000000000000000000000000000000000000000000000000000000000000AA}}",
		     NULL, NULL);
	expect_fault("objects: {a: {file: a.o, sha256: "
		     "00000000000000000000000000000000000000000000000000000000000000ab}}",
		     "Sha256Mismatch", "not the 0000");
	/* What cannot be read has the reader's words, and nothing else is said about it. */
	j = judge(a, "objects: {a: {file: a.o, programs: {nothing: {}}, maps: {none: {}}}}", &bad);
	o = &j.d->objects[0];
	assert_string_equal(o->fault_reason, "NotElf");
	assert_string_equal(o->fault_message, bad.message);
	assert_int_equal(o->fault_origin.column, 21);
	assert_int_equal(j.diags.errors, 1);
	/* Not read at all, as by a check without object files. */
	j = judge(a, "objects: {a: {file: a.o, programs: {nothing: {}}, maps: {none: {}}}}", NULL);
	assert_null(j.d->objects[0].fault_reason);
	assert_int_equal(j.diags.errors, 0);
}

static void maps_must_be_there_and_resizable(void **state)
{
	(void)state;
	expect_fault("objects: {a: {file: a.o, maps: {xsks: {max_entries: 4}, .bss: {}}}}", NULL,
		     NULL);
	expect_fault("objects: {a: {file: a.o, maps: {counter: {}}}}", "NoSuchMap",
		     "did you mean 'counters'?");
	expect_fault("objects: {a: {file: a.o, maps: {counter: {on_change: keep}}}}", "NoSuchMap",
		     "did you mean 'counters'?");
	expect_fault("objects: {a: {file: a.o, maps: {counter: {on_change: reset, max_entries: "
		     "4}}}}",
		     "NoSuchMap", "did you mean 'counters'?");
	expect_fault("objects: {a: {file: a.o, maps: {.bss: {max_entries: 4}}}}", "BadMaxEntries",
		     "holds the variables");
	expect_fault("objects: {a: {file: a.o, maps: {tasks: {max_entries: 4}}}}", "BadMaxEntries",
		     "type task_storage");
}

static void a_map_that_is_gone_may_be_let_go(void **state)
{
	NEW_ARENA(a);
	struct judged j =
		judge(a, "objects: {a: {file: a.o, maps: {counter: {on_change: reset}}}}", &good);

	(void)state;
	assert_null(j.d->objects[0].fault_reason);
	assert_int_equal(j.diags.errors, 0);
	expect_diag(&j.diags, "the object file has no map 'counter'");
	config_judge(a, j.d, NULL);
	assert_null(j.d->objects[0].fault_reason);
}

static void what_cannot_change_is_not_asked_to(void **state)
{
	(void)state;
	expect_fault("objects: {a: {file: a.o, maps: {counters: {on_change: grow}, "
		     ".bss: {on_change: grow}, xsks: {on_change: keep}, tasks: {on_change: reset}, "
		     "jumps: {on_change: fail}}}}",
		     NULL, NULL);
	expect_fault("objects: {a: {file: a.o, maps: {xsks: {on_change: grow}}}}", "BadOnChange",
		     "'xsks' cannot grow with what is in it: it holds references");
	expect_fault("objects: {a: {file: a.o, maps: {tasks: {on_change: grow}}}}", "BadOnChange",
		     "cannot be copied entry by entry; write 'keep', or 'reset'");
	expect_fault("objects: {a: {file: a.o, maps: {timers: {on_change: grow}}}}", "BadOnChange",
		     "timers, kernel pointers");
	expect_fault("objects: {a: {file: a.o, maps: {timers: {on_change: keep}}}}", NULL, NULL);
	expect_fault("objects: {a: {file: a.o, maps: {.rodata: {on_change: keep}}}}", "BadOnChange",
		     "read-only data is always that of the file; leave out 'on_change'");
}

static void used_maps_must_match(void **state)
{
	(void)state;
	expect_fault("objects: {a: {file: a.o, maps: {xsks: {use: b/jumps}}}, b: {file: a.o}}",
		     "MapMismatch", "type xskmap here and prog_array there");
	expect_fault(
		"objects: {a: {file: a.o, maps: {pinned: {use: b/counters}}}, b: {file: a.o}}",
		"MapMismatch",
		"type hash here and percpu_array there, value 16 bytes here and 8 bytes there");
	expect_fault("objects: {a: {file: a.o, maps: {.bss: {use: b/counters}}}, b: {file: a.o}}",
		     "MapMismatch", "holds the variables");
	expect_fault("objects: {a: {file: a.o, maps: {xsks: {use: b/xsk}}}, b: {file: a.o}}",
		     "NoSuchMap", "'b' has no map 'xsk'; did you mean 'xsks'?");
	expect_fault("objects: {a: {file: a.o, maps: {xsks: {use: bb/xsks}}}, b: {file: a.o}}",
		     "NoSuchObject", "no file declares the object 'bb'; did you mean 'b'?");
	expect_fault("objects: {a: {file: a.o, maps: {xsks: {use: b/xsks}}}, "
		     "b: {file: a.o, instances: interface}}",
		     "NoSuchMap", "b has one for each interface");
	expect_fault("objects: {a: {file: a.o, instances: interface, maps: {xsks: {use: b/xsks}}}, "
		     "b: {file: a.o, instances: interface}}",
		     NULL, NULL);
	expect_fault("objects: {a: {file: a.o, maps: {counters: {use: b/counters}}}, "
		     "b: {file: a.o, maps: {counters: {use: c/counters}}}, c: {file: a.o}}",
		     NULL, NULL);
}

static void used_maps_of_other_types_are_warned_about(void **state)
{
	struct elf_map other_maps[] = { maps[1] };
	struct elf_object other_elf = { .maps = other_maps, .map_count = 1 };
	const struct object_source other = { .path = "/b.o", .elf = &other_elf };
	struct diags diags;
	struct desired *d;
	NEW_ARENA(a);

	(void)state;
	strcpy(other_maps[0].btf_hash, "bb");
	d = declare(
		a,
		"objects: {a: {file: a.o, maps: {counters: {use: b/counters}}}, b: {file: b.o}}");
	d->objects[0].source = &good;
	d->objects[1].source = &other;
	diags_init(&diags, a);
	config_judge(a, d, &diags);
	expect_diag(&diags, "have sizes in common, but different types of key or value");
	assert_int_equal(diags.errors, 0);
	assert_null(d->objects[0].fault_reason);
}

/* All objects of a circle are at fault, and one diagnostic says so; one that uses it is not. */
static void circles_of_use_are_faults(void **state)
{
	NEW_ARENA(a);
	struct judged j = judge(a,
				"objects:\n"
				"  a: {file: a.o, maps: {xsks: {use: c/xsks}}}\n"
				"  b: {file: a.o, maps: {xsks: {use: a/xsks}}}\n"
				"  c: {file: a.o, maps: {xsks: {use: b/xsks}}}\n"
				"  d: {file: a.o, maps: {xsks: {use: a/xsks}}}\n",
				&good);
	size_t found = 0;

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		assert_string_equal(j.d->objects[i].fault_reason, "UseCycle");
		assert_int_equal(j.d->objects[i].fault_origin.line, 2 + i);
		assert_non_null(strstr(j.d->objects[i].fault_message, "a -> c -> b -> a"));
	}
	assert_null(j.d->objects[3].fault_reason);
	for (size_t i = 0; i < j.diags.list.n; i++)
		found += strstr(j.diags.list.v[i].message, "UseCycle") ? 1 : 0;
	assert_int_equal(found, 1);
}

static void pins_by_name_are_noted(void **state)
{
	NEW_ARENA(a);
	struct judged j =
		judge(a, "objects: {a: {file: a.o, maps: {pinned: {max_entries: 5}}}}", &good);

	(void)state;
	expect_diag(&j.diags, "LIBBPF_PIN_BY_NAME");
	assert_int_equal(j.diags.list.n, 1);
	assert_int_equal(j.diags.list.v[0].level, DIAG_NOTE);
	assert_int_equal(j.diags.list.v[0].origin.column, 33);
}

static void device_maps_belong_to_one_interface(void **state)
{
	static const struct {
		const char *text, *message;
	} cases[] = {
		{ "redirect: {attach: [{xdp: {interface: eth0}}]}", NULL },
		{ "redirect: {attach: [{xdp: {interface: eth0}}, {xdp: {interface: [eth0]}}]}",
		  NULL },
		/* What these match is not known before there is a node. */
		{ "redirect: {attach: [{xdp: {interface: [\"eth*\", \"@s\", eth0]}}]}", NULL },
		{ "count: {attach: [{xdp: {interface: [eth0, eth1]}}]}", NULL },
		{ "redirect: {attach: [{xdp: {interface: [eth0, eth1]}}]}",
		  "map 'xsks' is of type xskmap and so belongs to one device, but what uses it is "
		  "attached to eth0 and eth1" },
		{ "redirect: {attach: [{xdp: {interface: eth0}}, {xdp: {interface: eth1}}]}",
		  "write 'instances: interface'" },
		/* Two programs with the same map. */
		{ "redirect: {attach: [{xdp: {interface: eth0}}]}, "
		  "again: {attach: [{xdp: {interface: eth1}}]}",
		  "attached to eth1 and eth0" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		NEW_ARENA(a);
		const char *sets = "interfaces: {s: {select: [{name: x}]}}\n";

		expect_fault(arena_printf(a, "%sobjects: {a: {file: a.o, programs: {%s}}}", sets,
					  cases[i].text),
			     cases[i].message ? "PerDeviceMap" : NULL, cases[i].message);
		expect_fault(arena_printf(a,
					  "%sobjects: {a: {file: a.o, instances: interface, "
					  "programs: {%s}}}",
					  sets, cases[i].text),
			     NULL, NULL);
	}
}

static void sets_must_be_declared(void **state)
{
	(void)state;
	expect_fault("interfaces: {up: {select: [{name: x}]}}\n"
		     "objects: {a: {file: a.o, programs: {count: {attach: [{xdp: {interface: "
		     "\"@up\"}}]}}}}",
		     NULL, NULL);
	expect_fault("interfaces: {up: {select: [{name: x}]}}\n"
		     "objects: {a: {file: a.o, programs: {count: {attach: [{xdp: {interface: "
		     "\"@upp\"}}]}}}}",
		     "NoSuchSet", "interface set 'upp'; did you mean 'up'?");
}

static void order_must_not_be_circular(void **state)
{
	(void)state;
	expect_fault("objects:\n"
		     "  a: {file: a.o, programs: {count: {attach: [{xdp: {interface: eth0}, "
		     "before: b/count, after: b/count}]}}}\n"
		     "  b: {file: a.o, programs: {count: {attach: [{xdp: {interface: eth0}}]}}}\n",
		     "OrderCycle",
		     "on eth0, 'before' and 'after' go round in a circle: "
		     "a/count -> b/count -> a/count");
	/* The first entry that matches wins, and the second one's constraint is never in force. */
	expect_fault("objects:\n"
		     "  a: {file: a.o, programs: {count: {attach: [{xdp: {interface: \"eth*\"}}, "
		     "{xdp: {interface: eth0}, before: b/count}]}}}\n"
		     "  b: {file: a.o, programs: {count: {attach: [{xdp: {interface: eth0}, "
		     "before: a/count}]}}}\n",
		     NULL, NULL);
	/* A program that may or may not be there by an earlier entry is not certain. */
	expect_fault("interfaces: {s: {select: [{name: eth0}]}}\n"
		     "objects:\n"
		     "  a: {file: a.o, programs: {count: {attach: [{xdp: {interface: \"@s\"}}, "
		     "{xdp: {interface: eth0}, before: b/count}]}}}\n"
		     "  b: {file: a.o, programs: {count: {attach: [{xdp: {interface: eth0}, "
		     "before: a/count}]}}}\n",
		     NULL, NULL);
	/* Within one object a condition changes nothing. */
	expect_fault("objects: {a: {file: a.o, when: {host: x}, programs: {\n"
		     "  redirect: {attach: [{xdp: {interface: eth0}, before: a/count}]},\n"
		     "  count: {attach: [{xdp: {interface: eth0}, before: a/redirect}]}}}}\n",
		     "OrderCycle", "a/count -> a/redirect -> a/count");
}

static void shares_are_judged(void **state)
{
	NEW_ARENA(a);
	struct judged j = judge(a,
				"objects:\n"
				"  a: {file: a.o}\n"
				"shares:\n"
				"  s:\n"
				"    targets: []\n"
				"    maps:\n"
				"    - a/counter\n"
				"    - {map: a/jumps, access: rw}\n"
				"    - {map: a/jumps, access: rw, unsafe: true, as: j}\n"
				"    - {map: a/xsks, access: rw}\n"
				"    - {map: a/jumps, as: k}\n",
				&good);

	(void)state;
	expect_diag(&j.diags, "NoSuchMap: the object 'a' has no map 'counter'");
	expect_diag(&j.diags, "UnsafeMap: who can write 'jumps', a map of type prog_array");
	assert_int_equal(j.diags.errors, 2);
	assert_null(j.d->objects[0].fault_reason);
}

/* Everything wrong with an object is said in one run; the first thing is its reason. */
static void all_faults_are_reported(void **state)
{
	NEW_ARENA(a);
	struct judged j =
		judge(a,
		      "objects: {a: {file: a.o, programs: {x: {}, egress: {attach: [{xdp: "
		      "{interface: \"@u\"}}]}}, maps: {y: {use: z/z}}, globals: {g: 1}}}",
		      &good);

	(void)state;
	expect_diag(&j.diags, "NoSuchProgram");
	expect_diag(&j.diags, "WrongProgramType");
	expect_diag(&j.diags, "NoSuchMap");
	expect_diag(&j.diags, "NoSuchVariable");
	expect_diag(&j.diags, "NoSuchObject");
	expect_diag(&j.diags, "NoSuchSet");
	assert_int_equal(j.diags.errors, 6);
	assert_string_equal(j.d->objects[0].fault_reason, "WrongProgramType");
	/* The same without anybody to tell. */
	for (size_t i = 0; i < j.d->object_count; i++)
		j.d->objects[i].fault_reason = NULL;
	config_judge(a, j.d, NULL);
	assert_string_equal(j.d->objects[0].fault_reason, "WrongProgramType");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(programs_must_be_there),
		cmocka_unit_test(programs_must_fit_their_hook),
		cmocka_unit_test(files_must_be_as_asked_for),
		cmocka_unit_test(maps_must_be_there_and_resizable),
		cmocka_unit_test(a_map_that_is_gone_may_be_let_go),
		cmocka_unit_test(what_cannot_change_is_not_asked_to),
		cmocka_unit_test(used_maps_must_match),
		cmocka_unit_test(used_maps_of_other_types_are_warned_about),
		cmocka_unit_test(circles_of_use_are_faults),
		cmocka_unit_test(pins_by_name_are_noted),
		cmocka_unit_test(device_maps_belong_to_one_interface),
		cmocka_unit_test(sets_must_be_declared),
		cmocka_unit_test(order_must_not_be_circular),
		cmocka_unit_test(shares_are_judged),
		cmocka_unit_test(all_faults_are_reported),
	};

	return cmocka_run_group_tests_name("config_judge", tests, NULL, NULL);
}
