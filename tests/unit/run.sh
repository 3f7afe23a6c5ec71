#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
#
# Runs one unit test. cmocka 1.1.5 reports a skipped test as "not ok N # SKIP NAME", which
# is a failed one to everybody who reads TAP.
set -o pipefail
"$@" | sed -u 's/^not ok \([0-9]\{1,\}\) # SKIP /ok \1 # SKIP /'
