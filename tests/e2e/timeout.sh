#!/bin/bash
# SPDX-License-Identifier: MIT
# --timeout ends the command, or the guest, with 124.
. "$(dirname "$0")/../lib/e2e.sh"

guest --timeout=4s -- sleep 60
expect_exit 124

guest --timeout=4s -- sh -c 'trap "" TERM; while :; do sleep 1; done'
expect_exit 124
expect_err time

guest --timeout=60s -- sh -c 'exit 3'
expect_exit 3
