/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* What clients can ask for: the varlink interface io.bpfshare and org.varlink.service. */
#pragma once

#include "daemon/connection.h"
#include "daemon/manager.h"

/* Answers a message, at once or by making the answer pending. */
void methods_call(struct manager *m, struct connection *c, const json_t *message);
/* Completes a pending answer if it can be, or must be because its time is up. */
void methods_resume(struct manager *m, struct connection *c, bool timed_out);
