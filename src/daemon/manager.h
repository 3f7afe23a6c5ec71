/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * The daemon proper: owns the engine, the watchers, the sockets and the event loop.
 * Every source of events ends in manager_request(), which only marks what is dirty and
 * arms a timer; one function reconciles.
 */
#pragma once

#include <systemd/sd-event.h>

#include "daemon/fresh.h"
#include "daemon/options.h"
#include "recon/engine.h"

struct manager;

/* Borrows both; they outlive the manager. */
int manager_new(const struct options *o, struct engine *g, struct manager **ret, struct error *e);
void manager_free(struct manager *m);

/*
 * Reconciles at once and then as events ask for it, until SIGTERM or SIGINT. -EWOULDBLOCK: another
 * daemon uses our bpffs directory.
 */
int manager_run(struct manager *m, struct error *e);

/* Marks RECON_DIRTY bits; a pass follows when things are quiet. */
void manager_request(struct manager *m, unsigned int dirty);
/* The same without waiting for quiet: someone who may ask for it waits for the answer. */
void manager_request_now(struct manager *m, unsigned int dirty);

/* What the methods of the control sockets change. Each asks for a pass, whose end answers the caller. */
void manager_reload(struct manager *m);
/* As recon_confirm(). *ret_count: how many operations are held. */
int manager_confirm(struct manager *m, const char *token, size_t *ret_count, struct error *e);
int manager_suspend(struct manager *m, uint64_t seconds, struct error *e); /* 0: until resumed */
void manager_resume(struct manager *m);
void manager_purge(struct manager *m);

const struct recon *manager_recon(const struct manager *m);
struct kern_linux *manager_kernel(const struct manager *m);
struct fresh *manager_fresh(const struct manager *m);

/* An answer that is the same until the next pass, kept since anybody may ask for it again and again. */
struct manager_answer {
	char *text; /* NULL: not asked for since the last pass; who asks fills it in */
	size_t size;
};
struct manager_answer *manager_status_answer(struct manager *m);

gid_t manager_control_group(const struct manager *m);
/* Passes so far, whether they could look or not. */
uint64_t manager_runs(const struct manager *m);
