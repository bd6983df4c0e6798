#!/bin/bash
# SPDX-License-Identifier: MIT
# The newest kernel is chosen; -k and --modules override; a kernel without 9p and a broken one are named.
. "$(dirname "$0")/../lib/e2e.sh"

copy_base "$WORK/base"
boot=$WORK/base/boot
version=$(basename "$boot"/vmlinuz-*)
version=${version#vmlinuz-}
mkdir "$WORK/host"
cp "$boot/vmlinuz-$version" "$WORK/host/kernel"
as_guest_owner cp -r "$WORK/base/usr/lib/modules/$version" "$WORK/host/modules"

# An older version of the same bytes has its name only.
as_guest_owner sh -ec "cd $WORK/base
	cp boot/vmlinuz-$version boot/vmlinuz-5.9.0-1-amd64
	cp -r usr/lib/modules/$version usr/lib/modules/5.9.0-1-amd64"
run vmrun --dry-run "$WORK/base" -- true
expect_exit 0
grep -q "vmlinuz-$version" "$WORK/out" || fail "not the newest kernel"

# Without 9p, as the cloud flavour: the module is missing from modules.dep. An older
# kernel that has it is better.
as_guest_owner sed -i '/9p/d' "$WORK/base/usr/lib/modules/$version/modules.dep"
run vmrun --dry-run "$WORK/base" -- true
expect_exit 0
grep -q "vmlinuz-5.9.0-1-amd64" "$WORK/out" || fail "not the kernel that has 9p"
as_guest_owner sed -i '/9p/d' "$WORK/base/usr/lib/modules/5.9.0-1-amd64/modules.dep"
run vmrun "$WORK/base" -- true
expect_refused 9p linux-image

run vmrun -k "$WORK/host/kernel" --modules "$WORK/host/modules" "$WORK/base" -- uname -r
expect_exit 0
expect_out "$version"

# No kernel of the base is trusted: cut short, no kernel at all, a link out of the base, a FIFO.
as_guest_owner rm -r "$boot/vmlinuz-5.9.0-1-amd64" "$WORK/base/usr/lib/modules/5.9.0-1-amd64"
as_guest_owner cp "$WORK/host/modules/modules.dep" "$WORK/base/usr/lib/modules/$version/modules.dep"
as_guest_owner truncate -s 4000000 "$boot/vmlinuz-$version"
run vmrun "$WORK/base" -- true
expect_refused "vmlinuz-$version" "cut short"
as_guest_owner cp "$WORK/base/etc/passwd" "$boot/vmlinuz-$version"
run vmrun "$WORK/base" -- true
expect_refused "vmlinuz-$version"
as_guest_owner ln -sf "$WORK/host/kernel" "$boot/vmlinuz-$version"
run vmrun "$WORK/base" -- true
expect_refused kernel
as_guest_owner sh -ec "rm $boot/vmlinuz-$version; mkfifo $boot/vmlinuz-$version"
run vmrun "$WORK/base" -- true
expect_refused kernel
