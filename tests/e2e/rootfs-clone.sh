#!/bin/bash
# SPDX-License-Identifier: MIT
# together
# timeout: 600
# vmrun rootfs clone: copies that keep everything, identities that are new, hostile sources,
# and nothing left behind.
. "$(dirname "$0")/../lib/e2e.sh"
lib=$(dirname "$0")/../lib
# shellcheck source=tests/lib/zoo.sh
. "$lib/zoo.sh"

clone() {
	"$VMRUN" rootfs clone "$@"
}

listing() { # DIR [EXCLUDED...]
	as_guest_owner python3 "$lib/tree-listing.py" "$@"
}

expect_same() { # A B [EXCLUDED...]
	listing "$1" "${@:3}" >"$WORK/a"
	listing "$2" "${@:3}" >"$WORK/b"
	diff "$WORK/a" "$WORK/b" >"$WORK/diff" || fail "the trees differ: $(head -c 3000 "$WORK/diff")"
	[[ -s $WORK/a ]] || fail "nothing is listed"
}

inside() { # DIR COMMAND: as the root of the map, in that directory
	as_guest_owner bash -euc "cd '$1'; $2"
}

in_subid() { # DIR COMMAND: the same with the ids of that layout
	(cd "$1" && as_subid_owner bash -euc "$2")
}

nothing_left() {
	[[ -z $(find "$WORK" -maxdepth 1 -name '.*partial*') ]] || fail "a partial copy is left"
}

gone() {
	as_guest_owner rm -rf "$@"
}

# --- everything that a file can have, in both layouts ---

for layout in subid caller; do
	base=$WORK/base-$layout
	mkdir -p "$base"
	enter=inside
	if [[ $layout == subid ]]; then
		as_guest_owner chown 1:1 "$base"
		enter=in_subid
		chmod 755 "$WORK"
	fi
	$enter "$base" "mkdir -p bin etc usr; $(make_zoo)"
	run clone --keep-identity "$base" "$WORK/copy"
	expect_exit 0
	expect_silent
	expect_same "$base" "$WORK/copy"
	grep -q "security.capability" "$WORK/a" || fail "there was no file capability"
	grep -q "posix_acl_default" "$WORK/a" || fail "there was no default ACL"
	nothing_left
	gone "$WORK/copy" "$base"
done

# --- a whole distribution ---

for base in "$BASE" "$BASE_CALLER"; do
	run clone --keep-identity "$base" "$WORK/copy"
	expect_exit 0
	expect_silent
	expect_same "$base" "$WORK/copy"
	gone "$WORK/copy"
done

# --- a new identity, and that it boots ---

copy_base "$WORK/src"
in_subid "$WORK/src" 'mkdir -p etc/ssh var/lib/dbus var/lib/systemd
	echo 0123456789abcdef0123456789abcdef >etc/machine-id; cp etc/machine-id var/lib/dbus/
	echo oldname >etc/hostname; printf "127.0.0.1 localhost\n127.0.1.1\toldname.example oldname # oldname\n10.0.0.1 oldname\n" >etc/hosts
	for t in rsa ecdsa ed25519; do ssh-keygen -q -t $t -N "" -f etc/ssh/ssh_host_${t}_key; done
	echo seed >var/lib/systemd/random-seed'
edited=(etc/machine-id etc/hostname etc/hosts var/lib/dbus/machine-id var/lib/systemd/random-seed
	etc/ssh/ssh_host_{rsa,ecdsa,ed25519}_key{,.pub})
for name in One two.2; do
	run clone "$WORK/src" "$WORK/$name"
	expect_exit 0
	expect_silent
	expect_same "$WORK/src" "$WORK/$name" "${edited[@]}"
done
expect_eq hostname "$(<"$WORK/One/etc/hostname")" One
expect_eq hostname "$(<"$WORK/two.2/etc/hostname")" two-2
expect_eq hosts "$(<"$WORK/One/etc/hosts")" $'127.0.0.1 localhost\n127.0.1.1\toldname.example One # oldname\n10.0.0.1 oldname'
for name in src One two.2; do
	cat "$WORK/$name/etc/machine-id" "$WORK/$name"/etc/ssh/*.pub | cut -d ' ' -f -2
done >"$WORK/identities"
expect_eq "different identities" "$(sort -u "$WORK/identities" | wc -l)" 12
grep -qx '[0-9a-f]\{32\}' "$WORK/One/etc/machine-id" || fail "no machine-id"
[[ $(stat -c '%a %u' "$WORK/One/etc/ssh/ssh_host_rsa_key") == "600 $(host_id 0)" ]] || fail "whose key?"
expect_eq "of D-Bus" "$(readlink "$WORK/One/var/lib/dbus/machine-id")" /etc/machine-id
[[ ! -e $WORK/One/var/lib/systemd/random-seed ]] || fail "the seed is still there"
run inside "$WORK/One" 'for k in etc/ssh/*_key; do ssh-keygen -y -f $k | cut -d " " -f -2 |
	cmp - <(cut -d " " -f -2 $k.pub); done'
expect_exit 0
run vmrun "$WORK/One" -- sh -c 'cat /etc/hostname; stat -c %u:%g /etc/ssh/ssh_host_rsa_key /usr/bin/passwd'
expect_exit 0
expect_out $'One\n0:0\n0:0'
run clone --hostname=given.example "$WORK/src" "$WORK/three"
expect_exit 0
expect_eq hostname "$(<"$WORK/three/etc/hostname")" given.example
gone "$WORK"/{One,two.2,three}

# Without ssh-keygen: said, and all else is done.
mkdir "$WORK/path"
for tool in newuidmap newgidmap; do
	ln -s "$(command -v "$tool")" "$WORK/path/$tool"
done
run env PATH="$WORK/path" "$VMRUN" rootfs clone "$WORK/src" "$WORK/copy"
expect_exit 0
expect_err "has no SSH host keys" "ssh-keygen -A"
[[ -z $(ls -A "$WORK/copy/etc/ssh") ]] || fail "keys are there"
[[ -z $(find "$WORK/copy" -maxdepth 1 -name '.*') ]] || fail "something is left in the copy"
gone "$WORK/copy"

# --- a guest that writes to it ---

"$VMRUN" --accel=tcg "$WORK/src" -- sh -c 'echo up; sleep 60' >"$WORK/guest" &
guest_pid=$!
wait_for 120 grep -q up "$WORK/guest"
run clone "$WORK/src" "$WORK/copy"
expect_refused "is being written by a guest" "--shared"
run clone --shared "$WORK/src" "$WORK/copy"
expect_exit 0
kill "$guest_pid"
wait "$guest_pid" || true
gone "$WORK/copy"

# --- hostile sources: nothing outside is read or written, nothing blocks ---

outside=$WORK/outside
mkdir -p "$outside"
echo secret >"$outside/hostname"
hostile=$WORK/hostile
fresh_hostile() {
	gone "$hostile" "$WORK/copy"
	mkdir -p "$hostile"/{bin,etc,var/lib/dbus}
}
untouched() {
	expect_eq "outside" "$(ls -A "$outside"; cat "$outside/hostname")" $'hostname\nsecret'
}
fresh_hostile
rmdir "$hostile/etc"
ln -s "$outside" "$hostile/etc"
run timeout 60 "$VMRUN" rootfs clone "$hostile" "$WORK/copy"
expect_exit 0
untouched
expect_eq "a symlink stays one" "$(readlink "$WORK/copy/etc")" "$outside"
fresh_hostile
ln -s "$outside/hostname" "$hostile/etc/hostname"
ln -s "../../../../../../../..$outside/hostname" "$hostile/etc/hosts"
mkfifo "$hostile/etc/machine-id" "$hostile/var/lib/dbus/machine-id"
ln -s "$outside" "$hostile/etc/ssh"
run timeout 60 "$VMRUN" rootfs clone "$hostile" "$WORK/copy"
expect_exit 0
untouched
expect_eq hostname "$(<"$WORK/copy/etc/hostname")" copy
[[ -f $WORK/copy/etc/machine-id && $(wc -c <"$WORK/copy/etc/machine-id") -eq 33 ]] || fail "no new machine-id"
fresh_hostile
mkdir -p "$hostile/etc/machine-id/x" "$hostile/.vmrun-keys-0000000000000000"
run clone "$hostile" "$WORK/copy"
expect_refused "/etc/machine-id of the root directory" "Is a directory"
nothing_left
run clone --keep-identity "$hostile" "$WORK/copy"
expect_exit 0
# Deeper than a path may be long, and then deeper than a copy goes.
fresh_hostile
python3 - "$hostile" 100 <<'EOT'
import os, sys
os.chdir(sys.argv[1])
for _ in range(int(sys.argv[2])):
    os.mkdir("n" * 255)
    os.chdir("n" * 255)
open("end", "w").close()
EOT
run clone --keep-identity "$hostile" "$WORK/copy"
expect_exit 0
expect_eq "depth" "$(find "$WORK/copy" -type d -printf x | wc -c)" "$(find "$hostile" -type d -printf x | wc -c)"
gone "$WORK/copy"
python3 - "$hostile" 300 <<'EOT'
import os, sys
os.chdir(sys.argv[1])
for _ in range(int(sys.argv[2])):
    os.mkdir("m" * 255)
    os.chdir("m" * 255)
EOT
run clone "$hostile" "$WORK/copy"
expect_refused "the tree is deeper than 65536 bytes of path"
nothing_left
gone "$hostile"

# --- ends of every kind ---

# Large enough to be interrupted.
mkdir -p "$WORK/large"/{bin,etc}
for ((i = 0; i < 20; i++)); do
	mkdir "$WORK/large/$i"
	(cd "$WORK/large/$i" && seq 1500 | xargs touch)
done
partial=$WORK/.copy.vmrun-partial
for signal in TERM INT HUP; do
	"$VMRUN" rootfs clone "$WORK/large" "$WORK/copy" 2>"$WORK/err" &
	pid=$!
	wait_for 10 test -e "$partial/etc"
	# A job in the background ignores SIGINT.
	[[ $signal != INT ]] || signal=QUIT
	kill -s "$signal" "$pid"
	status=0
	wait "$pid" || status=$?
	[[ $signal != QUIT ]] || { expect_eq "status after $signal" "$status" 0; gone "$WORK/copy"; continue; }
	expect_eq "status after $signal" "$status" $((128 + $(kill -l "$signal")))
	[[ ! -e $WORK/copy ]] || fail "there is a copy after $signal"
	nothing_left
done
"$VMRUN" rootfs clone "$WORK/large" "$WORK/copy" &
pid=$!
wait_for 10 test -e "$partial/etc"
run clone "$WORK/large" "$WORK/copy"
expect_refused "is being made just now"
below=$(descendants "$pid")
kill -KILL "$pid"
wait "$pid" || true
# shellcheck disable=SC2086
expect_gone $below
[[ -d $partial && ! -e $WORK/copy ]] || fail "what is there after a kill -9?"
run clone "$WORK/large" "$WORK/copy"
expect_exit 0
expect_same "$WORK/large" "$WORK/copy" etc/hostname
nothing_left

# Two at once to the same place: one wins, whichever.
gone "$WORK/copy"
for i in 1 2; do
	"$VMRUN" rootfs clone "$WORK/large" "$WORK/copy" 2>"$WORK/err.$i" &
done
won=0
for pid in $(jobs -p); do
	! wait "$pid" || won=$((won + 1))
done
expect_eq "winners" "$won" 1
expect_same "$WORK/large" "$WORK/copy" etc/hostname
nothing_left

# --- errors ---

run clone "$WORK/large" "$WORK/copy"
expect_refused "'$WORK/copy' exists"
ln -s nowhere "$WORK/dangling"
run clone "$WORK/large" "$WORK/dangling"
expect_refused "exists"
run clone "$WORK/none" "$WORK/other"
expect_refused "'$WORK/none' does not exist"
run clone "$WORK/large" "$WORK/none/other"
expect_refused "cannot open the directory that"
run clone "$WORK/large" "$WORK/large/0/copy"
expect_refused "would lie inside"
run clone "$WORK/large" "$WORK/.."
expect_refused "names nothing that could be made"
run clone "$WORK/large" "$WORK/$(printf 'n%.0s' {1..256})"
expect_refused "File name too long"
run clone "$WORK/large" "$WORK/$(printf 'n%.0s' {1..255})"
expect_exit 0
run clone "$outside" "$WORK/other"
expect_refused "is no root directory"
run clone --hostname=-x "$WORK/large" "$WORK/other"
expect_refused "--hostname: '-x' is no host name"
run clone --hostname=x --keep-identity "$WORK/large" "$WORK/other"
expect_refused "exclude each other"
run clone "$WORK/large"
expect_refused "DST is not given"
nothing_left
(cd "$WORK" && run clone large relative/ && expect_exit 0) || fail "a relative name"
gone "$WORK"/{large,copy,relative,src,nnn*}
