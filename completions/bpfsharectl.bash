# bash completion for bpfsharectl                              -*- shell-script -*-
# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause

# First columns of the status table: objects and shares.
_bpfsharectl_names() {
	"${COMP_WORDS[0]}" status 2>/dev/null |
		awk '/^(OBJECT|SHARE) /{on=1; next} /^$/{on=0} on && $1 !~ /^-/ {print $1}' | sort -u
}

_bpfsharectl_interfaces() {
	local path
	for path in /sys/class/net/*; do
		echo "${path##*/}"
	done
}

_bpfsharectl_command() { # the first word that is neither an option nor an option's argument
	local i word skip=
	for ((i = 1; i < COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		if [ -n "$skip" ]; then
			skip=
			continue
		fi
		case $word in
		--run-dir | --conf-dir | --config | --state-dir | --bpffs | --as | --timeout | --generation | --for)
			skip=1
			;;
		-* | =) ;;
		*)
			echo "$word"
			return
			;;
		esac
	done
}

_bpfsharectl() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} command words=
	local commands='check plan status show wait reload confirm events suspend resume purge features help'

	command=$(_bpfsharectl_command)
	case $prev in
	--run-dir | --conf-dir | --state-dir | --bpffs)
		mapfile -t COMPREPLY < <(compgen -d -- "$cur")
		return
		;;
	--config | --as)
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return
		;;
	--timeout | --generation | --for)
		return
		;;
	esac
	if [ -z "$command" ]; then
		words="$commands --run-dir --json --help --version"
	elif [[ $cur == -* ]]; then
		words='--run-dir --json --help'
		case $command in
		check) words+=' --as --dump --config' ;;
		plan | purge) words+=' --conf-dir --config --state-dir --bpffs' ;;
		wait) words+=' --timeout --generation --ready' ;;
		events) words+=' --follow' ;;
		suspend) words+=' --for' ;;
		features) words+=' --bpffs' ;;
		esac
	else
		case $command in
		check)
			mapfile -t COMPREPLY < <(compgen -f -- "$cur")
			return
			;;
		status) words=$(_bpfsharectl_names) ;;
		show) words="$(_bpfsharectl_names) $(_bpfsharectl_interfaces)" ;;
		help) words=$commands ;;
		esac
	fi
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
}

complete -o filenames -F _bpfsharectl bpfsharectl
