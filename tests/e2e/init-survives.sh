#!/bin/bash
# SPDX-License-Identifier: MIT
# PID 1 survives what the command does: orphans, fork storms of zombies, kill -9 -1.
. "$(dirname "$0")/../lib/e2e.sh"

guest -- bash -c '
	for i in $(seq 200); do (sleep 0.01 & ) ; done
	sleep 1
	zombies=$(grep -l "^State:.Z" /proc/[0-9]*/status 2>/dev/null | wc -l)
	echo "zombies $zombies"
	kill -9 1; kill -TERM 1
	exit 4'
expect_exit 4
expect_out 'zombies 0'

# A background process does not hold the end up.
guest -- sh -c 'sleep 1000 & exit 6'
expect_exit 6

guest -- bash -c 'kill -9 -1; exit 3'
expect_exit 3
