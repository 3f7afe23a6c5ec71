#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
# Last good versions on a disk that is full, read-only, damaged or gone; object files that vanish with
# the pins of what was loaded from them; configuration directories that cannot be looked at.
# shellcheck source=lib.sh disable=SC2119,SC2016
. "$(dirname "$0")/lib.sh"
sandbox "$@"

in_force() { # FILE
	status_value ".files[] | select(.path | endswith(\"$1\")) | \"\(.state) \(.in_force)\""
}
object_of() { # OBJECT
	status_value ".objects[] | select(.name == \"$1\") | \"\(.state) \(.in_force) \(.reason)\""
}
told() { # PATTERN: how many events say so
	ctl events --json | grep -Ec -- "$1"
}
break_file() { # NAME
	{
		cat "$conf/$1.yaml"
		echo "    programms: {}"
	} | write "$conf/$1.yaml"
}
# As after a boot: nothing of ours in the kernel, state directory and run directory as they were.
lose_everything() {
	ip link set v0 xdp off
	boot_kernel
	mount -t bpf bpf "$work/fs"
	chmod 711 "$work/fs"
}
chain_is() { # IDS: the members that a packet meets, in order
	send p0 1
	equal "the chain is $1" "$1" "$(trace_last)"
}

interface v0 p0
# The same program as of m1, and a file of its own for the store.
{ cat "$builddir/bpf/test_trace.bpf.o"; echo; } >"$conf/second.bpf.o"
member m1 1 50 v0
member m2 2 60 v0
sed 's/test_trace/second/' "$conf/m2.yaml" | write "$conf/m2.yaml"

# --- a full disk ------------------------------------------------------------------------------

mount -t tmpfs -o mode=700,size=64k tmpfs "$state"
head -c 1m /dev/zero 2>/dev/null >"$state/ballast"
daemon_start
check "a full state directory keeps nothing from its work" converge
equal "which is told in one event" 1 "$(told 'No space left on device')"
matches "and in the status, as long as it lasts" "warning: .*in memory only.*No space left on device" "$(ctl status)"
check "a resync later" ctl reload
check "and again" ctl reload
equal "it is still one" 1 "$(told 'No space left on device')"
break_file m2
refuse 124 "a broken file" ctl wait --timeout 1
equal "has its last good version from memory" "invalid previous" "$(in_force m2.yaml)"
chain_is "1 2"
member m2 2 60 v0
sed 's/test_trace/second/' "$conf/m2.yaml" | write "$conf/m2.yaml"
check "repaired" converge
rm "$state/ballast"
check "there is room again" ctl reload
equal "which is told as well" 1 "$(told 'kept on disk again')"
break_file m2
daemon_stop KILL
lose_everything
daemon_start
refuse 124 "the next process, after a boot, has it from the disk" ctl wait --timeout 1
equal "as previous" "invalid previous" "$(in_force m2.yaml)"
chain_is "1 2"
check "at rest the daemon does not hold the state's file system" until_true 5 umount "$state"
daemon_stop
member m2 2 60 v0
sed 's/test_trace/second/' "$conf/m2.yaml" | write "$conf/m2.yaml"

# --- a full disk for the configuration --------------------------------------------------------

# What an editor leaves of a file when there is no room for it: nothing, which is no declaration.
daemon_start
check "the file is repaired" converge
: >"$conf/m2.yaml"
refuse 124 "a file truncated by a full disk" ctl wait --timeout 1
matches "is known as empty" 'EmptyFile' "$(ctl status)"
chain_is "1 2"
member m2 2 60 v0
sed 's/test_trace/second/' "$conf/m2.yaml" | write "$conf/m2.yaml"
check "and repaired" converge

# --- object files -----------------------------------------------------------------------------

rm "$conf/second.bpf.o"
refuse 124 "an object file is deleted" ctl wait --timeout 1
equal "its last good version is in force" "failed previous ObjectMissing" "$(object_of m2)"
daemon_stop KILL
lose_everything
daemon_start
refuse 124 "also after a boot" ctl wait --timeout 1
equal "said the same" "failed previous ObjectMissing" "$(object_of m2)"
chain_is "1 2"
member m3 3 70 v0 # a change: all is kept anew, with what of m2 there is
check "another file is still applied" until_true 10 eval '[ "$(object_of m3)" = "ready declared null" ]'
head -c 20000 /dev/urandom >"$conf/second.bpf.o"
check "garbage in its place" until_true 10 eval '[[ "$(object_of m2)" = "failed previous NotElf" ]]'
daemon_stop KILL
lose_everything
daemon_start
check "also after another boot" until_true 10 eval '[[ "$(object_of m2)" = "failed previous NotElf" ]]'
chain_is "1 2 3"

# --- a damaged copy ---------------------------------------------------------------------------

daemon_stop
copies=("$state"/last-good/objects/*)
for copy in "${copies[@]}"; do printf X | dd of="$copy" bs=1 seek=100 conv=notrunc status=none; done
lose_everything
daemon_start
check "a damaged copy is not loaded" until_true 10 eval '[[ "$(object_of m2)" = "failed none NotElf" ]]'
matches "which is said" 'was damaged' "$(cat "$work/log")"
chain_is "1 3"
{ cat "$builddir/bpf/test_trace.bpf.o"; echo; } >"$conf/second.bpf.o"
check "the file is there again" converge
chain_is "1 2 3"
rm "$conf/m3.yaml"
check "one less" converge

# --- a read-only disk -------------------------------------------------------------------------

daemon_stop
mount --bind "$state" "$state"
mount -o remount,bind,ro "$state"
break_file m2
lose_everything
daemon_start
refuse 124 "from a read-only disk" ctl wait --timeout 1
equal "the last good version can be read" "invalid previous" "$(in_force m2.yaml)"
chain_is "1 2"
member m3 3 70 v0
check "and changes are made" until_true 10 eval '[ "$(object_of m3)" = "ready declared null" ]'
check "without being kept, which is told once" until_true 10 eval '[ "$(told "Read-only file system")" = 1 ]'
check "asked again" ctl reload
equal "it is not told again" 1 "$(told 'Read-only file system')"
mount -o remount,bind,rw "$state"
check "the disk can be written again" ctl reload
equal "which is told" 1 "$(told 'kept on disk again')"
rm "$conf/m3.yaml"

# --- of a newer bpfshare, and planted ---------------------------------------------------------

daemon_stop
entry=$state/last-good/files/$(printf %s "$conf/m2.yaml" | sha256sum | cut -d' ' -f1)
check "the entry is where the manual says" test -f "$entry"
cp "$entry" "$work/entry"
printf 'bpfshare-last-good 2\n{}\n' >"$entry"
daemon_start
check "a newer bpfshare's copy" until_true 10 grep -q 'kept by a newer bpfshare' "$work/log"
equal "is not misread" "invalid none" "$(in_force m2.yaml)"
chain_is "1 2" # what a file declared that is there and invalid is never removed
equal "and not removed" 'bpfshare-last-good 2' "$(head -1 "$entry")"
daemon_stop
rm "$entry"
ln -s "$work/entry" "$entry"
daemon_start
check "a link in its place is not followed" until_true 10 grep -q "is damaged and is not used" "$work/log"
equal "nor believed" "invalid none" "$(in_force m2.yaml)"
member m2 2 60 v0
check "the file is repaired" converge
refuse 1 "and kept in the link's place" test -L "$entry"
mv "$state/last-good" "$state/away"
chmod 777 "$state/away"
mv "$state/away" "$state/last-good"
daemon_stop
daemon_start
check "a store that others can write to harms nobody" converge
equal "and is told" 1 "$(told 'can be written by others')"
chmod 700 "$state/last-good"
daemon_stop

# --- directories ------------------------------------------------------------------------------

mkdir "$work/vendor.d" "$work/volume"
daemon_start --conf-dir "$work/vendor.d"
check "a second directory, empty" converge
before=$(root_of v0)
mv "$conf" "$conf.away"
refuse 124 "the first is renamed away" ctl wait --timeout 1
matches "which is said" 'vanished' "$(ctl status)"
daemon_stop KILL
daemon_start --conf-dir "$work/vendor.d"
refuse 124 "nor does the next process take it for a wish" ctl wait --timeout 1
matches "and says so" "$conf has vanished" "$(ctl status)"
equal "nothing was changed" "$before" "$(root_of v0)"
ln -s conf.d.nowhere "$conf"
refuse 124 "a link to nowhere" ctl wait --timeout 1
equal "is none either" "$before" "$(root_of v0)"
rm "$conf"
mv "$conf.away" "$conf"
check "it is back" converge
equal "as it was" "$before" "$(root_of v0)"

cp "$conf"/* "$work/volume/"
daemon_stop
mount -t tmpfs -o mode=755 tmpfs "$work/vendor.d"
mv "$conf"/*.yaml "$work/vendor.d/"
cp "$conf"/*.bpf.o "$work/vendor.d/"
daemon_start --conf-dir "$work/vendor.d"
check "a directory that is a mount" converge
before=$(root_of v0)
check "at rest the daemon does not hold it" until_true 5 umount "$work/vendor.d"
refuse 124 "is unmounted, and what is below is empty" ctl wait --timeout 1
matches "which is said" 'now is another one' "$(ctl status)"
equal "nothing was changed" "$before" "$(root_of v0)"
mount -t tmpfs -o mode=755 tmpfs "$work/vendor.d"
mkdir "$work/vendor.d/lost+found"
refuse 124 "so is the volume that is mounted in its place" ctl wait --timeout 1
equal "nothing was changed" "$before" "$(root_of v0)"
mv "$work/volume"/*.bpf.o "$work/volume/m1.yaml" "$work/vendor.d/"
refuse 124 "some of its files come back" ctl wait --timeout 1
equal "the others may follow" "$before" "$(root_of v0)"
matches "which is said" "waits for .bpfsharectl confirm" "$(ctl status)"
mv "$work/volume"/* "$work/vendor.d/"
check "files there count again" converge
equal "and nothing was changed" "$before" "$(root_of v0)"
echo '# nothing' >"$work/vendor.d/nothing.yaml"
rm "$work/vendor.d"/m?.yaml
check "and a file without a declaration says that nothing is wanted" converge
equal "so nothing is there" "" "$(root_of v0)"
finish
