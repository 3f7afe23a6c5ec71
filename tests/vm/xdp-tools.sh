#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
#
# Provides the xdp-loader of two generations, for tests of interoperation: 1.3 writes chains of
# protocol version 2, 1.6 those of version 3. They are Debian's packages (of bookworm and sid),
# unpacked below the cache directory beside the libraries that they were built for, the C library
# included; nothing is installed. Prints for each version a line that a shell can evaluate:
#
#   XDP_LOADER_1_3=/var/cache/vmrun/xdp-tools/xdp-loader-1.3
#   XDP_LOADER_1_6=/var/cache/vmrun/xdp-tools/xdp-loader-1.6
#
#   xdp-tools.sh [1.3|1.6]...      default: both
#
# The cache directory is $VMRUN_CACHE (default /var/cache/vmrun), as for vmrun. To fetch a version
# anew, delete its directory there.
set -euo pipefail
die() {
	echo "xdp-tools: $*" >&2
	exit 1
}
# shellcheck source=debian.sh
. "$(dirname "${BASH_SOURCE[0]}")/debian.sh"
cache=${VMRUN_CACHE:-/var/cache/vmrun}/xdp-tools

# The wrapper starts the program by the loader of the same packages, because their C library may be
# newer than this machine's. libxdp reads its objects from LIBXDP_OBJECT_PATH.
write_wrapper() { # FILE ROOT
	cat >"$1" <<-END
		#!/bin/sh
		# Written by tests/vm/xdp-tools.sh.
		root='$2'
		export LIBXDP_OBJECT_PATH="\${LIBXDP_OBJECT_PATH:-\$root/usr/lib/x86_64-linux-gnu/bpf}"
		exec "\$root/loader" --library-path "\$root/usr/lib/x86_64-linux-gnu:\$root/lib/x86_64-linux-gnu" \\
			"\$root/usr/sbin/xdp-loader" "\$@"
	END
	chmod 755 "$1"
}

fetch() ( # VERSION SUITE: in a subshell, which holds the lock
	version=$1 suite=$2 root=$cache/$1
	take_lock "$cache/lock"
	[ ! -e "$root/version" ] || exit 0
	# What an interrupted run has left: nobody else writes here while the lock is held.
	rm -rf "$cache"/.new.*
	new=$(mktemp -d "$cache/.new.XXXXXX")
	trap 'rm -rf "$new"' EXIT
	debian_open "$suite" "$new/apt" || die "no xdp-loader $version; it is in Debian's $suite"
	mapfile -t packages < <(debian_closure libxdp1)
	[ ${#packages[@]} -gt 0 ] || die "$suite has no package libxdp1"
	debian_unpack "$new/root" xdp-tools "${packages[@]}"
	[ -x "$new/root/usr/sbin/xdp-loader" ] ||
		die "the package xdp-tools of $suite has no usr/sbin/xdp-loader"
	# Absolute links would lead out of the directory.
	loader=$(find "$new/root" -name ld-linux-x86-64.so.2 -type f -o -name 'ld-2.*.so' -type f | head -n 1)
	[ -n "$loader" ] || die "the package libc6 of $suite has no loader"
	ln -s "${loader#"$new/root/"}" "$new/root/loader"
	write_wrapper "$new/wrapper" "$new/root"
	help=$("$new/wrapper" help 2>&1) || true # it exits with an error
	[[ $help = Usage:* ]] || die "xdp-loader of $suite does not run: $help"
	found=$(dpkg-deb -f "$debian_cache"/xdp-tools_*.deb Version)
	found=${found%-*}
	[[ $found.0 = "$version".* ]] ||
		die "$suite now has xdp-tools $found, not $version: another suite has to be found for it"
	chmod 755 "$new/root"
	rm -rf "$root"
	write_wrapper "$cache/xdp-loader-$version" "$root"
	echo "$found" >"$new/root/version"
	mv "$new/root" "$root"
)

[ $# -gt 0 ] || set -- 1.3 1.6
for version; do
	case $version in
	1.3) suite=bookworm ;;
	1.6) suite=sid ;;
	*) die "no such version: $version (there are 1.3 and 1.6)" ;;
	esac
	[ -e "$cache/$version/version" ] || fetch "$version" "$suite"
	echo "XDP_LOADER_${version/./_}=$cache/xdp-loader-$version"
done
