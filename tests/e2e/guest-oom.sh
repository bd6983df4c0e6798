#!/bin/bash
# SPDX-License-Identifier: MIT
# A guest out of memory is named as such.
. "$(dirname "$0")/../lib/e2e.sh"

guest -m 192m -- perl -e 'my @held; push @held, "x" x 1000000 while 1'
expect_exit 137
expect_err "out of memory" -m
