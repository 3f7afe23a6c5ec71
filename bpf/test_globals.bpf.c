// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Variables of every kind that BTF describes, in every section that libbpf makes
 * a map of. Each run publishes what the program sees in them, which is what a
 * configuration that sets globals must have changed, and nothing else.
 *
 * Maps
 *   seen  one struct test_globals_seen
 */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "test_globals.h"

const volatile __u8 ro_u8 = 1;
const volatile __s8 ro_s8 = -1;
const volatile __u16 ro_u16 = 2;
const volatile __s16 ro_s16 = -2;
const volatile __u32 ro_u32 = 3;
const volatile __s32 ro_s32 = -3;
const volatile __u64 ro_u64 = 4;
const volatile __s64 ro_s64 = -4;
const volatile bool ro_bool = false;
const volatile char ro_char = 'c';
const volatile enum test_level ro_level = TEST_LOW;
const volatile enum test_direction ro_direction = TEST_BACKWARD;
const volatile char ro_label[16] = "read-only";
const volatile __u16 ro_ports[4] = { 80, 443 };
const volatile __u8 ro_grid[2][3] = { { 1, 2, 3 }, { 4, 5, 6 } };
const volatile struct test_settings ro_settings = { .offset = -5, .name = "ro" };
const volatile union test_word ro_word = { .whole = 6 };
static const volatile __u32 ro_static = 7;

volatile __u64 rw_u64 = 10;
volatile __s32 rw_s32 = -10;
volatile bool rw_bool = true;
volatile enum test_direction rw_direction = TEST_FORWARD;
volatile char rw_label[16] = "read-write";
volatile __u32 rw_ports[4] = { 1, 2, 3, 4 };
volatile struct test_settings rw_settings = { .range = { 1000, 2000 }, .name = "rw" };

volatile __u64 zero_u64;
volatile __u32 zero_u32;
volatile bool zero_bool;
volatile char zero_label[16];
volatile struct test_settings zero_settings;

SEC(".data.tunable") volatile __u32 rw_tunable = 20;
SEC(".rodata.tunable") const volatile __u32 ro_tunable = 21;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct test_globals_seen);
} seen SEC(".maps");

/* Byte by byte and volatile: the compiler knows the initial values and would copy those. */
static __always_inline void copy(void *to, const volatile void *from, __u32 size)
{
#pragma unroll
	for (__u32 i = 0; i < size; i++)
		((__u8 *)to)[i] = ((const volatile __u8 *)from)[i];
}

#define PUBLISH(name) copy(&out->name, &(name), sizeof(name))

SEC("xdp")
int xdp_globals(struct xdp_md *ctx)
{
	__u32 key = 0;
	struct test_globals_seen *out = bpf_map_lookup_elem(&seen, &key);

	if (!out)
		return XDP_ABORTED;
	PUBLISH(ro_u8);
	PUBLISH(ro_s8);
	PUBLISH(ro_u16);
	PUBLISH(ro_s16);
	PUBLISH(ro_u32);
	PUBLISH(ro_s32);
	PUBLISH(ro_u64);
	PUBLISH(ro_s64);
	PUBLISH(ro_bool);
	PUBLISH(ro_char);
	PUBLISH(ro_level);
	PUBLISH(ro_direction);
	PUBLISH(ro_label);
	PUBLISH(ro_ports);
	PUBLISH(ro_grid);
	PUBLISH(ro_settings);
	PUBLISH(ro_word);
	PUBLISH(ro_static);
	PUBLISH(rw_u64);
	PUBLISH(rw_s32);
	PUBLISH(rw_bool);
	PUBLISH(rw_direction);
	PUBLISH(rw_label);
	PUBLISH(rw_ports);
	PUBLISH(rw_settings);
	PUBLISH(zero_u64);
	PUBLISH(zero_u32);
	PUBLISH(zero_bool);
	PUBLISH(zero_label);
	PUBLISH(zero_settings);
	PUBLISH(rw_tunable);
	PUBLISH(ro_tunable);
	out->runs++;
	return XDP_PASS;
}

char _license[] SEC("license") = "Dual BSD/GPL";
