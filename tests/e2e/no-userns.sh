#!/bin/bash
# SPDX-License-Identifier: MIT
# User namespaces forbidden by sysctl: that is said, with the remedy.
. "$(dirname "$0")/../lib/e2e.sh"

# A user namespace in which no further one is allowed, and the caller is itself.
run unshare --user --map-current-user --keep-caps sh -ec '
	echo 0 >/proc/sys/user/max_user_namespaces
	exec setpriv --ambient-caps -all --inh-caps -all --bounding-set -all "$@"' - \
	"$VMRUN" --accel=tcg "$BASE_CALLER" -- true
expect_refused "user namespaces" max_user_namespaces
