/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
#include "kern/libbpf_words.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <bpf/libbpf.h>

#include "base/macros.h"
#include "base/str.h"

static _Thread_local struct libbpf_words *current;

/* Says only that there was a failure, after the line that says which. */
static bool is_empty_talk(const char *s)
{
	return str_starts(s, "failed to load object") ||
	       str_starts(s, "failed to load BPF skeleton");
}

static int printf_like(2, 0) print(enum libbpf_print_level level, const char *fmt, va_list args)
{
	char text[LIBBPF_WORDS_MAX];
	const char *s = text;

	if (!current || level != LIBBPF_WARN)
		return 0;
	if (vsnprintf(text, sizeof(text), fmt, args) < 0)
		return 0;
	text[strcspn(text, "\n")] = '\0';
	if (str_starts(s, "libbpf: "))
		s += strlen("libbpf: ");
	if (*s && !is_empty_talk(s))
		snprintf(current->last, sizeof(current->last), "%s", s);
	return 0;
}

void libbpf_words_silence(void)
{
	(void)libbpf_set_print(print);
}

void libbpf_words_begin(struct libbpf_words *w)
{
	libbpf_words_silence();
	*w = (struct libbpf_words){ "" };
	current = w;
}

void libbpf_words_end(void)
{
	current = NULL;
}
