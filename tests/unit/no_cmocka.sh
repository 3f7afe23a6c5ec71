#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
# Stands in for the unit tests where configure did not find cmocka.
echo "1..0 # SKIP the unit tests need cmocka (libcmocka-dev); install it and run configure again"
