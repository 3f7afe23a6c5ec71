# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
#
# For the integration tests: a sandbox of its own for each script (fresh network and mount
# namespace, bpffs, directories), a daemon in it, and TAP on standard output.
#
#   +------------------ sandbox ------------------+      +---- peer ----+
#   |  bpfshared      v0 (XDP under test) ========|======|==== p0       |
#   |                 v1                  ========|======|==== p1       |
#   +---------------------------------------------+      +--------------+
#
# A script sources this file, calls `sandbox "$@"` first, then check/ok/fail …, and `finish` last.
# Nothing here sleeps for a fixed time: until() polls a condition with a bound.

set -u

builddir=${abs_builddir:-$PWD}
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

# The one that configure found to run: Ubuntu's in the PATH wants the tools of the running kernel.
bpftool() {
	command "${BPFTOOL:-bpftool}" "$@"
}

tap_count=0
tap_failed=0

skip_all() {
	echo "1..0 # SKIP $*"
	exit 0
}

bail() {
	echo "Bail out! $*"
	exit 99
}

ok() {
	tap_count=$((tap_count + 1))
	echo "ok $tap_count - $*"
}

not_ok() {
	tap_count=$((tap_count + 1))
	tap_failed=$((tap_failed + 1))
	echo "not ok $tap_count - $*"
}

skip() { # name, reason
	tap_count=$((tap_count + 1))
	echo "ok $tap_count - $1 # SKIP $2"
}

diag() {
	sed 's/^/# /'
}

# check NAME COMMAND...: the command must succeed; its output is shown if it does not.
check() {
	local name=$1 output status
	shift
	output=$("$@" 2>&1)
	status=$?
	if [ $status = 0 ]; then
		ok "$name"
	else
		not_ok "$name"
		printf '%s\n' "command: $*" "status: $status" "$output" | diag
	fi
}

# refuse STATUS NAME COMMAND...: the command must exit with just this status.
refuse() {
	local want=$1 name=$2 output status
	shift 2
	output=$("$@" 2>&1)
	status=$?
	if [ "$status" = "$want" ]; then
		ok "$name"
	else
		not_ok "$name"
		printf '%s\n' "command: $*" "status: $status, wanted $want" "$output" | diag
	fi
}

# equal NAME WANT GOT
equal() {
	if [ "$2" = "$3" ]; then
		ok "$1"
	else
		not_ok "$1"
		printf '%s\n' "wanted: $2" "got:    $3" | diag
	fi
}

# matches NAME PATTERN TEXT: an extended regular expression somewhere in the text.
matches() {
	if grep -Eq -- "$2" <<<"$3"; then
		ok "$1"
	else
		not_ok "$1"
		printf '%s\n' "pattern: $2" "text:" "$3" | diag
	fi
}

# until_true SECONDS COMMAND...: polls; succeeds as soon as the command does.
until_true() {
	local limit=$((SECONDS + $(patient "$1")))
	shift
	while ! "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $limit ] || return 1
		sleep 0.02
	done
}

# Under emulation (tests/vm/vmrun sets VMRUN) everything takes 10 to 20 times as long, and bounds made
# for this machine would only measure that. `patience` multiplies those of until_true() and `ctl wait`:
# they end as soon as what they wait for is there. A wait of a second or two is for what must not
# come: it is always paid in full, so it grows by `short_patience` only.
patience=1 short_patience=1
[ -z "${VMRUN:-}" ] || patience=8 short_patience=3

# patient SECONDS: the bound for this machine; a fraction stays what it is
patient() {
	if [[ $1 = *.* ]]; then
		echo "$1"
	elif [ "$1" -gt 2 ]; then
		echo $(($1 * patience))
	else
		echo $(($1 * short_patience))
	fi
}

finish() {
	echo "1..$tap_count"
	[ $tap_failed = 0 ]
	exit
}

# --- the sandbox ---------------------------------------------------------------

# Starts the script again inside; everything goes with the namespaces.
sandbox() {
	if [ -z "${BPFSHARE_SANDBOX:-}" ]; then
		[ "$(id -u)" = 0 ] || skip_all "needs root"
		exec env BPFSHARE_SANDBOX=1 unshare --net --mount --propagation private -- bash "$0" "$@"
	fi
	[ -e /dev/fd ] || ln -s /proc/self/fd /dev/fd # a bare devtmpfs has no such link; <(…) needs it
	work=$(mktemp -d "${TMPDIR:-/tmp}/bpfshare-test.XXXXXX") || bail "no temporary directory"
	chmod 755 "$work"
	trap clean_up EXIT
	mount -t tmpfs -o mode=755 tmpfs "$work" || skip_all "cannot mount in a namespace of its own"
	mount --make-rshared "$work"
	mkdir -p "$work"/{conf.d,objects,fs}
	mount -t bpf bpf "$work/fs" 2>/dev/null || skip_all "cannot mount a bpffs"
	chmod 711 "$work/fs"
	conf=$work/conf.d run=$work/run state=$work/state bpffs=$work/fs/bpfshare
	mkdir -p "$run" "$state"
	# shellcheck disable=SC2119 # none so far
	daemon_settings
	cp "$builddir"/bpf/*.bpf.o "$conf/" 2>/dev/null || bail "no BPF objects in $builddir/bpf"
	ip link set lo up
	daemon_pid='' peer_pid=''
}

clean_up() {
	local pid
	for pid in $(jobs -p); do
		kill -KILL "$pid" 2>/dev/null
	done
	wait 2>/dev/null
	[ -z "${KEEP:-}" ] || cp -a "$work" "$KEEP" 2>/dev/null
	cd /
	umount -Rl "$work" 2>/dev/null
	rmdir "$work" 2>/dev/null
}

# interface NAME PEER: a veth pair, the peer in a namespace of its own.
interface() {
	if [ -z "$peer_pid" ]; then
		unshare --net sleep infinity &
		peer_pid=$!
		until_true 5 different_netns "$peer_pid" || bail "no second network namespace"
		in_peer ip link set lo up
	fi
	ip link add "$1" type veth peer name "$2" || bail "no veth"
	ip link set "$2" netns "$peer_pid"
	sysctl -qw "net.ipv6.conf.$1.disable_ipv6=1" 2>/dev/null
	in_peer sysctl -qw "net.ipv6.conf.$2.disable_ipv6=1" 2>/dev/null
	ip link set "$1" up
	in_peer ip link set "$2" up
}

different_netns() {
	[ "$(readlink "/proc/$1/ns/net")" != "$(readlink /proc/self/ns/net)" ]
}

in_peer() {
	nsenter --net="/proc/$peer_pid/ns/net" -- "$@"
}

# send PEER COUNT: frames of the experimental ethertype, numbered through the whole script; they
# arrive at its partner's XDP.
sent=0
send() {
	in_peer "$builddir/tests/tools/testtool" send "$1" "$2" $sent >/dev/null
	sent=$((sent + $2))
}

# flood PEER: sends in the background until flood_stop.
flood() {
	# not in_peer: in the background, the process to end would be a shell that waits for it
	nsenter --net="/proc/$peer_pid/ns/net" -- "$builddir/tests/tools/testtool" send "$1" 0 0 >/dev/null &
	flood_pid=$!
}

flood_stop() {
	kill -TERM "$flood_pid"
	wait "$flood_pid"
}

tool() {
	"$builddir/tests/tools/testtool" "$@"
}

# as_user UID GID COMMAND...: without any privilege.
as_user() {
	local uid=$1 gid=$2
	shift 2
	setpriv --reuid "$uid" --regid "$gid" --clear-groups --inh-caps=-all --bounding-set=-all -- "$@"
}

# --- the daemon ------------------------------------------------------------------

# For a script that looks at details of one mechanism, before `sandbox`: chains are made by it, and
# not by what `auto` finds best on this kernel. Such a script writes its settings by daemon_settings.
force_mechanism() {
	forced_mechanism=$1
}

# daemon_settings [LINE...]: the settings of the daemon, complete: these lines, and the mechanism if
# one is forced. A daemon that runs reads them again.
# shellcheck disable=SC2120
daemon_settings() {
	local lines=("$@")
	[ -z "${forced_mechanism:-}" ] || lines+=("xdp: {mechanism: $forced_mechanism}")
	[ ${#lines[@]} -gt 0 ] || lines=('{}')
	printf '%s\n' "${lines[@]}" | write "$work/bpfshared.yaml"
}

daemon_options() {
	printf '%s\n' --config "$work/bpfshared.yaml" --conf-dir "$conf" --run-dir "$run" \
		--state-dir "$state" --bpffs "$bpffs" --log-level debug
}

once() {
	local options
	mapfile -t options < <(daemon_options)
	"$builddir/bpfshared" "${options[@]}" --once "$@"
}

# daemon_under: a command and its arguments that become the daemon
daemon_under=()
daemon_start() {
	local options
	mapfile -t options < <(daemon_options)
	"${daemon_under[@]}" "$builddir/bpfshared" "${options[@]}" "$@" 2>>"$work/log" &
	daemon_pid=$!
	until_true 20 test -S "$run/status/status.sock" || {
		diag <"$work/log"
		bail "the daemon did not start"
	}
}

daemon_stop() { # [SIGNAL]
	kill "-${1:-TERM}" "$daemon_pid" 2>/dev/null
	wait "$daemon_pid" 2>/dev/null
	daemon_pid=''
}

ctl() {
	local arguments=("$@") i
	if [ "${1:-}" = wait ]; then
		for ((i = 1; i < $#; i++)); do
			if [ "${arguments[i]}" = --timeout ]; then
				arguments[i + 1]=$(patient "${arguments[i + 1]}")
			fi
		done
	fi
	"$builddir/bpfsharectl" --run-dir "$run" "${arguments[@]}"
}

converge() {
	ctl wait --timeout 20 "$@" || {
		{
			ctl status
			tail -20 "$work/log"
		} 2>&1 | diag
		return 1
	}
}

# status_value FILTER: of `status --json`, by jq's language.
status_value() {
	ctl status --json | jq -r "$1"
}

# kernel_before VERSION: for what no feature of the daemon tells; a distribution may have it earlier.
kernel_before() {
	[ "$(printf '%s\n' "$1" "$(uname -r)" | sort -V | head -n 1)" != "$1" ]
}

# feature NAME KEY: what this kernel is found able to do; the keys are available and detail.
feature() {
	ctl features --json | jq -r ".features[] | select(.name == \"$1\") | .$2"
}

# unprivileged CHECK...: a check that needs a kernel on which processes without privilege open maps.
unprivileged() {
	local name=$2
	[ "$1" != refuse ] || name=$3
	if [ "$(feature unprivileged_map_access available)" = true ]; then
		"$@"
	else
		skip "$name" "$(feature unprivileged_map_access detail)"
	fi
}

# root_of INTERFACE: program id of the XDP root, nothing without one.
root_of() {
	ip -j -d link show dev "$1" | jq -r '.[0].xdp.prog.id // empty'
}

has_root() {
	[ -n "$(root_of "$1")" ]
}

# boot_kernel: what a boot does to our programs and maps: nobody holds them any more. Of the file system
# nothing is left either; what is attached must have been detached. The kernel lets go of pins only
# after a grace period, and until then a daemon could find their programs by id.
boot_kernel() {
	local pin ids=()
	for pin in "$bpffs"/objects/*/*/programs/* "$bpffs"/chains/*/dispatcher; do
		[ ! -e "$pin" ] || ids+=("$(bpftool -j prog show pinned "$pin" | jq .id)")
	done
	umount -l "$work/fs"
	for pin in "${ids[@]}"; do
		until_true 20 program_is_gone "$pin" || bail "somebody holds program $pin"
	done
}

program_is_gone() {
	! bpftool prog show id "$1"
}

write() { # FILE: standard input becomes the file, by rename as editors and tools do
	local tmp
	tmp=$(dirname "$1")/.$(basename "$1").new
	cat >"$tmp" && mv "$tmp" "$1"
}

show_log() {
	diag <"$work/log"
}

# --- declarations ------------------------------------------------------------------

# member NAME ID PRIORITY INTERFACE [ATTACHMENT KEYS]: an object whose program notes in the map
# m1/trace which packets it saw; m1 must be the first.
member() {
	local name=$1 id=$2 priority=$3 interface=$4 more=${5:-} use=''
	[ "$name" = m1 ] || use='maps: {trace: {use: m1/trace}}'
	write "$conf/$name.yaml" <<-EOF
		objects:
		  $name:
		    file: test_trace.bpf.o
		    globals: {id: $id, verdict: ${verdict:-2}, ethertype: 0x88b5, record: ${record:-true}}
		    $use
		    programs:
		      xdp_trace:
		        attach:
		          - {xdp: {interface: "$interface"}, priority: $priority${more:+, $more}}
	EOF
}

# repairs TOKEN: how many repairs of this kind there were
repairs() {
	status_value ".daemon.repairs.$1 // 0"
}

# repaired TOKEN NUMBER: so many at least, and nothing is left to be done
repaired() {
	[ "$(repairs "$1")" -ge "$2" ] && [ "$(status_value .converged)" = true ]
}

# remove_tree DIRECTORY: with all that is in it, and nothing that is mounted below
remove_tree() {
	find "$1" -mindepth 1 -depth -delete
	rmdir "$1"
}

# object_dir INSTANCE: where the version in force is pinned.
object_dir() {
	local found=("$bpffs/objects/$1"/*/)
	printf '%s\n' "${found[0]%/}"
}

# trace_last: the ids of the members that saw the newest packet, in order.
trace_last() {
	tool trace "$(object_dir m1)/maps/trace" | tail -1 | cut -d: -f2 | xargs
}

# seen MEMBER: how many watched packets this member counted.
seen() {
	tool get "$(object_dir "$1")/maps/packets" 00000000 0 8
}
