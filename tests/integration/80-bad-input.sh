#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
# Bad input of every kind: a clear error, nothing lost, nothing half-applied. One good object
# runs all the time and must not notice.
# shellcheck source=lib.sh disable=SC2119,SC2016
. "$(dirname "$0")/lib.sh"
sandbox "$@"

interface v0 p0
interface v1 p1
member m1 1 50 v0
daemon_start
check "the good one" converge
good=$(root_of v0)

# bad NAME PATTERN: a file bad.yaml from standard input is refused with this text, and harms nobody.
bad() {
	write "$conf/bad.yaml"
	refuse 124 "$1: not converged" ctl wait --timeout 1
	matches "$1: says why" "$2" "$(ctl status 2>&1)"
	equal "$1: harms nobody" "$good" "$(root_of v0)"
	rm "$conf/bad.yaml"
}

object() { # KEYS, on v1
	printf 'objects:\n  bad:\n    file: %s\n    programs: {%s: {attach: [{xdp: {interface: v1}}]}}\n' "$1" "$2"
	[ -z "${3:-}" ] || printf '    %s\n' "$3"
}

bad "not YAML" 'bad.yaml:2:[0-9]+' < <(printf 'objects: [\n  {]\n')
bad "binary" 'bad.yaml.*(NUL|control|UTF-8)' < <(printf '\x00\x01\x02')
bad "an empty file" 'EmptyFile' < <(:)
bad "a file of more than 1 MiB" 'bad.yaml.*(1 MiB|1048576|too large)' < <({ printf 'description: '; head -c 1100000 /dev/zero | tr '\0' x; })
bad "an alias" 'dumper' < <(printf 'a: &x 1\nb: *x\n')
bad "a newer format" 'NewerFormat' < <(printf 'version: 2\n')

echo "text" >"$conf/text.o"
bad "not ELF" 'NotElf' < <(object text.o f)
bad "no such object file" 'ObjectMissing.*missing.o' < <(object missing.o f)
bad "ELF without the function" 'NoSuchProgram.*no_such_function' < <(object test_trace.bpf.o no_such_function)
bad "wrong program type for the hook" 'WrongProgramType' < <(object test_wrong_type.bpf.o tc_pass)
bad "the verifier refuses" 'VerifierRefused' < <(object test_refused.bpf.o xdp_refused)
bad "unknown global" 'NoSuchVariable.*no_such_global' < <(object test_trace.bpf.o xdp_trace 'globals: {no_such_global: 1}')
bad "a global out of range" 'BadGlobal' < <(object test_trace.bpf.o xdp_trace 'globals: {id: -1}')
bad "max_entries 0" 'max_entries' < <(object test_trace.bpf.o xdp_trace 'maps: {packets: {max_entries: 0}}')
bad "a path out of the directory" '\.\.' < <(object ../../etc/passwd f)
ln -s /etc/hostname "$conf/link.o"
bad "a link out of the directory" 'ObjectRefused.*link.o' < <(object link.o f)
bad "another content than declared" 'Sha256Mismatch' < <(object test_trace.bpf.o xdp_trace 'sha256: 0000000000000000000000000000000000000000000000000000000000000000')
bad "two owners of a name" 'm1.yaml' < <(printf 'objects:\n  m1:\n    file: test_trace.bpf.o\n')
bad "a cycle of constraints" 'OrderCycle.*(a/xdp_trace.*b/xdp_trace|b/xdp_trace.*a/xdp_trace)' < <(printf 'objects:\n  a: {file: test_trace.bpf.o, programs: {xdp_trace: {attach: [{xdp: {interface: v1}, before: [b/xdp_trace]}]}}}\n  b: {file: test_trace.bpf.o, programs: {xdp_trace: {attach: [{xdp: {interface: v1}, before: [a/xdp_trace]}]}}}\n')
bad "an XSKMAP on two interfaces" 'PerDeviceMap.*instances: interface' < <(printf 'objects: {bad: {file: xsk_redirect.bpf.o, programs: {xdp_xsk_redirect: {attach: [{xdp: {interface: "v*"}}]}}}}\n')
bad "a hook of a later version" 'not supported by this version' < <(printf 'objects: {bad: {file: test_trace.bpf.o, programs: {xdp_trace: {attach: [{tracepoint: sched/sched_switch}]}}}}\n')
at() { # ATTACHMENT
	printf 'objects: {bad: {file: test_trace.bpf.o, programs: {xdp_trace: {attach: [%s]}}}}\n' "$1"
}
bad "tc without a direction" "'direction' is missing" < <(at '{tc: {interface: v1}}')
bad "an XDP program at tc" 'WrongProgramType.*xdp_trace' < <(at '{tc: {interface: v1, direction: ingress}}')
bad "a verdict of the other hook" "'shot' is a verdict of the hook tc" < <(at '{xdp: {interface: v1}, proceed_on: [shot]}')
bad "a priority out of range" '65535' < <(at '{xdp: {interface: v1}, priority: 65536}')
bad "a namespace for a set" 'netns' < <(at '{xdp: {interface: "@set", netns: blue}}')
bad "no such group" 'NoSuchGroup' < <(printf 'shares: {bad: {maps: [m1/packets], targets: [{bpffs: {group: no-such-group-here}}]}}\n')
bad "a share of a map that is not there" 'NoSuchMap' < <(printf 'shares: {bad: {maps: [m1/nothing], targets: [{bpffs: {}}]}}\n')
at '{xdp: {interface: v1, netns: no-such-namespace}}' | write "$conf/bad.yaml"
check "no such namespace is nothing bad" converge
matches "but something to wait for" 'waiting +NetnsAbsent' "$(status_value '.objects[] | select(.name == "bad") |
	.programs[].attachments[] | "\(.state) \(.reason)"')"
refuse 124 "so it is not ready" ctl wait --ready --timeout 1
rm "$conf/bad.yaml"
by_libxdp() { # FILE PROGRAM
	printf 'interfaces: {one: {select: [{name: v1}], xdp: {mechanism: libxdp}}}\n'
	object "$1" "$2"
}
if [ "$(feature libxdp available)" != true ]; then
	bad "libxdp on a kernel that refuses its chains" 'LibxdpUnavailable' < <(by_libxdp test_trace.bpf.o xdp_trace)
elif objcopy=$(command -v llvm-objcopy || command -v llvm-objcopy-14); then
	"$objcopy" --remove-section .BTF --remove-section .BTF.ext --remove-section .rel.BTF \
		--remove-section .rel.BTF.ext "$conf/test_frags.bpf.o" "$conf/no_btf.o" || bail "$objcopy fails"
	bad "libxdp with a program without BTF" 'ProgramWithoutBtf' < <(by_libxdp no_btf.o xdp_no_frags)
else
	skip "libxdp with a program without BTF" "no llvm-objcopy to make one"
fi
bad "an unquoted mode" 'quote' < <(printf 'shares: {bad: {maps: [m1/packets], targets: [{bpffs: {mode: 0750}}]}}\n')

echo '{}' >"$conf/world.yaml"
chmod 666 "$conf/world.yaml"
refuse 124 "a file that anybody may write" ctl wait --timeout 1
matches "is refused, with the remedy" 'world.yaml.*chmod' "$(ctl status)"
rm "$conf/world.yaml"
cp "$conf/test_version_1.bpf.o" "$conf/open.o"
chmod 666 "$conf/open.o"
bad "an object that anybody may write" 'ObjectRefused.*open.o' < <(object open.o xdp_version)

ctl status >"$work/before" || true
check "after all that, all is well" converge
equal "the good one runs" "$good" "$(root_of v0)"
equal "nothing else is loaded" m1 "$(ls "$bpffs/objects")"
equal "nor attached" "" "$(root_of v1)"
matches "the verifier's own words are kept" 'R[0-9]' "$(
	object test_refused.bpf.o xdp_refused | write "$conf/bad.yaml"
	ctl wait --timeout 1 >/dev/null 2>&1
	ctl show bad
)"
rm "$conf/bad.yaml"
check "removed" converge
daemon_stop

# the surroundings
run_full=$work/full
mkdir "$run_full"
mount -t tmpfs -o size=4k,nr_inodes=5,mode=755 tmpfs "$run_full"
head -c 4096 /dev/zero >"$run_full/fill" 2>/dev/null
check "a full disk under the run directory: --once needs none of it" "$builddir/bpfshared" --conf-dir "$conf" \
	--run-dir "$run_full" --state-dir "$state" --bpffs "$bpffs" --once
matches "the daemon does, and says so" 'No space left on device' \
	"$(timeout "$(patient 20)" "$builddir/bpfshared" --conf-dir "$conf" --run-dir "$run_full" --state-dir "$state" --bpffs "$bpffs" 2>&1)"
umount "$run_full"
equal "and what runs goes on" "$good" "$(root_of v0)"

refuse 1 "not root" as_user 65534 65534 "$builddir/bpfshared" --conf-dir "$conf" --run-dir "$run" \
	--state-dir "$state" --bpffs "$bpffs" --once
matches "says so" 'root|CAP_' "$(as_user 65534 65534 "$builddir/bpfshared" --conf-dir "$conf" --run-dir "$run" --state-dir "$state" --bpffs "$bpffs" --once 2>&1)"

mkdir "$work/plain"
mkdir "$work/other.d"
cp "$conf/test_trace.bpf.o" "$work/other.d/"
echo 'objects: {m1: {file: test_trace.bpf.o, programs: {xdp_trace: {}}}}' >"$work/other.d/m1.yaml"
check "no bpffs: it is mounted" "$builddir/bpfshared" --conf-dir "$work/other.d" \
	--run-dir "$work/run2" --state-dir "$work/state2" --bpffs "$work/plain/bpfshare" --once
equal "as a bpffs" bpf_fs "$(stat -f -c %T "$work/plain")"
once >/dev/null
matches "no permission to mount" 'CAP_SYS_ADMIN.*mount' "$(
	mkdir "$work/plain2"
	setpriv --bounding-set=-sys_admin --inh-caps=-sys_admin -- "$builddir/bpfshared" --conf-dir "$conf" \
		--run-dir "$work/run3" --state-dir "$work/state3" --bpffs "$work/plain2/bpfshare" --once 2>&1
)"
refuse 64 "an unknown option" "$builddir/bpfshared" --no-such-option
finish
