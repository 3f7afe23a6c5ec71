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

# watched: inodes of the daemon's sockets that listen to events of interfaces in this namespace
watched() {
	local inode
	while read -r inode; do
		awk -v inode="$inode" '$2 == 0 && $4 !~ /^0+$/ && $10 == inode { print inode }' /proc/net/netlink
	done < <(find "/proc/$daemon_pid/fd" -lname 'socket:*' -printf '%l\n' | grep -oE '[0-9]+')
}

# dropped: how many events those did not take because their buffers were full
dropped() {
	awk -v inodes="$(watched | xargs)" '
		BEGIN { n = split(inodes, list, " "); for (i = 1; i <= n; i++) ours[list[i]] = 1 }
		$10 in ours { sum += $9 }
		END { print sum + 0 }' /proc/net/netlink
}

# overflow DROPPED: events of an interface that no declaration is about, until the daemon, which is stopped, loses some:
# of what happens after that it learns nothing by an event.
overflow() {
	local round i
	for ((round = 0; round < 50; round++)); do
		[ "$(dropped)" = "$1" ] || return 0
		for ((i = 0; i < 1000; i++)); do
			echo "link set lo mtu $((60000 + i))"
		done | ip -batch - || return 1
	done
	return 1
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
check "the daemon's socket for events of interfaces is known" test -n "$(watched)"
kill -STOP "$daemon_pid"
check "so much happens that events are lost" overflow "$(dropped)"
lost=$(dropped)
storm=()
batch 'link del s%d' 1 $half &
storm+=($!)
batch 'link set s%d name t%d' $((half + 1)) $((half + quarter)) &
storm+=($!)
batch 'link set dev s%d xdp off' $((half + quarter + 1)) "$count" &
storm+=($!)
for pid in "${storm[@]}"; do
	wait "$pid" || bail "a part of the storm fails" # its own `bail` ends its subshell alone
done
batch 'link add s%d type veth peer name q%d' 1 $quarter
batch 'link del s%d' 1 $quarter
batch 'link add s%d type veth peer name q%d' 1 $half
batch 'link set t%d name s%d' $((half + 1)) $((half + quarter))
check "and all of the storm is" test "$(dropped)" -ge $((lost + count))
kill -CONT "$daemon_pid"
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
