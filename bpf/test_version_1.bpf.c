// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#define TEST_VERSION 1
#include "test_version.h"
