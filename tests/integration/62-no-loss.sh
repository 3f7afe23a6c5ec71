#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
#
# No packet is lost and none goes unfiltered, whatever happens to the chain: a flood of numbered frames at full rate,
# while members come, go and change places, object files are upgraded, and the daemon is restarted and
# killed at any moment. The first, the filter and the last member are declared all the time: each frame must carry
# the marks of all three, each unwanted one must be dropped, and of the numbers that the driver took none may be
# missing behind the chain. A run of the same without bpfshare says what the driver itself loses.
#
#   62-no-loss.sh                        PACKETS=300000 SEED=n MECHANISMS="tailcall libxdp"
#
# shellcheck source=lib.sh disable=SC2119
. "$(dirname "$0")/lib.sh"
sandbox "$@"

packets=${PACKETS:-300000}
seed=${SEED:-$RANDOM}
RANDOM=$seed

# Queues of their own would let frames pass one another.
flood_interface() {
	interface v0 p0
	ip link del v0
	ip link add v0 numrxqueues 1 numtxqueues 1 type veth peer name p0 \
		numrxqueues 1 numtxqueues 1 netns "$peer_pid" || bail "no veth"
	ip link set v0 up
	in_peer ip link set p0 up
}

flooder() {
	nsenter --net="/proc/$peer_pid/ns/net" -- "$builddir/tests/tools/testtool" flood p0 "$1"
}

# checker REQUIRED: behind whatever runs at v0
checker() {
	rm -f "$work/fs/result" "$work/checker" # what says "ready" must be of this one
	"$builddir/tests/tools/testtool" flood-check v0 "$work/test_flood.bpf.o" "$1" \
		"$work/fs/result" >"$work/checker" &
	checker_pid=$!
	until_true 20 grep -q ready "$work/checker" || bail "the program behind the chain does not load"
}

checker_stop() {
	kill -TERM "$checker_pid"
	wait "$checker_pid"
}

result() { # NAME
	tool flood-result "$work/fs/result" | tr ' ' '\n' | sed -n "s/^$1=//p"
}

received_is() {
	[ "$(result received)" = "$1" ]
}

# For whoever has to find out where they went.
driver_counters() {
	ip -s -s link show dev v0
	tool driver-counters v0
	in_peer ip -s -s link show dev p0
	echo "softnet, dropped per processor: $(awk '{ print $2 }' /proc/net/softnet_stat | xargs)"
	ctl events 2>/dev/null | tail -n 40
}

# verdict SENT WANTED: of all frames that the driver took
verdict() {
	# what was sent last may still be on its way
	until_true 10 received_is "$2"
	tool flood-result "$work/fs/result" | sed "s/^/sent=$1 /" | diag
	received_is "$2" || driver_counters | diag
	equal "$name: each wanted frame came through" "$2" "$(result received)"
	equal "$name: no number is missing" 0 "$(result lost)"
	equal "$name: none came late or twice" 0 "$(result late)"
	equal "$name: each has the marks of all that must have seen it ($(result missing))" 0 "$(result unmarked)"
	equal "$name: none is unfiltered" 0 "$(result unfiltered)"
}

# --- what happens ---------------------------------------------------------------------

declare -A slot=([a]=0 [f]=1 [z]=2 [b]=3 [c]=4)
declare -A priority mark

place() { # NAME PRIORITY
	local filter=false
	[ "$1" != f ] || filter=true
	priority[$1]=$2
	mark[$1]=$((1 + RANDOM % 200))
	write "$conf/$1.yaml" <<-END
		objects:
		  $1:
		    file: $1.bpf.o
		    globals: {slot: ${slot[$1]}, mark: ${mark[$1]}, filter: $filter}
		    programs: {xdp_flood: {attach: [{xdp: {interface: v0}, priority: $2}]}}
	END
}

# The same code in another file; in place of the old one as package managers do it.
upgrade() { # NAME
	printf x >>"$work/$1.bpf.o"
	cp "$work/$1.bpf.o" "$conf/.$1.new"
	mv "$conf/.$1.new" "$conf/$1.bpf.o"
}

any_of() {
	local names=("$@")
	echo "${names[RANDOM % $#]}"
}

change() {
	local name
	case $((RANDOM % 6)) in
	0 | 1) # one comes, or changes its place or values
		name=$(any_of b c)
		step="place $name"
		place "$name" $((RANDOM % 100))
		;;
	2)
		name=$(any_of b c)
		step="remove $name"
		rm -f "$conf/$name.yaml"
		;;
	3) # the ones that stay change places, or only their values
		name=$(any_of a f z)
		step="move $name"
		place "$name" $((RANDOM % 100))
		;;
	4 | 5)
		name=$(any_of a f z b c)
		step="upgrade $name"
		upgrade "$name"
		;;
	esac
}

# The daemon ends at any moment of a change, or when there is none.
kill_daemon() { # SIGNAL
	step+=", $1"
	sleep "0.0$((RANDOM % 10))$((RANDOM % 10))" # not a wait: any moment will do
	daemon_stop "$1"
	[ $((RANDOM % 2)) = 0 ] || change
	daemon_start
}

one_round() {
	change
	case $((RANDOM % 5)) in
	0) kill_daemon KILL ;;
	1) kill_daemon TERM ;;
	2) change ;; # two at once
	esac
	rounds=$((rounds + 1))
	converge >/dev/null || return 1
	# nobody else does anything here
	ctl events | grep '  drift  ' >>"$work/drift"
	return 0
}

# --- the runs -------------------------------------------------------------------------

reference() {
	local sent name=reference
	checker 0
	sent=$(flooder "$packets")
	verdict "$sent" "$sent"
	checker_stop
}

flood_chain() { # MECHANISM
	local name=$1 sent start
	rounds=0
	: >"$work/drift"
	forced_mechanism=$1
	daemon_settings
	daemon_start
	place a 10
	place f 50
	place z 90
	check "$name: three members" converge
	checker 0x7
	start=$SECONDS
	flooder 0 >"$work/sent" &
	flood_pid=$!
	while [ "$(result received)" -lt "$packets" ] || [ $rounds -lt 12 ]; do
		one_round || {
			not_ok "$name: round $rounds converges (${step:-})"
			break
		}
	done
	kill -TERM "$(pgrep -P "$flood_pid")"
	wait "$flood_pid"
	sent=$(<"$work/sent")
	verdict "$sent" $((sent - sent / 8))
	equal "$name: no change of ours is taken for somebody's" "" "$(sort -u "$work/drift")"
	echo "$name: $sent frames, $rounds rounds of changes, $((SECONDS - start)) s, seed $seed" | diag
	checker_stop
	rm -f "$conf"/*.yaml
	check "$name: all removed" confirmed
	daemon_stop
}

confirmed() {
	ctl wait --timeout 1 >/dev/null || ctl confirm >/dev/null
	converge
}

[ -e "$conf/test_flood.bpf.o" ] || bail "no test_flood.bpf.o"
cp "$conf/test_flood.bpf.o" "$work/"
for name in a f z b c; do
	cp "$work/test_flood.bpf.o" "$work/$name.bpf.o"
	cp "$work/test_flood.bpf.o" "$conf/$name.bpf.o"
done
echo "seed $seed" | diag
flood_interface
reference
daemon_start
has_libxdp=$(feature libxdp available)
daemon_stop
for mechanism in ${MECHANISMS:-tailcall libxdp}; do
	if [ "$mechanism" = libxdp ] && [ "$has_libxdp" != true ]; then
		skip "libxdp: nothing is lost" "this kernel cannot do it"
	else
		flood_chain "$mechanism"
	fi
done
finish
