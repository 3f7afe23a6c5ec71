#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
# Links behind our back, with the resync switched off: a pin that is removed detaches nothing, since the daemon holds
# the link; one that is detached by force is made again, by an event where the kernel sends any.
# shellcheck source=lib.sh disable=SC2119,SC2016
. "$(dirname "$0")/lib.sh"
force_mechanism tailcall
sandbox "$@"

daemon_settings 'resync_s: 86400'
write "$conf/00-sets.yaml" <<-EOF
	interfaces:
	  alone: {select: [{name: v0}], xdp: {exclusive: true}}
EOF
interface v0 p0
member m1 1 10 @alone
daemon_start
check "an exclusive root" converge

pins() {
	(cd "$bpffs/links" && echo *)
}

# attached ID...: those of these links that are at v0, in order; other links of this kernel are nobody's business
attached() {
	local id
	for id in "$@"; do
		bpftool -j link show id "$id" 2>/dev/null | jq -r 'select(.devname == "v0") | .id'
	done | xargs
}

link=$(pins)
root=$(root_of v0)
flood p0
rm "$bpffs/links/$link"
check "the pin of an exclusive root: repaired by its event" until_true 20 repaired LinkPinRemoved 1
equal "the pin of an exclusive root: it is the same link" "$link" "$(attached "$link")"
equal "the pin of an exclusive root: it is pinned again" "$link" "$(pins)"
equal "the pin of an exclusive root: the root is what it was" "$root" "$(root_of v0)"
flood_stop
refuse 2 "the pin of an exclusive root: nobody else could take the place" \
	ip link set dev v0 xdp off

mv "$bpffs/links/$link" "$work/fs/elsewhere"
check "its pin moved away: repaired" until_true 20 repaired LinkPinRemoved 2
check "its pin moved away: that one is left alone" test -e "$work/fs/elsewhere"
rm "$work/fs/elsewhere"

if bpftool link detach pinned "$bpffs/links/$link" 2>/dev/null; then
	check "a detached link of XDP: the kernel tells, or the next pass sees it" ctl reload
	check "a detached link of XDP: repaired" until_true 20 repaired LinkDetached 1
	equal "a detached link of XDP: the same program is back" "$root" "$(root_of v0)"
	equal "a detached link of XDP: and the old pin is gone" 1 "$(pins | wc -w)"
	refuse 1 "a detached link of XDP: the old pin is not the new one" test "$link" = "$(pins)"
else
	skip "a detached link of XDP" "this bpftool cannot detach links"
fi
send p0 1
equal "the exclusive root runs" 1 "$(trace_last)"

# A daemon that was not there when the pin went: the kernel has detached the link by then.
daemon_stop
rm "$bpffs/links/$(pins)"
check "a pin removed while no daemon ran: the link goes" until_true 5 test -z "$(root_of v0)"
daemon_start
check "a pin removed while no daemon ran: attached again" converge
equal "a pin removed while no daemon ran: the same program is back" "$root" "$(root_of v0)"

ctl reload >/dev/null
tc_member() { # NAME ID PRIORITY
	write "$conf/$1.yaml" <<-EOF
		objects:
		  $1:
		    file: test_tc.bpf.o
		    globals: {id: $2, verdict: -1}
		    programs:
		      tc_trace:
		        attach:
		          - {tc: {interface: v0, direction: ingress}, priority: $3}
	EOF
}

tc_ids() {
	status_value '.chains[] | select(.hook == "tc") | [.members[].id] | join(" ")'
}

tc_member t1 1 10
tc_member t2 2 20
check "two programs at tc" converge
kept=$(tc_ids)
if [ "$(feature tcx available)" = true ]; then
	before=$(pins)
	for pin in $before; do
		rm "$bpffs/links/$pin"
	done
	check "the pins of all links: repaired by their events" until_true 20 repaired LinkPinRemoved 3
	# shellcheck disable=SC2086 # one word each
	equal "the pins of all links: they are the same links" "$before" "$(attached $before)"
	equal "the pins of all links: they are pinned again" "$before" "$(pins)"
	victim=$(for pin in $(pins); do
		bpftool -j link show pinned "$bpffs/links/$pin" | jq 'select(.type == "tcx") | .id'
	done | head -1)
	if bpftool link detach id "$victim" 2>/dev/null; then
		check "a detached link of TCX: seen by the next pass" ctl reload
		check "a detached link of TCX: repaired" until_true 20 repaired LinkDetached 1
		equal "a detached link of TCX: the same programs in the same order" "$kept" "$(tc_ids)"
	else
		skip "a detached link of TCX" "this bpftool cannot detach links"
	fi
fi

write "$conf/00-sets.yaml" <<-EOF
	interfaces:
	  alone: {select: [{name: v0}], xdp: {exclusive: true}, tc: {mechanism: clsact}}
EOF
check "by a filter" converge
tc filter del dev v0 ingress || bail "tc cannot delete filters"
check "a deleted filter: repaired by its event" until_true 20 repaired FilterRemoved 1
equal "a deleted filter: the same programs in the same order" "$kept" "$(tc_ids)"
tc qdisc del dev v0 clsact || bail "tc cannot delete the qdisc"
check "a deleted qdisc: repaired by its event" until_true 20 repaired FilterRemoved 2
equal "a deleted qdisc: the same programs in the same order" "$kept" "$(tc_ids)"
finish
