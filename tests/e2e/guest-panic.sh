#!/bin/bash
# SPDX-License-Identifier: MIT
# A guest's kernel panic: 125, never 0, its reason, and the console's last lines.
. "$(dirname "$0")/../lib/e2e.sh"

guest -- sh -c 'echo before; echo c >/proc/sysrq-trigger; sleep 60'
expect_exit 125
expect_out before
expect_err panic "sysrq triggered crash"
