#!/bin/bash
# SPDX-License-Identifier: MIT
# A base with mixed owners is refused, with both named.
. "$(dirname "$0")/../lib/e2e.sh"

copy_base "$WORK/base"
as_guest_owner chown 0:0 "$WORK/base/etc"
run vmrun "$WORK/base" -- true
expect_refused --idmap "$(host_id 0)" "$(id -u)"
