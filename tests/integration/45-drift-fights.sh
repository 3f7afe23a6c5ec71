#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
# Somebody undoes what we do again and again: after some repairs in a short time we stop, say who it is, and try again
# later; what else there is to do goes on. What changes by right is no fight.
# shellcheck source=lib.sh disable=SC2119,SC2016
. "$(dirname "$0")/lib.sh"
force_mechanism tailcall
sandbox "$@"

daemon_settings 'resync_s: 86400'
write "$conf/00-sets.yaml" <<-EOF
	interfaces:
	  all: {select: [{name: "v*"}], xdp: {on_foreign: replace}}
EOF
interface v0 p0
interface v1 p1
member m1 1 10 v0
write "$conf/shares.yaml" <<-EOF
	shares:
	  dashboard:
	    maps: [{map: m1/packets, access: rw}]
	    targets: [{bpffs: {group: 4201}}]
EOF
daemon_start
check "a program and a share" converge
share=$run/shares/dashboard/maps

attachment() { # of m1 on v0: state and reason
	status_value '.objects[] | select(.name == "m1") | .programs[0].attachments[0] | "\(.state) \(.reason)"'
}

is() { # STATE REASON
	[ "$(attachment)" = "$1 $2" ]
}

# Interfaces that come and go and an edited file are no fights.
for i in 1 2 3 4 5 6 7; do
	ip link add vx$i type veth peer name px$i
	member m2 $i 20 'v*'
	converge >/dev/null || bail "does not converge"
	ip link del vx$i
done
check "much that changes by right" converge
equal "much that changes by right is no repair" '{}' "$(status_value '.daemon.repairs | tojson')"
rm "$conf/m2.yaml"
check "and back" converge

bpftool prog load "$builddir/bpf/test_trace.bpf.o" "$work/fs/evil" type xdp || bail "bpftool cannot load"
evil=$(bpftool -j prog show pinned "$work/fs/evil" | jq .id)
ours=$(root_of v0)

# The other manager: what it looks at is what interfaces have, and it wants its own there.
fight() {
	while :; do
		[ "$(root_of v0)" = "$evil" ] ||
			ip -force link set dev v0 xdp pinned "$work/fs/evil" 2>/dev/null
	done
}
fight &
enemy=$!
check "two managers: we stop" until_true 20 is blocked Contested
matches "two managers: plan says that it is left alone" "left alone for now: Contested" \
	"$(ctl plan --bpffs "$bpffs" --conf-dir "$conf" --config "$work/bpfshared.yaml" --run-dir "$run")"
equal "two managers: after so many repairs" 5 "$(repairs RootReplaced)"
matches "two managers: the reason says who" \
	"program xdp_trace .id $evil, loaded by uid 0. was attached instead" \
	"$(status_value '.objects[0].programs[0].attachments[0].message')"
equal "two managers: the event says so once" 1 "$(ctl events | grep -c ' drift .*Contested')"
member m3 3 30 v1
check "two managers: what else there is to do goes on" until_true 20 eval 'test -n "$(root_of v1)"'
equal "two managers: theirs stays" "$evil" "$(root_of v0)"
check "two managers: nothing was attached there meanwhile" test "$(repairs RootReplaced)" = 5
check "two managers: after a time there is one more attempt" until_true 30 eval '[ "$(repairs RootReplaced)" = 6 ]'
check "two managers: and it is given up again" until_true 20 is blocked Contested
kill "$enemy"
wait "$enemy" 2>/dev/null
check "a person says that it is over" ctl reload
check "it is ours again at once" until_true 20 is ready null
equal "with the program that it had" "$ours" "$(root_of v0)"

mode_fight() {
	while :; do
		chmod 0711 "$share" 2>/dev/null
	done
}
mode_fight &
enemy=$!
target() {
	status_value '.shares[0].targets[0] | "\(.state) \(.reason)"'
}
check "a mode that somebody sets again and again: we stop" \
	until_true 20 eval '[ "$(target)" = "blocked Contested" ]'
kill "$enemy"
wait "$enemy" 2>/dev/null
check "and repair it when it is time again" until_true 30 eval '[ "$(stat -c %a "$share")" = 750 ]'
check "all is in order" until_true 20 eval '[ "$(status_value .converged)" = true ]'
finish
