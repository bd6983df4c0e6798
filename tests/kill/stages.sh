#!/bin/bash
# SPDX-License-Identifier: MIT
# kill -9 at every stage of a start: as vmrun, the jail's first process, or what becomes
# QEMU enters each of its system calls, of vmrun and of the other two. Nothing is left, and
# who was not killed says what happened.
# slow
. "$(dirname "$0")/../lib/e2e.sh"
. "$(dirname "$0")/../lib/template.sh"
. "$(dirname "$0")/../lib/hostile.sh"

gcc -std=gnu11 -O2 -D_GNU_SOURCE -o "$WORK/kill-at" "$here/kill-at.c"
own_template # and the unpacked kernel
for base in "$BASE" "$BASE_CALLER"; do
	run vmrun "$base" -- true
	sleep 2.1
	run vmrun --timing=json "$base" -- true
	expect_exit 0
	expect_restored
done
before=$(digest "$template")

kills() { # VICTIM CLOCK STEP STATUS [OPTION...]
	local victim=$1 clock=$2 step=$3 status=$4
	shift 4
	say "$victim at $clock's system calls"
	"$here/kills.py" stages "$victim" "$clock" "$step" "$WORK/kill-at" "$status" "$VMRUN" \
		--accel=tcg "$@" >"$WORK/kills" || { cat "$WORK/kills"; fail "kill -9 of $victim"; }
	cat "$WORK/kills"
	cat "$WORK/kills" >>"$WORK/all"
}

kills vmrun vmrun 1 137
kills vmrun first 1 137
kills vmrun qemu 1 137 --no-template
kills first first 3 125 --no-template
kills qemu qemu 1 125 --no-template

# They were in all of these, so that every stage of the jail was one to be killed at.
for call in clone3 flock open_tree move_mount mount pivot_root umount2 setresuid setsid capset prctl \
	prlimit64 close_range sendmsg recvmsg execve; do
	grep -q " $call:" "$WORK/all" || fail "nobody was killed at $call"
done

expect_eq "digest of the template" "$(digest "$template")" "$before"
for base in "$BASE" "$BASE_CALLER"; do
	run vmrun --timing=json "$base" -- sh -c 'exit 7'
	expect_exit 7
	expect_restored
	expect_silent
done
