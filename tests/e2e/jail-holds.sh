#!/bin/bash
# SPDX-License-Identifier: MIT
# A program in QEMU's place finds nothing to take in a whole run: not the host's files, not
# what the jail's first process holds, not the cached kernel that later runs boot. The ways
# out that need no run are those of tests/escape.
. "$(dirname "$0")/../lib/e2e.sh"
. "$(dirname "$0")/../lib/fake-qemu.sh"

secret=$WORK/secret
echo "top secret" >"$secret"
chmod 644 "$secret"
guest --no-template -- true # the kernel is in the cache from here on
expect_exit 0
before=$(sha256sum "$XDG_CACHE_HOME"/vmrun/kernels/*)

static_qemu "$WORK/qemu" -DSECRET="\"$secret\"" "$here/intruder.c"
for base in "$BASE" "$BASE_CALLER"; do
	FOO_TOKEN=secret run vmrun --no-template --read-only "$base" -- true
	expect_exit 125
	expect_err "QEMU failed (exit status 3): breaches: none"
done
expect_eq "digest of the kernel" "$(sha256sum "$XDG_CACHE_HOME"/vmrun/kernels/*)" "$before"
