#!/bin/bash
# SPDX-License-Identifier: MIT
# together
# What vmrun rootfs info says of root directories, good ones and hostile ones.
. "$(dirname "$0")/../lib/e2e.sh"

rootfs() {
	"$VMRUN" rootfs "$@"
}

field() { # PATH: of the JSON in out, as jq would
	python3 -c 'import json, sys
value = json.load(open(sys.argv[1]))
for key in sys.argv[2].split("."):
    value = value[int(key)] if key.isdigit() else value[key]
print(value)' "$WORK/out" "$1"
}

for base in "$BASE" "$BASE_CALLER"; do
	run rootfs info "$base"
	expect_exit 0
	expect_silent
	grep -q '^boots  *yes$' "$WORK/out" || fail "it does not boot"
	run rootfs info --json "$base"
	expect_exit 0
	expect_eq id "$(field distribution.id)" debian
	expect_eq boots "$(field boots)" True
	expect_eq arch "$(field programs.arch)" x86_64
	expect_eq libc "$(field programs.libc)" glibc
	expect_eq kernel "$(field kernels.0.9p)" True
	expect_eq version "$(field kernels.0.version)" "$(ls "$base/lib/modules")"
	expect_eq owner "$(field owners.0.uid)" "$(stat -c %u "$base")"
	expect_eq "first id" "$(field uid_map.0.host)" "$(stat -c %u "$base")"
	# The same as others count it.
	expect_eq files "$(field size.files)" "$(as_guest_owner find "$base" ! -type d | wc -l)"
	expect_eq directories "$(field size.directories)" "$(as_guest_owner find "$base" -type d | wc -l)"
	expect_eq disk "$(field size.disk_bytes)" "$(as_guest_owner du -sB1 "$base" | cut -f 1)"
done
run rootfs info --json "$BASE"
expect_eq layout "$(field layout)" subid
run rootfs info --json "$BASE_CALLER"
expect_eq layout "$(field layout)" caller

# --- hostile ones: nothing of the host's shows, nothing blocks ---

small=$WORK/small
mkdir -p "$small"/{bin,boot,etc,usr}
run rootfs info "$small"
expect_exit 0
grep -q '^boots  *no: the base has no kernel' "$WORK/out" || fail "a kernel?"
grep -q '^distribution  *unknown' "$WORK/out" || fail "a distribution?"
grep -q '^init  *none' "$WORK/out" || fail "an init?"
ln -s /etc/os-release "$small/etc/os-release"
ln -s ../../../../../../bin/sh "$small/bin/sh"
mkfifo "$small/boot/vmlinuz-6.1.0"
run timeout 10 "$VMRUN" rootfs info --json "$small"
expect_exit 0
expect_eq "os-release" "$(field distribution)" None
expect_eq "programs" "$(field programs)" None
rm "$small/etc/os-release" "$small/bin/sh"
mkfifo "$small/etc/os-release" "$small/bin/sh"
run timeout 10 "$VMRUN" rootfs info --json "$small"
expect_exit 0
expect_eq "os-release" "$(field distribution)" None
rm "$small/etc/os-release" "$small/bin/sh" "$small/boot/vmlinuz-6.1.0"
printf 'PRETTY_NAME="\x1b[2Jevil\xff"\nID=x\n' >"$small/etc/os-release"
run rootfs info "$small"
expect_exit 0
! grep -q $'\x1b' "$WORK/out" || fail "a control character gets through"
run rootfs info --json "$small"
expect_eq name "$(field distribution.pretty_name)" "?[2Jevil?"

# As deep as paths get, and a name of 255 bytes.
name=$(printf 'n%.0s' {1..255})
(
	cd "$small"
	for ((i = 0; i < 60; i++)); do
		mkdir "$name"
		cd -P "$name" 2>/dev/null || exit 0
	done
) || fail "no deep tree"
run rootfs info --json "$small"
expect_exit 0
[[ $(field size.directories) -gt 14 ]] || fail "the deep tree is not counted"

# Mixed owners: shown from outside, with the reason.
mkdir -p "$WORK/mixed"/{bin,etc}
as_guest_owner chown 1000:1000 "$WORK/mixed/etc"
run rootfs info --json "$WORK/mixed"
expect_exit 0
expect_eq boots "$(field boots)" False
[[ $(field why_not) == *"mixed owners"* ]] || fail "no reason"
run rootfs info --idmap=caller --json "$WORK/mixed"
expect_eq layout "$(field layout)" caller

# --- errors ---

run rootfs info "$WORK/none"
expect_refused "'$WORK/none' does not exist"
run rootfs info "$WORK"
expect_refused "is no root directory"
run rootfs info /
expect_refused "host's own /"
run rootfs info
expect_refused "DIR is not given"
run rootfs info --jsno "$BASE"
expect_refused "did you mean --json?"
run rootfs ifno
expect_refused "did you mean info?"
run rootfs
expect_refused "no command given"
run rootfs info --idmap=x "$BASE"
expect_refused "--idmap: 'x' is no id map"
ln -s "$VMRUN" "$WORK/vmrun-rootfs"
run "$WORK/vmrun-rootfs" info --json "$BASE"
expect_exit 0
run rootfs --help
expect_exit 0
for words in "vmrun rootfs info" "--json" "--idmap MAP"; do
	grep -qF -- "$words" "$WORK/out" || fail "--help does not say: $words"
done
as_guest_owner rm -rf "$small" "$WORK/mixed"
