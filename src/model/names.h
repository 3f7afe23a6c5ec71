/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* Words of the configuration language and of the status contract, and the rules for names. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"

enum hook { HOOK_XDP, HOOK_TC, HOOK_COUNT };

enum xdp_mode {
	XDP_MODE_AUTO,
	XDP_MODE_NATIVE,
	XDP_MODE_GENERIC,
	XDP_MODE_OFFLOAD,
	XDP_MODE_COUNT
};

/* The mode a root really runs in: IFLA_XDP_ATTACHED of linux/if_link.h. */
enum xdp_attached {
	XDP_NONE = 0,
	XDP_DRIVER = 1,
	XDP_GENERIC = 2,
	XDP_HARDWARE = 3,
	XDP_MULTIPLE = 4,
};

/*
 * How a chain is built. The first three can be declared for XDP; DIRECT is what TAILCALL becomes for one
 * program with the default verdicts. The last two belong to tc.
 */
enum mechanism {
	MECHANISM_AUTO,
	MECHANISM_LIBXDP,
	MECHANISM_TAILCALL,
	MECHANISM_DIRECT,
	MECHANISM_TCX,
	MECHANISM_CLSACT,
	MECHANISM_COUNT,
};

/* What can be declared for tc. */
enum tc_mechanism { TC_MECHANISM_AUTO, TC_MECHANISM_TCX, TC_MECHANISM_CLSACT, TC_MECHANISM_COUNT };

enum tc_direction { TC_INGRESS, TC_EGRESS, TC_DIRECTION_COUNT };

enum on_foreign { ON_FOREIGN_WAIT, ON_FOREIGN_REPLACE, ON_FOREIGN_COUNT };
enum on_missing { ON_MISSING_SKIP, ON_MISSING_DROP, ON_MISSING_HOLD, ON_MISSING_COUNT };
/* What a new version of an object does with a map of the version before. */
enum on_change {
	ON_CHANGE_KEEP,  /* the very map; where it cannot be kept, the old version stays */
	ON_CHANGE_GROW,  /* likewise, but a larger one takes the entries over */
	ON_CHANGE_RESET, /* a new map */
	ON_CHANGE_FAIL, /* as keep, and whatever differs or cannot be compared keeps the old version */
	ON_CHANGE_COUNT,
};
enum instances { INSTANCES_ONE, INSTANCES_INTERFACE, INSTANCES_COUNT };
enum access { ACCESS_RO, ACCESS_RW, ACCESS_COUNT };
enum target_type { TARGET_BPFFS, TARGET_COUNT };

/* State of anything that has a status; an aggregate is the worst of its parts, which is the last in this order. */
enum state {
	STATE_READY,
	STATE_SKIPPED,
	STATE_SUSPENDED,
	STATE_WAITING,
	STATE_PENDING,
	STATE_BLOCKED,
	STATE_FAILED,
	STATE_COUNT,
};

extern const char *const hook_names[HOOK_COUNT];
extern const char *const xdp_mode_names[XDP_MODE_COUNT];
extern const char *const mechanism_names[MECHANISM_COUNT];
extern const char *const tc_mechanism_names[TC_MECHANISM_COUNT];
extern const char *const tc_direction_names[TC_DIRECTION_COUNT];
extern const char *const on_foreign_names[ON_FOREIGN_COUNT];
extern const char *const on_missing_names[ON_MISSING_COUNT];
extern const char *const on_change_names[ON_CHANGE_COUNT];
extern const char *const instances_names[INSTANCES_COUNT];
extern const char *const access_names[ACCESS_COUNT];
extern const char *const target_type_names[TARGET_COUNT];
extern const char *const state_names[STATE_COUNT];

/* XDP verdicts as bits of a mask: bit n is the verdict n of enum xdp_action (aborted drop pass tx redirect). */
#define XDP_VERDICT_COUNT    5
#define XDP_VERDICTS_DEFAULT (1u << 2) /* pass */
extern const char *const xdp_verdict_names[XDP_VERDICT_COUNT];

/* Verdicts of tc likewise: bit n is the verdict n - 1 of TC_ACT_… (linux/pkt_cls.h), next being -1. */
#define TC_VERDICT_COUNT    10
#define TC_VERDICTS_DEFAULT (1u << 0) /* next */
extern const char *const tc_verdict_names[TC_VERDICT_COUNT];

/* "pass, drop"; "none" for 0 */
const char *verdicts_format(struct arena *a, enum hook hook, uint32_t mask);
uint32_t verdicts_default(enum hook hook);

/* [a-z0-9][a-z0-9_-]{0,62}: objects, shares, interface sets. */
bool name_is_valid(const char *s);
/* [A-Za-z0-9_-]{1,63}: aliases of maps (bpffs refuses dots). */
bool alias_is_valid(const char *s);
/* A C identifier, as functions and variables are. */
bool identifier_is_valid(const char *s);

/* Splits "OBJECT/PROGRAM" at the first slash; false unless both parts are non-empty. */
bool name_split(struct arena *a, const char *s, const char **ret_object, const char **ret_item);

/* A map type of enum bpf_map_type as the kernel's tools write it ("hash", "xskmap"), "type-99" for an unknown one. */
const char *map_type_name(struct arena *a, uint32_t type);
/* Likewise for enum bpf_prog_type ("xdp", "sched_cls"). */
const char *program_type_name(struct arena *a, uint32_t type);
/* Maps through which a writer reaches more than data: program arrays, device, cpu and socket maps, maps of maps. */
bool map_type_is_powerful(uint32_t type);
/* Maps whose entries belong to the queues of one network device (XSKMAP). */
bool map_type_is_per_device(uint32_t type);
