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
# Mostly they wait, for grace periods: side by side it is done in half the time.
[ -n "${SCENARIOS:-}" ] || crash_side_by_side
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

list() { # INTERFACE [DROP BY DEFAULT [MAPS]]
	write "$conf/list.yaml" <<-EOF
		objects:
		  list:
		    file: block_list.bpf.o
		    globals: {drop_by_default: ${2:-false}}
		    maps: {${3:-}}
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

# An object with maps of most kinds that packets fill: a hash, an array per CPU, variables.
upgrade() { # BUILD [MAPS [GLOBALS]]
	cp "$builddir/bpf/test_upgrade_$1.bpf.o" "$conf/upgrade.bpf.o"
	write "$conf/up.yaml" <<-EOF
		objects:
		  up:
		    file: upgrade.bpf.o
		    globals: {${3:-}}
		    maps: {${2:-}}
		    programs: {xdp_upgrade: {attach: [{xdp: {interface: v0}, priority: 20}]}}
	EOF
}

# --- marks: what maps are to hold as well afterwards ----------------------------------

cpus=$(</sys/devices/system/cpu/possible)
cpus=$((${cpus##*[-,]} + 1))
# In all tables of `list`, two tries and an array per CPU.
entry_put() {
	local maps
	maps=$(object_dir list)/maps
	tool put "$maps/blocked_v4" 200000000a010203 "$(crash_hex "$1" 16)" &&
		tool put "$maps/blocked_v6" 2000000020010db8000000000000000000000000 "$(crash_hex "$1" 16)" &&
		tool put "$maps/dropped" 00000000 "$(crash_hex "$1" 16 "$cpus")"
}
entry_get() {
	local maps
	maps=$(object_dir list)/maps
	tool get "$maps/blocked_v4" 200000000a010203 0 8
	tool get "$maps/blocked_v6" 2000000020010db8000000000000000000000000 0 8
	tool get "$maps/dropped" 00000000 0 8
}

# In a hash of `up`, by a key that packets do not have, and in an array per CPU.
flows_put() {
	tool put "$(object_dir up)/maps/flows" e8030000 "$(crash_hex "$1" 8)$(crash_hex "$1" 8)"
}
flows_get() {
	tool get "$(object_dir up)/maps/flows" e8030000 0 8
	tool get "$(object_dir up)/maps/flows" e8030000 8 8
}
builds_put() {
	tool put "$(object_dir up)/maps/builds" 07000000 "$(crash_hex "$1" 8 "$cpus")"
}
builds_get() {
	tool get "$(object_dir up)/maps/builds" 07000000 0 8
}

# A variable that packets count in: it goes on, but misses those between the copy and the swap (bpfshare.d(5)).
packets() {
	variable up .bss packets
}
packets_put() { # remembers what there is
	packets_before=$(packets)
}
packets_get() {
	[ "$(packets)" -ge "$packets_before" ] && echo "$1"
}

variable() { # OBJECT SECTION NAME...
	local object=$1 section=$2
	shift 2
	bpftool -j map dump pinned "$(object_dir "$object")/maps/${section/./%2E}" |
		jq -r '[.. | objects] as $all | $ARGS.positional[] as $name |
			[$all[] | .[$name]? // empty | numbers][0]' --args "$@"
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

# Maps that packets fill and others read are copied into larger ones, of each kind that is copied in another way.
grow_maps() { # FLOWS BUILDS BLOCKED
	objects
	member m1 1 10 v0
	list v0 false "blocked_v4: {max_entries: $3, on_change: grow}"
	upgrade 1 "flows: {max_entries: $1, on_change: grow}, builds: {max_entries: $2, on_change: grow}"
	share "up/flows, list/blocked_v4"
}
grow_a() { grow_maps 64 8 65536; }
grow_b() { grow_maps 128 16 131072; }
grow_reset() { crash_clear; } # what has grown stays so
scenario grow "m1/packets up/%2Ebss" "entry flows builds"

# Variables go over by name and type, into sections that are laid out in another way; `quiet` runs nowhere.
carry() { # BUILD
	objects
	member m1 1 10 v0
	upgrade "$1"
	cp "$builddir/bpf/test_carry_$1.bpf.o" "$conf/carry.bpf.o"
	write "$conf/quiet.yaml" <<-EOF
		objects:
		  quiet: {file: carry.bpf.o, programs: {xdp_carry: {}}}
	EOF
}
carry_a() { carry 1; }
carry_b() { carry 2; }
quiet_put() { # total, limit, state, dropped, hidden; seen
	local maps
	maps=$(object_dir quiet)/maps
	tool put "$maps/%2Edata" 00000000 "$(crash_hex "$1" 8)$(crash_hex "$1" 8)$(crash_hex "$1" 8)$(
		crash_hex "$1" 8)$(crash_hex "$1" 8)$(crash_hex "$1" 4)" &&
		tool put "$maps/%2Ebss" 00000000 "$(crash_hex "$1" 8)"
}
quiet_get() {
	variable quiet .data total limit first second hidden
	variable quiet .bss seen
}
scenario carry "m1/packets up/builds up/flows" "quiet flows builds packets"

# Of a map that begins anew nothing is left; the others go on.
reset_a() {
	objects
	member m1 1 10 v0
	upgrade 1 "flows: {on_change: reset}" "limit: 100"
}
reset_b() {
	objects
	member m1 1 10 v0
	upgrade 1 "flows: {on_change: reset}" "limit: 200"
}
gone_put() { flows_put "$1"; }
gone_get() {
	[ -n "$(flows_get 2>/dev/null)" ] || echo "$1"
}
scenario reset "m1/packets up/builds up/%2Ebss" "gone builds"

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

# --- what somebody else did while no daemon ran -------------------------------------------

# Pins that are missing are made again, of what still runs. Not the array of a dispatcher: without pin and daemon it
# empties itself.
pins_a() { restart_a; }
pins_b() { restart_a; }
pins_break() {
	rm "$(object_dir m1)/maps/packets" "$(object_dir m2)/programs/xdp_trace" "$(object_dir list)/meta"
	rm "$(object_dir list)/maps/blocked_v4" "$bpffs"/chains/*/dispatcher "$bpffs"/chains/*/meta
}
scenario pins "m1/packets m2/packets" entry

# A tree of an older bpfshare, and an edit.
layout_a() { restart_a; }
layout_b() {
	restart_a
	member m3 3 20 v0
}
layout_break() {
	local dir
	for dir in "$bpffs"/objects/*/* "$bpffs"/chains/*; do tool age "$dir" 1 || bail "cannot make $dir older"; done
	rmdir "$bpffs"/layout-*
}
layout_reset() { crash_clear; } # so that programs have one replaced metadata only
scenario layout "m1/packets m2/packets" entry

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
# A new version of a member, which counts into the same map as the one before.
tc_versions() { # ID of m2 [ATTACHMENT KEYS]
	objects test_tc
	tc_member m1 1 10
	write "$conf/keep.yaml" <<-EOF
		objects:
		  keep: {file: test_tc.bpf.o, programs: {tc_trace: {}}}
	EOF
	write "$conf/m2.yaml" <<-EOF
		objects:
		  m2:
		    file: test_tc.bpf.o
		    globals: {id: $1, verdict: -1}
		    maps: {trace: {use: m1/trace}, packets: {use: keep/packets}}
		    programs:
		      tc_trace:
		        attach:
		          - {tc: {interface: v0, direction: ingress}, priority: 30${2:+, $2}}
	EOF
}
tc_version_a() { tc_versions 2; }
tc_version_b() { tc_versions 3; }
scenario tc_version "m1/packets keep/packets"

# In the slot of a dispatcher.
tc_slot_a() { tc_versions 2 "proceed_on: [next, ok]"; }
tc_slot_b() { tc_versions 3 "proceed_on: [next, ok]"; }
scenario tc_slot "m1/packets keep/packets"

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

clsact_version_a() {
	tc_versions 2
	set_of_all "tc: {mechanism: clsact}"
}
clsact_version_b() {
	tc_versions 3
	set_of_all "tc: {mechanism: clsact}"
}
clsact_version_state() { clsact_state; }
scenario clsact_version "m1/packets keep/packets"

# A lone program is the filter itself.
clsact_lone_a() {
	clsact_version_a
	rm "$conf/m1.yaml"
	sed -i 's|trace: {use: m1/trace}, ||' "$conf/m2.yaml"
}
clsact_lone_b() {
	clsact_version_b
	rm "$conf/m1.yaml"
	sed -i 's|trace: {use: m1/trace}, ||' "$conf/m2.yaml"
}
clsact_lone_state() { clsact_state; }
scenario clsact_lone "keep/packets"

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

# What runs on is also seen by those that are there. Pins that somebody deletes are noticed by themselves.
drift_a() { pins_a; }
drift_b() { pins_b; }
drift_break() { pins_break; }

daemon_scenario add "m1/packets m2/packets" entry
daemon_scenario remove "m1/packets m2/packets" entry
daemon_scenario share_added "m1/packets m2/packets" entry
daemon_scenario share_changed "m1/packets m2/packets" entry
daemon_scenario versions "m1/packets keep/packets" entry
daemon_scenario grow "m1/packets up/%2Ebss" "entry flows builds"
daemon_scenario carry "m1/packets up/builds up/flows" "quiet flows builds packets"
daemon_scenario drift "m1/packets m2/packets" entry
daemon_scenario tc_version "m1/packets keep/packets"
daemon_scenario tc_reorder "m1/packets m2/packets m3/packets"

crash_finish
