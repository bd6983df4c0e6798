#!/bin/bash
# SPDX-License-Identifier: MIT
# stdout and stderr are two clean streams; every byte value passes.
. "$(dirname "$0")/../lib/e2e.sh"

guest -- sh -c 'echo to-out; echo to-err >&2; echo out-again'
expect_exit 0
expect_out $'to-out\nout-again'
expect_eq stderr "$(<"$WORK/err")" to-err

perl -e 'print map { chr } 0 .. 255' >"$WORK/bytes"
status=0
vmrun "$BASE" -- cat <"$WORK/bytes" >"$WORK/back" 2>"$WORK/err" || status=$?
expect_exit 0
cmp "$WORK/bytes" "$WORK/back" || fail "bytes changed on their way"

guest -- sh -c 'test -t 0 || test -t 1 || test -t 2'
expect_exit 1
