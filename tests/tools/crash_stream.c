/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * A stream of packets from SENDER in another network namespace to INTERFACE in this one, and a count of
 * those that came through to the stack there: what a chain that lets everything pass must have
 * counted as well. Each command is a line on standard input:
 *
 *   go      sends from now on
 *   stop    ends that, waits until everything sent is either counted or lost, and prints two
 *           numbers: sent, and arrived since the start
 *
 * The pace is one that a virtual interface never loses a packet by; it is the gaps in time that are
 * looked for, and the one that a crash leaves lasts until the next start.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tools/crashtool.h"

#define FRAME_SIZE 64
#define TYPE_DATA  0x88b5 /* IEEE 802 local experimental: what the members of the tests count */
#define TYPE_MARK  0x88b6 /* the other one: behind the last packet of a stream */
#define BURST      16
#define PAUSE_NS   250000

struct stream {
	int sender, receiver, marks;
	struct sockaddr_ll to;
	uint64_t sent, arrived;
	uint32_t mark;
};

static int fail(const char *what)
{
	fprintf(stderr, "crashtool: %s: %s\n", what, strerror(errno));
	return -1;
}

static int packet_socket(const char *interface, int type, struct sockaddr_ll *ret)
{
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

	*ret = (struct sockaddr_ll){
		.sll_family = AF_PACKET,
		.sll_protocol = htons((uint16_t)type),
		.sll_ifindex = (int)if_nametoindex(interface),
		.sll_halen = ETH_ALEN,
	};
	if (fd < 0 || !ret->sll_ifindex || bind(fd, (struct sockaddr *)ret, sizeof(*ret)) < 0)
		return fail(interface);
	return fd;
}

static int stream_open(struct stream *s, const char *interface, const char *sender,
		       const char *netns)
{
	struct sockaddr_ll ignored;
	int fd, smallest = 0;

	s->receiver = packet_socket(interface, TYPE_DATA, &ignored);
	s->marks = packet_socket(interface, TYPE_MARK, &ignored);
	if (s->receiver < 0 || s->marks < 0)
		return -1;
	/* Only their number counts, and the kernel counts those that do not fit as well. */
	(void)setsockopt(s->receiver, SOL_SOCKET, SO_RCVBUF, &smallest, sizeof(smallest));
	fd = open(netns, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWNET) < 0)
		return fail(netns);
	close(fd);
	s->sender = packet_socket(sender, TYPE_DATA, &s->to);
	return s->sender < 0 ? -1 : 0;
}

static bool send_frame(struct stream *s, uint16_t type, uint32_t number)
{
	unsigned char frame[FRAME_SIZE] = { 0 };
	struct ethhdr *eth = (struct ethhdr *)frame;

	memset(eth->h_dest, 0xff, ETH_ALEN);
	memset(eth->h_source, 0x02, ETH_ALEN);
	eth->h_proto = htons(type);
	number = htonl(number);
	memcpy(frame + sizeof(*eth), &number, sizeof(number));
	return sendto(s->sender, frame, sizeof(frame), 0, (struct sockaddr *)&s->to,
		      sizeof(s->to)) > 0;
}

static void burst(struct stream *s)
{
	for (int i = 0; i < BURST; i++)
		if (send_frame(s, TYPE_DATA, (uint32_t)s->sent))
			s->sent++;
}

/* Everything before it was delivered when a mark is: they go through one queue. */
static int drain(struct stream *s)
{
	struct pollfd ready = { .fd = s->marks, .events = POLLIN };
	unsigned char frame[FRAME_SIZE];
	uint32_t number = 0;

	s->mark++;
	for (int attempt = 0; attempt < 500 && number != s->mark; attempt++) {
		(void)send_frame(s, TYPE_MARK, s->mark);
		while (number != s->mark && poll(&ready, 1, 20) > 0)
			if (recv(s->marks, frame, sizeof(frame), MSG_DONTWAIT) == sizeof(frame)) {
				memcpy(&number, frame + sizeof(struct ethhdr), sizeof(number));
				number = ntohl(number);
			}
	}
	if (number == s->mark)
		return 0;
	errno = ETIMEDOUT;
	return fail("the end of the stream");
}

static int stop(struct stream *s)
{
	struct tpacket_stats stats;
	socklen_t size = sizeof(stats);

	if (drain(s) < 0)
		return -1;
	if (getsockopt(s->receiver, SOL_PACKET, PACKET_STATISTICS, &stats, &size) < 0)
		return fail("packet statistics");
	s->arrived += stats.tp_packets;
	printf("%llu %llu\n", (unsigned long long)s->sent, (unsigned long long)s->arrived);
	fflush(stdout);
	return 0;
}

/* A line, or the end of the input: the word is empty then. Without one: NULL. */
static const char *command_read(bool wait, char word[16])
{
	struct pollfd ready = { .fd = STDIN_FILENO, .events = POLLIN };
	size_t n = 0;

	if (poll(&ready, 1, wait ? -1 : 0) <= 0)
		return NULL;
	while (n < 15 && read(STDIN_FILENO, word + n, 1) == 1 && word[n] != '\n')
		n++;
	word[n] = '\0';
	return word;
}

int crash_stream(const char *interface, const char *sender, const char *netns)
{
	const struct timespec pause = { .tv_nsec = PAUSE_NS };
	struct stream s = { 0 };
	bool running = false;
	const char *command;
	char word[16];

	if (stream_open(&s, interface, sender, netns) < 0)
		return 1;
	for (;;) {
		command = command_read(!running, word);
		if (command && !*command)
			return 0;
		if (command)
			running = !strcmp(command, "go");
		if (command && !strcmp(command, "stop") && stop(&s) < 0)
			return 1;
		if (running) {
			burst(&s);
			(void)clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
		}
	}
}
