#!/bin/bash
# SPDX-License-Identifier: MIT
# The terminal's settings are back however it ends.
. "$(dirname "$0")/../lib/e2e.sh"

# terminal.py itself compares the settings before and after.
terminal() {
	run "$(dirname "$0")/../lib/terminal.py" "$@"
}

terminal '
	expect ready
	signal TERM
' "$VMRUN" --accel=tcg "$BASE" -- sh -c 'echo ready; exec sleep 60'
expect_exit $((128 + 15))

terminal '
	expect ready
	send echo c >/proc/sysrq-trigger\n
' "$VMRUN" --accel=tcg "$BASE" -- sh -c 'echo ready; exec sh'
expect_exit 125
