#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
#
# Files up to 1,000 lines and functions up to 100, signature and closing brace included; rows
# of tables do not count. Functions beyond 60 lines are named, but pass.
. "$(dirname "$0")/lib.sh"
file_max=1000 function_max=100 function_wanted=60

sources() { # TREE
	find "$1/src" "$1/bpf" "$1/tests" "$1/tools" -type f \( -name '*.[ch]' -o -name '*.sh' \) \
		! -name '*.skel.h' 2>/dev/null | sort
}

check_files() { # TREE
	# shellcheck disable=SC2016 # a program of awk
	sources "$1" | tr '\n' '\0' | xargs -0 -r awk -v limit="$file_max" '
		{ lines[FILENAME]++ }
		END {
			for (file in lines)
				if (lines[file] > limit)
					printf "%s: %d lines, more than %d\n", file, lines[file], limit
		}'
}

# Prints the functions of more than LIMIT lines. Relies on kernel formatting, which clang-format
# sees to: a function's braces, and nothing else's, are alone in column 0.
check_functions() { # TREE LIMIT
	# shellcheck disable=SC2016 # a program of awk
	sources "$1" | grep '\.[ch]$' | tr '\n' '\0' | xargs -0 -r awk -v limit="$2" '
		FNR == 1 { start = 0; inside = 0 }
		!inside && (/^$/ || /^[}#]/ || /\*\/$/ || /;$/) { start = 0; next }
		!inside && !start { start = FNR; name = $0; rows = 0 }
		!inside && /^\{$/ { inside = 1; next }
		inside && /^\t+(\{.*\},?|\[[^]]*\] = .*,|cmocka_unit_test.*),?$/ { rows++ }
		inside && /^}/ {
			length_ = FNR - start + 1 - rows
			if (length_ > limit)
				printf "%s:%d: %d lines: %s\n", FILENAME, start, length_, name
			inside = 0
			start = 0
		}'
}

expect_clean "no file has more than $file_max lines" check_files "$abs_top_srcdir"
expect_clean "no function has more than $function_max lines" \
	check_functions "$abs_top_srcdir" $function_max
check_functions "$abs_top_srcdir" $function_wanted | sed 's/^/# longer than wanted: /'

tree=$(yes ';' | head -n $((file_max + 1)) | plant files src/base/x.c)
expect_finding "a file that is too long is found" "x.c: $((file_max + 1)) lines" check_files "$tree"
tree=$(yes ';' | head -n $file_max | plant full src/base/x.c)
expect_clean "a file of $file_max lines is fine" check_files "$tree"

function_of() { # LINES ROW
	printf '/* comment */\nint x(int a,\n      int b)\n{\n'
	yes "$2" | head -n $(($1 - 4))
	printf '}\n\nstatic const int table[] = {\n'
	yes '	1,' | head -n 200
	printf '};\n'
}
tree=$(function_of $((function_max + 1)) '	f();' | plant long src/plan/x.c)
expect_finding "a function that is too long is found" "x.c:2: $((function_max + 1)) lines: int x" \
	check_functions "$tree" $function_max
tree=$(function_of $function_max '	f();' | plant short src/plan/x.c)
expect_clean "a function of $function_max lines is fine" check_functions "$tree" $function_max
tree=$(function_of 500 '		{ "a", 1 },' | plant table tests/unit/x.c)
expect_clean "rows of a table do not count" check_functions "$tree" $function_max
lint_end
