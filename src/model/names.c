/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
#include "model/names.h"

#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <string.h>

#include "base/macros.h"
#include "model/limits.h"

const char *const hook_names[HOOK_COUNT] = { [HOOK_XDP] = "xdp", [HOOK_TC] = "tc" };

const char *const xdp_mode_names[XDP_MODE_COUNT] = {
	[XDP_MODE_AUTO] = "auto",
	[XDP_MODE_NATIVE] = "native",
	[XDP_MODE_GENERIC] = "generic",
	[XDP_MODE_OFFLOAD] = "offload",
};

const char *const mechanism_names[MECHANISM_COUNT] = {
	[MECHANISM_AUTO] = "auto",         [MECHANISM_LIBXDP] = "libxdp",
	[MECHANISM_TAILCALL] = "tailcall", [MECHANISM_DIRECT] = "direct",
	[MECHANISM_TCX] = "tcx",           [MECHANISM_CLSACT] = "clsact",
};

const char *const tc_mechanism_names[TC_MECHANISM_COUNT] = {
	[TC_MECHANISM_AUTO] = "auto",
	[TC_MECHANISM_TCX] = "tcx",
	[TC_MECHANISM_CLSACT] = "clsact",
};

const char *const tc_direction_names[TC_DIRECTION_COUNT] = {
	[TC_INGRESS] = "ingress",
	[TC_EGRESS] = "egress",
};

const char *const on_foreign_names[ON_FOREIGN_COUNT] = {
	[ON_FOREIGN_WAIT] = "wait",
	[ON_FOREIGN_REPLACE] = "replace",
};

const char *const on_missing_names[ON_MISSING_COUNT] = {
	[ON_MISSING_SKIP] = "skip",
	[ON_MISSING_DROP] = "drop",
	[ON_MISSING_HOLD] = "hold",
};

const char *const instances_names[INSTANCES_COUNT] = {
	[INSTANCES_ONE] = "one",
	[INSTANCES_INTERFACE] = "interface",
};

const char *const on_change_names[ON_CHANGE_COUNT] = {
	[ON_CHANGE_KEEP] = "keep",
	[ON_CHANGE_GROW] = "grow",
	[ON_CHANGE_RESET] = "reset",
	[ON_CHANGE_FAIL] = "fail",
};

const char *const access_names[ACCESS_COUNT] = { [ACCESS_RO] = "ro", [ACCESS_RW] = "rw" };

const char *const target_type_names[TARGET_COUNT] = { [TARGET_BPFFS] = "bpffs" };

const char *const state_names[STATE_COUNT] = {
	[STATE_READY] = "ready",     [STATE_SKIPPED] = "skipped", [STATE_SUSPENDED] = "suspended",
	[STATE_WAITING] = "waiting", [STATE_PENDING] = "pending", [STATE_BLOCKED] = "blocked",
	[STATE_FAILED] = "failed",
};

const char *const xdp_verdict_names[XDP_VERDICT_COUNT] = {
	[XDP_ABORTED] = "aborted", [XDP_DROP] = "drop",         [XDP_PASS] = "pass",
	[XDP_TX] = "tx",           [XDP_REDIRECT] = "redirect",
};

/* By verdict + 1, since the first is -1. */
const char *const tc_verdict_names[TC_VERDICT_COUNT] = {
	[TC_ACT_UNSPEC + 1] = "next",
	[TC_ACT_OK + 1] = "ok",
	[TC_ACT_RECLASSIFY + 1] = "reclassify",
	[TC_ACT_SHOT + 1] = "shot",
	[TC_ACT_PIPE + 1] = "pipe",
	[TC_ACT_STOLEN + 1] = "stolen",
	[TC_ACT_QUEUED + 1] = "queued",
	[TC_ACT_REPEAT + 1] = "repeat",
	[TC_ACT_REDIRECT + 1] = "redirect",
	[TC_ACT_TRAP + 1] = "trap",
};

/* The defaults are written in the header without the kernel's names for them. */
_Static_assert(XDP_VERDICTS_DEFAULT == 1u << XDP_PASS, "the default verdict is pass");
_Static_assert(TC_VERDICTS_DEFAULT == 1u << (TC_ACT_UNSPEC + 1), "the default verdict is next");

const char *verdicts_format(struct arena *a, enum hook hook, uint32_t mask)
{
	const char *const *names = hook == HOOK_TC ? tc_verdict_names : xdp_verdict_names;
	size_t count = hook == HOOK_TC ? TC_VERDICT_COUNT : XDP_VERDICT_COUNT;
	const char *text = NULL;

	for (size_t i = 0; i < count; i++) {
		if (!(mask & (1u << i)))
			continue;
		text = text ? arena_printf(a, "%s, %s", text, names[i]) : names[i];
	}
	return text ? text : "none";
}

uint32_t verdicts_default(enum hook hook)
{
	return hook == HOOK_TC ? TC_VERDICTS_DEFAULT : XDP_VERDICTS_DEFAULT;
}

/* Not isalnum() and its kind: names must not depend on the locale. */
static bool is_lower(char c)
{
	return c >= 'a' && c <= 'z';
}

static bool is_upper(char c)
{
	return c >= 'A' && c <= 'Z';
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

bool name_is_valid(const char *s)
{
	size_t n = 0;

	if (!is_lower(s[0]) && !is_digit(s[0]))
		return false;
	for (; s[n]; n++)
		if (n == LIMIT_NAME ||
		    (!is_lower(s[n]) && !is_digit(s[n]) && s[n] != '_' && s[n] != '-'))
			return false;
	return true;
}

bool alias_is_valid(const char *s)
{
	size_t n = 0;

	for (; s[n]; n++)
		if (n == LIMIT_NAME || (!is_lower(s[n]) && !is_upper(s[n]) && !is_digit(s[n]) &&
					s[n] != '_' && s[n] != '-'))
			return false;
	return n > 0;
}

bool identifier_is_valid(const char *s)
{
	if (!*s || is_digit(*s))
		return false;
	for (; *s; s++)
		if (!is_lower(*s) && !is_upper(*s) && !is_digit(*s) && *s != '_')
			return false;
	return true;
}

bool name_split(struct arena *a, const char *s, const char **ret_object, const char **ret_item)
{
	const char *slash = strchr(s, '/');

	if (!slash || slash == s || !slash[1])
		return false;
	*ret_object = arena_strndup(a, s, (size_t)(slash - s));
	*ret_item = arena_strdup(a, slash + 1);
	return true;
}

/*
 * By number, not by the header's enumerators: the numbers are ABI, and a build against an
 * older header must still know the types that a newer kernel reports.
 */
static const char *const map_type_names[] = {
	"unspec",
	"hash",
	"array",
	"prog_array",
	"perf_event_array",
	"percpu_hash",
	"percpu_array",
	"stack_trace",
	"cgroup_array",
	"lru_hash",
	"lru_percpu_hash",
	"lpm_trie",
	"array_of_maps",
	"hash_of_maps",
	"devmap",
	"sockmap",
	"cpumap",
	"xskmap",
	"sockhash",
	"cgroup_storage",
	"reuseport_sockarray",
	"percpu_cgroup_storage",
	"queue",
	"stack",
	"sk_storage",
	"devmap_hash",
	"struct_ops",
	"ringbuf",
	"inode_storage",
	"task_storage",
	"bloom_filter",
	"user_ringbuf",
	"cgrp_storage",
	"arena",
	"insn_array",
};

static const char *const program_type_names[] = {
	"unspec",
	"socket_filter",
	"kprobe",
	"sched_cls",
	"sched_act",
	"tracepoint",
	"xdp",
	"perf_event",
	"cgroup_skb",
	"cgroup_sock",
	"lwt_in",
	"lwt_out",
	"lwt_xmit",
	"sock_ops",
	"sk_skb",
	"cgroup_device",
	"sk_msg",
	"raw_tracepoint",
	"cgroup_sock_addr",
	"lwt_seg6local",
	"lirc_mode2",
	"sk_reuseport",
	"flow_dissector",
	"cgroup_sysctl",
	"raw_tracepoint_writable",
	"cgroup_sockopt",
	"tracing",
	"struct_ops",
	"ext",
	"lsm",
	"sk_lookup",
	"syscall",
	"netfilter",
};

static const char *type_name(struct arena *a, const char *const *names, size_t n, uint32_t type)
{
	return type < n ? names[type] : arena_printf(a, "type-%u", type);
}

const char *map_type_name(struct arena *a, uint32_t type)
{
	return type_name(a, map_type_names, ARRAY_SIZE(map_type_names), type);
}

const char *program_type_name(struct arena *a, uint32_t type)
{
	return type_name(a, program_type_names, ARRAY_SIZE(program_type_names), type);
}

/*
 * XSKMAPs are not among them: a writer can only put AF_XDP sockets of its own into one, and
 * the kernel binds those to the queue they belong to.
 */
bool map_type_is_powerful(uint32_t type)
{
	switch (type) {
	case BPF_MAP_TYPE_PROG_ARRAY:
	case BPF_MAP_TYPE_ARRAY_OF_MAPS:
	case BPF_MAP_TYPE_HASH_OF_MAPS:
	case BPF_MAP_TYPE_DEVMAP:
	case BPF_MAP_TYPE_DEVMAP_HASH:
	case BPF_MAP_TYPE_CPUMAP:
	case BPF_MAP_TYPE_SOCKMAP:
	case BPF_MAP_TYPE_SOCKHASH:
	case BPF_MAP_TYPE_REUSEPORT_SOCKARRAY:
	case BPF_MAP_TYPE_STRUCT_OPS:
		return true;
	default:
		return false;
	}
}

bool map_type_is_per_device(uint32_t type)
{
	return type == BPF_MAP_TYPE_XSKMAP;
}
