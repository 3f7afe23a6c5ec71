#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
# Chains: order by what each program saw of one packet, verdicts, and edits of a live chain.
# shellcheck source=lib.sh disable=SC2119,SC2016
. "$(dirname "$0")/lib.sh"
force_mechanism tailcall
sandbox "$@"

interface v0 p0
daemon_start

member m1 1 50 v0
check "one program is attached" converge
equal "a lone program needs no dispatcher" direct "$(status_value '.chains[0].mechanism')"
send p0 1
equal "it sees the packet" 1 "$(trace_last)"

member m2 2 10 v0
check "a second file joins the chain" converge
equal "two programs need one" tailcall "$(status_value '.chains[0].mechanism')"
send p0 1
equal "lower priority runs first" "2 1" "$(trace_last)"

member m3 3 10 v0 'after: [m2/xdp_trace, m1/xdp_trace]'
check "a third by constraint" converge
send p0 1
equal "a constraint outweighs the priority" "2 1 3" "$(trace_last)"

member m3 3 10 v0 'before: [m2/xdp_trace]'
check "the constraint turns round" converge
send p0 1
equal "order follows" "3 2 1" "$(trace_last)"
equal "an edit of the order keeps objects and maps" 4 "$(seen m1)"

verdict=1 member m2 2 10 v0 # drop
check "the middle one drops" converge
send p0 1
equal "a verdict that is not passed on ends the chain" "3 2" "$(trace_last)"
verdict=1 member m2 2 10 v0 'proceed_on: [pass, drop]'
check "its drop is passed on" converge
send p0 1
equal "proceed_on lets the next one run" "3 2 1" "$(trace_last)"

rm "$conf/m3.yaml"
check "a file is removed" converge
send p0 1
equal "its program is gone" "2 1" "$(trace_last)"
check "and so is its directory" test ! -e "$bpffs/objects/m3"

refuse 0 "a second pass plans nothing" ctl plan --config "$work/bpfshared.yaml" --conf-dir "$conf" --bpffs "$bpffs"

sixteen="4 5 6 7 8 9 10 2 11 12 13 14 15 16 17 1" # at equal priority by name: m10, m2
for i in $(seq 4 17); do member "m$i" "$i" "$i" v0; done
check "sixteen members" converge
send p0 1
equal "all run, in order" "$sixteen" "$(trace_last)"
member m18 18 5 v0
refuse 124 "seventeen do not converge" ctl wait --timeout 1
matches "the limit is named" 'TooManyMembers.*16' "$(ctl status)"
send p0 1
equal "the sixteen stay" "$sixteen" "$(trace_last)"

rm "$conf"/m*.yaml
refuse 124 "removing seventeen at once waits for confirmation" ctl wait --timeout 1
matches "and says so" 'confirm' "$(ctl status)"
check "confirmed" ctl confirm
check "all goes" converge
equal "nothing is left on the interface" "" "$(root_of v0)"
equal "nor of chains" "" "$(ls "$bpffs/chains")"

finish
