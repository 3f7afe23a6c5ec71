/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * A client of the daemon's sockets that does what no proper client does.
 *
 *   sockettool [-c N] [-s] PATH ANSWERS   connects (N times, and uses the last), sends standard
 *                                         input with NUL for each line feed, shuts its side down
 *                                         with -s, and prints that many answers, one in a line
 *   sockettool -l PATH                    prints the datagrams that arrive, one in a line
 *
 * The end of a connection is printed as "(closed)". Whatever takes longer than ten seconds fails.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int fail(const char *what)
{
	fprintf(stderr, "sockettool: %s: %s\n", what, strerror(errno));
	return 1;
}

static struct sockaddr_un address(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	if (strlen(path) < sizeof(a.sun_path))
		strcpy(a.sun_path, path);
	return a;
}

static int dial(const char *path)
{
	struct sockaddr_un a = address(path);
	struct timeval limit = { .tv_sec = 10 };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd >= 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	return fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0 ? -1 : fd;
}

static int send_input(int fd)
{
	char buffer[4096];
	ssize_t n;

	while ((n = read(STDIN_FILENO, buffer, sizeof(buffer))) > 0) {
		for (ssize_t i = 0; i < n; i++)
			if (buffer[i] == '\n')
				buffer[i] = '\0';
		/* A server that has hung up may still have said why. */
		if (send(fd, buffer, (size_t)n, MSG_NOSIGNAL) < 0 && errno != EPIPE)
			return -1;
	}
	return 0;
}

/* One byte at a time: nothing of the next answer is taken, and speed does not matter. */
static int print_answers(int fd, long answers)
{
	char c;

	while (answers > 0) {
		ssize_t n = recv(fd, &c, 1, 0);

		if (n == 0 || (n < 0 && errno == ECONNRESET)) {
			puts("(closed)");
			return 0;
		}
		if (n < 0)
			return -1;
		putchar(c ? c : '\n');
		answers -= c ? 0 : 1;
	}
	return 0;
}

static int talk(const char *path, long answers, long connections, int shut)
{
	int fd = -1;

	/* Those before the last stay open until the process ends. */
	for (long i = 0; i < connections; i++) {
		fd = dial(path);
		if (fd < 0)
			return fail(path);
	}
	if (send_input(fd) < 0)
		return fail("send");
	if (shut)
		shutdown(fd, SHUT_WR);
	return print_answers(fd, answers) < 0 ? fail("receive") : 0;
}

static int hear(const char *path)
{
	struct sockaddr_un a = address(path);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	char buffer[4096];
	ssize_t n;

	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
		return fail(path);
	while ((n = recv(fd, buffer, sizeof(buffer), 0)) >= 0) {
		for (ssize_t i = 0; i < n; i++)
			putchar(buffer[i] == '\n' ? ' ' : buffer[i]);
		putchar('\n');
		fflush(stdout);
	}
	return fail("receive");
}

int main(int argc, char **argv)
{
	long connections = 1;
	int option, shut = 0, listening = 0;

	while ((option = getopt(argc, argv, "c:sl")) != -1) {
		if (option == 'c')
			connections = strtol(optarg, NULL, 10);
		shut |= option == 's';
		listening |= option == 'l';
	}
	if (listening && optind + 1 == argc)
		return hear(argv[optind]);
	if (listening || optind + 2 != argc || connections < 1) {
		fprintf(stderr, "usage: sockettool [-c N] [-s] PATH ANSWERS | -l PATH\n");
		return 64;
	}
	return talk(argv[optind], strtol(argv[optind + 1], NULL, 10), connections, shut);
}
