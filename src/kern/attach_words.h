/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Why an attach by bpf_link was refused: unlike netlink that system call has no room for the kernel's words, and
 * tells them to a tracepoint only (xdp:bpf_xdp_link_attach_failed, Linux 6.6). Internal to kern.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct attach_words {
	int tracefs;  /* -1: nothing is listened to */
	int instance; /* a trace buffer of our own, so that nobody else's tracing is disturbed */
	char name[64];
};

/* Listens to this process from here on. Where that cannot be, because of kernel or rights, there are no words. */
void attach_words_begin(struct attach_words *w);
/* Ends it, and removes the buffer. True: what the kernel said last went to ret. */
bool attach_words_end(struct attach_words *w, char *ret, size_t size);
