/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Frames of a flood that proves that nothing is lost. Each has a number; the members of the chain put their marks into
 * it, and a program behind the chain looks whether every number came and carries the marks that it must.
 */
#pragma once

#include <linux/if_ether.h>
#include <linux/types.h>

#define TEST_FLOOD_ETHERTYPE 0x88b6 /* IEEE 802 local experimental, the second */
#define TEST_FLOOD_SLOTS     8
#define TEST_FLOOD_FLOWS     48

struct test_flood_frame {
	struct ethhdr ethernet;
	__u64 number;  /* from 0; in the order of the machine, which it does not leave */
	__u8 unwanted; /* a filter of the chain must drop it */
	__u8 marks[TEST_FLOOD_SLOTS];
	__u8 rest[33]; /* a frame of 64 bytes */
} __attribute__((packed));

/* Of every so many frames the last one is unwanted. */
#define TEST_FLOOD_UNWANTED 8

static inline int test_flood_is_unwanted(__u64 number)
{
	return number % TEST_FLOOD_UNWANTED == TEST_FLOOD_UNWANTED - 1;
}

/* What the program behind the chain found. */
struct test_flood_result {
	__u64 next;       /* behind the highest number that came */
	__u64 received;   /* frames */
	__u64 lost;       /* wanted ones whose number was passed over */
	__u64 late;       /* came after a higher number, or a second time */
	__u64 unmarked;   /* lacked a mark that they must have */
	__u64 unfiltered; /* were unwanted */
	__u64 first_bad; /* number of the first one that is counted in the last four; valid if any is */
	__u32 missing; /* bit for each mark that one of them lacked */
	/* Set beforehand: */
	__u32 required;   /* bit for each slot that must have a mark */
	__u32 all_wanted; /* nobody filters: unwanted frames are as good as others */
	__u32 padding;
};
