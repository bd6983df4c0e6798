#!/bin/bash
# SPDX-License-Identifier: MIT
# A base whose every file is the caller's runs, with only root in it, where that is asked for.
. "$(dirname "$0")/../lib/e2e.sh"

copy_base "$WORK/base" "$BASE_CALLER"
as_guest_owner chown -R -h 0:0 "$WORK/base"
run vmrun --idmap=single "$WORK/base" -- sh -c 'stat -c %u:%g /etc/shadow /var/mail; id -u'
expect_exit 0
expect_out $'0:0\n0:0\n0'
run vmrun --idmap=single "$WORK/base" -- chown 33 /srv
expect_exit 1
