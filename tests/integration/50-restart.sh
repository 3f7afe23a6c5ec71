#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
# Restarts and kills under traffic: what is there is adopted without touching it, and no
# packet misses a program.
# shellcheck source=lib.sh disable=SC2119,SC2016
. "$(dirname "$0")/lib.sh"
sandbox "$@"

# ids: everything that a restart must not touch.
ids() {
	root_of v0
	find "$bpffs" | sort
	grep "$run/shares" /proc/self/mountinfo | cut -d' ' -f1,5
}

interface v0 p0
export record=false
for i in 1 2 3; do member m$i $i $((10 * i)) v0; done
echo 'shares: {s: {maps: [m1/packets], targets: [{bpffs: {group: 4201}}]}}' >"$conf/s.yaml"
daemon_start
check "a chain and a share" converge
before=$(ids)

flood p0
until_true 5 eval '[ "$(seen m3)" -gt 1000 ]'
daemon_stop TERM
equal "a stop changes nothing" "$before" "$(ids)"
daemon_start
check "restarted" converge
equal "adopted untouched" "$before" "$(ids)"
equal "without an operation" 0 "$(ctl events --json | grep -c '"kind": *"operation"')"
for _ in 1 2 3 4 5; do
	daemon_stop KILL
	daemon_start
done
check "killed five times" converge
equal "adopted untouched again" "$before" "$(ids)"
flood_stop
equal "all members saw the same packets (second)" "$(seen m1)" "$(seen m2)"
equal "all members saw the same packets (third)" "$(seen m1)" "$(seen m3)"
matches "and there were many" '^[0-9]{4,}$' "$(seen m1)"
finish
