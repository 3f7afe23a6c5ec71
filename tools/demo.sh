#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
#
# The main job in front of your eyes, on this machine's kernel, in network and mount namespaces of
# its own: two files put two XDP programs on one interface, an unprivileged process reads a
# shared map, a file is edited and the chain follows. Nothing is left behind.
#
#   demo.sh BUILD_DIRECTORY
set -euo pipefail

if [ -z "${BPFSHARE_DEMO:-}" ]; then
	[ "$(id -u)" = 0 ] || { echo "demo: needs root, as the kernel wants it for loading programs: sudo make demo" >&2; exit 1; }
	exec env BPFSHARE_DEMO=1 unshare --net --mount --propagation private -- bash "$0" "$@"
fi

build=$(realpath "$1")
work=$(mktemp -d "${TMPDIR:-/tmp}/bpfshare-demo.XXXXXX")
daemon='' peer=''

clean_up() {
	[ -z "$daemon" ] || { kill "$daemon" && wait "$daemon"; } 2>/dev/null || :
	[ -z "$peer" ] || { kill "$peer" && wait "$peer"; } 2>/dev/null || :
	cd /
	umount -Rl "$work" 2>/dev/null || :
	rmdir "$work"
}
trap clean_up EXIT

say() { printf '\n\033[1m== %s\033[0m\n' "$*"; }
show() { printf '\033[2m$ %s\033[0m\n' "$1"; }
die() {
	echo "demo: $*" >&2
	tail -20 "$work/log" >&2 2>/dev/null || :
	exit 1
}

# poll COMMAND...: until it succeeds, ten seconds at most.
poll() {
	local limit=$((SECONDS + 10))
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $limit ] || return 1
		sleep 0.05
	done
}

ctl() {
	show "bpfsharectl $*"
	"$build/bpfsharectl" --run-dir "$work/run" "$@"
}

elsewhere() { [ "$(readlink "/proc/$peer/ns/net")" != "$(readlink /proc/self/ns/net)" ]; }

chmod 755 "$work"
mount -t tmpfs -o mode=755 tmpfs "$work"
mount --make-rshared "$work"
mkdir "$work"/{conf.d,fs,run,state}
mount -t bpf bpf "$work/fs"
echo '{}' >"$work/bpfshared.yaml"
cp "$build"/bpf/{packet_counter,block_list}.bpf.o "$work/conf.d/"
cp "$build/examples/read_counters" "$work/"

say "an interface: uplink0, with a neighbour 10.9.0.2 on the other end"
ip link set lo up
unshare --net sleep infinity &
peer=$!
poll elsewhere
ip link add uplink0 type veth peer name far0
ip link set far0 netns "$peer"
ip addr add 10.9.0.1/24 dev uplink0
ip link set uplink0 up
nsenter --net="/proc/$peer/ns/net" sh -c 'ip link set lo up; ip addr add 10.9.0.2/24 dev far0; ip link set far0 up'
ip -br addr show uplink0

say "two files, written by two people who need not know of each other"
cat >"$work/conf.d/10-block-list.yaml" <<EOF
objects:
  block-list:
    file: block_list.bpf.o
    programs:
      xdp_block_list:
        attach:
          - {xdp: {interface: "uplink*"}, priority: 10, on_missing: drop}
EOF
cat >"$work/conf.d/20-counter.yaml" <<EOF
objects:
  counter:
    file: packet_counter.bpf.o
    programs:
      xdp_packet_counter:
        attach:
          - {xdp: {interface: "uplink*"}, priority: 20}
shares:
  dashboard:
    maps: [{map: counter/counters, as: packets}]
    targets: [{bpffs: {group: nogroup}}]
EOF
tail -n +1 "$work"/conf.d/*.yaml

say "the daemon makes the kernel match them"
"$build/bpfshared" --config "$work/bpfshared.yaml" --conf-dir "$work/conf.d" --run-dir "$work/run" \
	--state-dir "$work/state" --bpffs "$work/fs/bpfshare" 2>"$work/log" &
daemon=$!
"$build/bpfsharectl" --run-dir "$work/run" wait --timeout 30 || die "not converged"
ctl status
ctl show uplink0

say "traffic"
neighbour() {
	show "for i in {1..20}; do echo hello >/dev/udp/10.9.0.1/4000; done     # the neighbour"
	nsenter --net="/proc/$peer/ns/net" -- bash -c 'for i in {1..20}; do echo hello >/dev/udp/10.9.0.1/4000; done' 2>/dev/null
}
neighbour

say "an unprivileged process reads the shared map: user and group nobody, no capability"
show "read_counters $work/run/shares/dashboard/maps/packets"
setpriv --reuid 65534 --regid "$(getent group nogroup | cut -d: -f3)" --clear-groups --inh-caps=-all --bounding-set=-all -- \
	"$work/read_counters" "$work/run/shares/dashboard/maps/packets" || die "the consumer could not read"
show "… and as a user who is not in the group"
setpriv --reuid 65533 --regid 65533 --clear-groups --inh-caps=-all --bounding-set=-all -- \
	"$work/read_counters" "$work/run/shares/dashboard/maps/packets" || echo "(denied, as it should be)"

say "a file is edited: the counter moves to the front; the chain follows while packets flow"
show "sed -i 's/priority: 20/priority: 5/' 20-counter.yaml"
sed -i 's/priority: 20/priority: 5/' "$work/conf.d/20-counter.yaml"
"$build/bpfsharectl" --run-dir "$work/run" wait --timeout 30 || die "not converged"
ctl show uplink0
neighbour
show "read_counters …"
setpriv --reuid 65534 --regid "$(getent group nogroup | cut -d: -f3)" --clear-groups --inh-caps=-all --bounding-set=-all -- \
	"$work/read_counters" "$work/run/shares/dashboard/maps/packets"

say "a typo harms nobody: the last good version stays in force"
show "sed -i 's/priority/prioritty/' 20-counter.yaml"
sed -i 's/priority/prioritty/' "$work/conf.d/20-counter.yaml"
ctl check "$work/conf.d" || :
"$build/bpfsharectl" --run-dir "$work/run" wait --timeout 1 >/dev/null 2>&1 || :
ctl status

say "that is the main job; everything is cleaned up now"
