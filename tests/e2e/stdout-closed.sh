#!/bin/bash
# SPDX-License-Identifier: MIT
# vmrun ... | head ends well: the command gets SIGPIPE.
. "$(dirname "$0")/../lib/e2e.sh"

set +e
vmrun "$BASE" -- yes 2>"$WORK/err" | head -n 2 >"$WORK/out"
statuses=("${PIPESTATUS[@]}")
set -e
expect_out $'y\ny'
expect_eq "status of vmrun" "${statuses[0]}" $((128 + 13))
expect_eq "status of head" "${statuses[1]}" 0
expect_silent

# Output that is lost is no success, whatever the command says.
status=0
vmrun "$BASE" -- echo lost >/dev/full 2>"$WORK/err" || status=$?
expect_exit 125
expect_err "standard output" "No space left"
status=0
vmrun "$BASE" -- echo lost >&- 2>"$WORK/err" || status=$?
expect_exit 125
expect_err "standard output"
