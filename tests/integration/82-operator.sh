#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
# What an operator does by hand: check, plan, show, suspend, resume, purge, and their exit codes.
# shellcheck source=lib.sh disable=SC2119,SC2016
. "$(dirname "$0")/lib.sh"
force_mechanism tailcall
sandbox "$@"

interface v0 p0
refuse 3 "no daemon" ctl status
refuse 64 "no such command" ctl sattus
refuse 64 "no command" ctl
member m1 1 50 v0
check "check" ctl check "$conf"
check "check needs no root" as_user 65534 65534 "$builddir/bpfsharectl" check "$conf"
echo 'objects: {m2: {file: test_trace.bpf.o, programs: {xdp_tracee: {}}}}' >"$conf/m2.yaml"
refuse 1 "a function that is not there" ctl check "$conf"
matches "is found, with a guess" "m2.yaml:1:.*xdp_tracee.*xdp_trace" "$(ctl check "$conf" 2>&1 | tr '\n' ' ')"
refuse 1 "plan says that the configuration has errors" ctl plan --config "$work/bpfshared.yaml" --conf-dir "$conf" --bpffs "$bpffs"
check "and what the rest asks for" jq -e '.errors == 1 and (.operations | length) > 0' \
	<<<"$(ctl plan --json --config "$work/bpfshared.yaml" --conf-dir "$conf" --bpffs "$bpffs" 2>/dev/null)"
rm "$conf/m2.yaml"
ln -s /etc/hostname "$conf/out.yaml"
refuse 1 "a link that the daemon refuses" ctl check "$conf/out.yaml"
matches "says where it leads" 'out.yaml: error: it leads out of .*, to /etc/hostname' "$(ctl check "$conf/out.yaml" 2>&1)"
ln -sf /etc/no-such-file "$conf/out.yaml"
matches "or that nothing is there" 'to /etc/no-such-file, which does not exist' "$(ctl check "$conf/out.yaml" 2>&1)"
rm "$conf/out.yaml"
mkfifo "$conf/fifo.yaml"
matches "a FIFO is named once" 'fifo.yaml: error: it is a FIFO' "$(ctl check "$conf/fifo.yaml" 2>&1)"
rm "$conf/fifo.yaml"

refuse 0 "-h is help" ctl wait -h
refuse 64 "an unknown option" ctl status --jsno
equal "is named once, with a guess" "bpfsharectl: unknown option '--jsno'; did you mean '--json'?" "$(ctl status --jsno 2>&1 | grep -v Try)"
equal "a missing value" "bpfsharectl: option '--for' needs a value" "$(ctl suspend --for 2>&1 | grep -v Try)"
equal "failures are JSON, too" "option '--for' needs a value" "$(ctl --json suspend --for 2>/dev/null | jq -r .error)"
refuse 64 "what is no UTF-8" ctl status $'\xff'
equal "control characters are not echoed" "bpfsharectl: unknown command 'a?b'" "$(ctl $'a\eb' 2>&1 | grep -v Try)"
refuse 64 "a generation is hexadecimal" ctl wait --generation XYZ
refuse 64 "and not longer than a hash" ctl wait --generation "$(printf '%065d' 0)"
refuse 64 "suspended for more than ten years" ctl suspend --for 87601h

refuse 2 "plan says that something is to do" ctl plan --config "$work/bpfshared.yaml" --conf-dir "$conf" --bpffs "$bpffs"
equal "and does nothing" "" "$(root_of v0)"
check "--once does it" once
check "attached" has_root v0
refuse 0 "plan is empty" ctl plan --config "$work/bpfshared.yaml" --conf-dir "$conf" --bpffs "$bpffs"
daemon_start
check "the daemon adopts it" converge
matches "show draws the chain" 'm1/xdp_trace' "$(ctl show v0)"
matches "show an object" 'map trace' "$(ctl show m1)"
refuse 1 "show what is not there" ctl show nothing
check "JSON is JSON" jq -e '.format == 1 and .converged and .daemon.pid > 0' <<<"$(ctl status --json)"
check "features" ctl features
equal "status by name" 0 "$(ctl status other --json | jq '.objects | length')"

echo 'objects: {list: {file: block_list.bpf.o, programs: {xdp_block_list: {}}}}' | write "$conf/list.yaml"
check "an object with maps that fill up" converge
blocked=$(object_dir list)/maps/blocked_v4
for address in 0a000001 0a000002 0a000003; do
	tool put "$blocked" "20000000$address" 00
done
matches "show counts entries" 'map blocked_v4 .*, 3 of 65536 entries, id' "$(ctl show list)"
tool put "$blocked" 200000000a000004 00
filled() { [ "$(ctl show list --json | jq '.objects[0].maps[] | select(.name == "blocked_v4").entries')" = "$1" ]; }
check "and again after a second" until_true 5 filled 4
equal "an array has no fill" null "$(ctl show m1 --json | jq '.objects[0].maps[] | select(.name == "trace").entries')"
equal "status does not count" null \
	"$(status_value '.objects[] | select(.name == "list").maps[] | select(.name == "blocked_v4").entries')"
rm "$conf/list.yaml"
check "without it" converge

equal "not suspended" false "$(status_value .suspended)"
check "suspend" ctl suspend
equal "status says so" true "$(status_value .suspended)"
member m2 2 60 v0
refuse 124 "nothing happens while suspended" ctl wait --timeout 1
equal "one member" 1 "$(status_value '.chains[0].members | length')"
daemon_stop KILL
daemon_start
refuse 124 "a restart does not forget it" ctl wait --timeout 1
check "resume" ctl resume
check "catches up" converge
equal "two members" 2 "$(status_value '.chains[0].members | length')"

# The numbers are as they are now, not as of the last pass; the dispatcher's stand for the chain.
statistics=$(sysctl -n kernel.bpf_stats_enabled) # of the whole machine
trap 'sysctl -qw kernel.bpf_stats_enabled=$statistics; clean_up' EXIT
runs() { # [COMMAND...]: of v0's chain, as `show` has them
	"${@:-env}" "$builddir/bpfsharectl" --run-dir "$run" show v0 --json | jq '.chains[0].run_count'
}
at_least() { [ "$1" -ge "$2" ]; }
if sysctl -qw kernel.bpf_stats_enabled=1 2>/dev/null; then
	passed=$(status_value '.chains[0].run_count')
	before=$(runs)
	send p0 10
	check "show counts what ran since" at_least "$(runs)" $((before + 10))
	check "also for an ordinary user" at_least "$(runs setpriv --reuid 65534 --clear-groups)" $((before + 10))
	equal "status is as of the last pass" "$passed" "$(status_value '.chains[0].run_count')"
	matches "show says it" "dispatcher, program id [0-9]+ \]   [0-9]+ runs, [0-9]+ ns each" "$(ctl show v0)"
	sysctl -qw "kernel.bpf_stats_enabled=$statistics"
else
	skip "run counts" "kernel.bpf_stats_enabled cannot be set here"
fi


check "an ordinary user may look" as_user 65534 65534 "$builddir/bpfsharectl" --run-dir "$run" status
refuse 1 "but change nothing" as_user 65534 65534 "$builddir/bpfsharectl" --run-dir "$run" reload
check "events" ctl events
refuse 3 "a second daemon" once

check "purge" ctl purge
equal "all is gone" "" "$(root_of v0)$(find "$bpffs" -type f)"
refuse 124 "and stays so" ctl wait --timeout 1
check "until resumed" ctl resume
check "back" converge
check "attached again" has_root v0

daemon_stop
mkdir "$bpffs/foreign"
refuse 1 "purge without a daemon, but something is left" ctl purge --bpffs "$bpffs"
rmdir "$bpffs/foreign"
out=$(ctl purge --bpffs "$bpffs" 2>&1)
matches "the directory that was looked at" "$bpffs is removed" "$out"
check "is gone" test ! -e "$bpffs"
equal "and the program" "" "$(root_of v0)"
once >/dev/null 2>&1
daemon_start
refuse 3 "not while a daemon with another run directory has it" "$builddir/bpfsharectl" --run-dir "$work/run2" purge --bpffs "$bpffs"
daemon_stop
check "purge once more" ctl purge --bpffs "$bpffs"
equal "nothing is left to purge" "there is nothing to purge: no $bpffs, no share of the run directory $run" \
	"$(ctl purge --bpffs "$bpffs" 2>&1)"
finish
