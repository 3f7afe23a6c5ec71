#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
# A removal that waits for confirm: restarts, edits, files that come back, interfaces that go, and
# confirmations of something else.
# shellcheck source=lib.sh disable=SC2119,SC2016
. "$(dirname "$0")/lib.sh"
sandbox "$@"

token() { # nothing, if nothing waits
	status_value '.confirmation // empty'
}
waits() {
	[ -n "$(token)" ]
}
waits_not() {
	[ -z "$(token)" ]
}
waits_else() { # TOKEN: for something else than this one by now
	waits && [ "$(token)" != "$1" ]
}
is_ready() { # OBJECT
	[ "$(status_value ".objects[] | select(.name == \"$1\") | .state")" = ready ]
}
chain_is() { # IDS: the members that a packet meets, in order
	send p0 1
	equal "the chain is $1" "$1" "$(trace_last)"
}

empty_slot() { # INTERFACE INDEX
	local id maps
	id=$(bpftool -j net show dev "$1" | jq '.[0].xdp[0].id')
	maps=$(bpftool -j prog show id "$id" | jq '.map_ids[]')
	for id in $maps; do
		if [ "$(bpftool -j map show id "$id" | jq -r .type)" = prog_array ]; then
			bpftool map delete id "$id" key "$2" 0 0 0
		fi
	done
}

daemon_settings 'mass_removal: {over_percent: 50, and_at_least: 3}' 'resync_s: 86400'
interface v0 p0
interface v1 p1
for i in 1 2 3 4; do member m$i $i $((10 * i)) v0; done
member m5 5 50 v1
daemon_start
check "five programs" converge
before=$(root_of v0)

mkdir "$work/away"
mv "$conf"/m{2,3,4,5}.yaml "$work/away/"
check "four files go at once" until_true 10 waits
refuse 124 "which is not converged" ctl wait --timeout 1
equal "nothing was removed" "$before" "$(root_of v0)"
first=$(token)
matches "the status shows what waits, and its token" "confirm ${first:0:12}" "$(ctl status)"
matches "so does an event" "wait for .*confirm ${first:0:12}" "$(ctl events)"

daemon_stop KILL
daemon_start
check "a daemon killed meanwhile" until_true 10 waits
equal "still waits, for the same" "$first" "$(token)"
daemon_stop
output=$(ctl plan --bpffs "$bpffs" --conf-dir "$conf" --config "$work/bpfshared.yaml" --run-dir "$run")
equal "plan would change something" 2 $?
matches "once confirmed" "held until .*confirm ${first:0:12}" "$output"
refuse 1 "--once lets it wait as well" once
equal "nothing was removed" "$before" "$(root_of v0)"
daemon_start
check "and so does the next daemon" until_true 10 waits

ip link set v0 xdp off
check "somebody detaches what waits" until_true 10 has_root v0
chain_is "1 2 3 4"
ip link set v1 xdp off # only what waits ran there
check "also where nothing else is declared" until_true 10 has_root v1
empty_slot v0 2
check "reload" ctl reload
chain_is "1 2 3 4"
equal "it waits for the same as before" "$first" "$(token)"
daemon_stop KILL
ip link set v0 xdp off
daemon_start
check "and while no daemon runs" until_true 10 has_root v0
chain_is "1 2 3 4"
equal "it waits for the same as before" "$first" "$(token)"

for i in 6 7 8 9; do member m$i $i $((10 * i)) v0; done
check "another edit is applied" until_true 10 is_ready m9
chain_is "1 2 3 4 6 7 8 9"
daemon_stop KILL
daemon_start
check "that what waits is less than half by now" until_true 10 waits
chain_is "1 2 3 4 6 7 8 9"

cp "$work/away/m2.yaml" "$conf/"
check "one file comes back" until_true 10 waits_else "$first"
refuse 1 "what was shown first is not confirmed" ctl confirm "$first"
matches "which is said" "no longer" "$(ctl confirm "${first:0:12}" 2>&1)"
chain_is "1 2 3 4 6 7 8 9"

second=$(token)
rm "$conf/m9.yaml"
refuse 1 "a confirmation that an edit overtook" ctl confirm "$second"
check "is asked for again" until_true 10 waits_else "$second"
chain_is "1 2 3 4 6 7 8 9"
member m9 9 90 v0
check "the file comes back" until_true 10 eval '[ "$(token)" = "$second" ]'

ip link del v1
check "an interface goes" until_true 10 waits_else "$second"
chain_is "1 2 3 4 6 7 8 9"

check "suspended" ctl suspend
refuse 1 "nothing can be confirmed" ctl confirm
matches "which is said" "suspended" "$(ctl confirm 2>&1)"
refuse 124 "waiting is in vain" ctl wait --timeout 0.5
matches "which is said" "suspended until 'bpfsharectl resume'" "$(ctl wait --timeout 0.5 2>&1)"
output=$(ctl plan --bpffs "$bpffs" --conf-dir "$conf" --config "$work/bpfshared.yaml" --run-dir "$run")
matches "plan says so as well" "^suspended: nothing is changed" "$output"
check "resumed" ctl resume
check "it waits" until_true 10 waits
chain_is "1 2 3 4 6 7 8 9"

third=$(token)
output=$(ctl confirm "${third:0:12}")
equal "the start of a token is enough" 0 $?
matches "what was confirmed is printed" "^confirmed [0-9]+ operations" "$output"
matches "with each of its parts" "v0/xdp: " "$output"
check "and done" converge
chain_is "1 2 6 7 8 9"
refuse 1 "a token holds once" ctl confirm "$third"
equal "without one there is nothing" "nothing was waiting to be confirmed" "$(ctl confirm)"
refuse 1 "nothing is noted for the next daemon" test -e "$run/waiting"

rm "$conf"/m{1,2,6,7,8,9}.yaml
check "all the others" until_true 10 waits
for i in 2 6; do member m$i $i $((10 * i)) v0; done
sed -i 's/^ *maps:.*$//' "$conf/m2.yaml" "$conf/m6.yaml" # m1, whose map it was, is not declared
for i in 1 7 8 9; do member m$i $i $((10 * i)) v0; done
check "come back" until_true 10 waits_not
for i in 2 6; do member m$i $i $((10 * i)) v0; done
check "and nothing waits" converge
chain_is "1 2 6 7 8 9"
rm "$conf"/m{7,8}.yaml
check "two are few enough" converge
chain_is "1 2 6 9"

rm "$conf/m9.yaml"
check "as is a third" converge
rm "$conf/m6.yaml"
check "but not a fourth, one after the other" until_true 10 waits
chain_is "1 2 6"
fourth=$(token)
rm "$conf"/m{1,2}.yaml
check "the rest" until_true 10 waits_else "$fourth"
output=$(ctl confirm)
equal "without a token" 0 $?
matches "what waits now is confirmed" "^confirmed [0-9]+ operations" "$output"
check "and gone" converge
equal "all of it" "" "$(root_of v0)"
finish
