/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
#include "kern/attach_words.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/macros.h"

#define TRACEFS "/sys/kernel/tracing"
#define EVENT   "events/xdp/bpf_xdp_link_attach_failed"
#define LABEL   "errmsg="

/* Where it is mounted, or an instance of the file system that is mounted nowhere. */
static int open_tracefs(void)
{
	cleanup(closep) int context = -1;
	struct statfs st;
	int fd = open(TRACEFS, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0 && fstatfs(fd, &st) == 0 && st.f_type == TRACEFS_MAGIC)
		return fd;
	closep(&fd);
	context = fsopen("tracefs", FSOPEN_CLOEXEC);
	if (context < 0 || fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return -1;
	return fsmount(context, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOEXEC | MOUNT_ATTR_NOSUID);
}

static bool write_file(int dirfd, const char *path, const char *text)
{
	cleanup(closep) int fd = openat(dirfd, path, O_WRONLY | O_CLOEXEC);

	return fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
}

static bool listen_to_self(const struct attach_words *w)
{
	char filter[64];

	(void)snprintf(filter, sizeof(filter), "common_pid == %d", gettid());
	return write_file(w->instance, EVENT "/filter", filter) &&
	       write_file(w->instance, EVENT "/enable", "1");
}

static void stop(struct attach_words *w)
{
	if (w->instance >= 0)
		(void)write_file(w->instance, EVENT "/enable", "0");
	closep(&w->instance);
	if (w->tracefs >= 0)
		(void)unlinkat(w->tracefs, w->name, AT_REMOVEDIR);
	closep(&w->tracefs);
	w->tracefs = w->instance = -1;
}

void attach_words_begin(struct attach_words *w)
{
	w->instance = -1;
	w->tracefs = open_tracefs();
	(void)snprintf(w->name, sizeof(w->name), "instances/bpfshare-%d", gettid());
	if (w->tracefs < 0)
		return;
	/* EEXIST: one that an earlier process of this number left behind. */
	if (mkdirat(w->tracefs, w->name, 0700) == 0 || errno == EEXIST)
		w->instance = openat(w->tracefs, w->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (w->instance < 0 || !listen_to_self(w))
		stop(w);
}

/* The words of the last line that has some. */
static bool find_words(char *text, char *ret, size_t size)
{
	bool found = false;
	char *save = NULL;

	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		const char *words = *line == '#' ? NULL : strstr(line, LABEL);

		if (!words || !words[strlen(LABEL)])
			continue;
		(void)snprintf(ret, size, "%s", words + strlen(LABEL));
		found = true;
	}
	return found;
}

bool attach_words_end(struct attach_words *w, char *ret, size_t size)
{
	cleanup(closep) int fd = -1;
	char text[4096];
	size_t n = 0;
	ssize_t r = 1;

	if (w->tracefs < 0)
		return false;
	fd = openat(w->instance, "trace", O_RDONLY | O_CLOEXEC);
	while (fd >= 0 && r > 0 && n < sizeof(text) - 1) {
		r = read(fd, text + n, sizeof(text) - 1 - n);
		n += r > 0 ? (size_t)r : 0;
	}
	text[n] = '\0';
	closep(&fd);
	fd = -1;
	stop(w);
	return find_words(text, ret, size);
}
