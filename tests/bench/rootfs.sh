#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 900
# A root directory of 400 MB or more copied by vmrun rootfs clone and by cp -a, in the user
# namespace that the latter needs, from memory.
. "$(dirname "$0")/../lib/bench.sh"

RUNS=7

make_base_of_size() { # DIR MIB: the test base, made larger by its own files
	copy_base "$1"
	for ((i = 0; $(as_guest_owner du -sm "$1" | cut -f 1) < $2; i++)); do
		as_guest_owner cp -a "$BASE/usr" "$1/more.$i"
	done
}

clone() {
	"$VMRUN" rootfs clone --keep-identity "$WORK/src" "$1"
}

by_cp() {
	as_guest_owner cp -a "$WORK/src" "$1"
}

make_base_of_size "$WORK/src" 400
as_guest_owner find "$WORK/src" -type f -exec cat {} + >/dev/null
# Nothing is removed between: for minutes a file system does not like to use again what
# was freed just now, and looks for long.
for ((i = 0; i < RUNS; i++)); do
	order="clone by_cp"
	[[ $((i % 2)) -eq 0 ]] || order="by_cp clone"
	for tool in $order; do
		milliseconds "$tool" "$WORK/$tool.$i" >>"$WORK/times.$tool"
		expect_exit 0
	done
done
row "root directory" "$(as_guest_owner du -sm "$WORK/src" | cut -f 1)" MiB
row "names in it" "$(as_guest_owner find "$WORK/src" | wc -l)" ""
row "vmrun rootfs clone, median of $RUNS" "$(median <"$WORK/times.clone")" ms
row "unshare cp -a, median of $RUNS" "$(median <"$WORK/times.by_cp")" ms
row "times faster" "$(ratio "$(median <"$WORK/times.by_cp")" "$(median <"$WORK/times.clone")")" ""
