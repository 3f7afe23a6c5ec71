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

# The places of objects in other network namespaces, as NAMESPACE:INTERFACE.
_bpfsharectl_places() {
	"${COMP_WORDS[0]}" status 2>/dev/null | awk '
		/^OBJECT /{on=1; from=index($0, "PLACES"); to=index($0, "REASON"); next}
		/^$/{on=0}
		on {
			n = split(to ? substr($0, from, to - from) : substr($0, from), word, " ")
			for (i = 1; i <= n; i++)
				if (sub(/(\/(in|e)gress)?:[0-9]+$/, "", word[i]) && word[i] ~ /:/)
					print word[i]
		}' | sort -u
}

# Readline takes a colon for the end of a word, and puts only what follows it in its place.
_bpfsharectl_show() {
	local word=${COMP_LINE:0:COMP_POINT} head i
	word=${word##*[[:space:]]}
	head=${word%"${word##*:}"}
	mapfile -t COMPREPLY < <(compgen -W "$1" -- "$word")
	[[ $COMP_WORDBREAKS = *:* ]] || return
	for i in "${!COMPREPLY[@]}"; do
		COMPREPLY[i]=${COMPREPLY[i]#"$head"}
	done
	compopt +o filenames 2>/dev/null # which would quote the colon
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
		show)
			_bpfsharectl_show "$(_bpfsharectl_names) $(_bpfsharectl_interfaces) $(_bpfsharectl_places)"
			return
			;;
		help) words=$commands ;;
		esac
	fi
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
}

complete -o filenames -F _bpfsharectl bpfsharectl
