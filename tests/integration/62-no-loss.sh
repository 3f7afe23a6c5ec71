#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
#
# No packet is lost and none goes unfiltered, whatever happens to the chain: a flood of numbered frames at full rate,
# while members of XDP and of tc come, go, change places, values and the size of their maps, object files are upgraded,
# and the daemon is restarted and killed at any moment. The first, the filter and the last member, and two of tc, are
# declared all the time: each frame must carry the marks of all of them, each unwanted one must be dropped, and of
# the numbers that the driver took none may be missing behind the chain. What members counted stays in their maps,
# and a consumer always finds one in the share. A run of the same without bpfshare says what the driver itself loses.
#
#   62-no-loss.sh                        PACKETS=300000 SEED=n MECHANISMS="tailcall libxdp"
#
# shellcheck source=lib.sh disable=SC2119
. "$(dirname "$0")/lib.sh"
# shellcheck source=flood.sh
. "$(dirname "$0")/flood.sh"
sandbox "$@"

packets=${PACKETS:-300000}
seed=${SEED:-$RANDOM}
RANDOM=$seed

# --- what happens ---------------------------------------------------------------------

declare -A slot=([a]=0 [f]=1 [z]=2 [b]=3 [c]=4 [ta]=5 [tz]=6 [tb]=7)
declare -A priority size

place() { # NAME PRIORITY: with another mark, which is a global variable
	local file=$1.bpf.o filter=false hook=xdp flows="{max_entries: ${size[$1]:=64}, on_change: grow}"
	[ "$1" != f ] || filter=true
	[[ $1 != t* ]] || hook=tc
	priority[$1]=$2
	flood_member "$1" "${slot[$1]}" "$2"
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

# A larger map, up to a number of entries that takes no time to copy.
grow() { # NAME
	[ "${size[$1]}" -ge 4096 ] || size[$1]=$((size[$1] * 2))
	place "$1" "${priority[$1]}"
}

change() {
	local name
	case $((RANDOM % 8)) in
	0 | 1) # one comes, or changes its place or values
		name=$(any_of b c $tb)
		step="place $name"
		place "$name" $((RANDOM % 100))
		;;
	2)
		name=$(any_of b c $tb)
		step="remove $name"
		rm -f "$conf/$name.yaml"
		;;
	3) # the ones that stay change places, or only their values
		name=$(any_of a f z $ta $tz)
		step="move $name"
		place "$name" $((RANDOM % 100))
		;;
	4 | 5)
		name=$(any_of a f z b c $ta $tz $tb)
		step="upgrade $name"
		upgrade "$name"
		;;
	6 | 7)
		name=$(any_of a z $ta $tz)
		step="grow the map of $name"
		grow "$name"
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

# What a member counted goes on with its map: no key is ever missing again, and the share leads to that very map.
# Of the 48 keys those of unwanted frames are only met before the filter.
flow_keys() { # NAME
	bpftool -j map dump pinned "$(object_dir "$1")/maps/flows" | jq length
}
declare -A keys
maps_are_whole() {
	local name now
	for name in a z $ta $tz; do
		now=$(flow_keys "$name")
		[ "$now" -ge "${keys[$name]:=42}" ] || {
			step+=": the map of $name has $now keys, and had ${keys[$name]}"
			return 1
		}
		keys[$name]=$now
	done
	[ "$(tool open "$share/flows" ro)" = "$(tool open "$(object_dir a)/maps/flows" ro)" ] || {
		step+=": the share leads to another map"
		return 1
	}
}

# A consumer that opens the share at any moment.
consume() {
	while :; do
		tool open "$share/flows" ro >/dev/null 2>&1 || echo miss >>"$work/misses"
		echo round >>"$work/opened"
		sleep 0.05 # not a wait: the processors are for the flood
	done
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
	maps_are_whole || return 1
	# nobody else does anything here
	ctl events | grep '  drift  ' >>"$work/drift"
	return 0
}

# --- the runs -------------------------------------------------------------------------

reference() {
	local sent name=reference
	checker 0
	sent=$(flooder "$packets")
	verdict "$name" "$sent" "$sent"
	checker_stop
}

flood_chain() { # MECHANISM
	local name=$1 required=0x7 start ta='' tz='' tb='' consumer
	rounds=0 keys=()
	: >"$work/drift"
	: >"$work/opened"
	forced_mechanism=$1
	daemon_settings
	daemon_start
	[ "$(feature tcx available)" != true ] || ta=ta tz=tz tb=tb required=0x67
	place a 10
	place f 50
	place z 90
	[ -z "$ta" ] || place ta 10
	[ -z "$ta" ] || place tz 90
	echo 'shares: {flood: {maps: [a/flows], targets: [{bpffs: {}}]}}' | write "$conf/share.yaml"
	check "$name: three members, ${ta:+two of tc, }and a share" converge
	checker "$required"
	consume &
	consumer=$!
	start=$SECONDS
	flooder_start
	until_true 10 received_more_than 1000
	while [ "$(result received)" -lt "$packets" ] || [ $rounds -lt 12 ]; do
		one_round || {
			not_ok "$name: round $rounds converges (${step:-})"
			break
		}
	done
	flooder_stop
	verdict "$name" "$flood_sent" $((flood_sent - flood_sent / 8))
	equal "$name: no change of ours is taken for somebody's" "" "$(sort -u "$work/drift")"
	kill "$consumer"
	wait "$consumer" 2>/dev/null
	check "$name: the share was opened often" test "$(wc -l <"$work/opened")" -gt 20
	refuse 1 "$name: and had a map each time" test -e "$work/misses"
	echo "$name: $flood_sent frames, $rounds rounds of changes, $((SECONDS - start)) s, seed $seed," \
		"maps of $(for i in "${!size[@]}"; do echo "$i ${size[$i]}"; done | sort | xargs) entries" | diag
	checker_stop
	rm -f "$conf"/*.yaml
	check "$name: all removed" confirmed
	daemon_stop
}

confirmed() {
	ctl wait --timeout 1 >/dev/null || ctl confirm >/dev/null
	converge
}

flood_prepare
share=$run/shares/flood/maps
for name in "${!slot[@]}"; do
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
