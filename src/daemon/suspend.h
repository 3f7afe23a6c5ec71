/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * `bpfsharectl suspend` outlives a restart of the daemon, but not of the machine: a file
 * in the run directory holds the monotonic time it ends at and the boot that time belongs to.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

/* until_ns 0: until resumed. */
int suspend_save(const char *run_dir, uint64_t until_ns, struct error *e);
/* True if suspended and not yet over. */
bool suspend_load(const char *run_dir, uint64_t now_ns, uint64_t *ret_until_ns);
void suspend_clear(const char *run_dir);
