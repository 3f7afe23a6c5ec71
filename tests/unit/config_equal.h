/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* Whether two desired states declare the same, wherever it is written. */
#pragma once

#include <stdbool.h>

#include "model/desired.h"

bool desired_equal(const struct desired *a, const struct desired *b);
