/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Memory that lives and dies together: one arena per configuration generation and
 * one per reconcile pass. What is allocated from it is zeroed, is never freed on its own
 * and never moves. Allocation never fails: the process aborts (inputs are
 * bounded, kernel state is pinned and the service manager restarts us).
 */
#pragma once

#include <stddef.h>

#include "base/macros.h"

struct arena;

struct arena *arena_new(void);
struct arena *
arena_new_small(void); /* for what is small and there many times: grows by half a KiB, not by 16 */
void arena_free(struct arena *a); /* NULL is fine */

/* Has fn called with arg when the arena is freed: for what it only borrows. */
void arena_at_end(struct arena *a, void (*fn)(void *arg), void *arg);

static inline void arena_freep(struct arena **a)
{
	arena_free(*a);
}

void *arena_alloc(struct arena *a, size_t size);
void *arena_calloc(struct arena *a, size_t count, size_t size);
void *arena_dup(struct arena *a, const void *data, size_t size);
char *arena_strdup(struct arena *a, const char *s); /* NULL gives NULL */
char *arena_strndup(struct arena *a, const char *s, size_t n);
char *arena_printf(struct arena *a, const char *fmt, ...) printf_like(2, 3);

#define arena_new_of(a, type) ((type *)arena_alloc((a), sizeof(type)))

/*
 * Growable arrays in an arena: declare LIST(struct thing) things; and append with
 * LIST_ADD(arena, &things), which yields a pointer to a new zeroed element.
 * Growth copies, so pointers to elements hold only until the next append.
 */
#define LIST(type)          \
	struct {            \
		type *v;    \
		size_t n;   \
		size_t cap; \
	}

void *list_grow(struct arena *a, void *v, size_t n, size_t *cap, size_t size);

#define LIST_ADD(a, list)                                                                       \
	({                                                                                      \
		(list)->v =                                                                     \
			list_grow((a), (list)->v, (list)->n, &(list)->cap, sizeof(*(list)->v)); \
		&(list)->v[(list)->n++];                                                        \
	})
