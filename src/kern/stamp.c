/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
#include "kern/stamp.h"

#include <fcntl.h>
#include <sys/stat.h>

struct stamp stamp_of(int directory, const char *path)
{
	struct stat st;

	if (fstatat(directory, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return (struct stamp){ 0 };
	return (struct stamp){ st.st_dev, st.st_ino, st.st_ctim };
}

bool stamp_same(const struct stamp *x, const struct stamp *y)
{
	return x->inode && x->device == y->device && x->inode == y->inode &&
	       x->changed.tv_sec == y->changed.tv_sec && x->changed.tv_nsec == y->changed.tv_nsec;
}

struct timespec stamp_now(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME_COARSE, &now);
	return now;
}

bool stamp_settled(const struct stamp *s, const struct timespec *now)
{
	const struct timespec *t = &s->changed;

	return !s->inode ||
	       (t->tv_sec != now->tv_sec ? t->tv_sec < now->tv_sec : t->tv_nsec < now->tv_nsec);
}
