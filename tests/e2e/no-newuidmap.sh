#!/bin/bash
# SPDX-License-Identifier: MIT
# Without newuidmap: what is missing, and where it is to be had.
. "$(dirname "$0")/../lib/e2e.sh"

mkdir "$WORK/bin"
ln -s "$(command -v qemu-system-x86_64)" "$WORK/bin/"
run env PATH="$WORK/bin" "$VMRUN" --accel=tcg "$BASE" -- true
expect_refused newuidmap uidmap
