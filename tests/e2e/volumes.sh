#!/bin/bash
# SPDX-License-Identifier: MIT
# -v: directories and files, read-write and read-only, several, nested.
. "$(dirname "$0")/../lib/e2e.sh"

mkdir -p "$WORK/rw" "$WORK/ro/sub"
echo one >"$WORK/rw/one"
echo two >"$WORK/ro/sub/two"
echo three >"$WORK/file"
echo four >"$WORK/rofile"
guest -v "$WORK/rw:/mnt" -v "$WORK/ro:/mnt/inner:ro" -v "$WORK/file:/srv/file" \
	-v "$WORK/rofile:/etc/motd:ro" --ephemeral -- sh -c '
	cat /mnt/one /mnt/inner/sub/two /srv/file /etc/motd
	echo changed >/mnt/new
	echo changed >/srv/file
	for place in /mnt/inner/x /mnt/inner/sub/two /etc/motd; do
		echo x 2>/dev/null >>"$place" && echo "wrote $place"
	done
	mount -o remount,rw,bind /mnt/inner 2>/dev/null
	echo x 2>/dev/null >/mnt/inner/x && echo "wrote after remount"
	exit 0'
expect_exit 0
expect_out $'one\ntwo\nthree\nfour'
expect_eq "new file" "$(<"$WORK/rw/new")" changed
expect_eq "file volume" "$(<"$WORK/file")" changed
expect_eq "read-only volume" "$(cd "$WORK/ro" && find . | sort | tr '\n' ' ')" ". ./sub ./sub/two "

# What the host changes while the guest runs is seen.
"$VMRUN" --accel=tcg -v "$WORK/rw:/mnt" "$BASE" -- sh -c '
	echo ready; while [ ! -e /mnt/go ]; do sleep 0.1; done; cat /mnt/go' >"$WORK/out" &
pid=$!
wait_for 60 grep -q ready "$WORK/out"
echo went >"$WORK/rw/go.tmp"
mv "$WORK/rw/go.tmp" "$WORK/rw/go"
status=0
wait "$pid" || status=$?
expect_exit 0
expect_out $'ready\nwent'
