#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
# A thousand files.
# shellcheck source=lib.sh disable=SC2119,SC2016
. "$(dirname "$0")/lib.sh"
sandbox "$@"

files=1000
[ -z "${VMRUN:-}" ] || files=60
interface v0 p0
member m1 1 50 v0
for i in $(seq 2 $files); do
	cat >"$conf/f$i.yaml" <<-EOF
		objects:
		  o$i:
		    file: test_version_1.bpf.o
		    programs: {xdp_version: {}}
	EOF
done
daemon_start
check "a thousand files converge" ctl wait --timeout 120
equal "each is loaded" "$files" "$(status_value '.summary.ready')"
operations=$(ctl events --json | jq -s 'map(select(.kind=="operation")) | length' 2>/dev/null || echo 0)
check "a reload" ctl reload
check "converges" ctl wait --timeout 120
equal "and changes nothing" "$operations" \
	"$(ctl events --json | jq -s 'map(select(.kind=="operation")) | length')"
member m1 2 50 v0
check "one edit among them" ctl wait --timeout 120
send p0 1
equal "is in force" 2 "$(trace_last)"

rm "$conf"/f*.yaml
refuse 124 "removing nearly all waits for confirmation" ctl wait --timeout 2
equal "nothing is gone" "$files" "$(find "$bpffs/objects" -mindepth 1 -maxdepth 1 | wc -l)"
check "the operator confirms" ctl confirm
check "and they go" ctl wait --timeout 120
equal "one is left" m1 "$(ls "$bpffs/objects")"
finish
