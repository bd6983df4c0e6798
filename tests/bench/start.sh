#!/bin/bash
# SPDX-License-Identifier: MIT
# From nothing to the end of a command that does nothing, over the same root directory,
# under emulation. Taken turn by turn, so that both ways see the same load; medians.
#
#  - vmrun: "vmrun BASE -- true"; its kernel is in its cache but for the first time;
#  - by hand: what one writes without it: the distribution's bzImage and its initrd by
#    initramfs-tools with the 9p modules added, machine "pc", the root over 9p, and
#    init=/bin/true for a command. The panic that follows is its end: no exit status.
. "$(dirname "$0")/../lib/e2e.sh"

RUNS=5

by_hand() {
	cd "$BASE_BENCH" || return
	unshare --map-auto --setuid 0 --setgid 0 -- qemu-system-x86_64 -machine pc -accel tcg \
		-m 512 -display none -no-reboot -nodefaults -serial stdio \
		-kernel boot/vmlinuz-* -initrd boot/initrd.img-* \
		-append "root=root rootfstype=9p rootflags=trans=virtio,version=9p2000.L,msize=512000 rw \
			console=ttyS0 panic=-1 quiet init=/bin/true" \
		-fsdev local,id=root,path=.,security_model=passthrough,multidevs=remap \
		-device virtio-9p-pci,fsdev=root,mount_tag=root
}

# milliseconds COMMAND...
milliseconds() {
	local start
	start=$(date +%s%N)
	run "$@"
	echo $((($(date +%s%N) - start) / 1000000))
}

median() {
	sort -n | sed -n "$((RUNS / 2 + 1))p"
}

first=$(milliseconds vmrun "$BASE_BENCH" -- true)
for ((i = 0; i < RUNS; i++)); do
	milliseconds vmrun "$BASE_BENCH" -- true >>"$WORK/vmrun"
	milliseconds by_hand >>"$WORK/hand"
	milliseconds vmrun --dry-run "$BASE_BENCH" -- true >>"$WORK/plan"
done
run by_hand
grep -q "Attempted to kill init" "$WORK/out" || fail "the command by hand does not get to its command"
run vmrun "$BASE_BENCH" -- sh -c 'exit 42'
expect_exit 42

vmrun=$(median <"$WORK/vmrun")
hand=$(median <"$WORK/hand")
run vmrun --dry-run "$BASE_BENCH" -- true
size=$(sed -n 's/.*initramfs \([0-9]*\) KiB.*/\1/p' "$WORK/out")
printf '%-52s %6d ms\n' "vmrun, cold start (median of $RUNS)" "$vmrun" \
	"by hand, cold start (median of $RUNS)" "$hand" \
	"vmrun, very first start (unpacks the kernel)" "$first" \
	"vmrun, jail, plan and initramfs (--dry-run)" "$(median <"$WORK/plan")"
printf '%-52s %6d KiB, by hand %d KiB\n' "initramfs" "$size" \
	"$(($(stat -c %s "$BASE_BENCH"/boot/initrd.img-*) / 1024))"
awk -v a="$hand" -v b="$vmrun" 'BEGIN { printf "vmrun starts %.1f times as fast\n", a / b }'
