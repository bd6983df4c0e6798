#!/bin/bash
# SPDX-License-Identifier: MIT
# Ctrl-C on the terminal interrupts the command in the guest, not vmrun; Ctrl-D ends its input.
. "$(dirname "$0")/../lib/e2e.sh"

run "$(dirname "$0")/../lib/terminal.py" '
	expect waiting
	send \x03
	expect interrupted
	send line\n
	expect got line
	send \x04
' "$VMRUN" --accel=tcg "$BASE" -- bash -c '
	trap "echo interrupted" INT
	sh -c "echo waiting; exec sleep 100"
	read -r line; echo "got $line"
	cat; exit 5'
expect_exit 5

run "$(dirname "$0")/../lib/terminal.py" '
	expect ready
	send \x03
' "$VMRUN" --accel=tcg "$BASE" -- sh -c 'echo ready; exec sleep 60'
expect_exit $((128 + 2))
