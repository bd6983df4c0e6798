#!/bin/bash
# SPDX-License-Identifier: MIT
# kill -9 of vmrun, at any moment, leaves no QEMU, no file, no lock.
. "$(dirname "$0")/../lib/e2e.sh"

kill_after() { # SECONDS [OPTION...]
	local delay=$1
	shift
	"$VMRUN" --accel=tcg "$@" "$BASE" -- sleep 60 >"$WORK/out" 2>"$WORK/err" &
	pid=$!
	sleep "$delay"
	mapfile -t below < <(descendants "$pid")
	kill -9 "$pid"
	status=0
	wait "$pid" || status=$?
	expect_exit 137
	expect_gone "${below[@]}"
}

for delay in 0.01 0.03 0.1 0.2 0.4 0.8 1.5 2.5; do
	kill_after "$delay" --no-template
done
guest -- true # makes the template
for delay in 0.01 0.03 0.06 0.1 0.2 0.3 0.5; do
	kill_after "$delay"
done
guest -- true
expect_exit 0
