#!/bin/bash
# SPDX-License-Identifier: MIT
# SIGINT, SIGTERM, SIGHUP and SIGQUIT reach the command.
. "$(dirname "$0")/../lib/e2e.sh"

# What a script starts with & ignores SIGINT, and all of this may run under nohup: the
# default actions, which vmrun would not take for itself.
default=(env "--default-signal=INT,QUIT,HUP,TERM")
"${default[@]}" "$VMRUN" --accel=tcg "$BASE" -- bash -c '
	for name in INT TERM HUP QUIT; do
		trap "echo got $name" "$name"
	done
	trap "echo bye; exit 9" USR1
	echo ready
	while :; do sleep 0.05; done' >"$WORK/out" 2>"$WORK/err" &
pid=$!
wait_for 60 grep -q ready "$WORK/out"
for name in INT HUP QUIT TERM; do
	kill -"$name" "$pid"
	wait_for 10 grep -qx "got $name" "$WORK/out"
done
# A second SIGTERM, long after the first, ends what is left.
sleep 2.5
kill -TERM "$pid"
status=0
wait "$pid" || status=$?
expect_exit $((128 + 15))

# Without a trap the command dies of it, and its exit code says so.
"${default[@]}" "$VMRUN" --accel=tcg "$BASE" -- sh -c 'echo ready; exec sleep 60' >"$WORK/out" 2>"$WORK/err" &
pid=$!
wait_for 60 grep -q ready "$WORK/out"
kill -HUP "$pid"
status=0
wait "$pid" || status=$?
expect_exit $((128 + 1))

# What the caller ignores, as nohup does, stays ignored.
(
	trap '' HUP
	exec "$VMRUN" --accel=tcg "$BASE" -- sh -c 'echo ready; sleep 1; exit 3'
) >"$WORK/out" 2>"$WORK/err" &
pid=$!
wait_for 60 grep -q ready "$WORK/out"
kill -HUP "$pid"
status=0
wait "$pid" || status=$?
expect_exit 3
