#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
# A chain changes while packets flow: every packet is seen by every program that is there
# before and after.
# shellcheck source=lib.sh disable=SC2119,SC2016
. "$(dirname "$0")/lib.sh"
force_mechanism tailcall
sandbox "$@"

export record=false # count only: the trace is small and its lock is slow

interface v0 p0
member m1 1 10 v0
member m2 2 30 v0
daemon_start
check "two programs" converge

flood p0
until_true 5 eval '[ "$(seen m2)" -gt 1000 ]'
first=$(seen m1)

for round in 1 2 3; do
	member m3 3 20 v0
	check "round $round: one is added in the middle" converge
	member m3 4 20 v0
	check "round $round: replaced" converge
	member m3 4 5 v0
	check "round $round: moved to the front" converge
	rm "$conf/m3.yaml"
	check "round $round: removed" converge
done
flood_stop
equal "every packet was seen by both" "$(seen m1)" "$(seen m2)"
check "packets flowed all the time" test "$(seen m1)" -gt $((first + 1000))

member m3 3 20 v0
check "added once more" converge
chain=$(ls "$bpffs/chains")
root=$(root_of v0)
member m3 5 20 v0
check "replaced once more" converge
equal "in place: the same dispatcher" "$chain $root" "$(ls "$bpffs/chains") $(root_of v0)"
finish
