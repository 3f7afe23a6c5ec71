#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
# A file's life: edited, broken, repaired, removed; and its last good version over a restart.
# shellcheck source=lib.sh disable=SC2119,SC2016
. "$(dirname "$0")/lib.sh"
sandbox "$@"

state_of() { # OBJECT
	status_value ".objects[] | select(.name == \"$1\") | .state"
}

interface v0 p0
member m1 1 50 v0
member m2 2 60 v0
daemon_start
check "two files" converge
before=$(root_of v0)

{ cat "$conf/m2.yaml"; echo "    programms: {}"; } | write "$conf/m2.yaml"
refuse 124 "a broken file is not converged" ctl wait --timeout 1
matches "line, column and a guess" 'm2.yaml:[0-9]+:[0-9]+: .*programms' "$(ctl status)"
matches "the guess" "did you mean" "$(ctl status)"
equal "the file is invalid, its last good version in force" "invalid previous" \
	"$(status_value '.files[] | select(.path | endswith("m2.yaml")) | "\(.state) \(.in_force)"')"
equal "the chain is untouched" "$before" "$(root_of v0)"

daemon_stop
daemon_start
refuse 124 "after a restart it is still broken" ctl wait --timeout 1
equal "its last good version is still in force" "$before" "$(root_of v0)"
send p0 1
equal "and runs" "1 2" "$(trace_last)"

member m2 2 40 v0
check "the file is repaired" converge
send p0 1
equal "and edited" "2 1" "$(trace_last)"

rm "$conf/m2.yaml"
check "the file is removed" converge
send p0 1
equal "what it declared is gone" "1" "$(trace_last)"

mkdir "$work/vendor.d"
daemon_stop # before the file goes, which it must not see
mv "$conf/m1.yaml" "$work/vendor.d/m1.yaml"
cp "$conf"/*.bpf.o "$work/vendor.d/"
root=$(root_of v0)
daemon_start --conf-dir "$work/vendor.d"
check "two directories" converge
equal "the same name from another directory changes nothing" "$root" "$(root_of v0)"
ln -s /dev/null "$conf/m1.yaml"
check "a link to /dev/null" converge
equal "masks the file" "" "$(root_of v0)"
equal "and is shown" masked "$(status_value '.files[0].state')"
rm "$conf/m1.yaml"
check "unmasked" converge
check "it is back" has_root v0

mv "$conf" "$conf.away"
mv "$work/vendor.d" "$work/vendor.away"
refuse 124 "directories that vanish are not a wish" ctl wait --timeout 1
check "everything stays" has_root v0
matches "and the status says why" 'vanished' "$(ctl status)"
mv "$conf.away" "$conf"
mv "$work/vendor.away" "$work/vendor.d"
check "they come back" converge

echo 'settle_ms: soon' | write "$work/bpfshared.yaml"
refuse 124 "a fault in the settings is not converged" ctl wait --timeout 1
matches "the status says which, and what is in force" \
	'bpfshared.yaml:1:.*last good version is in force' "$(ctl status)"
member m4 4 70 v0
check "a new file is still applied" until_true 10 eval '[ "$(state_of m4)" = ready ]'
send p0 1
equal "and runs" "1 4" "$(trace_last)"
equal "still not converged" false "$(status_value .converged)"
echo '{}' | write "$work/bpfshared.yaml"
check "the settings are repaired" converge
refuse 1 "and no longer spoken of" grep -q 'last good' <<<"$(ctl status)"
rm "$conf/m4.yaml"
check "the new file goes" converge

refuse 0 "nothing is left to do" ctl plan --bpffs "$bpffs" --conf-dir "$conf" --conf-dir "$work/vendor.d"
finish
