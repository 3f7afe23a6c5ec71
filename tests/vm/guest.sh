#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
#
# The part of check.sh that runs inside a virtual machine: the given tests one after the other.
# The output of each goes to LOGS/NAME.log; then LOGS/NAME.status gets its exit status and its
# seconds, and a line with its name on standard output tells check.sh.
#
#   guest.sh LOGS SECONDS TEST...      SECONDS: limit for each test
set -u
logs=$1 limit=$2
shift 2

# Debian's setting, 2, blocks every bpf(2) without privilege before Linux 5.19, and with it what the
# tests of shares look at; README.md names this remedy.
release=$(uname -r)
[ "$(printf '%s\n' 5.19 "$release" | sort -V | head -n 1)" = 5.19 ] ||
	sysctl -q -w kernel.unprivileged_bpf_disabled=0

for test; do
	name=$(basename "$test" .sh) start=$SECONDS
	case $test in
	*.sh) command=(bash "$abs_top_srcdir/$test") ;;
	*) command=(bash "$abs_top_srcdir/tests/unit/run.sh" "$abs_builddir/$test") ;;
	esac
	# `timeout` ends the whole process group, so that nothing of a hang is left for the next one
	timeout -k 10 "$limit" "${command[@]}" >"$logs/$name.log" 2>&1 </dev/null
	echo "$? $((SECONDS - start))" >"$logs/$name.status.new"
	mv "$logs/$name.status.new" "$logs/$name.status"
	echo "$name"
done
