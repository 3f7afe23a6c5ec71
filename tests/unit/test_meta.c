/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/arena.h"
#include "base/macros.h"
#include "base/str.h"
#include "model/layout.h"
#include "model/limits.h"
#include "model/meta.h"

#define NEW_ARENA(a) cleanup(arena_freep) struct arena *a = arena_new()

#define HEADER 16

static const char *programs[] = { "xdp_a", "xdp_b" };
static struct meta_map maps[] = {
	{ .name = ".rodata", .btf_hash = "" },
	{ .name = "blocked",
	  .btf_hash = "0123abcd",
	  .born = "00aa",
	  .from = "00bb",
	  .values = "ffee",
	  .variables = "count limit",
	  .known = true,
	  .max_entries = UINT32_MAX,
	  .flags = 1 },
	{ .name = "seen", .btf_hash = "77", .use = "firewall/blocked" },
};

static const struct meta_object object = {
	.instance = "fwd@eth0.100",
	.object = "fwd",
	.interface = "eth0.100",
	.version = "0123456789abcdef",
	.origin = "/etc/bpfshare.d/10-fwd.yaml:12",
	.elf_path = "/usr/lib/a b,c%d\n\xc3\xa9.bpf.o",
	.elf_sha256 = "e3b0",
	.declaration = "d1",
	.ancestors = "0011223344556677 8899aabbccddeeff",
	.loaded_ns = UINT64_MAX,
	.frags = true,
	.programs = programs,
	.program_count = 2,
	.maps = maps,
	.map_count = 3,
};

static struct meta_member members[] = {
	{ "firewall", "xdp_firewall", 10, 1u << 2, .required = true },
	{ "", "", 0, 0, .absent = true },
	{ "fwd@eth0", "xdp_redirect", UINT16_MAX, UINT32_MAX, .run_priority = 7, .frags = true },
};

static const struct meta_chain chain = {
	.signature = "5151",
	.origin = "a.yaml:1",
	.frags = true,
	.members = members,
	.member_count = 3,
};

static void same_object(const struct meta_object *x, const struct meta_object *y)
{
	assert_string_equal(x->instance, y->instance);
	assert_string_equal(x->object, y->object);
	assert_true(str_eq(x->interface, y->interface));
	assert_string_equal(x->version, y->version);
	assert_string_equal(x->origin, y->origin);
	assert_string_equal(x->elf_path, y->elf_path);
	assert_string_equal(x->elf_sha256, y->elf_sha256);
	assert_string_equal(x->declaration, y->declaration);
	assert_true(str_eq(x->ancestors, y->ancestors));
	assert_true(x->loaded_ns == y->loaded_ns);
	assert_int_equal(x->frags, y->frags);
	assert_int_equal(x->program_count, y->program_count);
	for (size_t i = 0; i < x->program_count; i++)
		assert_string_equal(x->programs[i], y->programs[i]);
	assert_int_equal(x->map_count, y->map_count);
	for (size_t i = 0; i < x->map_count; i++) {
		assert_string_equal(x->maps[i].name, y->maps[i].name);
		assert_string_equal(x->maps[i].btf_hash, y->maps[i].btf_hash);
		assert_true(str_eq(x->maps[i].use, y->maps[i].use));
		assert_string_equal(y->maps[i].born,
				    x->maps[i].born ? x->maps[i].born : x->version);
		assert_true(str_eq(x->maps[i].from, y->maps[i].from));
		assert_string_equal(y->maps[i].values, x->maps[i].values ? x->maps[i].values : "");
		assert_true(str_eq(x->maps[i].variables, y->maps[i].variables));
		assert_int_equal(x->maps[i].known, y->maps[i].known);
		assert_int_equal(x->maps[i].max_entries, y->maps[i].max_entries);
		assert_int_equal(x->maps[i].flags, y->maps[i].flags);
	}
}

static void same_chain(const struct meta_chain *x, const struct meta_chain *y)
{
	assert_string_equal(x->signature, y->signature);
	assert_string_equal(x->origin, y->origin);
	assert_int_equal(x->frags, y->frags);
	assert_int_equal(x->member_count, y->member_count);
	for (size_t i = 0; i < x->member_count; i++) {
		assert_string_equal(x->members[i].instance, y->members[i].instance);
		assert_string_equal(x->members[i].program, y->members[i].program);
		assert_int_equal(x->members[i].priority, y->members[i].priority);
		assert_int_equal(x->members[i].proceed_on, y->members[i].proceed_on);
		assert_int_equal(x->members[i].required, y->members[i].required);
		assert_int_equal(x->members[i].run_priority, y->members[i].run_priority);
		assert_int_equal(x->members[i].frags, y->members[i].frags);
		assert_int_equal(x->members[i].absent, y->members[i].absent);
	}
}

static void an_object_survives(void **state)
{
	struct meta_object without = object, back;
	struct error e = { 0 };
	const void *data;
	size_t size;
	NEW_ARENA(a);

	(void)state;
	data = meta_object_encode(a, &object, &size);
	assert_int_equal(meta_object_decode(a, data, size, &back, &e), 0);
	same_object(&object, &back);

	without.interface = without.ancestors = NULL;
	without.program_count = without.map_count = 0;
	without.elf_path = "";
	data = meta_object_encode(a, &without, &size);
	assert_int_equal(meta_object_decode(a, data, size, &back, &e), 0);
	same_object(&without, &back);
}

static void a_chain_survives(void **state)
{
	struct meta_chain empty = chain, back;
	struct error e = { 0 };
	const void *data;
	size_t size;
	NEW_ARENA(a);

	(void)state;
	data = meta_chain_encode(a, &chain, &size);
	assert_int_equal(meta_chain_decode(a, data, size, &back, &e), 0);
	same_chain(&chain, &back);

	empty.member_count = 0;
	data = meta_chain_encode(a, &empty, &size);
	assert_int_equal(meta_chain_decode(a, data, size, &back, &e), 0);
	same_chain(&empty, &back);
}

/* A map's value may be larger than what was written into it. */
static void what_follows_the_text_is_ignored(void **state)
{
	struct meta_chain back;
	struct error e = { 0 };
	const void *data;
	char *larger;
	size_t size;
	NEW_ARENA(a);

	(void)state;
	data = meta_chain_encode(a, &chain, &size);
	larger = arena_alloc(a, size + 8);
	memcpy(larger, data, size);
	memset(larger + size, 0xff, 8);
	assert_int_equal(meta_chain_decode(a, larger, size + 8, &back, &e), 0);
	same_chain(&chain, &back);
}

/* Each length in a block of its own, so that a read beyond its end is seen by tools. */
static void every_truncation_is_damage(void **state)
{
	struct meta_object object_back;
	struct meta_chain chain_back;
	const void *data;
	size_t size;
	NEW_ARENA(a);

	(void)state;
	data = meta_object_encode(a, &object, &size);
	for (size_t n = 0; n < size; n++) {
		cleanup(freep) void *part = xcalloc(1, n + 1);
		struct error e = { 0 };

		memcpy(part, data, n);
		assert_int_equal(meta_object_decode(a, part, n, &object_back, &e), -EBADMSG);
		assert_int_equal(e.code, -EBADMSG);
	}
	data = meta_chain_encode(a, &chain, &size);
	for (size_t n = 0; n < size; n++) {
		cleanup(freep) void *part = xcalloc(1, n + 1);

		memcpy(part, data, n);
		assert_int_equal(meta_chain_decode(a, part, n, &chain_back, NULL), -EBADMSG);
	}
}

/* The header says the length, so a text that ends early is one whose header says so. */
static void every_shorter_text_is_damage_or_complete(void **state)
{
	const void *data;
	size_t size;
	NEW_ARENA(a);

	(void)state;
	data = meta_chain_encode(a, &chain, &size);
	for (size_t n = HEADER; n < size; n++) {
		unsigned char *part = arena_dup(a, data, n);
		struct meta_chain back;
		int r;

		part[12] = (unsigned char)(n - HEADER);
		part[13] = (unsigned char)((n - HEADER) >> 8);
		r = meta_chain_decode(a, part, n, &back, NULL);
		if (r == 0) {
			assert_int_equal(part[n - 1], '\n');
			assert_string_equal(back.signature, chain.signature);
			assert_true(back.member_count <= chain.member_count);
		} else {
			assert_int_equal(r, -EBADMSG);
		}
	}
}

/* Whatever a byte becomes, the reader stays within its bounds and calls it one thing or the other. */
static void every_other_byte_is_survived(void **state)
{
	const void *data;
	size_t size;
	NEW_ARENA(a);

	(void)state;
	data = meta_object_encode(a, &object, &size);
	for (size_t i = 0; i < size; i++)
		for (int bit = 0; bit < 8; bit++) {
			NEW_ARENA(own);
			unsigned char *copy = arena_dup(own, data, size);
			struct meta_object back = { 0 };
			int r;

			copy[i] ^= (unsigned char)(1 << bit);
			r = meta_object_decode(own, copy, size, &back, NULL);
			assert_true(r == 0 || r == -EBADMSG || r == -EOPNOTSUPP);
			if (r == 0)
				assert_true(strlen(back.instance) + strlen(back.version) < size);
		}
}

static void a_newer_layout_is_refused(void **state)
{
	struct meta_object back;
	struct error e = { 0 };
	unsigned char *copy;
	const void *data;
	size_t size;
	NEW_ARENA(a);

	(void)state;
	data = meta_object_encode(a, &object, &size);
	copy = arena_dup(a, data, size);
	copy[8] = LAYOUT_VERSION + 1;
	assert_int_equal(meta_object_decode(a, copy, size, &back, &e), -EOPNOTSUPP);
	assert_non_null(strstr(e.text, arena_printf(a, "layout version %d", LAYOUT_VERSION + 1)));
	assert_int_equal(meta_layout(copy, size), LAYOUT_VERSION + 1);
	copy[8] = 0;
	assert_int_equal(meta_object_decode(a, copy, size, &back, &e), -EBADMSG);
	assert_int_equal(meta_layout("something else of sixteen", 16), 0);
}

/* A stored value made by hand. */
static const void *store(struct arena *a, const char *text, size_t n, size_t *ret_size)
{
	unsigned char *data = arena_alloc(a, HEADER + n);

	memcpy(data, META_MAGIC, 8);
	data[8] = LAYOUT_VERSION;
	data[12] = (unsigned char)n;
	data[13] = (unsigned char)(n >> 8);
	data[14] = (unsigned char)(n >> 16);
	memcpy(data + HEADER, text, n);
	*ret_size = HEADER + n;
	return data;
}

/* Word for word what layout 1 wrote: maps without what later upgrades need to know of them. */
static void the_first_layout_is_read(void **state)
{
	static const char text[] = "kind=object\ninstance=fwd\nobject=fwd\nversion=0123\n"
				   "origin=/etc/bpfshare.d/fwd.yaml:3\nelf_path=/opt/fwd.bpf.o\n"
				   "elf_sha256=ab\ndeclaration=cd\nloaded_ns=7\nfrags=0\n"
				   "program=xdp_main\nmap=blocked,beef,\nmap=seen,,other/seen\n";
	struct meta_object back;
	struct error e = { 0 };
	unsigned char *data;
	size_t size;
	NEW_ARENA(a);

	(void)state;
	data = (unsigned char *)store(a, text, strlen(text), &size);
	data[8] = 1;
	assert_int_equal(meta_layout(data, size), 1);
	if (meta_object_decode(a, data, size, &back, &e) < 0)
		fail_msg("%s", e.text);
	assert_string_equal(back.version, "0123");
	assert_int_equal(back.program_count, 1);
	assert_int_equal(back.map_count, 2);
	assert_string_equal(back.maps[0].btf_hash, "beef");
	assert_null(back.maps[0].use);
	assert_string_equal(back.maps[1].use, "other/seen");
	assert_null(back.maps[0].from);
	assert_false(back.maps[0].known);
}

static int decode_text(struct arena *a, const char *text, struct meta_chain *ret)
{
	size_t size;
	const void *data = store(a, text, strlen(text), &size);

	return meta_chain_decode(a, data, size, ret, NULL);
}

static void more_than_is_known_is_skipped(void **state)
{
	struct meta_chain back;
	NEW_ARENA(a);

	(void)state;
	assert_int_equal(
		decode_text(a,
			    "kind=chain\nfuture=1,2,3,4,5,6,7,8,9,10\nsignature=s,more\norigin=\n"
			    "member=a,p,5,0x4,1,0,5,3,and,more\n",
			    &back),
		0);
	assert_string_equal(back.signature, "s");
	assert_string_equal(back.origin, "");
	assert_int_equal(back.member_count, 1);
	assert_int_equal(back.members[0].priority, 5);
	assert_int_equal(back.members[0].proceed_on, 4);
	assert_true(back.members[0].required);
	assert_true(back.members[0].frags);
	assert_true(back.members[0].absent);
}

static void nonsense_is_damage(void **state)
{
	static const char *const texts[] = {
		"",
		"\n",
		"kind=chain",
		"signature=s\norigin=o\n",
		"kind=object\nsignature=s\norigin=o\n",
		"kind=chain\n",
		"kind=chain\nsignature=s\n",
		"kind=chain\nsignature=s\norigin=o\n\n",
		"kind=chain\nsignature=s\norigin=o\n=x\n",
		"kind=chain\nsignature=s\norigin=o\nfrags\n",
		"kind=chain\nsignature=s\norigin=o\nfrags=2\n",
		"kind=chain\nsignature=s\norigin=o\nfrags=\n",
		"kind=chain\nsignature=s\nsignature=s\norigin=o\n",
		"kind=chain\nsignature=s s\norigin=o\n",
		"kind=chain\nsignature=s%2\norigin=o\n",
		"kind=chain\nsignature=s%2f\norigin=o\n",
		"kind=chain\nsignature=s%00\norigin=o\n",
		"kind=chain\nsignature=s%\norigin=o\n",
		"kind=chain\nsignature=s\norigin=o\nmember=a,p,5,0x4\n",
		"kind=chain\nsignature=s\norigin=o\nmember=a,p,4294967296,0x4,0\n",
		"kind=chain\nsignature=s\norigin=o\nmember=a,p,-1,0x4,0\n",
		"kind=chain\nsignature=s\norigin=o\nmember=a,p,5,0x100000000,0\n",
		"kind=chain\nsignature=s\norigin=o\nmember=a,p,5,x,0\n",
		"kind=chain\nsignature=s\norigin=o\nmember=a,p,5,0x4,yes\n",
		"kind=chain\nsignature=s\norigin=o\nmember=a,p,5,0x4,0,x,0\n",
		"kind=chain\nsignature=s\norigin=o\nmember=a,p,5,0x4,0,0,-1\n",
		"kind=chain\nsignature=s\norigin=o\nmember=a,p,5,0x4,0,0,5,x\n",
		"kind=chain\nsignature=s\norigin=o\nhook=qdisc\n",
		"kind=chain\nsignature=s\norigin=o\nmechanism=\n",
		"kind=chain\nsignature=s\norigin=o\nprotocol=x\n",
		"kind=chain\nsignature=\xc3\xa9\norigin=o\n",
		"kind=chain\nsignature=s\norigin=o\n# no line\n",
	};
	struct meta_chain back;
	const void *data;
	size_t size;
	NEW_ARENA(a);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		if (decode_text(a, texts[i], &back) != -EBADMSG)
			fail_msg("row %zu is taken", i);
	data = store(a, "kind=chain\nsignature=s\0\norigin=o\n", 33, &size);
	assert_int_equal(meta_chain_decode(a, data, size, &back, NULL), -EBADMSG);
}

static void members_are_as_many_as_slots(void **state)
{
	struct meta_chain back;
	NEW_ARENA(a);

	(void)state;
	for (size_t n = LIMIT_CHAIN_TAILCALL; n <= LIMIT_CHAIN_TAILCALL + 1; n++) {
		cleanup(strbuf_done) struct strbuf text = { 0 };

		strbuf_add(&text, "kind=chain\nsignature=s\norigin=o\n");
		for (size_t i = 0; i < n; i++)
			strbuf_add(&text, "member=a,p,5,0x4,0\n");
		assert_int_equal(decode_text(a, text.s, &back),
				 n <= LIMIT_CHAIN_TAILCALL ? 0 : -EBADMSG);
	}
}

static void programs_and_maps_are_bounded(void **state)
{
	NEW_ARENA(a);

	(void)state;
	for (int k = 0; k < 2; k++)
		for (size_t n = LIMIT_PROGRAMS; n <= LIMIT_PROGRAMS + 1; n++) {
			cleanup(strbuf_done) struct strbuf text = { 0 };
			struct meta_object back;
			const void *data;
			size_t size;

			strbuf_add(&text, "kind=object\ninstance=i\nobject=o\nversion=v\norigin=\n"
					  "elf_path=\nelf_sha256=\ndeclaration=\n");
			for (size_t i = 0; i < n; i++)
				strbuf_addf(&text, "%s=%zu,,\n", k == 0 ? "program" : "map", i);
			data = store(a, text.s, text.len, &size);
			assert_int_equal(meta_object_decode(a, data, size, &back, NULL),
					 n <= LIMIT_PROGRAMS ? 0 : -EBADMSG);
		}
}

static void size_is_bounded(void **state)
{
	NEW_ARENA(a);

	(void)state;
	for (size_t n = LIMIT_META_BYTES - HEADER; n <= LIMIT_META_BYTES - HEADER + 1; n++) {
		cleanup(strbuf_done) struct strbuf text = { 0 };
		struct meta_chain back;
		const void *data;
		size_t size;

		strbuf_add(&text, "kind=chain\norigin=o\nsignature=");
		while (text.len < n - 1)
			strbuf_addc(&text, 's');
		strbuf_addc(&text, '\n');
		data = store(a, text.s, text.len, &size);
		assert_int_equal(meta_chain_decode(a, data, size, &back, NULL),
				 n <= LIMIT_META_BYTES - HEADER ? 0 : -EBADMSG);
	}
}

static void one_kind_is_not_the_other(void **state)
{
	struct meta_object object_back;
	struct meta_chain chain_back;
	struct error e = { 0 };
	const void *data;
	size_t size;
	NEW_ARENA(a);

	(void)state;
	data = meta_chain_encode(a, &chain, &size);
	assert_int_equal(meta_object_decode(a, data, size, &object_back, &e), -EBADMSG);
	assert_string_equal(e.text, "metadata is of kind 'chain', not 'object'");
	data = meta_object_encode(a, &object, &size);
	assert_int_equal(meta_chain_decode(a, data, size, &chain_back, &e), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_object_survives),
		cmocka_unit_test(a_chain_survives),
		cmocka_unit_test(what_follows_the_text_is_ignored),
		cmocka_unit_test(every_truncation_is_damage),
		cmocka_unit_test(every_shorter_text_is_damage_or_complete),
		cmocka_unit_test(every_other_byte_is_survived),
		cmocka_unit_test(a_newer_layout_is_refused),
		cmocka_unit_test(the_first_layout_is_read),
		cmocka_unit_test(more_than_is_known_is_skipped),
		cmocka_unit_test(nonsense_is_damage),
		cmocka_unit_test(members_are_as_many_as_slots),
		cmocka_unit_test(programs_and_maps_are_bounded),
		cmocka_unit_test(size_is_bounded),
		cmocka_unit_test(one_kind_is_not_the_other),
	};

	return cmocka_run_group_tests_name("meta", tests, NULL, NULL);
}
