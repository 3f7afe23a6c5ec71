/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/arena.h"
#include "base/macros.h"
#include "model/op.h"

#define NEW_ARENA(a) cleanup(arena_freep) struct arena *a = arena_new()

#define LONG_HASH "3f2a90c1d4e5b6a7f8091a2b3c4d5e6f"

static const char *programs[] = { "xdp_a", "xdp_b" };
static struct program_ref members[] = {
	{ "fw", "v1", "xdp_fw" },
	{ 0 },
	{ "fwd@eth0", LONG_HASH, "xdp_redirect" },
};
static struct op_share_pin pins[] = {
	{ "stats", { "fw", "v1", "counters" }, 0440 },
	{ "gone", { 0 }, 0440 },
};

static const struct observed_lost lost[] = {
	{ PIN_TYPE_PROGRAM, "objects/fw/v1/programs/xdp_fw", 17, false },
	{ PIN_TYPE_MAP, "objects/fw/v1/meta", 9, true },
};

static const struct {
	struct op op;
	const char *text;
} rows[] = {
	{ { .kind = OP_BPFFS_MOUNT, .key = "/sys/fs/bpf", .reason = "nothing is mounted there" },
	  "mount bpffs for /sys/fs/bpf: nothing is mounted there" },
	{ { .kind = OP_DIRECTORY_CREATE, .key = "/sys/fs/bpf/bpfshare" },
	  "create /sys/fs/bpf/bpfshare" },
	{ { .kind = OP_PIN_RESTORE, .reason = "their pins are gone", .pins = { lost, 2 } },
	  "pin again objects/fw/v1/programs/xdp_fw (program id 17) and 1 more: their pins are gone" },
	{ { .kind = OP_PIN_RESTORE, .pins = { &lost[1], 1 } },
	  "pin again objects/fw/v1/meta (map id 9)" },
	{ { .kind = OP_OBJECT_LOAD,
	    .reason = "it is declared and not loaded",
	    .origin = { "10-fwd.yaml", 3, 1 },
	    .object = { .instance = "fwd@eth0",
			.version = LONG_HASH,
			.programs = programs,
			.program_count = 2 } },
	  "load object fwd@eth0 version 3f2a90c1d4e5… [xdp_a, xdp_b]: it is declared and not loaded "
	  "(10-fwd.yaml:3)" },
	{ { .kind = OP_OBJECT_LOAD,
	    .origin = { "10-fwd.yaml", 0, 0 },
	    .object = { .instance = "fwd", .version = "v1" } },
	  "load object fwd version v1 (10-fwd.yaml)" },
	{ { .kind = OP_OBJECT_REMOVE, .object = { .instance = "fwd", .version = "v1" } },
	  "remove object fwd version v1" },
	{ { .kind = OP_CHAIN_BUILD,
	    .chain = { .signature = LONG_HASH, .members = members, .member_count = 3 } },
	  "build chain 3f2a90c1d4e5… [fw/xdp_fw, empty, fwd@eth0/xdp_redirect]" },
	{ { .kind = OP_SLOT_SET,
	    .chain = { .id = 17, .slot = 2, .members = &members[2], .member_count = 1 } },
	  "set slot 2 of chain 17 to fwd@eth0/xdp_redirect version 3f2a90c1d4e5…" },
	{ { .kind = OP_SLOT_SET,
	    .chain = { .id = 17, .slot = 0, .members = members, .member_count = 3 } },
	  "set slot 0 of chain 17 to fw/xdp_fw version v1" },
	{ { .kind = OP_SLOT_SET,
	    .chain = { .id = 17, .slot = 1, .members = members, .member_count = 3 } },
	  "empty slot 1 of chain 17" },
	{ { .kind = OP_EXTENSION_LOAD,
	    .object = { .instance = "fw",
			.version = "v1",
			.programs = programs,
			.program_count = 2 } },
	  "load as freplace programs object fw version v1 [xdp_a, xdp_b]" },
	{ { .kind = OP_CHAIN_BUILD,
	    .chain = { .signature = "s",
		       .members = (struct program_ref[]){ { "fw", "v1", "xdp_fw", 0 }, { .id = 9 } },
		       .member_count = 2,
		       .meta = { .mechanism = MECHANISM_LIBXDP } } },
	  "build libxdp chain s [fw/xdp_fw, program id 9]" },
	{ { .kind = OP_SLOT_SET,
	    .chain = { .id = 17,
		       .members = (struct program_ref[]){ { .id = 9 } },
		       .member_count = 1 } },
	  "set slot 0 of chain 17 to program id 9" },
	{ { .kind = OP_CHAIN_REMOVE, .chain = { .id = 17, .hand_over = true } },
	  "leave chain 17 to its foreign members" },
	{ { .kind = OP_ROOT_PIN, .root = { .interface = "eth0", .chain_id = 17 } },
	  "make libxdp's pins of chain 17 at eth0" },
	{ { .kind = OP_ROOT_UNPIN,
	    .root = { .interface = "eth0", .netns = "blue", .chain_id = 17 } },
	  "remove libxdp's pins of chain 17 at eth0 in namespace blue" },
	{ { .kind = OP_TC_SET,
	    .tc = { .interface = "eth0",
		    .direction = TC_EGRESS,
		    .mechanism = MECHANISM_TCX,
		    .program = { "count", "v1", "egress", 0 },
		    .place = TC_PLACE_AFTER,
		    .relative_id = 12 } },
	  "attach to egress of eth0 by tcx: count/egress version v1, after program id 12" },
	{ { .kind = OP_TC_SET,
	    .tc = { .interface = "eth0",
		    .netns = "blue",
		    .mechanism = MECHANISM_TCX,
		    .chain_id = 21,
		    .link_id = 4,
		    .expected_id = 17 } },
	  "replace at ingress of eth0 in namespace blue by tcx: link 4, program id 17 -> chain 21" },
	{ { .kind = OP_TC_CLEAR,
	    .tc = { .interface = "eth0", .mechanism = MECHANISM_CLSACT, .expected_id = 17 } },
	  "detach from ingress of eth0 by clsact: program id 17" },
	{ { .kind = OP_NETNS_RECORD, .netns = { .name = "blue" } }, "remember namespace blue" },
	{ { .kind = OP_NETNS_FORGET, .netns = { .name = "blue" } }, "forget namespace blue" },
	{ { .kind = OP_CHAIN_REMOVE, .chain = { .id = 17 } }, "remove chain 17" },
	{ { .kind = OP_ROOT_SET,
	    .origin = { "a.yaml", 7, 2 },
	    .root = { .interface = "eth0", .signature = LONG_HASH, .mode = XDP_MODE_AUTO } },
	  "attach root of eth0: chain 3f2a90c1d4e5…, mode auto (a.yaml:7)" },
	{ { .kind = OP_ROOT_SET,
	    .root = { .interface = "eth0",
		      .chain_id = 21,
		      .expected_id = 17,
		      .expected_mode = XDP_GENERIC } },
	  "swap root of eth0: program id 17 (generic) -> chain 21" },
	{ { .kind = OP_ROOT_SET,
	    .root = { .interface = "eth0",
		      .program = { "fw", "v1", "xdp_fw" },
		      .expected_id = 17,
		      .expected_mode = XDP_DRIVER,
		      .mode = XDP_MODE_GENERIC,
		      .detach_first = true } },
	  "detach and re-attach root of eth0: program id 17 (native) -> fw/xdp_fw version v1, "
	  "mode generic" },
	{ { .kind = OP_LINK_SET,
	    .root = { .interface = "eth0",
		      .chain_id = 21,
		      .expected_id = 17,
		      .link_id = 4,
		      .expected_mode = XDP_DRIVER } },
	  "swap exclusive root of eth0: link 4, program id 17 (native) -> chain 21" },
	{ { .kind = OP_ROOT_CLEAR, .root = { .interface = "eth0", .expected_id = 17 } },
	  "detach root of eth0: program id 17" },
	{ { .kind = OP_LINK_REMOVE,
	    .root = { .interface = "eth0", .expected_id = 17, .link_id = 4 } },
	  "detach exclusive root of eth0: link 4, program id 17" },
	{ { .kind = OP_GRACE }, "wait for a grace period" },
	{ { .kind = OP_SHARE_MOUNT,
	    .share = { .share = "dash",
		       .path = "/run/d",
		       .read_only = true,
		       .pins = pins,
		       .pin_count = 2 } },
	  "mount share dash at /run/d, read-only [stats = fw/counters, gone]" },
	{ { .kind = OP_MAP_SYNC,
	    .sync = { .from = { "fw@eth0", "0123", "flows" },
		      .to = { "fw@eth0", "4567", "flows" } } },
	  "copy what changed in map flows of fw@eth0 from version 0123 to version 4567" },
	{ { .kind = OP_SHARE_MOUNT,
	    .share = { .share = "dash", .path = "/run/d", .replace = true } },
	  "mount anew share dash at /run/d" },
	{ { .kind = OP_SHARE_PIN,
	    .share = { .share = "dash", .path = "/run/d", .pins = pins, .pin_count = 1 } },
	  "pin into share dash at /run/d [stats = fw/counters]" },
	{ { .kind = OP_SHARE_OWNER,
	    .share = { .share = "dash", .path = "/run/d", .gid = 100, .mode = 0750 } },
	  "give /run/d of share dash to 0:100, mode 0750" },
	{ { .kind = OP_SHARE_OWNER,
	    .share = { .share = "dash", .path = "/run/d", .pin = "stats", .mode = 0440 } },
	  "give /run/d/stats of share dash to 0:0, mode 0440" },
	{ { .kind = OP_SHARE_SEAL,
	    .share = { .share = "dash", .path = "/run/d", .read_only = true } },
	  "seal share dash at /run/d, read-only" },
	{ { .kind = OP_SHARE_UNPIN,
	    .share = { .share = "dash", .path = "/run/d", .pin = "stats" } },
	  "unpin stats from share dash at /run/d" },
	{ { .kind = OP_SHARE_UNMOUNT, .share = { .share = "dash", .path = "/run/d" } },
	  "unmount share dash from /run/d" },
};

static void every_operation_reads_as_one_line(void **state)
{
	bool seen[OP_KIND_COUNT] = { false };
	NEW_ARENA(a);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_string_equal(op_format(a, &rows[i].op), rows[i].text);
		seen[rows[i].op.kind] = true;
	}
	for (size_t kind = 0; kind < OP_KIND_COUNT; kind++)
		if (!seen[kind])
			fail_msg("no row for %s", op_kind_names[kind]);
}

static void every_kind_has_a_name_of_its_own(void **state)
{
	(void)state;
	for (size_t i = 0; i < OP_KIND_COUNT; i++) {
		assert_non_null(op_kind_names[i]);
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(op_kind_names[i], op_kind_names[k]);
	}
}

static void a_slot_has_one_member_in_either_form(void **state)
{
	const struct op_chain alone = { .slot = 5, .members = &members[0], .member_count = 1 };
	const struct op_chain all = { .slot = 2, .members = members, .member_count = 3 };
	const struct op_chain beyond = { .slot = 3, .members = members, .member_count = 3 };
	const struct op_chain none = { .slot = 0 };

	(void)state;
	assert_ptr_equal(op_slot_member(&alone), &members[0]);
	assert_ptr_equal(op_slot_member(&all), &members[2]);
	assert_null(op_slot_member(&beyond));
	assert_null(op_slot_member(&none));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_operation_reads_as_one_line),
		cmocka_unit_test(every_kind_has_a_name_of_its_own),
		cmocka_unit_test(a_slot_has_one_member_in_either_form),
	};

	return cmocka_run_group_tests_name("op", tests, NULL, NULL);
}
