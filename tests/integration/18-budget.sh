#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
# Members of a tail-call chain that make tail calls of their own: since 6.12 one budget of 33 serves the
# whole packet, and what comes after it is exhausted must fail as declared, not silently.
# shellcheck source=lib.sh disable=SC2119,SC2016
. "$(dirname "$0")/lib.sh"
sandbox "$@"

settings() {
	write "$work/bpfshared.yaml" <<<'{resync_s: 86400, xdp: {mechanism: tailcall}}'
}
# callers COUNT: members that make two tail calls each, before all others
callers() {
	local i
	# Only what is too many: to take all away first would be a mass removal that waits for its confirmation.
	for ((i = $1 + 1; i <= 11; i++)); do rm -f "$conf/t$i.yaml"; done
	for ((i = 1; i <= $1; i++)); do
		write "$conf/t$i.yaml" <<-END
			objects:
			  t$i:
			    file: test_tailcalls.bpf.o
			    programs: {xdp_first: {attach: [{xdp: {interface: v0}, priority: 5}]}}
		END
	done
}
# the kernel shares one budget among all that a packet meets
shares_budget() {
	local major minor
	IFS=. read -r major minor _ <<<"$(uname -r)"
	[ "$major" -gt 6 ] || { [ "$major" = 6 ] && [ "$minor" -ge 12 ]; }
}

# IPv4 packets that came through to the stack
received() {
	awk '$1 == "Ip:" && !seen++ { for (i = 1; i <= NF; i++) if ($i == "InReceives") column = i }
		$1 == "Ip:" { value = $column } END { print value }' /proc/net/snmp
}
send_ip() {
	in_peer "$builddir/tests/tools/testtool" send-udp p0 1 192.0.2.1 >/dev/null
}

interface v0 p0
settings
callers 10
member m1 1 10 v0
member m2 2 20 v0
daemon_start
check "ten members that make two tail calls each, and two" converge
send p0 1
equal "33 tail calls serve them all" "1 2" "$(trace_last)"
for i in 1 10; do
	equal "caller $i got through" 1 "$(tool get "$(object_dir "t$i")/maps/reached" 00000000 0 8)"
done

callers 11
check "eleven" converge
send p0 1
if shares_budget; then
	equal "have used it up: what may be missing is stepped over" "1 2" "$(trace_last)"
	equal "and did not see the packet" 1 "$(seen m1)"
	before=$(received)
	send_ip
	equal "the packet passes" $((before + 1)) "$(received)"
	member m1 1 10 v0 'on_missing: drop'
	check "a required member behind them" converge
	before=$(received)
	send_ip
	send_ip
	callers 10
	check "ten again" converge
	send_ip
	equal "dropped the packets in its place" $((before + 1)) "$(received)"
else
	equal "all run: every sub-program has a budget of its own here" 2 "$(seen m1)"
fi
finish
