// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Maps whose values have parts that only BPF programs can use, and some that only look like it.
 *
 * Programs
 *   xdp_timer  starts the timer in timers, which adds 1 to expired after a tenth of a second
 *   xdp_put    puts an allocated number, 4711, into the pointer in numbers
 *   xdp_get    takes it out; XDP_DROP if it was there, else XDP_PASS
 */
#include <linux/bpf.h>
#include <time.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#define MAP(name, value_type)                     \
	struct {                                  \
		__uint(type, BPF_MAP_TYPE_ARRAY); \
		__uint(max_entries, 1);           \
		__type(key, __u32);               \
		__type(value, value_type);        \
	} name SEC(".maps")

struct timed {
	__u64 count;
	struct bpf_timer timer;
};

/* Which kernels before 6.2 do not find. */
struct deep {
	struct timed nested[1];
};

struct number {
	__u64 n;
};

/* clang 14 loses the tag of a pointer to a struct by its own name. */
typedef struct number number_t;

struct owner {
	number_t __kptr *number;
};

struct watcher {
	number_t *number;
};

struct locked {
	struct bpf_spin_lock lock;
	__u32 count;
};

MAP(timers, struct timed);
MAP(deep_timers, struct deep);
MAP(numbers, struct owner);
MAP(watchers, struct watcher);
MAP(locks, struct locked);
MAP(expired, __u64);

/* Weak, so that a kernel without them can have the timer. */
extern void *bpf_obj_new_impl(__u64 local_type_id, void *meta) __ksym __weak;
extern void bpf_obj_drop_impl(void *kptr, void *meta) __ksym __weak;

static int on_expiry(void *map, __u32 *key, struct timed *value)
{
	__u32 zero = 0;
	__u64 *count = bpf_map_lookup_elem(&expired, &zero);

	if (count)
		__sync_fetch_and_add(count, 1);
	return 0;
}

SEC("xdp")
int xdp_timer(struct xdp_md *ctx)
{
	__u32 zero = 0;
	struct timed *value = bpf_map_lookup_elem(&timers, &zero);

	if (!value)
		return XDP_ABORTED;
	bpf_timer_init(&value->timer, &timers, CLOCK_MONOTONIC);
	bpf_timer_set_callback(&value->timer, on_expiry);
	bpf_timer_start(&value->timer, 100 * 1000 * 1000, 0);
	return XDP_PASS;
}

SEC("xdp")
int xdp_put(struct xdp_md *ctx)
{
	__u32 zero = 0;
	struct owner *owner = bpf_map_lookup_elem(&numbers, &zero);
	struct number *number;

	if (!owner)
		return XDP_ABORTED;
	number = bpf_obj_new_impl(bpf_core_type_id_local(struct number), NULL);
	if (!number)
		return XDP_ABORTED;
	number->n = 4711;
	number = bpf_kptr_xchg(&owner->number, number);
	if (number)
		bpf_obj_drop_impl(number, NULL);
	return XDP_PASS;
}

SEC("xdp")
int xdp_get(struct xdp_md *ctx)
{
	__u32 zero = 0;
	struct owner *owner = bpf_map_lookup_elem(&numbers, &zero);
	struct number *number;
	int verdict = XDP_PASS;

	if (!owner)
		return XDP_ABORTED;
	number = bpf_kptr_xchg(&owner->number, NULL);
	if (!number)
		return XDP_PASS;
	if (number->n == 4711)
		verdict = XDP_DROP;
	bpf_obj_drop_impl(number, NULL);
	return verdict;
}

char _license[] SEC("license") = "GPL";
