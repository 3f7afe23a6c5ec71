/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
#pragma once

#include "base/error.h"

/*
 * Whether this process may do the daemon's work: -EPERM with what is missing and what to do.
 * Missing rights that only some declarations need are logged as warnings.
 */
int privilege_check(struct error *e);
