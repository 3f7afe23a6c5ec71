#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
# xdp-loader, of the releases that write version 2 and version 3 of the protocol, on our chains, and we
# on its: it sees, joins and leaves them; what was ours is there again after our next pass; what
# was its own is carried through every change of ours.
# shellcheck source=lib.sh disable=SC2119,SC2016
. "$(dirname "$0")/lib.sh"
sandbox "$@"

for loader in "${XDP_LOADER_1_3:-}" "${XDP_LOADER_1_6:-}"; do
	[ -n "$loader" ] || skip_all "needs xdp-loader 1.3 and 1.6 (make check-vm fetches them)"
done
[ "$("$builddir/bpfsharectl" --run-dir "$run" features --json 2>/dev/null |
	jq '.features[] | select(.name == "libxdp") | .available')" = true ] ||
	skip_all "this kernel refuses freplace programs"

export LIBXDP_BPFFS=$work/fs
foreign=$builddir/bpf/packet_counter.bpf.o

settings() { # PROTOCOL [MECHANISM]
	write "$work/bpfshared.yaml" <<<"{resync_s: 86400, xdp: {mechanism: ${2:-auto}}, libxdp: {protocol: $1}}"
}
loader() {
	"$xdp_loader" "$@"
}
# ids of what xdp-loader lists in a chain, in order
listed() { # INTERFACE
	loader status "$1" 2>/dev/null | grep '=>' | grep -oE '\b[0-9]+ +[0-9a-f]{16}\b' | awk '{ print $1 }'
}
listed_names() { # INTERFACE
	loader status "$1" 2>/dev/null | awk '/=>/ { print $3 }' | xargs
}
# names of the members in order, those of others marked
chain_of() { # INTERFACE
	status_value ".chains[] | select(.interface == \"$1\") |
		[.members[] | if .owner == \"foreign\" then \"+\" + .program else .object end] | join(\" \")"
}
mechanism_of() { # INTERFACE
	status_value ".chains[] | select(.interface == \"$1\") | .mechanism"
}
foreign_id() { # INTERFACE
	status_value ".chains[] | select(.interface == \"$1\") | [.members[] | select(.owner == \"foreign\") | .id][0]"
}
our_id() { # INTERFACE OBJECT
	status_value ".chains[] | select(.interface == \"$1\") | .members[] | select(.object == \"$2\") | .id"
}
becomes() { # SECONDS INTERFACE CHAIN
	until_true "$1" eval "[ \"\$(chain_of $2)\" = '$3' ]"
}
is_ours() { # INTERFACE: no trace of another dispatcher is left
	[ "$(status_value '[.. | .reason? // empty | select(. == "ForeignDispatcher")] | length')" = 0 ] &&
		ctl wait --timeout 1
}
# how many packets the program of others counted
counted() { # PROGRAM_ID
	local map
	map=$(bpftool -j prog show id "$1" | jq '.map_ids[0]')
	bpftool -j map dump id "$map" | jq '[.. | objects | .packets? // empty] | add'
}
send_ip() {
	in_peer "$builddir/tests/tools/testtool" send-udp p0 "$1" 192.0.2.1 >/dev/null
}

interface v0 p0
interface v1 p1
settings 2
daemon_start

for protocol in 2 3; do
	[ $protocol = 2 ] && xdp_loader=$XDP_LOADER_1_3 || xdp_loader=$XDP_LOADER_1_6
	who="version $protocol"
	settings $protocol
	member m1 1 10 v0
	member m2 2 60 v0
	check "$who: two programs of ours" converge
	equal "$who: a libxdp chain" libxdp "$(mechanism_of v0)"
	equal "$who: xdp-loader lists both, in order" "$(our_id v0 m1) $(our_id v0 m2)" "$(listed v0 | xargs)"

	check "$who: xdp-loader joins" loader load -m native -P 50 v0 "$foreign"
	check "$who: we see it between ours" becomes 20 v0 "m1 +xdp_packet_counter m2"
	check "$who: the dispatcher is ours again" until_true 30 is_ours v0
	theirs=$(foreign_id v0)
	equal "$who: and xdp-loader lists all three" "$(our_id v0 m1) $theirs $(our_id v0 m2)" "$(listed v0 | xargs)"
	before=$(counted "$theirs")
	send p0 2
	send_ip 3
	equal "$who: ours run" "1 2" "$(trace_last)"
	check "$who: the other one runs" test "$(counted "$theirs")" -gt "$((${before:-0}))"

	member m3 3 55 v0
	check "$who: one more of ours" converge
	equal "$who: theirs is carried along" "m1 +xdp_packet_counter m3 m2" "$(chain_of v0)"
	equal "$who: with its id" "$theirs" "$(foreign_id v0)"
	rm "$conf/m3.yaml"
	check "$who: and away" converge
	equal "$who: theirs stays" "m1 +xdp_packet_counter m2" "$(chain_of v0)"

	check "$who: unload --id of ours" loader unload --id "$(our_id v0 m1)" v0
	check "$who: it comes back" becomes 30 v0 "m1 +xdp_packet_counter m2"
	check "$who: settled" converge
	check "$who: unload --id of theirs" loader unload --id "$theirs" v0
	check "$who: it is gone" becomes 30 v0 "m1 m2"
	check "$who: settled" converge

	check "$who: it joins once more" loader load -m native -P 5 v0 "$foreign"
	check "$who: as the first" becomes 30 v0 "+xdp_packet_counter m1 m2"
	check "$who: settled" converge
	loader unload --all v0 >/dev/null 2>&1
	check "$who: after unload --all ours are back, theirs is not" becomes 30 v0 "m1 m2"
	check "$who: settled" converge
	send p0 1
	equal "$who: and run" "1 2" "$(trace_last)"

	check "$who: theirs is first on another interface" loader load -m native -P 50 v1 "$foreign"
	member m1 1 10 'v*'
	member m2 2 60 'v*'
	check "$who: ours join it" converge
	equal "$who: around it" "m1 +xdp_packet_counter m2" "$(chain_of v1)"
	rm "$conf/m1.yaml" "$conf/m2.yaml"
	check "$who: ours leave" converge
	equal "$who: theirs stays" "xdp_packet_counter" "$(listed_names v1)"
	loader unload --all v1 >/dev/null 2>&1
	check "$who: nothing is left" until_true 20 sh -c "! ls '$work/fs/xdp' | grep -q dispatch"
done

# --- races --------------------------------------------------------------------------------

xdp_loader=$XDP_LOADER_1_6
settings 3
check "protocol 3" converge
member m2 2 60 v0
pids=()
for _ in 1 2 3 4 5 6; do
	loader load -m native -P 50 v0 "$foreign" >/dev/null 2>&1 &
	pids+=($!)
done
member m1 1 10 v0
wins=0
for pid in "${pids[@]}"; do
	wait "$pid" && wins=$((wins + 1))
done
echo "# $wins of six parallel loaders got in"
check "at least one got in" test "$wins" -ge 1
check "six loaders and we at once: ours are there in the end" until_true 60 ctl wait --timeout 10
matches "around all that got in" "^m1( .xdp_packet_counter){$wins} m2\$" "$(chain_of v0)"
equal "nobody is lost" "$((wins + 2))" "$(listed v0 | wc -l)"
send p0 1
equal "ours run" "1 2" "$(trace_last)"
loader unload --all v0 >/dev/null 2>&1
check "all of theirs leave" becomes 30 v0 "m1 m2"
check "settled" converge

# --- clean, from another namespace ------------------------------------------------------------

root=$(root_of v0)
in_peer env LIBXDP_BPFFS="$LIBXDP_BPFFS" "$xdp_loader" clean >/dev/null 2>&1
send p0 1
equal "xdp-loader clean in another namespace: not a packet misses ours" "1 2" "$(trace_last)"
check "the pins come back" until_true 30 eval '[ "$(listed v0 | wc -l)" = 2 ]'
equal "without a swap" "$root" "$(root_of v0)"

# --- a program that is no chain ------------------------------------------------------------------

rm "$conf/m1.yaml" "$conf/m2.yaml"
check "ours leave" converge
ip link set dev v0 xdp obj "$foreign" sec xdp 2>/dev/null
if [ -n "$(root_of v0)" ]; then
	member m1 1 10 v0
	refuse 124 "a program without a dispatcher is not joined" ctl wait --timeout 2
	matches "and named" 'ForeignProgram.*xdp_packet_coun' "$(ctl status)"
	ip link set dev v0 xdp off
	check "once it is gone ours attach" converge
else
	skip "a program without a dispatcher" "ip cannot attach one here"
fi
finish
