#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
# Two daemons with different directories: each sees the other as foreign and leaves it alone.
# shellcheck source=lib.sh disable=SC2119,SC2016
. "$(dirname "$0")/lib.sh"
force_mechanism tailcall
sandbox "$@"

interface v0 p0
interface v1 p1
member m1 1 50 v0
daemon_start
check "the first" converge
first_root=$(root_of v0) first_run=$run first_pid=$daemon_pid

refuse 3 "a second with the same run directory is refused" once
matches "naming the first" "$first_pid" "$(once 2>&1)"

conf=$work/second.d run=$work/second state=$work/second-state bpffs=$work/fs/second
mkdir "$conf" "$run" "$state"
cp "$builddir"/bpf/*.bpf.o "$conf/"
echo 'shares: {s: {maps: [m1/packets], targets: [{bpffs: {}}]}}' >"$conf/s.yaml"
member m1 2 50 'v*'
daemon_start
refuse 124 "the second cannot have the first one's interface" ctl wait --timeout 1
equal "it has the other" ready \
	"$(status_value '.objects[].programs[].attachments[] | select(.interface=="v1") | .state')"
equal "this one is blocked" "blocked ForeignProgram" \
	"$(status_value '.objects[].programs[].attachments[] | select(.interface=="v0") | "\(.state) \(.reason)"')"
equal "the first one's program is untouched" "$first_root" "$(root_of v0)"

kill "$first_pid"
wait "$first_pid"
check "the first one stops: its program stays" test "$(root_of v0)" = "$first_root"
check "the second is purged" ctl purge
equal "it took only its own" "$first_root " "$(root_of v0) $(root_of v1)"
check "the first one's pins are there" test -e "$work/fs/bpfshare/objects/m1"
equal "the second one's are not" "" "$(ls "$bpffs/objects")"
daemon_stop

run=$first_run bpffs=$work/fs/bpfshare
check "purge works without a daemon, too" ctl purge --bpffs "$bpffs"
equal "and takes what is left" "" "$(root_of v0)"
finish
