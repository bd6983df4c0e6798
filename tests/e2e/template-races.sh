#!/bin/bash
# SPDX-License-Identifier: MIT
# First runs at once make one template; one that is killed or interrupted while it makes one
# leaves nothing; and a cache may be cleared at any time.
. "$(dirname "$0")/../lib/e2e.sh"
. "$(dirname "$0")/../lib/template.sh"

terminal=$(dirname "$0")/../lib/terminal.py

# Each has a terminal, where the one that makes the template says so.
first_runs() { # NUMBER
	local i pids=()
	own_cache
	for ((i = 0; i < $1; i++)); do
		"$terminal" '' "$VMRUN" --accel=tcg -m 96m --read-only --timing=json "$BASE" \
			-- sh -c "echo guest $i; exit $((i + 10))" >"$WORK/out.$i" 2>&1 </dev/null &
		pids+=($!)
	done
	for ((i = 0; i < $1; i++)); do
		status=0
		wait "${pids[i]}" || status=$?
		[[ $status -eq $((i + 10)) ]] || fail "guest $i: $status: $(<"$WORK/out.$i")"
		grep -q "^guest $i" "$WORK/out.$i" || fail "guest $i did not speak: $(<"$WORK/out.$i")"
		grep -q '"restored":true' "$WORK/out.$i" || fail "guest $i booted: $(<"$WORK/out.$i")"
	done
	expect_eq "number of templates" "$(list_templates | wc -w)" 1
	expect_eq "number of runs that made one" "$(cat "$WORK"/out.* | grep -c "to make a template")" 1
	rm "$WORK"/out.*
}

first_runs 2
first_runs 20

# A QEMU below a first run, and no template yet, is the one that makes it.
start_making() {
	"$VMRUN" --accel=tcg --read-only "$BASE" -- sleep 60 >"$WORK/out" 2>"$WORK/err" &
	pid=$!
	wait_for 30 find_qemu "$pid" >"$WORK/qemu"
	sleep "$1"
	mapfile -t below < <(descendants "$pid")
	[[ -z $(list_templates) ]] || fail "the template was there already"
}

own_cache
for delay in 0 0.3 0.8; do
	for signal in KILL TERM; do
		start_making "$delay"
		kill "-$signal" "$pid"
		status=0
		wait "$pid" || status=$?
		expect_exit $((128 + $(kill -l "$signal")))
		expect_gone "${below[@]}"
		expect_no_template
	done
done

# While it is written to the disk: all or nothing.
writes_template() {
	[[ -n $(find "/proc/$pid/fd" -lname "$templates/#*" 2>/dev/null)$(list_templates) ]]
}
for delay in 0 0.02 0.05; do
	rm -f "$templates"/*.template
	"$VMRUN" --accel=tcg --read-only "$BASE" -- sleep 60 >"$WORK/out" 2>"$WORK/err" &
	pid=$!
	wait_for 60 writes_template
	sleep "$delay"
	kill -9 "$pid"
	wait "$pid" || true
	! "$VMRUN" template ls --json | grep '"bad": *true' || fail "a template is there in part"
	[[ -n $(list_templates) ]] || expect_no_template
done

rm -f "$templates"/*
run "$terminal" '
	expect to make a template
	pause 0.5
	send \x03
' "$VMRUN" --accel=tcg --read-only "$BASE" -- echo never
expect_exit $((128 + 2))
! grep -q never "$WORK/out" || fail "the command ran"
expect_no_template

guest --read-only --timing=json -- true
expect_exit 0
expect_restored
expect_silent

# Gone between being found and being opened, it is as if it had not been there.
template=$(list_templates)
ln "$template" "$WORK/kept"
python3 - "$WORK/kept" "$template" <<'PY' &
import os, sys, time

while True:
    try:
        os.link(sys.argv[1], sys.argv[2])
        time.sleep(0.003)
        os.unlink(sys.argv[2])
    except OSError:
        pass
    time.sleep(0.001)
PY
pid=$!
for ((i = 0; i < 8; i++)); do
	guest --read-only -- sh -c 'exit 42'
	expect_exit 42
done
kill "$pid"

# --timeout counts from the call of vmrun: the making of a template is no way round it.
own_cache
start=$(date +%s%N)
run vmrun --timeout 1s --read-only "$BASE" -- sleep 30
expect_exit 124
expect_err "did not end within 1 s"
[[ $((($(date +%s%N) - start) / 1000000)) -lt 2500 ]] || fail "it took longer than --timeout says"
expect_no_template

# Only a template of it is wanted: nobody waits for the base.
vmrun "$BASE" -- sh -c 'echo here; sleep 60' >"$WORK/out.writer" 2>&1 &
writer=$!
# Not by trying: a reader that comes first is in the writer's way.
wait_for 60 grep -qx here "$WORK/out.writer"
guest --read-only -- true
expect_refused "being written by another guest"
run "$VMRUN" template create --accel=tcg "$BASE"
expect_exit 0
# shellcheck disable=SC2046 # one word a process
kill $(descendants "$writer") "$writer" 2>/dev/null || true
wait "$writer" || true
