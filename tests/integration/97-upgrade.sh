#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
# A new version of an object goes on with what the old one had in its maps, as `on_change` says: kept, copied
# into a larger one, carried over by variable, started anew, or refused with the reason. Meanwhile packets flow, and
# whoever uses a share finds a map there at every moment.
# shellcheck source=lib.sh disable=SC2119,SC2016
. "$(dirname "$0")/lib.sh"
sandbox "$@"

flows='{}' data='{}' limit=''
declare_object() { # uses flows, data, limit
	write "$conf/up.yaml" <<-EOF
		objects:
		  up:
		    file: $file
		    globals: {${limit:+limit: $limit}}
		    maps:
		      flows: $flows
		      .data: $data
		    programs:
		      xdp_upgrade: {attach: [{xdp: {interface: v0}, priority: 20}]}
	EOF
}
file=up.bpf.o
install_build() { # atomically, as a package manager does
	cp "$builddir/bpf/test_upgrade_$1.bpf.o" "$conf/.up.new" && mv "$conf/.up.new" "$conf/up.bpf.o"
}

map_pin() { # bpffs takes no dots
	echo "$(object_dir up)/maps/${1/./%2E}"
}
map_id() {
	bpftool -j map show pinned "$(map_pin "$1")" | jq .id
}
variable() { # NAME SECTION
	bpftool -j map dump pinned "$(map_pin "$2")" |
		jq "[.. | objects | .\"$1\"? // empty | select(type == \"number\")][0]"
}
packets() {
	variable packets .bss
}
entries() {
	bpftool -j map dump pinned "$(object_dir up)/maps/flows" | jq length
}
all_counts() { # of the entries of flows
	bpftool -j map dump pinned "$(object_dir up)/maps/flows" | jq '[.[].formatted.value.count] | add // 0'
}
by_build() { # 1 2 3
	local i line=()
	for i in 1 2 3; do
		line+=("$(tool get "$(object_dir up)/maps/builds" "0${i}000000" 0 8)")
	done
	echo "${line[*]}"
}
one_version() {
	[ "$(find "$bpffs/objects/up" -mindepth 1 -maxdepth 1 | wc -l)" = 1 ]
}
condition() {
	status_value '.objects[] | select(.name == "up") | "\(.state) \(.reason // "")"'
}
shared_id() {
	bpftool -j map show pinned "$share/$1" | jq .id
}

echo 'resync_s: 86400' >"$work/bpfshared.yaml"
interface v0 p0
install_build 1
declare_object
export record=false
member m1 1 10 v0
write "$conf/dash.yaml" <<-EOF
	shares:
	  dash:
	    maps: [{map: up/flows, access: rw}, {map: up/builds, access: rw}]
	    targets: [{bpffs: {}}]
EOF
share=$run/shares/dash/maps
daemon_start
check "the first build" converge
send p0 30
equal "counts" "30 30 30" "$(packets) $(entries) $(all_counts)"

# A consumer that opens the share again and again.
misses=$work/misses rounds=$work/rounds
(
	while :; do
		tool open "$share/flows" ro >/dev/null 2>&1 || echo miss >>"$misses"
		echo round >>"$rounds"
	done
) &
consumer=$!

# --- kept ---------------------------------------------------------------------------------

before="$(map_id flows) $(map_id builds) $(shared_id flows)"
bss=$(map_id .bss)
install_build 2
check "a new build" converge
send p0 10
equal "goes on where the old one was" "40 40 30 10" "$(packets) $(all_counts) $(by_build | cut -d' ' -f1,2)"
equal "with the very maps, also in the share" "$before" "$(map_id flows) $(map_id builds) $(shared_id flows)"
check "a section with other variables is another map" test "$bss" != "$(map_id .bss)"
equal "and its new variable starts as in the file" 10 $(($(variable bytes .bss) / 60))
check "the old version is gone" one_version
matches "the events say what became of the maps" 'keeps .*flows.*carries the variables of \.bss' "$(ctl events 2>&1)"

cat "$builddir/bpf/test_upgrade_1.bpf.o" >"$conf/up.bpf.o"
check "the old file again, written over in place" converge
send p0 5
matches "and what has no place in it is named" 'drops variable bytes of \.bss' "$(ctl events 2>&1)"
equal "goes on as well" "45 45 35 10" "$(packets) $(all_counts) $(by_build | cut -d' ' -f1,2)"

# --- grown --------------------------------------------------------------------------------

id=$(map_id flows)
flows='{max_entries: 128}'
declare_object
refuse 124 "a larger map alone" ctl wait --timeout 1
equal "is refused" "failed MapChanged" "$(condition)"
matches "with what differs and what to do" 'flows: max_entries 64 -> 128.*on_change: grow' "$(ctl status)"
send p0 5
equal "and the old version runs on" "50 50" "$(packets) $(all_counts)"

flows='{max_entries: 128, on_change: grow}'
declare_object
check "allowed to grow" converge
check "it is another map" test "$id" != "$(map_id flows)"
equal "with all the entries" "50 48 50" "$(packets) $(entries) $(all_counts)"
equal "which the share has, too" "$(map_id flows)" "$(shared_id flows)"
id=$(map_id flows)
flows='{on_change: grow}'
declare_object
check "the way back" converge
equal "keeps the larger one" "$id 48 50" "$(map_id flows) $(entries) $(all_counts)"

# --- variables ----------------------------------------------------------------------------

equal "variables of .data" "100 55" "$(variable limit .data) $(variable scratch .data)"
limit=200
declare_object
check "another value for one of them" converge
equal "the others are as before" "200 55" "$(variable limit .data) $(variable scratch .data)"
limit=''
declare_object
check "no value any more" converge
equal "is the value of the file" "100 55" "$(variable limit .data) $(variable scratch .data)"
limit=300 data='{on_change: fail}'
declare_object
refuse 124 "where no change is wanted" ctl wait --timeout 1
matches "it is refused" '\.data: other values are declared' "$(ctl status)"
limit='' data='{}'
declare_object
check "taken back" converge

# --- another meaning ---------------------------------------------------------------------

flows='{max_entries: 128}'
declare_object
check "nothing but the default, with the size that it has" converge
install_build 3
refuse 124 "values that mean something else" ctl wait --timeout 1
equal "are refused, too" "failed MapChanged" "$(condition)"
matches "and the message says which" 'flows: other types of key or value' "$(ctl status)"
send p0 4
equal "while the old build counts" "54 44" "$(packets) $(by_build | cut -d' ' -f1)"
flows='{on_change: reset}'
declare_object
check "allowed to start empty" converge
send p0 2
equal "only this map does" "56 2 2" "$(packets) $(entries) $(all_counts)"
equal "the consumers' map is the new one" "$(map_id flows)" "$(shared_id flows)"

# --- refused ------------------------------------------------------------------------------

flows='{}'
declare_object
check "the default again" converge
maps="$(map_id flows) $(map_id .bss)"
version=$(object_dir up)
install_build 4
refuse 124 "a build that only the verifier refuses" ctl wait --timeout 1
equal "is said to be" "failed VerifierRefused" "$(condition)"
matches "in the verifier's words" "invalid access to packet, off=0 size=8" "$(ctl status)"
refuse 1 "nothing is held against its maps" grep -qE 'MapChanged|on_change' <<<"$(ctl status)"
send p0 3
equal "and leaves the old one with its maps" "59 $maps" "$(packets) $(map_id flows) $(map_id .bss)"
equal "of which nothing is new" "$version" "$(object_dir up)"
check "and which is all that is there" one_version
install_build 3
check "repaired" converge

# --- a swap of ConfigMap data --------------------------------------------------------------

volume=$work/volume
mkdir -p "$volume/..one" "$volume/..two"
cp "$builddir/bpf/test_upgrade_3.bpf.o" "$volume/..one/up.bpf.o"
cp "$builddir/bpf/test_upgrade_3.bpf.o" "$volume/..two/up.bpf.o"
echo >>"$volume/..two/up.bpf.o" # other bytes, the same object
ln -s ..one "$volume/..data"
ln -s ..data/up.bpf.o "$volume/up.bpf.o"
file=$volume/up.bpf.o
declare_object
check "from a volume" converge
export version
version=$(object_dir up)
ln -s ..two "$volume/..tmp" && mv -T "$volume/..tmp" "$volume/..data"
check "whose data was swapped" until_true 10 eval 'one_version && [ "$(object_dir up)" != "$version" ]'
check "it is in force" converge
equal "and its maps are the same" "59 $maps" "$(packets) $(map_id flows) $(map_id .bss)"

# --- under load ---------------------------------------------------------------------------

file=up.bpf.o
install_build 1
flows='{on_change: reset}'
declare_object
check "build one, for a flood" converge
export seen counted
seen=$(seen m1)
counted=$(by_build | tr ' ' '+')
flood p0
until_true 5 eval '[ "$(seen m1)" -gt $((seen + 1000)) ]'
size=64
for round in 1 2; do
	install_build 2
	check "round $round: the second build in a flood" converge
	install_build 1
	check "round $round: the first again" converge
	size=$((size * 2))
	flows="{max_entries: $size, on_change: grow}"
	declare_object
	check "round $round: a larger map" converge
	equal "round $round: has every key" 48 "$(entries)"
done
flood_stop
equal "every frame met the object" $(($(seen m1) - seen)) $(($(by_build | tr ' ' '+') - (counted)))

kill "$consumer"
wait "$consumer" 2>/dev/null
check "the consumer came round often" test "$(wc -l <"$rounds")" -gt 20
refuse 1 "and always found a map" test -e "$misses"
finish
