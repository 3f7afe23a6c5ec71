#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
#
# Includes point downward only: base <- model <- {config | plan | kern} <- recon <- {daemon | cli},
# and each foreign library is known to the layers that exist for it.
. "$(dirname "$0")/lib.sh"

# What a file of a layer may include, as patterns of dir/file.h.
allowed_of() { # LAYER/FILE
	case $1 in
	base/*) echo 'base/*' ;;
	model/*) echo 'base/* model/*' ;;
	config/*) echo 'base/* model/* config/*' ;;
	plan/*) echo 'base/* model/* plan/*' ;;
	kern/*) echo 'base/* model/* kern/* bpf/*' ;;
	# The one place that puts the real parts together.
	recon/engine.[ch]) echo 'base/* model/* config/* plan/* kern/* recon/*' ;;
	# Of kern only the door and the readers that need no privilege.
	recon/*) echo 'base/* model/* config/* plan/* kern/kern.h kern/elf_reader.h kern/source.h' \
		'kern/store.h recon/*' ;;
	daemon/*) echo 'base/* model/* config/* plan/* kern/* recon/* daemon/*' ;;
	cli/*) echo 'base/* model/* config/* plan/* kern/* recon/* cli/*' ;;
	esac
}

# Which layers may include a library's header.
layers_of() {
	case $1 in
	yaml.h) echo config ;;
	openssl/*) echo base ;;
	bpf/* | libelf.h | gelf.h) echo kern ;;
	libmnl/*) echo kern daemon ;; # the daemon listens to rtnetlink
	jansson.h) echo recon daemon cli ;;
	systemd/*) echo daemon cli ;;
	*) echo base model config plan kern recon daemon cli ;;
	esac
}

matches() { # WORD PATTERN...
	local word=$1 pattern
	shift
	for pattern; do
		# shellcheck disable=SC2053 # a pattern is meant
		[[ $word == $pattern ]] && return 0
	done
	return 1
}

check_layers() { # TREE
	local file layer line header patterns
	while IFS=: read -r file line header; do
		layer=${file#"$1/src/"}
		layer=${layer%%/*}
		# Unquoted on purpose: words of patterns, which set -f keeps from the file system.
		set -f
		if [[ $header == \"* ]]; then
			header=${header//\"/}
			patterns=$(allowed_of "${file#"$1/src/"}")
			[ -n "$patterns" ] || echo "$file: folder '$layer' is no layer"
			# shellcheck disable=SC2086
			matches "$header" $patterns || echo "$file:$line: $layer must not include \"$header\""
		else
			header=${header//[<>]/}
			# shellcheck disable=SC2046
			matches "$layer" $(layers_of "$header") ||
				echo "$file:$line: <$header> is not for $layer"
		fi
		set +f
	done < <(grep -rnE '^[[:space:]]*#[[:space:]]*include' --include='*.[ch]' "$1/src" |
		sed -E 's/^([^:]+):([0-9]+):[[:space:]]*#[[:space:]]*include[[:space:]]*(["<][^">]*[">]).*/\1:\2:\3/')
}

expect_clean "includes of the tree point downward" check_layers "$abs_top_srcdir"

planted() { # FILE INCLUDE
	printf '#pragma once\n  #  include %s\n' "$2" | plant "$1-${2//[^a-z]/-}" "src/$1"
}
tree=$(planted base/x.c '"model/desired.h"')
expect_finding "base including model is found" 'base must not include "model/desired.h"' \
	check_layers "$tree"
tree=$(planted plan/x.h '"config/config.h"')
expect_finding "a brother's header is found" 'plan must not include "config/config.h"' \
	check_layers "$tree"
tree=$(planted recon/x.c '"kern/linux.h"')
expect_finding "recon reaching behind the door is found" 'recon must not include "kern/linux.h"' \
	check_layers "$tree"
tree=$(planted daemon/x.c '"cli/out.h"')
expect_finding "the daemon including the tool is found" 'daemon must not include "cli/out.h"' \
	check_layers "$tree"
tree=$(planted kern/x.c '"pin.h"')
expect_finding "an include without its folder is found" 'kern must not include "pin.h"' \
	check_layers "$tree"
tree=$(planted plan/x.c '<yaml.h>')
expect_finding "libyaml outside config is found" '<yaml.h> is not for plan' check_layers "$tree"
tree=$(planted recon/x.c '<bpf/libbpf.h>')
expect_finding "libbpf outside kern is found" '<bpf/libbpf.h> is not for recon' check_layers "$tree"
tree=$(planted other/x.c '"base/str.h"')
expect_finding "a folder that is no layer is found" "'other' is no layer" check_layers "$tree"
tree=$(planted recon/y.c '"kern/kern.h"')
expect_clean "the door is open to recon" check_layers "$tree"
lint_end
