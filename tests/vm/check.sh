#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
#
# Runs tests under several kernels in virtual machines (see vmrun) and tells what came of it.
# `make check-vm` calls it, in the build directory and with the environment of the tests.
#
#   check.sh KERNELS NAMES TEST...
#
# KERNELS: series for vmrun. NAMES: which of the tests to run, as in "10-chain test_share"; empty:
# all of them. TEST: what there is, a script of the source tree or a program of the build directory,
# which speak TAP.
#
# A VM runs many tests, because booting takes as long as a short one. One that hangs is ended after
# its limit, inside or from here; when a VM ends before its tests did, the test that was running has
# failed, and the others continue in a new VM. All output is kept in ./vm/KERNEL/TEST.log.
#
#   VM_JOBS     virtual machines at a time (one per processor, if there is the memory)
#   VM_LIMIT    seconds for one test (600)
set -u
die() {
	echo "check-vm: $*" >&2
	exit 1
}
here=$(dirname "$(realpath "${BASH_SOURCE[0]}")")
kernels=$1 names=$2
shift 2
logs=${abs_builddir:?}/vm
limit=${VM_LIMIT:-600}
memory=2048

# Fills `tests` with those that are asked for.
select_tests() { # TEST...
	local name test found
	tests=("$@")
	[ -n "$names" ] || return
	tests=()
	for name in $names; do
		found=''
		for test; do
			[ "$(basename "$test" .sh)" != "$(basename "$name" .sh)" ] || found=$test
		done
		[ -n "$found" ] || die "no such test: $name (there are: $(basename -a -s .sh "$@" | xargs))"
		tests+=("$found")
	done
}

# ---- results: each line of `results` is KERNEL TEST PASSED FAILED SKIPPED ----------------------------

# Counts cases of a TAP file, as "passed failed skipped". What is no complete account is a failure:
# a plan that is missing or not kept, a bail-out, an exit status that no failed case explains.
count_cases() { # LOG STATUS
	awk -v status="$2" '
		/^not ok/ && !/# (TODO|todo)/ { failed++; cases++; next }
		/^ok/ { cases++; if (/# (SKIP|skip)/) skipped++; else passed++; next }
		/^1\.\.0 # SKIP/ { skipped++; planned = 1; plan = 0; next }
		/^1\.\.[0-9]+/ { planned = 1; plan = substr($1, 4); next }
		/^Bail out!/ { bailed = 1 }
		END {
			if (bailed || !planned || plan != cases || (status && !failed))
				failed++
			print passed + 0, failed + 0, skipped + 0
		}' "$1"
}

skip_reasons() { # LOG
	sed -n 's/.*# SKIP *//p' "$1" | sort | uniq -c | sed 's/^ *1 \(.*\)/\1/; s/^ *\([0-9]*\) \(.*\)/\2 (\1 times)/'
}

report() { # KERNEL NAME STATUS SECONDS
	local log=$logs/$1/$2.log passed failed skipped word=ok
	read -r passed failed skipped < <(count_cases "$log" "$3")
	[ "$failed" = 0 ] || word=FAIL
	[ "$word$passed" != ok0 ] || word=skip
	(
		flock 8 # the lines of one test stay together
		printf '%-4s  %-5s %-22s %3d passed %3d failed %3d skipped %4d s\n' $word "$1" "$2" \
			"$passed" "$failed" "$skipped" "$4"
		skip_reasons "$log" | sed 's/^/        skipped: /'
		if [ "$failed" != 0 ]; then
			case $3 in
			124 | 137) echo "        not finished within $limit s" ;;
			esac
			sed 's/^/        | /' "$log"
		fi
		echo "$1 $2 $passed $failed $skipped" >>"$logs/results"
	) 8>>"$logs/lock"
}

# The test that a VM did not survive.
report_lost() { # KERNEL NAME LOG-OF-VM
	{
		echo "Bail out! the VM ended, or no longer answered, while this test ran:"
		cat "$3"
	} >>"$logs/$1/$2.log"
	report "$1" "$2" 125 0
}

# ---- virtual machines ---------------------------------------------------------------------------

guest_command() {
	local variable
	guest=(env CMOCKA_MESSAGE_OUTPUT=TAP)
	for variable in abs_top_srcdir abs_top_builddir abs_builddir BPFTOOL CC NM TEST_CPPFLAGS \
		TEST_LDFLAGS TEST_PURE_LIBS XDP_LOADER_1_3 XDP_LOADER_1_6; do
		guest+=("$variable=${!variable-}")
	done
	guest+=(bash "$here/guest.sh")
}

# Runs tests in one VM, and reports those that ended. The limits inside are the ones that count; the
# limit here is for a VM that does not answer at all.
run_once() { # KERNEL VM-LOG TEST...
	local kernel=$1 log=$2 name status seconds vm
	shift 2
	exec 7< <(exec "$here/vmrun" -k "$kernel" -m $memory -t 86400 -w "$logs/$kernel" -- \
		"${guest[@]}" "$logs/$kernel" "$limit" "$@" 2>"$log")
	vm=$!
	while read -r -t $((limit + 120)) -u 7 name; do
		name=${name%$'\r'}
		[ -e "$logs/$kernel/$name.status" ] || continue
		read -r status seconds <"$logs/$kernel/$name.status"
		report "$kernel" "$name" "$status" "$seconds"
	done
	kill "$vm" 2>/dev/null
	wait "$vm" 2>/dev/null
	exec 7<&-
}

# The tests that never began, because there is no VM for this kernel.
report_missing() { # KERNEL LOG-OF-VM TEST...
	local kernel=$1 log=$2 test name
	shift 2
	for test; do
		name=$(basename "$test" .sh)
		{
			echo "Bail out! no virtual machine with kernel $kernel:"
			cat "$log"
		} >"$logs/$kernel/$name.log"
		report "$kernel" "$name" 125 0
		echo "see the first one, $(basename "$1" .sh)" >"$log"
	done
}

# Runs tests under one kernel, in as many VMs as it takes.
run_all() { # KERNEL NUMBER TEST...
	local kernel=$1 log=$logs/$1/vm-$2.log test left
	shift 2
	while [ $# -gt 0 ]; do
		run_once "$kernel" "$log" "$@"
		left=()
		for test; do
			[ -e "$logs/$kernel/$(basename "$test" .sh).status" ] || left+=("$test")
		done
		[ ${#left[@]} -gt 0 ] || return
		set -- "${left[@]}"
		if [ ! -e "$logs/$kernel/$(basename "$1" .sh).log" ]; then
			report_missing "$kernel" "$log" "$@"
			return
		fi
		report_lost "$kernel" "$(basename "$1" .sh)" "$log"
		shift
	done
}

# As many as there are processors and memory for.
machines() {
	local available
	available=$(awk '/^MemAvailable:/ { print int($2 / 1024) }' /proc/meminfo)
	available=$((available / (memory + 512)))
	[ "$available" -lt "$(nproc)" ] || available=$(nproc)
	echo $((available > 0 ? available : 1))
}

take_from_queue() (
	flock 5
	head -n 1 "$logs/queue"
	sed -i 1d "$logs/queue"
) 5>>"$logs/lock"

# The tests of each kernel are dealt out to several VMs only where there are more processors than
# kernels. The queue is emptied by as many workers as there may be VMs at a time.
run_queue() {
	local kernel jobs=${VM_JOBS:-$(machines)} count shard index queue=() worker
	count=$((jobs / $(wc -w <<<"$kernels")))
	[ $count -gt 0 ] || count=1
	[ $count -le ${#tests[@]} ] || count=${#tests[@]}
	for kernel in $kernels; do
		for ((shard = 0; shard < count; shard++)); do
			queue+=("$kernel $shard")
		done
	done
	printf '%s\n' "${queue[@]}" >"$logs/queue"
	for ((worker = 0; worker < jobs; worker++)); do
		while read -r kernel shard < <(take_from_queue); do
			local share=()
			for ((index = shard; index < ${#tests[@]}; index += count)); do
				share+=("${tests[index]}")
			done
			run_all "$kernel" "$shard" "${share[@]}"
		done &
	done
	wait
}

[ "$(id -u)" = 0 ] || die "needs root: the tests make namespaces and load programs"
select_tests "$@"
for kernel in $kernels; do
	case $kernel in
	5.10 | 6.1 | 6.12 | 7.2) ;;
	*) die "no such kernel: $kernel (there are 5.10, 6.1, 6.12 and 7.2)" ;;
	esac
done
loaders=$("$here/xdp-tools.sh") || die "no xdp-loader to test with, see above"
eval "$loaders"
guest_command
rm -rf "$logs"
for kernel in $kernels; do
	mkdir -p "$logs/$kernel" || die "cannot make $logs/$kernel"
done
: >"$logs/results"
run_queue
awk -v kernels="$kernels" '
	{ passed += $3; failed += $4; skipped += $5; if ($4) bad = bad " " $2 "@" $1 }
	END {
		if (bad)
			print "failed:" bad
		printf "check-vm: %d tests under %s: %d passed, %d failed, %d skipped\n", NR, kernels,
			passed, failed, skipped
		exit failed > 0 || NR == 0
	}' "$logs/results"
