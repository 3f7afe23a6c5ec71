# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
function __bpfsharectl_names
	bpfsharectl status 2>/dev/null |
		awk '/^(OBJECT|SHARE) /{on=1; next} /^$/{on=0} on && $1 !~ /^-/ {print $1}' | sort -u
end

# The places of objects in other network namespaces, as NAMESPACE:INTERFACE.
function __bpfsharectl_places
	bpfsharectl status 2>/dev/null | awk '
		/^OBJECT /{on=1; from=index($0, "PLACES"); to=index($0, "REASON"); next}
		/^$/{on=0}
		on {
			n = split(to ? substr($0, from, to - from) : substr($0, from), word, " ")
			for (i = 1; i <= n; i++)
				if (sub(/(\/(in|e)gress)?:[0-9]+$/, "", word[i]) && word[i] ~ /:/)
					print word[i]
		}' | sort -u
end

set -l commands check plan status show wait reload confirm events suspend resume purge features help

complete -c bpfsharectl -f
complete -c bpfsharectl -l run-dir -x -a '(__fish_complete_directories)' -d 'Run directory of the daemon'
complete -c bpfsharectl -l json -d 'JSON instead of text'
complete -c bpfsharectl -s h -l help -d 'Show help'
complete -c bpfsharectl -l version -d 'Show the version'

set -l none "not __fish_seen_subcommand_from $commands"
complete -c bpfsharectl -n $none -a check -d 'Check configuration files, offline'
complete -c bpfsharectl -n $none -a plan -d 'Show what would change, and why'
complete -c bpfsharectl -n $none -a status -d 'State of all objects and shares, or of these'
complete -c bpfsharectl -n $none -a show -d 'One thing in depth'
complete -c bpfsharectl -n $none -a wait -d 'Return when the node is as the files say'
complete -c bpfsharectl -n $none -a reload -d 'Read all files again and retry what failed, now'
complete -c bpfsharectl -n $none -a confirm -d 'Let an unusually large removal go ahead'
complete -c bpfsharectl -n $none -a events -d 'What happened lately'
complete -c bpfsharectl -n $none -a suspend -d 'Change nothing until resumed'
complete -c bpfsharectl -n $none -a resume -d 'End suspend and purge'
complete -c bpfsharectl -n $none -a purge -d 'Remove everything that bpfshare made'
complete -c bpfsharectl -n $none -a features -d 'What this kernel can do'
complete -c bpfsharectl -n $none -a help -d 'Help of a command'

set -l seen '__fish_seen_subcommand_from'
complete -c bpfsharectl -n "$seen check" -F
complete -c bpfsharectl -n "$seen check" -l as -r -d 'Judge the file as if it were here'
complete -c bpfsharectl -n "$seen check" -l dump -d 'Print the merged configuration'
complete -c bpfsharectl -n "$seen check plan purge" -l config -r -d 'Daemon settings'
complete -c bpfsharectl -n "$seen plan purge" -l conf-dir -x -a '(__fish_complete_directories)' -d 'Configuration directory'
complete -c bpfsharectl -n "$seen plan purge" -l state-dir -x -a '(__fish_complete_directories)' -d 'State directory of the daemon'
complete -c bpfsharectl -n "$seen plan purge features" -l bpffs -x -a '(__fish_complete_directories)' -d 'Directory of the pins'
complete -c bpfsharectl -n "$seen wait" -l timeout -x -d 'Give up after this time'
complete -c bpfsharectl -n "$seen wait" -l generation -x -d 'Wait for this generation'
complete -c bpfsharectl -n "$seen wait" -l ready -d 'Nothing may be waiting or skipped either'
complete -c bpfsharectl -n "$seen events" -l follow -d 'Go on with what happens from now on'
complete -c bpfsharectl -n "$seen suspend" -l for -x -d 'Resume by itself after this time'
complete -c bpfsharectl -n "$seen status show" -a '(__bpfsharectl_names)'
complete -c bpfsharectl -n "$seen show" -a '(__fish_print_interfaces)'
complete -c bpfsharectl -n "$seen show" -a '(__bpfsharectl_places)'
complete -c bpfsharectl -n "$seen help" -a "$commands"
