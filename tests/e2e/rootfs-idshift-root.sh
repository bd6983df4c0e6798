#!/bin/bash
# SPDX-License-Identifier: MIT
# together
# vmrun rootfs idshift, called by root: devices, owners outside the map, what is refused
# before anything is changed, a full disk.
# as: root
. "$(dirname "$0")/../lib/e2e.sh"

old=0:700000:65536
new=0:700001:65536
base=$WORK/base
small=$WORK/small
mkdir -p "$base"/{bin,etc,mnt,d} "$small"
echo a >"$base/a"
mknod "$base/dev" c 1 3
chown -R 700000:700000 "$base"
echo nobody >"$base/nobody"
chown 765534:765534 "$base/nobody"
echo host >"$base/host"
chown 5:6 "$base/host"
echo half >"$base/half"
chown 700003:6 "$base/half"
trap 'chattr -i "$base/a"; umount "$base/mnt" "$small" || true' EXIT

idshift() {
	"$VMRUN" rootfs idshift "$@"
}

owners() {
	(cd "$1" && find . -printf '%p %U:%G %m %y\n' | sort)
}

unchanged() {
	owners "$base" | diff "$WORK/before" - || fail "something was changed"
	[[ -z $(find "$WORK" -maxdepth 1 -name '.*idshift*') ]] || fail "a plan is left"
}

owners "$base" >"$WORK/before"
chattr +i "$base/a"
run idshift --idmap=$old --to=$new "$base"
expect_refused "'/a' is immutable or append-only"
unchanged
chattr -i "$base/a"
mount -t tmpfs none "$base/mnt"
run idshift --idmap=$old --to=$new "$base"
expect_refused "'/mnt' is another file system"
umount "$base/mnt"
unchanged
run idshift --idmap=$old --to=0:5:100 "$base"
expect_refused "must not hold host ids below 1000"
unchanged
run idshift --idmap=$old --to=caller "$base"
expect_refused "called by root"
unchanged

run idshift --idmap=$old --to=$new "$base"
expect_exit 1
expect_out "files: 10, with another owner: 8, ACLs: 0, capabilities: 0"
expect_err "'/host': left as it is: its owner is outside the id map" "'/half': left as it is"
expect_eq warnings "$(wc -l <"$WORK/err")" 2
sed 's/ 7\([0-9]*\)0:7\([0-9]*\)0 / 7\11:7\21 /; s/765534:765534/765535:765535/' "$WORK/before" |
	diff - <(owners "$base") || fail "whose are they?"

# No room for the plan: nothing was changed.
mount -t tmpfs -o size=100k,mode=1777 small "$small"
cp -a "$base" "$small/base"
owners "$small/base" >"$WORK/before"
head -c 1M /dev/zero >"$small/fill" 2>/dev/null || true
run idshift --idmap=$new --to=$old "$small/base"
expect_refused "No space left on device"
owners "$small/base" | diff "$WORK/before" - || fail "something was changed"
rm "$small/fill"
expect_eq "left behind" "$(ls -A "$small")" base
