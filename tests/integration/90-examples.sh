#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
# Every file of examples/conf.d, on interfaces with the names that they mean.
# shellcheck source=lib.sh disable=SC2119,SC2016
. "$(dirname "$0")/lib.sh"
examples=$(cd "$(dirname "$0")/../../examples/conf.d" && pwd)
sandbox "$@"

gid=4300
cp /etc/group "$work/group"
for group in netops dash dpdk; do
	getent group $group >/dev/null || echo "$group:x:$((gid++)):" >>"$work/group"
done
mount --bind "$work/group" /etc/group # of this mount namespace only

cp "$examples"/*.yaml "$conf/"
sed -i "s|/tmp/afxdp_dp|$work/afxdp_dp|" "$conf"/*.yaml # nothing outside of the sandbox
check "the examples are valid" ctl check "$conf"
interface eth0 p0
interface eth1 p1
daemon_start
features=$(ctl features --json | jq -r '.features[] | select(.available) | .name')
grep -qx 'tcx\|clsact' <<<"$features" || rm "$conf/50-traffic-counter.yaml"
check "and converge" converge --ready
equal "four programs on each interface, in order" \
	"block-list rate-limiter packet-counter af-xdp@eth0" \
	"$(status_value '.chains[] | select(.interface=="eth0" and .hook=="xdp") | [.members[].object] | join(" ")')"

shares=$run/shares
counter() { tool get "$shares/dashboard/maps/packets" "$1" 0 8; } # by IP protocol
in_peer "$builddir/tests/tools/testtool" send-udp p0 10 192.0.2.1 >/dev/null
equal "the counter counts UDP" 10 "$(counter 11000000)"

# 192.0.2.0/24: prefix length in host order, then the address
unprivileged check "an operator of netops blocks a prefix" as_user 4001 "$(getent group netops | cut -d: -f3)" \
	"$builddir/tests/tools/testtool" put "$shares/block-list/maps/blocked_v4" 18000000c0000200 00000000000000000000000000000000
in_peer "$builddir/tests/tools/testtool" send-udp p0 5 192.0.2.7 >/dev/null
unprivileged equal "its packets are dropped" 5 "$(tool get "$shares/block-list/maps/dropped" 00000000 0 8)"
unprivileged equal "and not counted behind it" 10 "$(counter 11000000)"

if [ -e "$conf/50-traffic-counter.yaml" ]; then
	traffic() { tool get "$shares/traffic/maps/traffic" "$1" 0 8; } # by direction
	received=$(traffic 00000000) sent=$(traffic 01000000)
	in_peer "$builddir/tests/tools/testtool" send-udp p0 7 203.0.113.9 >/dev/null
	"$builddir/tests/tools/testtool" send-udp eth0 3 203.0.113.9 >/dev/null
	check "tc counts what is received" test $(($(traffic 00000000) - received)) -ge 7
	check "and what is sent" test $(($(traffic 01000000) - sent)) -ge 3
else
	skip "tc counts what is received and sent" "the kernel has neither TCX nor clsact"
fi

in_peer "$builddir/tests/tools/testtool" send-udp p0 4000 198.51.100.1 >/dev/null
limited=$(tool get "$shares/dashboard/maps/limited" 00000000 0 8)
check "the limiter stops a burst ($limited of 4000)" test "$limited" -gt 0

equal "each interface has an AF_XDP map of its own" 2 "$(for i in 0 1; do
	tool open "$work/afxdp_dp/eth$i/xsks_map" rw
done | sort -u | wc -l)"
tool receive eth0 "$work/afxdp_dp/eth0/xsks_map" 3 >"$work/received" &
receiver=$!
until_true 10 grep -q ready "$work/received"
in_peer "$builddir/tests/tools/testtool" send-udp p0 3 203.0.113.1 >/dev/null
wait "$receiver"
equal "packets reach the AF_XDP socket in it" 0 $?
equal "where DPDK looks for it" "750 $(getent group dpdk | cut -d: -f3)" \
	"$(stat -c '%a %g' "$work/afxdp_dp/eth0")"
unprivileged equal "a dashboard user reads without privilege" "$(counter 11000000)" \
	"$(as_user 4002 "$(getent group dash | cut -d: -f3)" "$builddir/tests/tools/testtool" get \
		"$shares/dashboard/maps/packets" 11000000 0 8 2>&1)"
finish
