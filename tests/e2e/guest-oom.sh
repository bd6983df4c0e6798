#!/bin/bash
# SPDX-License-Identifier: MIT
# A command that the guest's kernel killed for want of memory: 137, and the reason is said.
. "$(dirname "$0")/../lib/e2e.sh"

# The kernel's own killer is called by hand: before it comes by itself, a guest that is
# almost full may read its programs from the base again and again, for minutes.
guest -- perl -e '
	my $held = "x" x 100_000_000;
	open my $trigger, ">", "/proc/sysrq-trigger" or die;
	syswrite $trigger, "f";
	sleep 60'
expect_exit 137
expect_err "out of memory" -m
