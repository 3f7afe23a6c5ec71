/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
#include "kern/path.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/macros.h"
#include "base/str.h"
#include "kern/syscalls.h"

#define OPEN_DIRECTORY (O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

/* Where a walk from the root has come to; path and until are for messages. */
struct walk {
	const char *path;
	int until; /* length of path up to the present component */
	const char **ret_reason;
};

static int refuse(const struct walk *w, struct error *e, const char *why)
{
	*w->ret_reason = "UntrustedPath";
	return error_set(e, -EPERM, "%s: %.*s %s", w->path, w->until, w->path, why);
}

static int check_owner(const struct walk *w, int fd, struct error *e)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return error_set(e, -errno, "%.*s: %s", w->until, w->path, error_string(errno));
	if (st.st_uid != 0)
		return refuse(w, e,
			      "does not belong to root, so its owner could put another directory "
			      "in the place; give it to root or use another path");
	if ((st.st_mode & (S_IWGRP | S_IWOTH)) && !(st.st_mode & S_ISVTX))
		return refuse(w, e,
			      "can be written by others than root, who could put another directory "
			      "in the place; take the write bits away or use another path");
	return 0;
}

static int make_directory(const struct walk *w, int dirfd, const char *name, struct error *e)
{
	cleanup(closep) int fd = -1;

	/* EEXIST: somebody else just made it; the owner is checked as for any other. */
	if (mkdirat(dirfd, name, 0755) < 0)
		return errno == EEXIST ? 0 :
					 error_set(e, -errno, "create directory %.*s: %s", w->until,
						   w->path, error_string(errno));
	/* The umask may have taken bits away that consumers need to get through. */
	fd = openat(dirfd, name, OPEN_DIRECTORY);
	if (fd < 0 || chmod(fd_path(fd).s, 0755) < 0)
		return error_set(e, -errno, "set mode of directory %.*s: %s", w->until, w->path,
				 error_string(errno));
	return 0;
}

/* Goes one component further; *fd is replaced. */
static int step(const struct walk *w, int *fd, const char *name, bool create, struct error *e)
{
	int next = openat(*fd, name, OPEN_DIRECTORY);

	if (next < 0 && errno == ENOENT && create) {
		int r = make_directory(w, *fd, name, e);

		if (r < 0)
			return r;
		next = openat(*fd, name, OPEN_DIRECTORY);
	}
	if (next < 0 && (errno == ENOTDIR || errno == ELOOP))
		return refuse(w, e,
			      "is no directory (symbolic links are not followed); name the place "
			      "itself");
	if (next < 0)
		return error_set(e, -errno, "open %.*s: %s", w->until, w->path,
				 error_string(errno));
	(void)close(*fd);
	*fd = next;
	return 0;
}

static int check_last(const struct walk *w, int fd, struct error *e)
{
	uint64_t id;
	bool is_root;
	int r = mount_identify(fd, &id, &is_root, e);

	if (r < 0)
		return error_prefix(e, r, "%s", w->path);
	return is_root ? 0 : check_owner(w, fd, e);
}

int path_open_trusted(const char *path, bool create, int *ret_fd, const char **ret_reason,
		      struct error *e)
{
	cleanup(closep) int fd = open("/", OPEN_DIRECTORY);
	cleanup(freep) char *copy = xstrdup(path);
	struct walk w = { .path = path, .until = 1, .ret_reason = ret_reason };
	char *rest = copy, *name;
	int r;

	if (fd < 0)
		return error_set(e, -errno, "open /: %s", error_string(errno));
	if (*path != '/')
		return refuse(&w, e, "is no absolute path");
	while ((name = strsep(&rest, "/"))) {
		if (*name == '\0')
			continue;
		r = check_owner(&w, fd, e);
		if (r < 0)
			return r;
		w.until = (int)(name - copy + (ptrdiff_t)strlen(name));
		if (str_eq(name, ".") || str_eq(name, ".."))
			return refuse(&w, e, "goes in circles; name the place itself");
		r = step(&w, &fd, name, create, e);
		if (r < 0)
			return r;
	}
	r = check_last(&w, fd, e);
	if (r < 0)
		return r;
	*ret_fd = take_fd(fd);
	return 0;
}

static bool restore(int fd)
{
	uint64_t id;
	bool is_root;
	struct stat st;

	if (mount_identify(fd, &id, &is_root, NULL) < 0 || is_root || fstat(fd, &st) < 0)
		return false;
	if (st.st_uid == 0 && !(st.st_mode & (S_IWGRP | S_IWOTH)))
		return true;
	return fchownat(fd, "", 0, 0, AT_EMPTY_PATH) == 0 && chmod(fd_path(fd).s, 0755) == 0;
}

void path_restore_below(const char *base, const char *path)
{
	const size_t n = strlen(base);
	cleanup(closep) int fd = -1;
	cleanup(freep) char *copy = NULL;
	const char *unused;
	char *rest, *name;

	if (!str_starts(path, base) || path[n] != '/' ||
	    path_open_trusted(base, false, &fd, &unused, NULL) < 0)
		return;
	rest = copy = xstrdup(path + n);
	while ((name = strsep(&rest, "/"))) {
		int next;

		if (*name == '\0')
			continue;
		next = openat(fd, name, OPEN_DIRECTORY);
		closep(&fd);
		fd = next;
		if (fd < 0 || !restore(fd))
			return;
	}
}

int path_open_present(const char *path, int *ret_fd, struct error *e)
{
	int fd = sys_openat2(AT_FDCWD, path, OPEN_DIRECTORY, RESOLVE_NO_SYMLINKS);

	/* Being out of something is no statement about the path; everything else is. */
	if (fd == -EMFILE || fd == -ENFILE || fd == -ENOMEM || fd == -EINTR || fd == -EAGAIN)
		return error_set(e, fd, "open %s: %s", path, error_string(fd));
	*ret_fd = fd < 0 ? -1 : fd;
	return 0;
}

int path_is_empty(int dirfd, struct error *e)
{
	cleanup(closep) int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	int r = 1;

	if (!d)
		return error_set(e, -errno, "read directory: %s", error_string(errno));
	(void)take_fd(fd); /* belongs to d now */
	errno = 0;
	while (r == 1 && (entry = readdir(d)))
		r = str_eq(entry->d_name, ".") || str_eq(entry->d_name, "..");
	if (r == 1 && errno)
		r = error_set(e, -errno, "read directory: %s", error_string(errno));
	(void)closedir(d);
	return r;
}
