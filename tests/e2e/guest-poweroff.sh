#!/bin/bash
# SPDX-License-Identifier: MIT
# A guest that is powered off or rebooted from inside: 125, as the command's exit is not known.
. "$(dirname "$0")/../lib/e2e.sh"

guest -- sh -c 'echo o >/proc/sysrq-trigger; sleep 60'
expect_exit 125
expect_err "shut down"

guest -- sh -c 'echo b >/proc/sysrq-trigger; sleep 60'
expect_exit 125
expect_err "command's exit"
