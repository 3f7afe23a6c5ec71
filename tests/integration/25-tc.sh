#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
# Programs at tc: order, directions, verdicts and versions, with real packets; links and filters of
# others keep their places; what is taken away comes back; nothing is written where nothing changed.
# shellcheck source=lib.sh disable=SC2119,SC2016
. "$(dirname "$0")/lib.sh"
sandbox "$@"

# tc_member NAME ID PRIORITY INTERFACE DIRECTION [ATTACHMENT KEYS]: like member, m1 must be the first.
tc_member() {
	local name=$1 id=$2 priority=$3 interface=$4 direction=$5 more=${6:-} use=''
	[ "$name" = m1 ] || use='maps: {trace: {use: m1/trace}}'
	write "$conf/$name.yaml" <<-EOF
		objects:
		  $name:
		    file: test_tc.bpf.o
		    globals: {id: $id, verdict: ${verdict:--1}}
		    $use
		    programs:
		      tc_trace:
		        attach:
		          - {tc: {interface: "$interface", direction: $direction}, priority: $priority${more:+, $more}}
	EOF
}

set_mechanism() {
	write "$conf/00-sets.yaml" <<-EOF
		interfaces:
		  all: {select: [{name: "v*"}], tc: {mechanism: $1}}
	EOF
}

# leave INTERFACE COUNT: frames that this side sends, so that they pass its egress.
leave() {
	tool send "$1" "$2" $sent >/dev/null
	sent=$((sent + $2))
}

has_feature() {
	[ "$(ctl features --json | jq -r ".features[] | select(.name == \"$1\") | .available")" = true ]
}

# tc_chain DIRECTION FILTER: of the status of v0.
tc_chain() {
	status_value ".chains[] | select(.hook == \"tc\" and .interface == \"v0\" and .direction == \"$1\") | $2"
}

names_at() {
	tc_chain "$1" '[.members[] | .object // ("foreign " + .program)] | join(" ")'
}

# Somebody else's program: one of the same file, loaded and pinned by hand.
others=$work/fs/others
load_others() {
	bpftool prog loadall "$conf/test_tc.bpf.o" "$others" type classifier
}

# others_filters: one ahead of ours and one behind.
others_filters() {
	tc filter add dev v0 ingress pref 5 protocol all bpf da object-pinned "$others/tc_trace" &&
		tc filter add dev v0 ingress pref 50000 protocol all bpf da object-pinned \
			"$others/classifier_trace"
}

has_our_filter() {
	tc filter show dev v0 ingress pref 31728 | grep -q bpfshare:
}

wakeups() {
	awk '$1 == "voluntary_ctxt_switches:" { print $2 }' "/proc/$daemon_pid/status"
}

# Nobody asks and nothing happens: passes that make events for each other would be 20 in a second.
is_idle() {
	local before
	before=$(wakeups)
	sleep 1
	[ $(($(wakeups) - before)) -le 3 ]
}

interface v0 p0
daemon_settings 'resync_s: 86400'
daemon_start
if ! has_feature clsact && ! has_feature tcx; then
	reason=$(ctl features --json | jq -r '.features[] | select(.name == "clsact") | .detail')
	tc_member m1 1 10 v0 ingress
	until_true 10 eval 'tc_chain ingress .members >/dev/null; [ "$(status_value ".summary.failed")" = 1 ]'
	matches "a kernel that has neither is told" TcxUnavailable "$(ctl status --json)"
	skip "everything else" "neither TCX nor clsact: $reason"
	finish
fi

# --- what every mechanism does ----------------------------------------------------------

# run_all MECHANISM
run_all() {
	local by=$1
	set_mechanism "$by"
	tc_member m1 1 10 v0 ingress
	tc_member m2 2 30 v0 ingress
	check "$by: two programs at ingress" converge
	equal "$by: by this mechanism" "$by" "$(tc_chain ingress .mechanism)"
	send p0 1
	equal "$by: a packet meets both in order" "1 2" "$(trace_last)"

	tc_member m3 3 20 v0 ingress
	check "$by: one is added between" converge
	send p0 1
	equal "$by: in its place" "1 3 2" "$(trace_last)"

	tc_member m4 4 10 v0 egress
	tc_member m5 5 5 v0 egress
	check "$by: two programs at egress" converge
	leave v0 1
	equal "$by: what is sent meets those" "5 4" "$(trace_last)"
	send p0 1
	equal "$by: and what is received does not" "1 3 2" "$(trace_last)"

	verdict=2 tc_member m3 3 20 v0 ingress
	check "$by: a new version that drops" converge
	send p0 1
	equal "$by: its verdict ends the chain" "1 3" "$(trace_last)"
	verdict=2 tc_member m3 3 20 v0 ingress 'proceed_on: [next, shot]'
	check "$by: a verdict that passes control on" converge
	send p0 1
	equal "$by: the next one runs" "1 3 2" "$(trace_last)"
	matches "$by: it takes a dispatcher" '^[0-9]+$' "$(tc_chain ingress .dispatcher_id)"

	tc_member m3 3 20 v0 ingress
	tc_member m1 1 90 v0 ingress
	check "$by: another order" converge
	send p0 1
	equal "$by: is obeyed" "3 2 1" "$(trace_last)"

	rm "$conf"/m[2345].yaml
	check "$by: all but one are removed" converge
	send p0 1
	equal "$by: it runs alone" 1 "$(trace_last)"
	equal "$by: by itself" null "$(tc_chain ingress .dispatcher_id)"
	equal "$by: no dispatcher is left" "" "$(ls "$bpffs/chains")"
	rm "$conf/m1.yaml"
	check "$by: and then none" converge
}

received() {
	ip -j -s link show dev v0 | jq '.[0].stats64.rx.packets'
}

# A chain changes while packets flow: each is seen by what is there before and after.
run_traffic() {
	local by=$1 before arrived
	tc_member m1 1 10 v0 ingress
	tc_member m2 2 30 v0 ingress
	check "$by: a chain for a flood" converge
	before=$(received)
	flood p0
	check "$by: packets flow" until_true 20 eval '[ "$(seen m2)" -gt 200 ]'
	for change in 'tc_member m3 3 20 v0 ingress' 'tc_member m1 1 40 v0 ingress' \
		'tc_member m2 2 1 v0 ingress "proceed_on: [next, ok]"' 'rm "$conf/m3.yaml"'; do
		eval "$change"
		check "$by: $change" converge
	done
	flood_stop
	arrived=$(($(received) - before))
	# The last ones may be on their way still; one that missed a member never comes.
	until_true 5 eval '[ "$(seen m1)" -ge $arrived ] && [ "$(seen m2)" -ge $arrived ]'
	if [ "$by" = clsact ]; then
		equal "$by: every packet met the first once" "$arrived" "$(seen m1)"
		equal "$by: and the second" "$arrived" "$(seen m2)"
	else
		# Where links give way to a dispatcher, a packet may meet a program twice.
		check "$by: no packet missed the first" test "$(seen m1)" -ge "$arrived"
		check "$by: nor the second" test "$(seen m2)" -ge "$arrived"
	fi
	echo "# $by: $arrived packets arrived, $(seen m1) and $(seen m2) were seen"
	rm "$conf"/m[12].yaml
	check "$by: cleared" converge
}

for mechanism in tcx clsact; do
	if ! has_feature $mechanism; then
		reason=$(ctl features --json | jq -r ".features[] | select(.name == \"$mechanism\") | .detail")
		skip "$mechanism: programs at tc" "$reason"
		continue
	fi
	run_all $mechanism
	run_traffic $mechanism
done

# --- what others do -----------------------------------------------------------------------

check "somebody loads programs" load_others

if has_feature tcx; then
	set_mechanism auto
	tc_member m1 1 10 v0 ingress
	tc_member m2 2 20 v0 ingress
	check "two links" converge
	daemon_stop
	daemon_start
	check "a restart" converge
	equal "writes nothing" 0 "$(ctl events --json | grep -c '"kind": *"operation"')"

	if bpftool net help 2>&1 | grep -q tcx_ingress; then
		check "somebody attaches a program behind ours" bpftool net attach tcx_ingress \
			pinned "$others/tc_trace" dev v0
		tc_member m3 3 30 v0 ingress
		check "one more of ours" converge
		equal "is behind ours, not theirs" "m1 m2 m3 foreign tc_trace" "$(names_at ingress)"
		rm "$conf"/m3.yaml
		check "a change of order" tc_member m1 1 25 v0 ingress
		check "becomes a dispatcher" converge
		equal "in the place of ours" "m2 m1 foreign tc_trace" "$(names_at ingress)"
		send p0 1
		equal "which runs" "2 1" "$(trace_last)"
		check "they detach theirs" bpftool net detach tcx_ingress dev v0
		tc_member m1 1 10 v0 ingress
		rm "$conf/m2.yaml"
		check "one alone" converge
		tc_member m2 2 20 v0 ingress
		check "and two links again" converge
		equal "as links" null "$(tc_chain ingress .dispatcher_id)"
	else
		skip "programs of others in the TCX list" "this bpftool cannot attach one"
	fi

	links=$(ls "$bpffs/links")
	rm "$bpffs/links/$(head -1 <<<"$links")"
	check "a link whose pin is removed, and that so goes, comes back" converge
	send p0 1
	equal "in its place" "1 2" "$(trace_last)"
	for link in "$bpffs"/links/*; do
		bpftool link detach pinned "$link" 2>/dev/null
	done
	ctl reload >/dev/null
	check "links that somebody detached come back" converge
	send p0 1
	equal "in their order" "1 2" "$(trace_last)"
	find "$bpffs" -type f -delete
	find "$bpffs" -mindepth 2 -type d -empty -delete
	check "without any pin" converge
	send p0 1
	equal "everything runs again" "1 2" "$(trace_last)"

	if has_feature clsact; then
		tc qdisc add dev v0 clsact 2>/dev/null
		set_mechanism clsact
		check "to clsact" converge
		send p0 1
		equal "the same chain" "1 2" "$(trace_last)"
		equal "and no link is left" "" "$(ls "$bpffs/links")"
		set_mechanism tcx
		check "and back" converge
		send p0 1
		equal "the same chain again" "1 2" "$(trace_last)"
		equal "and no filter is left" "" "$(tc filter show dev v0 ingress)"
	fi
	ip link del v0
	check "the interface goes: its links go as well" until_true 10 eval '[ -z "$(ls "$bpffs/links")" ]'
	interface v0 p0
	check "it comes again" converge
	send p0 1
	equal "with the chain" "1 2" "$(trace_last)"
	rm "$conf"/m[12].yaml
	check "and all is cleared" converge
fi

if has_feature clsact; then
	set_mechanism clsact
	tc qdisc add dev v0 clsact 2>/dev/null
	check "somebody adds filters" others_filters
	filters=$(tc filter show dev v0 ingress)
	tc_member m1 1 10 v0 ingress
	check "a filter between those of others" converge
	send p0 1
	equal "it runs" 1 "$(trace_last)"
	equal "the status tells of all" "foreign tc_trace m1 foreign classifier_trac" "$(names_at ingress)"
	tc filter del dev v0 ingress pref 31728
	check "it is deleted by somebody and comes back by the event" until_true 10 has_our_filter
	send p0 1
	equal "and runs" 1 "$(trace_last)"
	tc filter replace dev v0 ingress pref 31728 handle 1 protocol all bpf da \
		object-pinned "$others/tc_trace"
	check "somebody's program in its place is seen" until_true 10 \
		eval '[ "$(status_value ".objects[] | select(.name == \"m1\") | .reason")" = ForeignFilter ]'
	tc filter del dev v0 ingress pref 31728
	check "and once that is gone, ours is back" until_true 10 has_our_filter
	tc qdisc del dev v0 clsact
	check "so it is when the whole qdisc is deleted" until_true 10 has_our_filter
	send p0 1
	equal "and runs again" 1 "$(trace_last)"
	check "and no event of our own keeps the daemon at work" until_true 10 is_idle
	check "they add theirs again" others_filters
	rm "$conf/m1.yaml"
	check "ours goes" converge
	equal "and the others stay as they were" "$filters" "$(tc filter show dev v0 ingress)"

	tc qdisc del dev v0 clsact
	tc qdisc add dev v0 ingress
	tc_member m1 1 10 v0 ingress
	tc_member m4 4 10 v0 egress
	check "somebody's ingress qdisc has no egress" until_true 10 \
		eval '[ "$(status_value ".objects[] | select(.name == \"m4\") | .reason")" = IngressQdisc ]'
	send p0 1
	equal "but its ingress serves" 1 "$(trace_last)"
	tc qdisc del dev v0 ingress
	check "with it away there is egress" until_true 10 \
		eval 'tc filter show dev v0 egress | grep -q bpfshare:'
	leave v0 1
	equal "which runs" 4 "$(trace_last)"
	rm "$conf"/m[14].yaml
	check "cleared again" converge
fi

# --- the end -----------------------------------------------------------------------------------

set_mechanism auto
tc_member m1 1 10 v0 ingress
tc_member m2 2 20 v0 egress 'proceed_on: [ok]'
check "something to purge" converge
check "purge" ctl purge
equal "leaves no link" "" "$(ls "$bpffs/links")"
equal "no dispatcher" "" "$(ls "$bpffs/chains")"
equal "no object" "" "$(ls "$bpffs/objects")"
finish
