#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
# A thousand interfaces that come and go at once, with the resync switched off: the end is exactly what is
# declared, however many events were lost.
# shellcheck source=lib.sh disable=SC2119,SC2016
. "$(dirname "$0")/lib.sh"
sandbox "$@"

count=${COUNT:-1000}
[ -z "${VMRUN:-}" ] || count=100

# batch COMMAND FIRST LAST: one ip command per interface; %d is its number.
batch() {
	local i
	for ((i = $2; i <= $3; i++)); do
		printf '%s\n' "${1//%d/$i}"
	done | ip -batch - || bail "ip: $1"
}

# How many interfaces have a root, and with how many different programs.
roots() {
	ip -j -d link show type veth | jq -r '[.[] | select(.xdp.prog.id) | .xdp.prog.id] |
		"\(length) \(unique | length)"'
}

roots_are() {
	[ "$(roots)" = "$1" ]
}

others_are_bare() {
	[ "$(ip -j -d link show type veth | jq '[.[] | select((.ifname | test("^s[0-9]+$") | not) and .xdp.prog.id)] | length')" = 0 ]
}

echo 'resync_s: 86400' >"$work/bpfshared.yaml"
member m1 1 10 's[0-9]*'
member m2 2 20 's[0-9]*'
daemon_start
check "converged on none" converge
batch 'link add s%d type veth peer name q%d' 1 "$count"
check "$count appear" until_true 120 roots_are "$count 1"
equal "which is one directory" 1 "$(find "$bpffs/chains" -mindepth 1 -maxdepth 1 | wc -l)"
check "and nothing else has a root" others_are_bare

# They go, come back under other numbers, change their names, are switched off: all at the same time.
half=$((count / 2)) quarter=$((count / 4))
batch 'link del s%d' 1 $half &
batch 'link set s%d name t%d' $((half + 1)) $((half + quarter)) &
batch 'link set dev s%d xdp off' $((half + quarter + 1)) "$count" &
wait -n; wait -n; wait -n
batch 'link add s%d type veth peer name q%d' 1 $quarter
batch 'link del s%d' 1 $quarter
batch 'link add s%d type veth peer name q%d' 1 $half
batch 'link set t%d name s%d' $((half + 1)) $((half + quarter))
check "after a storm $count are as declared" until_true 120 roots_are "$count 1"
check "and nothing else is" others_are_bare
check "converged" converge
equal "the daemon counts the same" "$count" "$(status_value '.chains | length')"
equal "all of two members" "[2]" "$(status_value '[.chains[].members | length] | unique | tostring')"

batch 'link del s%d' 1 "$count"
check "all go" until_true 60 eval '[ "$(status_value ".chains | length")" = 0 ]'
check "converged" converge
equal "no chain is left" "" "$(ls "$bpffs/chains")"
finish
