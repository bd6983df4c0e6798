#!/bin/bash
# SPDX-License-Identifier: MIT
# A full disk where the cache is costs the cache, not the run.
# as: root
. "$(dirname "$0")/../lib/e2e.sh"

mkdir "$WORK/cache"
mount -t tmpfs -o size=5m cache "$WORK/cache"
trap 'umount "$WORK/cache"' EXIT
first=$(stat -c %u "$BASE")
export XDG_CACHE_HOME=$WORK/cache
run vmrun --idmap="0:$first:65536" --read-only "$BASE" -- sh -c 'exit 42'
expect_exit 42
expect_silent
expect_eq "files left in the cache" "$(find "$WORK/cache" -type f)" ""
