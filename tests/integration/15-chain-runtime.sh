#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
# What a chain does with packets while something is missing, and what interfaces have in common:
# dispatchers, slots, maps.
# shellcheck source=lib.sh disable=SC2119,SC2016
. "$(dirname "$0")/lib.sh"
force_mechanism tailcall
sandbox "$@"

daemon_settings 'resync_s: 86400' 'labels: {role: edge}'
for i in 0 1 2; do interface "v$i" "p$i"; done

dispatcher() { # INTERFACE
	status_value ".chains[] | select(.interface == \"$1\") | .dispatcher_id"
}
map_id() { # OBJECT MAP
	status_value ".objects[] | select(.name == \"$1\") | .maps[] | select(.name == \"$2\") | .id"
}
state_of() { # OBJECT
	status_value ".objects[] | select(.name == \"$1\") | .state"
}
# absent ON_MISSING: an object that the verifier refuses, second on v0.
absent() {
	write "$conf/absent.yaml" <<-EOF
		objects:
		  absent:
		    file: test_refused.bpf.o
		    programs:
		      xdp_refused: {attach: [{xdp: {interface: v0}, priority: 20, on_missing: $1}]}
	EOF
}

member m1 1 10 v0
daemon_start
check "one program" converge

# --- a member that cannot be loaded ---------------------------------------------

member m3 3 30 v0
absent skip
refuse 124 "skip: a refused member is not converged" ctl wait --timeout 1
equal "skip: it has failed" failed "$(state_of absent)"
send p0 1
equal "skip: the others run" "1 3" "$(trace_last)"

absent hold
member m2 2 5 v0
refuse 124 "hold: a refused member is not converged" ctl wait --timeout 1
send p0 1
equal "hold: the chain stays as it was" "1 3" "$(trace_last)"
matches "hold: and says why" 'ChainHeld.*on_missing: hold' "$(ctl status)"

absent drop
refuse 124 "drop: a refused member is not converged" ctl wait --timeout 1
send p0 1
equal "drop: those before it run, it drops in its place" "2 1" "$(trace_last)"

rm "$conf/absent.yaml"
check "no longer declared" converge
send p0 1
equal "all run" "2 1 3" "$(trace_last)"

# --- a slot that somebody empties -----------------------------------------------

# The daemon sleeps meanwhile: any pass of it, whatever the cause, would refill the slot.
empty_slot() { # NUMBER CHAIN
	local chain=$2
	kill -STOP "$daemon_pid"
	bpftool map delete pinned "$bpffs/chains/$chain/members" key "$1" 0 0 0 ||
		bail "bpftool cannot edit the array"
}
member m1 1 10 v0 'on_missing: drop'
check "the middle one is required" converge
chain=$(dispatcher v0)
empty_slot 1 "$chain"
send p0 1
equal "its slot is empty: packets are dropped there" "2" "$(trace_last)"
empty_slot 2 "$chain"
kill -CONT "$daemon_pid"
check "all is read again" ctl reload
check "and refilled" converge
send p0 1
equal "all run again" "2 1 3" "$(trace_last)"
empty_slot 2 "$(dispatcher v0)"
send p0 1
equal "an empty slot of one that may be missing is stepped over" "2 1" "$(trace_last)"
kill -CONT "$daemon_pid"
check "reloaded once more" ctl reload
check "and refilled once more" converge

# --- interfaces with the same chain -----------------------------------------------

member m1 1 10 'v*' 'on_missing: drop'
member m2 2 5 'v*'
member m3 3 30 'v*'
check "the same chain on three interfaces" converge
equal "is one dispatcher" 1 "$(for i in 0 1 2; do dispatcher "v$i"; done | sort -u | wc -l)"
equal "and one directory" "$(dispatcher v0)" "$(ls "$bpffs/chains")"
before="$(dispatcher v0) $(root_of v0) $(root_of v1) $(root_of v2)"
member m3 4 30 'v*'
check "one member is replaced" converge
equal "in place, on all of them" "$before" "$(dispatcher v0) $(root_of v0) $(root_of v1) $(root_of v2)"
for i in 0 1 2; do
	send "p$i" 1
	equal "the new one runs on v$i" "2 1 4" "$(trace_last)"
done
member m3 4 30 v1
check "a member leaves two of them" converge
check "which now have a dispatcher apart" test "$(dispatcher v0)" != "$(dispatcher v1)"
equal "and still a common one" "$(dispatcher v0)" "$(dispatcher v2)"
send p2 1
equal "without the member" "2 1" "$(trace_last)"
send p1 1
equal "the third is as it was" "2 1 4" "$(trace_last)"

# --- maps that follow ------------------------------------------------------------

owner=$(map_id m1 trace)
equal "a follower has its owner's map" "$owner" "$(map_id m2 trace)"
member m1 9 10 'v*' 'on_missing: drop'
check "the owner is loaded anew" converge
equal "with the map that it had" "$owner" "$(map_id m1 trace)"
versions=$(object_dir m2)
sed -i 's|^    programs:|    maps: {trace: {on_change: reset}}\n&|; s|id: 9|id: 8|' "$conf/m1.yaml"
check "and once more" converge
check "with a new map, if that is declared" test "$owner" != "$(map_id m1 trace)"
check "the followers have new versions then" test "$versions" != "$(object_dir m2)"
for follower in m2 m3; do
	equal "$follower follows" "$(map_id m1 trace)" "$(map_id "$follower" trace)"
done
send p1 1
equal "and all write into the new one" "2 8 4" "$(trace_last)"

# --- one instance for each interface -------------------------------------------------

write "$conf/each.yaml" <<-EOF
	objects:
	  each:
	    file: test_trace.bpf.o
	    instances: interface
	    globals: {ethertype: 0x88b5}
	    programs: {xdp_trace: {attach: [{xdp: {interface: [v0, v1]}, priority: 40}]}}
EOF
check "an object for each interface" converge
equal "two instances" "each@v0 each@v1" \
	"$(status_value '[.objects[].name | select(startswith("each"))] | sort | join(" ")')"
check "with maps of their own" test "$(map_id each@v0 packets)" != "$(map_id each@v1 packets)"
send p0 2
send p1 1
equal "each counts its own packets" "2 1" "$(seen each@v0) $(seen each@v1)"
rm "$conf/each.yaml"
check "they go" converge

# --- when ------------------------------------------------------------------------------

conditional() { # CONDITION
	write "$conf/when.yaml" <<-EOF
		objects:
		  conditional:
		    file: test_trace.bpf.o
		    when: $1
		    globals: {ethertype: 0x88b5}
		    programs: {xdp_trace: {attach: [{xdp: {interface: v0}, priority: 50}]}}
	EOF
}
conditional '{host: elsewhere}'
check "an object for another host" converge
equal "is skipped" skipped "$(state_of conditional)"
conditional '{label: {role: core}}'
check "for another label" converge
equal "is skipped as well" skipped "$(state_of conditional)"
refuse 124 "and not ready" ctl wait --ready --timeout 1
conditional "{host: $(uname -n), label: {role: edge}}"
check "for this host and label" converge
equal "it is ready" ready "$(state_of conditional)"
rm "$conf/when.yaml"

# --- the operator ------------------------------------------------------------------------

check "removed" converge
generation=$(status_value .generation)
check "wait for the generation in force" ctl wait --generation "${generation:0:8}" --timeout 5
refuse 124 "wait for one that never comes" ctl wait --generation 0000000000000000 --timeout 1

member m2 2 7 v0
mv "$conf/m2.yaml" "$work/proposed.yaml"
sed 's/ m2:/ m1:/' "$work/proposed.yaml" >"$work/conflict.yaml"
matches "a proposed file is judged in its place" 'm2.yaml: valid, 3 files, 3 objects' \
	"$(ctl check --as "$conf/m2.yaml" "$work/proposed.yaml" --config "$work/bpfshared.yaml" 2>&1)"
refuse 1 "and refused when it takes another file's name" \
	ctl check --as "$conf/m2.yaml" "$work/conflict.yaml" --config "$work/bpfshared.yaml"
mv "$work/proposed.yaml" "$conf/m2.yaml"
check "it is put there" converge

check "suspended for a second" ctl suspend --for 1s
rm "$conf/m3.yaml"
equal "it is" true "$(status_value .suspended)"
check "it ends by itself" until_true 10 eval '[ "$(status_value .suspended)" = false ]'
check "and what was asked for meanwhile is done" converge
equal "m3 is gone" "" "$(state_of m3)"
finish
