#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
# Interrupted anywhere, by a kill or by an error, a change is completed by the next start, and
# nothing is lost or left over. A sample; `make check-crash` walks over all points (see crash.sh).
# shellcheck source=lib.sh disable=SC2119
. "$(dirname "$0")/lib.sh"
# shellcheck source=crash.sh
. "$(dirname "$0")/crash.sh"
sandbox "$@"
crash_setup
export record=false

objects() { # FILE...: those of the tests that a configuration needs
	local file
	for file in test_trace block_list "$@"; do cp "$builddir/bpf/$file.bpf.o" "$conf/"; done
}

# Two members that every packet passes, and one with a table.
base() {
	objects
	member m1 1 10 v0
	member m2 2 30 v0
	list 50
}

list() { # PRIORITY [GLOBALS]
	write "$conf/list.yaml" <<-EOF
		objects:
		  list:
		    file: block_list.bpf.o
		    globals: {drop_by_default: ${2:-false}}
		    programs:
		      xdp_block_list: {attach: [{xdp: {interface: v0}, priority: $1}]}
	EOF
}

restart_a() { base; }
restart_b() { base; }
scenario restart "m1/packets m2/packets" entry

add_a() { base; }
add_b() {
	base
	member m3 3 20 v0
}
scenario add "m1/packets m2/packets" entry

remove_a() { add_b; }
remove_b() { add_a; }
scenario remove "m1/packets m2/packets" entry

reorder_a() { add_b; }
reorder_b() {
	add_b
	member m3 3 5 v0
}
scenario reorder "m1/packets m2/packets m3/packets" entry

cat $work/created; for i in $(grep map $work/created | cut -c5-); do bpftool map show id $i; done; sleep 5;  for i in $(grep map $work/created | cut -c5-); do bpftool map show id $i; done; crash_finish
