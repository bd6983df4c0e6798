#!/bin/bash
# SPDX-License-Identifier: MIT
# A volume that cannot be is refused before anything starts.
. "$(dirname "$0")/../lib/e2e.sh"

guest -v "$WORK/missing:/mnt" -- true
expect_refused "$WORK/missing" "does not exist"

mkfifo "$WORK/fifo"
guest -v "$WORK/fifo:/mnt" -- true
expect_refused "$WORK/fifo"

guest -v "$WORK" -- true
expect_refused volume
guest -v "$WORK:relative" -- true
expect_refused volume
guest -v "$WORK:/mnt/../etc" -- true
expect_refused volume
guest -v "$WORK:/mnt" -v "$WORK:/mnt" -- true
expect_refused /mnt
