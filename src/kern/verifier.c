/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * libbpf loads quietly first and asks for the log only of a program that was refused. It
 * does not tell which one that was, since it closes all of them; so every program's
 * buffer begins a little behind the one before, and the place of the first byte written tells. Before
 * 6.4 the kernel keeps the beginning of a log that does not fit and answers ENOSPC instead of the
 * real error, hence a buffer as large as any log: pages that nobody writes to cost nothing.
 */
#include "kern/verifier.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include <bpf/libbpf.h>

#include "base/macros.h"
#include "base/str.h"
#include "kern/context.h"
#include "kern/libbpf_words.h"
#include "model/limits.h"

#define LOG_SIZE   (16 * 1024 * 1024 - 1) /* the most that kernels before 5.2 accept */
#define LOG_STRIDE 16

#define WORDS_LINES 3

struct log_buffer {
	char *p;
	size_t size;
};

static void log_buffer_done(struct log_buffer *b)
{
	if (b->p)
		(void)munmap(b->p, b->size);
}

/* Without memory for it the load goes on, and a refusal is told without its log. */
static void log_buffer_init(struct log_buffer *b, struct bpf_object *o)
{
	struct bpf_program *program;
	size_t count = 0;
	void *p;

	bpf_object__for_each_program(program, o)
		count++;
	b->size = LOG_SIZE + count * LOG_STRIDE;
	p = mmap(NULL, b->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
		 -1, 0);
	if (p == MAP_FAILED)
		return;
	b->p = p;
	count = 0;
	bpf_object__for_each_program(program, o)
		(void)bpf_program__set_log_buf(program, b->p + LOG_STRIDE * count++, LOG_SIZE);
}

/* The log of the one program that has one, NULL when nobody wrote one. */
static char *log_find(const struct log_buffer *b, struct bpf_object *o, const char **ret_function)
{
	struct bpf_program *program;
	size_t i = 0;

	if (!b->p)
		return NULL;
	b->p[b->size - 1] = '\0';
	bpf_object__for_each_program(program, o) {
		char *log = b->p + LOG_STRIDE * i++;

		if (!*log)
			continue;
		*ret_function = bpf_program__name(program);
		return log;
	}
	return NULL;
}

/* The end of it, from the beginning of a line. */
static const char *log_keep(struct arena *a, const char *log)
{
	size_t n = strlen(log);

	if (n > LIMIT_LOG_BYTES) {
		const char *newline;

		log += n - LIMIT_LOG_BYTES;
		newline = strchr(log, '\n');
		if (newline && newline[1])
			log = newline + 1;
	}
	return arena_strdup(a, log);
}

static bool is_statistics(const char *line)
{
	return str_starts(line, "processed ") || str_starts(line, "verification time ") ||
	       str_starts(line, "stack depth ");
}

/* Instructions with their number, source lines, and the states between them. */
static bool is_trace(const char *line)
{
	return (*line >= '0' && *line <= '9') || *line == ';' || str_starts(line, "from ");
}

/* What is wrong takes the last line, or some: what was tried, and what that breaks. */
const char *verifier_last_words(struct arena *a, const char *log)
{
	const char *end = log + strlen(log), *words = "";

	for (int n = 0; end > log && n < WORDS_LINES;) {
		const char *start = end, *line;

		while (start > log && start[-1] != '\n')
			start--;
		line = arena_strndup(a, start, (size_t)(end - start));
		end = start > log ? start - 1 : log;
		if (!*line || is_statistics(line))
			continue;
		if (is_trace(line) && n > 0)
			break;
		words = n++ ? arena_printf(a, "%s; %s", line, words) : line;
		if (is_trace(line)) /* the log was cut short */
			break;
	}
	return words;
}

/* Of the verifier ENOSPC means that its log did not fit; of everything before it, that there is no room now. */
static bool is_transient(int code, bool by_verifier)
{
	if (!by_verifier && (code == -ENOSPC || code == -EBUSY))
		return true;
	return code == -ENOMEM || code == -EAGAIN || code == -EINTR || code == -ENFILE ||
	       code == -EMFILE;
}

static void explain(struct op_result *ret, int code, const char *words)
{
	const char *remedy = "";

	if (code == -EPERM || code == -EACCES)
		remedy = "; loading needs root with CAP_BPF and CAP_NET_ADMIN, and a kernel whose "
			 "lockdown or security module allows it";
	error_set(&ret->error, code, "the kernel refuses to load it: %s%s%s%s", error_string(code),
		  *words ? ": " : "", words, remedy);
}

int verifier_load(struct bpf_object *o, struct arena *a, struct op_result *ret)
{
	cleanup(log_buffer_done) struct log_buffer buffer = { 0 };
	struct libbpf_words words;
	const char *function = NULL, *log;
	int code;

	log_buffer_init(&buffer, o);
	libbpf_words_begin(&words);
	code = bpf_object__load(o);
	libbpf_words_end();
	if (code >= 0)
		return 0;
	log = log_find(&buffer, o, &function);
	result_fail(ret, code);
	if (log) {
		ret->log = log_keep(a, log);
		ret->reason = "VerifierRefused";
		error_set(&ret->error, code, "function %s: the verifier refuses it: %s (%s)",
			  function, verifier_last_words(a, ret->log), error_string(code));
	} else {
		ret->reason = str_starts(words.last, "map '") ? "MapCreateFailed" : "LoadFailed";
		explain(ret, code, words.last);
	}
	ret->class = is_transient(code, log) ? FAILURE_TRANSIENT : FAILURE_KERNEL;
	return code;
}
