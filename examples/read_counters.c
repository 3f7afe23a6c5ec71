/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * What a consumer of a share looks like: opens the map of packet_counter.bpf.c
 * read-only, without any privilege, and prints packets and bytes by protocol.
 *
 *   cc -o read_counters read_counters.c -lbpf
 *   ./read_counters /run/bpfshare/shares/dashboard/maps/packets
 *
 * BPF_F_RDONLY is what a read-only pin needs: without it the kernel asks for write
 * permission as well and refuses.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <netdb.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct traffic { /* as bpf/examples.h has it */
	uint64_t packets, bytes;
};

#define NOT_IP 256

/* The map holds one struct per CPU; the sum is what counts. */
static struct traffic sum(const struct traffic *per_cpu, long cpus)
{
	struct traffic total = { 0, 0 };

	for (long i = 0; i < cpus; i++) {
		total.packets += per_cpu[i].packets;
		total.bytes += per_cpu[i].bytes;
	}
	return total;
}

int main(int argc, char **argv)
{
	LIBBPF_OPTS(bpf_obj_get_opts, opts, .file_flags = BPF_F_RDONLY);
	long cpus = sysconf(_SC_NPROCESSORS_CONF);
	struct traffic *values = calloc((size_t)cpus, sizeof(*values));
	int map;

	if (argc != 2 || !values) {
		fprintf(stderr, "usage: read_counters PIN\n");
		return 64;
	}
	map = bpf_obj_get_opts(argv[1], &opts);
	if (map < 0) {
		fprintf(stderr, "%s: %s\n", argv[1], strerror(errno));
		return 1;
	}
	printf("%-12s %12s %14s\n", "protocol", "packets", "bytes");
	for (uint32_t key = 0; key <= NOT_IP; key++) {
		const struct protoent *protocol = getprotobynumber((int)key);
		struct traffic total;
		char number[16];

		if (bpf_map_lookup_elem(map, &key, values) < 0) {
			perror("lookup");
			return 1;
		}
		total = sum(values, cpus);
		if (!total.packets)
			continue;
		snprintf(number, sizeof(number), "%u", key);
		printf("%-12s %12llu %14llu\n",
		       key == NOT_IP ? "not IP" :
		       protocol      ? protocol->p_name :
				       number,
		       (unsigned long long)total.packets, (unsigned long long)total.bytes);
	}
	return 0;
}
