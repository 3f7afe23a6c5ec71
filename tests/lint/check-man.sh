#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
#
# The manual pages against the code: every reason token, every key of the configuration language
# and of the settings, every option and every command is in them, and no token is that the
# code does not know.
. "$(dirname "$0")/lib.sh"

# A reason is a CamelCase string, one that plan/reason.h defines, or one of kern/result.c's table.
code_tokens() { # TREE
	{
		find "$1/src/model" "$1/src/config" "$1/src/plan" "$1/src/kern" "$1/src/recon" -name '*.[ch]' \
			-exec grep -hoE '"[A-Z][a-z0-9]+([A-Z][a-z0-9]+)+("|: )' {} + 2>/dev/null
		grep -hoE '^#define REASON_[A-Z_]+ +"[A-Za-z0-9]+"' "$1/src/plan/reason.h" 2>/dev/null
		grep -hoE 'FAILURE_[A-Z]+, "[A-Za-z]+"' "$1/src/kern/result.c" 2>/dev/null
	} | grep -oE '"[A-Za-z0-9]+' | tr -d '"' | sort -u
}

page_tokens() { # TREE
	sed -n 's/^\.It Li \([A-Z][A-Za-z0-9]*\) Ta .*/\1/p' "$1/man/bpfsharectl.1" | sort -u
}

check_tokens() { # TREE
	comm -23 <(code_tokens "$1") <(page_tokens "$1") |
		sed 's/$/: a reason that bpfsharectl(1) does not explain/'
	comm -13 <(code_tokens "$1") <(page_tokens "$1") |
		sed 's/$/: explained in bpfsharectl(1), and nothing in the code gives it/'
}

# Each of the words on stdin is in the page, as a macro's argument.
in_page() { # PAGE
	while read -r word; do
		grep -qE "^\.(.* )?(Ic|Cm|Fl|It)( .*)? $word( |\$)" "$1" || echo "$word: not in $1"
	done
}

keys() { # FILE...
	sed -nE 's/^\t\{ "([a-z0-9_]+)", (bind_[a-z0-9_]+|fields_bind_[a-z_]+|NULL), .*/\1/p' "$@" | sort -u
}

check_keys() { # TREE
	keys "$1"/src/config/fields_*.c | in_page "$1/man/bpfshare.d.5"
	sed '/^static const struct field root_fields/,/^}/d' "$1/src/config/parse.c" | keys |
		in_page "$1/man/bpfshared.yaml.5"
	sed -n '/^static const struct field root_fields/,/^}/p' "$1/src/config/parse.c" | keys |
		in_page "$1/man/bpfshare.d.5"
}

options() { # FILE
	sed -nE 's/^\t\{ "([a-z-]+)", (no|required)_argument, .*/-\1/p' "$1" | grep -v -- '-help\|-version'
}

check_options() { # TREE
	options "$1/src/daemon/options.c" | in_page "$1/man/bpfshared.8"
	options "$1/src/cli/main.c" | in_page "$1/man/bpfsharectl.1"
	sed -nE 's/^\t\{ "([a-z]+)", "[^"]*", ("|$).*/\1/p' "$1/src/cli/main.c" |
		in_page "$1/man/bpfsharectl.1"
}

check_format() { # TREE
	command -v mandoc >/dev/null || return 0
	find "$1/man" -name '*.[158]' -size +1k -exec mandoc -T lint -W warning {} +
}

expect_clean "the manual explains every reason, and no other" check_tokens "$abs_top_srcdir"
expect_clean "the manual has every key" check_keys "$abs_top_srcdir"
expect_clean "the manual has every option and command" check_options "$abs_top_srcdir"
expect_clean "the pages are well-formed" check_format "$abs_top_srcdir"

# The lists themselves: an empty one would find nothing missing.
count_all() {
	printf '%s ' "$(code_tokens "$abs_top_srcdir" | wc -l)" "$(keys "$abs_top_srcdir"/src/config/*.c | wc -l)" \
		"$(options "$abs_top_srcdir/src/cli/main.c" | wc -l)"
}
expect_finding "reasons, keys and options are found in the code" \
	'^1[0-9][0-9] [5-9][0-9]+ 1[0-9] ' count_all

tree=$(plant tokens src/plan/x.c <<<'	return "NotInThePage";')
plant tokens man/bpfsharectl.1 >/dev/null <<<'.It Li OnlyInThePage Ta never given'
expect_finding "finds a reason without an explanation" '^NotInThePage: ' check_tokens "$tree"
expect_finding "finds an explanation without a reason" '^OnlyInThePage: ' check_tokens "$tree"

tree=$(plant keys src/config/fields_x.c <<<$'\t{ "new_key", bind_bool, 0, NULL, false },')
plant keys src/config/parse.c >/dev/null </dev/null
plant keys man/bpfshare.d.5 >/dev/null <<<'.It Ic old_key'
expect_finding "finds a key that the page lacks" '^new_key: ' check_keys "$tree"

tree=$(plant options src/cli/main.c <<<$'\t{ "frob", "", "frobs", "",')
plant options src/daemon/options.c >/dev/null <<<$'\t{ "knob", required_argument, NULL, 1 },'
plant options man/bpfshared.8 >/dev/null <<<'.It Fl -other'
plant options man/bpfsharectl.1 >/dev/null <<<'.It Cm other'
expect_finding "finds an option that the page lacks" '^-knob: ' check_options "$tree"
expect_finding "finds a command that the page lacks" '^frob: ' check_options "$tree"
lint_end
