#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
#
# crash-all.sh [SCENARIO...]: the whole walk of 46-crash.sh, scenarios side by side, each in a sandbox of its own. TAP, a
# point for each scenario, and the numbers of what was covered; the rest is kept in ./crash/SCENARIO.log.
here=$(dirname "$0")
jobs=${JOBS:-$(nproc)}
mapfile -t known < <(bash "$here/46-crash.sh" --list)
# shellcheck disable=SC2206 # words
names=($*)
[ ${#names[@]} -gt 0 ] || names=("${known[@]}")

for name in "${names[@]}"; do
	if ! printf '%s\n' "${known[@]}" | grep -qx "$name"; then
		echo "Bail out! there is no scenario $name; there are: ${known[*]}"
		exit 99
	fi
done
mkdir -p crash || exit 99
export CRASH_EVERY=1 CRASH_OFFSET=0
# shellcheck disable=SC2016 # for the shells that xargs starts
printf '%s\n' "${names[@]}" | xargs -P "$jobs" -I {} sh -c \
	'SCENARIOS={} bash "$0/46-crash.sh" >crash/{}.log 2>&1 || :' "$here"

failed=0 n=0
echo "1..${#names[@]}"
for name in "${names[@]}"; do
	n=$((n + 1))
	grep '^# crash: scenario' "crash/$name.log"
	if grep -q '^ok 1' "crash/$name.log" && ! grep -q '^not ok' "crash/$name.log"; then
		grep '^ok 1' "crash/$name.log" | sed "s/^ok 1/ok $n/"
	else
		failed=$((failed + 1))
		echo "not ok $n - $name"
		tail -n 60 "crash/$name.log" | sed 's/^[^#]/# &/'
	fi
done
logs=("${names[@]/#/crash/}")
awk '/^# crash: scenario/ { points += $5; kills += $7; errors += $9 }
	END { printf "# crash: all: %d points, %d kills, %d errors\n", points, kills, errors }' \
	"${logs[@]/%/.log}"
[ $failed = 0 ]
