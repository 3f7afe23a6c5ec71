#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
#
# crash-all.sh [SCENARIO...]: the walk of 46-crash.sh, scenarios side by side, each in a sandbox of its own. TAP, a
# point for each scenario, and the numbers of what was covered; the rest is kept in ./crash/SCENARIO.log.
#
#   CRASH_EVERY=N     every Nth point and action only; CRASH_OFFSET=N: beginning with another one
#   CRASH_LOGS=DIR    instead of ./crash
#   JOBS=N            so many at a time; default: twice as many as there are processors
here=$(dirname "$0")
jobs=${JOBS:-$((2 * $(nproc)))}
logs=${CRASH_LOGS:-crash}
every=${CRASH_EVERY:-1} offset=${CRASH_OFFSET:-0}
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
mkdir -p "$logs" || exit 99
export CRASH_LOGS=$logs
# Each begins elsewhere, so that a sample has all actions and not the first points only.
# shellcheck disable=SC2016 # for the shells that xargs starts
for name in "${names[@]}"; do
	echo "$name $((offset % every))"
	offset=$((offset + 23))
done | xargs -P "$jobs" -L 1 bash -c 'SCENARIOS=$2 CRASH_EVERY=$1 CRASH_OFFSET=$3 \
	bash "$0/46-crash.sh" >"$CRASH_LOGS/$2.log" 2>&1 || :' "$here" "$every" || exit 99

failed=0 n=0
echo "1..${#names[@]}"
for name in "${names[@]}"; do
	n=$((n + 1))
	grep '^# crash: scenario' "$logs/$name.log"
	if grep -q '^ok 1' "$logs/$name.log" && ! grep -q '^not ok' "$logs/$name.log"; then
		grep '^ok 1' "$logs/$name.log" | sed "s/^ok 1/ok $n/"
	elif grep -q '^1\.\.0 # SKIP' "$logs/$name.log"; then
		sed -n "s/^1\.\.0 # SKIP/ok $n - $name # SKIP/p" "$logs/$name.log"
	else
		failed=$((failed + 1))
		echo "not ok $n - $name"
		tail -n 60 "$logs/$name.log" | sed 's/^[^#]/# &/'
	fi
done
paths=("${names[@]/#/$logs/}")
awk '/^# crash: scenario/ { points += $5; kills += $7; errors += $9 }
	END { printf "# crash: all: %d points, %d kills, %d errors\n", points, kills, errors }' \
	"${paths[@]/%/.log}"
[ $failed = 0 ]
