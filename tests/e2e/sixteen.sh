#!/bin/bash
# SPDX-License-Identifier: MIT
# 16 guests started at once on this machine all succeed.
# slow
# timeout: 900
. "$(dirname "$0")/../lib/e2e.sh"

pids=()
for ((i = 0; i < 16; i++)); do
	"$VMRUN" --accel=tcg -m 256m --read-only "$BASE" -- sh -c "echo $i; exit $((i + 10))" \
		>"$WORK/out.$i" 2>"$WORK/err.$i" </dev/null &
	pids+=($!)
done
for ((i = 0; i < 16; i++)); do
	status=0
	wait "${pids[i]}" || status=$?
	[[ $status -eq $((i + 10)) ]] || fail "guest $i: exit status $status: $(<"$WORK/err.$i")"
	expect_eq "output of guest $i" "$(<"$WORK/out.$i")" "$i"
	[[ ! -s $WORK/err.$i ]] || fail "guest $i said: $(<"$WORK/err.$i")"
done
