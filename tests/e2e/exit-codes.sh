#!/bin/bash
# SPDX-License-Identifier: MIT
# The exit code is the command's own; 126, 127 and 128+n as shells have it.
. "$(dirname "$0")/../lib/e2e.sh"

for code in 0 1 42; do
	guest -- sh -c "exit $code"
	expect_exit "$code"
	expect_silent
done

guest -- sh -c 'kill -9 $$'
expect_exit $((128 + 9))

guest -- no-such-command
expect_exit 127
expect_err no-such-command

guest -- /etc/passwd
expect_exit 126
expect_err /etc/passwd
