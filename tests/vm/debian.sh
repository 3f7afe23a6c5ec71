# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
#
# Packages of Debian's suites, fetched and unpacked but never installed: apt works on a directory
# of our own, with no installed packages and one source, so that neither the configuration nor the
# package lists of this machine change. The mirror is the one that this machine already uses for
# Debian; on another distribution it is named in VMRUN_MIRROR.
#
# A script sources this file and provides die().

# take_lock FILE: waits until no other run has it; held until the (sub)shell ends.
take_lock() {
	local directory=${1%/*}
	if ! mkdir -p "$directory" || ! { exec 9>"$1"; } 2>/dev/null; then
		die "$directory is not writable, so nothing can be fetched into it: run this as root," \
			"or name another directory in VMRUN_CACHE"
	fi
	flock -n 9 || {
		echo "${0##*/}: waiting for another run that is fetching packages" >&2
		flock 9
	}
}

# Prints the addresses that may be mirrors of Debian. The suite is taken as written in the sources:
# apt knows more only after an update. Others serve suites of these names too; see debian_open().
debian_mirrors() {
	[ -z "${VMRUN_MIRROR:-}" ] || echo "$VMRUN_MIRROR"
	# shellcheck disable=SC2016 # the variables are apt's
	apt-get indextargets --format '$(SITE) $(RELEASE)' 'Created-By: Packages' 2>/dev/null |
		awk '$2 ~ /^(bullseye|bookworm|trixie|forky|sid|oldstable|stable|testing|unstable)$/ \
			&& !seen[$1]++ { print $1 }'
}

# debian_open SUITE DIRECTORY: prepares to fetch from a suite; apt's state goes to the directory.
# What is no mirror of Debian fails the check of signatures, and the next one is tried. Fails with a
# message if none has the suite.
debian_open() {
	local suite=$1 dir=$2 key=/usr/share/keyrings/debian-archive-keyring.gpg mirrors mirror tool
	for tool in apt-get dpkg-deb; do
		command -v $tool >/dev/null || die "$tool is not here, which fetches packages of Debian"
	done
	[ "$(dpkg --print-architecture)" = amd64 ] ||
		die "the virtual machines are x86-64, and so must be the machine that runs them;" \
			"this one is $(dpkg --print-architecture)"
	[ -r $key ] || die "no $key to check packages with (apt-get install debian-archive-keyring)"
	mapfile -t mirrors < <(debian_mirrors)
	[ ${#mirrors[@]} -gt 0 ] ||
		die "no mirror of Debian is configured for apt on this machine, so there is nowhere to take" \
			"packages of $suite from; name one: VMRUN_MIRROR=URL (see /etc/apt on a Debian system)"
	mkdir -p "$dir"/{lists/partial,cache/archives/partial,empty}
	: >"$dir/status"
	debian_apt=(-qq -o "Dir::Etc::sourcelist=$dir/sources.list" -o "Dir::Etc::sourceparts=$dir/empty"
		-o Dir::Etc::preferences=/dev/null -o "Dir::Etc::preferencesparts=$dir/empty"
		-o "Dir::State::lists=$dir/lists"
		-o "Dir::Cache=$dir/cache" -o "Dir::State::status=$dir/status" -o APT::Sandbox::User=root
		# the last lists of a suite that is no longer maintained have expired
		-o Acquire::Check-Valid-Until=false -o Acquire::Retries=3
		-o APT::Update::Error-Mode=any -o Acquire::Languages=none)
	debian_cache=$dir/packages
	for mirror in "${mirrors[@]}"; do
		echo "deb [signed-by=$key] $mirror $suite main" >"$dir/sources.list"
		apt-get "${debian_apt[@]}" update >"$dir/update.log" 2>&1 && return
		sed 's/^/    /' "$dir/update.log" >&2
	done
	echo "${0##*/}: no package lists of $suite from ${mirrors[*]}; what apt said is above" >&2
	return 1
}

# debian_newest PATTERN EXCEPT: the newest of the packages whose name matches; nothing without one.
debian_newest() {
	apt-cache "${debian_apt[@]}" pkgnames | grep -E "^($1)$" | grep -vE "$2" | sort -V | tail -n 1
}

# debian_depends PACKAGE: the names of the packages that it needs directly.
debian_depends() {
	apt-cache "${debian_apt[@]}" depends "$1" | sed -n 's/^ *|\{0,1\}\(Pre\)\{0,1\}Depends: //p'
}

# debian_closure PACKAGE: its name, and what it needs, directly or not.
debian_closure() {
	apt-cache "${debian_apt[@]}" depends --recurse --no-recommends --no-suggests --no-conflicts \
		--no-breaks --no-replaces --no-enhances "$1" | grep -E '^[a-z0-9]' | sort -u
}

# debian_unpack ROOT PACKAGE...
debian_unpack() {
	local root=$1 package
	shift
	mkdir -p "$root" "$debian_cache"
	(cd "$debian_cache" && rm -f ./*.deb && apt-get "${debian_apt[@]}" download "$@" >&2) ||
		die "apt could not download: $*; its message is above"
	for package in "$debian_cache"/*.deb; do
		dpkg-deb -x "$package" "$root" || die "cannot unpack ${package##*/}"
	done
}
