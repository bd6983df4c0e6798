#!/bin/bash
# SPDX-License-Identifier: MIT
# Without QEMU: what is missing, and where it is to be had.
. "$(dirname "$0")/../lib/e2e.sh"

run env VMRUN_QEMU=/nonexistent "$VMRUN" --accel=tcg "$BASE" -- true
expect_refused VMRUN_QEMU
