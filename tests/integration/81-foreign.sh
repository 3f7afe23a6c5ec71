#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
# Other people's programs, exclusive roots and changes of mode.
# shellcheck source=lib.sh disable=SC2119,SC2016
. "$(dirname "$0")/lib.sh"
force_mechanism tailcall
sandbox "$@"

foreign_on() {
	ip link set "$1" xdp obj "$builddir/bpf/test_version_1.bpf.o" sec xdp
}

settings() { # XDP SETTINGS of v0
	write "$conf/set.yaml" <<-EOF
		interfaces: {one: {select: [{name: v0}], xdp: {$1}}}
	EOF
}

attachment() {
	status_value '.objects[].programs[].attachments[] | "\(.state) \(.reason)"'
}

interface v0 p0
foreign_on v0 || bail "iproute2 cannot load an object file"
foreign=$(root_of v0)
settings 'on_foreign: wait'
member m1 1 50 v0
daemon_start
refuse 124 "a foreign program blocks" ctl wait --timeout 1
equal "blocked, and why" "blocked ForeignProgram" "$(attachment)"
matches "the holder is named" "xdp_version.*$foreign|$foreign.*xdp_version" "$(ctl status)"
equal "and left alone" "$foreign" "$(root_of v0)"
refuse 0 "there is nothing to do" ctl plan --conf-dir "$conf" --bpffs "$bpffs"
matches "which plan does not take for well" "object m1 is blocked: ForeignProgram: .*xdp_version" \
	"$(ctl plan --conf-dir "$conf" --bpffs "$bpffs")"

ip link set v0 xdp off
check "it goes: ours is attached by that event" converge
check "attached" has_root v0
mine=$(root_of v0)
ip -force link set v0 xdp obj "$builddir/bpf/test_version_1.bpf.o" sec xdp 2>/dev/null
check "somebody replaces ours" until_true 5 eval '[ "$(attachment)" = "blocked ForeignProgram" ]'
refuse 1 "it is not ours any more" test "$(root_of v0)" = "$mine"

settings 'on_foreign: replace'
check "on_foreign: replace" converge
send p0 1
equal "takes the interface" 1 "$(trace_last)"

settings 'mode: generic'
refuse 124 "another mode needs a detach, and that a confirmation" ctl wait --timeout 1
equal "until then all stays" "pending NeedsConfirm" "$(attachment)"
check "still attached" has_root v0
check "confirmed" ctl confirm
check "done" converge
equal "generic" generic "$(status_value '.chains[0].mode')"

settings 'mode: generic, exclusive: true'
refuse 124 "so does exclusive" ctl wait --timeout 1
check "confirmed" ctl confirm
check "done" converge
equal "the root is on a link" 1 "$(find "$bpffs/links" -type f | wc -l)"
refuse 2 "nobody else can take it" ip link set v0 xdpgeneric off
member m2 2 60 v0
check "a chain on the link" converge
send p0 1
equal "runs" "1 2" "$(trace_last)"
ip link del v0
check "its interface goes" converge
check "the dead link is collected" until_true 3 eval '[ -z "$(ls "$bpffs/links")" ]'
finish
