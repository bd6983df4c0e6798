#!/bin/bash
# SPDX-License-Identifier: MIT
# Out of descriptors, of processes, of address space, of file size; standard streams that
# are closed: vmrun works, or ends by 125 and says why. It neither hangs nor leaves anything.
. "$(dirname "$0")/../lib/e2e.sh"
. "$(dirname "$0")/../lib/template.sh"
. "$(dirname "$0")/../lib/hostile.sh"

own_template # a good one may be given up where QEMU ends for want of something

# within LIMIT VALUE: leaves $verdict, which is one of the two. What it says goes to a pipe, to
# which no limit of a file's size applies.
within() {
	set +e
	timeout 60 bash -c 'ulimit "$0" "$1"; shift; exec "$@"' "$@" "$VMRUN" --accel=tcg --read-only \
		"$BASE" -- sh -c 'exit 7' 2>&1 >/dev/null | cat >"$WORK/err"
	status=${PIPESTATUS[0]}
	set -e
	verdict=worked
	[[ $status -ne 7 ]] || return 0
	verdict=refused
	expect_exit 125
	[[ $(grep -c '^vmrun: ' "$WORK/err") -ge 1 ]] || fail "$*: nothing is said"
	expect_eq "lines without vmrun's name ($*)" "$(grep -vc '^vmrun: \|^  ' "$WORK/err")" 0
	expect_no_control "$WORK/err"
}

# Below 4 the loader cannot load vmrun.
say "descriptors"
for n in {4..40} 63; do
	within -n "$n"
	expect_eq "with $n descriptors" "$verdict" refused
	grep -q 'Too many open files\|ulimit -n' "$WORK/err" || fail "with $n descriptors the reason is not said"
done
within -n 64
expect_eq "with 64 descriptors" "$verdict" worked

say "processes"
before=$(ps -L -U "$EUID" -o lwp= | wc -l)
for ((k = 1; k <= 8; k++)); do
	within -u $((before + k))
done
within -u $((before + 500))
expect_eq "with 500 processes" "$verdict" worked

say "address space"
for kib in 40000 100000 400000 1000000; do
	within -v "$kib"
	expect_eq "in $kib KiB" "$verdict" refused
done

say "file size"
own_cache
for blocks in 0 1 100000; do
	within -f "$blocks"
done
expect_eq "with files of 100 MB" "$verdict" worked

say "closed streams"
for closed in '<&-' '>&-' '2>&-' '<&- >&-' '>&- 2>&-' '<&- >&- 2>&-'; do
	run bash -c "\"\$@\" $closed" - "$VMRUN" --accel=tcg --read-only "$BASE" -- sh -c 'exit 7'
	expect_exit 7
	expect_silent
	run bash -c "\"\$@\" $closed" - "$VMRUN" --accel=tcg "$WORK/missing" -- true
	expect_exit 125
done
