#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
# Shares: who may open what, and nothing more.
# shellcheck source=lib.sh disable=SC2119,SC2016
. "$(dirname "$0")/lib.sh"
sandbox "$@"

reader=4201 writer=4202 stranger=4203 # gids without a name will do
interface v0 p0
member m1 1 50 v0
write "$conf/shares.yaml" <<-EOF
	shares:
	  dashboard:
	    maps: [{map: m1/packets, as: seen}]
	    targets: [{bpffs: {group: $reader}}]
	  control:
	    maps: [{map: m1/packets, access: rw}, m1/trace]
	    targets: [{bpffs: {group: $writer, mode: "0710"}}]
EOF
daemon_start
check "shares are published" converge

testtool=$builddir/tests/tools/testtool
if [ "$(feature unprivileged_map_access available)" = true ]; then
	refuse 1 "nothing is said of blocked access" grep -q UnprivilegedBpfBlocked <<<"$(ctl status --json)"
else
	matches "the share says that the kernel blocks its consumers" UnprivilegedBpfBlocked \
		"$(status_value '.shares[] | select(.name == "dashboard") | .targets[].reason')"
fi

# A container that bound the directory above, as a slave of the host's mounts.
mkdir "$work/bound"
unshare --mount --propagation slave -- bash -c \
	"mount --rbind '$run/shares' '$work/bound' && exec sleep infinity" &
consumer=$!
bound=/proc/$consumer/root$work/bound/dashboard/maps
check "another mount namespace sees the share" until_true 5 test -e "$bound/seen"

ro=$run/shares/dashboard/maps rw=$run/shares/control/maps
send p0 3

unprivileged equal "a member of the group reads, without any privilege" 3 \
	"$(as_user 4001 $reader "$testtool" get "$ro/seen" 00000000 0 8 2>&1)"
refuse 3 "but cannot open it for writing" as_user 4001 $reader "$testtool" open "$ro/seen" rw
unprivileged refuse 3 "nor write through a read-only descriptor" \
	as_user 4001 $reader "$testtool" put-ro "$ro/seen" 00000000 00
unprivileged refuse 3 "nor pin the map again in its own share" \
	as_user 4001 $reader "$testtool" pin "$ro/seen" "$ro/again"
refuse 3 "a stranger opens nothing" as_user 4003 $stranger "$testtool" open "$ro/seen" ro
refuse 3 "even root cannot write to a read-only share" tool put "$ro/seen" 00000000 00
refuse 3 "the group of one share is a stranger to another" \
	as_user 4001 $reader "$testtool" open "$rw/packets" ro

cpus=$(getconf _NPROCESSORS_CONF)
value=$(printf '%0*d' $((16 * cpus)) 0)
unprivileged check "write access works" as_user 4002 $writer "$testtool" put "$rw/packets" 00000000 "$value"
unprivileged equal "and reaches the program's map" 0 "$(seen m1)"
unprivileged refuse 3 "a read-only map beside it stays read-only" \
	as_user 4002 $writer "$testtool" open "$rw/trace" rw
unprivileged refuse 3 "the consumer cannot add a pin" \
	as_user 4002 $writer "$testtool" pin "$rw/packets" "$rw/mine"

equal "the directory has the declared mode and group" "710 0 $writer" "$(stat -c '%a %u %g' "$rw")"
equal "pins belong to root and the group" "660 0 $writer" "$(stat -c '%a %u %g' "$rw/packets")"
matches "the superblock of the read-only share is read-only" ' - bpf [^ ]* ro' \
	"$(grep " $ro " /proc/self/mountinfo)"
matches "propagation is shared" ' shared:' "$(grep " $ro " /proc/self/mountinfo)"

chmod 777 "$rw" && chmod 666 "$rw/trace" && chown 4003 "$rw/packets"
check "wrong modes and owners are seen" ctl reload
check "and repaired" converge
equal "the directory" "710 0 $writer" "$(stat -c '%a %u %g' "$rw")"
equal "a read-only pin" "440 0 $writer" "$(stat -c '%a %u %g' "$rw/trace")"
equal "an owner" "660 0 $writer" "$(stat -c '%a %u %g' "$rw/packets")"

umount "$ro"
check "an unmounted share" converge
check "comes back" test -e "$ro/seen"

write "$conf/shares.yaml" <<-EOF
	shares:
	  dashboard:
	    maps: [{map: m1/packets, as: counters}]
	    targets: [{bpffs: {group: $reader}}]
EOF
check "an alias changes, a share goes" converge
check "the new name is there" test -e "$ro/counters"
check "the old one is not" test ! -e "$ro/seen"
check "the other namespace sees the replaced share" until_true 5 test -e "$bound/counters"
check "and not the old one" test ! -e "$bound/seen"
matches "which is read-only there, too" ' - bpf [^ ]* ro' \
	"$(grep " $work/bound/dashboard/maps " "/proc/$consumer/mountinfo")"
check "the other share's directory is gone" test ! -e "$rw"
equal "one mount is left" 1 "$(grep -c "$run/shares" /proc/self/mountinfo)"
finish
