/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/macros.h"
#include "kern/verifier.h"

static const struct {
	const char *log, *words;
} rows[] = {
	{ "", "" },
	{ "\n\n", "" },
	{ "processed 2 insns (limit 1000000)\n", "" },
	{ "alone", "alone" },
	{ "0: (61) r1 = *(u32 *)(r1 +0)\n1: (71) r1 = *(u8 *)(r1 +0)\n"
	  "invalid access to packet, off=0 size=1, R1(id=0,off=0,r=0)\n"
	  "R1 offset is outside of the packet\n"
	  "processed 2 insns (limit 1000000) max_states_per_insn 0\n",
	  "invalid access to packet, off=0 size=1, R1(id=0,off=0,r=0); "
	  "R1 offset is outside of the packet" },
	{ "; return data[0];\nR0 !read_ok\nverification time 5 usec\nstack depth 0\nprocessed 1 insns\n",
	  "R0 !read_ok" },
	{ "one\ntwo\nthree\nfour\n", "two; three; four" },
	{ "from 3 to 5: R0=1\nunreachable insn 7\n", "unreachable insn 7" },
	{ "text\n12: (95) exit\n", "12: (95) exit" }, /* cut short: better than nothing */
};

static void the_reason_is_found_in_a_log(void **state)
{
	cleanup(arena_freep) struct arena *a = arena_new();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_string_equal(verifier_last_words(a, rows[i].log), rows[i].words);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_reason_is_found_in_a_log),
	};

	return cmocka_run_group_tests_name("verifier", tests, NULL, NULL);
}
