#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
# Other network namespaces: attached to, observed and watched inside, with the resync switched off.
# shellcheck source=lib.sh disable=SC2119,SC2016
. "$(dirname "$0")/lib.sh"
sandbox "$@"
# For the names of namespaces; there is no directory for them yet.
mount -t tmpfs -o mode=755 tmpfs /run || skip_all "cannot mount a /run of its own"

# pair NETNS INTERFACE PEER: a veth, one end in the namespace, the other in the peer's.
pair() {
	ip link add "t$2" type veth peer name "t$3" || bail "no veth"
	ip link set "t$3" netns "$peer_pid" name "$3" || bail "no veth in the peer"
	ip link set "t$2" netns "$1" name "$2" || bail "no veth in the namespace"
	inside "$1" sysctl -qw net.ipv6.conf.all.disable_ipv6=1 2>/dev/null
	in_peer sysctl -qw "net.ipv6.conf.$3.disable_ipv6=1" 2>/dev/null
	inside "$1" ip link set "$2" up
	in_peer ip link set "$3" up
}

inside() { # NETNS COMMAND...
	local path=/run/netns/$1
	[ -e "$path" ] || path=/proc/$1/ns/net
	shift
	nsenter --net="$path" -- "$@"
}

root_in() { # NETNS INTERFACE
	inside "$1" ip -j -d link show dev "$2" 2>/dev/null | jq -r '.[0].xdp.prog.id // empty'
}

has_root_in() {
	[ -n "$(root_in "$1" "$2")" ]
}

lacks_root_in() {
	[ -z "$(root_in "$1" "$2")" ]
}

peer_lacks() {
	! in_peer ip link show dev "$1"
}

# The state and reason of an object's first attachment.
attachment() {
	status_value ".objects[] | select(.name==\"$1\") | .programs[].attachments[0] | \"\\(.state) \\(.reason)\""
}

attachment_is() { # OBJECT STATE REASON
	[ "$(attachment "$1")" = "$2 $3" ]
}

descriptors() {
	find "/proc/$daemon_pid/fd" -mindepth 1 | wc -l
}

# at NAME NETNS INTERFACE: an object with one program, alone.
at() {
	write "$conf/$1.yaml" <<-EOF
		objects:
		  $1:
		    file: test_trace.bpf.o
		    programs:
		      xdp_trace: {attach: [{xdp: {interface: $3, netns: $2}}]}
	EOF
}

echo 'resync_s: 86400' >"$work/bpfshared.yaml"
interface v0 p0 # starts the peer
write "$conf/sets.yaml" <<-'EOF'
	interfaces:
	  pods: {select: [{name: "e*"}], netns: blue}
EOF
member m1 1 10 '@pods'
write "$conf/m2.yaml" <<-'EOF'
	objects:
	  m2:
	    file: test_trace.bpf.o
	    globals: {id: 2, verdict: 2, ethertype: 0x88b5, record: true}
	    maps: {trace: {use: m1/trace}}
	    programs:
	      xdp_trace: {attach: [{xdp: {interface: [e0, v0], netns: blue}, priority: 20}]}
EOF
daemon_start
check "an unknown namespace counts as converged" converge
equal "it is waited for" "waiting NetnsAbsent" "$(attachment m2)"
matches "by its path" "/run/netns/blue" "$(ctl status --json)"
check "there is no record of it" test ! -e "$bpffs/netns/blue"

ip netns add blue || skip_all "cannot make namespaces"
pair blue e0 q0
check "it appears: the event is enough" until_true 10 has_root_in blue e0
check "converged" converge
equal "its name does not reach the interfaces here" "" "$(root_of v0)"
send q0 1
equal "its chain runs" "1 2" "$(trace_last)"
equal "it is told by name" "blue e0" "$(status_value '.chains[] | "\(.netns) \(.interface)"')"
matches "and shown by it" '^blue:e0 .*xdp' "$(ctl show blue:e0)"
check "there is a record now" test -d "$bpffs/netns/blue"

# The same name and the same number in three namespaces.
ip netns add green
index=$(inside blue ip -j link show dev e0 | jq -r '.[0].ifindex')
for n in "ip netns exec green ip" ip; do
	$n link add e0 index "$index" type veth peer name e1 || bail "no veth of that index"
	$n link set e0 up
done
member m3 3 30 e0
write "$conf/m4.yaml" <<-'EOF'
	objects:
	  m4:
	    file: test_trace.bpf.o
	    instances: interface
	    programs:
	      xdp_trace: {attach: [{xdp: {interface: e0, netns: green}}]}
	shares:
	  s:
	    maps: ["m4@green:e0/packets"]
	    targets: [{bpffs: {}}]
EOF
check "the same index in three namespaces" converge
equal "three chains" "$index null,$index blue,$index green" "$(status_value \
	'[.chains[] | select(.interface=="e0") | "\(.ifindex) \(.netns)"] | join(",")')"
before="$(root_of e0) $(root_in blue e0) $(root_in green e0)"
equal "of three programs" 3 "$(tr ' ' '\n' <<<"$before" | sort -u | wc -l)"
check "an instance's map is shared under its name" test -e "$run/shares/s/maps/packets"
refuse 0 "the plan is empty" ctl plan --conf-dir "$conf" --bpffs "$bpffs"
send q0 1
equal "the first is as before" "1 2" "$(trace_last)"

# Drift inside.
inside blue ip link set e0 xdp off
check "somebody switches XDP off inside: repaired" until_true 10 has_root_in blue e0
check "converged" converge
send q0 1
equal "and as before" "1 2" "$(trace_last)"
pair blue e7 q7
check "an interface appears inside" until_true 10 has_root_in blue e7
inside blue ip link set e7 down && inside blue ip link set e7 name x7
check "renamed out of the set" until_true 10 lacks_root_in blue x7
inside blue ip link set x7 name e7
check "and back" until_true 10 has_root_in blue e7
hostile=$'e7\033[5m'
inside blue ip link set e7 down && inside blue ip link set e7 name "$hostile"
check "named like a command to terminals" until_true 10 eval 'ctl status --json | grep -qi u001b'
equal "which the tool does not hand on" "" "$({
	ctl status
	ctl show m1
	ctl events
	ctl plan --conf-dir "$conf" --bpffs "$bpffs"
} 2>&1 | grep -F $'\033')"
matches "though it tells the rest of the name" 'blue:e7\?\[5m:' "$(ctl status)"
inside blue ip link set "$hostile" name e7
check "named as before" until_true 10 has_root_in blue e7
inside blue ip link set e7 netns green
check "moved to where nothing is declared for it" until_true 10 lacks_root_in green e7
inside green ip link set e7 netns blue
check "and back" until_true 10 has_root_in blue e7
check "converged" converge

# Links tell a number alone; the one that goes must be that of its own namespace. The second is attached
# first, against the order of the names.
exclusive() { # NAMESPACES
	local namespace
	{
		echo 'interfaces:'
		for namespace in blue green; do
			echo "  links-$namespace: {netns: $namespace, select: [{name: z0}], xdp: {exclusive: true}}"
		done
		echo 'objects:'
		echo '  z: {file: test_trace.bpf.o, programs: {xdp_trace: {attach: ['
		for namespace in $1; do
			echo "    {xdp: {interface: z0, netns: $namespace}},"
		done
		echo '  ]}}}'
	} | write "$conf/z.yaml"
}
for namespace in blue green; do
	inside $namespace ip link add z0 index 777 type veth peer name z1 || bail "no veth of index 777"
	inside $namespace ip link set z0 up
done
exclusive green
check "an exclusive root in one namespace" converge
held=$(root_in green z0)
links=$(ls "$bpffs/links")
exclusive "blue green"
check "and at the same number in another" converge
equal "two links" 2 "$(find "$bpffs/links" -type f | wc -l)"
exclusive green
check "the second goes" converge
equal "its own link went" "$links" "$(ls "$bpffs/links")"
equal "the other root is as it was" "$held" "$(root_in green z0)"
check "and nothing is left of it" lacks_root_in blue z0
rm "$conf/z.yaml"
check "both gone" converge

# A restart finds everything and writes nothing.
before="$(root_of e0) $(root_in blue e0) $(root_in green e0) $(root_in blue e7)"
pins=$(find "$bpffs" | sort)
daemon_stop
: >"$work/log"
daemon_start
check "restarted" converge
equal "the roots are the same" "$before" \
	"$(root_of e0) $(root_in blue e0) $(root_in green e0) $(root_in blue e7)"
equal "so is everything that is pinned" "$pins" "$(find "$bpffs" | sort)"
refuse 1 "no operation was needed" grep -Eq "(attach|swap|load|build|detach|remember) " "$work/log"

# Deleted, although our socket is inside: nothing keeps it alive.
ip netns del blue
check "deleted: the far ends go with it" until_true 10 peer_lacks q0
check "converged" converge
equal "waiting again" "waiting NetnsAbsent" "$(attachment m2)"
ip netns add blue
pair blue e0 q0
check "made again" until_true 10 has_root_in blue e0
check "converged" converge
send q0 1
equal "its chain runs" "1 2" "$(trace_last)"

# shellcheck disable=SC2034
count=$(descriptors)
for _ in 1 2 3; do
	ip netns del blue
	check "deleted" until_true 10 peer_lacks q0
	ip netns add blue
	pair blue e0 q0
	check "and made" until_true 10 has_root_in blue e0
done
check "converged" converge
check "no descriptor is left behind" until_true 5 eval '[ "$(descriptors)" -le "$count" ]'

# Programs of tc in the namespace, by whichever way the kernel has.
write "$conf/t1.yaml" <<-'EOF'
	objects:
	  t1:
	    file: test_tc.bpf.o
	    programs:
	      tc_trace:
	        attach:
	          - {tc: {interface: e0, netns: blue, direction: ingress}}
	          - {tc: {interface: e0, netns: blue, direction: egress}}
EOF
check "tc in a namespace" converge
equal "both directions" "ready null,ready null" "$(status_value \
	'[.objects[] | select(.name=="t1") | .programs[].attachments[] | "\(.state) \(.reason)"] | join(",")')"
equal "of its interface" "blue" \
	"$(status_value '[.chains[] | select(.hook=="tc") | .netns] | unique | join(",")')"
tc_in_blue() {
	inside blue "${BPFTOOL:-bpftool}" -j net show dev e0 | jq '[.[0].tc[]] | length'
}
equal "the kernel has them there" 2 "$(tc_in_blue)"
equal "and not here" 0 "$(bpftool -j net show dev e0 | jq '[.[0].tc[]] | length')"
rm "$conf/t1.yaml"
check "converged" converge
equal "gone" 0 "$(tc_in_blue)"

# By a path, which ends with its process.
unshare --net sleep infinity &
holder=$!
until_true 5 different_netns "$holder" || bail "no namespace of a process"
pair "$holder" h0 g0
at m5 "/proc/$holder/ns/net" h0
check "a namespace by the path of a process" converge
equal "is attached to" "ready null" "$(attachment m5)"
equal "under that path" "/proc/$holder/ns/net" \
	"$(status_value '.chains[] | select(.interface=="h0") | .netns')"
ln -s "/proc/$holder/ns/net" /run/netns/link
at m6 link h0
check "another name of it, as tools make for containers" converge
equal "is the same interface" 2 \
	"$(status_value '.chains[] | select(.interface=="h0") | .members | length')"
kill -KILL "$holder"
wait "$holder" 2>/dev/null
check "the process ends" until_true 10 attachment_is m5 waiting NetnsAbsent
check "and its interface with it" until_true 10 peer_lacks g0
rm "$conf/m5.yaml" "$conf/m6.yaml" /run/netns/link
check "converged" converge
check "its record is forgotten" until_true 5 eval '! ls "$bpffs/netns" | grep -q proc'

# The daemon's own under another name is not seen twice.
at m5 "/proc/$daemon_pid/ns/net" v0
check "the own namespace by a path" converge
equal "is the own" null "$(status_value '.chains[] | select(.interface=="v0") | .netns')"

# What is no namespace is said to be none.
echo text >/run/plain
at m5 /run/plain v0
check "a file that is no namespace" converge
equal "is waited for" "waiting NetnsAbsent" "$(attachment m5)"
matches "and told what it is" "/run/plain is no namespace" "$(ctl status --json)"
rm "$conf/m5.yaml"
check "converged" converge

# Nothing declares it when the daemon comes back: the record leads there.
daemon_stop
rm "$conf/m4.yaml"
check "started without the declaration" once
equal "its root is gone" "" "$(root_in green e0)"
check "and its record" test ! -e "$bpffs/netns/green"
daemon_start
check "converged" converge
check "purge" ctl purge
equal "nothing is left in the namespace" "" "$(root_in blue e0)$(root_in blue e7)"
equal "and no record" "" "$(ls "$bpffs/netns" 2>/dev/null)"
finish
