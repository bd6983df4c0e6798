#!/bin/bash
# SPDX-License-Identifier: MIT
# Over a base of the caller's (podman's layout) the guest's root is the caller.
. "$(dirname "$0")/../lib/e2e.sh"

copy_base "$WORK/base" "$BASE_CALLER"
echo mine >"$WORK/base/srv/mine"
run vmrun "$WORK/base" -- sh -ec '
	stat -c %u:%g / /etc/passwd /srv/mine
	echo new >/srv/new
	echo other >/srv/other; chown 33:33 /srv/other
	chmod 640 /srv/mine'
expect_exit 0
expect_out $'0:0\n0:0\n0:0'
expect_eq "owner of new" "$(stat -c %u:%g "$WORK/base/srv/new")" "$(id -u):$(id -g)"
expect_eq "mode of mine" "$(stat -c %a "$WORK/base/srv/mine")" 640
# Guest id 1 is the first subordinate id.
expect_eq "owner of other" "$(stat -c %u "$WORK/base/srv/other")" "$(($(host_id 0) + 32))"
