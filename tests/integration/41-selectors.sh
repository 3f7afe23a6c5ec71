#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
# Interface sets by every key, and what follows when a property of an interface changes. The resync is
# switched off: events alone must do it.
# shellcheck source=lib.sh disable=SC2119,SC2016
. "$(dirname "$0")/lib.sh"
sandbox "$@"

# The interfaces of the set, by name.
attached() {
	status_value '[.chains[].interface] | sort | join(" ")'
}

attached_is() {
	[ "$(attached)" = "$1" ]
}

# select WANTED ENTRIES [EXCEPT]: what the set of these entries selects.
selects() {
	write "$conf/set.yaml" <<-EOF
		interfaces:
		  s: {select: [$2]${3:+, except: [$3]}}
	EOF
	converge && attached_is "$1" && return
	echo "attached: $(attached)"
	return 1
}

echo 'resync_s: 86400' >"$work/bpfshared.yaml"
for i in a0 a1 b0; do
	ip link add "$i" type veth peer name "x$i" || bail "no veth"
	ip link set "$i" up
done
ip link set a0 address 02:00:00:00:00:0a
ip link set a1 group 7
ip link set b0 group 8
ip link property add dev b0 altname the-uplink || bail "no alternative names"
# Any other kind; kernels for small machines have few.
other=''
for kind in dummy bridge ifb; do
	[ -n "$other" ] || ! ip link add d0 type $kind 2>/dev/null || other=$kind
done
[ -n "$other" ] || skip_all "no other kind of interface than veth here"
ip link set d0 up
write "$conf/m.yaml" <<-'EOF'
	objects:
	  m:
	    file: test_trace.bpf.o
	    programs:
	      xdp_trace: {attach: [{xdp: {interface: "@s"}}]}
EOF
echo 'interfaces: {s: {select: [{name: a0}]}}' >"$conf/set.yaml"
daemon_start
check "name" selects a0 '{name: a0}'
check "a list of names, of which one is absent" selects "a0 b0" '{name: [b0, a0, c0]}'
check "a pattern" selects "a0 a1" '{name: "a*"}'
check "a pattern with a set of characters" selects "a1 b0" '{name: "a[1-9]"}, {name: "b?"}'
check "an alternative name" selects b0 '{name: the-uplink}'
check "a pattern for alternative names" selects b0 '{name: "the-*"}'
check "driver" selects "a0 a1 b0 xa0 xa1 xb0" '{driver: veth}'
check "drivers, and a name as well" selects "a0 b0" '{driver: [veth, ixgbe], name: ["?0"]}' '{driver: ixgbe}'
check "mac, in capitals" selects a0 '{mac: "02:00:00:00:00:0A"}'
check "kind" selects d0 "{kind: $other}"
check "kinds" selects "a0 a1 b0 d0" "{kind: [$other, veth]}" '{name: "x*"}'
check "group" selects a1 '{group: 7}'
check "groups" selects "a1 b0" '{group: [7, 8]}'
check "keys AND" selects a1 '{group: [7, 8], name: "a*"}'
check "entries OR" selects "a0 a1" '{mac: "02:00:00:00:00:0a"}, {group: 7}'
check "no physical one is here" selects "" '{physical: true}'
check "all others" selects "a0 a1 b0 d0 xa0 xa1 xb0" '{physical: false}'
check "except by another key" selects "a0 b0" '{name: "?0"}' "{kind: $other}"
check "the loopback interface by its own name only" selects lo '{name: lo}'
check "not by a pattern" selects "a0 a1 b0 d0 xa0 xa1 xb0" '{name: "*"}'

# What an interface is can change.
check "by group" selects a1 '{group: 7}'
ip link set b0 group 7
check "an interface changes its group" until_true 10 attached_is "a1 b0"
ip link set a1 group 0
check "another leaves it" until_true 10 attached_is b0
check "by mac" selects "" '{mac: "02:00:00:00:00:0b"}'
ip link set a1 address 02:00:00:00:00:0b
check "an interface changes its address" until_true 10 attached_is a1
check "by alternative name" selects "" '{name: other-name}'
ip link property add dev a0 altname other-name
check "an interface gets an alternative name" until_true 10 attached_is a0
ip link property del dev a0 altname other-name
check "and loses it" until_true 10 attached_is ""

check "by name" selects "a0 a1" '{name: "a*"}'
# shellcheck disable=SC2034
before=$(root_of a1)
ip link set a1 down && ip link set a1 name a2 && ip link set a2 up
check "renamed within the set" until_true 10 attached_is "a0 a2"
equal "it keeps its root" "$before" "$(root_of a2)"
ip link set a2 name c2 2>/dev/null || { ip link set a2 down && ip link set a2 name c2; }
check "renamed out of it" until_true 10 attached_is a0
equal "it has no root" "" "$(root_of c2)"
ip link del a0
check "removed" until_true 10 attached_is ""
ip link add a0 type veth peer name xa0
check "and made again" until_true 10 attached_is a0
check "converged" converge

# Two sets with different settings: the first in sort order holds.
write "$conf/set.yaml" <<-'EOF'
	interfaces:
	  s: {select: [{name: a0}], xdp: {mode: native}}
	  t: {select: [{name: "a*"}], xdp: {mode: generic}}
EOF
refuse 124 "sets that contradict each other are not converged" ctl wait --timeout 1
matches "and both are named" "sets s and t .* a0" "$(ctl status)"
equal "the first holds" native "$(status_value '.chains[0].mode')"
write "$conf/set.yaml" <<-'EOF'
	interfaces:
	  s: {select: [{name: zz9}], optional: false}
EOF
refuse 124 "a set that must not be empty and is" ctl wait --timeout 1
matches "is said to be" "interface set s is waiting: no interface matches yet" "$(ctl status)"
matches "by who waits for it, too" "interface set s is waiting: no interface matches yet" \
	"$(ctl wait --timeout 1 2>&1)"
finish
