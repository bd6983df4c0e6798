#!/bin/bash
# SPDX-License-Identifier: MIT
# --read-only is really read-only, for the guest's root too.
. "$(dirname "$0")/../lib/e2e.sh"

guest --read-only -- sh -c '
	for place in /x /etc/x /srv/x /usr/x; do
		touch "$place" 2>/dev/null && echo "wrote $place"
	done
	echo x 2>/dev/null >>/etc/passwd && echo "wrote /etc/passwd"
	chmod 600 /etc/passwd 2>/dev/null && echo "changed /etc/passwd"
	mount -o remount,rw / 2>/dev/null
	touch /srv/x 2>/dev/null && echo "wrote after remount"
	mkdir /tmp/m && mount -t 9p -o trans=virtio,version=9p2000.L root /tmp/m 2>/dev/null &&
		touch /tmp/m/srv/x 2>/dev/null && echo "wrote by a mount of its own"
	for place in /tmp /run /dev/shm; do
		touch "$place/x" || echo "could not write $place"
	done
	exit 0'
expect_exit 0
expect_out ''
[[ ! -e $BASE/srv/x ]] || fail "the base was written to"
