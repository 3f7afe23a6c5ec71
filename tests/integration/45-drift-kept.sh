#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
# What stays as it is without a declaration that could make it anew, a suspended member, one of an unreadable file, a
# chain that is held, comes back as it ran when somebody takes it away.
# shellcheck source=lib.sh disable=SC2119,SC2016
. "$(dirname "$0")/lib.sh"
force_mechanism tailcall
sandbox "$@"

chain_is() { # IDS: the members that a packet meets, in order
	send p0 1
	equal "the chain is $1" "$1" "$(trace_last)"
}
put_back() { # NUMBER: of times that a root was
	[ "$(repairs RootRemoved)" -ge "$1" ] && has_root v0
}
says() { # WHAT: in the status
	ctl status | grep -q "$1"
}

daemon_settings 'resync_s: 86400'
interface v0 p0
for i in 1 2 3 4; do member m$i $i $((10 * i)) v0; done
daemon_start
check "a chain of four" converge
chain_is "1 2 3 4"

# --- a suspended member ---------------------------------------------------------

sed -i 's/^    file: /    suspend: true\n&/' "$conf/m3.yaml"
check "one is suspended" until_true 10 says Suspended
check "which is all right" converge
ip link set dev v0 xdp off
check "suspended: the root is put back" until_true 20 repaired RootRemoved 1
chain_is "1 2 3 4"
ip link del v0
check "its interface goes" until_true 10 eval '! says "chain v0"'
interface v0 p0
check "suspended: on the interface that is made anew" until_true 20 has_root v0
check "and that is all" converge
chain_is "1 2 3 4"

# --- a file that nobody can read --------------------------------------------------

daemon_stop
echo 'objects: [' >"$conf/m3.yaml"
remove_tree "$state"
ip link set dev v0 xdp off
daemon_start
check "no good version of its file is known" until_true 10 says FileInvalid
check "invalid: it is put back by the next daemon" until_true 20 has_root v0
chain_is "1 2 3 4"
ip link set dev v0 xdp off
check "invalid: and by its event" until_true 20 put_back 1
chain_is "1 2 3 4"
member m3 3 30 v0
check "the file is mended" converge

# --- a chain that is held ---------------------------------------------------------

write "$conf/absent.yaml" <<-EOF
	objects:
	  absent:
	    file: test_refused.bpf.o
	    programs:
	      xdp_refused: {attach: [{xdp: {interface: v0}, priority: 20, on_missing: hold}]}
EOF
check "the chain is held" until_true 10 says VerifierRefused
member m5 5 5 v0
check "and what is new waits" until_true 10 says ChainHeld
chain_is "1 2 3 4"
before=$(repairs RootRemoved)
ip link set dev v0 xdp off
check "held: the root is put back" until_true 20 put_back $((before + 1))
chain_is "1 2 3 4"
daemon_stop
ip link set dev v0 xdp off
daemon_start
check "held: and by the next daemon" until_true 20 has_root v0
chain_is "1 2 3 4"
check "which holds it as well" says ChainHeld
rm "$conf/absent.yaml"
check "nothing holds it any more" converge
chain_is "5 1 2 3 4"
refuse 1 "and nothing is noted of it" test -e "$run/waiting"
finish
