#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
# What maps hold goes through upgrades of the object file and of its declaration: kept, grown, carried
# over, and the old version stays where that cannot be.
# shellcheck source=lib.sh disable=SC2119
. "$(dirname "$0")/lib.sh"
sandbox "$@"

declare_object() { # maps, globals
	write "$conf/o.yaml" <<-EOF
		objects:
		  o:
		    file: live.bpf.o
		    programs: {xdp_count: {attach: [{xdp: {interface: v0}}]}}
		    maps: {$1}
		    globals: {${2:-}}
	EOF
}
builds=0
new_build() { # the same code and maps in a file of another content
	builds=$((builds + 1))
	{ cat "$builddir/bpf/test_take_over.bpf.o" && printf '%*s' $builds ''; } >"$conf/.live.new"
	mv "$conf/.live.new" "$conf/live.bpf.o"
}
pin() { # MAP: names of pins have no dots
	echo "$(object_dir o)/maps/${1/./%2E}"
}
map_id() {
	bpftool -j map show pinned "$(pin "$1")" | jq .id
}
ids() {
	local map
	for map in hash array percpu_array lru_hash lpm locked_hash xsks ring jumps outer .data .bss; do
		map_id $map
	done
}
entries() {
	bpftool -j map dump pinned "$(pin "$1")" | jq length
}
max_entries() {
	bpftool -j map show pinned "$(pin "$1")" | jq .max_entries
}
number() { # MAP KEY: 8 bytes
	tool get "$(pin "$1")" "$2" 0 8
}
zero=00000000
packets() {
	in_peer "$builddir/tests/tools/testtool" send-udp p0 "$1" 192.0.2.1 >/dev/null
}
at_least() { # MAP NUMBER
	[ "$(number "$1" "$zero")" -ge "$2" ]
}
old_is_gone() {
	[ "$(find "$bpffs/objects/o" -mindepth 1 -maxdepth 1 | wc -l)" = 1 ]
}

interface v0 p0
new_build
declare_object ''
daemon_start
check "loaded" converge
packets 3
check "counts" until_true 10 at_least array 3
was=$(ids) version=$(object_dir o)
count=$(number array "$zero")

new_build
check "a new build" converge
refuse 0 "is another version" test "$version" != "$(object_dir o)"
equal "with the very same maps" "$was" "$(ids)"
check "the old one is gone" old_is_gone
packets 2
check "which count on" until_true 10 at_least array $((count + 2))
check "in data sections, too" until_true 10 at_least .bss $((count + 2))

there=$(entries hash) old_id=$(map_id hash) count=$(number array "$zero")
declare_object 'hash: {max_entries: 1000}'
refuse 124 "a map that is to be larger" ctl wait --timeout 1
matches "is no reason to forget it" 'hash: max_entries 64 -> 1000.*on_change: grow' "$(ctl status)"
equal "the old version runs on" "$old_id" "$(map_id hash)"

declare_object 'hash: {max_entries: 1000, on_change: grow}'
check "but where it may grow" converge
equal "it does" 1000 "$(max_entries hash)"
refuse 0 "as another map" test "$old_id" != "$(map_id hash)"
refuse 0 "with all its entries" test "$(entries hash)" -ge "$there"
refuse 0 "and the others are as before" test "$(number array "$zero")" -ge "$count"
check "after the second sweep the old one goes" old_is_gone
matches "and the log tells of both" \
	'map hash: [0-9]+ entries of version .* copied.*map hash: since the first sweep' \
	"$(tr '\n' ' ' <"$work/log")"

new_id=$(map_id hash)
declare_object 'hash: {on_change: grow}'
check "back to the file's size" converge
equal "the larger map stays" "$new_id" "$(map_id hash)"

packets 1
check "a packet more" until_true 10 at_least array $((count + 1))
data=$(number .data "$zero") bss=$(map_id .bss)
declare_object 'hash: {on_change: grow}' 'changed: 1000'
check "another value of a variable" converge
refuse 0 "is set" test "$(number .data "$zero")" -ge 1000
refuse 0 "and was not before" test "$data" -lt 1000
equal "in the section that it is in alone" "$bss" "$(map_id .bss)"

declare_object 'hash: {on_change: grow}, array: {on_change: reset}'
new_build
check "where it is asked for" converge
refuse 0 "a map starts anew" test "$(number array "$zero")" -lt "$count"

cp "$builddir/bpf/test_carry_1.bpf.o" "$conf/.live.new" && mv "$conf/.live.new" "$conf/live.bpf.o"
version=$(object_dir o)
refuse 124 "a file without the program" ctl wait --timeout 1
equal "leaves the old version" "$version" "$(object_dir o)"
finish
