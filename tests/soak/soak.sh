#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
#
# Whatever can happen to a node, at random and for a long time: files are added, removed, broken, repaired and swapped,
# object files upgraded, interfaces made, deleted, renamed and moved away, the daemon killed, restarted and
# suspended, pins deleted, roots switched off, shares unmounted and changed. After each few steps it is left alone: it
# must converge, each interface must run just what is declared for it, in order and seen by a real packet, shares must
# lead to the right maps, and what is not ours must be as it was. From time to time all goes back to where it
# began: then programs, maps, links, entries on the bpffs, mounts and descriptors must be as many as at the
# start, and memory must not have grown.
#
#   soak.sh                       SECONDS_TO_RUN=600 SEED=n MECHANISM=tailcall|libxdp
#                                 MEMORY_KIB=3072 (a sanitizer needs more)
#
# On a failure it prints the seed, the last steps, the status and the log, and stops.
# shellcheck source=../integration/lib.sh disable=SC2119
. "$(dirname "$0")/../integration/lib.sh"
force_mechanism "${MECHANISM:-tailcall}"
sandbox "$@"
protocol=$work/fs/xdp # where libxdp's tools look, and others may clean up

seed=${SEED:-$RANDOM}
limit=${SECONDS_TO_RUN:-600}
RANDOM=$seed
began=$SECONDS
steps=0 checks=0 cycles=0

# --- what there is ----------------------------------------------------------------------

# Of each declared member: whose id it writes into the trace, its priority, and the interfaces it asks for.
declare -A id=([m1]=1) priority=([m1]=0) places=([m1]='*')
declare -A broken=() # files that cannot be read at present, with what they said before
declare -A forced=() # interfaces on which another program was put
declare -A links=()  # interfaces beside v0 and v1 that are here, with their peers

log_step() {
	steps=$((steps + 1))
	echo "$steps $((SECONDS - began))s $*" >>"$work/steps"
}

give_up() {
	{
		echo "seed $seed, step $steps: $*"
		echo "--- steps"
		tail -n 40 "$work/steps"
		echo "--- status"
		ctl status
		ctl status --json | jq -c '.objects[] | select(.state != "ready")'
		echo "--- log"
		tail -n 60 "$work/log"
	} 2>&1 | diag
	bail "soak: seed $seed: $*"
}

chance() { # ONE_IN
	[ $((RANDOM % $1)) = 0 ]
}

one_of() {
	local all=("$@")
	echo "${all[RANDOM % $#]}"
}

# --- configuration ------------------------------------------------------------------------

declaration() { # NAME
	local name=$1 use='maps: {trace: {use: m1/trace}}' extra=''
	[ "$name" != m1 ] || use=''
	[ "$name" != m5 ] || extra='instances: interface'
	cat <<-END
		objects:
		  $name:
		    file: $name.bpf.o
		    globals: {id: ${id[$name]}, ethertype: 0x88b5}
		    $use
		    $extra
		    programs:
		      xdp_trace: {attach: [{xdp: {interface: "v${places[$name]}"}, priority: ${priority[$name]}}]}
	END
}

object_file() { # NAME
	[ -e "$work/$1.bpf.o" ] || cp "$work/trace.bpf.o" "$work/$1.bpf.o"
	[ -e "$1.bpf.o" ] || cp "$work/$1.bpf.o" "$conf/$1.bpf.o"
}

add_member() { # NAME
	id[$1]=$((10 * ${1#m} + RANDOM % 10))
	priority[$1]=$((1 + RANDOM % 200))
	places[$1]=$(one_of '*' 0 1 '[0-4]')
	[ "$1" != m5 ] || places[m5]=0 # one instance is one more object to load
	object_file "$1"
	unset "broken[$1]"
	declaration "$1" | write "$conf/$1.yaml"
}

step_add() {
	local name
	name=$(one_of m2 m3 m4 m5)
	add_member "$name"
	log_step "declare $name: id ${id[$name]}, priority ${priority[$name]}, v${places[$name]}"
}

step_remove() {
	local name
	name=$(one_of m2 m3 m4 m5)
	rm -f "$conf/$name.yaml"
	unset "id[$name]" "broken[$name]"
	log_step "withdraw $name"
}

step_break() {
	local name
	name=$(one_of m2 m3 m4 m5)
	[ -n "${id[$name]:-}" ] || return 0
	broken[$name]=1
	echo "objects: {$name: [" | write "$conf/$name.yaml"
	log_step "break $name.yaml"
}

repair_files() {
	local name
	for name in "${!broken[@]}"; do
		declaration "$name" | write "$conf/$name.yaml"
		unset "broken[$name]"
		log_step "repair $name.yaml"
	done
}

step_upgrade() {
	local name
	name=$(one_of m1 m2 m3 m4 m5)
	object_file "$name"
	if chance 3; then # as compilers do it, in the file itself
		printf x >>"$conf/$name.bpf.o"
		log_step "upgrade $name in place"
	else
		printf x >>"$work/$name.bpf.o"
		cp "$work/$name.bpf.o" "$conf/.$name.new" && mv "$conf/.$name.new" "$conf/$name.bpf.o"
		log_step "upgrade $name"
	fi
}

# As kubelet does it; the member of the volume is m6.
publish_number=0
publish() {
	local old dir
	publish_number=$((publish_number + 1))
	dir=..version_$publish_number old=$(readlink "$volume/..data")
	mkdir "$volume/$dir"
	cp "$work/trace.bpf.o" "$volume/$dir/m6.bpf.o"
	chance 2 && printf x >>"$volume/$dir/m6.bpf.o"
	id[m6]=$((60 + RANDOM % 10)) priority[m6]=$((1 + RANDOM % 200)) places[m6]=1
	declaration m6 >"$volume/$dir/m6.yaml"
	ln -s "$dir" "$volume/..data_tmp" && mv -T "$volume/..data_tmp" "$volume/..data"
	[ -z "$old" ] || rm -r "${volume:?}/$old"
}

step_swap() {
	publish
	log_step "swap the volume: m6 id ${id[m6]}, priority ${priority[m6]}"
}

# --- interfaces -----------------------------------------------------------------------------

links_made=0
step_link_add() {
	local name
	name=v$(one_of 2 3 4 5)
	[ -z "${links[$name]:-}" ] || return 0
	links_made=$((links_made + 1)) # an interface that moved away still has its peer
	interface "$name" "q$links_made"
	links[$name]=q$links_made
	log_step "make $name"
}

step_link_delete() {
	local names=("${!links[@]}") name
	[ ${#names[@]} -gt 0 ] || return 0
	name=$(one_of "${names[@]}")
	ip link del "$name"
	unset "links[$name]"
	log_step "delete $name"
}

step_link_rename() {
	local names=("${!links[@]}") name to
	[ ${#names[@]} -gt 0 ] || return 0
	name=$(one_of "${names[@]}") to=v$(one_of 2 3 4 5)
	[ -z "${links[$to]:-}" ] || return 0
	ip link set "$name" down
	ip link set "$name" name "$to" || give_up "cannot rename $name to $to"
	ip link set "$to" up
	links[$to]=${links[$name]}
	unset "links[$name]"
	log_step "rename $name to $to"
}

# To where nobody looks, with its root, and to its end there.
step_link_move() {
	local names=("${!links[@]}") name
	[ ${#names[@]} -gt 0 ] || return 0
	name=$(one_of "${names[@]}")
	ip link set "$name" netns "$away_pid" name "was$steps" || give_up "cannot move $name"
	log_step "move $name away"
	unset "links[$name]"
	chance 2 || return 0
	nsenter --net="/proc/$away_pid/ns/net" ip link del "was$((steps - 1))"
	log_step "delete $name there"
}

empty_away() {
	nsenter --net="/proc/$away_pid/ns/net" ip -j link show type veth | jq -r '.[].ifname' |
		while read -r name; do
			nsenter --net="/proc/$away_pid/ns/net" ip link del "$name"
		done
}

# --- the daemon -----------------------------------------------------------------------------

start_daemon() {
	daemon_start --conf-dir "$volume"
	# sockets of one that was killed are there as well, so it has to answer
	until_true 40 ctl status || give_up "the daemon does not answer"
}

step_kill() {
	sleep "0.$((RANDOM % 2))$((RANDOM % 10))" # not a wait: any moment will do
	daemon_stop KILL
	log_step "kill the daemon"
	if chance 3; then
		step_add
		step_link_add
		step_pin
	fi
	start_daemon
}

step_restart() {
	daemon_stop TERM
	log_step "restart the daemon"
	start_daemon
}

suspended=''
step_suspend() {
	[ -z "$suspended" ] || return 0
	ctl suspend >/dev/null || give_up "suspend"
	suspended=1
	log_step "suspend"
}

resume() {
	[ -n "$suspended" ] || return 0
	ctl resume >/dev/null || give_up "resume"
	suspended=''
	log_step "resume"
}

# --- drift -----------------------------------------------------------------------------------

step_pin() {
	local pin
	pin=$(find "$bpffs" -type f 2>/dev/null | shuf -n 1 --random-source=<(yes "$RANDOM"))
	[ -n "$pin" ] || return 0
	rm -f "$pin"
	log_step "delete pin ${pin#"$bpffs/"}"
}

step_directory() {
	local dir
	dir=$(find "$bpffs" -mindepth 2 -maxdepth 2 -type d 2>/dev/null | shuf -n 1 --random-source=<(yes "$RANDOM"))
	[ -n "$dir" ] || return 0
	# the daemon may be quicker than that
	find "$dir" -type f -delete 2>/dev/null
	find "$dir" -depth -type d -delete 2>/dev/null
	log_step "delete directory ${dir#"$bpffs/"}"
}

step_off() {
	local name
	name=$(one_of v0 v1 "${!links[@]}")
	ip link set "$name" xdp off 2>/dev/null
	log_step "switch off the root of $name"
}

# Somebody else's program where ours was.
step_force() {
	local name
	name=$(one_of v0 v1 "${!links[@]}")
	bpftool net attach xdp pinned "$work/fs/foreign/program" dev "$name" overwrite 2>/dev/null || return 0
	forced[$name]=1
	log_step "force another program on $name"
}

# They go again, unless the daemon took the place back.
withdraw_forced() {
	local name
	for name in "${!forced[@]}"; do
		if [ "$(root_of "$name" 2>/dev/null)" = "$foreign_root" ]; then
			ip link set "$name" xdp off
			log_step "which is taken off $name"
		fi
	done
	forced=()
}

step_slot() {
	local array pin
	if [ "$forced_mechanism" = libxdp ]; then # nobody can edit a link, but pins can go
		pin=$(find "$protocol" -type f 2>/dev/null | shuf -n 1 --random-source=<(yes "$RANDOM"))
		[ -n "$pin" ] || return 0
		rm -f "$pin"
		log_step "delete pin ${pin#"$work/fs/"}"
		return
	fi
	array=$(find "$bpffs/chains" -name members 2>/dev/null | head -n 1)
	[ -n "$array" ] || return 0
	bpftool map delete pinned "$array" key 0 0 0 0 2>/dev/null
	log_step "empty a slot"
}

step_tc() {
	local link
	link=$(find "$bpffs/links" -type f 2>/dev/null | head -n 1)
	[ -n "$link" ] || return 0
	bpftool link detach pinned "$link" 2>/dev/null
	log_step "detach a link"
}

step_share() {
	local at=$run/shares/seen
	[ -d "$at/maps" ] || return 0
	case $((RANDOM % 4)) in
	0)
		umount "$at/maps" 2>/dev/null
		log_step "unmount the share"
		;;
	1)
		chmod 0777 "$at/maps" 2>/dev/null
		log_step "open the share to all"
		;;
	2)
		chown 4242 "$at/maps" 2>/dev/null
		log_step "give the share away"
		;;
	3)
		mount --make-private "$at/maps" 2>/dev/null
		log_step "make the share's mount private"
		;;
	esac
}

# --- what must hold ----------------------------------------------------------------------------

matches_place() { # NAME INTERFACE
	# shellcheck disable=SC2053 # a pattern it is
	[[ $2 = v${places[$1]} ]]
}

# Ids of those that must see a packet, in order: by priority, then by name.
wanted_trace() { # INTERFACE
	local name
	for name in "${!id[@]}"; do
		matches_place "$name" "$1" && echo "${priority[$name]} $name ${id[$name]}"
	done | sort -k1,1n -k2,2 | awk '{ printf "%s%s", sep, $3; sep = " " } END { print "" }'
}

sees() { # INTERFACE PEER
	send "$2" 1
	[ "$(trace_last)" = "$(wanted_trace "$1")" ]
}

check_traffic() {
	local name
	for name in v0 v1 "${!links[@]}"; do
		sees "$name" "${links[$name]:-p${name#v}}" ||
			give_up "$name runs '$(trace_last)', declared is '$(wanted_trace "$name")'"
	done
}

check_share() {
	local there ours
	there=$(tool open "$run/shares/seen/maps/packets" ro 2>&1)
	ours=$(tool open "$(object_dir m1)/maps/packets" ro 2>&1)
	[ "$there" = "$ours" ] || give_up "the share leads to map $there, not $ours"
	[ "$(stat -c '%u %a' "$run/shares/seen/maps")" = "0 750" ] ||
		give_up "the share is $(stat -c '%u %a' "$run/shares/seen/maps")"
}

check_foreign() {
	[ "$(root_of x0)" = "$foreign_root" ] || give_up "the foreign root changed"
	[ -e "$work/fs/foreign/program" ] || give_up "the foreign pin is gone"
	kill -0 "$foreign_tc_pid" 2>/dev/null || give_up "the foreign tc program ended"
}

tc_runs() {
	local before
	before=$(tool get "$(object_dir t1)/maps/packets" 00000000 0 8)
	send p0 1
	[ "$(tool get "$(object_dir t1)/maps/packets" 00000000 0 8)" -gt "$before" ]
}

settle() {
	resume
	repair_files
	withdraw_forced
	# As an operator: what waits is confirmed, and the fight, for which all of this may be taken, is over.
	ctl wait --timeout 1 >/dev/null 2>&1 || {
		ctl confirm
		ctl reload
	} >/dev/null 2>&1
	ctl wait --timeout 40 >/dev/null 2>&1 || give_up "does not converge"
	check_traffic
	check_share
	check_foreign
	tc_runs || give_up "the tc program does not run"
	checks=$((checks + 1))
}

# --- the start, and back to it --------------------------------------------------------------------

# What is ours in the kernel: programs by their metadata map, whose name carries our mark, what maps they have,
# and their links.
kernel_counts() {
	local mark programs
	mark=$(bpftool -j map show pinned "$(object_dir m1)/meta" | jq -r .name)
	bpftool -j map show | jq --arg mark "$mark" '[.[] | select(.name == $mark) | .id]' >"$work/marks"
	bpftool -j prog show | jq --slurpfile marks "$work/marks" \
		'[.[] | select(any(.map_ids[]?; . as $i | $marks[0] | index($i)))]' >"$work/programs"
	programs=$(jq -c 'map(.id)' "$work/programs")
	echo "programs $(jq length "$work/programs")"
	echo "maps $(jq '[.[].map_ids[]?] | unique | length' "$work/programs")"
	echo "metadata $(jq length "$work/marks")"
	echo "links $(bpftool -j link show | jq --argjson p "$programs" \
		'[.[] | select(.prog_id as $i | $p | index($i))] | length')"
	echo "entries $(find "$bpffs" | wc -l)"
	# a dispatcher by libxdp's protocol can have one map only, so it is known by its name and its pins
	[ "$forced_mechanism" != libxdp ] || {
		echo "dispatchers $(bpftool -j prog show | jq '[.[] | select(.name == "xdp_dispatcher")] | length')"
		echo "protocol $(find "$protocol" 2>/dev/null | wc -l)"
	}
	echo "mounts $(grep -c "$work" /proc/self/mountinfo)"
	echo "descriptors $(find "/proc/$daemon_pid/fd" -mindepth 1 | wc -l)"
}

# What counts the users of a dispatcher by libxdp's protocol is loaded when the first one is removed, and then kept:
# a few descriptors that not every life of the daemon has by itself.
remove_a_chain() {
	[ "$forced_mechanism" = libxdp ] || return 0
	add_member m2
	places[m2]='*'
	declaration m2 | write "$conf/m2.yaml"
	settle
	rm "$conf/m2.yaml"
	unset "id[m2]"
	settle
}

counts_are_as_at_first() {
	kernel_counts >"$work/counts"
	cmp -s "$work/counts" "$work/first_counts"
}

rss_anon() { # KiB
	awk '/^RssAnon/ { print $2 }' "/proc/$daemon_pid/status"
}

back_to_start() {
	local name
	for name in "${!links[@]}"; do
		ip link del "$name"
		unset "links[$name]"
	done
	empty_away
	for name in m2 m3 m4 m5; do
		rm -f "$conf/$name.yaml"
		unset "id[$name]" "broken[$name]"
	done
	log_step "back to the start"
	settle
	remove_a_chain
	# the kernel lets go of what is removed some time after
	until_true 20 counts_are_as_at_first || {
		diff "$work/first_counts" "$work/counts" | diag
		give_up "more or less is left than there was at the start"
	}
	memory=$(rss_anon)
	[ "$memory" -le "$memory_most" ] || give_up "the daemon takes $memory KiB, $memory_most are allowed"
	[ "$memory" -le "$memory_seen" ] || memory_seen=$memory
	cycles=$((cycles + 1))
}

set_up_foreign() {
	interface x0 px0
	mkdir "$work/fs/foreign"
	bpftool prog load "$work/trace.bpf.o" "$work/fs/foreign/program" || bail "no foreign program"
	bpftool net attach xdp pinned "$work/fs/foreign/program" dev x0 || bail "no foreign root"
	foreign_root=$(root_of x0)
	"$builddir/tests/tools/testtool" flood-check v1 "$work/test_flood.bpf.o" 0 "$work/fs/foreign/result" \
		>"$work/foreign_tc" &
	foreign_tc_pid=$!
	until_true 10 grep -q ready "$work/foreign_tc" || bail "no foreign tc program"
}

set_up() {
	cp "$conf/test_trace.bpf.o" "$work/trace.bpf.o"
	mv "$conf/test_flood.bpf.o" "$work/"
	interface v0 p0
	interface v1 p1
	unshare --net sleep infinity &
	away_pid=$!
	until_true 5 different_netns "$away_pid" || bail "no third network namespace"
	set_up_foreign
	volume=$work/volume
	mkdir "$volume"
	publish
	object_file m1
	declaration m1 | write "$conf/m1.yaml"
	write "$conf/t1.yaml" <<-END
		objects:
		  t1:
		    file: test_tc.bpf.o
		    programs: {tc_trace: {attach: [{tc: {interface: v0, direction: ingress}}]}}
	END
	write "$conf/shares.yaml" <<-END
		shares:
		  seen: {maps: [m1/packets], targets: [{bpffs: {}}]}
	END
	daemon_settings 'mass_removal: {and_at_least: 1000000}'
	start_daemon
	settle
}

# --- the run ------------------------------------------------------------------------------------

# Some twice: what is likely on a node.
all_steps=(add add add remove remove break upgrade upgrade swap link_add link_add link_delete link_rename
	link_move kill kill restart suspend pin pin directory off off force slot tc share share)
calm_steps=(add add remove break upgrade swap link_add link_delete link_rename suspend pin off force slot tc share)

run() { # UNTIL STEPS...
	local until=$1 i k
	shift
	while [ $((SECONDS - began)) -lt "$until" ]; do
		for ((i = 0; i < 8; i++)); do
			for ((k = RANDOM % 4; k >= 0; k--)); do
				"step_$(one_of "$@")"
			done
			settle
		done
		back_to_start
	done
}

set_up
[ "$(feature "$forced_mechanism" available)" = true ] ||
	skip_all "$forced_mechanism: $(feature "$forced_mechanism" detail)"
remove_a_chain
kernel_counts >"$work/first_counts"
# What was needed once is kept by the C library; a daemon that worked takes more than one that did not.
memory_first=$(rss_anon) memory_seen=0
memory_most=$((memory_first + ${MEMORY_KIB:-3072}))
{
	echo "seed $seed, $limit s, $forced_mechanism; at the start:" "$(xargs <"$work/first_counts")" "memory $memory_first KiB"
} | diag
began=$SECONDS # under emulation all this takes a minute or more
run $((limit * 2 / 3)) "${all_steps[@]}"
ok "seed $seed: $steps steps with kills, $checks checks, $cycles times back at the start"
# A daemon that lives on, for what only time brings.
restarted=$steps
daemon_stop TERM
start_daemon
run "$limit" "${calm_steps[@]}"
ok "$((steps - restarted)) more steps in one life: memory at most $memory_seen KiB, at first $memory_first KiB"
kernel_counts | xargs echo "at the end:" "memory $(rss_anon) KiB," | diag
ctl events 2>/dev/null | wc -l | xargs echo "events told:" | diag
finish
