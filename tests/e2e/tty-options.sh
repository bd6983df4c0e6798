#!/bin/bash
# SPDX-License-Identifier: MIT
# -T keeps three streams on a terminal; -t wants one.
. "$(dirname "$0")/../lib/e2e.sh"

run "$(dirname "$0")/../lib/terminal.py" '
	expect no terminal
' "$VMRUN" --accel=tcg -T "$BASE" -- sh -c 'test -t 0 || test -t 1 || test -t 2 || echo no terminal'
expect_exit 0

guest -t -- true
expect_refused -t terminal
