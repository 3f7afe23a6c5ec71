// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Maps that user space can only read, or only write. */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8);
	__uint(map_flags, BPF_F_WRONLY);
	__type(key, __u32);
	__type(value, __u64);
} unreadable SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8);
	__uint(map_flags, BPF_F_RDONLY);
	__type(key, __u32);
	__type(value, __u64);
} unwritable SEC(".maps");

SEC("xdp")
int xdp_access(struct xdp_md *ctx)
{
	__u32 zero = 0;
	__u64 value = 1;

	bpf_map_update_elem(&unwritable, &zero, &value, BPF_ANY);
	return bpf_map_lookup_elem(&unreadable, &zero) ? XDP_DROP : XDP_PASS;
}

char _license[] SEC("license") = "Dual BSD/GPL";
