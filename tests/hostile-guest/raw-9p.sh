#!/bin/bash
# SPDX-License-Identifier: MIT
# A guest's root that speaks 9p to QEMU by itself, as no kernel would: names with "..", "/"
# and nothing in them, handles on what has become a symlink, random messages. And one that
# mounts the exports again, by other names. No export leads out, and the read-only volume
# stays as it is.
. "$(dirname "$0")/../lib/e2e.sh"
. "$(dirname "$0")/../lib/hostile.sh"

mkdir "$WORK/rw" "$WORK/ro" "$WORK/outside" "$WORK/tools"
for dir in ro outside; do
	echo "canary of the host" >"$WORK/$dir/secret"
	chmod 777 "$WORK/$dir"
	chmod 666 "$WORK/$dir/secret"
done
build_static "$WORK/tools/raw9p" "$here/raw9p.c"
state() {
	(cd "$WORK" && find ro outside tools -printf '%p|%y|%m|%U|%G|%s|%T@|%C@|%n|%l\n' | sort &&
		cat ro/secret outside/secret)
}
state >"$WORK/before"
expect_unharmed() {
	state >"$WORK/after"
	diff "$WORK/before" "$WORK/after" || fail "what is outside has changed"
}

for seed in 1 2; do
	guest --ephemeral --timeout=150s -v "$WORK/rw:/mnt" -v "$WORK/ro:/opt:ro" \
		-v "$WORK/tools:/srv:ro" -- bash -ec '
		cp /srv/raw9p /tmp
		umount /mnt /opt /srv
		for device in /sys/bus/virtio/drivers/9pnet_virtio/virtio*; do
			[[ $(tr -d "\0" <"$device/mount_tag") != volumes ]] || found=$device
		done
		exec /tmp/raw9p "$(basename "$(dirname "$(readlink -f "$found")")")" "$@"' - \
		"$WORK/outside" "$seed" 80
	expect_exit 0
	! grep BREACH "$WORK/out" || fail "the guest got out"
	grep -q '^done: [0-9]\{3\}' "$WORK/out" || fail "it did not come to its end"
	say "$(tail -n 1 "$WORK/out")"
	expect_unharmed
	rm -f "$WORK/rw/file"
	expect_eq "what is left in the volume" "$(find "$WORK/rw" -mindepth 1)" ""
done

# By the kernel: a device is mounted once, and whatever of it is asked for, it is the same.
guest --timeout=60s -v "$WORK/rw:/mnt" -v "$WORK/ro:/opt:ro" -- bash -c '
	mkdir /tmp/m
	for tree in "" .. ../.. / /etc /vm/root; do
		for tag in root volumes; do
			mount -t 9p -o "trans=virtio,version=9p2000.L,aname=$tree" "$tag" /tmp/m 2>/dev/null || continue
			echo "$tag: $(cd /tmp/m && echo *)"
			umount /tmp/m
		done
	done
	cd /mnt
	umount -l /mnt
	ls .. | tr "\n" " "
	for link in "ln /opt/secret /mnt" "ln /mnt/file /opt" "mount -o remount,rw /opt" ; do $link 2>/dev/null; done
	perl -e "rename q(/opt/secret), q(/root/secret) and print q(BREACH)"
	echo x 2>/dev/null >/opt/secret'
! grep BREACH "$WORK/out" || fail "the guest got out"
while read -r line; do
	[[ $line != *:* || $line == "volumes: "?( )@(0 1|\*) ]] || fail "another tree is mounted: $line"
done <"$WORK/out"
expect_unharmed

# Where there are no volumes, their device holds an empty directory that stays so.
guest -- bash -c '
	mkdir /tmp/m
	mount -t 9p -o trans=virtio,version=9p2000.L,aname=../root volumes /tmp/m || exit 3
	ls -A /tmp/m
	for make in "mkdir /tmp/m/x" "ln -s / /tmp/m/x" "touch /tmp/m/x" "rmdir /tmp/m"; do
		$make 2>/dev/null && echo "$make"
	done
	exit 7'
expect_exit 7
expect_out ""
