# shellcheck shell=bash
# SPDX-License-Identifier: MIT
#
# Helpers of the benches; each tests/bench/*.sh sources this first. What is compared is
# taken turn by turn, so that all see the same load, and told as medians.
. "$(dirname "${BASH_SOURCE[0]}")/e2e.sh"

# What one writes without vmrun: the distribution's bzImage and its initrd by
# initramfs-tools with the 9p modules added, machine "pc", the root over 9p, and
# init=/bin/true for a command. The panic that follows is its end: no exit status.
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

median() { # of the numbers on stdin
	sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'
}

row() { # WHAT VALUE UNIT
	printf '%-56s %8s %s\n' "$@"
}

ratio() { # A B: how many times B goes into A
	awk -v a="$1" -v b="$2" 'BEGIN { printf "%.1f", a / b }'
}
