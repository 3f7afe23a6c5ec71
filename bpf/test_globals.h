/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Types of the globals in test_globals.bpf.c, and what the program saw in them. */
#pragma once

#include <linux/types.h>
#include <stdbool.h>

enum test_level { TEST_LOW = 1, TEST_HIGH = 7, TEST_HIGHEST = 4000000000U };
enum test_direction { TEST_BACKWARD = -1, TEST_STILL, TEST_FORWARD };

struct test_range {
	__u16 first;
	__u16 last;
};

struct test_settings {
	bool enabled;
	__s32 offset;
	struct test_range range;
	__u32 ports[3];
	char name[8];
	struct test_range more[2];
	enum test_level level;
	__u64 total;
};

union test_word {
	__u32 whole;
	__u8 bytes[4];
};

struct test_globals_seen {
	__u64 runs;
	/* .rodata */
	__u64 ro_u64;
	__s64 ro_s64;
	__u32 ro_u32;
	__s32 ro_s32;
	__u16 ro_u16;
	__s16 ro_s16;
	__u8 ro_u8;
	__s8 ro_s8;
	bool ro_bool;
	char ro_char;
	enum test_level ro_level;
	enum test_direction ro_direction;
	char ro_label[16];
	__u16 ro_ports[4];
	__u8 ro_grid[2][3];
	struct test_settings ro_settings;
	union test_word ro_word;
	__u32 ro_static;
	/* .data */
	__u64 rw_u64;
	__s32 rw_s32;
	bool rw_bool;
	enum test_direction rw_direction;
	char rw_label[16];
	__u32 rw_ports[4];
	struct test_settings rw_settings;
	/* .bss */
	__u64 zero_u64;
	__u32 zero_u32;
	bool zero_bool;
	char zero_label[16];
	struct test_settings zero_settings;
	/* .data.tunable and .rodata.tunable: data sections of their own */
	__u32 rw_tunable;
	__u32 ro_tunable;
};
