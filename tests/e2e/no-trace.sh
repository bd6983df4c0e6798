#!/bin/bash
# SPDX-License-Identifier: MIT
# Host name, resolv.conf and hosts are the guest's own and leave no trace in a read-write base.
. "$(dirname "$0")/../lib/e2e.sh"

copy_base "$WORK/base"
state() {
	as_guest_owner find "$WORK/base" -maxdepth 2 -printf '%P|%y|%m|%U|%s|%i|%l\n' | sort
	for name in hostname resolv.conf hosts; do
		cat "$WORK/base/etc/$name" 2>&1 || true
	done
}

state >"$WORK/before"
run vmrun --hostname=elsewhere "$WORK/base" -- sh -ec '
	hostname
	grep -c nameserver /etc/resolv.conf
	getent hosts elsewhere >/dev/null && getent hosts localhost >/dev/null && echo known'
expect_exit 0
expect_out $'elsewhere\n1\nknown'
state >"$WORK/after"
diff "$WORK/before" "$WORK/after" || fail "traces in the base"

# As a symlink, to a place that there is not, and missing.
as_guest_owner sh -c "cd $WORK/base/etc && rm resolv.conf hosts && ln -s ../run/nowhere/resolv.conf resolv.conf"
state >"$WORK/before"
run vmrun "$WORK/base" -- sh -c 'grep -c nameserver /etc/resolv.conf; getent hosts localhost >/dev/null && echo known'
expect_exit 0
state >"$WORK/after"
diff "$WORK/before" "$WORK/after" || fail "traces in a base with a dangling resolv.conf"
