#!/bin/bash
# SPDX-License-Identifier: MIT
# Real root's runs have templates, too, and a program in QEMU's place cannot change them.
# as: root
. "$(dirname "$0")/../lib/e2e.sh"
. "$(dirname "$0")/../lib/template.sh"

# Where root's guests, who run as others, find it.
qemu_prefix=$(mktemp -d -p /var/tmp)
trap 'rm -r "$qemu_prefix"' EXIT
own_cache
map=0:$(stat -c %u "$BASE"):65536
run vmrun --idmap="$map" --read-only --timing=json "$BASE" -- true
expect_exit 0
expect_restored
expect_silent
steal_template_over "$BASE" --read-only --idmap="$map"
