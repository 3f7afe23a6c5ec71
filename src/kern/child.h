/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* What can only be tried by another process. Internal to kern. */
#pragma once

#include <errno.h>

/* Nothing could be tried. */
#define CHILD_UNTRIED (-ECANCELED)

/*
 * What ask returns (0 or -errno) in a child; also the code for that none could be made. The child of a
 * process that may have threads and locks makes system calls and nothing else: no allocation, no stdio.
 */
int child_ask(int (*ask)(int arg), int arg);
