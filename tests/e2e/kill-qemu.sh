#!/bin/bash
# SPDX-License-Identifier: MIT
# kill -9 of QEMU: 125, and it is said.
. "$(dirname "$0")/../lib/e2e.sh"

"$VMRUN" --accel=tcg "$BASE" -- sh -c 'echo ready; sleep 60' >"$WORK/out" 2>"$WORK/err" &
pid=$!
wait_for 60 grep -q ready "$WORK/out"
qemu=$(find_qemu "$pid") || fail "no QEMU below vmrun"
mapfile -t below < <(descendants "$pid")
kill -9 "$qemu"
status=0
wait "$pid" || status=$?
expect_exit 125
expect_err QEMU "signal 9"
expect_gone "${below[@]}"
