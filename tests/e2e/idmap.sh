#!/bin/bash
# SPDX-License-Identifier: MIT
# --idmap: the caller's files belong to root, or to the caller, as the map says.
. "$(dirname "$0")/../lib/e2e.sh"

copy_base "$WORK/base" # its guest root is the first subordinate id
first=$(host_id 0)
mkdir "$WORK/volume"
echo mine >"$WORK/volume/mine"

run vmrun -v "$WORK/volume:/mnt" --idmap="0:$first:1000,$(id -u):$(id -u):1" "$WORK/base" -- \
	stat -c %u / /mnt/mine
expect_exit 0
expect_out "0"$'\n'"$(id -u)"

# Found by itself, the map has the caller in it too, at its own id or past the range.
run vmrun -v "$WORK/volume:/mnt" "$WORK/base" -- sh -ec 'cat /mnt/mine; echo more >>/mnt/mine'
expect_exit 0
expect_eq "content" "$(<"$WORK/volume/mine")" $'mine\nmore'

# The caller as the guest's root, over the same base: then nothing of it is root's.
run vmrun --idmap=caller --read-only "$WORK/base" -- stat -c %u /
expect_exit 0
expect_out 1

run vmrun --idmap=0:0:1 "$WORK/base" -- true
expect_exit 125
run vmrun --idmap=5:5:0 "$WORK/base" -- true
expect_refused --idmap
