#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
#
# What a daemon costs that has nothing to do, with many attachments: a pass that changes nothing, a restart, its
# memory, and how soon it answers drift and a new interface. Figures, never a pass or a fail. Three shapes:
#
#   shared    three objects; one chain of three programs on each of COUNT interfaces
#   instances the same with one object loaded once for each interface, with maps of its own
#   tc        one object at tc ingress of each of COUNT interfaces
#
# CPU time is the daemon's own (schedstat, in nanoseconds), a mean over PASSES passes that `bpfsharectl wait` asks
# for: each reads the files and looks at the whole kernel state. System calls are counted by strace, where
# there is one, in passes of their own. Writes are the calls that change what the kernel holds (attach,
# pin, fill, mount, make or remove names on bpffs, a netlink request other than for reading); programs and maps that a
# start makes to try what this kernel can do, and lets go at once, are in the row `probes`.
#
#   bench_steady.sh [JSON_FILE]           COUNT=1000 PASSES=20 SHAPES="shared instances tc"
# shellcheck source=../integration/lib.sh disable=SC2119
. "$(dirname "$0")/../integration/lib.sh"
json=${1:-}
[ -z "$json" ] || [[ $json = /* ]] || json=$PWD/$json
force_mechanism tailcall
sandbox "$json"

count=${COUNT:-1000}
passes=${PASSES:-20}
rows=()

now() { # microseconds
	echo $((${EPOCHREALTIME/[.,]/}))
}

median() {
	sort -n | awk '{ v[NR] = $1 } END { print NR ? v[int((NR + 1) / 2)] : "" }'
}

# row WHAT UNIT VALUE [TARGET]: a value that could not be had is empty.
row() {
	printf '%-10s %-40s %12s %-8s %s\n' "$shape" "$1" "${3:--}" "$2" "${4:--}"
	rows+=("$(jq -cn --arg shape "$shape" --arg what "$1" --arg unit "$2" --arg value "$3" \
		--arg target "${4:-}" '{shape: $shape, what: $what, unit: $unit,
		value: (if $value == "" then null else $value | tonumber end),
		target: (if $target == "" then null else $target end)}')")
}

cpu_us() {
	awk '{ printf "%d\n", $1 / 1000 }' "/proc/$daemon_pid/schedstat"
}

rss_anon() { # KiB
	awk '/^RssAnon/ { print $2 }' "/proc/$daemon_pid/status"
}

settled() {
	ctl wait --timeout $((120 * patience)) >/dev/null || bail "$shape does not converge: $(ctl status | head -n 20)"
}

# --- what is declared ---------------------------------------------------------------

make_interfaces() {
	local i
	for ((i = 0; i < count; i++)); do
		echo "link add w$i type veth peer name q$i netns $peer_pid"
		echo "link set w$i up" # of an interface that is down the kernel sends no event of XDP
	done | ip -batch - || bail "cannot make $count veth pairs"
}

declare_shared() {
	local i
	for i in 1 2 3; do
		write "$conf/c$i.yaml" <<-END
			objects:
			  c$i:
			    file: packet_counter.bpf.o
			    programs:
			      xdp_packet_counter: {attach: [{xdp: {interface: "w*"}, priority: $((i * 10)), proceed_on: [pass]}]}
		END
	done
}

declare_instances() {
	write "$conf/c1.yaml" <<-END
		objects:
		  c1:
		    file: packet_counter.bpf.o
		    instances: interface
		    programs:
		      xdp_packet_counter: {attach: [{xdp: {interface: "w*"}, priority: 10}]}
	END
}

declare_tc() {
	write "$conf/c1.yaml" <<-END
		objects:
		  c1:
		    file: test_tc.bpf.o
		    programs:
		      tc_trace: {attach: [{tc: {interface: "w*", direction: ingress}, priority: 10}]}
	END
}

# --- a pass that changes nothing ------------------------------------------------------

bench_pass() {
	local i before wall
	before=$(cpu_us) wall=$(now)
	for ((i = 0; i < passes; i++)); do
		settled
	done
	row "pass without a change, CPU" ms \
		"$(awk -v t=$(($(cpu_us) - before)) -v n="$passes" 'BEGIN { printf "%.2f", t / n / 1000 }')" "<= 20"
	row "pass without a change, from outside" ms \
		"$(awk -v t=$(($(now) - wall)) -v n="$passes" 'BEGIN { printf "%.2f", t / n / 1000 }')"
}

# What changes something. A start makes its sockets, directories and locks in the run directory: that is
# the daemon's own place, and nothing that a packet or a consumer meets. What the kernel refused changed nothing.
write_calls() {
	grep -E 'bpf\(BPF_(OBJ_PIN|PROG_ATTACH|PROG_DETACH|LINK_CREATE|LINK_UPDATE|LINK_DETACH|MAP_UPDATE|MAP_DELETE|PROG_BIND)|(^|[ ])(mount|umount2?|move_mount|mount_setattr)\(|(rename|mkdir|rmdir|unlink|symlink|link|chmod|chown)[a-z0-9]*\(.*'"$work/fs"'|RTM_(NEW|DEL|SET)[A-Z]*' "$1" |
		grep -vE 'recv(msg|from|mmsg)\(| = -1 E' | grep -vc resumed
}

# What only a new program or map needs: without a pin or an attachment none of it lasts.
probe_calls() {
	grep -cE 'bpf\(BPF_(PROG_LOAD|MAP_CREATE|BTF_LOAD|MAP_UPDATE|MAP_DELETE|MAP_FREEZE|PROG_BIND)' "$1"
}

strace_begin() { # FILE
	strace -f -q -s 300 -o "$1" -p "$daemon_pid" 2>/dev/null &
	strace_pid=$!
	until_true 10 traced || bail "strace does not attach"
}

traced() {
	! grep -q '^TracerPid:[[:space:]]0' "/proc/$daemon_pid/status"
}

strace_end() {
	kill -INT "$strace_pid"
	wait "$strace_pid"
}

bench_calls() {
	local trace=$work/trace calls='' writes=''
	if command -v strace >/dev/null; then
		strace_begin "$trace"
		settled
		strace_end
		calls=$(wc -l <"$trace") writes=$(write_calls "$trace")
	fi
	row "pass without a change, system calls" calls "$calls"
	row "pass without a change, writes" calls "$writes" "0"
}

# --- a restart --------------------------------------------------------------------------

started() {
	daemon_start
	settled
}

restart_once() {
	local options
	daemon_stop
	mapfile -t options < <(daemon_options)
	rm -f "$work/ready"
	"$builddir/tests/tools/testtool" ready "$work/ready" "$builddir/bpfshared" "${options[@]}" 2>>"$work/log" &
	daemon_pid=$!
	until_true 60 test -s "$work/ready" || bail "$shape: not ready"
	cpu_us >>"$work/restarts_cpu"
	cat "$work/ready" >>"$work/restarts"
	settled
}

bench_restart() {
	local i trace=$work/trace writes='' probes='' options
	rm -f "$work"/restarts*
	for i in 1 2 3 4 5; do
		restart_once
	done
	row "restart until ready" ms "$(median <"$work/restarts" | awk '{ printf "%.1f", $1 / 1000 }')" "<= 200"
	row "restart until ready, CPU" ms "$(median <"$work/restarts_cpu" | awk '{ printf "%.1f", $1 / 1000 }')"
	if command -v strace >/dev/null; then
		daemon_stop
		mapfile -t options < <(daemon_options)
		strace -f -q -s 300 -o "$trace" "$builddir/bpfshared" "${options[@]}" 2>>"$work/log" &
		strace_pid=$!
		settled
		daemon_pid=$(pgrep -P "$strace_pid" -x bpfshared)
		kill -TERM "$daemon_pid"
		wait "$strace_pid"
		grep -vE 'bpf\(BPF_(MAP_UPDATE|MAP_DELETE|PROG_BIND)' "$trace" >"$trace.lasting"
		writes=$(write_calls "$trace.lasting") probes=$(probe_calls "$trace")
		started
	fi
	row "restart, writes" calls "$writes" "0"
	row "restart, probes" calls "$probes"
}

# --- drift and new interfaces --------------------------------------------------------------

bench_answers() {
	local i drift='' created=''
	[ "$shape" != tc ] || return 0
	daemon_stop
	daemon_settings 'resync_s: 86400'
	started
	for ((i = 0; i < 7; i++)); do
		ip link set w$i xdp off
		drift+="$(tool wait-root w$i 10000)"$'\n'
		settled
	done
	for ((i = 0; i < 7; i++)); do
		ip link add wnew$i type veth peer name qnew$i netns "$peer_pid"
		created+="$(tool wait-root wnew$i 10000)"$'\n'
		settled
	done
	for ((i = 0; i < 7; i++)); do
		ip link del wnew$i
	done
	settled
	row "root switched off until it is back" ms \
		"$(median <<<"${drift%$'\n'}" | awk '{ printf "%.1f", $1 / 1000 }')" "<= 100"
	row "interface created until its chain runs" ms \
		"$(median <<<"${created%$'\n'}" | awk '{ printf "%.1f", $1 / 1000 }')" "<= 100"
}

# --- the run -------------------------------------------------------------------------------

bench_shape() {
	"declare_$shape"
	daemon_settings
	started
	bench_pass
	bench_calls
	bench_restart
	for ((i = 0; i < 5; i++)); do
		settled
	done
	row "private memory (RssAnon)" KiB "$(rss_anon)" "<= 12288"
	bench_answers
	daemon_stop
	rm "$conf"/c*.yaml
	echo '# nothing' >"$conf/nothing.yaml" # an empty directory at a start says nothing
	daemon_settings 'mass_removal: {and_at_least: 1000000}'
	started
	daemon_stop
	rm "$conf/nothing.yaml"
}

interface v0 p0
printf '# %s, %s interfaces\n' "$(uname -r)" "$count"
printf '%-10s %-40s %12s %-8s %s\n' shape figure value unit target
daemon_settings
shape=idle
started
settled
row "private memory (RssAnon)" KiB "$(rss_anon)" "<= 4096"
daemon_stop
make_interfaces
for shape in ${SHAPES:-shared instances tc}; do
	bench_shape
done
[ -z "$json" ] || printf '%s\n' "${rows[@]}" | jq -s '{bench: "steady", rows: .}' >"$json"
