#!/bin/bash
# SPDX-License-Identifier: MIT
# One writer or many readers on a base; --shared overrides.
. "$(dirname "$0")/../lib/e2e.sh"

# start NAME OPTION...: a guest that holds the base until its stdin ends
start() {
	local name=$1
	shift
	mkfifo "$WORK/$name.in"
	"$VMRUN" --accel=tcg "$@" "$BASE" -- sh -c 'echo up; cat' \
		<"$WORK/$name.in" >"$WORK/$name.out" 2>"$WORK/$name.err" 7>&- 8>&- 9>&- &
	pids[$name]=$!
	eval "exec ${fds[$name]}>$WORK/$name.in"
	wait_for 60 grep -q up "$WORK/$name.out"
}

stop() {
	eval "exec ${fds[$1]}>&-"
	status=0
	wait "${pids[$1]}" || status=$?
	expect_exit 0
}

declare -A pids fds=([writer]=7 [one]=8 [two]=9)
start writer
guest -- true
expect_refused "$BASE" --shared
guest --read-only -- true
expect_refused "$BASE" --shared
guest --shared -- true
expect_exit 0
stop writer

start one --read-only
start two --ephemeral
guest -- true
expect_refused "$BASE" --shared
stop one
stop two
guest -- true
expect_exit 0

# The lock of a vmrun that was killed is gone with it.
rm "$WORK/writer.in"
start writer
kill -9 "${pids[writer]}"
wait "${pids[writer]}" || true
guest -- true
expect_exit 0
