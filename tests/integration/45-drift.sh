#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
# Our pins are deleted behind our back, with the resync switched off: what ran goes on running, and
# everything is made anew.
# shellcheck source=lib.sh disable=SC2119,SC2016
. "$(dirname "$0")/lib.sh"
force_mechanism tailcall
sandbox "$@"

daemon_settings 'resync_s: 86400'
interface v0 p0
interface v1 p1
member m1 1 10 'v*'
member m2 2 20 v0
daemon_start
check "a chain and a lone program" converge

# again NAME: after the damage everything is in order.
again() {
	check "$1: repaired" converge
	send p0 1
	equal "$1: the chain runs" "1 2" "$(trace_last)"
	send p1 1
	equal "$1: and so does the lone program" 1 "$(trace_last)"
}

rm "$(object_dir m2)/programs/xdp_trace"
again "a program's pin"
rm "$bpffs"/chains/*/members
again "the array's pin"
rm "$bpffs"/chains/*/dispatcher
again "the dispatcher's pin"
rm "$bpffs"/chains/*/meta
again "metadata"
rm "$bpffs"/chains/*/*
rmdir "$bpffs"/chains/*
again "a chain's directory"
rm "$(object_dir m1)/programs/xdp_trace"
again "the pin of a lone program"
find "$bpffs" -type f -delete
find "$bpffs" -mindepth 2 -type d -empty -delete
again "everything"

chain=$(ls "$bpffs/chains")
bpftool map update pinned "$bpffs/chains/$chain/members" key 0 0 0 0 value pinned \
	"$(object_dir m2)/programs/xdp_trace" || bail "bpftool cannot edit the array"
check "a slot edited by somebody is seen by the next pass" ctl reload
again "a slot"
finish
