/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tc_fixture.h"

#include <linux/pkt_cls.h>
#include <unistd.h>

#include "base/macros.h"
#include "base/str.h"

struct tc_world w;

int tc_begin(void **state)
{
	if (fixture_begin(state) < 0)
		return -1;
	load_tc_member("a", 1, TC_ACT_UNSPEC, false);
	load_tc_member("b", 2, TC_ACT_UNSPEC, false);
	load_tc_member("c", 3, TC_ACT_UNSPEC, false);
	w.a = tc_program_id("a");
	w.b = tc_program_id("b");
	w.c = tc_program_id("c");
	w.veth = make_veth("v0");
	w.foreign_count = 0;
	return 0;
}

int tc_end(void **state)
{
	while (w.foreign_count > 0)
		(void)close(w.foreign[--w.foreign_count]);
	return fixture_end(state);
}
void need(const char *feature)
{
	if (fixture_has(feature))
		return;
	print_message("# this kernel has no %s\n", feature);
	skip();
}

struct observed *look(bool tc)
{
	const struct observe_request want = { .tc = tc };
	struct observed *o = arena_new_of(fixture.a, struct observed);
	struct error e = { 0 };

	if (kern_linux_ops.observe(fixture.k, fixture.a, &want, o, &e) < 0)
		fail_msg("observe: %s", e.text);
	return o;
}

const struct observed_tc *at(enum tc_direction direction)
{
	const struct observed_tc *tc = observed_find_tc(look(true), NULL, w.veth, direction);

	assert_non_null(tc);
	return tc;
}

static const char *label(uint32_t id)
{
	if (id == w.a || id == w.b || id == w.c)
		return id == w.a ? "a" : id == w.b ? "b" : "c";
	for (size_t i = 0; i < w.foreign_count; i++)
		if (id_of_program(w.foreign[i]) == id)
			return arena_printf(fixture.a, "f%zu", i);
	return "?";
}

const char *labels(const struct observed_tc_program *p, size_t n)
{
	cleanup(strbuf_done) struct strbuf text = { 0 };

	for (size_t i = 0; i < n; i++)
		strbuf_addf(&text, "%s%s", i ? " " : "", label(p[i].id));
	return arena_strdup(fixture.a, strbuf_get(&text));
}

const char *list_of(enum tc_direction direction)
{
	const struct observed_tc *tc = at(direction);

	return labels(tc->programs, tc->program_count);
}

const struct observed_tc_program *filter_at(enum tc_direction direction)
{
	const struct observed_tc *tc = at(direction);

	for (size_t i = 0; i < tc->filter_count; i++)
		if (tc->filters[i].filter_priority == PRIORITY)
			return &tc->filters[i];
	return NULL;
}

int new_foreign(void)
{
	const struct bpf_insn instructions[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = TC_ACT_UNSPEC },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	int fd = bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "foreign", "GPL", instructions,
			       ARRAY_SIZE(instructions), NULL);

	assert_true(fd >= 0);
	assert_true(w.foreign_count < FOREIGN_MAX);
	w.foreign[w.foreign_count++] = fd;
	return fd;
}

int foreign_link(int program, enum bpf_attach_type type)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts);
	int fd = bpf_link_create(program, (int)w.veth, type, &opts);

	assert_true(fd >= 0);
	return fd;
}

/* --- operations --------------------------------------------------------------- */

struct op set_op(enum mechanism mechanism, enum tc_direction direction, const char *instance)
{
	struct op op = { .kind = OP_TC_SET, .key = "v0" };

	op.tc = (struct op_tc){
		.ifindex = w.veth, .interface = "v0", .direction = direction, .mechanism = mechanism
	};
	if (instance)
		op.tc.program = (struct program_ref){ instance, "v", "tc_trace", 0 };
	if (mechanism == MECHANISM_CLSACT) {
		op.tc.filter_priority = PRIORITY;
		op.tc.filter_handle = HANDLE;
	}
	return op;
}

struct op clear_op(enum mechanism mechanism, enum tc_direction direction, uint32_t program)
{
	struct op op = set_op(mechanism, direction, NULL);

	op.kind = OP_TC_CLEAR;
	op.tc.expected_id = program;
	return op;
}

void put(const char *instance, enum tc_place place, const char *neighbour)
{
	struct op op = set_op(MECHANISM_TCX, TC_INGRESS, instance);

	op.tc.place = place;
	if (neighbour)
		op.tc.relative = (struct program_ref){ neighbour, "v", "tc_trace", 0 };
	op.tc.revision = at(TC_INGRESS)->revision;
	apply_fine(&op);
}

uint32_t link_of(enum tc_direction direction, uint32_t program)
{
	const struct observed_tc *tc = at(direction);

	for (size_t i = 0; i < tc->program_count; i++)
		if (tc->programs[i].id == program)
			return tc->programs[i].link_id;
	return 0;
}

uint32_t build(const char *const *instances, size_t n)
{
	struct op op = chain_op("s", instances, n, false);
	struct observed o;

	op.chain.meta.hook = HOOK_TC;
	for (size_t i = 0; i < n; i++) {
		if (op.chain.members[i].instance)
			op.chain.members[i].function = "tc_trace";
		op.chain.meta.members[i].program = "tc_trace";
		op.chain.meta.members[i].proceed_on = TC_VERDICTS_DEFAULT;
	}
	apply_fine(&op);
	o = observe();
	assert_int_equal(o.chain_count, 1);
	assert_true(o.chains[0].complete);
	assert_int_equal(o.chains[0].meta.hook, HOOK_TC);
	return o.chains[0].id;
}

void put_filter(enum tc_direction direction, const char *instance, uint32_t expected)
{
	struct op op = set_op(MECHANISM_CLSACT, direction, instance);

	op.tc.expected_id = expected;
	apply_fine(&op);
}
