#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
#
# Makes a fresh clone ready to build: finds out what is missing on this machine, installs it with
# apt where that is possible, runs autoreconf and configure. Does nothing, quickly, when nothing
# is to be done. `make` calls it; by hand it is only of use as `tools/bootstrap.sh --list`.
#
#   tools/bootstrap.sh [--for build|check|vm|ci] [--build DIR] [-- CONFIGURE-ARGUMENT...]
#   tools/bootstrap.sh [--for build|check|vm|ci] --install    only the packages
#   tools/bootstrap.sh [--for build|check|vm|ci] --list       what is needed, and whether it is here
#   tools/bootstrap.sh --give-back [--build DIR]           see give_back()
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

purpose=build action=all build=build
say() { printf 'bootstrap: %s\n' "$*"; }
die() {
	printf 'bootstrap: %s\n' "$@" >&2
	exit 1
}
while [ $# -gt 0 ]; do
	case $1 in
	--for) purpose=$2 && shift 2 ;;
	--build) build=$2 && shift 2 ;;
	--install | --list | --give-back) action=${1#--} && shift ;;
	--) shift && break ;;
	*) sed -n '/^# Makes/,/^set /s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2 && exit 2 ;;
	esac
done
case $purpose in
build | check | vm | ci) ;;
*) die "--for takes build, check, vm or ci, not '$purpose'" ;;
esac

# An ordinary user's PATH lacks the directories of ip and bpftool.
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

# ---- what is needed ---------------------------------------------------------------------------

# One line each: purpose | probe | what it is | package of Debian and Ubuntu. The probe decides, not
# the package: whoever brought a library from elsewhere keeps it.
requirements() {
	cat <<-'END'
		build|command cc|a C compiler|gcc
		build|command make|GNU make|make
		build|libc|headers of the C library|libc6-dev
		build|command autoconf|autoconf 2.71 or later|autoconf
		build|command automake|automake 1.16 or later|automake
		build|command pkg-config|pkgconf or pkg-config|pkg-config
		build|command clang|clang 14 or later, with the BPF target|clang
		build|bpftool|bpftool|bpftool
		build|module libbpf >= 1.3|libbpf 1.3 or later|libbpf-dev
		build|uapi|Linux headers 6.6 or later (linux/bpf.h)|linux-libc-dev
		build|module libelf|libelf|libelf-dev
		build|module libmnl|libmnl|libmnl-dev
		build|module yaml-0.1|libyaml|libyaml-dev
		build|module libcrypto >= 1.1|libcrypto (OpenSSL)|libssl-dev
		build|module jansson >= 2.11|jansson|libjansson-dev
		build|module libsystemd >= 240|libsystemd|libsystemd-dev
		check|module cmocka >= 1.1|cmocka|libcmocka-dev
		check|command nm|binutils|binutils
		root|command ip|iproute2|iproute2
		root|command jq|jq|jq
		root|command mount|mount and umount|mount
		root|command setpriv|util-linux|util-linux
		root|command sysctl|procps|procps
		vm|command qemu-system-x86_64|QEMU for x86-64|qemu-system-x86
		vm|static busybox|busybox, statically linked|busybox-static
		vm|command cpio|cpio|cpio
		vm|command modprobe|kmod|kmod
		vm|command xz|xz|xz-utils
		vm|command zstd|zstd|zstd
		vm|debian keyring|keys of Debian's packages|debian-archive-keyring
		ci|command clang-format|clang-format 14 or later|clang-format
		ci|command mandoc|mandoc|mandoc
		ci|command shellcheck|shellcheck|shellcheck
		ci|command xz|xz|xz-utils
		ci|sanitizers|run-time libraries of clang's sanitizers|libclang-rt-dev
	END
}

compiles() {
	command -v cc >/dev/null && cc -fsyntax-only -x c - 2>/dev/null
}

# Whether the thing that a probe names is here.
probe() {
	local tool
	case $1 in
	command\ *) command -v "${1#command }" >/dev/null ;;
	static\ *)
		tool=$(command -v "${1#static }") && ! LC_ALL=C ldd "$tool" 2>/dev/null | grep -q '=>'
		;;
	debian\ keyring) [ -r /usr/share/keyrings/debian-archive-keyring.gpg ] ;;
	module\ *) command -v pkg-config >/dev/null && pkg-config --exists "${1#module }" ;;
	libc) compiles <<<'#include <stdio.h>' ;;
	uapi) compiles <<<$'#include <linux/bpf.h>\nint probe = BPF_TCX_INGRESS;' ;;
	bpftool)
		# On Ubuntu the one in the PATH may be a script without the tool itself.
		for tool in bpftool /usr/lib/linux-tools/*/bpftool /usr/lib/linux-tools-*/bpftool; do
			"$tool" gen help >/dev/null 2>&1 && return 0
		done
		return 1
		;;
	sanitizers)
		command -v clang >/dev/null &&
			echo 'int main(void){return 0;}' |
			clang -fsanitize=address,undefined -x c - -o /dev/null 2>/dev/null
		;;
	*) die "no such probe: $1" ;;
	esac
}

wanted() {
	case $1:$purpose in
	# without root the tests that use these are skipped anyway
	root:check | vm:ci) [ "$(id -u)" = 0 ] ;;
	build:* | check:check | check:vm | root:vm | vm:vm | *:ci) return 0 ;;
	*) return 1 ;;
	esac
}

# Fills missing_packages and missing_names.
find_missing() {
	local class what name package
	missing_packages=() missing_names=()
	while IFS='|' read -r class what name package; do
		# two purposes may need the same
		[[ " ${missing_packages[*]} " != *" $package "* ]] || continue
		if wanted "$class" && ! probe "$what"; then
			missing_packages+=("$package")
			missing_names+=("$name")
		fi
	done < <(requirements)
}

list_requirements() {
	local class what name package
	while IFS='|' read -r class what name package; do
		wanted "$class" || continue
		if probe "$what"; then
			printf 'found    %-48s %s\n' "$name" "$package"
		else
			printf 'missing  %-48s %s\n' "$name" "$package"
		fi
	done < <(requirements)
}

# ---- apt --------------------------------------------------------------------------------------

os_id='' os_codename=''
read_os_release() {
	local key value
	[ -r /etc/os-release ] || return 0
	while IFS='=' read -r key value; do
		case $key in
		ID) os_id=${value//\"/} ;;
		VERSION_CODENAME) os_codename=${value//\"/} ;;
		esac
	done </etc/os-release
}

# The name of a package on this distribution, where it differs from Debian 13's.
package_name() {
	case $os_id:$os_codename:$1 in
	ubuntu:*:bpftool)
		# Newer releases have a package of that name; in 24.04 it is part of the kernel's tools.
		if [ -n "$(apt-cache madison bpftool 2>/dev/null)" ]; then
			echo bpftool
		else
			echo linux-tools-generic
		fi
		;;
	debian:bookworm:libclang-rt-dev) echo libclang-rt-14-dev ;;
	debian:trixie:libclang-rt-dev) echo libclang-rt-19-dev ;;
	ubuntu:noble:libclang-rt-dev) echo libclang-rt-18-dev ;;
	*) echo "$1" ;;
	esac
}

# Debian 12's own version of these is too old, or does not fit the newer ones.
needs_backports() {
	case $os_id:$os_codename:$1 in
	debian:bookworm:libbpf-dev | debian:bookworm:linux-libc-dev | debian:bookworm:bpftool) return 0 ;;
	*) return 1 ;;
	esac
}

apt_get() {
	DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 \
		apt-get -q -o DPkg::Lock::Timeout=300 "$@"
}

install_packages() {
	say "installing with apt: $*"
	# Another, broken source of this machine is no reason to give up: what counts is the install.
	apt_get update >/dev/null || say "apt-get update reported a problem; trying all the same"
	apt_get install -y --no-install-recommends "$@" ||
		die "apt-get could not install: $*" \
			"see its message above; the network or a package source may be at fault"
}

# Prints site and key file of this machine's package source for a code name.
apt_source() {
	# shellcheck disable=SC2016 # the variables are apt's
	apt-get indextargets --format '$(CODENAME) $(SITE) $(SIGNED_BY)' 'Created-By: Packages' |
		awk -v name="$1" '$1 == name && !found { print $2, $3; found = 1 }'
}

# Installs from bookworm-backports, on the mirror that this machine uses for Debian, without a
# trace in the configuration of apt: sources and package lists are copies in a directory of our own.
install_from_backports() {
	local suite=$os_codename-backports dir='' site='' key='' list options=()
	say "installing with apt from $suite: $*"
	if [ -z "$(apt_source "$suite")" ]; then
		read -r site key <<<"$(apt_source "$os_codename")"
		[ -n "$site" ] ||
			die "no package source for Debian $os_codename is configured, so there is no mirror to" \
				"take $suite from; add one to /etc/apt, run apt-get update and try again"
		[[ $key = /* ]] || key=/usr/share/keyrings/debian-archive-keyring.gpg
		dir=$(mktemp -d)
		mkdir -p "$dir/parts" "$dir/lists"
		[ ! -d /etc/apt/sources.list.d ] || cp -a /etc/apt/sources.list.d/. "$dir/parts/"
		cp -a /var/lib/apt/lists/. "$dir/lists/"
		list=$dir/parts/bpfshare-backports.list
		echo "deb [signed-by=$key] $site $suite main" >"$list"
		# apt fetches as a user of its own.
		chmod 755 "$dir"
		options=(-o Dir::State::lists="$dir/lists")
		# Only this source is fetched; the lists of the others are here already and are kept.
		apt_get update "${options[@]}" -o Dir::Etc::sourcelist="$list" \
			-o Dir::Etc::sourceparts=- -o APT::Get::List-Cleanup=0 >/dev/null || {
			rm -rf "$dir"
			die "$site has no usable $suite; apt's message is above"
		}
		options+=(-o Dir::Etc::sourceparts="$dir/parts")
	fi
	apt_get install -y --no-install-recommends "${options[@]}" -t "$suite" "$@" || {
		rm -rf "$dir"
		die "apt-get could not install from $suite: $*"
	}
	rm -rf "$dir"
}

install_missing() {
	local package plain=() backports=()
	for package in "${missing_packages[@]}"; do
		needs_backports "$package" || plain+=("$(package_name "$package")")
	done
	[ ${#plain[@]} = 0 ] || install_packages "${plain[@]}"
	# Asked again: the probes of the second kind need the compiler and pkg-config of the first.
	find_missing
	for package in "${missing_packages[@]}"; do
		needs_backports "$package" && backports+=("$package")
	done
	[ ${#backports[@]} = 0 ] || install_from_backports "${backports[@]}"
	find_missing
}

# ---- what to do about it ------------------------------------------------------------------------

explain_missing() {
	local package plain=() backports=()
	die_lines=("missing on this machine:")
	for package in "${missing_names[@]}"; do
		die_lines+=("    $package")
	done
	if ! command -v apt-get >/dev/null; then
		die_lines+=("There is no apt-get here. Install these with this system's package manager and run"
			"make again; \`tools/bootstrap.sh --for $purpose --list\` shows what is found.")
		die "${die_lines[@]}"
	fi
	for package in "${missing_packages[@]}"; do
		if needs_backports "$package"; then
			backports+=("$package")
		else
			plain+=("$(package_name "$package")")
		fi
	done
	die_lines+=("Run this command with sudo, and they are installed; or install them yourself:")
	[ ${#plain[@]} = 0 ] || die_lines+=("    apt-get install ${plain[*]}")
	[ ${#backports[@]} = 0 ] ||
		die_lines+=("    apt-get install -t $os_codename-backports ${backports[*]}" \
			"        (with $os_codename-backports among the sources of apt)")
	die "${die_lines[@]}"
}

provide() {
	find_missing
	[ ${#missing_names[@]} -gt 0 ] || return 0
	read_os_release
	if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
		install_missing
		[ ${#missing_names[@]} -gt 0 ] || return 0
	fi
	explain_missing
}

configure_tree() {
	[ -x configure ] || {
		local words
		say "autoreconf"
		words=$(autoreconf -fi 2>&1) || die "autoreconf failed:" "$words"
	}
	if [ ! -f "$build/Makefile" ]; then
		say "configure in $build"
		mkdir -p "$build"
		local source=$PWD
		(cd "$build" && "$source/configure" -q "$@") ||
			die "configure failed; its message is above, the details are in $build/config.log"
	elif [ "$purpose" != build ] && grep -qF 'S["HAVE_CMOCKA_TRUE"]="#"' "$build/config.status"; then
		# cmocka came after the tree had been configured without it.
		say "configure again in $build, with cmocka"
		(cd "$build" && ./config.status -q --recheck >/dev/null && ./config.status -q) ||
			die "configure failed; its message is above"
	fi
}

# After `sudo make` the files of the build belong to the user whose tree it is, so that a later
# `make` without sudo can write them.
give_back() {
	local name paths=()
	if [ "$(id -u)" != 0 ] || [ -z "${SUDO_UID:-}" ] || [ "$(stat -c %u .)" != "$SUDO_UID" ]; then
		return 0
	fi
	for name in "$build" configure aclocal.m4 autom4te.cache build-aux Makefile.in; do
		[ ! -e "$name" ] || paths+=("$name")
	done
	[ ${#paths[@]} = 0 ] ||
		find "${paths[@]}" -xdev -user root -exec chown -h "$SUDO_UID:${SUDO_GID:-$SUDO_UID}" {} +
}

case $action in
list) list_requirements ;;
install) provide ;;
give-back) give_back ;;
all)
	provide
	configure_tree "$@"
	;;
esac
