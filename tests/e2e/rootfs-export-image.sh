#!/bin/bash
# SPDX-License-Identifier: MIT
# together
# slow
# timeout: 600
# vmrun rootfs export: squashfs, erofs, and disk images that boot by BIOS and UEFI: each the
# same twice, with all that the directory has, and nothing left where it fails.
. "$(dirname "$0")/../lib/e2e.sh"
lib=$(cd "$(dirname "$0")/../lib" && pwd)
# shellcheck source=tests/lib/zoo.sh
. "$lib/zoo.sh"
PATH=$PATH:/usr/sbin:/sbin

export_to() {
	"$VMRUN" rootfs export "$@"
}

inside() { # DIR COMMAND: with the ids of a base whose root is the first subordinate id
	as_subid_owner bash -euc "cd '$1'; $2"
}

listing() { # DIR: less atimes and holes, which not all of them keep
	inside "$1" "python3 '$WORK/tree-listing.py' ." |
		sed -E "s/ a[0-9]+( [0-9a-f]{64}) \[.*\]/\1/; /^b'zoo\/(all-)?hole/s/[0-9a-f]{64}//"
	# Its checksums are of what is no hole.
	inside "$1" 'sha256sum zoo/holes zoo/all-hole'
}

expect_same() { # WHAT A B
	diff "$2" "$3" >"$WORK/diff" || fail "$1: they differ: $(head -c 3000 "$WORK/diff")"
	[[ -s $2 ]] || fail "$1: nothing is listed"
}

dst=$WORK/dst
expect_only() { # NAME...: what is in $dst
	expect_eq "in dst" "$(find "$dst" -mindepth 1 -printf '%f\n' | sort | xargs)" "$*"
}

is_begun() {
	[[ -n $(find "$dst" -mindepth 1) ]]
}

chmod 755 "$WORK"
cp "$lib/tree-listing.py" "$WORK/"
small=$WORK/small
mkdir "$dst" "$WORK/apart" "$small"
as_guest_owner chown 1:1 "$WORK/apart" "$small"
inside "$small" "mkdir -p bin etc usr; $(make_zoo)"
# mkfs.erofs 1.5 fails at a name of 255 bytes.
inside "$small" 'rm zoo/xxxxxxxxxxxxxxx*'

# --- squashfs and erofs ---

listing "$small" >"$WORK/small.list"
for format in squashfs erofs; do
	run export_to "$small" "$dst/a.$format"
	if [[ $format == squashfs ]]; then
		expect_exit 1
		expect_err "system.posix_acl_access" "system.posix_acl_default"
	else
		expect_exit 0
		expect_silent
	fi
	run export_to --format="$format" "$small" "$dst/b"
	cmp "$dst/a.$format" "$dst/b" || fail "two exports to $format differ"
	run env SOURCE_DATE_EPOCH=1000000000 "$VMRUN" rootfs export --force --format="$format" "$small" "$dst/b"
	! cmp -s "$dst/a.$format" "$dst/b" || fail "SOURCE_DATE_EPOCH changes nothing"
	mv "$dst/a.$format" "$WORK/"
	rm "$dst/b"
	expect_only
done
inside "$WORK/apart" "unsquashfs -quiet -no-progress -dest squashfs ../a.squashfs" >/dev/null
# Whole seconds of 32 bits, and no ACLs.
no_acls='s/ system.posix_acl_[a-z]*=[0-9a-f]*//g; s/ m(-?[0-9]+)[0-9]{9}/ m\1/; s/ m13569465600/ m4294967295/'
sed -E "$no_acls" "$WORK/small.list" >"$WORK/a.list"
listing "$WORK/apart/squashfs" | sed -E "$no_acls" >"$WORK/b.list"
expect_same squashfs "$WORK/a.list" "$WORK/b.list"
# What takes it apart knows no attributes, no second names, no setuid bits.
inside "$WORK/apart" "fsck.erofs --extract=erofs --preserve ../a.erofs" >/dev/null
only_files="s/ 10[0-7]([0-7]{3}) / 10-\1 /; s/ [a-z]+\.[a-z_.]+=[0-9a-f]*//g; s/ n[0-9]+ s/ s/; s/ =b'[^']*'//"
sed -E "$only_files" "$WORK/small.list" >"$WORK/a.list"
listing "$WORK/apart/erofs" | sed -E "$only_files" >"$WORK/b.list"
expect_same erofs "$WORK/a.list" "$WORK/b.list"
dump.erofs --path=/zoo/random "$WORK/a.erofs" | grep -q 'Xattr size: 30[0-9][0-9]' || fail "no attributes in erofs"
as_guest_owner rm -rf "$WORK/apart" "$WORK"/a.*fs

# --- what cannot be ---

run export_to "$small" "$dst/disk.raw"
expect_refused "has no kernel" "customize --package"
run export_to --size=1g "$small" "$dst/a.squashfs"
expect_refused "--size is for disk images"
run export_to --size=12 "$BASE" "$dst/disk.raw"
expect_refused "'12' is no size"
run export_to --size=70m "$BASE" "$dst/disk.raw"
expect_refused "--size is too small"
run export_to --size=300m "$BASE" "$dst/disk.qcow2"
expect_refused "--size is too small" "MiB fit well" "the file system is full"
run bash -c "ulimit -f 100000; '$VMRUN' rootfs export '$BASE' '$dst/disk.qcow2'"
expect_refused "File too large"
expect_only

# Ended in the midst of it.
"$VMRUN" rootfs export "$BASE" "$dst/disk.qcow2" &
pid=$!
wait_for 10 is_begun
kill -TERM "$pid"
status=0
wait "$pid" || status=$?
expect_exit 143
expect_only

# --- a disk image: the same twice, and from a copy ---

src=$WORK/src
copy_base "$src"
# Less to be copied around: what neither the boot nor the import needs.
inside "$src" 'rm -rf usr/share/{doc,man,locale} var/cache/apt var/lib/apt/lists
	cd usr/lib/modules/*/kernel && rm -rf sound
	ls drivers | grep -vxE "ata|block|char|hv|i2c|input|message|mmc|net|nvme|scsi|usb|virt|virtio|xen" | sed "s,^,drivers/," | xargs rm -rf'
inside "$src" "$(make_zoo)"
cat >"$WORK/init" <<-'EOT'
	#!/bin/sh
	PATH=/usr/sbin:/usr/bin:/sbin:/bin
	mount -o remount,ro /
	cat /proc/cmdline
	cd /zoo
	echo "socket: $(stat -c '%F %a %u:%g' socket)"
	echo "setuid: $(stat -c '%F %a %u:%g' setuid)"
	echo "random: $(stat -c '%y %s' random)"
	ls -ld /lost+found
	echo o >/proc/sysrq-trigger
	sleep 60
EOT
inside "$src" 'cat >sbin/init; chmod 755 sbin/init' <"$WORK/init"
run export_to "$src" "$dst/disk.raw"
expect_exit 0
expect_silent
run "$VMRUN" rootfs clone --keep-identity "$src" "$WORK/again"
expect_exit 0
run export_to "$WORK/again" "$dst/again.raw"
cmp "$dst/disk.raw" "$dst/again.raw" || fail "two disk images differ"
as_guest_owner rm -rf "$WORK/again" "$dst/again.raw"
# Sparse, too.
[[ $(($(stat -c %b "$dst/disk.raw") * 512)) -lt $(stat -c %s "$dst/disk.raw") ]] || fail "the image has no holes"
sfdisk --verify "$dst/disk.raw" >"$WORK/out.txt" 2>&1 || fail "partition table: $(<"$WORK/out.txt")"
first=$(sfdisk --dump "$dst/disk.raw" | awk -F '[=,]' '/raw3/ { print $2 + 0 }')
dd if="$dst/disk.raw" of="$WORK/root.ext4" bs=512 skip="$first" conv=sparse status=none
e2fsck -fn "$WORK/root.ext4" >"$WORK/out.txt" 2>&1 || fail "ext4: $(<"$WORK/out.txt")"
dd if="$dst/disk.raw" of="$WORK/esp.fat" bs=512 skip=2048 count=$((first - 2048)) conv=sparse status=none
fsck.vfat -n "$WORK/esp.fat" >"$WORK/out.txt" 2>&1 || fail "vfat: $(<"$WORK/out.txt")"
rm "$WORK/root.ext4"

# --- it boots, and all is there ---

boot() { # FORMAT FILE [QEMU'S OPTION...]: leaves what was said in $WORK/console
	timeout 200 qemu-system-x86_64 -accel tcg -M q35 -m 512 -nodefaults -display none -serial stdio -no-reboot \
		-snapshot -drive "file=$2,format=$1,if=none,id=disk" "${@:3}" </dev/null 2>&1 |
		tr -d '\r' >"$WORK/console"
}

expect_booted() {
	local words
	for words in " root=UUID=" "socket: socket 755 0:0" "setuid: regular file 6755 7:8" \
		"random: 1999-01-02 03:04:05.123456789 +0000 1000000" "lost+found.*No such file"; do
		grep -q "$words" "$WORK/console" || fail "booted, it does not say: $words; but $(tail -n 20 "$WORK/console")"
	done
}

# BIOS; no initramfs of the system's.
boot raw "$dst/disk.raw" -device virtio-blk,drive=disk
expect_booted

# UEFI, from another kind of disk, by an initramfs of the system's.
mcopy -i "$WORK/esp.fat" ::/initrd.img "$WORK/initrd"
kernel=$(cd "$src/boot" && echo vmlinuz-*)
inside "$src" "cat >boot/initrd.img-${kernel#vmlinuz-}" <"$WORK/initrd"
run export_to --size=2g "$src" "$dst/disk.qcow2"
expect_exit 0
run export_to --size=2g --force "$src" "$dst/again.qcow2"
cmp "$dst/disk.qcow2" "$dst/again.qcow2" || fail "two qcow2 images differ"
expect_only again.qcow2 disk.qcow2 disk.raw
qemu-img info "$dst/disk.qcow2" | grep -q '2 GiB (2147483648 bytes)' || fail "not of the size that was asked for"
boot qcow2 "$dst/disk.qcow2" -bios /usr/share/ovmf/OVMF.fd -device ahci,id=sata -device ide-hd,drive=disk,bus=sata.0
expect_booted

# --- and back: the trees are equal ---

run "$VMRUN" rootfs import --kernel="$BASE" "$dst/disk.qcow2" "$WORK/back"
expect_exit 0
# A tar, which is how an import carries files, has no sockets.
for dir in src back; do
	inside "$WORK/$dir" "python3 ../tree-listing.py ." | sed -E "s/ a[0-9]+//; /zoo\/socket/d" >"$WORK/$dir.list"
done
expect_same "there and back" "$WORK/src.list" "$WORK/back.list"
