#!/bin/bash
# SPDX-License-Identifier: MIT
# The end of stdin is passed on, at once where stdin is empty or closed.
. "$(dirname "$0")/../lib/e2e.sh"

run vmrun "$BASE" -- wc -c <<<abc
expect_exit 0
expect_out 4

guest -- wc -c
expect_out 0

run vmrun "$BASE" -- wc -c <&-
expect_exit 0
expect_out 0

# A command that does not read holds nobody up.
run vmrun "$BASE" -- true < <(yes)
expect_exit 0
