#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
#
# Runs one unit test. cmocka 1.1.5 reports a skipped test as "not ok N # SKIP NAME", which is a failed
# one to everybody who reads TAP. The message that the test printed just before becomes the reason.
set -o pipefail
"$@" | sed -u '
	/^not ok [0-9]* # SKIP / {
		G
		s/^not ok \([0-9]*\) # SKIP \([^\n]*\)\n$/ok \1 - \2 # SKIP/
		s/^not ok \([0-9]*\) # SKIP \([^\n]*\)\n#* *\(.*\)/ok \1 - \2 # SKIP \3/
		b result
	}
	/^ok /b result
	/^not ok /b result
	h
	b
	:result
	x
	s/.*//
	x
'
