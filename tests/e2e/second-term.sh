#!/bin/bash
# SPDX-License-Identifier: MIT
# A second SIGTERM within the grace period does nothing more; after it, it ends the guest.
. "$(dirname "$0")/../lib/e2e.sh"

"$VMRUN" --accel=tcg "$BASE" -- bash -c '
	trap "echo stubborn" TERM
	echo ready
	while :; do sleep 0.05; done' >"$WORK/out" 2>"$WORK/err" &
pid=$!
wait_for 60 grep -q ready "$WORK/out"
mapfile -t below < <(descendants "$pid")
kill -TERM "$pid"
wait_for 10 grep -q stubborn "$WORK/out"
sleep 0.3
kill -TERM "$pid"
sleep 0.3
kill -0 "$pid" || fail "ended by a SIGTERM within the grace period"
sleep 2
kill -TERM "$pid"
status=0
wait "$pid" || status=$?
expect_exit $((128 + 15))
expect_gone "${below[@]}"
