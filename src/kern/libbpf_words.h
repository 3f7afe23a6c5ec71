/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * What libbpf says about a failure, for our own message. It prints through one function
 * without an argument, so the place to collect into is a variable of the thread: the only one of kern.
 */
#pragma once

#define LIBBPF_WORDS_MAX 512

struct libbpf_words {
	char last[LIBBPF_WORDS_MAX]; /* the last warning that says something, one line; "" if none */
};

/* From here to libbpf_words_end() warnings are collected; outside, libbpf is silent. Not nested. */
void libbpf_words_begin(struct libbpf_words *w);
void libbpf_words_end(void);

/* libbpf prints nothing to stderr from now on. */
void libbpf_words_silence(void);
