#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
# The two sockets: who may ask what, what wrong requests get, and what a client cannot do to others.
# shellcheck source=lib.sh disable=SC2119,SC2016
. "$(dirname "$0")/lib.sh"
sandbox "$@"

# ask SOCKET ANSWERS: the lines of standard input are the requests.
ask() {
	"$builddir/tests/tools/sockettool" "${@:3}" "$run/$1/$1.sock" "$2"
}

call() { # METHOD [PARAMETERS]
	printf '{"method":"%s","parameters":%s}\n' "$1" "${2:-{\}}"
}

interface v0 p0
member m1 1 50 v0
echo 'control: {group: 4711}' >"$work/bpfshared.yaml"
daemon_start
check "a daemon" converge

# ---- who may ask what
equal "directories and sockets have their modes" "755 0 666 0 750 4711 660 4711" "$(stat -c '%a %g' \
	"$run/status" "$run/status/status.sock" "$run/control" "$run/control/control.sock" | xargs)"
check "anybody reads" as_user 4000 4000 "$builddir/bpfsharectl" --run-dir "$run" status
refuse 1 "a stranger changes nothing" as_user 4000 4000 "$builddir/bpfsharectl" --run-dir "$run" reload
check "a member of the control group does" as_user 4000 4711 "$builddir/bpfsharectl" --run-dir "$run" reload
check "also by a supplementary group" setpriv --reuid 4000 --regid 4000 --groups 4711 -- \
	"$builddir/bpfsharectl" --run-dir "$run" reload
matches "root of another pid namespace does not" 'in another pid namespace' \
	"$(unshare --pid --fork --mount-proc "$builddir/bpfsharectl" --run-dir "$run" reload 2>&1)"
matches "nor root of another user namespace" 'in another user namespace' \
	"$(unshare --user --map-root-user "$builddir/bpfsharectl" --run-dir "$run" reload 2>&1)"
check "both may look" unshare --pid --fork --mount-proc "$builddir/bpfsharectl" --run-dir "$run" status
matches "nobody changes anything over the status socket" 'PermissionDenied' \
	"$(call io.bpfshare.Reload | ask status 1)"
echo 'control: {group: 4712}' >"$work/bpfshared.yaml"
check "another group in the settings" until_true 5 as_user 4000 4712 "$builddir/bpfsharectl" --run-dir "$run" reload
refuse 1 "and the old one is out" as_user 4000 4711 "$builddir/bpfsharectl" --run-dir "$run" reload

# ---- the interface
matches "says what it is" '"product":"bpfshared".*io.bpfshare' "$(call org.varlink.service.GetInfo | ask status 1)"
matches "describes itself" 'method GetStatus' "$(call org.varlink.service.GetInterfaceDescription \
	'{"interface":"io.bpfshare"}' | ask status 1)"
matches "an interface that is not there" 'InterfaceNotFound' \
	"$(call org.varlink.service.GetInterfaceDescription '{"interface":"a.b"}' | ask status 1)"
matches "a method that is not there" 'MethodNotFound.*Frob' "$(call io.bpfshare.Frob | ask status 1)"
matches "an unknown parameter" 'InvalidParameter.*"name"' "$(call io.bpfshare.GetStatus '{"name":1}' | ask status 1)"
matches "a parameter of another type" 'InvalidParameter.*"names"' \
	"$(call io.bpfshare.GetStatus '{"names":[1]}' | ask status 1)"
matches "a number out of range" 'InvalidParameter.*"timeout_s"' \
	"$(call io.bpfshare.Wait '{"timeout_s":-1}' | ask status 1)"
matches "following needs more" 'ExpectedMore' "$(call io.bpfshare.GetEvents '{"follow":true}' | ask status 1)"
matches "Wait waits" '"converged":true' "$(call io.bpfshare.Wait '{"timeout_s":10}' | ask status 1)"
matches "and gives up" 'TimedOut' "$(call io.bpfshare.Wait '{"timeout_s":0.01,"generation":"xyz"}' | ask status 1)"

# ---- wrong requests
garbage=$(printf 'GET / HTTP/1.0\n' | ask status 2)
matches "garbage gets one answer" 'BadMessage' "$(head -1 <<<"$garbage")"
equal "and the end" "(closed)" "$(tail -1 <<<"$garbage")"
matches "so does a call without a method" 'BadMessage' "$(echo '{}' | ask status 1)"
request=$(call org.varlink.service.GetInfo | tr -d '\n')
matches "64 KiB are taken" '"product"' "$(printf '%s%*s\n' "$request" $((65536 - ${#request})) '' | ask status 1)"
matches "one byte more is not" 'BadMessage.*longer' \
	"$(printf '%s%*s\n' "$request" $((65537 - ${#request})) '' | ask status 1)"
matches "nor is a message without an end" 'BadMessage.*longer' "$(printf '%*s' 70000 '' | ask status 1)"
equal "nesting is bounded" 1 "$(printf '{"a":%*s\n' 60000 '' | tr ' ' '[' | ask status 1 | grep -c BadMessage)"

# ---- manners
equal "requests are answered in order" "1 2 3" "$({
	call org.varlink.service.GetInfo
	call io.bpfshare.GetPlan
	call io.bpfshare.Frob
} | ask status 3 | grep -noE '"product"|"plan"|Frob' | cut -d: -f1 | xargs)"
matches "a oneway call has no answer" '"plan"' "$({
	echo '{"method":"org.varlink.service.GetInfo","oneway":true}'
	call io.bpfshare.GetPlan
} | ask status 1)"
matches "who has nothing more to say still hears the answer" '"converged":true' \
	"$(call io.bpfshare.Wait '{"timeout_s":10}' | ask status 1 -s)"
matches "one user has 32 connections" 'TooManyConnections' "$(call org.varlink.service.GetInfo |
	as_user 4000 4000 "$builddir/tests/tools/sockettool" -c 33 "$run/status/status.sock" 1)"
matches "and 32 are served" '"product"' "$(call org.varlink.service.GetInfo |
	as_user 4000 4000 "$builddir/tests/tools/sockettool" -c 32 "$run/status/status.sock" 1)"
matches "a socket has 256" 'TooManyConnections' "$(call org.varlink.service.GetInfo | ask status 1 -c 257)"
check "they are free again" ctl status

full() { # whether user 4000 is refused, each time with words, also when the daemon has hung up before the question
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		as_user 4000 4000 "$builddir/bpfsharectl" --run-dir "$run" status 2>&1 |
			grep -q "limit of connections is reached, that of this user" || return 1
	done
}
follow() {
	setpriv --reuid 4000 --regid 4000 --clear-groups -- "$builddir/bpfsharectl" --run-dir "$run" events --follow \
		>/dev/null 2>&1 &
	followers+=($!)
}
# The daemon may not yet have seen that the connections above are closed; a follower that was refused
# for one of them has gone, so another takes its place.
fill() {
	full && return
	follow
	return 1
}
followers=()
for _ in {1..32}; do follow; done
until_true 20 fill
equal "bpfsharectl says whose limit it is" 0 $?
kill "${followers[@]}" 2>/dev/null
wait "${followers[@]}" 2>/dev/null

# ---- those who wait
call io.bpfshare.Wait '{"timeout_s":60,"generation":"xyz"}' | ask status 1 >/dev/null 2>&1 &
waiter=$!
ctl events --follow >"$work/events" &
follower=$!
check "a follower hears what was" until_true 5 test -s "$work/events"
check "waiting clients hold nobody up" ctl reload
kill -KILL $waiter
wait $waiter 2>/dev/null
ctl suspend >/dev/null
check "and what happens" until_true 5 grep -q suspend "$work/events"
ctl resume >/dev/null
kill $follower
wait $follower 2>/dev/null
check "clients that vanish do no harm" ctl status
descriptors=$(find "/proc/$daemon_pid/fd" -mindepth 1 | wc -l)
for _ in 1 2 3; do
	ctl status >/dev/null
	printf 'garbage\n' | ask control 2 >/dev/null
done
one_less_or_equal() { [ "$(find "/proc/$daemon_pid/fd" -mindepth 1 | wc -l)" -le "$descriptors" ]; }
check "connections leave no descriptor behind" until_true 5 one_less_or_equal

# ---- a restart
mv "$conf" "$conf.away"
ctl wait --timeout 30 >"$work/waited" 2>&1 &
waiter=$!
daemon_stop KILL
mv "$conf.away" "$conf"
daemon_start
wait $waiter
equal "waiting survives a restart of the daemon" 0 $?

# ---- what somebody takes away
rm "$run/status/status.sock"
check "a socket that was removed is made again" until_true 5 ctl status
rm -r "$run/control"
check "so is one with its directory" until_true 5 ctl reload
equal "and their modes are as before" "755 0 666 0 750 4712 660 4712" "$(stat -c '%a %g' \
	"$run/status" "$run/status/status.sock" "$run/control" "$run/control/control.sock" | xargs)"
mount -t tmpfs -o mode=755 tmpfs "$run/status"
check "and one that is mounted over" until_true 5 ctl status
umount -l "$run/status" # the daemon notices no sooner
check "and one that comes to light again" until_true 5 ctl status
locked() { [ "$(cat "$run/lock/pid")" = "$daemon_pid" ]; }
rm -r "$run/lock"
check "the lock is taken again" until_true 5 locked
refuse 3 "and keeps others out" once

second() {
	local options
	mapfile -t options < <(daemon_options)
	timeout "$(patient 20)" "$builddir/bpfshared" "${options[@]}"
}
kill -STOP "$daemon_pid"
inodes=$(stat -c %i "$run"/{status,control}/*.sock | xargs)
rm -r "$run/lock"
refuse 3 "without the lock, the one of the bpffs keeps others out" second
equal "and the sockets are as they were" "$inodes" "$(stat -c %i "$run"/{status,control}/*.sock | xargs)"
kill -CONT "$daemon_pid"
check "the first daemon goes on" until_true 5 locked
check "and serves" ctl reload

kill -STOP "$daemon_pid"
rm "$run/status/status.sock"
touch "$run/status/status.sock"
kill -TERM "$daemon_pid"
daemon_stop CONT
check "a stopped daemon leaves what is not its own" test -f "$run/status/status.sock"
daemon_start
check "which the next one replaces" converge
daemon_stop
equal "a stopped daemon leaves no socket" "" "$(find "$run/status" "$run/control" -type s)"
finish
