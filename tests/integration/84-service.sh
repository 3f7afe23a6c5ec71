#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
# What the service manager is told, what it finds in the log, and when its unit is started.
# shellcheck source=lib.sh disable=SC2119
. "$(dirname "$0")/lib.sh"
sandbox "$@"

# The datagrams, in the order in which they came.
"$builddir/tests/tools/sockettool" -l "$work/notify" >"$work/notified" &
listener=$!
until_true 5 test -S "$work/notify" || bail "no socket for notifications"

# told PATTERN: it was said since the last mark.
mark=1
told() {
	tail -n "+$mark" "$work/notified" | grep -Eq -- "$1"
}
# process_state PID LETTER
process_state() {
	[ "$(sed 's/.*) //' "/proc/$1/stat" | cut -c1)" = "$2" ]
}
set_mark() {
	mark=$(($(wc -l <"$work/notified") + 1))
}

interface v0 p0
member m1 1 50 v0
echo 'objects: {broken: {file: none.o, programs: {x: {}}}}' >"$conf/broken.yaml"
export NOTIFY_SOCKET=$work/notify INVOCATION_ID=0123 WATCHDOG_USEC=600000
daemon_start
unset NOTIFY_SOCKET INVOCATION_ID WATCHDOG_USEC
check "ready after the first pass, although not all is well" \
	until_true 10 told '^READY=1 STATUS=1 ready, 1 failed: object broken: .*none.o'
matches "the log has priorities" '^<5>load object m1' "$(cat "$work/log")"
matches "failures are warnings" '^<4>object broken is failed' "$(cat "$work/log")"
matches "and nothing else is in front" '^0$' "$(grep -vc '^<[3-7]>' "$work/log")"

set_mark
rm "$conf/broken.yaml"
check "the status line follows" until_true 5 told '^STATUS=1 ready$'
set_mark
check "the loop says that it is alive" until_true 5 told '^WATCHDOG=1$'
kill -STOP "$daemon_pid"
until_true 5 process_state "$daemon_pid" T
until_true 5 process_state "$listener" S # nothing is left to be heard
set_mark
refuse 1 "a loop that does not turn says nothing" until_true 2 told '^WATCHDOG=1$'
kill -CONT "$daemon_pid"
check "until it turns again" until_true 5 told '^WATCHDOG=1$'

set_mark
verdict=1
member m1 1 50 v0
kill -HUP "$daemon_pid"
check "SIGHUP is a reload" until_true 5 told '^RELOADING=1 MONOTONIC_USEC=[0-9]{6,}$'
check "that ends" until_true 5 told '^READY=1 STATUS=1 ready$'
check "with what is new in force" converge
set_mark
mv "$conf" "$conf.away"
check "a directory that vanished is told" until_true 5 told '^STATUS=.*has vanished'
mv "$conf.away" "$conf"
root=$(root_of v0)
daemon_stop
check "stopping is told" until_true 5 told '^STOPPING=1 '
equal "and leaves everything in place" "$root" "$(root_of v0)"

# A journal of our own: the daemon believes that its standard error is what JOURNAL_STREAM names.
mount -t tmpfs tmpfs /run && mkdir -p /run/systemd/journal
"$builddir/tests/tools/sockettool" -l /run/systemd/journal/socket >"$work/journal" &
until_true 5 test -S /run/systemd/journal/socket || bail "no socket for the journal"
: >"$work/log"
rm "$conf/m1.yaml"
echo '# nothing' >"$conf/nothing.yaml" # an empty directory at a start says nothing
JOURNAL_STREAM=$(stat -c %d:%i "$work/log") daemon_start
check "what goes to the journal has fields" until_true 5 grep -qE \
	'^MESSAGE=detach root of v0.* PRIORITY=5 SYSLOG_IDENTIFIER=bpfshared BPFSHARE_OBJECT=v0' "$work/journal"
equal "and nothing goes to standard error" "" "$(cat "$work/log")"
daemon_stop
: >"$work/log"
JOURNAL_STREAM=1:1 daemon_start
check "a redirected standard error is no journal" until_true 5 grep -q '^bpfshared: ' "$work/log"
daemon_stop

# --- the unit: before the network, and without anything that could keep it from starting ----------

units=$work/units
mkdir "$units"
sed -e "s|@[s]*bindir@|$builddir|" "$(dirname "$0")/../../systemd/bpfshare.service.in" \
	>"$units/bpfshare.service" || bail "no unit"
unit_words() { # KEY: all words of its lines
	sed -n "s/^$1=//p" "$units/bpfshare.service" | xargs
}
equal "the unit: no default dependencies" no "$(unit_words DefaultDependencies)"
equal "the unit: before the network, and before the end" "network-pre.target shutdown.target" \
	"$(unit_words Before)"
equal "the unit: which is ordered behind it only if somebody wants that target" network-pre.target \
	"$(unit_words Wants)"
matches "the unit: after local file systems and what makes our directories" \
	'^local-fs.target systemd-sysusers.service systemd-tmpfiles-setup.service ' "$(unit_words After)"
refuse 1 "the unit: after nothing that needs a network" grep -E '^After=.*(network|remote|time-sync|nss)' \
	"$units/bpfshare.service"
refuse 1 "the unit: nothing has to be there or mounted first" grep -E \
	'^(Requires|Requisite|BindsTo|RequiresMountsFor|StateDirectory|Condition[A-Za-z]*|Assert[A-Za-z]*)=' \
	"$units/bpfshare.service"
equal "the unit: it is never given up" 0 "$(unit_words StartLimitIntervalSec)"
equal "the unit: what it attached and mounted stays" "yes mixed" \
	"$(unit_words RuntimeDirectoryPreserve) $(unit_words KillMode)"

# With the strictest of neighbours: a network that is up before the rest of the system.
cat >"$units/early-network.service" <<-EOF
	[Unit]
	DefaultDependencies=no
	Wants=network-pre.target
	After=network-pre.target
	Before=network.target sysinit.target
	[Service]
	Type=oneshot
	ExecStart=/bin/true
EOF
cat >"$units/start.target" <<-EOF
	[Unit]
	Requires=sysinit.target
	Wants=early-network.service bpfshare.service
EOF
verify() {
	SYSTEMD_UNIT_PATH="$units:" systemd-analyze verify --man=no start.target 2>&1
}
has_network_pre() {
	local dir
	for dir in /usr/lib /lib; do
		[ ! -e "$dir/systemd/system/network-pre.target" ] || return 0
	done
	return 1
}
if command -v systemd-analyze >/dev/null && has_network_pre; then
	# what later versions know
	equal "systemd takes the unit" "" "$(verify | grep -F bpfshare.service |
		grep -vE "notify-reload|'Restart(Steps|MaxDelaySec)'")"
	refuse 1 "and finds no cycle with a network that is up early" grep -i cycle <<<"$(verify)"
	sed -i '/^DefaultDependencies=/d' "$units/bpfshare.service"
	matches "which default dependencies would make" 'ordering cycle' "$(verify)"
else
	skip "systemd takes the unit" "no systemd-analyze, or no units of systemd here"
fi
finish
