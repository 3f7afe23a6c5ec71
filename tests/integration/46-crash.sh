#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
# Interrupted anywhere, by a kill or by an error, a change is completed by the next start, and
# nothing is lost or left over. A sample; `make check-crash` walks over all points (see crash.sh).
# shellcheck source=lib.sh disable=SC2119
. "$(dirname "$0")/lib.sh"
# shellcheck source=crash.sh
. "$(dirname "$0")/crash.sh"
if [ "${1:-}" = --list ]; then
	sed -n 's/^daemon_scenario \([a-z_]*\).*/daemon_\1/p; s/^\s*scenario \([a-z_]*\).*/\1/p' "$0"
	exit
fi
sandbox "$@"
crash_setup
export record=false

objects() { # FILE...: what a configuration needs of the tests' own
	local file
	for file in test_trace block_list "$@"; do cp "$builddir/bpf/$file.bpf.o" "$conf/"; done
}

# Two members that every packet passes, and one with a table.
base() {
	objects
	member m1 1 10 "${1:-v0}"
	member m2 2 30 "${1:-v0}"
	list "${1:-v0}"
}

list() { # INTERFACE [DROP BY DEFAULT]
	write "$conf/list.yaml" <<-EOF
		objects:
		  list:
		    file: block_list.bpf.o
		    globals: {drop_by_default: ${2:-false}}
		    programs:
		      xdp_block_list: {attach: [{xdp: {interface: "$1"}, priority: 50}]}
	EOF
}

set_of_all() { # SETTINGS of the interfaces
	write "$conf/00-set.yaml" <<-EOF
		interfaces: {all: {select: [{name: "v*"}], $1}}
	EOF
}

share() { # MAPS [GROUP]
	write "$conf/share.yaml" <<-EOF
		shares:
		  s: {maps: [$1], targets: [{bpffs: {group: ${2:-4201}}}]}
	EOF
}

# --- starts ---------------------------------------------------------------------------

restart_a() {
	base
	share m1/packets
}
restart_b() { restart_a; }
scenario restart "m1/packets m2/packets" entry

# Nothing of us is there, not even the bpffs.
first_start_a() { :; }
first_start_b() { restart_a; }
first_start_begin() {
	run=$work/first/run state=$work/first/state bpffs=$work/first/fs/bpfshare
	mapfile -t crash_options < <(daemon_options)
	first_start_reset
}
first_start_reset() {
	if [ -d "$work/first" ]; then
		crash_clear
		umount -R "$run" 2>/dev/null
		umount "$work/first/fs" 2>/dev/null
		rm -rf "$work/first"
	fi
	mkdir -p "$run" "$work/first/fs"
}
first_start_end() {
	first_start_reset
	rm -rf "$work/first"
	run=$work/run state=$work/state bpffs=$work/fs/bpfshare
	mapfile -t crash_options < <(daemon_options)
}
scenario first_start ""

# --- chains ---------------------------------------------------------------------------

add_a() { base; }
add_b() {
	base
	member m3 3 20 v0
}
scenario add "m1/packets m2/packets" entry

remove_a() { add_b; }
remove_b() { add_a; }
scenario remove "m1/packets m2/packets" entry

reorder_a() { add_b; }
reorder_b() {
	add_b
	member m3 3 5 v0
}
scenario reorder "m1/packets m2/packets m3/packets" entry

# From a program by itself to a dispatcher, and back.
lone_a() {
	objects
	member m1 1 10 v0
}
lone_b() {
	lone_a
	member m2 2 30 v0
}
scenario lone "m1/packets"
company_a() { lone_b; }
company_b() { lone_a; }
scenario company "m1/packets"

# All that is declared goes. Nothing can be counted at the end; the stack gets the packets again.
all_a() { restart_a; }
all_b() { :; }
scenario all ""

# --- versions -------------------------------------------------------------------------

# Both versions of m2 count into a map of `keep`, so that a packet that none of them saw is missed.
versions() { # ID of m2
	objects
	member m1 1 10 v0
	write "$conf/keep.yaml" <<-EOF
		objects:
		  keep: {file: test_trace.bpf.o, programs: {xdp_trace: {}}}
	EOF
	write "$conf/m2.yaml" <<-EOF
		objects:
		  m2:
		    file: test_trace.bpf.o
		    globals: {id: $1, verdict: 2, ethertype: 0x88b5, record: false}
		    maps: {trace: {use: m1/trace}, packets: {use: keep/packets}}
		    programs:
		      xdp_trace: {attach: [{xdp: {interface: v0}, priority: 30}]}
	EOF
	list v0
}
version_a() { versions 2; }
version_b() { versions 3; }
scenario version "m1/packets keep/packets" entry

# An upgrade keeps what its maps hold.
kept_a() { base; }
kept_b() {
	base
	list v0 true
}
scenario kept "m1/packets m2/packets" entry

# Of two members at once, which one edit of a slot cannot do, one of them with another file.
versions_a() {
	versions 2
	cp "$builddir/bpf/test_version_1.bpf.o" "$conf/version.bpf.o"
	write "$conf/version.yaml" <<-EOF
		objects:
		  version:
		    file: version.bpf.o
		    programs: {xdp_version: {attach: [{xdp: {interface: v0}, priority: 20}]}}
	EOF
	share "version/versions"
}
versions_b() {
	versions_a
	versions 3
	cp "$builddir/bpf/test_version_2.bpf.o" "$conf/version.bpf.o"
}
scenario versions "m1/packets keep/packets" entry

# The owner of a map that others use, and that is shared: they all follow.
owner_a() {
	versions 2
	share "m1/trace, list/dropped"
}
owner_b() {
	owner_a
	member m1 7 10 v0
}
scenario owner "keep/packets" entry

# --- shares ---------------------------------------------------------------------------

share_added_a() { base; }
share_added_b() { restart_a; }
scenario share_added "m1/packets m2/packets" entry

share_removed_a() { restart_a; }
share_removed_b() { base; }
scenario share_removed "m1/packets m2/packets" entry

share_changed_a() { restart_a; }
share_changed_b() {
	base
	share "m1/packets, {map: m2/packets, as: second}, {map: list/dropped, access: rw}" 4202
}
scenario share_changed "m1/packets m2/packets" entry

# --- interfaces -------------------------------------------------------------------------

more_interfaces_a() { base v0; }
more_interfaces_b() { base "v*"; }
scenario more_interfaces "m1/packets m2/packets" entry

fewer_interfaces_a() { more_interfaces_b; }
fewer_interfaces_b() { more_interfaces_a; }
scenario fewer_interfaces "m1/packets m2/packets" entry

# A root of its own kind, on a link that is pinned.
exclusive_a() {
	base
	set_of_all "xdp: {exclusive: true}"
}
exclusive_b() {
	exclusive_a
	member m3 3 20 v0
}
scenario exclusive "m1/packets m2/packets" entry
exclusive_lone_a() {
	lone_b
	set_of_all "xdp: {exclusive: true}"
}
exclusive_lone_b() {
	lone_a
	set_of_all "xdp: {exclusive: true}"
}
scenario exclusive_lone "m1/packets"
exclusive_gone_a() { exclusive_lone_a; }
exclusive_gone_b() { :; }
scenario exclusive_gone ""

# Between the mechanisms, where the kernel has both.
to_tailcall_a() {
	base
	set_of_all "xdp: {mechanism: libxdp}"
}
to_tailcall_b() {
	base
	set_of_all "xdp: {mechanism: tailcall}"
}
to_libxdp_a() { to_tailcall_b; }
to_libxdp_b() { to_tailcall_a; }
if [ "$(feature trampoline available)" = true ]; then
	scenario to_tailcall "m1/packets m2/packets" entry
	scenario to_libxdp "m1/packets m2/packets" entry
else
	for name in to_tailcall to_libxdp; do
		! crash_selected $name || skip $name "$(feature trampoline detail)"
	done
fi

# --- tc ---------------------------------------------------------------------------------

tc_member() { # NAME ID PRIORITY [ATTACHMENT KEYS]
	local name=$1 id=$2 priority=$3 more=${4:-} use=''
	[ "$name" = m1 ] || use='maps: {trace: {use: m1/trace}}'
	write "$conf/$name.yaml" <<-EOF
		objects:
		  $name:
		    file: test_tc.bpf.o
		    globals: {id: $id, verdict: -1}
		    $use
		    programs:
		      tc_trace:
		        attach:
		          - {tc: {interface: v0, direction: ingress}, priority: $priority${more:+, $more}}
	EOF
}

tc_add_a() {
	objects test_tc
	tc_member m1 1 10
	tc_member m2 2 30
}
tc_add_b() {
	tc_add_a
	tc_member m3 3 20
}
scenario tc_add "m1/packets m2/packets"

tc_remove_a() { tc_add_b; }
tc_remove_b() { tc_add_a; }
scenario tc_remove "m1/packets m2/packets"

tc_reorder_a() { tc_add_b; }
tc_reorder_b() {
	tc_add_b
	tc_member m3 3 5
}
scenario tc_reorder "m1/packets m2/packets m3/packets"

# Verdicts that pass control on need a dispatcher; a place that has one keeps it, so this starts anew.
tc_dispatcher_a() { tc_add_a; }
tc_dispatcher_b() {
	tc_add_a
	tc_member m2 2 30 "proceed_on: [next, ok]"
}
tc_dispatcher_reset() { crash_clear; }
scenario tc_dispatcher "m1/packets m2/packets" twice

clsact_a() {
	tc_add_a
	set_of_all "tc: {mechanism: clsact}"
}
clsact_b() {
	tc_add_b
	set_of_all "tc: {mechanism: clsact}"
}
clsact_state() {
	tc filter show dev v0 ingress 2>/dev/null | sed 's/ id [0-9]*//; s/ tag [0-9a-f]*//'
	tc qdisc show dev v0
}
scenario clsact "m1/packets m2/packets"

to_clsact_a() { tc_add_a; }
to_clsact_b() { clsact_a; }
to_clsact_state() { clsact_state; }
scenario to_clsact "m1/packets m2/packets" twice
to_tcx_a() { clsact_b; }
to_tcx_b() { tc_add_b; }
to_tcx_state() { clsact_state; }
scenario to_tcx "m1/packets m2/packets m3/packets" twice

tc_all_a() { clsact_a; }
tc_all_b() { :; }
tc_all_state() { clsact_state; }
scenario tc_all ""

# --- a daemon that goes on ----------------------------------------------------------------

daemon_scenario add "m1/packets m2/packets"
daemon_scenario remove "m1/packets m2/packets"
daemon_scenario share_changed "m1/packets m2/packets"
daemon_scenario versions "m1/packets keep/packets"
daemon_scenario tc_reorder "m1/packets m2/packets m3/packets"

crash_finish
