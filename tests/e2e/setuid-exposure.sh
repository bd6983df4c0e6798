#!/bin/bash
# SPDX-License-Identifier: MIT
# A program that the guest makes setuid runs as the caller for everyone on the host who
# can reach it: that is so, it is said, and what the warning advises ends both.
# as: root
. "$(dirname "$0")/../lib/e2e.sh"

# Our directory is closed to others: in a mount namespace /mnt is another way to it.
if [[ ${1:-} != inside ]]; then
	exec unshare --mount --propagation private bash "$0" inside
fi
chmod 755 "$WORK"
mount --bind "$WORK" /mnt
mount -o remount,bind,suid,exec /mnt
WORK=/mnt

caller=$(id -u "$TEST_USER")
as_caller() {
	setpriv --reuid="$caller" --regid="$(id -g "$TEST_USER")" --init-groups \
		env HOME=/mnt/home XDG_CACHE_HOME=/mnt/home/cache "$@"
}
vmrun() {
	as_caller "$VMRUN" --accel=tcg "$@"
}
for dir in home open; do
	install -d -o "$TEST_USER" -g "$(id -g "$TEST_USER")" -m 755 "/mnt/$dir"
done
as_caller unshare --map-auto --map-root-user -- cp -a --reflink=auto "$BASE_CALLER" /mnt/open/caller
as_caller unshare --map-auto --map-root-user -- cp -a --reflink=auto "$BASE" /mnt/open/subid
as_caller mkdir /mnt/open/volume

# stranger PROGRAM: what it says when another user of the host runs it.
stranger() {
	# By way of a shell: setpriv itself still has root's capabilities when it executes.
	# shellcheck disable=SC2016 # that shell expands it
	setpriv --reuid=65534 --regid=65534 --clear-groups sh -c '"$0" -u' "$1" 2>&1 || true
}

expect_warning() { # PLACE
	expect_exit 0
	[[ $(wc -l <"$WORK/err") -eq 1 ]] || fail "stderr is not one line"
	expect_err "makes in $1 runs as you" "chmod go-x /mnt/open" --allow-setuid
}

make_program() { # OWNER FILE, in the guest
	echo "cp /usr/bin/id $2; chown $1 $2; chmod 4755 $2"
}

# The guest's root is the caller.
run vmrun /mnt/open/caller -- sh -ec "$(make_program 0 /srv/id)"
expect_warning /mnt/open/caller
expect_eq "who a stranger is" "$(stranger /mnt/open/caller/srv/id)" "$caller"

# It is not, but can give files to the caller, who is in the map: past the range, or at
# the same id if that lies past it.
run vmrun /mnt/open/subid -- sh -ec "$(make_program $((caller < 65536 ? 65536 : caller)) /srv/id)"
expect_warning /mnt/open/subid
expect_eq "who a stranger is, by chown" "$(stranger /mnt/open/subid/srv/id)" "$caller"

# In a volume.
run vmrun --ephemeral -v /mnt/open/volume:/mnt /mnt/open/caller -- \
	sh -ec "$(make_program 0 /mnt/id)"
expect_warning /mnt/open/volume
expect_eq "who a stranger is, in a volume" "$(stranger /mnt/open/volume/id)" "$caller"

silent() { # OPTION...
	run vmrun "$@" /mnt/open/caller -- true
	expect_exit 0
	expect_silent
}
silent --read-only
silent --ephemeral
silent --ephemeral -v /mnt/open/volume:/mnt:ro
silent --allow-setuid
silent --quiet

chmod go-x /mnt/open
silent
silent -v /mnt/open/volume:/mnt
for program in caller/srv/id subid/srv/id volume/id; do
	[[ $(stranger "/mnt/open/$program") == *"Permission denied"* ]] ||
		fail "a stranger can run $program: $(stranger "/mnt/open/$program")"
done
