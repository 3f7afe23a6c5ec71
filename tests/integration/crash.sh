# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
#
# The walk over all points at which a reconciliation can be interrupted. A scenario is a change from
# configuration A to configuration B; at each of its writes to the kernel (tests/tools/crashtool.c says
# which these are) the daemon is killed before the call, killed after it, or gets an error instead
# of it. Then it is started again, undisturbed, and everything must be as if nothing had happened:
#
#   - it exits with 0, and pins, mounts, files, roots and links are those of an undisturbed run
#   - of all programs, maps and links that were ever made just those of an undisturbed run live
#   - what was written into maps before is there
#   - each packet of a stream that ran all the time was seen by each member of both configurations
#
# A run that got an error must exit with 0 or 1; with 0 all this must hold at once, with 1
# the error's own words must be in its output. A daemon that goes on is walked likewise (daemon_scenario).
#
#   CRASH_EVERY=N     every Nth of all (point, action) only; default 101, under emulation less
#   CRASH_OFFSET=N    which of them comes first
#   CRASH_ACTIONS     some of the actions below
#   SCENARIOS         some of the scenarios, by name
# shellcheck disable=SC2154 # what lib.sh sets

crash_actions=(kill-before kill-after ENOMEM EPERM EBUSY EINTR ENOSPC)
# shellcheck disable=SC2206 # words
[ -z "${CRASH_ACTIONS:-}" ] || crash_actions=($CRASH_ACTIONS)
crash_every=${CRASH_EVERY:-$((101 * patience * short_patience))}
crash_next=${CRASH_OFFSET:-0}
crash_failures_shown=3
crash_daemon_most=400 # more points than any change in a running daemon has

declare -A crash_words=(
	[ENOMEM]="Cannot allocate memory"
	[EPERM]="Operation not permitted"
	[EBUSY]="Device or resource busy"
	[EINTR]="Interrupted system call"
	[ENOSPC]="No space left on device"
)

# Looking for leaks takes ptrace, which crashtool has taken.
export ASAN_OPTIONS=detect_leaks=0${ASAN_OPTIONS:+:$ASAN_OPTIONS}

crashtool() {
	"$builddir/tests/tools/crashtool" "$@"
}

# crash_side_by_side: a sample of all scenarios, and the end of the script.
crash_side_by_side() {
	local logs status
	[ "$(id -u)" = 0 ] || skip_all "needs root"
	logs=$(mktemp -d "${TMPDIR:-/tmp}/bpfshare-crash.XXXXXX") || bail "no temporary directory"
	CRASH_EVERY=$crash_every CRASH_LOGS=$logs bash "$(dirname "$0")/crash-all.sh"
	status=$?
	rm -rf "$logs"
	exit $status
}

# crash_setup: interfaces, stream and settings for all scenarios.
crash_setup() {
	echo "# crash: every ${crash_every}th of all points and actions, from the ${crash_next}th on"
	mapfile -t crash_options < <(daemon_options)
	crash_arrived=0
	rm -f "$conf"/*
	interface v0 p0
	interface v1 p1
	: >"$work/created"
	mkdir "$work/stream" "$work/empty"
	echo '# nothing' >"$work/empty/nothing.yaml" # without any file it is not known what is wanted
	mkfifo "$work/stream/in" "$work/stream/out"
	"$builddir/tests/tools/crashtool" stream v0 p0 "/proc/$peer_pid/ns/net" <"$work/stream/in" >"$work/stream/out" &
	exec 7>"$work/stream/in" 8<"$work/stream/out"
}

# crash_run [ARGUMENT OF crashtool...]: one reconciliation; its words are in $work/output.
crash_run() {
	crashtool run -c "$work/created" "$@" -- \
		"$builddir/bpfshared" "${crash_options[@]}" --once >"$work/output" 2>&1
}

# crash_configure DIRECTORY: its files become the configuration.
crash_configure() {
	local file old=() new=()
	for file in "$1"/*; do [ ! -e "$file" ] || new+=("$file"); done
	for file in "$conf"/*; do
		[ ! -e "$file" ] || [ -e "$1/${file##*/}" ] || old+=("$file")
	done
	[ ${#old[@]} = 0 ] || rm "${old[@]}"
	[ ${#new[@]} = 0 ] || cp "${new[@]}" "$conf/"
}

# crash_clear: nothing is declared.
crash_clear() {
	crash_configure "$work/empty"
	crash_run
}

crash_state() {
	crashtool state "$work/created" "$work" "$run" "$state" "${bpffs%/*}"
	! type -t "${crash_name}_state" >/dev/null || "${crash_name}_state"
}

# Of a share that is gone: interrupted between umount and rmdir they stay, empty, since no later start can
# tell them from such that somebody else made, and has bound; the next mount takes them. So where the run that
# was disturbed had unmounted a share, they may be there.
crash_directories='^file [a-z/]*/run/shares(/s(/maps)?)? mode 040755 owner 0:0$'
crash_unmounted() { # uses list
	[[ $list = *' umount2 '* ]]
}

# crash_is STATE [DISTURBED]: programs and maps go a grace period after their last user, so this is to be tried
# for a while. With DISTURBED the store of last good versions may be that of A, or of A and B.
crash_is() {
	local want=$1 got
	crash_now=$(crash_state)
	[ -z "$crash_generic" ] || crash_now=${crash_now//, generic:/, native:}
	[ "$want" != "$crash_now" ] || return 0
	got=$crash_now
	if [ -n "${2:-}" ]; then
		crash_store_is_known || return 1
		want=$(grep -v '/state/' <<<"$want") got=$(grep -v '/state/' <<<"$got")
	fi
	if [ -n "$crash_left" ]; then
		want=$(grep -Ev "$crash_directories" <<<"$want") got=$(grep -Ev "$crash_directories" <<<"$got")
	fi
	[ "$want" = "$got" ]
}

# What is in the store is what A or B has there, whole, or was not yet renamed.
crash_store_is_known() {
	! grep '/state/' <<<"$crash_now" | grep -v '/[.]new ' |
		grep -vxqF "$crash_store"
}

crash_becomes() {
	until_true 10 crash_is "$@"
}

# crash_counts: what the counters of the scenario say, into the array crash_counted.
crash_counts() {
	local counter pin pins=()
	for counter in $crash_counters; do
		pin=("$bpffs/objects/${counter%/*}"/*/"maps/${counter#*/}")
		pins+=("${pin[0]}")
	done
	crash_counted=()
	# No <(…) in what runs thousands of times: bash waits for ever for a child that has the number of the last one.
	[ ${#pins[@]} = 0 ] || mapfile -t crash_counted <<<"$(crashtool counts "${pins[@]}")"
}

crash_stream_go() {
	echo go >&7
}

crash_stream_stop() { # sets crash_arrived
	echo stop >&7
	read -r -t 30 _ crash_arrived <&8 || bail "the stream of packets ended"
}

# The start of a scenario's iteration: configuration A, undisturbed.
crash_to_a() {
	! type -t "${crash_name}_reset" >/dev/null || "${crash_name}_reset"
	[ "$crash_name" != first_start ] || return 0
	crash_configure "$work/a"
	crash_run
}

# What is to be found again: each word of crash_marks has a function WORD_put that writes a NUMBER, below 2^32, into maps
# of A, and WORD_get that prints one number from each of those places in B.
crash_marks_put() {
	local mark
	for mark in $crash_marks; do "${mark}_put" "$1" || crash_say "cannot write the mark $mark"; done
}

crash_marks_check() {
	local mark found number
	for mark in $crash_marks; do
		found=$("${mark}_get" "$1" 2>&1)
		for number in ${found:-nothing}; do
			[ "$number" = "$1" ] || crash_say "of the mark $mark, $1 everywhere, there is: $found"
			[ "$number" = "$1" ] || break
		done
	done
}

# crash_hex NUMBER SIZE [TIMES]: the bytes of a number of up to 2^32, little end first, and then zeros for the others
crash_hex() {
	local hex bytes
	printf -v hex '%08x' "$1"
	printf -v bytes '%s%0*d' "${hex:6:2}${hex:4:2}${hex:2:2}${hex:0:2}" $((2 * $2 * ${3:-1})) 0
	echo "${bytes:0:2 * $2 * ${3:-1}}"
}

# The change that is interrupted, undone if it was one of the kernel's and not of the files.
crash_to_b() {
	crash_configure "$work/b"
	! type -t "${crash_name}_break" >/dev/null || "${crash_name}_break"
}

crash_say() {
	crash_fault=1
	printf '%s\n' "$@" >>"$work/fault"
}

crash_difference() {
	diff <(echo "$crash_state_b") <(echo "$crash_now") | head -n 12
}

# crash_of_store POINT: a call for the store, by absolute path or relative to its directories.
crash_of_store() {
	[[ $1 =~ /state/|[[:space:]][.]new[[:space:]]|unlinkat ]]
}

# crash_check_output ACTION STATUS POINT: of the disturbed run.
crash_check_output() {
	local disturbed=''
	case $1:$2 in
	kill-*:137) ;;
	kill-*) crash_say "exit status $2 instead of being killed" ;;
	*:0)
		# The store of last good versions holds nothing up: it may be older then, or have something too many.
		! crash_of_store "$3" || disturbed=1
		crash_becomes "$crash_state_b" "$disturbed" ||
			crash_say "it says that it converged, but:" "$(crash_difference)"
		;;
	*:1)
		grep -q "${crash_words[$1]}" "$work/output" ||
			crash_say "nothing says \"${crash_words[$1]}\""
		;;
	*) crash_say "exit status $2" ;;
	esac
}

# crash_check_stream BEFORE...: counters and arrivals from there on must have grown alike.
crash_check_stream() {
	local before=("$@") now arrived=$((crash_arrived - crash_arrived_before)) i
	crash_counts
	now=("${crash_counted[@]}")
	[ $arrived -gt 0 ] || crash_say "no packet arrived"
	for ((i = 0; i < ${#before[@]}; i++)); do
		[ $((now[i] - before[i])) = $arrived ] ||
			{ [ -n "$crash_twice" ] && [ $((now[i] - before[i])) -gt $arrived ]; } ||
			crash_say "counter $i saw $((now[i] - before[i])) of $arrived packets"
	done
}

# crash_point POINT ACTION: one iteration.
crash_point() {
	local point=$1 action=$2 counts status list
	crash_fault='' crash_left='' crash_generic='' crash_number=$((crash_number + 1))
	: >"$work/fault"
	if ! crash_to_a; then
		crash_say "configuration A does not converge" "$(cat "$work/output")"
		crash_report "$point" "$action"
		return 1
	fi
	crash_marks_put $crash_number
	crash_arrived_before=$crash_arrived
	crash_counts
	counts=("${crash_counted[@]}")
	[ -z "$crash_counters" ] || crash_stream_go
	crash_to_b
	crash_run -o "$work/list" -n "$point" "$action"
	status=$?
	list=$(<"$work/list")
	! crash_unmounted || crash_left=1
	[[ $list = *'#'* ]] || crash_say "the point was not reached"
	! crash_is_refusal "$action" "$list" || crash_generic=1
	crash_check_output "$action" $status "$(tail -n 1 <<<"${list%%#*}")"
	crash_output=$(<"$work/output")
	crash_run || crash_say "the next start does not converge: exit status $?" "$(cat "$work/output")"
	if [ -n "$crash_counters" ]; then
		crash_stream_stop
		crash_check_stream "${counts[@]}"
	fi
	crash_becomes "$crash_state_b" ||
		crash_say "it is not as it should be:" "$(crash_difference)"
	crash_marks_check $crash_number
	[ -z "$crash_fault" ] || crash_report "$point" "$action"
	[ -z "$crash_generic" ] || crash_clear
}

# crash_is_refusal ACTION LIST: an interface's driver says by these that it lacks queues or room for native mode, and
# `auto` then takes generic mode for good.
crash_is_refusal() {
	local point
	point=$(tail -n 1 <<<"${2%%#*}")
	[[ $1 = ENOMEM || $1 = ENOSPC ]] && [[ $point = *" netlink 19 "* || $point = *" LINK_CREATE "* ]]
}

crash_report() { # POINT ACTION
	crash_failed=$((crash_failed + 1))
	[ $crash_failed -le $crash_failures_shown ] || return 0
	{
		echo "$crash_name, point $1 ($(sed -n "$1p" "$work/list")), $2:"
		cat "$work/fault"
		echo "what the disturbed run said:"
		sed '/^generation/,$d' <<<"${crash_output:-}"
	} | diag
}

# Points that only start the daemon are the same everywhere; the scenario `restart` has them.
crash_first_point() {
	local name
	[ "$crash_name" != restart ] || return 0
	paste -d'|' <(crash_names "$work/list.idle") <(crash_names "$work/list.b") |
		awk -F'|' '$1 != $2 { exit } { n++ } END { print n + 0 }'
}

crash_names() { # LIST: calls without what differs from run to run
	awk '{ print $2, $3 ~ /^[A-Z_]+$/ ? $3 : "" }' "$1"
}

# crash_reference: from A to B and back undisturbed, twice, since the way may leave its trace in the end.
crash_reference() {
	for _ in 1 2; do
		crash_to_a || return 1
		crash_store_remember
		crash_to_b
		crash_run -o "$work/list.b" || return 1
	done
	crash_run -o "$work/list.idle" || return 1
	crash_settle
	crash_state_b=$crash_now
	crash_store_remember
}

# What went is gone when the state is the same for a while.
crash_settle() {
	local same=0 before
	crash_now=$(crash_state)
	while [ $same -lt 5 ]; do
		before=$crash_now
		sleep 0.03
		if crash_is "$before"; then same=$((same + 1)); else same=0; fi
	done
}

crash_store_remember() {
	crash_store+=$(crash_state | grep '/state/')$'\n'
}

# crash_begin NAME COUNTERS WORDS
crash_begin() {
	local word
	crash_name=$1 crash_counters=$2 crash_marks='' crash_twice='' crash_store='' crash_left='' crash_generic=''
	crash_failed=0 crash_number=0
	for word in $3; do
		if [ "$word" = twice ]; then crash_twice=1; else crash_marks+=" $word"; fi
	done
}

# crash_selected SCENARIO
crash_selected() {
	[ -z "${SCENARIOS:-}" ] || [[ " $SCENARIOS " = *" $1 "* ]]
}

# crash_write_sides NAME: both configurations of the scenario.
crash_write_sides() {
	local conf_dir=$conf side
	for side in a b; do
		rm -rf "${work:?}/$side"
		mkdir "$work/$side"
		conf=$work/$side
		"$1_$side"
		conf=$conf_dir
		[ -n "$(ls -A "$work/$side")" ] || cp "$work/empty/nothing.yaml" "$work/$side/"
	done
}

# crash_not_beyond POINTS: at least one of them is interrupted.
crash_not_beyond() {
	[ "$1" = 0 ] || crash_next=$((crash_next % ($1 * ${#crash_actions[@]})))
}

# crash_sum NAME POINTS KILLS ERRORS
crash_sum() {
	echo "# crash: scenario $1: $2 points, $3 kills, $4 errors"
	equal "$1: no trace of any of $(($3 + $4)) interruptions" 0 "$crash_failed"
	crash_points=$((${crash_points:-0} + $2))
	crash_kills=$((${crash_kills:-0} + $3))
	crash_errors=$((${crash_errors:-0} + $4))
}

# scenario NAME COUNTERS [WORDS]: functions NAME_a and NAME_b write the configurations into $conf; NAME_begin
# and NAME_end are for the scenario, NAME_reset is called before each A, NAME_break after it, while no daemon runs; all
# these if they exist. COUNTERS are maps (OBJECT/MAP) in which members of both count every packet. The WORDS are marks
# (crash_marks_put); with `twice` both forms of a chain run for a while, by design, so that packets may be counted
# twice.
scenario() {
	local name=$1 first point action total kills=0 errors=0 points=0
	crash_selected "$name" || return 0
	crash_begin "$name" "$2" "${3:-}"
	crash_write_sides "$name"
	crash_clear || bail "the scenario before $name left something behind: $(cat "$work/output")"
	! type -t "${name}_begin" >/dev/null || "${name}_begin"
	mapfile -t crash_options < <(daemon_options)
	if ! crash_reference; then
		not_ok "$name: undisturbed"
		diag <"$work/output"
		return
	fi
	first=$(crash_first_point)
	total=$(wc -l <"$work/list.b")
	crash_not_beyond $((total - ${first:-0}))
	for ((point = ${first:-0} + 1; point <= total; point++)); do
		for action in "${crash_actions[@]}"; do
			if [ "$crash_next" -gt 0 ]; then
				crash_next=$((crash_next - 1))
				continue
			fi
			crash_next=$((crash_every - 1))
			crash_point $point "$action" || break 2
			if [[ $action = kill-* ]]; then kills=$((kills + 1)); else errors=$((errors + 1)); fi
		done
		points=$((points + 1))
	done
	crash_sum "$name" $points $kills $errors
	! type -t "${name}_end" >/dev/null || "${name}_end"
}

# --- a daemon that goes on ------------------------------------------------------------------

# crash_daemon_start: under the tracer, which takes what to do next from a file.
crash_daemon_start() {
	# not crashtool(): in the background, the process to signal would be a shell that waits for it
	"$builddir/tests/tools/crashtool" run -s "$work/control" -o "$work/list" -c "$work/created" -- \
		"$builddir/bpfshared" "${crash_options[@]}" 2>>"$work/log" &
	daemon_pid=$!
	# not the socket: one that was killed leaves it
	until_true 20 ctl status || bail "the daemon did not start: $(tail -n 5 "$work/log")"
}

# crash_arm POINT ACTION: from now on, counted from now on.
crash_arm() {
	echo "$*" >"$work/control.new"
	mv "$work/control.new" "$work/control"
	kill -USR1 "$daemon_pid"
	until_true 5 test ! -e "$work/control" || bail "the tracer does not answer"
}

crash_daemon_wait() { # SECONDS
	ctl wait --timeout "$1" >"$work/output" 2>&1
}

crash_daemon_to_a() {
	if type -t "${crash_name}_reset" >/dev/null; then
		crash_configure "$work/empty"
		crash_daemon_wait 20
	fi
	crash_configure "$work/a"
	crash_daemon_wait 20
}

# The disturbance, and what the daemon that got it, or the next one, makes of it; uses and sets list.
crash_daemon_disturbed() { # ACTION
	local limit=20
	# These are final for a load, so they are not waited for.
	[[ $1 != EPERM && $1 != EBUSY ]] || limit=2
	crash_repairs_before=$(crash_repairs)
	crash_to_b
	if [[ $1 = kill-* ]]; then
		crash_daemon_killed
		return
	fi
	if ! crash_daemon_repaired $limit; then
		[ $limit = 2 ] || crash_say "it does not converge by itself" "$(cat "$work/output")"
		grep -q "${crash_words[$1]}" "$work/output" "$work/log" ||
			crash_say "nothing says \"${crash_words[$1]}\"" "$(cat "$work/output")"
		ctl reload >/dev/null 2>&1
		crash_daemon_wait 20 ||
			crash_say "it does not converge when told to" "$(cat "$work/output")"
	fi
	list=$(<"$work/list")
}

# Killed at the point, which the list tells, or else converged without coming to it.
crash_daemon_killed() {
	local waiting status
	! type -t "${crash_name}_break" >/dev/null || until_true 20 crash_daemon_repairs ||
		crash_say "nothing is repaired"
	# It goes on waiting when the daemon has gone. Not TERM: a child that is not there yet would run our trap.
	"$builddir/bpfsharectl" --run-dir "$run" wait --timeout 60 >"$work/output" 2>&1 &
	waiting=$!
	until_true 20 crash_either_ended "$daemon_pid" $waiting ||
		crash_say "it neither converges nor comes to the point"
	kill -KILL $waiting 2>/dev/null
	wait $waiting 2>/dev/null
	list=$(<"$work/list")
	[[ $list = *'#'* ]] || return 0
	wait "$daemon_pid"
	status=$?
	[ $status = 137 ] || crash_say "exit status $status instead of being killed"
	crash_output=$(tail -n 30 "$work/log")
	crash_daemon_start
	crash_daemon_wait 20 || crash_say "the next daemon does not converge" "$(cat "$work/output")"
}

crash_either_ended() {
	! kill -0 "$1" || ! kill -0 "$2"
}

crash_daemon_ended() {
	! kill -0 "$daemon_pid" 2>/dev/null
}

# Of files the daemon knows when it is asked; of what was done to the kernel when it has counted a repair.
crash_daemon_repaired() { # SECONDS
	if type -t "${crash_name}_break" >/dev/null; then
		until_true "$1" crash_daemon_repairs || return 1
	fi
	crash_daemon_wait "$1"
}

crash_repairs() {
	status_value '[.daemon.repairs[]?] | add // 0'
}

crash_daemon_repairs() {
	crash_daemon_ended || [ "$(crash_repairs)" -gt "$crash_repairs_before" ]
}

# crash_daemon_point POINT ACTION: false when there is no such point.
crash_daemon_point() {
	local list counts disturbed=''
	crash_fault='' crash_left='' crash_output='' crash_number=$((crash_number + 1))
	: >"$work/fault"
	: >"$work/log"
	crash_daemon_to_a || crash_say "configuration A does not converge" "$(cat "$work/output")"
	crash_marks_put $crash_number
	crash_arm "$1" "$2"
	crash_arrived_before=$crash_arrived
	crash_counts
	counts=("${crash_counted[@]}")
	crash_stream_go
	crash_daemon_disturbed "$2"
	crash_stream_stop
	crash_check_stream "${counts[@]}"
	! crash_unmounted || crash_left=1
	# What is too many in the store goes with the next change of the files.
	! crash_of_store "$(tail -n 1 <<<"${list%%#*}")" || disturbed=1
	crash_arm 0 none
	crash_becomes "$crash_state_b" "$disturbed" ||
		crash_say "it is not as it should be:" "$(crash_difference)"
	crash_marks_check $crash_number
	[ -n "$crash_output" ] || crash_output=$(tail -n 30 "$work/log")
	[ -z "$crash_fault" ] || {
		echo "$list" >"$work/list"
		crash_report "$1" "$2"
	}
	[[ $list = *'#'* ]]
}

# daemon_scenario NAME COUNTERS [WORDS]: the same points in a daemon that runs on after an error: its own retries must
# do, or for what no retry helps, `reload`. Where it is killed, the next one must do.
daemon_scenario() {
	local name=$1 point action kills=0 errors=0 points=0 more=1
	crash_selected "daemon_$name" || return 0
	crash_begin "$name" "$2" "${3:-}"
	crash_write_sides "$name"
	crash_clear || bail "the scenario before $name left something behind: $(cat "$work/output")"
	crash_daemon_start
	crash_daemon_reference || {
		diag <"$work/output"
		bail "daemon_$name: undisturbed"
	}
	for ((point = 1; more; point++)); do
		for action in "${crash_actions[@]}"; do
			if [ "$crash_next" -gt 0 ] && [ $point -lt $crash_daemon_most ]; then
				crash_next=$((crash_next - 1))
				continue
			fi
			crash_next=$((crash_every - 1))
			crash_daemon_point $point "$action" || more=''
			[ -n "$more" ] || break
			if [[ $action = kill-* ]]; then kills=$((kills + 1)); else errors=$((errors + 1)); fi
		done
		points=$((points + 1))
	done
	daemon_stop
	crash_sum "daemon_$name" $((points - 1)) $kills $errors
}

crash_daemon_reference() {
	crash_daemon_to_a || return 1
	crash_store_remember
	crash_repairs_before=$(crash_repairs)
	crash_arm 0 none
	crash_to_b
	crash_daemon_repaired 20 || return 1
	crash_not_beyond "$(wc -l <"$work/list")"
	crash_settle
	crash_state_b=$crash_now
	crash_store_remember
}

crash_finish() {
	echo "# crash: all: ${crash_points:-0} points, ${crash_kills:-0} kills, ${crash_errors:-0} errors"
	exec 7>&- 8<&-
	finish
}
