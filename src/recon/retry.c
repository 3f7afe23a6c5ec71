/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
#include "recon/retry.h"

#include <string.h>

#include "base/alloc.h"
#include "base/str.h"

#define NEVER UINT64_MAX

struct entry {
	char *subject, *version, *message, *log;
	const char *reason;
	enum failure_class class;
	enum op_kind kind;
	int code;
	unsigned int attempts;
	uint64_t next_ns;
};

struct retry {
	struct entry *v;
	size_t n, cap;
	unsigned int seed;
};

struct retry *retry_new(unsigned int seed)
{
	struct retry *r = xnew(struct retry);

	r->seed = seed ? seed : 1;
	return r;
}

static void entry_done(struct entry *e)
{
	free(e->subject);
	free(e->version);
	free(e->message);
	free(e->log);
}

void retry_clear(struct retry *r)
{
	for (size_t i = 0; i < r->n; i++)
		entry_done(&r->v[i]);
	r->n = 0;
}

void retry_free(struct retry *r)
{
	if (!r)
		return;
	retry_clear(r);
	free(r->v);
	free(r);
}

static void entry_remove(struct retry *r, size_t i)
{
	entry_done(&r->v[i]);
	memmove(&r->v[i], &r->v[i + 1], (r->n - i - 1) * sizeof(*r->v));
	r->n--;
}

static struct entry *entry_get(struct retry *r, const char *subject, const char *version)
{
	struct entry *e;

	for (size_t i = 0; i < r->n; i++)
		if (str_eq(r->v[i].subject, subject) && str_eq(r->v[i].version, version))
			return &r->v[i];
	if (r->n == RETRY_ENTRIES)
		entry_remove(r, 0);
	if (r->n == r->cap) {
		r->cap = r->cap ? 2 * r->cap : 16;
		r->v = xrealloc(r->v, r->cap * sizeof(*r->v));
	}
	e = &r->v[r->n++];
	*e = (struct entry){ .subject = xstrdup(subject), .version = xstrdup(version) };
	return e;
}

/* Between 75 % and 125 %, so that what failed together is not retried together. */
static uint64_t with_jitter(struct retry *r, uint64_t ns)
{
	r->seed = r->seed * 1103515245u + 12345u;
	return ns - ns / 4 + ns / 2 / 65536 * ((r->seed >> 16) & 0xffff);
}

static const char *subject_of(const struct op *op)
{
	return op->subject ? op->subject : op->key;
}

/*
 * A program that the verifier refused is refused again: only another file, another declaration
 * (both make another version) or a person's `reload` are worth an attempt.
 */
static bool is_final(const struct op *op, enum failure_class class)
{
	return (op->kind == OP_OBJECT_LOAD || op->kind == OP_EXTENSION_LOAD) &&
	       class == FAILURE_KERNEL;
}

void retry_record(struct retry *r, const struct op *op, const struct op_result *result,
		  uint64_t now_ns)
{
	struct entry *e = entry_get(r, subject_of(op), op->version ? op->version : "");
	uint64_t wait = RETRY_FIRST_NS << MIN(e->attempts, 12u);

	free(e->message);
	free(e->log);
	e->message = xstrdup(result->error.text);
	e->log = result->log ? xstrdup(result->log) : NULL;
	e->reason = result->reason;
	e->class = result->class;
	e->kind = op->kind;
	e->code = result->code;
	e->attempts++;
	e->next_ns = is_final(op, result->class) ?
			     NEVER :
			     now_ns + with_jitter(r, MIN(wait, RETRY_MOST_NS));
}

void retry_forget(struct retry *r, const struct op *op)
{
	const char *subject = subject_of(op);

	for (size_t i = r->n; i-- > 0;) {
		/* That the remains of an attempt could be removed says nothing about the next one. */
		if (op->kind == OP_OBJECT_REMOVE && r->v[i].kind == OP_OBJECT_LOAD)
			continue;
		if (str_eq(r->v[i].subject, subject))
			entry_remove(r, i);
	}
}

void retry_release(struct retry *r)
{
	for (size_t i = 0; i < r->n; i++)
		if (r->v[i].class != FAILURE_KERNEL)
			r->v[i].next_ns = 0;
}

struct failure *retry_failures(const struct retry *r, struct arena *a, uint64_t now_ns,
			       size_t *ret_count)
{
	struct failure *f = arena_calloc(a, r->n, sizeof(*f));

	for (size_t i = 0; i < r->n; i++) {
		const struct entry *e = &r->v[i];

		f[i] = (struct failure){
			.subject = e->subject,
			.version = e->version,
			.class = e->class,
			.due = e->next_ns <= now_ns,
			.code = e->code,
			.reason = e->reason,
			.message = e->message,
			.log = e->log,
		};
	}
	*ret_count = r->n;
	return f;
}

uint64_t retry_next_ns(const struct retry *r, uint64_t now_ns)
{
	uint64_t next = NEVER;

	for (size_t i = 0; i < r->n; i++)
		if (r->v[i].next_ns > now_ns)
			next = MIN(next, r->v[i].next_ns);
	return next == NEVER ? 0 : next;
}
