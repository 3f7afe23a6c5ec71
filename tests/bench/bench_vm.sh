#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
#
# The tables of `make bench` under a kernel that takes freplace programs, in a virtual machine and
# against xdp-loader there. Emulation is slow and uneven: only ratios within one run mean anything.
#
#   bench_vm.sh BUILD_DIRECTORY         KERNEL=6.12 ROUNDS=3 INTERFACES=50 PEER_INTERFACES=5
# shellcheck disable=SC2016 # a script for another shell
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
build=$(cd "$1" && pwd)
kernel=${KERNEL:-6.12}
loaders=$("$here/../vm/xdp-tools.sh" 1.6)
mapfile -t variables <<<"$loaders"

"$here/../vm/vmrun" -k "$kernel" -t "${LIMIT:-3000}" -w "$build" -- env "${variables[@]}" \
	abs_builddir="$build" BENCH_REPEAT="${BENCH_REPEAT:-2000}" ROUNDS="${ROUNDS:-3}" \
	INTERFACES="${INTERFACES:-50}" PEER_INTERFACES="${PEER_INTERFACES:-5}" TMPDIR=/tmp \
	bash -c 'tests=$1; cd "$abs_builddir" &&
		tests/bench/bench_chain bpf bench-vm.json &&
		bash "$tests/bench_changes.sh" bench-vm-changes.json' - "$here"
