#!/bin/bash
# SPDX-License-Identifier: MIT
# Neither a guest nor a program in QEMU's place changes what later runs wake up as.
. "$(dirname "$0")/../lib/e2e.sh"
. "$(dirname "$0")/../lib/template.sh"

own_cache
steal_template_over "$BASE" --read-only
steal_template_over "$BASE_CALLER" --read-only
rm "$(list_templates)"
unset VMRUN_QEMU

# A guest that writes to all the memory that it can get, and dies of it.
guest -m 128m -- true
expect_exit 0
template=$(list_templates)
before=$(digest "$template")
guest -m 128m --ephemeral --timing=json -- sh -c '
	echo 1 >/proc/sys/vm/panic_on_oom
	mount -t tmpfs -o size=100% all /mnt
	yes >/mnt/full'
expect_restored
expect_exit 125
expect_err "out of memory"
expect_eq "digest of the template" "$(digest "$template")" "$before"
guest -m 128m --timing=json -- true
expect_exit 0
expect_restored
