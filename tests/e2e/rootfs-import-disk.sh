#!/bin/bash
# SPDX-License-Identifier: MIT
# together
# timeout: 300
#
# Disk images imported: ext4, xfs, btrfs, in a table or without, raw and qcow2, equal to
# the tree that was put into them; hostile and damaged ones; and nothing left behind.
source "$(dirname "$0")/../lib/e2e.sh"

PATH=$PATH:/usr/sbin:/sbin
lib=$(dirname "$(readlink -f "$0")")/../lib
cd "$WORK"
boot_uuid=11111111-2222-4333-8444-555555555555

listing() { # DIR [EXCLUDED...]
	as_guest_owner python3 "$lib/tree-listing.py" "$@"
}

import() { # [OPTION...] SRC DIR
	run "$VMRUN" rootfs import --idmap caller --kernel "$BASE_CALLER" "$@"
}

# expect_tree DIR [EXCLUDED...]: as tree, but for what each image has of its own.
expect_tree() {
	local dir=$1
	shift
	listing tree etc/fstab "$@" >want
	listing "$dir" etc/fstab "$@" >got
	diff want got >"$WORK/diff" || fail "$dir differs from what was put in: $(head -5 "$WORK/diff")"
	as_guest_owner rm -rf "$dir"
}

# Not the test's own files: what an import leaves beside DIR.
expect_nothing_left() {
	[[ -z $(ls -A where) ]] || fail "left behind: $(ls -A where)"
}

# --- a tree with all that is to be kept ---

# shellcheck disable=SC2016 # expanded by that shell
as_guest_owner bash -euc '
	mkdir -p tree/{etc,usr/bin,boot/efi,var/empty,home,tmp}
	cd tree
	echo ID=test >etc/os-release
	echo hi >etc/hello
	ln etc/hello usr/hard
	ln -s ../etc/hello usr/soft
	ln usr/soft usr/soft2
	chown -h 5:7 usr/soft
	chown 4000:65533 etc/hello
	chmod 6755 etc/hello
	chmod 1777 tmp
	mkfifo -m 640 var/fifo
	truncate -s 5M var/sparse
	printf middle | dd of=var/sparse bs=1 seek=3000000 conv=notrunc status=none
	truncate -s 100K var/hole
	head -c 300000 /dev/urandom >var/data
	setfattr -n user.a -v "$(head -c 200 /dev/zero | tr "\0" b)" etc/os-release
	setfacl -m u:33:rw,g:44:r etc/os-release
	setfacl -d -m g:5:rx var/empty
	echo program >usr/bin/cap
	setcap cap_net_raw+ep usr/bin/cap
	: >"new
line"
	: >"$(printf "not\\xffutf8")"
	: >ümlaut
	long=$(printf %0200d 1)
	mkdir -p "$long/$long"
	echo deep >"$long/$long/$long"
	ln "$long/$long/$long" "$long/link"
	ln -s "$long/$long/$long" long-link
	echo kernel >boot/vmlinuz
	echo user >home/file
	find . -exec touch -h -d "2001-02-03 04:05:06.123456789" {} +
	touch -h -d "1965-01-01 00:00:00.5" etc/hello'

# --- images of it, filled by a guest ---

truncate -s 48M root.ext4
truncate -s 8M boot.ext4
truncate -s 320M root.xfs
truncate -s 128M root.btrfs
mke2fs -q -t ext4 root.ext4
mke2fs -q -t ext4 -U "$boot_uuid" boot.ext4
mkfs.xfs -q root.xfs
mkfs.btrfs -q -L fedora root.btrfs >/dev/null
cat >fill.sh <<-EOF
	perl /media/lib/load-modules.pl crc32c_generic ext4 xfs btrfs
	mkdir /tmp/{e,b,x,t}
	mount /dev/vda /tmp/e; mount /dev/vdb /tmp/b; mount /dev/vdc /tmp/x; mount /dev/vdd /tmp/t
	# btrfs subvolume create, for a guest that has no such program.
	for name in root home; do
		perl -e 'open(my \$d, "<", "/tmp/t"); my \$a = pack("q Z4088", 0, \$ARGV[0]);
			ioctl(\$d, 0x5000940e, \$a) or die \$!' \$name
	done
	cp -a /media/tree/. /tmp/e; cp -a /media/tree/. /tmp/x; cp -a /media/tree/. /tmp/t/root
	cp -a /media/tree/boot/. /tmp/b; cp -a /media/tree/home/. /tmp/t/home
	# 9p carries no capabilities: cap_net_raw+ep, by setxattr().
	for root in e x t/root; do
		perl -e 'my \$n = "security.capability"; my \$v = pack("V5", 0x2000001, 0x2000, 0, 0, 0);
			syscall(188, \$ARGV[0], \$n, \$v, 20, 0) and die \$!' /tmp/\$root/usr/bin/cap
	done
	rm /tmp/e/boot/vmlinuz /tmp/t/root/home/file
	{ echo '# comment'; echo 'UUID=$boot_uuid /boot ext4 ro 0 2'; echo '/dev/vdz9 none swap'
	  echo 'tmpfs /tmp tmpfs'; } >/tmp/e/etc/fstab
	echo 'LABEL=fedora /home btrfs subvol=home,x=y 0 0' >/tmp/t/root/etc/fstab
	mknod -m 600 /tmp/x/var/null c 1 3
	umount /tmp/e /tmp/b /tmp/x /tmp/t
	# And one is left mounted.
	mount /dev/vdb /tmp/b
	touch /tmp/b
EOF
run vmrun --ephemeral -v "$WORK/tree:/media/tree:ro" -v "$lib:/media/lib:ro" \
	-v "$WORK/fill.sh:/media/fill.sh:ro" --disk root.ext4 --disk boot.ext4 --disk root.xfs \
	--disk root.btrfs "$BASE_CALLER" -- bash -eu /media/fill.sh
expect_exit 0
mkdir where

# --- raw ext4 without a table, whose /boot is elsewhere ---

import root.ext4 where/ext4
expect_exit 1
expect_err "'/boot' is on 'UUID=$boot_uuid', which is not in the image"
expect_tree where/ext4 boot/vmlinuz
expect_nothing_left

# --- GPT in qcow2, /boot on a partition of its own, which was not unmounted ---

truncate -s 64M gpt.raw
sfdisk -q gpt.raw <<-EOF
	label: gpt
	start=2048, size=2048, type=21686148-6449-6E6F-744E-656564454649
	start=4096, size=16384
	start=20480, size=98304
EOF
dd if=boot.ext4 of=gpt.raw bs=512 seek=4096 conv=notrunc,sparse status=none
dd if=root.ext4 of=gpt.raw bs=512 seek=20480 conv=notrunc,sparse status=none
qemu-img convert -O qcow2 gpt.raw gpt.qcow2
import gpt.qcow2 where/gpt
expect_exit 1
expect_err "/dev/vda2 was not unmounted"
[[ $(wc -l <err) -eq 1 ]] || fail "something else was said"
expect_tree where/gpt boot

# --- xfs in an MBR, with a device node ---

truncate -s 322M mbr.raw
echo 'start=2048, type=83, bootable' | sfdisk -q --label dos mbr.raw
dd if=root.xfs of=mbr.raw bs=1M seek=1 conv=notrunc,sparse status=none
import --partition 1 mbr.raw where/mbr
expect_exit 1
expect_err "'/var/null': device node not kept"
[[ $(wc -l <err) -eq 1 ]] || fail "something else was said"
expect_tree where/mbr var/null

# --- btrfs: a subvolume with the root, and one that its fstab names ---

import root.btrfs where/btrfs
expect_exit 0
expect_silent
expect_tree where/btrfs home
expect_nothing_left

# --- what is no good ---

qemu-img create -q -u -f qcow2 -F raw -b /etc/shadow backing.qcow2 64M
import backing.qcow2 where/x
expect_refused "has a backing file"
import --partition 9999 gpt.raw where/x
expect_refused "--partition: '9999'"
import --partition 2 gpt.raw where/x
expect_refused "partition 2 holds no root"
# Damaged in what only the kernel reads, and cut.
cp --sparse=always root.ext4 bad.ext4
head -c 60 /dev/urandom | dd of=bad.ext4 bs=1 seek=1150 conv=notrunc status=none
printf '\377\377\377\377' | dd of=bad.ext4 bs=1 seek=1048 conv=notrunc status=none
import bad.ext4 where/x
expect_refused "cannot mount the ext4 on /dev/vda"
truncate -s 20M root.ext4
import root.ext4 where/x
expect_refused "cannot mount the ext4 on /dev/vda" "cut short"
run "$VMRUN" rootfs import --idmap caller --kernel tree root.btrfs where/x
expect_refused "no kernel to read the image with" "--kernel"
import --kernel none root.btrfs where/x
expect_refused "--kernel: cannot open 'none'"
import --format disk - where/x < <(cat root.btrfs)
expect_refused "must be a file"
expect_nothing_left

# --- interrupted while the guest reads ---

"$VMRUN" rootfs import --idmap caller --kernel "$BASE_CALLER" root.btrfs where/x 2>err &
importer=$!
wait_for 30 find_qemu $importer >/dev/null
before=$(descendants $importer)
kill -TERM $importer
status=0
wait $importer || status=$?
expect_exit 143
# shellcheck disable=SC2086 # a word each
expect_gone $before
expect_nothing_left
