#!/bin/bash
# SPDX-License-Identifier: MIT
# Without subordinate ids: a base of the caller's is run with root only; another one is refused with the remedy.
# as: user-without-subids
. "$(dirname "$0")/../lib/e2e.sh"

run vmrun "$BASE" -- true
expect_refused "subordinate ids"

mkdir -p "$WORK/base"
# What a user gets who unpacks a tarball; some of this one cannot be read, nor is it missed.
(tar -c -C "$BASE_CALLER" . 2>/dev/null || true) | tar -x --no-same-owner -C "$WORK/base"
run vmrun "$WORK/base" -- sh -c 'id -u; exit 3'
expect_exit 3
expect_out 0
expect_err "subordinate ids"
