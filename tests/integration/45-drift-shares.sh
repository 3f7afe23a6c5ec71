#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
# Shares behind our back, with the resync switched off: mounts, propagation, owners, modes, and which map each pin
# is. Each is put right by its event and the smallest step, told with its cause, and reaches the consumers.
# shellcheck source=lib.sh disable=SC2119,SC2016
. "$(dirname "$0")/lib.sh"
sandbox "$@"

daemon_settings 'resync_s: 86400'
reader=4201 writer=4202
interface v0 p0
member m1 1 50 v0
write "$conf/shares.yaml" <<-EOF
	shares:
	  dashboard:
	    maps: [{map: m1/packets, as: seen}]
	    targets: [{bpffs: {group: $reader}}]
	  control:
	    maps: [{map: m1/packets, access: rw}, m1/trace]
	    targets: [{bpffs: {group: $writer}}]
EOF
daemon_start
check "two shares" converge
ro=$run/shares/dashboard/maps rw=$run/shares/control/maps

# A container that bound the directory above, as a slave of the host's mounts.
mkdir "$work/bound"
unshare --mount --propagation slave -- bash -c \
	"mount --rbind '$run/shares' '$work/bound' && exec sleep infinity" &
consumer=$!
bound=/proc/$consumer/root$work/bound
check "a container sees them" until_true 5 test -e "$bound/dashboard/maps/seen"

operations() {
	ctl events | grep -c ' operation '
}

maps() { # ids of the maps that the shares show
	local pin
	for pin in "$bound/dashboard/maps/seen" "$bound/control/maps/packets" "$bound/control/maps/trace"; do
		stat -c %u:%g:%a "$pin" || return
	done
	ls "$bound/dashboard/maps" "$bound/control/maps"
	status_value '[.shares[] | .maps[].id] | join(" ")'
	tool get "$ro/seen" 00000000 0 8
}

send p0 2
kept=$(maps)

# damage NAME TOKEN STEPS COMMAND...: repaired by its event as TOKEN, in so many operations, and the
# container has what it had. The daemon is stopped for that moment: it would repair the one half before the other.
damage() {
	local name=$1 token=$2 steps=$3 before count
	shift 3
	before=$(repairs "$token")
	count=$(operations)
	[ "$1" = unseen ] || kill -STOP "$daemon_pid"
	"$@" || bail "cannot: $*"
	kill -CONT "$daemon_pid"
	check "$name: repaired by its event" until_true 20 repaired "$token" $((before + 1))
	equal "$name: by the smallest step" "$steps" $(($(operations) - count))
	equal "$name: consumers have what they had" "$kept" "$(maps)"
	ctl reload >/dev/null || bail "no reload" # so much at once would be taken for a fight
}

damage "a share unmounted" ShareUnmounted 1 umount "$ro"
damage "a writable share unmounted" ShareUnmounted 1 umount "$rw"
# Of a change of propagation the kernel tells nobody: the next pass sees it.
unseen() {
	"$@" && ctl reload >/dev/null
}
damage "the mount made private" PropagationChanged 1 unseen mount --make-private "$ro"
damage "that of a writable share as well" PropagationChanged 1 unseen mount --make-private "$rw"
damage "the owner of a pin" OwnerChanged 1 chown 77:77 "$rw/trace"
damage "the mode of a pin" ModeChanged 1 chmod 666 "$rw/packets"
damage "the group of a directory" OwnerChanged 1 chgrp 77 "$rw"
damage "the mode of a directory" ModeChanged 1 chmod 777 "$rw"
damage "a pin removed" PinRemoved 1 rm "$rw/trace"

other() { # PIN: a map of somebody's in its place
	bpftool map create "$work/fs/other" type array key 4 value 8 entries 1 name other &&
		rm -f "$1" && bpftool map pin pinned "$work/fs/other" "$1" && rm "$work/fs/other"
}
damage "another map in the place of a pin" PinReplaced 1 other "$rw/packets"
damage "a map of somebody's pinned in the share" ForeignPin 1 other "$rw/foreign"

# A sealed share is not to be changed: whoever can remount it can do so all the same.
unsealed() {
	mount -o remount,rw "$ro" && "$@"
}
damage "a read-only share made writable" MountChanged 1 mount -o remount,rw "$ro"
unsealed chmod 666 "$ro/seen" || bail "cannot change a share that was made writable"
check "a read-only share opened and changed: repaired" until_true 20 repaired MountChanged 2
check "a read-only share opened and changed: as it was" until_true 20 test "$(maps)" = "$kept"
ctl reload >/dev/null

# Over the mount of a share somebody mounted something: that is not ours to touch.
target() {
	status_value '.shares[] | select(.name == "dashboard") | .targets[0] | .state + " " + .reason'
}
mount -t tmpfs tmpfs "$ro"
check "a share covered: told at once" until_true 20 test -n "$(target)"
check "a share covered: it is blocked and says why" \
	until_true 20 eval '[ "$(target)" = "blocked MountCovered" ]'
equal "a share covered: the foreign mount is left alone" tmpfs "$(findmnt -no FSTYPE "$ro" | tail -1)"
matches "a share covered: the remedy is named" ".*umount -l $ro takes it away" \
	"$(status_value '.shares[] | select(.name == "dashboard") | .targets[0].message')"
umount "$ro"
check "a share uncovered: seen by its event" until_true 20 eval '[ "$(status_value .converged)" = true ]'
equal "a share uncovered: consumers have what they had" "$kept" "$(maps)"
# The same with a directory above it, in which the daemon may open files then.
mount -t tmpfs tmpfs "$run"
check "a share covered from above: it is blocked and says by what" until_true 20 eval \
	'[[ $(status_value ".shares[] | select(.name == \"dashboard\") | .targets[0].message") == *"umount -l $run takes"* ]]'
umount -l "$run"
check "and uncovered as told: seen by its event" until_true 20 eval '[ "$(status_value .converged)" = true ]'
equal "and uncovered as told: consumers have what they had" "$kept" "$(maps)"
kill "$consumer"
finish
