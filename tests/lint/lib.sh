# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
#
# For lints: a check is a function that prints one line per finding and nothing else. Each lint
# runs its check on the tree, and on small trees of its own with one planted fault each, since a
# lint that finds nothing might as well be blind. Results are TAP.
set -uo pipefail

abs_top_srcdir=${abs_top_srcdir:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)}
lint_count=0
lint_dir=$(mktemp -d "${TMPDIR:-/tmp}/lint.XXXXXX") || exit 99
trap 'rm -rf "$lint_dir"' EXIT

lint_result() { # ok|not ok, description, findings
	lint_count=$((lint_count + 1))
	printf '%s %d - %s\n' "$1" "$lint_count" "$2"
	[ "$1" = ok ] || printf '%s\n' "$3" | sed 's/^/# /'
}

# expect_clean DESCRIPTION CHECK [ARG...]
expect_clean() {
	local description=$1 found
	shift
	found=$("$@" 2>&1)
	if [ -z "$found" ]; then
		lint_result ok "$description"
	else
		lint_result 'not ok' "$description" "$found"
	fi
}

# expect_finding DESCRIPTION REGULAR-EXPRESSION CHECK [ARG...]
expect_finding() {
	local description=$1 pattern=$2 found
	shift 2
	found=$("$@" 2>&1)
	if grep -qE -- "$pattern" <<<"$found"; then
		lint_result ok "$description"
	else
		lint_result 'not ok' "$description" "no line matches '$pattern' in: ${found:-(nothing)}"
	fi
}

# Writes stdin to a file of a planted tree, whose root it prints: plant TREE FILE
plant() {
	mkdir -p "$lint_dir/$1/$(dirname "$2")"
	cat >"$lint_dir/$1/$2"
	printf '%s\n' "$lint_dir/$1"
}

lint_end() {
	printf '1..%d\n' "$lint_count"
	exit 0
}
