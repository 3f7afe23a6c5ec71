#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
#
# How long a change takes from the file to the wire, against xdp-loader doing the same on the same machine
# in the same run: the first program, one more, a new version, a removal, another order, and a cold start
# of many interfaces. Figures, never a pass or a fail. Both sides are measured as an operator sees
# them: from the start of a command until it returns with the change made; the daemon's settle time is
# 0. The peer is $XDP_LOADER_1_6, else $XDP_LOADER_1_3, else the xdp-loader in the PATH; without one its
# column stays empty. Where freplace is refused it cannot chain, so all but the first program has no figure
# of the peer.
#
# The cold start is compared per interface: ours is over all INTERFACES in one go, the peer's over
# PEER_INTERFACES of them, three runs of the tool on each, as it takes one interface at a time.
#
# A row that the design sets a target for shows it: as a ratio to the peer, or in microseconds. The target for
# the cold start is for a machine and means nothing under emulation, so it is left out there.
#
#   bench_changes.sh [JSON_FILE]          ROUNDS=5 INTERFACES=1000 PEER_INTERFACES=20
# shellcheck source=../integration/lib.sh disable=SC2119
. "$(dirname "$0")/../integration/lib.sh"
json=${1:-}
[ -z "$json" ] || [[ $json = /* ]] || json=$PWD/$json
sandbox "$json"

rounds=${ROUNDS:-5}
interfaces=${INTERFACES:-1000}
peer_interfaces=${PEER_INTERFACES:-20}
loader=${XDP_LOADER_1_6:-${XDP_LOADER_1_3:-$(command -v xdp-loader)}}
rows=()

now() { # microseconds
	echo $((${EPOCHREALTIME/[.,]/}))
}

median() {
	sort -n | awk '{ v[NR] = $1 } END { print NR ? v[int((NR + 1) / 2)] : "" }'
}

# timed COMMAND...: microseconds; the command's own output is dropped.
timed() {
	local start
	start=$(now)
	"$@" >/dev/null 2>&1 || return 1
	echo $(($(now) - start))
}

peer() {
	LIBXDP_BPFFS=$work/fs "$loader" "$@"
}

# row NAME OURS PEER [TARGET]: microseconds, empty where there is no figure.
row() {
	local ratio='' target=${4:-}
	[ -z "$2" ] || [ -z "$3" ] || ratio=$(awk -v a="$2" -v b="$3" 'BEGIN { printf "%.2f", a / b }')
	printf '%-12s %-44s %12s %12s %8s  %s\n' "$mechanism" "$1" "${2:--}" "${3:--}" "${ratio:--}" \
		"${target:--}"
	rows+=("$(jq -cn --arg mechanism "$mechanism" --arg change "$1" --arg ours "$2" --arg peer "$3" \
		--arg target "$target" 'def n: if . == "" then null else tonumber end;
		{mechanism: $mechanism, change: $change, ours_us: ($ours | n), xdp_loader_us: ($peer | n),
		target: (if $target == "" then null else $target end)}')")
}

settings() {
	write "$work/bpfshared.yaml" <<<"{settle_ms: 0, resync_s: 0, xdp: {mechanism: $mechanism},
		mass_removal: {and_at_least: 1000000}}"
}

settled() {
	ctl wait --timeout $((60 * patience))
}

declare_member() { # NAME PRIORITY INTERFACE
	stage "$@" && mv "$work/staged/$1.yaml" "$conf/$1.yaml"
}

# Writing the file is the editor's time, not ours.
stage() { # NAME PRIORITY INTERFACE
	mkdir -p "$work/staged"
	cat >"$work/staged/$1.yaml" <<-END
		objects:
		  $1:
		    file: $1.bpf.o
		    programs: {xdp_packet_counter: {attach: [{xdp: {interface: "$3"}, priority: $2}]}}
	END
}

apply_and_wait() { # NAME
	mv "$work/staged/$1.yaml" "$conf/$1.yaml" && settled
}

withdraw_and_wait() {
	rm "$conf/$1.yaml" && settled
}

# The same code with another content.
stage_upgrade() { # NAME
	printf x >>"$work/$1.bpf.o" && cp "$work/$1.bpf.o" "$conf/.$1.new"
}

upgrade_and_wait() { # NAME
	mv "$conf/.$1.new" "$conf/$1.bpf.o" && settled
}

peer_ids() {
	peer status v1 2>/dev/null | grep '=>' | grep -oE '\b[0-9]+ +[0-9a-f]{16}\b' | awk '{ print $1 }'
}

peer_can_chain() {
	[ -n "$loader" ] && [ "$has_trampoline" = true ]
}

peer_load() { # PRIORITY
	peer load -P "$1" v1 "$object"
}

# --- one chain -------------------------------------------------------------------------

ours_members() { # COUNT
	local i
	for ((i = 1; i <= $1; i++)); do
		cp "$object" "$work/c$i.bpf.o"
		cp "$object" "$conf/c$i.bpf.o"
		declare_member "c$i" $((i * 10)) v0
	done
	settled >/dev/null || bail "the chain of $1 does not converge: $(ctl status)"
}

peer_members() { # COUNT
	local i
	peer unload --all v1 >/dev/null 2>&1
	for ((i = 1; i <= $1; i++)); do
		peer_load $((i * 10)) >/dev/null 2>&1 || return 1
	done
}

# peer_chain COUNT: anew; fails where the peer cannot chain.
peer_chain() {
	peer_can_chain && peer_members "$1"
}

bench_first() {
	local i ours='' theirs=''
	cp "$object" "$conf/c1.bpf.o"
	for ((i = 0; i < rounds; i++)); do
		stage c1 10 v0
		ours+="$(timed apply_and_wait c1)"$'\n'
		withdraw_and_wait c1 >/dev/null
		[ -n "$loader" ] || continue
		theirs+="$(timed peer_load 10)"$'\n'
		peer unload --all v1 >/dev/null 2>&1
	done
	row "first program" "$(median <<<"${ours%$'\n'}")" "$(median <<<"${theirs%$'\n'}")" \
		'ratio <= 1.5'
}

bench_add_and_remove() {
	local i ours='' ours_removed='' theirs='' theirs_removed=''
	ours_members 4
	withdraw_and_wait c4 >/dev/null
	for ((i = 0; i < rounds; i++)); do
		stage c4 40 v0
		ours+="$(timed apply_and_wait c4)"$'\n'
		ours_removed+="$(timed withdraw_and_wait c4)"$'\n'
	done
	for ((i = 0; i < rounds; i++)); do
		peer_chain 3 || break
		theirs+="$(timed peer_load 40)"$'\n'
		theirs_removed+="$(timed peer unload --id "$(peer_ids | tail -n 1)" v1)"$'\n'
	done
	row "a fourth program" "$(median <<<"${ours%$'\n'}")" "$(median <<<"${theirs%$'\n'}")" \
		'ratio <= 1.5'
	row "the fourth removed" "$(median <<<"${ours_removed%$'\n'}")" \
		"$(median <<<"${theirs_removed%$'\n'}")"
}

# The peer has no update: the new one joins, the old one leaves.
peer_replace() {
	local old
	old=$(peer_ids | head -n 1)
	peer_load 10 && peer unload --id "$old" v1
}

bench_replace() {
	local i ours='' theirs=''
	ours_members 8
	for ((i = 0; i < rounds; i++)); do
		stage_upgrade c4
		ours+="$(timed upgrade_and_wait c4)"$'\n'
	done
	for ((i = 0; i < rounds; i++)); do
		peer_chain 8 || break
		theirs+="$(timed peer_replace)"$'\n'
	done
	row "a new version of one of 8" "$(median <<<"${ours%$'\n'}")" "$(median <<<"${theirs%$'\n'}")"
}

# Nor can the priority of what is attached be changed.
peer_reorder() {
	local old
	old=$(peer_ids | head -n 1)
	peer unload --id "$old" v1 && peer_load 90
}

bench_reorder() {
	local i ours='' theirs=''
	for ((i = 0; i < rounds; i++)); do
		stage c1 $((i % 2 ? 10 : 90)) v0
		ours+="$(timed apply_and_wait c1)"$'\n'
	done
	for ((i = 0; i < rounds; i++)); do
		peer_chain 8 || break
		theirs+="$(timed peer_reorder)"$'\n'
	done
	row "the first of 8 becomes the last" "$(median <<<"${ours%$'\n'}")" \
		"$(median <<<"${theirs%$'\n'}")"
}

# --- many interfaces --------------------------------------------------------------------

# For the last figure alone: looking at thousands of interfaces takes its time.
make_interfaces() {
	local i
	for ((i = 0; i < interfaces; i++)); do
		echo "link add w$i type veth peer name q$i"
	done | ip -batch - || bail "cannot make $interfaces veth pairs"
}

remove_interfaces() {
	local i
	for ((i = 0; i < interfaces; i++)); do
		echo "link del w$i"
	done | ip -batch -
}

peer_many() {
	local i
	for ((i = 0; i < peer_interfaces; i++)); do
		peer load -P 10 "w$i" "$object" && peer load -P 20 "w$i" "$object" &&
			peer load -P 30 "w$i" "$object" || return 1
	done
}

bench_cold_start() {
	local i start total theirs='' target='ours <= 1000'
	[ -z "${VMRUN:-}" ] || target=''
	make_interfaces
	if peer_can_chain; then
		theirs=$(timed peer_many) && theirs=$((theirs / peer_interfaces))
		for ((i = 0; i < peer_interfaces; i++)); do
			peer unload --all "w$i" >/dev/null 2>&1
		done
	fi
	for i in 1 2 3; do
		cp "$object" "$conf/c$i.bpf.o"
		declare_member "c$i" $((i * 10)) 'w*'
	done
	start=$(now)
	daemon_start
	ctl wait --timeout $((600 * patience)) >/dev/null ||
		bail "$interfaces interfaces do not converge: $(tail -n 3 "$work/log")"
	total=$(($(now) - start))
	row "cold start, 3 programs, each of $interfaces interfaces" $((total / interfaces)) "$theirs" \
		"$target"
}

# --- the run -----------------------------------------------------------------------------

withdraw_all() {
	rm -f "$conf"/c*.yaml
	settled >/dev/null || bail "what was declared does not go: $(ctl status)"
	daemon_stop
}

one_mechanism() {
	settings
	daemon_start
	bench_first
	bench_add_and_remove
	bench_replace
	bench_reorder
	withdraw_all
	peer unload --all v1 >/dev/null 2>&1
	bench_cold_start
	withdraw_all
	remove_interfaces
}

object=$conf/packet_counter.bpf.o
interface v0 p0
interface v1 p1
mechanism=tailcall
settings
daemon_start
has_trampoline=$(ctl features --json | jq '.features[] | select(.name == "trampoline") | .available')
has_libxdp=$(ctl features --json | jq '.features[] | select(.name == "libxdp") | .available')
daemon_stop

printf '# %s; peer: %s\n' "$(uname -r)" "${loader:-none}"
printf '%-12s %-44s %12s %12s %8s  %s\n' mechanism change 'ours, us' 'peer, us' ratio target
one_mechanism
if [ "$has_libxdp" = true ]; then
	mechanism=libxdp
	one_mechanism
fi
[ -z "$json" ] || printf '%s\n' "${rows[@]}" | jq -s '{bench: "changes", rows: .}' >"$json"
