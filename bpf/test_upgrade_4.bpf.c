// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#define TEST_UPGRADE 4
#include "test_upgrade.h"
