/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* `bpfshared --once`: the daemon's work without the daemon, for scripts and images. */
#pragma once

#include "daemon/options.h"
#include "recon/engine.h"

/*
 * Reconciles until nothing more falls due soon, prints the status table and returns whether the
 * node converged; -errno when it could not even look.
 */
int once_run(const struct options *o, struct engine *g, bool *ret_converged, struct error *e);
