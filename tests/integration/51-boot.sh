#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
# The first start after a boot is a first start, whatever lies in the run and the state directory; and what
# becomes of our bpffs when another one is mounted over it.
# shellcheck source=lib.sh disable=SC2119,SC2016
. "$(dirname "$0")/lib.sh"
# shellcheck source=flood.sh
. "$(dirname "$0")/flood.sh"
sandbox "$@"

# end_state: the node as the status shows it, without what differs from start to start.
end_state() {
	ctl status --json | jq -S 'del(.daemon) | del(.. | objects |
		.since, .id, .ifindex, .run_count, .run_ns, .dispatcher_id)'
}
# ours: what there is of ours on the bpf file system, without ids
ours() {
	(cd "$bpffs" && find . | sed -E 's,/[0-9]+(/|$),/ID\1,; s,link-[0-9]+,link-N,' | sort)
}
# member_ids: of what carries the packets; the dispatcher may be another one
member_ids() {
	status_value '[.objects[] | .programs[].loads[].id, .maps[].id] | sort | join(" ")'
}
# A boot: no process, no interface, no mount, no program; run and state directory as they were, and
# what a boot of another kernel, a restored backup or a crash may have put there.
reboot() {
	daemon_stop KILL
	ip link del v0
	ip link del v1
	umount "$run/shares/s/maps"
	boot_kernel
	mount -t bpf bpf "$work/fs"
	chmod 711 "$work/fs"
	interface v0 p0
	interface v1 p1
}

interface v0 p0
interface v1 p1
export record=false
for i in 1 2 3; do member m$i $i $((10 * i)) 'v*'; done
echo 'shares: {s: {maps: [m1/packets], targets: [{bpffs: {group: 4201}}]}}' | write "$conf/s.yaml"
daemon_start
check "the first start ever" converge
first=$(end_state)
tree=$(ours)

reboot
check "a socket of the boot before lies there" test -S "$run/status/status.sock"
daemon_start
check "the start after a boot" converge
equal "ends the same" "$first" "$(end_state)"
equal "with the same pins" "$tree" "$(ours)"
send p0 10
equal "and packets meet all" "10 10 10" "$(seen m1) $(seen m2) $(seen m3)"

reboot
echo 1 >"$run/lock/pid" # of a process that is there and is not ours
echo '11111111-2222-3333-4444-555555555555 0' >"$run/suspended"
printf '11111111-2222-3333-4444-555555555555\n%064d\n' 0 >"$run/waiting"
ln -sf /etc/passwd "$run/waiting.new"
rm "$run/status/status.sock" "$run/control/control.sock"
echo garbage >"$run/status/status.sock"
echo garbage >"$run/control/control.sock.new"
mkdir -p "$run/shares/gone/maps" "$run/shares/s/sock" "$run/unknown"
echo stray >"$run/shares/gone/maps/file"
head -c 4096 /dev/urandom >"$state/last-good/files/.new"
head -c 4096 /dev/urandom >"$state/last-good/objects/$(printf %064d 1)"
echo stray >"$state/last-good/stray"
for entry in "$state"/last-good/files/*; do head -c 100 /dev/urandom >"$entry"; done
passwd=$(sha256sum </etc/passwd)
daemon_start
check "the start after a boot, with all kinds of litter" converge
equal "ends the same" "$first" "$(end_state)"
equal "with the same pins" "$tree" "$(ours)"
refuse 1 "nothing of it was followed" grep -q root: "$run/waiting"
equal "nor written to" "$passwd" "$(sha256sum </etc/passwd)"
check "what is not ours is still there" test -f "$run/shares/gone/maps/file" -a -f "$state/last-good/stray"
refuse 1 "what was left unfinished is not" test -e "$state/last-good/files/.new"

reboot
rm -f "$run"/{suspended,waiting}{,.new} # whoever opens a FIFO waits for the other end
mkfifo "$run/suspended" "$run/suspended.new" "$run/waiting" "$run/waiting.new"
daemon_start
check "the start with FIFOs in the place of files" converge
equal "ends the same" "$first" "$(end_state)"
check "what is to be noted can be noted" ctl suspend
check "as a file" test -f "$run/suspended"
check "and resumed" ctl resume

# Other files than those that the state directory knows: another node's disk, or a restored one.
reboot
{
	sed 's/m1/n1/' "$conf/m1.yaml"
} | write "$conf/n1.yaml"
rm "$conf"/m?.yaml
sed 's/m1/n1/' "$conf/s.yaml" | write "$conf/s.yaml"
daemon_start
check "with other files than before" converge
equal "nothing of the old ones is there" "n1" "$(ls "$bpffs/objects")"
equal "nor kept (two files and the settings are)" 3 "$(find "$state/last-good/files" -type f | wc -l)"

# A socket that cannot be made is no reason not to have the filters.
reboot
rm -r "$run/control"
echo 'in the way' >"$run/control"
daemon_start
check "a control socket that cannot be" until_true 10 has_root v0
matches "is told" 'control' "$(grep -i 'cannot' "$work/log")"
check "everything else is done" converge
rm "$run/control"
check "and it is made when it can be" until_true 10 ctl reload

# --- bpffs -------------------------------------------------------------------------------------

# A share under the run directory is a mount; the plain directory that it hid must not matter.
reboot
umount "$work/fs" # nothing is mounted there yet: the daemon does it
daemon_start
check "no bpffs is mounted yet" converge
equal "one is, now" bpf_fs "$(stat -f -c %T "$work/fs" | sed 's/bpf_fs\|UNKNOWN.*cafe4a11.*/bpf_fs/')"
send p0 10
equal "packets meet the program" 10 "$(seen n1)"

# From here on no frame may miss a member, through the mount and through the death of the daemon.
rm "$conf"/n1.yaml "$conf"/s.yaml
ip link del v0
flood_interface
flood_prepare
filter=true flood_member first 0 10
flood_member last 1 20
check "a chain, for numbered frames" converge
numbered_start 0x3
members=$(member_ids)
mount -t bpf -o mode=711 bpf "$work/fs" # late: over our directory
check "another is mounted over it" until_true 10 test -d "$bpffs/objects/first"
check "the node converges in that" converge
equal "with the very programs and maps" "$members" "$(member_ids)"
daemon_stop KILL
daemon_start
check "so it is for the next daemon" converge
equal "with the very programs and maps" "$members" "$(member_ids)"
numbered_stop "the interface was never without a member"
finish
