#!/bin/bash
# SPDX-License-Identifier: MIT
# What a guest does to files has the results that it has on the host, in a user namespace
# with the same ids and with all capabilities: QEMU's four, its system calls and its file
# system of its own take nothing away.
# timeout: 600
. "$(dirname "$0")/../lib/e2e.sh"

operations=$(dirname "$0")/../lib/file-operations.pl

compare() { # BASE UNSHARE-OPTION...
	local base=$1
	shift
	copy_base "$WORK/base" "$base"
	# Both below a directory of the base's, so that they are one file system.
	as_guest_owner mkdir "$WORK/base/srv/host" "$WORK/base/srv/guest"
	if [[ $base == "$BASE" ]]; then
		as_guest_owner chown 1:1 "$WORK/base/srv/host" "$WORK/base/srv/guest"
	fi
	as_guest_owner install -m 755 "$operations" "$WORK/base/srv/"
	# From inside: the way there is closed to the ids of the base.
	(cd "$WORK/base" && unshare "$@" --root=. --wd=/srv/host perl /srv/file-operations.pl) \
		>"$WORK/host"
	run vmrun --workdir=/srv/guest "$WORK/base" -- perl /srv/file-operations.pl
	expect_exit 0
	expect_silent
	[[ $(wc -l <"$WORK/host") -gt 130 ]] || fail "only $(wc -l <"$WORK/host") operations"
	diff "$WORK/host" "$WORK/out" >"$WORK/diff" || {
		cat "$WORK/diff"
		fail "the guest's results (>) are not the host's (<)"
	}
	# Left behind are the same trees, seen from outside.
	for side in host guest; do
		(cd "$WORK/base/srv/$side" && as_guest_owner find . -printf '%p %m %U:%G %y %l\n' |
			LC_ALL=C sort >"$WORK/tree.$side")
	done
	cmp "$WORK/tree.host" "$WORK/tree.guest"
	as_guest_owner rm -rf "$WORK/base"
}

compare "$BASE" --map-auto --setuid 0 --setgid 0
compare "$BASE_CALLER" --map-auto --map-root-user
