#!/bin/bash
# SPDX-License-Identifier: MIT
# A full disk where the cache is costs the cache, not the run: no kernel fits, or no template.
# as: root
. "$(dirname "$0")/../lib/e2e.sh"

mkdir "$WORK/cache"
mount -t tmpfs -o size=5m cache "$WORK/cache"
trap 'umount "$WORK/cache"' EXIT
first=$(stat -c %u "$BASE")
export XDG_CACHE_HOME=$WORK/cache

full_run() {
	run vmrun --idmap="0:$first:65536" --read-only "$BASE" -- sh -c 'exit 42'
	expect_exit 42
	expect_eq "lines of warning" "$(wc -l <"$WORK/err")" 1
	expect_err "no template was made"
}

full_run
expect_eq "files left in the cache" "$(find "$WORK/cache" -type f ! -name lock ! -name libraries)" ""

# Room for the kernel and for half a template.
mount -o remount,size=100m "$WORK/cache"
full_run
expect_err "MiB are free on the disk of the cache"
kernel=$(find "$WORK/cache" -type f ! -name lock ! -name libraries)
[[ $kernel == *.vmlinux && $kernel != *$'\n'* ]] || fail "in the cache is not the kernel alone: $kernel"
used=$(($(df --output=used -k "$WORK/cache" | tail -n 1) - $(du -k "$kernel" | cut -f 1)))
[[ $used -lt 1000 ]] || fail "something without a name takes $used KiB"
