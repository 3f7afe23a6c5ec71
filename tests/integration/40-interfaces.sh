#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
# Interfaces that come and go, with the resync switched off: events alone must do it.
# shellcheck source=lib.sh disable=SC2119,SC2016
. "$(dirname "$0")/lib.sh"
force_mechanism tailcall
sandbox "$@"

daemon_settings 'resync_s: 86400'
member m1 1 10 'v*'
member m2 2 20 v0
daemon_start
check "interfaces that do not exist count as converged" converge
refuse 124 "but not as ready" ctl wait --ready --timeout 1
equal "they are waited for" waiting "$(status_value '.objects[] | select(.name=="m2") | .state')"

interface v0 p0
check "an interface appears" until_true 5 has_root v0
check "and is ready" converge --ready
send p0 1
equal "with its chain" "1 2" "$(trace_last)"

interface v1 p1
check "another that the glob selects" until_true 5 has_root v1
check "converged" converge
equal "runs the lone program directly" direct \
	"$(status_value '.chains[] | select(.interface=="v1") | .mechanism')"

ip link del v0
check "an interface goes" converge
equal "its attachment waits" waiting "$(status_value '.objects[] | select(.name=="m2") | .state')"
equal "its chain is collected" "" "$(ls "$bpffs/chains")"
interface v0 p0b
check "it is created again" until_true 5 has_root v0
check "converged again" converge
send p0b 1
equal "and runs" "1 2" "$(trace_last)"

ip link set v1 down && ip link set v1 name w1
check "renamed out of the glob" until_true 5 eval '! has_root w1'
ip link set w1 name v1
check "and back" until_true 5 has_root v1

ip link set v0 xdp off
check "somebody switches XDP off" until_true 5 has_root v0
check "repaired" converge
send p0b 1
equal "as before" "1 2" "$(trace_last)"
finish
