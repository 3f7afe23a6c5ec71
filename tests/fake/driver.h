/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * The shortest reconciler there can be: observe, plan, apply, remember failures. For tests
 * of the plan over the fake kernel, without recon's clocks, files and events.
 */
#pragma once

#include "fake/kern_fake.h"
#include "plan/plan.h"

struct driver {
	struct kern_fake *kernel;
	struct plan_input in; /* observed and failures are filled in by the driver */
	struct arena *pass;   /* of the newest plan */
	struct arena *memory; /* of the failures */
	LIST(struct failure) list;
	bool waits;    /* in.waiting is that of the plan before */
	size_t passes; /* of the last driver_converge() */
};

/* run_dir "/run/bpfshare", a node named "node" with kernel 6.12, default settings. Borrows the kernel. */
void driver_init(struct driver *d, struct kern_fake *k);
void driver_done(struct driver *d);

/* Observes and plans; valid until the next call. */
struct plan *driver_plan(struct driver *d);
/*
 * Applies the plan in order, without what needs something that failed, until the end or a
 * crash. Returns how many operations were done.
 */
size_t driver_apply(struct driver *d, const struct plan *plan);
/*
 * Plans and applies until the plan is empty, nothing moves, or the process dies. The last plan is
 * returned. More passes than a few mean that plans do not settle: then NULL.
 */
struct plan *driver_converge(struct driver *d);
void driver_forget_failures(struct driver *d); /* as a restart does */
void driver_failures_are_due(struct driver *d);

/* Default settings of the daemon. */
extern const struct settings driver_settings;
