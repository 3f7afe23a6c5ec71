#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
# A tree of pins that an older bpfshare made is taken over under traffic, without touching what runs; one
# that a newer one made is left to it, as a whole, and said so.
# shellcheck source=lib.sh disable=SC2119,SC2016
. "$(dirname "$0")/lib.sh"
# shellcheck source=flood.sh
. "$(dirname "$0")/flood.sh"
sandbox "$@"

layout=2 # ours
# age VERSION DIRECTORY...: of our tree
age() {
	local version=$1 dir
	shift
	for dir; do tool age "$dir" "$version" || bail "no metadata of layout $version"; done
}
version_of() { # DIRECTORY: of its metadata
	tool get "$1/meta" 00000000 8 4
}
versions() {
	local dir
	for dir in "$bpffs"/objects/*/* "$bpffs"/chains/*; do version_of "$dir"; done | sort -u | xargs
}
operations() {
	ctl events --json | grep -c '"kind": *"operation"'
}
# ids: what must not change
ids() {
	root_of v0
	find "$bpffs" -path "$bpffs/layout-*" -prune -o -print | sort
}
reason_of() { # OBJECT
	status_value ".objects[] | select(.name == \"$1\") | \"\(.state) \(.reason)\""
}

flood_interface
flood_prepare
interface v1 p1
export record=false
filter=true flood_member first 0 1
flood_member last 1 99
for i in 1 2 3; do member m$i $i $((10 * i)) v0; done
echo 'shares: {s: {maps: [m1/packets], targets: [{bpffs: {group: 4201}}]}}' | write "$conf/s.yaml"
daemon_start
check "a chain and a share" converge
equal "in the present layout" "$layout" "$(versions)"
check "which is marked" test -d "$bpffs/layout-$layout"
daemon_stop

# --- older ---------------------------------------------------------------------------------------

age 1 "$bpffs"/objects/*/* "$bpffs"/chains/*
rmdir "$bpffs/layout-$layout"
equal "as the first layout had it" 1 "$(versions)"
before=$(ids)
send p0 10
equal "m1 counts" 10 "$(seen m1)"
numbered_start 0x3
refuse 2 "something would be done about it" ctl plan --bpffs "$bpffs" --conf-dir "$conf" \
	--config "$work/bpfshared.yaml" --run-dir "$run"
daemon_start
check "it is taken over" converge
equal "without touching what runs" "$before" "$(ids)"
equal "by one operation" 1 "$(operations)"
check "and marked" test -d "$bpffs/layout-$layout"
daemon_stop KILL
daemon_start
check "once" converge
equal "there is nothing left to do" 0 "$(operations)"
filter=true flood_member first 0 1
flood_member last 1 99
check "first and last are replaced" converge
for i in 1 2 3; do member m$i $((10 + i)) $((10 * i)) v0; done
check "and what is between them" converge
member m1 11 35 v0
check "and the chain" converge
numbered_stop "from the older layout to the present one"
equal "nothing is of the old layout any more" "$layout" "$(versions)"
send p0 10
equal "what was counted under it is counted on" 20 "$(seen m1)"
daemon_stop

# --- newer ---------------------------------------------------------------------------------------

age $((layout + 1)) "$(object_dir m2)"
before=$(ids)
member m4 4 40 v1 # which could be done beside it
refuse 1 "a newer layout in one place is refused as a whole" once
matches "by --once" "blocked.*NewerLayout.*layout $((layout + 1))" "$(once 2>/dev/null)"
matches "with what to do" "run that one again" "$(once 2>&1)"
daemon_start
refuse 124 "the daemon refuses it as well" ctl wait --timeout 1
equal "for what is there" "blocked NewerLayout" "$(reason_of m1)"
equal "and beside it" "blocked NewerLayout" "$(reason_of m4)"
equal "nothing was touched" "$before" "$(ids)"
equal "nothing is attached" "" "$(root_of v1)"
matches "the status says why" "made by a newer bpfshare" "$(ctl status)"
equal "an event, too" 1 "$(ctl events --json | grep '"kind": *"failure"' | grep -c 'newer bpfshare')"
refuse 1 "nor is it purged" ctl purge
check "which suspends nothing" test ! -e "$run/suspended"
equal "nothing of it" "$before" "$(ids)"
refuse 1 "plan says so, too" ctl plan --bpffs "$bpffs" --conf-dir "$conf" \
	--config "$work/bpfshared.yaml" --run-dir "$run"
age $layout "$(object_dir m2)"
ctl reload >/dev/null
check "what is known is dealt with, without a restart" converge
check "and what was declared meanwhile is done" has_root v1

mkdir "$bpffs/layout-9"
before=$(ids)
rm "$conf/m4.yaml"
refuse 124 "a newer mark" ctl wait --timeout 1
matches "is refused, too" "layout 9" "$(ctl status)"
equal "nothing was touched" "$before" "$(ids)"
daemon_stop
refuse 1 "also by purge without a daemon" ctl purge --bpffs "$bpffs" --run-dir "$run"
equal "nothing was touched" "$before" "$(ids)"
rmdir "$bpffs/layout-9"
refuse 0 "without it all goes" ctl purge --bpffs "$bpffs" --run-dir "$run"
refuse 1 "with the mark" test -e "$bpffs"
finish
