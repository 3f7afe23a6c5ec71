/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* What the service manager is told; nothing happens without one. */
#pragma once

#include "model/status.h"

/* "12 ready, 1 failed: object fwd: the verifier …"; status NULL: there is none yet. */
char *notify_summary(const struct status *s, const char *trouble);

void notify_ready(const char *summary);
void notify_status(const char *summary);
void notify_reloading(void);
void notify_stopping(void);
void notify_watchdog(void);
