#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
# What others change behind our back, with the resync switched off: it is put right by its event, by the smallest
# step, told with its cause and counted; no packet misses a member where nothing had to be attached again.
# shellcheck source=lib.sh disable=SC2119,SC2016
. "$(dirname "$0")/lib.sh"
force_mechanism tailcall
sandbox "$@"

daemon_settings 'resync_s: 86400'
write "$conf/00-sets.yaml" <<-EOF
	interfaces:
	  all: {select: [{name: "v*"}], xdp: {on_foreign: replace}}
EOF
interface v0 p0
interface v1 p1
member m1 1 10 @all
member m2 2 20 v0
daemon_start
check "a chain and a lone program" converge

loaded() { # ids of all that is loaded, and of what the interfaces run
	status_value '[.objects[] | .programs[].loads[].id, .maps[].id] | sort | join(" ")'
	root_of v0
	root_of v1
}

kept=$(loaded)
# Under emulation a flood leaves nothing for anybody else: there a few packets have to do.
flooded() {
	if [ -n "${VMRUN:-}" ]; then
		send p0 20
	else
		"$@"
	fi
}
flooded flood p0

# damage NAME TOKEN COMMAND...: repaired by its event as TOKEN. Afterwards all ids are the same. The daemon is
# stopped for that moment: it would repair the one half before the other one is done.
damage() {
	local name=$1 token=$2 before
	shift 2
	before=$(repairs "$token")
	kill -STOP "$daemon_pid"
	"$@" || bail "cannot: $*"
	kill -CONT "$daemon_pid"
	check "$name: repaired by its event" until_true 20 repaired "$token" $((before + 1))
	equal "$name: nothing was loaded, built or swapped anew" "$kept" "$(loaded)"
	ctl reload >/dev/null || bail "no reload" # so much at once would be taken for a fight
}

remove_some() {
	rm "$1" "$2"
}

replace_pin() { # PIN, by a map of somebody else
	bpftool map create "$work/fs/other" type array key 4 value 8 entries 1 name other &&
		mv "$work/fs/other" "$1"
}

chain=$bpffs/chains/$(ls "$bpffs/chains")
damage "a program's pin" PinRemoved rm "$(object_dir m2)/programs/xdp_trace"
damage "a map's pin" PinRemoved rm "$(object_dir m1)/maps/trace"
damage "two pins" PinRemoved remove_some "$(object_dir m1)/programs/xdp_trace" "$(object_dir m1)/maps/packets"
damage "an object's metadata" PinRemoved rm "$(object_dir m2)/meta"
damage "a version's directory" PinRemoved remove_tree "$(object_dir m1)"
damage "all of an instance" PinRemoved remove_tree "$bpffs/objects/m2"
damage "the array's pin" PinRemoved rm "$chain/members"
damage "the dispatcher's pin" PinRemoved rm "$chain/dispatcher"
damage "a chain's metadata" PinRemoved rm "$chain/meta"
damage "a chain's directory" PinRemoved remove_tree "$chain"
damage "everything" PinRemoved remove_tree "$bpffs/objects"
damage "our directory" DirectoryRemoved remove_tree "$bpffs"
damage "the mode of our directory" ModeChanged chmod 777 "$bpffs"
equal "the mode of our directory: it is root's alone again" 700 "$(stat -c %a "$bpffs")"
damage "the owner of a part of it" ModeChanged chown 77 "$bpffs/objects"
damage "the bpffs unmounted" BpffsUnmounted umount -l "$work/fs"
damage "a map's pin that is another map now" PinReplaced replace_pin "$(object_dir m1)/maps/packets"
damage "a program's pin that is a map now" PinReplaced replace_pin "$(object_dir m2)/programs/xdp_trace"
damage "an array's pin that is another map now" PinReplaced replace_pin "$chain/members"

# The renamed one is somebody's now: it is told of and left alone.
damage "our directory renamed" DirectoryMoved mv "$bpffs" "$work/fs/moved"
matches "our directory renamed: the event says where it is" "renamed to $work/fs/moved" \
	"$(ctl events | grep DirectoryMoved)"
check "our directory renamed: that one is left alone" test -e "$work/fs/moved/objects/m1"
refuse 3 "our directory renamed: the new one is locked against a second daemon" once --run-dir "$work/run2"
remove_tree "$work/fs/moved"

flooded flood_stop
check "what arrived last is counted" until_true 5 eval '[ "$(seen m1)" = "$(seen m2)" ]'
check "packets met them all the while" test "$(seen m1)" -gt 0
equal "no packet that met the first member missed the second" "$(seen m1)" "$(seen m2)"
equal "the programs were never loaded anew" 0 "$(repairs ObjectLost)"

edit_slot() { # SLOT PROGRAM PIN
	bpftool map update pinned "$chain/members" key "$1" 0 0 0 value pinned "$2"
}

# Of the contents of a map the kernel tells no event: the next pass sees it.
edit_slot 0 "$(object_dir m2)/programs/xdp_trace" || bail "bpftool cannot edit the array"
check "a slot with another program in it: seen by the next pass" ctl reload
check "a slot with another program in it: repaired" until_true 20 repaired SlotChanged 1
bpftool map delete pinned "$chain/members" key 1 0 0 0 || bail "bpftool cannot edit the array"
check "an emptied slot: seen by the next pass" ctl reload
check "an emptied slot: repaired" until_true 20 repaired SlotChanged 2
equal "slots: nothing else was touched" "$kept" "$(loaded)"

damage "the root switched off" RootRemoved ip link set dev v0 xdp off
damage "the root of a lone program switched off" RootRemoved ip link set dev v1 xdp off

somebody=$work/somebody.bpf.o
cp "$builddir/bpf/test_trace.bpf.o" "$somebody" || bail "no program of somebody"
bpftool prog load "$somebody" "$work/fs/somebody" type xdp || bail "bpftool cannot load"
foreign=$(bpftool -j prog show pinned "$work/fs/somebody" | jq .id)
damage "another program forced on" RootReplaced ip -force link set dev v0 xdp pinned "$work/fs/somebody"
matches "another program forced on: the event says whose" \
	"program xdp_trace .id $foreign, loaded by uid 0. was attached instead" \
	"$(ctl events | grep RootReplaced)"
matches "events are of the kind drift and have a count" \
	'drift +v0/xdp .*RootReplaced: .*1 of this kind so far' "$(ctl events)"

send p0 1
equal "after all of it the chain runs" "1 2" "$(trace_last)"
send p1 1
equal "and so does the lone program" 1 "$(trace_last)"

# What others pin in our tree is told of and left alone, even when what it lies in goes.
pin() { # PATH
	bpftool prog pin id "$foreign" "$1" || bail "bpftool cannot pin $1"
}
told_of() { # PATH in our directory
	check "a foreign pin, $1: told by its event" until_true 20 eval \
		"ctl events | grep -q 'drift .*ForeignPin: ${1//+/.} in it is not ours'"
}
version=$(basename "$(object_dir m2)")
chain_id=$(find "$bpffs/chains" -mindepth 1 -maxdepth 1 -type d -printf '%f')
for place in mine objects/mine objects/m1/mine chains/mine chains/1 links/mine links/1 \
	"objects/m2/$version/maps/mine" "objects/m2/$version/mine" chains/$chain_id/mine; do
	pin "$bpffs/$place"
	told_of "$place"
done
# Two levels, as a version of ours has, and no metadata. An empty directory would be cleared away at once.
theirs=objects/another/0123456789abcdef
mkdir -p "$work/fs/${theirs#*/}/maps"
pin "$work/fs/${theirs#*/}/maps/mine"
pin "$work/fs/${theirs#*/}/meta"
mv "$work/fs/another" "$bpffs/objects/"
told_of $theirs/maps/mine
told_of $theirs/meta
check "with all of them everything is in order" until_true 20 eval '[ "$(status_value .converged)" = true ]'
equal "and nothing was touched" "$kept" "$(loaded)"
rm "$conf/m2.yaml"
check "the object that foreign pins lie in goes" converge
refuse 1 "its own pins are gone" test -e "$bpffs/objects/m2/$version/meta"
check "those of others are left" test -e "$bpffs/objects/m2/$version/maps/mine"
check "and the other one" test -e "$bpffs/objects/m2/$version/mine"
check "in another version's place as well" test -e "$bpffs/$theirs/maps/mine" -a -e "$bpffs/$theirs/meta"
member m2 2 20 v0
check "it comes back beside them" converge
find "$bpffs" -name mine -delete
rm "$bpffs/chains/1" "$bpffs/links/1" "$bpffs/$theirs/meta"
check "what they leave empty goes" until_true 20 eval \
	'! [ -e "$bpffs/objects/m2/$version" ] && ! [ -e "$bpffs/objects/another" ]'
check "they are gone" converge
kept=$(loaded)

# Without a daemon nobody holds what is not used; what runs is found again by its ids.
daemon_stop
before=$(seen m1)
remove_tree "$bpffs/objects"
daemon_start
check "pins lost while no daemon ran: repaired" converge
equal "pins lost while no daemon ran: programs and maps were found again" "$kept" "$(loaded)"
equal "pins lost while no daemon ran: no map forgot anything" "$before" "$(seen m1)"
equal "pins lost while no daemon ran: told" 2 "$(repairs PinRemoved)"

daemon_stop
remove_tree "$bpffs/chains"
daemon_start
check "a chain lost while no daemon ran: built again" converge
send p0 1
equal "a chain lost while no daemon ran: it runs" "1 2" "$(trace_last)"
finish
