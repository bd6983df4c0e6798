#!/bin/bash
# SPDX-License-Identifier: MIT
# together
# as: root
# timeout: 600
# slow
# vmrun rootfs bootstrap where mmdebstrap is missing, which only real root can arrange; and
# called by real root.
. "$(dirname "$0")/../lib/e2e.sh"
. "$(dirname "$0")/../lib/repository.sh"

chmod 755 "$WORK"
: >"$WORK/empty"

without() { # PROGRAM... -- COMMAND...
	local hide=
	while [[ $1 != -- ]]; do
		hide+="! [ -e '$1' ] || mount --bind '$WORK/empty' '$1';"
		shift
	done
	unshare --mount sh -ec "$hide"' exec "$@"' sh "${@:2}"
}

run without /usr/bin/mmdebstrap /usr/sbin/debootstrap -- "$VMRUN" rootfs bootstrap debian "$WORK/no"
expect_failure no "mmdebstrap (package mmdebstrap" "debootstrap (package debootstrap"
run without /usr/bin/pacman -- "$VMRUN" rootfs bootstrap arch "$WORK/no"
expect_failure no "pacman (package pacman"
run without /usr/bin/dnf -- "$VMRUN" rootfs bootstrap fedora "$WORK/no"
expect_failure no "dnf (package dnf"

run without /usr/bin/mmdebstrap -- "$VMRUN" rootfs bootstrap debian "$WORK/debian" --suite=bookworm
expect_exit 0
expect_silent
owner=$(stat -c %u "$WORK/debian")
[[ $owner -ge 100000 ]] || fail "it belongs to $owner"
expect_eq "the owner of /etc/shadow" "$(stat -c %u:%g "$WORK/debian/etc/shadow")" "$owner:$((owner + 42))"
expect_eq "the host's resolver" "$(cat "$WORK/debian/etc/resolv.conf")" ""
expect_eq "what is in /dev" "$(ls -A "$WORK/debian/dev")" ""
expect_eq "its name" "$(cat "$WORK/debian/etc/hostname")" debian
run vmrun --read-only "$WORK/debian" -- sh -ec 'dpkg --audit; uname -r' 2>/dev/null
expect_exit 0
expect_out "$(ls "$WORK/debian/lib/modules")"
