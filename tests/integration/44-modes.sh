#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
# Modes of the root, and what is said when a kernel or a driver refuses one.
# shellcheck source=lib.sh disable=SC2119,SC2016
. "$(dirname "$0")/lib.sh"
sandbox "$@"

settings() { # INTERFACE XDP SETTINGS
	write "$conf/set.yaml" <<-EOF
		interfaces: {one: {select: [{name: $1}], xdp: {$2}}}
	EOF
}

attachment() { # state and reason of the one attachment
	status_value '.objects[].programs[].attachments[] | "\(.state) \(.reason)"'
}

message() {
	status_value '.objects[].programs[].attachments[].message'
}

attachment_is() {
	[ "$(attachment)" = "$*" ]
}

echo 'resync_s: 86400' >"$work/bpfshared.yaml"
interface v0 p0
member m1 1 50 v0
settings v0 'mode: native'
daemon_start
check "native" converge
equal "as declared" native "$(status_value '.chains[0].mode')"
equal "and nothing more to say" "ready null" "$(attachment)"
rm "$conf/m1.yaml"
check "converged" converge

settings v0 'mode: offload'
member m1 1 50 v0
check "offload, which no veth has" until_true 5 attachment_is failed OffloadRefused
matches "is refused with a remedy" "v0 does not take this one: declare \`mode: native\`" "$(message)"
equal "and nothing is attached" "" "$(root_of v0)"
refuse 1 "nor is anything said of a chain" grep -q CHAIN <<<"$(ctl status)"
rm "$conf/m1.yaml"
check "converged" converge

# Packets larger than a page. The kernel looks at the MTU of the peer.
in_peer ip link set p0 mtu 9000 || bail "no jumbo frames"
ip link set v0 mtu 9000
settings v0 'mode: native'
member m1 1 50 v0
check "a jumbo MTU" until_true 5 attachment_is failed NativeRefused
matches "in the kernel's words" "MTU is too large" "$(message)"
matches "with the number" "the MTU of v0 is 9000" "$(message)"
matches "and all remedies" 'SEC\("xdp.frags"\), lower the MTU, or declare `mode: generic`' "$(message)"
settings v0 'mode: auto'
check "auto takes generic mode" converge
equal "and says so" "ready GenericMode" "$(attachment)"
matches "with the reason in the log" "generic mode, which is slower, because native mode was refused: .*MTU is too large" \
	"$(cat "$work/log")"
rm "$conf/m1.yaml"
check "converged" converge
settings v0 'mode: native'
member m1 1 50 v0
check "native is refused again" until_true 5 attachment_is failed NativeRefused
in_peer ip link set p0 mtu 1500 && ip link set v0 mtu 1500
check "a lower MTU is tried at once" converge
equal "native" native "$(status_value '.chains[0].mode')"
rm "$conf/m1.yaml"
check "converged" converge

# A driver without native mode at all.
other=''
for kind in dummy bridge ifb; do
	[ -n "$other" ] || ! ip link add d0 type $kind 2>/dev/null || other=$kind
done
if [ -n "$other" ]; then
	ip link set d0 up
	settings d0 'mode: native'
	member m1 1 50 d0
	check "a driver without native mode" until_true 5 attachment_is failed NativeRefused
	matches "in the kernel's words" "does not support XDP in native mode|Operation not supported" "$(message)"
	matches "and the remedy" '`mode: auto` takes generic mode' "$(message)"
	settings d0 'mode: native, exclusive: true'
	check "refused on a link as well" until_true 5 attachment_is failed NativeRefused
	if [ -d /sys/kernel/tracing/events/xdp/bpf_xdp_link_attach_failed ]; then
		matches "in the words that the kernel tells a tracepoint only" "does not support XDP in native mode" "$(message)"
		check "and no trace buffer is left" until_true 2 eval '[ -z "$(ls /sys/kernel/tracing/instances)" ]'
	else
		skip "in the words that the kernel tells a tracepoint only" "no such tracepoint"
	fi
	settings d0 'mode: auto'
	check "auto falls back" converge
	equal "and says so" "ready GenericMode" "$(attachment)"
	settings d0 'mode: generic'
	check "generic is what was asked for" converge
	equal "and nothing more to say" "ready null" "$(attachment)"
	rm "$conf/m1.yaml"
	check "converged" converge
else
	skip "a driver without native mode" "no other kind of interface than veth here"
fi

# A bond and its slaves.
if kernel_before 5.15; then
	skip "a slave of a bond" "bonds do not run XDP in their drivers before Linux 5.15"
elif ip link add bond0 type bond mode active-backup 2>/dev/null; then
	ip link set v0 down && ip link set v0 master bond0 && ip link set bond0 up
	settings bond0 'mode: native'
	member m1 1 50 bond0
	check "a bond" converge
	member m2 2 50 v0
	check "a slave of it is blocked" until_true 5 eval \
		'[ "$(status_value ".objects[] | select(.name==\"m2\") | .reason")" = BondMaster ]'
	matches "and the bond is named" "v0 belongs to the bond bond0" "$(ctl status --json)"
	ip link set v0 nomaster
	check "until it leaves" until_true 10 eval \
		'[ "$(status_value ".objects[] | select(.name==\"m2\") | .state")" = ready ]'
else
	skip "a slave of a bond" "no bonds here"
fi
finish
