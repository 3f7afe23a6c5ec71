/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What every example needs of a frame: where the network header is, and what it is. */
#pragma once

#include <linux/bpf.h>
#include <linux/if_ether.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

/* Two tags: a customer's inside a provider's. */
#define PACKET_VLAN_TAGS_MAX 2

struct packet_vlan_tag {
	__be16 control;
	__be16 protocol;
};

/*
 * Returns the EtherType behind any VLAN tags, in host order, and where its
 * header starts; 0 for a frame that ends before. Nothing behind *header has
 * been checked against data_end.
 */
static __always_inline __u16 packet_network_header(void *data, void *data_end, void **header)
{
	struct ethhdr *ethernet = data;
	struct packet_vlan_tag *tag = (void *)(ethernet + 1);
	__be16 protocol;

	if ((void *)tag > data_end)
		return 0;
	protocol = ethernet->h_proto;
#pragma unroll
	for (int i = 0; i < PACKET_VLAN_TAGS_MAX; i++) {
		if (protocol != bpf_htons(ETH_P_8021Q) && protocol != bpf_htons(ETH_P_8021AD))
			break;
		if ((void *)(tag + 1) > data_end)
			return 0;
		protocol = tag->protocol;
		tag++;
	}
	*header = tag;
	return bpf_ntohs(protocol);
}
