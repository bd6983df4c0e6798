#!/bin/bash
# SPDX-License-Identifier: MIT
# --dry-run shows the plan and starts nothing.
. "$(dirname "$0")/../lib/e2e.sh"

start=$(date +%s%N)
guest --dry-run -v "$WORK:/mnt:ro" -- sh -c 'exit 42'
expect_exit 0
for words in "$BASE" "id map" vmlinuz -nodefaults "sh -c"; do
	grep -qF -- "$words" "$WORK/out" || fail "the plan lacks $words"
done
expect_silent
took=$((($(date +%s%N) - start) / 1000000))
[[ $took -lt 2000 ]] || fail "took $took ms"
