#!/bin/bash
# SPDX-License-Identifier: MIT
# /proc, /sys, /dev, /dev/pts, /dev/shm, /run and /tmp are as a system expects them.
. "$(dirname "$0")/../lib/e2e.sh"

guest -- bash -ec '
	for place in /proc /sys /dev/pts /dev/shm /run /tmp; do
		mountpoint -q "$place" || echo "$place is no mount"
	done
	[ "$(stat -c %a /tmp)" = 1777 ] && [ "$(stat -c %a /dev/shm)" = 1777 ] && [ "$(stat -c %a /run)" = 755 ]
	for device in null zero full random urandom tty ptmx; do [ -c "/dev/$device" ]; done
	for link in fd stdin stdout stderr; do [ -L "/dev/$link" ]; done
	echo via-fd > >(cat)
	echo x >/dev/shm/x; echo x >/run/x; echo x >/tmp/x
	[ "$(cat /proc/1/comm)" != bash ]
	now=$(date +%s); [ "$now" -gt 1700000000 ]
	[ "$(ls -A /tmp)" = x ]'
expect_exit 0
expect_silent

# Its clock is the host's, and what is random differs from run to run.
guest -- sh -c 'date +%s; cat /proc/sys/kernel/random/boot_id; head -c 16 /dev/urandom | od -An -tx1'
expect_exit 0
drift=$(($(date +%s) - $(head -n 1 "$WORK/out")))
[[ ${drift#-} -le 5 ]] || fail "the guest's clock is $drift s behind"
mv "$WORK/out" "$WORK/first"
guest -- sh -c 'date +%s; cat /proc/sys/kernel/random/boot_id; head -c 16 /dev/urandom | od -An -tx1'
[[ $(tail -n 2 "$WORK/out") != $(tail -n 2 "$WORK/first") ]] || fail "the same random numbers twice"
