#!/bin/bash
# SPDX-License-Identifier: MIT
# 100 MB go through stdin to stdout unchanged.
# timeout: 600
. "$(dirname "$0")/../lib/e2e.sh"

head -c 100000000 /dev/urandom >"$WORK/data"
wanted=$(sha256sum <"$WORK/data")
status=0
got=$(vmrun "$BASE" -- cat <"$WORK/data" 2>"$WORK/err" | sha256sum) || status=$?
expect_exit 0
expect_eq sha256 "$got" "$wanted"
expect_silent
