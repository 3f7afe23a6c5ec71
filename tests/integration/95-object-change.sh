#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
# An object file changes: the new build is loaded beside the old and swapped in; a refused one
# leaves the old in force and says so.
# shellcheck source=lib.sh disable=SC2119,SC2016
. "$(dirname "$0")/lib.sh"
sandbox "$@"

declare_version() {
	write "$conf/version.yaml" <<-EOF
		objects:
		  version:
		    file: live.bpf.o
		    programs: {xdp_version: {attach: [{xdp: {interface: v0}, priority: 20}]}}
	EOF
}
install_object() { # atomically, as a package manager does
	cp "$builddir/bpf/$1" "$conf/.live.new" && mv "$conf/.live.new" "$conf/live.bpf.o"
}
counts() { # packets by version
	local dir
	dir=$(object_dir version)
	echo "$(tool get "$dir/maps/versions" 01000000 0 8) $(tool get "$dir/maps/versions" 02000000 0 8)"
}
send_ip() {
	in_peer "$builddir/tests/tools/testtool" send-udp p0 "$1" 192.0.2.1 >/dev/null
}

echo 'resync_s: 86400' >"$work/bpfshared.yaml"
interface v0 p0
install_object test_version_1.bpf.o
declare_version
member m1 1 10 v0
daemon_start
check "version one" converge
send_ip 2
equal "runs" "2 0" "$(counts)"

install_object test_version_2.bpf.o
check "a new build, noticed without a resync" converge
send_ip 3
equal "is on the wire, with the old one's maps" "2 3" "$(counts)"
equal "the old one is gone" 1 "$(find "$bpffs/objects/version" -mindepth 1 -maxdepth 1 | wc -l)"

echo "not an object" >"$conf/live.bpf.o"
refuse 124 "overwritten by something else" ctl wait --timeout 1
matches "it says so" 'NotElf' "$(ctl status)"
send_ip 2
equal "the last version runs on" "2 5" "$(counts)"
equal "and is shown as such" previous "$(status_value '.objects[] | select(.name=="version") | .in_force')"

cat "$builddir/bpf/test_version_1.bpf.o" >"$conf/live.bpf.o"
check "repaired in place" converge
send_ip 1
equal "runs" "3 5" "$(counts)"
finish
