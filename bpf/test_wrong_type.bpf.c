// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* An object without any XDP program: its only one is for traffic control. */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>

#include <bpf/bpf_helpers.h>

SEC("tc")
int tc_pass(struct __sk_buff *skb)
{
	return TC_ACT_OK;
}

char _license[] SEC("license") = "Dual BSD/GPL";
