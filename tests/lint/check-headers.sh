#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
#
# Every header compiles on its own, has #pragma once, and shows no type of a library to layers
# that do not know the library.
. "$(dirname "$0")/lib.sh"
CC=${CC:-cc}

# Type names of a library, as an extended regular expression, and the layers that know them.
libraries() {
	cat <<'END'
struct (bpf_(object|program|map|link|linker|buffer)|btf|ring_buffer|perf_buffer|nlmsghdr|nlattr|mnl_[a-z_]+)\>	kern
\<(Elf|Elf64_[A-Za-z]+|GElf_[A-Za-z]+)\>	kern
\<yaml_[a-z_]+_t\>	config
\<EVP_[A-Z_]+\>	base
\<json_t\>	recon daemon cli
\<sd_(event|event_source|bus|journal)\>	daemon cli
END
}

check_pragma() { # TREE
	local header
	find "$1/src" -name '*.h' | sort | while read -r header; do
		[ "$(grep -cx '#pragma once' "$header")" = 1 ] || echo "$header: needs one #pragma once"
	done
}

check_types() { # TREE
	local pattern layers layer where
	while IFS=$'\t' read -r pattern layers; do
		# Comments may speak of anything.
		grep -rnE "$pattern" --include='*.h' "$1/src" | grep -vE '^[^:]+:[0-9]+:[[:space:]]*(/?\*|//)' |
			while IFS= read -r where; do
				layer=${where#"$1/src/"}
				layer=${layer%%/*}
				[[ " $layers " == *" $layer "* ]] || echo "$where: only for $layers"
			done
	done < <(libraries)
}

check_compiles() { # TREE
	local header words
	find "$1/src" -name '*.h' | sort | while read -r header; do
		# shellcheck disable=SC2086 # a list of flags
		words=$(printf '#include "%s"\n' "${header#"$1/src/"}" |
			(cd "${abs_top_builddir:-.}" && $CC -std=gnu11 -fsyntax-only -Wall -Wextra -Werror \
				-D_GNU_SOURCE -I"$1/src" -I"$1" ${TEST_CPPFLAGS:-} -x c - 2>&1)) ||
			printf '%s: does not compile on its own\n%s\n' "$header" "$words"
	done
}

expect_clean "every header has #pragma once" check_pragma "$abs_top_srcdir"
expect_clean "no header shows a library's type to a layer that does not know it" \
	check_types "$abs_top_srcdir"
expect_clean "every header compiles on its own" check_compiles "$abs_top_srcdir"

tree=$(plant guard src/model/x.h <<<'int model_x(void);')
expect_finding "a header without #pragma once is found" 'model/x.h: needs one' check_pragma "$tree"
tree=$(plant types src/model/x.h <<'END'
#pragma once
/* struct btf in a comment is fine */
struct bpf_object_info; /* another word */
struct bpf_object;
END
)
expect_finding "a type of libbpf in model is found" 'x.h:4:struct bpf_object;: only for kern' \
	check_types "$tree"
tree=$(plant fine src/kern/x.h <<'END'
#pragma once
/*
 * struct btf
 */
struct bpf_object;
END
)
expect_clean "a type of libbpf in kern is fine" check_types "$tree"
tree=$(plant alone src/base/x_alone.h <<'END'
#pragma once
size_t base_x_size(uint32_t n);
END
)
expect_finding "a header that needs another first is found" 'does not compile on its own' \
	check_compiles "$tree"
lint_end
