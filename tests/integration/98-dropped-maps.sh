#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
# An upgrade that would lose what a map holds is not made: one whose file lacks the map, or one that leaves another
# object alone with the old map. Both are made when they are meant.
# shellcheck source=lib.sh disable=SC2119
. "$(dirname "$0")/lib.sh"
sandbox "$@"

maps=''
declare_owner() { # uses maps
	write "$conf/up.yaml" <<-EOF
		objects:
		  up:
		    file: up.bpf.o
		    maps: {$maps}
		    programs:
		      xdp_upgrade: {attach: [{xdp: {interface: v0}}]}
	EOF
}
declare_user() {
	write "$conf/user.yaml" <<-EOF
		objects:
		  user:
		    file: user.bpf.o
		    maps: {flows: {use: up/flows}, builds: {on_change: reset}}
		    programs: {xdp_upgrade: {attach: [{xdp: {interface: v1}}]}}
	EOF
}
share() { # MAP...
	local list
	list=$(printf '{map: up/%s, access: rw}, ' "$@")
	write "$conf/dash.yaml" <<-EOF
		shares:
		  dash:
		    maps: [$list]
		    targets: [{bpffs: {}}]
	EOF
}
install_build() { # OBJECT BUILD [SED-SCRIPT]: names of a build can be changed to others of equal length
	sed "${3:-}" "$builddir/bpf/test_upgrade_$2.bpf.o" >"$conf/.new" && mv "$conf/.new" "$conf/$1.bpf.o"
}
map_id() { # OBJECT MAP
	bpftool -j map show pinned "$(object_dir "$1")/maps/$2" | jq .id
}
entries() { # OBJECT
	bpftool -j map dump pinned "$(object_dir "$1")/maps/flows" | jq length
}
condition() { # OBJECT
	status_value ".objects[] | select(.name == \"$1\") | \"\(.state) \(.reason // \"\")\""
}
one_version() { # OBJECT
	[ "$(find "$bpffs/objects/$1" -mindepth 1 -maxdepth 1 | wc -l)" = 1 ]
}

interface v0 p0
interface v1 p1
install_build up 1
declare_owner
share flows builds
daemon_start
check "the first build" converge
send p0 20
equal "counts" 20 "$(entries up)"
flows=$(map_id up flows) builds=$(map_id up builds)

# --- not in the new file ------------------------------------------------------------------

install_build up 2 's/builds/buildz/g'
refuse 124 "a build by which a map has another name" ctl wait --timeout 1
equal "is refused" "failed MapChanged" "$(condition up)"
matches "the message names the map and who needs it" \
	'map builds: version .* has it and the new file has not, and share dash needs it' "$(ctl status)"
maps='builds: {on_change: reset}'
declare_owner
refuse 124 "also if the map may go" ctl wait --timeout 1
matches "while the share names it" 'builds: it is to be let go .*but share dash needs it' "$(ctl status)"
equal "everything is as it was" "$flows $builds 20" "$(map_id up flows) $(map_id up builds) $(entries up)"
check "the consumers' map is there" tool open "$run/shares/dash/maps/builds" ro

maps=''
declare_owner
share flows
refuse 124 "without the share" ctl wait --timeout 1
matches "it takes a word" 'its contents would be lost; declare .maps: \{builds: \{on_change: reset\}\}' "$(ctl status)"
daemon_stop
daemon_start
refuse 124 "a restart is none" ctl wait --timeout 1
equal "the map is the same" "$builds" "$(map_id up builds)"
maps='builds: {on_change: reset}'
declare_owner
check "by the word" converge
refuse 1 "it goes" test -e "$(object_dir up)/maps/builds"
equal "and no other" "$flows 20" "$(map_id up flows) $(entries up)"
matches "the event says so" 'drops builds' "$(ctl events 2>&1)"
maps=''
declare_owner
check "the word is of no further use" converge

install_build up 1
check "the old file again" converge
check "has its map" test -e "$(object_dir up)/maps/builds"
refuse 1 "and not the one that came after it" test -e "$(object_dir up)/maps/buildz"
equal "the others went on" "$flows 20" "$(map_id up flows) $(entries up)"
install_build up 2 's/builds/buildz/g'
refuse 124 "forth again" ctl wait --timeout 1
equal "it is asked anew" "failed MapChanged" "$(condition up)"
install_build up 1
check "taken back" converge

# --- another object alone with the old map -------------------------------------------------

install_build user 1
declare_user
check "another object uses the map" converge
send p1 20
equal "and counts in the same" 40 "$(entries up)"
install_build user 4
refuse 124 "what the verifier refuses" ctl wait --timeout 1
equal "stays as it is" "failed VerifierRefused" "$(condition user)"
maps='flows: {max_entries: 128, on_change: grow}'
declare_owner
refuse 124 "a larger map, without that object" ctl wait --timeout 1
equal "is not had" "failed MapChanged" "$(condition up)"
matches "because of it" 'object user, which uses it, cannot move to that one \(VerifierRefused' "$(ctl status)"
equal "both have the old map" "$flows $flows" "$(map_id up flows) $(map_id user flows)"
check "and nothing is left of the attempt" until_true 10 one_version up
daemon_stop
daemon_start
refuse 124 "after a restart" ctl wait --timeout 2
equal "it is the same" "failed MapChanged $flows $flows" "$(condition up) $(map_id up flows) $(map_id user flows)"
install_build user 2
check "repaired" converge
check "they have another map" test "$flows" != "$(map_id up flows)"
equal "in common" "$(map_id up flows)" "$(map_id user flows)"
equal "with all that was in it" 40 "$(entries user)"
finish
