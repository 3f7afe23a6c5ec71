#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
# Two daemons with different directories and programs for one interface: by libxdp's protocol they
# share its chain, and neither insists on a dispatcher of its own.
# shellcheck source=lib.sh disable=SC2119,SC2016
. "$(dirname "$0")/lib.sh"
sandbox "$@"

[ "$("$builddir/bpfsharectl" --run-dir "$run" features --json 2>/dev/null |
	jq '.features[] | select(.name == "libxdp") | .available')" = true ] ||
	skip_all "this kernel refuses freplace programs"

first() {
	conf=$work/conf.d run=$work/run state=$work/state bpffs=$work/fs/bpfshare
}
second() {
	conf=$work/second.d run=$work/second state=$work/second-state bpffs=$work/fs/second
}
both() { # COMMAND...
	first && "$@" && second && "$@"
}
operations() {
	ctl events --json | grep -c '"kind": *"operation"'
}

interface v0 p0
daemon_settings 'resync_s: 86400'
member m1 1 10 v0 'on_missing: drop'
daemon_start
check "the first daemon's program" converge

second
mkdir "$conf" "$run" "$state"
cp "$builddir"/bpf/*.bpf.o "$conf/"
write "$conf/n1.yaml" <<-END
	objects:
	  n1:
	    file: packet_counter.bpf.o
	    programs:
	      xdp_packet_counter:
	        attach: [{xdp: {interface: v0}, priority: 20, on_missing: drop}]
END
daemon_start
check "the second one's joins it" until_true 60 both ctl wait --timeout 5
first
equal "seen from the first" "ours foreign" \
	"$(status_value '[.chains[].members[].owner] | join(" ")')"
second
equal "and from the second" "foreign ours" \
	"$(status_value '[.chains[].members[].owner] | join(" ")')"
root=$(root_of v0)
before="$(first && operations) $(second && operations)"
check "both look again" both ctl reload
check "both are content" both ctl wait --timeout 5
equal "with the same root" "$root" "$(root_of v0)"
equal "without an operation" "$before" "$(first && operations) $(second && operations)"

first
member m1 2 10 v0 'on_missing: drop'
check "the first one's has a new version" until_true 60 both ctl wait --timeout 5
first
send p0 1
equal "which runs" "2" "$(trace_last)"
check "the first is purged" ctl purge
second
check "the second keeps its own" until_true 60 ctl wait --timeout 5
equal "which is alone now" "n1" "$(status_value '[.chains[].members[].object // "?"] | join(" ")')"
check "purged as well" ctl purge
equal "nothing is left" "" "$(root_of v0)$(ls "$work/fs/xdp")"
finish
