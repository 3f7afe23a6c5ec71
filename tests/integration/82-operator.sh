#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
# What an operator does by hand: check, plan, show, suspend, resume, purge, and their exit codes.
# shellcheck source=lib.sh disable=SC2119,SC2016
. "$(dirname "$0")/lib.sh"
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
rm "$conf/m2.yaml"

refuse 2 "plan says that something is to do" ctl plan --conf-dir "$conf" --bpffs "$bpffs"
equal "and does nothing" "" "$(root_of v0)"
check "--once does it" once
check "attached" has_root v0
refuse 0 "plan is empty" ctl plan --conf-dir "$conf" --bpffs "$bpffs"
daemon_start
check "the daemon adopts it" converge
matches "show draws the chain" 'm1/xdp_trace' "$(ctl show v0)"
matches "show an object" 'map trace' "$(ctl show m1)"
refuse 1 "show what is not there" ctl show nothing
check "JSON is JSON" jq -e '.format == 1 and .converged and .daemon.pid > 0' <<<"$(ctl status --json)"
check "features" ctl features
equal "status by name" 0 "$(ctl status other --json | jq '.objects | length')"

check "suspend" ctl suspend
member m2 2 60 v0
refuse 124 "nothing happens while suspended" ctl wait --timeout 1
equal "one member" 1 "$(status_value '.chains[0].members | length')"
daemon_stop KILL
daemon_start
refuse 124 "a restart does not forget it" ctl wait --timeout 1
check "resume" ctl resume
check "catches up" converge
equal "two members" 2 "$(status_value '.chains[0].members | length')"

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
finish
