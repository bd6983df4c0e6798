#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 1800
# A root directory made ready to be copied, and customised: vmrun rootfs sysprep and customize,
# and where libguestfs is installed virt-sysprep and virt-customize over an image with the same
# content. Those boot an appliance each time, here with the kernel of the bench's base.
. "$(dirname "$0")/../lib/bench.sh"

RUNS=3
KERNEL=$(basename "$(echo "$BASE_BENCH"/lib/modules/*)")
export LIBGUESTFS_BACKEND=direct LIBGUESTFS_CACHEDIR=$WORK
export SUPERMIN_KERNEL=$BASE_BENCH/boot/vmlinuz-$KERNEL SUPERMIN_MODULES=$BASE_BENCH/lib/modules/$KERNEL
export SUPERMIN_KERNEL_VERSION=$KERNEL

inside() { # COMMAND: as the root of the map, in the directory
	as_subid_owner bash -euc "cd '$WORK/src'; $1"
}

# Leftovers of a system that was used.
spoil() {
	inside 'mkdir -p etc/ssh root/.ssh var/log/journal/0123 var/lib/systemd var/lib/dhcp var/crash
		for f in etc/ssh/ssh_host_{rsa,ecdsa,ed25519}_key{,.pub} root/.bash_history root/.ssh/known_hosts \
			var/log/{syslog,syslog.1,dpkg.log,wtmp} var/log/journal/0123/system.journal etc/passwd- \
			var/lib/systemd/random-seed var/lib/dhcp/dhclient.leases var/crash/dump; do echo left >"$f"; done
		echo 0123456789abcdef0123456789abcdef >etc/machine-id
		(cd tmp && seq 1000 | xargs touch)'
}

make_image() {
	truncate -s 3G "$WORK/image"
	chmod 666 "$WORK/image"
	as_subid_owner /sbin/mke2fs -q -t ext4 -d "$WORK/src" "$WORK/image"
}

fresh_overlay() {
	rm -f "$WORK/overlay"
	qemu-img create -q -f qcow2 -b "$WORK/image" -F raw "$WORK/overlay"
}

sysprep() {
	"$VMRUN" rootfs sysprep "$WORK/src"
}

virt_sysprep() {
	virt-sysprep --quiet -a "$WORK/overlay"
}

edits=(--hostname given --root-password "file:$WORK/password" --timezone Europe/Berlin --write /etc/motd:hello
	--delete "/etc/*.bak")

customize() {
	"$VMRUN" rootfs customize "${edits[@]}" "$WORK/src"
}

virt_customize() {
	virt-customize --quiet -a "$WORK/overlay" "${edits[@]}"
}

echo secret >"$WORK/password"
copy_base "$WORK/src" "$BASE_BENCH"
spoil
tools="sysprep customize"
if command -v virt-sysprep >/dev/null; then
	tools="sysprep virt_sysprep customize virt_customize"
	make_image
	# The first one builds the appliance.
	fresh_overlay
	run virt_sysprep
	expect_exit 0
else
	echo "no virt-sysprep here: nothing to compare with (guestfs-tools brings it)"
fi
for ((i = 0; i < RUNS; i++)); do
	for tool in $tools; do
		spoil
		[[ $tool != virt_* ]] || fresh_overlay
		milliseconds "$tool" >>"$WORK/times.$tool"
		expect_exit 0
	done
done
row "root directory" "$(as_guest_owner du -sm "$WORK/src" | cut -f 1)" MiB
for tool in $tools; do
	row "${tool/_/-}, median of $RUNS" "$(median <"$WORK/times.$tool")" ms
done
if [[ $tools == *virt_* ]]; then
	for tool in sysprep customize; do
		row "$tool: times faster than virt-$tool" \
			"$(ratio "$(median <"$WORK/times.virt_$tool")" "$(median <"$WORK/times.$tool")")" ""
	done
fi
