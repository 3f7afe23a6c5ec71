/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * The few macros that the whole tree leans on: automatic clean-up of locals and
 * the hand-over of what they own. Build in a local that cleans itself, give it
 * away in the last line with take_ptr() or take_fd().
 */
#pragma once

#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b)     ((a) < (b) ? (a) : (b))
#define MAX(a, b)     ((a) > (b) ? (a) : (b))

/* Also for what is only held: clang 14 does not count its end as a use. */
#define cleanup(fn)            __attribute__((cleanup(fn), unused))
#define printf_like(fmt, args) __attribute__((format(printf, fmt, args)))
#define no_return              __attribute__((noreturn))

/* Yields the pointer and leaves NULL behind, so that the clean-up does nothing. */
#define take_ptr(p)                     \
	({                              \
		__typeof__(p) _t = (p); \
		(p) = NULL;             \
		_t;                     \
	})

/* The same for a descriptor, which leaves -1 behind. */
#define take_fd(fd)            \
	({                     \
		int _f = (fd); \
		(fd) = -1;     \
		_f;            \
	})

static inline void closep(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
}

static inline void freep(void *p)
{
	free(*(void **)p);
}
