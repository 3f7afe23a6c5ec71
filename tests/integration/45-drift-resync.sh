#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
# What no event tells of is found by the resync, and by nothing else: with the resync switched off it stays as
# it is, with one each second it is repaired, told with its cause and counted once. So is everything that an event
# would tell of, where the kernel has no inotify watch left for it.
# shellcheck source=lib.sh disable=SC2119,SC2016
. "$(dirname "$0")/lib.sh"
force_mechanism tailcall
sandbox "$@"

write "$conf/00-sets.yaml" <<-EOF
	interfaces:
	  alone: {select: [{name: v1}], xdp: {exclusive: true}}
EOF
interface v0 p0
interface v1 p1
export record=false
member m1 1 10 v0
member m2 2 20 v0
member m3 3 10 @alone
write "$conf/s.yaml" <<-EOF
	shares:
	  s: {maps: [{map: m1/packets, access: rw}], targets: [{bpffs: {group: 4201}}]}
EOF
write "$conf/t1.yaml" <<-EOF
	objects:
	  t1:
	    file: test_tc.bpf.o
	    globals: {id: 1, verdict: -1}
	    programs: {tc_trace: {attach: [{tc: {interface: v0, direction: ingress}}]}}
EOF
share=$run/shares/s/maps

# --- what there is, and what becomes of it -----------------------------------------------------------

# places: what is damaged below, as the kernel has it; of links that are made anew only the programs
places() {
	local chain
	chain=$bpffs/chains/$(root_of v0)
	bpftool -j map dump pinned "$chain/members" 2>/dev/null | jq -c '[.[].formatted.value // .[].value]'
	root_of v1
	status_value '.chains[] | select(.hook == "tc") | [.members[].id] | join(" ")'
	findmnt -no PROPAGATION "$share" | tail -n 1
	stat -c %u:%g:%a "$share" "$share/packets" "$bpffs"
}
links_of() { # TYPE
	local pin
	for pin in "$bpffs"/links/*; do
		bpftool -j link show pinned "$pin" | jq "select(.type == \"$1\") | .id"
	done
}
slot_emptied() {
	bpftool map delete pinned "$bpffs/chains/$(root_of v0)/members" key 1 0 0 0
}
slot_replaced() {
	bpftool map update pinned "$bpffs/chains/$(root_of v0)/members" key 0 0 0 0 \
		value pinned "$(object_dir m2)/programs/xdp_trace"
}
link_detached() { # TYPE
	bpftool link detach id "$(links_of "$1")"
}
told() { # TOKEN: how many events there are of it
	ctl events | grep -c " drift .*$1: "
}
# The counts are asked of the daemon as it was after its last pass, so they tell that there was one.
stays() { # TOKEN COUNT
	refuse 1 "resync off, $3: no event tells" until_true 2 repaired "$1" $(($2 + 1))
}

# What the kernel has no event for; of a link of XDP some kernels tell.
kinds=(
	"an emptied slot|SlotChanged|emptied|slot_emptied"
	"a slot with another program in it|SlotChanged|was put into slot 0|slot_replaced"
	"a mount made private|PropagationChanged||mount --make-private $share"
)
if ! bpftool link help 2>&1 | grep -q detach; then
	skip "links: found by the resync" "this bpftool cannot detach links"
else
	kinds+=("a detached link of XDP|LinkDetached|the link of its root was detached|link_detached xdp")
	kinds+=("a detached link of TCX|LinkDetached|its link was detached|link_detached tcx")
fi

damage_all() { # FUNCTION: it gets the name, token, words and command of each kind
	local kind name token words command
	for kind in "${kinds[@]}"; do
		IFS='|' read -r name token words command <<<"$kind"
		if [[ $command = *tcx ]] && [ "$(feature tcx available)" != true ]; then
			skip "$name" "$(feature tcx detail)"
			continue
		fi
		"$1" "$name" "$token" "$words" "$command"
	done
}

# --- the resync is off ---------------------------------------------------------------------------------

daemon_settings 'resync_s: 86400'
daemon_start
check "a chain, a lone program, a link of tc and a share" converge

do_damage() {
	eval "$4" || bail "cannot: $4"
}
kept=$(places)
damage_all do_damage
damaged=$(places)
refuse 1 "resync off: no event tells of any" until_true 2 test "$(status_value '.daemon.repairs | length')" != 0
refuse 1 "resync off: all is as it was left" until_true 1 eval '[ "$(places)" != "$damaged" ]'
check "resync off: whoever asks for a pass" ctl reload
check "resync off: has it repaired" until_true 20 repaired SlotChanged 1
equal "resync off: all of it" "$kept" "$(places)"
matches "resync off: two slots at once are one repair" 'drift .*SlotChanged: 2 of its slots.*[(]1 of this kind' \
	"$(ctl events)"

# --- a second later ------------------------------------------------------------------------------------

daemon_settings 'resync_s: 1'
check "with a resync each second" converge
by_resync() { # NAME TOKEN WORDS COMMAND
	local before count
	before=$(repairs "$2")
	count=$(told "$2")
	eval "$4" || bail "cannot: $4"
	check "$1: found by the resync" until_true 20 repaired "$2" $((before + 1))
	equal "$1: all is as it was" "$kept" "$(places)"
	equal "$1: counted once" $((before + 1)) "$(repairs "$2")"
	equal "$1: told once" $((count + 1)) "$(told "$2")"
	matches "$1: with its cause and count" "drift .*$2: .*$3.*[(]$((before + 1)) of this kind so far" \
		"$(ctl events | grep " drift .*$2: " | tail -n 1)"
}
damage_all by_resync
daemon_stop

# --- no watch is left ----------------------------------------------------------------------------------

daemon_under=("$builddir/tests/tools/testtool" without-watches)
daemon_settings 'resync_s: 86400'
daemon_start
check "where no watch is left" converge
matches "that is told" "cannot watch .*raise fs.inotify.max_user_watches" "$(cat "$work/log")"
kinds=(
	"the mode of a pin|ModeChanged|the mode of|chmod 666 $share/packets"
	"the owner of a pin|OwnerChanged|was given to 77:77|chown 77:77 $share/packets"
	"the group of a share|OwnerChanged|was given to 0:77|chgrp 77 $share"
	"the mode of our directory|ModeChanged|owner or mode of our directory|chmod 777 $bpffs"
	"a program's pin|PinRemoved|programs/xdp_trace was removed|rm $(object_dir m2)/programs/xdp_trace"
)
damage_all do_damage
damaged=$(places)
refuse 1 "no watches, resync off: no event tells of any" \
	until_true 2 test "$(status_value '.daemon.repairs | length')" != 0
equal "no watches, resync off: all is as it was left" "$damaged" "$(places)"
check "no watches, resync off: whoever asks for a pass" ctl reload
check "no watches, resync off: has it repaired" until_true 20 repaired PinRemoved 1
equal "no watches, resync off: all of it" "$kept" "$(places)"
daemon_stop

daemon_settings 'resync_s: 1'
daemon_start
check "no watches: a resync each second" converge
damage_all by_resync
rm "$conf/m2.yaml"
check "no watches: files are looked at again, too" until_true 20 eval '[ -z "$(status_value ".objects[] | select(.name == \"m2\") | .name")" ]'
daemon_stop
finish
