# shellcheck shell=bash
# shellcheck disable=SC2154 # what lib.sh sets
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
#
# For integration tests: numbered frames (tests/tools/flood.c) through whatever runs at v0. Of the numbers that the
# driver took none may be missing behind the chain, and each frame must carry the marks of all members that are
# declared all the time; so a moment without a member, or without any program, is seen, however short.
#
# A script sources this after lib.sh, calls flood_prepare once, declares members by flood_member, and puts what it
# does between numbered_start and numbered_stop.

# Queues of their own would let frames pass one another.
flood_interface() {
	interface v0 p0
	ip link del v0
	ip link add v0 numrxqueues 1 numtxqueues 1 type veth peer name p0 \
		numrxqueues 1 numtxqueues 1 netns "$peer_pid" || bail "no veth"
	ip link set v0 up
	in_peer ip link set p0 up
}

# flood_prepare: the object, and a bpffs for the result that no test unmounts
flood_prepare() {
	[ -e "$conf/test_flood.bpf.o" ] || bail "no test_flood.bpf.o"
	cp "$conf/test_flood.bpf.o" "$work/"
	mkdir -p "$work/flood"
	mount -t bpf bpf "$work/flood" || bail "no second bpffs"
	flood_result=$work/flood/result
}

# flood_member NAME SLOT PRIORITY: an object whose program writes its mark, another one each time, into its slot
# of each frame and counts frames in the map `flows`. As set: file; filter: whether it drops what is unwanted;
# flows: how that map is declared; hook: tc for a program of tc, which cannot filter.
flood_member() {
	local at='xdp_flood: {attach: [{xdp: {interface: v0}'
	[ "${hook:-xdp}" = xdp ] || at='tc_mark: {attach: [{tc: {interface: v0, direction: ingress}'
	write "$conf/$1.yaml" <<-END
		objects:
		  $1:
		    file: ${file:-test_flood.bpf.o}
		    globals: {slot: $2, mark: $((1 + RANDOM % 200)), filter: ${filter:-false}}
		    maps: {flows: ${flows:-{\}}}
		    programs: {$at, priority: $3}]}}
	END
}

flooder() { # COUNT [PAUSE]: 0 for no end; microseconds after each 64 frames
	nsenter --net="/proc/$peer_pid/ns/net" -- "$builddir/tests/tools/testtool" flood p0 "$1" "${2:-0}"
}

# checker REQUIRED: behind whatever runs at v0; the slots, as bits, whose marks all frames must have
checker() {
	rm -f "$flood_result" "$work/checker" # what says "ready" must be of this one
	"$builddir/tests/tools/testtool" flood-check v0 "$work/test_flood.bpf.o" "$1" \
		"$flood_result" >"$work/checker" &
	checker_pid=$!
	until_true 20 grep -q ready "$work/checker" || bail "the program behind the chain does not load"
}

checker_stop() {
	kill -TERM "$checker_pid"
	wait "$checker_pid"
}

result() { # NAME
	tool flood-result "$flood_result" | tr ' ' '\n' | sed -n "s/^$1=//p"
}

received_is() {
	[ "$(result received)" = "$1" ]
}

received_more_than() {
	[ "$(result received)" -gt "$1" ]
}

# For whoever has to find out where they went.
driver_counters() {
	ip -s -s link show dev v0
	tool driver-counters v0
	in_peer ip -s -s link show dev p0
	echo "softnet, dropped per processor: $(awk '{ print $2 }' /proc/net/softnet_stat | xargs)"
	ctl events 2>/dev/null | tail -n 40
}

# verdict NAME SENT WANTED: of all frames that the driver took
verdict() {
	# what was sent last may still be on its way
	until_true 10 received_is "$3"
	tool flood-result "$flood_result" | sed "s/^/sent=$2 /" | diag
	received_is "$3" || driver_counters | diag
	equal "$1: each wanted frame came through" "$3" "$(result received)"
	equal "$1: no number is missing" 0 "$(result lost)"
	equal "$1: none came late or twice" 0 "$(result late)"
	equal "$1: each has the marks of all that must have seen it ($(result missing))" 0 "$(result unmarked)"
	equal "$1: none is unfiltered" 0 "$(result unfiltered)"
}

# flooder_start [PAUSE], flooder_stop: in the background, without an end; the latter sets flood_sent
flooder_start() {
	flooder 0 "${1:-0}" >"$work/sent" &
	flood_pid=$!
}

flooder_stop() {
	kill -TERM "$(pgrep -P "$flood_pid")"
	wait "$flood_pid"
	flood_sent=$(<"$work/sent")
}

# numbered_start REQUIRED: a stream that is dense enough to see each gap, and leaves time for the rest to others
numbered_start() {
	checker "$1"
	flooder_start $((patience * 300))
	until_true 10 received_more_than 1000 || bail "no frame comes through"
}

# numbered_stop NAME: all that was sent and not unwanted has come, marked as required. One member must be a filter.
numbered_stop() {
	flooder_stop
	verdict "$1" "$flood_sent" $((flood_sent - flood_sent / 8))
	checker_stop
}
