#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 900
# A root directory of 400 MB or more copied by vmrun rootfs clone and by cp -a, packed and
# unpacked by vmrun rootfs export and import and by tar, in the user namespace that the
# others need, from memory.
. "$(dirname "$0")/../lib/bench.sh"

RUNS=7

make_base_of_size() { # DIR MIB: the test base, made larger by its own files
	copy_base "$1"
	for ((i = 0; $(as_guest_owner du -sm "$1" | cut -f 1) < $2; i++)); do
		as_guest_owner cp -a "$BASE/usr" "$1/more.$i"
	done
}

clone() {
	"$VMRUN" rootfs clone --keep-identity "$WORK/src" "$1"
}

by_cp() {
	as_guest_owner cp -a "$WORK/src" "$1"
}

export_tar() {
	"$VMRUN" rootfs export "$WORK/src" "$1.tar"
}

by_tar_c() {
	as_subid_owner tar --format=pax --sort=name --numeric-owner --xattrs --xattrs-include='*' --acls -C "$WORK/src" -cf - . >"$1.tar"
}

import_tar() {
	"$VMRUN" rootfs import "$WORK/src.tar" "$1"
}

by_tar_x() {
	mkdir -m 777 "$1"
	as_subid_owner tar --numeric-owner --xattrs --xattrs-include='*' --acls --no-overwrite-dir -C "$1" \
		--exclude=. -xpf - <"$WORK/src.tar"
}

# Turn by turn, to median times. Nothing is removed between: for minutes a file system
# does not like to use again what was freed just now, and looks for long.
compare() { # TOOL OTHER
	local i tool order
	for ((i = 0; i < RUNS; i++)); do
		order="$1 $2"
		[[ $((i % 2)) -eq 0 ]] || order="$2 $1"
		for tool in $order; do
			milliseconds "$tool" "$WORK/$tool.$i" >>"$WORK/times.$tool"
			expect_exit 0
		done
	done
}

tell() { # TOOL NAME OTHER NAME
	row "$2, median of $RUNS" "$(median <"$WORK/times.$1")" ms
	row "$4, median of $RUNS" "$(median <"$WORK/times.$3")" ms
	row "times faster" "$(ratio "$(median <"$WORK/times.$3")" "$(median <"$WORK/times.$1")")" ""
}

make_base_of_size "$WORK/src" 400
as_guest_owner find "$WORK/src" -type f -exec cat {} + >/dev/null
chmod 755 "$WORK"
compare clone by_cp
compare export_tar by_tar_c
mv "$WORK/export_tar.0.tar" "$WORK/src.tar"
compare import_tar by_tar_x
row "root directory" "$(as_guest_owner du -sm "$WORK/src" | cut -f 1)" MiB
row "names in it" "$(as_guest_owner find "$WORK/src" | wc -l)" ""
tell clone "vmrun rootfs clone" by_cp "unshare cp -a"
tell export_tar "vmrun rootfs export to a tar" by_tar_c "unshare tar c"
tell import_tar "vmrun rootfs import of a tar" by_tar_x "unshare tar x"
