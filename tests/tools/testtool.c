/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * The hands of the integration tests: sends frames with a sequence number, and uses
 * pinned maps as an unprivileged consumer would. Says what failed by name and exits 1; an
 * access that the kernel denies exits 3, so that a test can tell it from a mistake.
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/ip.h>
#include <linux/seccomp.h>
#include <net/if.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "bpf/test_trace.h"
#include "tools/age.h"
#include "tools/flood.h"
#include "tools/xsk.h"

#define EXIT_DENIED 3
#define FRAME_SIZE  64
#define FRAME_TYPE  0x88b5 /* IEEE 802 local experimental */

static int fail(const char *what)
{
	int denied = errno == EACCES || errno == EPERM || errno == EROFS;

	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	return denied ? EXIT_DENIED : 1;
}

/* --- frames ---------------------------------------------------------------- */

static volatile sig_atomic_t stop;

static void on_signal(int signal)
{
	(void)signal;
	stop = 1;
}

static int packet_socket(const char *interface, struct sockaddr_ll *to)
{
	unsigned int index = if_nametoindex(interface);
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

	*to = (struct sockaddr_ll){
		.sll_family = AF_PACKET,
		.sll_protocol = htons(FRAME_TYPE),
		.sll_ifindex = (int)index,
		.sll_halen = ETH_ALEN,
	};
	if (!index) {
		fprintf(stderr, "%s: no such interface\n", interface);
		return -1;
	}
	if (fd < 0 || bind(fd, (struct sockaddr *)to, sizeof(*to)) < 0) {
		perror("packet socket");
		return -1;
	}
	return fd;
}

/* Broadcast, so that the receiver's own address does not matter; the packet's number follows the header. */
static void frame_make(unsigned char frame[FRAME_SIZE], uint32_t number)
{
	struct ethhdr *eth = (struct ethhdr *)frame;

	memset(frame, 0, FRAME_SIZE);
	memset(eth->h_dest, 0xff, ETH_ALEN);
	memset(eth->h_source, 0x02, ETH_ALEN);
	eth->h_proto = htons(FRAME_TYPE);
	number = htonl(number);
	memcpy(frame + sizeof(*eth), &number, sizeof(number));
}

/* The same as a UDP packet from an IPv4 address (no checksum: XDP runs before anybody looks). */
static void frame_make_udp(unsigned char frame[FRAME_SIZE], uint32_t number, uint32_t source)
{
	struct ethhdr *eth = (struct ethhdr *)frame;
	struct iphdr ip = {
		.version = 4,
		.ihl = 5,
		.ttl = 64,
		.protocol = IPPROTO_UDP,
		.tot_len = htons(FRAME_SIZE - sizeof(*eth)),
		.saddr = source,
		.daddr = htonl(0x0a000001),
	};

	frame_make(frame, 0);
	eth->h_proto = htons(ETH_P_IP);
	number = htonl(number);
	memcpy(frame + sizeof(*eth), &ip, sizeof(ip));
	memcpy(frame + sizeof(*eth) + sizeof(ip) + 8, &number, sizeof(number));
}

/*
 * COUNT 0: until SIGTERM. Numbers go on from FIRST. Prints how many were handed to the interface.
 * source NULL: no IP at all.
 */
static int send_frames(const char *interface, const char *number, uint32_t first,
		       const char *source)
{
	uint64_t count = strtoull(number, NULL, 10), sent = 0;
	unsigned char frame[FRAME_SIZE];
	struct in_addr address = { 0 };
	struct sockaddr_ll to;
	int fd = packet_socket(interface, &to);

	if (fd < 0)
		return 1;
	if (source && inet_pton(AF_INET, source, &address) != 1)
		return errno = EINVAL, fail(source);
	signal(SIGTERM, on_signal);
	while (!stop && (count == 0 || sent < count)) {
		if (source)
			frame_make_udp(frame, first + (uint32_t)sent, address.s_addr);
		else
			frame_make(frame, first + (uint32_t)sent);
		if (sendto(fd, frame, sizeof(frame), 0, (struct sockaddr *)&to, sizeof(to)) > 0)
			sent++;
		else if (errno != ENOBUFS && errno != EAGAIN && errno != EINTR)
			return fail("send");
	}
	printf("%llu\n", (unsigned long long)sent);
	return 0;
}

/* send INTERFACE COUNT FIRST */
static int cmd_send(char **argv)
{
	return send_frames(argv[0], argv[1], (uint32_t)strtoul(argv[2], NULL, 10), NULL);
}

/* send-udp INTERFACE COUNT SOURCE */
static int cmd_send_udp(char **argv)
{
	return send_frames(argv[0], argv[1], 0, argv[2]);
}

/* --- maps ------------------------------------------------------------------ */

static int pin_open(const char *path, int read_only)
{
	LIBBPF_OPTS(bpf_obj_get_opts, opts, .file_flags = read_only ? BPF_F_RDONLY : 0);

	return bpf_obj_get_opts(path, &opts);
}

static int from_hex(const char *hex, unsigned char *bytes, size_t size)
{
	size_t n = strlen(hex);

	memset(bytes, 0, size);
	if (n % 2 || n / 2 > size)
		return -1;
	for (size_t i = 0; i < n / 2; i++)
		if (sscanf(hex + 2 * i, "%2hhx", &bytes[i]) != 1)
			return -1;
	return 0;
}

static size_t value_room(const struct bpf_map_info *info)
{
	switch (info->type) {
	case BPF_MAP_TYPE_PERCPU_ARRAY:
	case BPF_MAP_TYPE_PERCPU_HASH:
	case BPF_MAP_TYPE_LRU_PERCPU_HASH:
		return ((info->value_size + 7u) & ~7u) * (size_t)sysconf(_SC_NPROCESSORS_CONF);
	default:
		return info->value_size;
	}
}

static int map_info(int fd, struct bpf_map_info *info)
{
	uint32_t size = sizeof(*info);

	memset(info, 0, sizeof(*info));
	return bpf_obj_get_info_by_fd(fd, info, &size);
}

/* open PIN ro|rw: prints the map's id. */
static int cmd_open(char **argv)
{
	struct bpf_map_info info;
	int fd = pin_open(argv[0], !strcmp(argv[1], "ro"));

	if (fd < 0 || map_info(fd, &info) < 0)
		return fail("open");
	printf("%u\n", info.id);
	return 0;
}

/*
 * get PIN KEY OFFSET SIZE, read-only: the number of SIZE bytes at OFFSET of the value, summed
 * over the CPUs of a per-CPU map.
 */
static int cmd_get(char **argv)
{
	size_t offset = strtoul(argv[2], NULL, 10), size = strtoul(argv[3], NULL, 10);
	unsigned char key[256], *value;
	struct bpf_map_info info;
	int fd = pin_open(argv[0], 1);
	uint64_t sum = 0;

	if (fd < 0 || map_info(fd, &info) < 0)
		return fail("open");
	if (from_hex(argv[1], key, sizeof(key)) < 0 || size > 8 || offset + size > info.value_size)
		return errno = EINVAL, fail("arguments");
	value = calloc(1, value_room(&info) + 8);
	if (!value || bpf_map_lookup_elem(fd, key, value) < 0)
		return fail("lookup");
	for (size_t at = 0; at + info.value_size <= value_room(&info);
	     at += (info.value_size + 7u) & ~7u) {
		uint64_t number = 0;

		memcpy(&number, value + at + offset, size);
		sum += number;
	}
	printf("%llu\n", (unsigned long long)sum);
	free(value);
	return 0;
}

/* put PIN KEY VALUE, hexadecimal, opened for reading and writing. */
static int cmd_put(char **argv)
{
	unsigned char key[256], value[4096];
	int fd = pin_open(argv[0], 0);

	if (fd < 0)
		return fail("open");
	if (from_hex(argv[1], key, sizeof(key)) < 0 || from_hex(argv[2], value, sizeof(value)) < 0)
		return errno = EINVAL, fail("arguments");
	return bpf_map_update_elem(fd, key, value, BPF_ANY) < 0 ? fail("update") : 0;
}

/* put-ro PIN KEY VALUE: writes through a descriptor opened read-only; the kernel must refuse. */
static int cmd_put_ro(char **argv)
{
	unsigned char key[256], value[4096];
	int fd = pin_open(argv[0], 1);

	if (fd < 0)
		return fail("open");
	if (from_hex(argv[1], key, sizeof(key)) < 0 || from_hex(argv[2], value, sizeof(value)) < 0)
		return errno = EINVAL, fail("arguments");
	return bpf_map_update_elem(fd, key, value, BPF_ANY) < 0 ? fail("update") : 0;
}

/* pin PIN NEW: opens read-only and pins again elsewhere. */
static int cmd_pin(char **argv)
{
	int fd = pin_open(argv[0], 1);

	if (fd < 0)
		return fail("open");
	return bpf_obj_pin(fd, argv[1]) < 0 ? fail("pin") : 0;
}

/*
 * trace PIN: what test_trace.bpf.c recorded, a line for each packet: its number and the ids of the
 * programs that saw it, in the order in which they did.
 */
static int cmd_trace(char **argv)
{
	struct test_trace trace;
	uint32_t key = 0, first;
	int fd = pin_open(argv[0], 1);

	if (fd < 0)
		return fail("open");
	if (bpf_map_lookup_elem(fd, &key, &trace) < 0)
		return fail("lookup");
	first = trace.count > TEST_TRACE_RECORDS ? trace.count - TEST_TRACE_RECORDS : 0;
	for (uint32_t i = first; i < trace.count; i++) {
		const struct test_trace_record *r = &trace.records[i % TEST_TRACE_RECORDS];
		const struct test_trace_record *before =
			&trace.records[(i - 1) % TEST_TRACE_RECORDS];

		if (i == first || before->packet != r->packet)
			printf("%s%u:", i == first ? "" : "\n", r->packet);
		printf(" %u", r->id);
	}
	printf("\n");
	return 0;
}

/* receive INTERFACE PIN COUNT: an AF_XDP socket in slot 0 of the XSKMAP; says "ready", then waits. */
static int cmd_receive(char **argv)
{
	uint32_t count = (uint32_t)strtoul(argv[2], NULL, 10), queue = 0;
	int map = pin_open(argv[1], 0);
	struct xsk xsk;

	if (map < 0)
		return fail("open");
	if (xsk_open(if_nametoindex(argv[0]), &xsk) < 0)
		return fail("AF_XDP socket");
	if (bpf_map_update_elem(map, &queue, &xsk.fd, BPF_ANY) < 0)
		return fail("update");
	printf("ready\n");
	fflush(stdout);
	if (xsk_wait(&xsk, count, 60000) < 0)
		return fail("receive");
	printf("%u\n", *xsk.received);
	return 0;
}

static uint64_t now_us(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* wait-root INTERFACE MILLISECONDS: until it has an XDP program; prints how many microseconds that took. */
static int cmd_wait_root(char **argv)
{
	uint64_t start = now_us(), limit = strtoull(argv[1], NULL, 10) * 1000;
	const struct timespec pause = { .tv_nsec = 200 * 1000 };
	unsigned int index = if_nametoindex(argv[0]);
	uint32_t id = 0;

	if (!index)
		return fail(argv[0]);
	while (bpf_xdp_query_id((int)index, 0, &id) == 0 && !id) {
		if (now_us() - start > limit)
			return errno = ETIMEDOUT, fail(argv[0]);
		(void)nanosleep(&pause, NULL);
	}
	printf("%llu\n", (unsigned long long)(now_us() - start));
	return 0;
}

/* Writes into the file how many microseconds it took until READY=1 came. */
static int ready_wait(int fd, uint64_t start, const char *path)
{
	char message[8192];
	FILE *file;

	for (;;) {
		ssize_t n = recv(fd, message, sizeof(message) - 1, 0);

		if (n < 0)
			return fail("notification");
		message[n] = '\0';
		if (strstr(message, "READY=1"))
			break;
	}
	file = fopen(path, "we");
	if (!file)
		return fail(path);
	fprintf(file, "%llu\n", (unsigned long long)(now_us() - start));
	return fclose(file) ? fail(path) : 0;
}

/* ready FILE COMMAND...: becomes the command, a service that tells when it is ready; that time goes into FILE. */
static int cmd_ready(char **argv)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	uint64_t start = now_us();
	pid_t child;

	if (snprintf(at.sun_path, sizeof(at.sun_path), "%s.sock", argv[0]) >=
	    (int)sizeof(at.sun_path))
		return errno = ENAMETOOLONG, fail(argv[0]);
	(void)unlink(at.sun_path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0)
		return fail(at.sun_path);
	child = fork();
	if (child < 0)
		return fail("fork");
	if (child == 0)
		return ready_wait(fd, start, argv[0]);
	(void)setenv("NOTIFY_SOCKET", at.sun_path, 1);
	(void)execv(argv[1], argv + 1);
	return fail(argv[1]);
}

/*
 * without-watches COMMAND...: becomes the command, for which no inotify watch is left. A filter of system calls
 * says so for it alone; the limit itself is one for all of a user.
 */
static int cmd_without_watches(char **argv)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_inotify_add_watch, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSPC),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = { sizeof(code) / sizeof(code[0]), code };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
		return fail("seccomp");
	(void)execv(argv[0], argv);
	return fail(argv[0]);
}

/* flood INTERFACE COUNT PAUSE */
static int cmd_flood(char **argv)
{
	return flood_send(argv[0], strtoull(argv[1], NULL, 10),
			  (unsigned int)strtoul(argv[2], NULL, 10));
}

/* flood-check INTERFACE OBJECT REQUIRED PIN */
static int cmd_flood_check(char **argv)
{
	return flood_check(argv[0], argv[1], (uint32_t)strtoul(argv[2], NULL, 0), argv[3]);
}

/* flood-result PIN */
static int cmd_flood_result(char **argv)
{
	return flood_result(argv[0]);
}

/* age DIRECTORY LAYOUT: its metadata becomes that of another layout */
static int cmd_age(char **argv)
{
	return age_metadata(argv[0], (unsigned int)strtoul(argv[1], NULL, 10));
}

/* driver-counters INTERFACE */
static int cmd_driver_counters(char **argv)
{
	return flood_driver_counters(argv[0]);
}

static const struct {
	const char *name;
	int arguments;
	int (*run)(char **argv);
} commands[] = {
	{ "send", 3, cmd_send },
	{ "send-udp", 3, cmd_send_udp },
	{ "open", 2, cmd_open },
	{ "get", 4, cmd_get },
	{ "put", 3, cmd_put },
	{ "put-ro", 3, cmd_put_ro },
	{ "pin", 2, cmd_pin },
	{ "trace", 1, cmd_trace },
	{ "receive", 3, cmd_receive },
	{ "wait-root", 2, cmd_wait_root },
	{ "flood", 3, cmd_flood },
	{ "flood-check", 4, cmd_flood_check },
	{ "flood-result", 1, cmd_flood_result },
	{ "age", 2, cmd_age },
	{ "driver-counters", 1, cmd_driver_counters },
};

int main(int argc, char **argv)
{
	if (argc > 3 && !strcmp(argv[1], "ready"))
		return cmd_ready(argv + 2);
	if (argc > 2 && !strcmp(argv[1], "without-watches"))
		return cmd_without_watches(argv + 2);
	for (size_t i = 0; argc > 1 && i < sizeof(commands) / sizeof(commands[0]); i++)
		if (!strcmp(argv[1], commands[i].name) && argc - 2 == commands[i].arguments)
			return commands[i].run(argv + 2);
	fprintf(stderr,
		"usage: testtool send INTERFACE COUNT FIRST | send-udp INTERFACE COUNT SOURCE |\n"
		"       open PIN ro|rw | get PIN KEY OFFSET SIZE | put PIN KEY VALUE |\n"
		"       put-ro PIN KEY VALUE | pin PIN NEW | trace PIN | receive INTERFACE PIN COUNT |\n"
		"       wait-root INTERFACE MILLISECONDS | ready FILE COMMAND... |\n"
		"       without-watches COMMAND... |\n"
		"       flood INTERFACE COUNT PAUSE | flood-check INTERFACE OBJECT REQUIRED PIN |\n"
		"       flood-result PIN | driver-counters INTERFACE | age DIRECTORY LAYOUT\n");
	return 2;
}
