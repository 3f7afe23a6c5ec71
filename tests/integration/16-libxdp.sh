#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
# Chains by libxdp's protocol where the kernel has trampolines: built, changed, repaired, and moved
# to the other mechanism and back under traffic.
# shellcheck source=lib.sh disable=SC2119,SC2016
. "$(dirname "$0")/lib.sh"
sandbox "$@"

[ "$("$builddir/bpfsharectl" --run-dir "$run" features --json 2>/dev/null |
	jq '.features[] | select(.name == "libxdp") | .available')" = true ] ||
	skip_all "this kernel refuses freplace programs"

mechanism_of() { # INTERFACE
	status_value ".chains[] | select(.interface == \"$1\") | .mechanism"
}
reason_of() { # INTERFACE: why auto took another mechanism
	status_value ".chains[] | select(.interface == \"$1\") | .mechanism_reason"
}
dispatcher() { # INTERFACE
	status_value ".chains[] | select(.interface == \"$1\") | .dispatcher_id"
}
protocol_dir() { # INTERFACE
	echo "$work/fs/xdp/dispatch-$(cat "/sys/class/net/$1/ifindex" 2>/dev/null ||
		ip -j link show dev "$1" | jq '.[0].ifindex')-$(root_of "$1")"
}
pins_of() { # INTERFACE
	(cd "$(protocol_dir "$1")" 2>/dev/null && echo *)
}
is_complete() { # INTERFACE MEMBERS: all protocol pins are there
	[ "$(pins_of "$1" | wc -w)" = $((2 * $2)) ]
}
settings() { # MECHANISM
	write "$work/bpfshared.yaml" <<<"{resync_s: 86400, mass_removal: {and_at_least: 1000}, xdp: {mechanism: $1}}"
}
remember() { # INTERFACE
	same="$(root_of "$1") $(dispatcher "$1")"
}
is_same() {
	[ "$(root_of "$1") $(dispatcher "$1")" = "$same" ]
}

interface v0 p0
interface v1 p1
settings auto
member m1 1 10 v0
daemon_start
check "one program" converge
equal "auto takes libxdp" libxdp "$(mechanism_of v0)"
equal "without anything to explain" null "$(reason_of v0)"
equal "the root is a dispatcher" xdp_dispatcher \
	"$(bpftool -j prog show id "$(root_of v0)" | jq -r .name)"
equal "with the protocol's pins" "prog0-link prog0-prog" "$(pins_of v0)"
send p0 1
equal "it runs" "1" "$(trace_last)"

member m3 3 30 v0
member m2 2 20 v0
check "three programs" converge
equal "pins of three" 6 "$(pins_of v0 | wc -w)"
equal "the former directory is gone" 1 "$(find "$work/fs/xdp" -mindepth 1 -maxdepth 1 -name 'dispatch-*' | wc -l)"
send p0 1
equal "in the declared order" "1 2 3" "$(trace_last)"

# --- verdicts: one rule, however many -------------------------------------------------

rm "$conf/m2.yaml" "$conf/m3.yaml"
verdict=1 member m1 1 10 v0 'proceed_on: [drop]'
check "a lone program that drops" converge
verdict=1 member m2 2 20 v0 'proceed_on: [drop]'
check "two that drop and pass control on" converge
send p0 1
equal "both run" "1 2" "$(trace_last)"
verdict=31 member m1 1 10 v0
verdict=32 member m2 2 20 v0
verdict=2 member m3 3 30 v0
check "return codes beyond the verdicts" converge
send p0 1
equal "31 passes on, 32 ends the chain" "1 2" "$(trace_last)"

# --- as many as the protocol holds ------------------------------------------------------

rm "$conf"/m2.yaml "$conf"/m3.yaml
verdict=2
for i in 1 2 3 4 5 6 7 8 9 10; do member "m$i" "$i" 50 v0; done
check "ten programs of equal priority" converge
equal "are a libxdp chain" libxdp "$(mechanism_of v0)"
send p0 1
equal "in the order of their names" "1 10 2 3 4 5 6 7 8 9" "$(trace_last)"
remember v0
member m11 11 60 v0
check "eleven" converge
equal "are one of tail calls" tailcall "$(mechanism_of v0)"
equal "and the status says why" LibxdpTooManyMembers "$(reason_of v0)"
send p0 1
equal "all run" "1 10 2 3 4 5 6 7 8 9 11" "$(trace_last)"
equal "the protocol's pins are gone" "" "$(ls "$work/fs/xdp")"
settings libxdp
refuse 124 "libxdp alone cannot hold eleven" ctl wait --timeout 2
matches "which is said" 'TooManyMembers' "$(ctl status)"
send p0 1
equal "the chain stays as it was" "1 10 2 3 4 5 6 7 8 9 11" "$(trace_last)"
rm "$conf/m11.yaml"
check "ten again" converge
equal "are a libxdp chain again" libxdp "$(mechanism_of v0)"
for i in 4 5 6 7 8 9 10; do rm "$conf/m$i.yaml"; done
check "three are left" converge

# --- repair by the smallest step ----------------------------------------------------------

remember v0
rm "$(protocol_dir v0)/prog1-link"
check "a link's pin of the protocol is deleted: it comes back" until_true 20 is_complete v0 3
check "nothing else changed" is_same v0
send p0 1
equal "and nothing was lost" "1 2 3" "$(trace_last)"
kill -STOP "$daemon_pid" # or it puts the first pins back while the last are removed
rm "$(protocol_dir v0)"/*
rmdir "$(protocol_dir v0)"
kill -CONT "$daemon_pid"
check "its whole directory: it comes back" until_true 20 is_complete v0 3
check "by no swap" is_same v0
kill -STOP "$daemon_pid"
rm "$bpffs/chains/$(root_of v0)/link-1" "$(protocol_dir v0)/prog1-link"
kill -CONT "$daemon_pid"
check "both pins of a link: they come back" until_true 20 is_complete v0 3
check "reloaded" ctl reload
check "converged" converge
check "by no swap either" is_same v0
send p0 1
equal "and the member runs" "1 2 3" "$(trace_last)"

# --- several interfaces ---------------------------------------------------------------------

for i in 1 2 3; do member "m$i" "$i" $((10 * i)) 'v*'; done
check "the same chain on two interfaces" converge
equal "is one dispatcher" "$(dispatcher v0)" "$(dispatcher v1)"
check "pinned for each" is_complete v1 3
send p1 1
equal "runs on the second" "1 2 3" "$(trace_last)"
ip link del v1
check "an interface goes: its pins go" until_true 20 sh -c "[ \$(ls '$work/fs/xdp' | wc -l) = 1 ]"
send p0 1
equal "the other is as it was" "1 2 3" "$(trace_last)"

# --- mechanisms change under traffic ----------------------------------------------------------

export record=false
for i in 1 2 3; do member "m$i" "$i" $((10 * i)) v0 'on_missing: drop'; done
check "required members that only count" converge
declare -A before # their maps are kept, and have seen different packets so far
for i in 1 2 3; do before[$i]=$(seen "m$i"); done
seen_since() { # NUMBER
	echo $(($(seen "m$1") - before[$1]))
}
flood p0
until_true 20 eval '[ "$(seen_since 3)" -gt 200 ]'
for round in 1 2; do
	settings tailcall
	check "round $round: to tail calls" converge
	equal "round $round: it is" tailcall "$(mechanism_of v0)"
	settings libxdp
	check "round $round: and back" converge
	equal "round $round: it is" libxdp "$(mechanism_of v0)"
	member m4 4 15 v0
	check "round $round: one more" converge
	rm "$conf/m4.yaml"
	check "round $round: and away" converge
done
flood_stop
equal "the second saw every packet that the first saw" "$(seen_since 1)" "$(seen_since 2)"
equal "so did the third" "$(seen_since 1)" "$(seen_since 3)"

# --- restart ------------------------------------------------------------------------------------

remember v0
daemon_stop KILL
daemon_start
check "killed and restarted" converge
check "the same root" is_same v0
equal "without an operation" 0 "$(ctl events --json | grep -c '"kind": *"operation"')"

# --- members of every kind -------------------------------------------------------------------------

write "$conf/move.yaml" <<-END
	objects:
	  move:
	    file: test_move.bpf.o
	    programs: {xdp_move: {attach: [{xdp: {interface: v0}, priority: 5}]}}
END
check "a member that moves packet data, first" converge
equal "in a libxdp chain" libxdp "$(mechanism_of v0)"
packets=$(seen m3)
send p0 3
equal "what follows still sees the packets" $((packets + 3)) "$(seen m3)"
write "$conf/frags.yaml" <<-END
	objects:
	  frags:
	    file: test_frags.bpf.o
	    programs: {xdp_frags: {attach: [{xdp: {interface: v0}, priority: 6}]}}
END
case $(uname -r) in
5.10.*) ok "frags # SKIP this kernel has no multi-buffer XDP" ; rm "$conf/frags.yaml" ;;
*) check "members with and without frags in one chain" converge ;;
esac
rm -f "$conf/move.yaml" "$conf/frags.yaml"
check "all as before" converge

# --- what a program says of itself ------------------------------------------------------------------

# place PROGRAM: its priority and verdicts in the chain of v1
place() {
	status_value ".chains[] | select(.interface == \"v1\") | .members[] | select(.program == \"$1\") |
		\"\(.priority) \(.proceed_on | sort | join(\" \"))\""
}
order_on_v1() {
	status_value '.chains[] | select(.interface == "v1") | [.members[].program] | join(" ")'
}
# configured [KEYS]: of the attachment of the first
configured() {
	write "$conf/configured.yaml" <<-END
		objects:
		  configured:
		    file: test_run_config.bpf.o
		    programs:
		      xdp_late: {attach: [{xdp: {interface: v1}}]}
		      xdp_configured: {attach: [{xdp: {interface: v1}${1:+, $1}}]}
	END
}

interface v1 p1
configured
member m5 5 10 v1
check "programs with .xdp_run_config" converge
equal "run in the order that they ask for" "xdp_configured xdp_trace xdp_late" "$(order_on_v1)"
equal "priority and verdicts are the object's" "7 drop tx" "$(place xdp_configured)"
matches "those that it does not mention are the default" '^65535 .*pass' "$(place xdp_late)"
packets=$(seen m5)
send p1 2
equal "so the first ends the chain" "$packets" "$(seen m5)"
configured 'proceed_on: [pass]'
check "the file says which verdicts pass control on" converge
equal "and not which priority" "7 pass" "$(place xdp_configured)"
packets=$(seen m5)
send p1 2
equal "so the next runs" $((packets + 2)) "$(seen m5)"
configured 'priority: 20, proceed_on: [pass]'
check "and the priority" converge
equal "which is obeyed" "xdp_trace xdp_configured xdp_late" "$(order_on_v1)"
rm "$conf/configured.yaml" "$conf/m5.yaml"
check "all as before once more" converge

# --- packets in several buffers -----------------------------------------------------------------------

frags() { # OBJECT PRIORITY [PROGRAM]
	write "$conf/$1.yaml" <<-END
		objects:
		  $1:
		    file: test_frags.bpf.o
		    programs: {${3:-xdp_frags}: {attach: [{xdp: {interface: v1}, priority: $2}]}}
	END
}
refusal() { # OBJECT
	status_value ".objects[] | select(.name == \"$1\") | .programs[].attachments[] | \"\(.state) \(.message)\""
}
refused() { # OBJECT
	[[ $(refusal "$1") = failed* ]]
}

if kernel_before 5.18; then
	skip "multi-buffer XDP" "this kernel has none"
else
	# the kernel looks at the MTU of the peer
	if ! { in_peer ip link set p1 mtu 9000 && ip link set v1 mtu 9000; }; then bail "no jumbo frames"; fi
	frags f1 10
	frags f2 20
	check "two programs with frags at an MTU of 9000" converge
	equal "are a libxdp chain" "libxdp native 2" "$(status_value '.chains[] | select(.interface == "v1") |
		"\(.mechanism) \(.mode) \(.members | length)"')"
	remember v1
	frags f3 30 xdp_no_frags
	check "one without is refused" until_true 20 refused f3
	matches "which is explained" \
		'with xdp_no_frags the chain of v1 would lose its multi-buffer support, so it stays' "$(refusal f3)"
	check "the chain goes on as it was" is_same v1
	check "with both members" is_complete v1 2
	in_peer ip link set p1 mtu 1500 && ip link set v1 mtu 1500
	check "at a lower MTU it gets in" converge
	check "as the third" is_complete v1 3
	rm "$conf"/f[123].yaml
	check "and all leave" converge
fi

# --- exclusive ----------------------------------------------------------------------------------------

write "$work/bpfshared.yaml" <<<'{resync_s: 86400, xdp: {mechanism: libxdp, exclusive: true}}'
refuse 124 "exclusive takes a detach, which waits" ctl wait --timeout 3
matches "and says so" NeedsConfirm "$(ctl status)"
check "confirmed" ctl confirm
check "done" converge
equal "the dispatcher is on a link" true "$(status_value '.chains[] | select(.interface == "v0") | .exclusive')"
equal "still by libxdp's protocol" libxdp "$(mechanism_of v0)"
packets=$(seen m3)
send p0 3
equal "and every member runs" $((packets + 3)) "$(seen m3)"
settings libxdp
refuse 124 "switched off again it waits as well" ctl wait --timeout 3
matches "and says so" NeedsConfirm "$(ctl status)"
equal "the link stays until then" true "$(status_value '.chains[] | select(.interface == "v0") | .exclusive')"
check "confirmed" ctl confirm
check "done" converge
equal "the dispatcher is on no link" false "$(status_value '.chains[] | select(.interface == "v0") | .exclusive')"
equal "and by libxdp's protocol" libxdp "$(mechanism_of v0)"
packets=$(seen m3)
send p0 3
equal "every member still runs" $((packets + 3)) "$(seen m3)"
check "purge" ctl purge
equal "leaves no root" "" "$(root_of v0)"
equal "and no pins of the protocol" "" "$(ls "$work/fs/xdp")"
finish
