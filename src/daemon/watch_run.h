/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Watches the run directory for the loss of our lock and our sockets, by which others know that we
 * are there. What is mounted over them is the business of watch_mounts.
 */
#pragma once

#include "daemon/watch.h"

struct watch_run;

int watch_run_new(const struct watch_target *t, const char *run_dir, struct watch_run **ret,
		  struct error *e);
void watch_run_free(struct watch_run *w);

/* Watches by path again, since another directory than before may be there. */
void watch_run_refresh(struct watch_run *w);
