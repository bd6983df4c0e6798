#!/bin/bash
# SPDX-License-Identifier: MIT
# A slow reader or a command that does not read bounds what vmrun holds in memory.
. "$(dirname "$0")/../lib/e2e.sh"

# rss PID: kB of resident memory
rss() {
	awk '/^VmHWM/ { print $2 }' "/proc/$1/status"
}

# Output: the guest has 200 MB to say, and nobody listens for a while.
mkfifo "$WORK/fifo"
"$VMRUN" --accel=tcg "$BASE" -- head -c 200000000 /dev/zero >"$WORK/fifo" &
pid=$!
exec 3<"$WORK/fifo"
head -c 1000 <&3 >/dev/null
sleep 4
[[ $(rss "$pid") -lt 40000 ]] || fail "vmrun holds $(rss "$pid") kB of output"
count=$(cat <&3 | wc -c)
wait "$pid" || fail "exit status $?"
expect_eq "bytes after the first 1000" "$((count + 0 > 199000000))" 1

# Input: more than the command will ever take.
"$VMRUN" --accel=tcg "$BASE" -- sh -c 'echo up; sleep 4; head -c 10' \
	< <(yes) >"$WORK/out" 2>"$WORK/err" &
pid=$!
wait_for 60 grep -q up "$WORK/out"
sleep 2
[[ $(rss "$pid") -lt 40000 ]] || fail "vmrun holds $(rss "$pid") kB of input"
status=0
wait "$pid" || status=$?
expect_exit 0
expect_out $'up\ny\ny\ny\ny\ny'
