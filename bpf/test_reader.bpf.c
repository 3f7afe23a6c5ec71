// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Never loaded: what the reader of object files has to understand, beyond what
 * the other objects have. Uses of maps are direct, through static and global functions and
 * through a callback; programs sit in sections of several kinds; variables have
 * types that a configuration file cannot give.
 */
#include <linux/bpf.h>
#include <stdbool.h>

#include <bpf/bpf_helpers.h>

struct test_value {
	__u32 low : 3;
	__u32 high;
	void *pointer;
};

typedef struct {
	char text[4];
	const volatile __u64 number;
} test_anonymous;

const volatile struct test_value ro_value;
volatile test_anonymous rw_anonymous;
void *volatile rw_pointer;
volatile char rw_huge[100000];
static volatile __u32 rw_static_1 = 5, rw_static_2 = 6;

struct test_inner {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} inner SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1);
	__type(key, __u32);
	__array(values, struct test_inner);
} outer SEC(".maps") = {
	.values = { &inner },
};

struct {
	__uint(type, BPF_MAP_TYPE_XSKMAP);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} sockets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
	__type(key, __u32);
	__type(value, struct test_value);
} pinned SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8);
	__type(key, __u32);
	__type(value, struct test_value);
} called_back SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8);
	__uint(key_size, 4);
	__uint(value_size, 8);
} unused SEC(".maps");

static __noinline int redirect(struct xdp_md *ctx)
{
	return bpf_redirect_map(&sockets, 0, XDP_PASS);
}

static __noinline int count_and_redirect(struct xdp_md *ctx)
{
	rw_static_1++;
	return redirect(ctx) + 1;
}

__noinline int find_pinned(struct xdp_md *ctx)
{
	__u32 key = 0;

	return bpf_map_lookup_elem(&pinned, &key) ? 1 : 0;
}

static int look_up(__u32 index, void *ctx)
{
	return bpf_map_lookup_elem(&called_back, &index) ? 1 : 0;
}

SEC("xdp.frags")
int xdp_static_call(struct xdp_md *ctx)
{
	return count_and_redirect(ctx);
}

SEC("xdp")
int xdp_global_call(struct xdp_md *ctx)
{
	return find_pinned(ctx);
}

SEC("xdp")
int xdp_callback(struct xdp_md *ctx)
{
	bpf_loop(3, look_up, NULL, 0);
	return XDP_PASS;
}

SEC("?xdp")
int xdp_inner(struct xdp_md *ctx)
{
	__u32 key = 0;

	return bpf_map_lookup_elem(&outer, &key) ? (int)rw_static_2 : XDP_PASS;
}

SEC("xdp/devmap")
int xdp_after_redirect(struct xdp_md *ctx)
{
	return XDP_PASS;
}

SEC("no_such_hook")
int unknown_hook(struct xdp_md *ctx)
{
	return ro_value.high ? rw_anonymous.text[0] + rw_huge[0] : rw_pointer != NULL;
}

char _license[] SEC("license") = "Dual BSD/GPL";
