#!/bin/bash
# SPDX-License-Identifier: MIT
# together
# timeout: 600
# vmrun rootfs bootstrap of Debian and Ubuntu: a real Debian that boots, small repositories
# with right and wrong keys, and nothing left behind.
. "$(dirname "$0")/../lib/e2e.sh"
. "$(dirname "$0")/../lib/repository.sh"

# No setuid program of a guest is anybody's business here.
chmod 700 "$WORK"
first=$(stat -c %u "$BASE")

# --- a real Debian, with a kernel ---

run bootstrap debian "$WORK/debian" --suite=bookworm --include=acl
expect_exit 0
expect_silent
nothing_left none
expect_eq "the root's owner" "$(stat -c %u:%g:%a "$WORK/debian")" "$first:$first:755"
expect_eq "the owner of /etc/shadow" "$(stat -c %u:%g:%a "$WORK/debian/etc/shadow")" \
	"$first:$((first + 42)):640"
expect_eq "owners out of the map" "$(find "$WORK/debian" -uid "-$first" -o -uid "+$((first + 65535))" 2>/dev/null)" ""
expect_eq "what is in /boot" "$(cd "$WORK/debian/boot" && echo vmlinuz-*)" "vmlinuz-$(ls "$WORK/debian/lib/modules")"
[[ ! -e $WORK/debian/initrd.img && -z $(find "$WORK/debian/boot" -name 'initrd*') ]] || fail "an initramfs was made"
expect_eq "the host's resolver" "$(cat "$WORK/debian/etc/resolv.conf")" ""
expect_eq "what is left in /tmp and /dev" "$(find "$WORK/debian/tmp" "$WORK/debian/dev" -mindepth 1)" ""
run vmrun --read-only "$WORK/debian" -- sh -ec 'hostname; cat /etc/hostname; id -u; stat -c %U:%G /etc/shadow
	su nobody -s /bin/sh -c "id -un"; dpkg --audit; getfacl --version >/dev/null; grep -c debian /etc/os-release' 2>/dev/null
expect_exit 0
expect_out $'debian\ndebian\n0\nroot:shadow\nnobody\n'"$(grep -c debian "$WORK/debian/etc/os-release")"

# --- small repositories: Debian's and Ubuntu's suites, each kernel as that distribution has it ---

make_deb() { # DIR NAME DEPENDS
	mkdir -p "$1/DEBIAN" "$WORK/repo/pool"
	printf '%s\n' "Package: $2" "Version: 1" "Architecture: amd64" "Maintainer: nobody" \
		"Description: test" ${3:+"$3"} >"$1/DEBIAN/control"
	dpkg-deb --root-owner-group -Znone -b "$1" "$WORK/repo/pool/$2.deb" >/dev/null
}

make_suite() { # SUITE KEY
	local dir=$WORK/repo/dists/$1
	mkdir -p "$dir/main/binary-amd64"
	cp "$WORK/Packages" "$dir/main/binary-amd64/Packages"
	apt-ftparchive -o "APT::FTPArchive::Release::Suite=$1" -o "APT::FTPArchive::Release::Codename=$1" \
		-o APT::FTPArchive::Release::Components=main -o APT::FTPArchive::Release::Architectures=amd64 \
		release "$dir" >"$WORK/Release"
	mv "$WORK/Release" "$dir/Release"
	gpg --batch --quiet -u "$2@example.org" --clearsign -o "$dir/InRelease" "$dir/Release"
}

make_key right
make_key wrong
version=$(ls "$BASE/lib/modules")
tiny_system "$WORK/tiny"
make_deb "$WORK/tiny" tiny "Essential: yes"
mkdir "$WORK/more"
make_deb "$WORK/more" tiny-more ""
# Debian: image and modules in one. Ubuntu: apart.
mkdir "$WORK/meta-debian" "$WORK/meta-ubuntu"
make_deb "$WORK/meta-debian" linux-image-amd64 "Depends: tiny, linux-image-$version (= 1)"
make_deb "$WORK/meta-ubuntu" linux-image-virtual "Depends: linux-image-$version-generic"
tiny_kernel "$WORK/kernel" boot/vmlinuz-VERSION
tiny_kernel "$WORK/modules" ""
cp -r "$WORK/modules" "$WORK/both"
cp -r "$WORK/kernel/boot" "$WORK/both/"
make_deb "$WORK/both" "linux-image-$version" ""
make_deb "$WORK/kernel" "linux-image-$version-generic" "Depends: linux-modules-$version-generic"
mv "$WORK/modules/usr/lib/modules/$version" "$WORK/modules/usr/lib/modules/$version-generic"
mv "$WORK/kernel/boot/vmlinuz-$version" "$WORK/kernel/boot/vmlinuz-$version-generic"
make_deb "$WORK/kernel" "linux-image-$version-generic" "Depends: linux-modules-$version-generic"
make_deb "$WORK/modules" "linux-modules-$version-generic" ""
(cd "$WORK/repo" && apt-ftparchive packages pool) >"$WORK/Packages"
make_suite bookworm right
make_suite noble right
serve "$WORK/repo"

small() { # DISTRO NAME OPTION...
	run bootstrap "$1" "$WORK/$2" --variant=extract --mirror "$url" "${@:3}"
}

small ubuntu noble --keyring "$WORK/right.asc" --idmap=caller --include=tiny,tiny-more
expect_exit 0
expect_silent
expect_eq "the owner" "$(stat -c %u:%g "$WORK/noble/etc/passwd")" "$(id -u):$(id -g)"
run vmrun --read-only "$WORK/noble" -- sh -c 'uname -n; id -u; stat -c %u /etc/passwd' 2>/dev/null
expect_exit 0
expect_out $'noble\n0\n0'
small debian plain --suite=bookworm --keyring "$WORK/right.gpg" --no-kernel --include=tiny
expect_exit 0
expect_eq "the owner" "$(stat -c %u:%g "$WORK/plain/etc/passwd")" "$first:$first"
[[ ! -e $WORK/plain/boot ]] || fail "there is a kernel"
run vmrun --read-only "$WORK/plain" -- id -u
expect_refused "kernel"

# --- what goes wrong: a line each, and nothing left ---

small debian no --suite=bookworm --keyring "$WORK/wrong.gpg" --no-kernel
expect_failure no "signed by a key that is not trusted" "--keyring"
small debian no --suite=nosuch --keyring "$WORK/right.gpg"
expect_failure no "has no such suite"
small debian no --suite=bookworm --keyring "$WORK/right.gpg" --include=tiny-not --no-kernel
expect_failure no "has no such package"
small debian plain --suite=bookworm
expect_refused "'$WORK/plain' exists"
small debian no --keyring "$WORK/none.gpg"
expect_failure no "--keyring" "No such file"
run bootstrap debian "$WORK/no" --mirror http://127.0.0.1:1/ --suite=bookworm
expect_failure no "the mirror does not answer"
run bootstrap debian "$WORK/no" --mirror "file://$WORK/repo"
expect_failure no "no URL of http"
run bootstrap debian "$WORK/no" --include 'a,$(touch x)'
expect_failure no "--include"
run bootstrap debian "$WORK/no" --suite=--help
expect_failure no "--suite"
run bootstrap debian "$WORK/no" --arch=s390x
expect_failure no "s390x" "qemu-user"
run bootstrap debian "$WORK/no" --idmap=single
expect_failure no "more than one owner"
run bootstrap debain "$WORK/no"
expect_failure no "did you mean debian?"

# --- ends in the middle: the packages never come ---

deafen() { # a mirror that never answers; sets $port, $deaf
	port=$(free_port)
	python3 -c 'import socket, time
s = socket.create_server(("127.0.0.1", '"$port"'))
c = s.accept()
open("'"$WORK"'/asked", "w")
time.sleep(600)' &
	deaf=$!
	rm -f "$WORK/asked"
	wait_for 10 grep -q ":$(printf %04X "$port") .* 0A " /proc/net/tcp
}

stuck() { # starts one that waits for its mirror; sets $vmrun, $children
	deafen
	"$VMRUN" rootfs bootstrap debian "$WORK/no" --suite=bookworm --mirror "http://127.0.0.1:$port/" \
		>"$WORK/out" 2>"$WORK/err" &
	vmrun=$!
	wait_for 30 test -e "$WORK/asked"
	children=$(descendants "$vmrun")
	[[ -n $children ]] || fail "nothing is running"
}

for signal in TERM HUP; do
	stuck
	kill "-$signal" "$vmrun"
	status=0
	wait "$vmrun" || status=$?
	kill "$deaf"
	expect_exit $((128 + $(kill -l $signal)))
	# shellcheck disable=SC2086 # a list of words
	expect_gone $children
	nothing_left no
done
# On a terminal it is seen what is done, on one line.
deafen
run "$(dirname "$0")/../lib/terminal.py" '
	expect running apt-get update
	pause 0.5
	send \x03
' "$VMRUN" rootfs bootstrap debian "$WORK/no" --suite=bookworm --mirror "http://127.0.0.1:$port/"
kill "$deaf"
expect_exit $((128 + 2))
nothing_left no
[[ $(grep -c apt-get "$WORK/out") -eq 1 ]] || fail "there is more than one line"
# Nobody can clean up here, but the next one does.
stuck
kill -9 "$vmrun"
wait "$vmrun" 2>/dev/null || true
kill "$deaf"
# shellcheck disable=SC2086 # a list of words
expect_gone $children
[[ -e $WORK/.no.vmrun-partial ]] || fail "what is begun has another name"
small debian no --suite=bookworm --keyring "$WORK/right.gpg" --no-kernel --include=tiny
expect_exit 0
gone no
nothing_left no

stop_serving
gone debian noble plain
