#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
# What others take from a chain by libxdp's protocol, with the resync switched off: links and programs go on, and are
# pinned again by the event.
# shellcheck source=lib.sh disable=SC2119,SC2016
. "$(dirname "$0")/lib.sh"
force_mechanism libxdp
sandbox "$@"

daemon_settings 'resync_s: 86400'
interface v0 p0
member m1 1 10 v0
member m2 2 20 v0
daemon_start
[ "$(feature libxdp available)" = true ] || skip_all "libxdp: $(feature libxdp detail)"
check "a chain by libxdp's protocol" converge

loaded() {
	status_value '[.objects[] | .programs[].loads[].id, .maps[].id] | sort | join(" ")'
}

kept=$(loaded)
root=$(root_of v0)
flood p0

damage() { # NAME TOKEN COMMAND...
	local name=$1 token=$2 before
	shift 2
	before=$(repairs "$token")
	kill -STOP "$daemon_pid"
	"$@" || bail "cannot: $*"
	kill -CONT "$daemon_pid"
	check "$name: repaired by its event" until_true 20 repaired "$token" $((before + 1))
	equal "$name: nothing was loaded anew" "$kept" "$(loaded)"
	ctl reload >/dev/null || bail "no reload" # so much at once would be taken for a fight
}

chain=$bpffs/chains/$root
damage "our pin of a link" LinkPinRemoved rm "$chain/link-1"
damage "a freplace program's pin" PinRemoved rm "$(object_dir m2)/extensions/xdp_trace"
damage "a version's directory" PinRemoved remove_tree "$(object_dir m1)"
equal "the dispatcher is the same" "$root" "$(root_of v0)"
damage "the protocol's directory" PinRemoved remove_tree "$(echo "$work"/fs/xdp/dispatch-*)"
equal "and still is" "$root" "$(root_of v0)"
damage "our directory of the chain" PinRemoved remove_tree "$chain"

flood_stop
check "what arrived last is counted" until_true 5 eval '[ "$(seen m1)" = "$(seen m2)" ]'
check "packets met them all the while" test "$(seen m1)" -gt 0
equal "no packet that met the first member missed the second" "$(seen m1)" "$(seen m2)"
send p0 1
equal "the chain runs" "1 2" "$(trace_last)"
finish
