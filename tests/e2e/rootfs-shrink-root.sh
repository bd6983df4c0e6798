#!/bin/bash
# SPDX-License-Identifier: MIT
# together
# vmrun rootfs shrink: files that are alike share their blocks, where the file system can.
# as: root
. "$(dirname "$0")/../lib/e2e.sh"

first=$(stat -c %u "$BASE")
top=$WORK/btrfs
mkdir "$top"
truncate -s 1G "$WORK/image"
/sbin/mkfs.btrfs -q "$WORK/image" >/dev/null 2>&1
mount -o loop "$WORK/image" "$top"
trap 'umount "$top"' EXIT
base=$top/base
mkdir -p "$base"/{bin,etc,a,b}
head -c 20000001 /dev/urandom >"$base/a/one"
cp --reflink=never "$base/a/one" "$base/b/two"
cp --reflink=always "$base/a/one" "$base/b/clone"
head -c 20000001 /dev/urandom >"$base/other"
printf x | cat - "$base/other" | head -c 20000001 >"$base/nearly"
chmod 4755 "$base/b/two"
touch -d "2001-01-01 01:01:01.5" "$base/b/two"
chown -R "$first:$first" "$base"
chmod 4755 "$base/b/two"
sync
(cd "$base" && find . -type f -printf '%p %m %T@ %s\n' -exec sha256sum {} + | sort) >"$WORK/before"

used() { # MiB
	sync
	btrfs filesystem sync "$top"
	echo $(($(df --output=used -k "$top" | tail -n 1) / 1024))
}

was=$(used)
run "$VMRUN" rootfs shrink --dry-run --idmap="0:$first:65536" "$base"
expect_exit 0
grep -q "^duplicates  *19.1 MiB  in 1$" "$WORK/out" || fail "not what the duplicates are"
run "$VMRUN" rootfs shrink --idmap="0:$first:65536" "$base"
expect_exit 0
expect_silent
grep -q "^duplicates  *19.1 MiB  in 1$" "$WORK/out" || fail "not what the duplicates were"
(cd "$base" && find . -type f -printf '%p %m %T@ %s\n' -exec sha256sum {} + | sort) | diff "$WORK/before" - ||
	fail "something changed"
is=$(used)
[[ $((was - is)) -ge 18 ]] || fail "$was MiB were used, and now $is"
run "$VMRUN" rootfs shrink --idmap="0:$first:65536" "$base"
expect_exit 0
grep -q "^duplicates  *0 bytes  in 0$" "$WORK/out" || fail "duplicates again"
