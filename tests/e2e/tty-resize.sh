#!/bin/bash
# SPDX-License-Identifier: MIT
# With a terminal: a pty in the guest, of its size, which follows a resize.
. "$(dirname "$0")/../lib/e2e.sh"

run "$(dirname "$0")/../lib/terminal.py" '
	expect #
	send stty size; echo first\n
	expect 24 80
	expect first
	size 33 101
	pause 1
	send stty size; echo second\n
	expect 33 101
	expect second
	send test -t 0 && test -t 1 && test -t 2 && exit 7\n
' "$VMRUN" --accel=tcg "$BASE" -- bash --norc
expect_exit 7
