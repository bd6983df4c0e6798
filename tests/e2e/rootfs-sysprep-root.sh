#!/bin/bash
# SPDX-License-Identifier: MIT
# together
# vmrun rootfs sysprep over what only root can make: immutable files, files of owners outside
# the map, and other file systems that are mounted in the directory.
# as: root
. "$(dirname "$0")/../lib/e2e.sh"

first=$(stat -c %u "$BASE")
src=$WORK/src
mkdir -p "$src"/{bin,etc,root,tmp/{mine,mounted},var/{log,mail},home}
chown -R "$first:$first" "$src"
for file in var/log/stuck.log var/log/other.log root/.bash_history tmp/mine/stuck tmp/other; do
	echo kept >"$src/$file"
	chown "$first:$first" "$src/$file"
done
mkdir "$src/var/mail/of-others"
echo kept >"$src/var/mail/of-others/kept"
chattr +i "$src/var/log/stuck.log" "$src/tmp/mine/stuck"
mount -t tmpfs mail "$src/var/mail"
echo kept >"$src/var/mail/kept"
mount --bind "$BASE/etc" "$src/tmp/mounted"
trap 'chattr -i "$src/var/log/stuck.log" "$src/tmp/mine/stuck"; umount "$src/var/mail" "$src/tmp/mounted"' EXIT

run timeout 60 "$VMRUN" rootfs sysprep --idmap="0:$first:65536" --verbose "$src"
expect_exit 1
expect_err "cannot write /var/log/stuck.log of the root directory: Operation not permitted" \
	"another file system is mounted on '/var/mail'" "another file system is mounted on '/tmp/mounted'" \
	"'/tmp/mine': cannot remove '/stuck': Operation not permitted"
expect_eq "lines of warnings" "$(wc -l <"$WORK/err")" 4
sort "$WORK/out" >"$WORK/told"
expect_eq "what is told" "$(<"$WORK/told")" $'logfiles: empty /var/log/other.log\nshell-history: remove /root/.bash_history\ntmp-files: remove /tmp/other'
expect_eq "what is mounted" "$(cat "$src/var/mail/kept"; find "$src/tmp/mounted" | wc -l)" "kept"$'\n'"$(find "$BASE/etc" | wc -l)"
expect_eq "left behind" "$(find "$src" -xdev -name '.vmrun*')" ""

# Owners outside the map: nothing of theirs can be changed, all else is.
echo kept >"$src/var/log/outside.log"
chown 12:12 "$src/var/log/outside.log"
mkdir "$src/tmp/outside"
echo kept >"$src/tmp/outside/file"
echo new >"$src/root/.bash_history"
chown "$first:$first" "$src/root/.bash_history"
run timeout 60 "$VMRUN" rootfs sysprep --idmap="0:$first:65536" "$src"
expect_exit 1
expect_err "/tmp/outside"
expect_eq "file of others" "$(cat "$src/tmp/outside/file")" kept
[[ ! -e $src/root/.bash_history ]] || fail "the history is still there"
