#!/bin/bash
# SPDX-License-Identifier: MIT
# Without QEMU: what is missing, and where it is to be had. With one that cannot be run in the
# jail: why, and what can.
. "$(dirname "$0")/../lib/e2e.sh"

run env VMRUN_QEMU=/nonexistent "$VMRUN" --accel=tcg "$BASE" -- true
expect_refused VMRUN_QEMU

mkdir "$WORK/bin"
export VMRUN_QEMU=$WORK/bin/qemu-system-x86_64
qemu_is() { # text
	printf '%s' "$1" >"$VMRUN_QEMU"
	chmod 755 "$VMRUN_QEMU"
	run vmrun "$BASE" -- true
}

qemu_is "#!/bin/sh
exec $(command -v qemu-system-x86_64) \"\$@\""
expect_refused "$VMRUN_QEMU" "is a script" VMRUN_QEMU
qemu_is ""
expect_refused "no 64-bit ELF program"
qemu_is $'\x7fELF but no more'
expect_refused "no 64-bit ELF program"
