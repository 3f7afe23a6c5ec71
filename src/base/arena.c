/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * A chain of blocks with a bump pointer in the newest one. A request that does not
 * fit opens a block; one larger than a quarter of a block gets a block of its own behind the
 * newest, so that the room left in the newest is not thrown away.
 */
#include "base/arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define ARENA_SANITIZED 1
#endif

/*
 * With the address sanitizer every object gets a heap block of its own: the tool
 * sees an overrun only at the end of a heap block.
 */
#ifdef ARENA_SANITIZED
#define BLOCK_SIZE  ((size_t)0)
#define BLOCK_SMALL ((size_t)0)
#else
#define BLOCK_SIZE  ((size_t)16 * 1024)
#define BLOCK_SMALL ((size_t)512)
#endif

struct block {
	struct block *next;
	size_t used, size;
	max_align_t data[];
};

struct ending {
	struct ending *next;
	void (*fn)(void *arg);
	void *arg;
};

struct arena {
	struct block *newest;
	struct ending *endings;
	size_t block_size;
};

static struct arena *new_of_blocks(size_t size)
{
	struct arena *a = xnew(struct arena);

	a->block_size = size;
	return a;
}

struct arena *arena_new(void)
{
	return new_of_blocks(BLOCK_SIZE);
}

struct arena *arena_new_small(void)
{
	return new_of_blocks(BLOCK_SMALL);
}

void arena_free(struct arena *a)
{
	struct block *b = a ? a->newest : NULL;

	for (struct ending *e = a ? a->endings : NULL; e; e = e->next)
		e->fn(e->arg);
	while (b) {
		struct block *next = b->next;

		free(b);
		b = next;
	}
	free(a);
}

/* The block comes zeroed from calloc, so nothing carved from it needs a memset. */
static struct block *open_block(size_t size)
{
	struct block *b;

	if (size > SIZE_MAX - sizeof(*b))
		abort();
	b = xcalloc(1, sizeof(*b) + size);
	b->size = size;
	return b;
}

static void *carve(struct block *b, size_t size)
{
	size_t align = _Alignof(max_align_t);
	void *p = (char *)b->data + b->used;

	/* Rounding up may pass the end of the block, which is then merely full. */
	b->used = MIN(b->size, (b->used + size + align - 1) / align * align);
	return p;
}

void *arena_alloc(struct arena *a, size_t size)
{
	struct block *b = a->newest;

	size = MAX(size, (size_t)1);
	if (b && size <= b->size - b->used)
		return carve(b, size);
	if (size <= a->block_size / 4) {
		b = open_block(a->block_size);
		b->next = a->newest;
		a->newest = b;
		return carve(b, size);
	}
	b = open_block(size);
	if (a->newest) {
		b->next = a->newest->next;
		a->newest->next = b;
	} else {
		a->newest = b;
	}
	return carve(b, size);
}

void arena_at_end(struct arena *a, void (*fn)(void *arg), void *arg)
{
	struct ending *e = arena_new_of(a, struct ending);

	*e = (struct ending){ a->endings, fn, arg };
	a->endings = e;
}

void *arena_calloc(struct arena *a, size_t count, size_t size)
{
	size_t total;

	if (__builtin_mul_overflow(count, size, &total))
		abort();
	return arena_alloc(a, total);
}

void *arena_dup(struct arena *a, const void *data, size_t size)
{
	void *copy = arena_alloc(a, size);

	if (size)
		memcpy(copy, data, size);
	return copy;
}

char *arena_strdup(struct arena *a, const char *s)
{
	return s ? arena_dup(a, s, strlen(s) + 1) : NULL;
}

char *arena_strndup(struct arena *a, const char *s, size_t n)
{
	size_t len = strnlen(s, n);
	char *copy;

	if (len == SIZE_MAX)
		abort();
	copy = arena_alloc(a, len + 1);
	memcpy(copy, s, len);
	return copy;
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list args, again;
	char *s;
	int n;

	va_start(args, fmt);
	va_copy(again, args);
	n = vsnprintf(NULL, 0, fmt, args);
	va_end(args);
	if (n < 0)
		abort();
	s = arena_alloc(a, (size_t)n + 1);
	(void)vsnprintf(s, (size_t)n + 1, fmt, again);
	va_end(again);
	return s;
}

void *list_grow(struct arena *a, void *v, size_t n, size_t *cap, size_t size)
{
	if (n == *cap) {
		size_t larger = n ? n * 2 : 8;
		void *copy = arena_calloc(a, larger, size);

		if (n)
			memcpy(copy, v, n * size);
		v = copy;
		*cap = larger;
	}
	/* The slot may have been in use before: callers shorten lists by lowering n. */
	memset((char *)v + n * size, 0, size);
	return v;
}
