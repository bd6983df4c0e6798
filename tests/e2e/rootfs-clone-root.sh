#!/bin/bash
# SPDX-License-Identifier: MIT
# together
# vmrun rootfs clone: full disks, and sources that only root can make: devices, owners
# outside the map, mounts; called by root, and by a user in a directory like /tmp.
# as: root
. "$(dirname "$0")/../lib/e2e.sh"

first=$(stat -c %u "$BASE")
small=$WORK/small
mkdir "$small"
mount -t tmpfs -o size=30m,mode=1777 small "$small"
shared=$WORK/shared
mkdir "$shared"
truncate -s 3G "$WORK/image"
/sbin/mkfs.btrfs -q "$WORK/image" >/dev/null 2>&1
mount -o loop "$WORK/image" "$shared"
chmod 1777 "$shared"
trap 'umount "$WORK/src/mnt" "$small" "$shared"' EXIT

clone() {
	"$VMRUN" rootfs clone --idmap="0:$first:65536" "$@"
}

# The user, whom tests/run keeps out of what is root's.
as_user() {
	setpriv --reuid="$TEST_USER" --regid="$(id -g "$TEST_USER")" --init-groups -- "$@"
}

nothing_left() {
	expect_eq "left behind" "$(ls -A "$small")" ""
	expect_eq "KiB in use" "$(df --output=used -k "$small" | tail -n 1 | tr -d ' ')" 0
}

run clone "$BASE" "$small/copy"
expect_refused "No space left on device" "cannot"
nothing_left
mount -o remount,size=2g,nr_inodes=2000 "$small"
run clone "$BASE" "$small/copy"
expect_refused "No space left on device"
nothing_left
mount -o remount,nr_inodes=100000 "$small"

src=$WORK/src
mkdir -p "$src"/{bin,etc,dev,mnt/below,var}
mknod "$src/dev/sda" b 8 0
mknod "$src/dev/null" c 1 3
for i in {1..10}; do
	mknod "$src/dev/tty$i" c 4 "$i"
done
echo o >"$src/var/outside"
echo i >"$src/var/nobody"
chown -R "$first:$first" "$src"
chown 12:12 "$src/var/outside"
chown $((first + 65534)):$((first + 65534)) "$src/var/nobody"
mount -t tmpfs mnt "$src/mnt"
touch "$src/mnt/hidden"
run clone "$src" "$small/copy"
expect_exit 1
expect_err "'/dev/sda': device node not kept" "'/mnt': left out, as another file system is mounted here" \
	"'/var/outside': owner not kept"
! grep -q nobody "$WORK/err" || fail "the map's nobody is taken for an unmapped one"
expect_eq "lines of warnings" "$(wc -l <"$WORK/err")" 14
expect_eq "in mnt" "$(ls -A "$small/copy/mnt")" ""
expect_eq "in dev" "$(ls -A "$small/copy/dev")" ""
expect_eq "owner of the root" "$(stat -c %u:%g "$small/copy")" "$first:$first"
expect_eq "owner of nobody" "$(stat -c %u:%g "$small/copy/var/nobody")" "$((first + 65534)):$((first + 65534))"
rm -rf "$small/copy"
for i in {11..20}; do
	mknod "$src/dev/tty$i" c 4 "$i"
done
run clone "$src" "$small/copy"
expect_exit 1
expect_err "and 8 more that could not be kept"
expect_eq "lines of warnings" "$(wc -l <"$WORK/err")" 17
rm -rf "$small/copy"

# Another file system than the source's, where only its owner may rename a directory.
run as_user "$VMRUN" rootfs clone --keep-identity "$BASE" "$small/copy"
expect_exit 0
expect_silent
python3 "$(dirname "$0")/../lib/tree-listing.py" "$BASE" | sed 's/\[(.*)\]//' >"$WORK/a"
python3 "$(dirname "$0")/../lib/tree-listing.py" "$small/copy" | sed 's/\[(.*)\]//' >"$WORK/b"
diff "$WORK/a" "$WORK/b" >"$WORK/diff" || fail "the trees differ: $(head -c 2000 "$WORK/diff")"
expect_eq "left behind" "$(ls -A "$small")" copy
as_user unshare --map-auto --setuid 0 --setgid 0 -- rm -rf "$small/copy" || fail "the copy cannot be removed"

# Where the file system can share blocks, a second copy takes no more.
used() {
	sync -f "$shared"
	df --output=used -k "$shared" | tail -n 1
}
run as_user "$VMRUN" rootfs clone --keep-identity "$BASE" "$shared/first"
expect_exit 0
before=$(used)
run as_user "$VMRUN" rootfs clone --keep-identity "$shared/first" "$shared/second"
expect_exit 0
[[ $before -gt 200000 && $(($(used) - before)) -lt 50000 ]] || fail "used: $before, then $(used) KiB"
python3 "$(dirname "$0")/../lib/tree-listing.py" "$shared/second" | sed 's/\[(.*)\]//' >"$WORK/b"
diff "$WORK/a" "$WORK/b" >"$WORK/diff" || fail "the trees differ: $(head -c 2000 "$WORK/diff")"

# Left by a kill -9, there too.
as_user "$VMRUN" rootfs clone --keep-identity "$BASE" "$small/copy" &
pid=$!
wait_for 10 test -e "$small/.copy.vmrun-partial/usr"
pkill -KILL -P "$pid" || true
kill -KILL "$pid" 2>/dev/null || true
wait "$pid" || true
run as_user "$VMRUN" rootfs clone --keep-identity "$BASE" "$small/copy"
expect_exit 0
expect_eq "left behind" "$(ls -A "$small")" copy
