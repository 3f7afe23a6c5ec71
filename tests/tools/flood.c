/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
#include "tools/flood.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/if_packet.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "bpf/test_flood.h"

#define BATCH 64

static volatile sig_atomic_t stop;

static void on_signal(int signal)
{
	(void)signal;
	stop = 1;
}

static int fail(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	return 1;
}

/* --- the sender -------------------------------------------------------------------- */

static int packet_socket(const char *interface)
{
	struct sockaddr_ll at = {
		.sll_family = AF_PACKET,
		.sll_protocol = 0, /* receives nothing */
		.sll_ifindex = (int)if_nametoindex(interface),
	};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0), on = 1;

	if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0)
		return -1;
	/* Without a queue in between, what the driver does not take is told at once. */
	if (setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof(on)) < 0)
		return -1;
	return fd;
}

struct batch {
	struct test_flood_frame frames[BATCH];
	struct iovec parts[BATCH];
	struct mmsghdr messages[BATCH];
};

static void batch_prepare(struct batch *b)
{
	memset(b, 0, sizeof(*b));
	for (size_t i = 0; i < BATCH; i++) {
		struct test_flood_frame *f = &b->frames[i];

		memset(f->ethernet.h_dest, 0xff, ETH_ALEN);
		memset(f->ethernet.h_source, 0x02, ETH_ALEN);
		f->ethernet.h_proto = htons(TEST_FLOOD_ETHERTYPE);
		b->parts[i] = (struct iovec){ f, sizeof(*f) };
		b->messages[i].msg_hdr.msg_iov = &b->parts[i];
		b->messages[i].msg_hdr.msg_iovlen = 1;
	}
}

static void batch_number(struct batch *b, uint64_t first)
{
	for (size_t i = 0; i < BATCH; i++) {
		b->frames[i].number = first + i;
		b->frames[i].unwanted = (__u8)test_flood_is_unwanted(first + i);
	}
}

int flood_send(const char *interface, uint64_t count, unsigned int pause_us)
{
	static struct batch batch;
	int fd = packet_socket(interface);
	uint64_t sent = 0;

	if (fd < 0)
		return fail(interface);
	signal(SIGTERM, on_signal);
	batch_prepare(&batch);
	while (!stop && (!count || sent < count)) {
		uint64_t left = count ? count - sent : BATCH;
		int n;

		batch_number(&batch, sent);
		n = sendmmsg(fd, batch.messages, left < BATCH ? (unsigned int)left : BATCH, 0);
		if (n > 0)
			sent += (uint64_t)n;
		else if (errno != ENOBUFS && errno != EAGAIN && errno != EINTR)
			return fail("send");
		if (pause_us)
			(void)usleep(pause_us);
	}
	printf("%llu\n", (unsigned long long)sent);
	return 0;
}

/* --- the receiver ------------------------------------------------------------------- */

/* By a link where there is TCX (Linux 6.6), which lasts as long as this process; else by a filter. */
static int attach(int program, struct bpf_tc_hook *hook)
{
	LIBBPF_OPTS(bpf_tc_opts, opts, .prog_fd = program);
	int r;

	if (bpf_link_create(program, hook->ifindex, BPF_TCX_INGRESS, NULL) >= 0)
		return 0;
	r = bpf_tc_hook_create(hook);
	return r < 0 ? r : bpf_tc_attach(hook, &opts);
}

static struct bpf_object *load(const char *path, const char *program)
{
	struct bpf_object *o = bpf_object__open(path);
	struct bpf_program *p;

	if (!o)
		return NULL;
	bpf_object__for_each_program(p, o)
		bpf_program__set_autoload(p, !strcmp(bpf_program__name(p), program));
	return bpf_object__load(o) < 0 ? NULL : o;
}

int flood_check(const char *interface, const char *object, uint32_t required, const char *pin)
{
	struct test_flood_result result = { .required = required, .all_wanted = !required };
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)if_nametoindex(interface),
		    .attach_point = BPF_TC_INGRESS);
	struct bpf_object *o;
	const __u32 key = 0;
	sigset_t set;
	int caught, map;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGTERM);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	o = hook.ifindex ? load(object, "tc_flood") : NULL;
	if (!o)
		return fail(object);
	map = bpf_object__find_map_fd_by_name(o, "result");
	if (bpf_map_update_elem(map, &key, &result, BPF_ANY) < 0 || bpf_obj_pin(map, pin) < 0)
		return fail(pin);
	if (attach(bpf_program__fd(bpf_object__find_program_by_name(o, "tc_flood")), &hook) < 0)
		return fail("attach");
	printf("ready\n");
	fflush(stdout);
	(void)sigwait(&set, &caught);
	hook.attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS; /* the whole qdisc, if there is one */
	(void)bpf_tc_hook_destroy(&hook);
	bpf_object__close(o);
	return 0;
}

int flood_result(const char *pin)
{
	struct test_flood_result r;
	const __u32 key = 0;
	int fd = bpf_obj_get(pin);

	if (fd < 0 || bpf_map_lookup_elem(fd, &key, &r) < 0)
		return fail(pin);
	printf("received=%llu next=%llu lost=%llu late=%llu unmarked=%llu unfiltered=%llu missing=%x first_bad=%llu\n",
	       r.received, r.next, r.lost, r.late, r.unmarked, r.unfiltered, r.missing,
	       r.first_bad);
	return 0;
}

/* --- the driver ---------------------------------------------------------------------- */

static int ethtool(int fd, struct ifreq *request, void *command)
{
	request->ifr_data = command;
	return ioctl(fd, SIOCETHTOOL, request);
}

int flood_driver_counters(const char *interface)
{
	struct ethtool_drvinfo info = { .cmd = ETHTOOL_GDRVINFO };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ethtool_gstrings *names;
	struct ethtool_stats *values;
	struct ifreq request = { 0 };

	strncpy(request.ifr_name, interface, sizeof(request.ifr_name) - 1);
	if (fd < 0 || ethtool(fd, &request, &info) < 0)
		return fail(interface);
	names = calloc(1, sizeof(*names) + (size_t)info.n_stats * ETH_GSTRING_LEN);
	values = calloc(1, sizeof(*values) + (size_t)info.n_stats * sizeof(values->data[0]));
	if (!names || !values)
		return fail("memory");
	*names = (struct ethtool_gstrings){ .cmd = ETHTOOL_GSTRINGS, .string_set = ETH_SS_STATS };
	names->len = values->n_stats = info.n_stats;
	values->cmd = ETHTOOL_GSTATS;
	if (ethtool(fd, &request, names) < 0 || ethtool(fd, &request, values) < 0)
		return fail(interface);
	for (__u32 i = 0; i < info.n_stats; i++)
		if (values->data[i])
			printf("%.*s=%llu\n", ETH_GSTRING_LEN,
			       (char *)names->data + (size_t)i * ETH_GSTRING_LEN, values->data[i]);
	return 0;
}
