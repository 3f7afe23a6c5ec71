#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
#
# No file of the tree names a place on somebody's machine.
. "$(dirname "$0")/lib.sh"

# Written so that this line does not match itself.
places='(^|[^A-Za-z0-9_.$})-])/(home|root|work)[/]'

check_words() { # TREE
	(cd "$1" && find . \( -path './.git' -o -path './build*' -o -path './_*' -o -path './LICENSES' \
		-o -path './autom4te.cache' -o -path './configure' -o -path './aclocal.m4' \
		-o -path './Makefile.in' -o -path './Makefile' -o -path './config.*' \
		-o -name '*.bpf.d' -o -path './*.tar.*' -o -name .deps -o -name '*.log' \) -prune \
		-o -type f -print0 | sort -z | xargs -0 -r grep -HnIE "$places")
}

expect_clean "no file names a home directory or a workplace" check_words "$abs_top_srcdir"

for place in home root work; do
	tree=$(printf 'see /%s/somebody/notes\n' "$place" | plant "words-$place" README.md)
	expect_finding "/$place/ is found" 'README.md:1:see' check_words "$tree"
done
# shellcheck disable=SC2016 # a variable of somebody else
tree=$(printf '%s\n' '$dir/work/x' 'overlay/work/y' | plant words-other tests/x.sh)
expect_clean "a directory below another is fine" check_words "$tree"
lint_end
