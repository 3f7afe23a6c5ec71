#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
# A ConfigMap volume as kubelet makes it: directories that anybody may write to, on a mount that
# is read-only for us, and changes by a swap of the link ..data.
# shellcheck source=lib.sh disable=SC2119,SC2016
. "$(dirname "$0")/lib.sh"
sandbox "$@"

volume=$work/volume mounted=$work/mounted
mkdir "$volume" "$mounted"
chmod 1777 "$volume"

# publish NUMBER: what kubelet's atomic writer does with the files of $work/next.
publish() {
	local dir=..2026_11_22_00_00_0$1.123456789 old file
	old=$(readlink "$volume/..data" || true)
	mkdir -m 0777 "$volume/$dir"
	cp "$work"/next/* "$volume/$dir/"
	chmod 644 "$volume/$dir"/*
	for file in "$work"/next/*; do
		[ -L "$volume/$(basename "$file")" ] || ln -s "..data/$(basename "$file")" "$volume/"
	done
	ln -s "$dir" "$volume/..data_tmp"
	mv -T "$volume/..data_tmp" "$volume/..data"
	for file in "$volume"/*; do
		[ -e "$file" ] || rm "$file"
	done
	[ -z "$old" ] || rm -r "${volume:?}/$old"
}

declare_member() { # FILE ID OBJECT
	cat >"$work/next/$1.yaml" <<-EOF
		objects:
		  $1:
		    file: $3
		    globals: {id: $2, ethertype: 0x88b5}
		    programs: {xdp_trace: {attach: [{xdp: {interface: v0}}]}}
	EOF
}

mkdir "$work/next"
cp "$conf/test_trace.bpf.o" "$work/next/trace.bpf.o"
declare_member m1 1 trace.bpf.o
publish 1
mount --bind "$volume" "$mounted"
mount -o remount,bind,ro "$mounted"
equal "the modes are kubelet's" "1777 777" "$(stat -c %a "$volume") $(stat -L -c %a "$volume/..data")"

interface v0 p0
echo 'resync_s: 86400' >"$work/bpfshared.yaml"
conf=$mounted
daemon_start
check "it is read all the same" converge
export generation # used by a condition below
generation=$(status_value .generation)
send p0 1
equal "and its program runs" 1 "$(trace_last)"

declare_member m1 7 trace.bpf.o
publish 2
check "the swap is noticed without a resync" until_true 10 eval \
	'[ "$(status_value .generation)" != "$generation" ]'
check "converged" converge
send p0 1
equal "the new content is in force" 7 "$(trace_last)"

rm "$work/next/m1.yaml"
declare_member m2 9 trace.bpf.o
publish 3
check "a key goes, another comes" converge
equal "as declared" "m2" "$(status_value '.objects[].name')"

conf=$volume
daemon_stop
daemon_start
refuse 124 "the same modes without a read-only mount" ctl wait --timeout 1
matches "are refused, with the remedy" 'chmod' "$(ctl status)"
finish
