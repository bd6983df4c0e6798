#!/bin/bash
# SPDX-License-Identifier: MIT
# apt-get installs a package in the guest, over the user network, into the base.
# slow
# timeout: 900
. "$(dirname "$0")/../lib/e2e.sh"

copy_base "$WORK/base"
run vmrun -m 1g "$WORK/base" -- sh -ec '
	export DEBIAN_FRONTEND=noninteractive
	apt-get -q update
	apt-get -q install -y --no-install-recommends hello
	hello'
expect_exit 0
grep -qx 'Hello, world!' "$WORK/out" || fail "the package does not run"
[[ -x $WORK/base/usr/bin/hello ]] || fail "the package is not in the base"
run vmrun --read-only "$WORK/base" -- hello -g 'in another guest'
expect_out 'in another guest'
