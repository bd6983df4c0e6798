#!/bin/bash
# SPDX-License-Identifier: MIT
# A trivial command takes less than 5 seconds, from cold, under emulation.
. "$(dirname "$0")/../lib/e2e.sh"

guest --no-template -- true # fills the cache of unpacked kernels
expect_exit 0

start=$(date +%s%N)
guest --no-template -- true
took=$((($(date +%s%N) - start) / 1000000))
expect_exit 0
echo "$took ms"
[[ $took -lt 5000 ]] || fail "took $took ms"
