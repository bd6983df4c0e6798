# shellcheck shell=bash
# SPDX-License-Identifier: MIT
#
# For tests of bootstrap: a system that is as small as one can be and still boot, taken from
# $BASE, for packages of each distribution to bring; keys; an HTTP server on loopback.

# tiny_system DIR: a shell and a few programs, merged /usr, accounts.
tiny_system() {
	local program lib
	mkdir -p "$1"/usr/{bin,lib,lib64,sbin} "$1"/{etc,proc,sys,dev,run,root,var/lib}
	mkdir -m 1777 "$1/tmp"
	for lib in bin lib lib64 sbin; do
		ln -s "usr/$lib" "$1/$lib"
	done
	for program in dash cat chown id ls stat uname; do
		cp -L "$BASE/usr/bin/$program" "$1/usr/bin/"
		chmod u+w "$1/usr/bin/$program"
	done
	ln -s dash "$1/usr/bin/sh"
	cp -L "$BASE/lib64/ld-linux-x86-64.so.2" "$1/usr/lib64/"
	for lib in libc.so.6 libselinux.so.1 libpcre2-8.so.0 libcap.so.2; do
		cp -L "$BASE/usr/lib/x86_64-linux-gnu/$lib" "$1/usr/lib/"
	done
	printf '%s\n' root:x:0:0:root:/root:/bin/sh tiny:x:7:8:tiny:/:/bin/sh >"$1/etc/passwd"
	printf '%s\n' root:x:0: tiny:x:8: >"$1/etc/group"
}

# tiny_modules DIR: of $BASE's, what a guest needs.
tiny_modules() {
	local version modules module
	version=$(ls "$BASE/lib/modules")
	modules=$BASE/lib/modules/$version
	mkdir -p "$1"
	cp "$modules"/modules.{builtin,builtin.modinfo,order} "$1/"
	for module in $(grep -E '/(virtio_pci|virtio_console|9p|9pnet_virtio|overlay|virtio_net|virtio-rng|vmgenid)\.ko' \
		"$modules/modules.dep" | tr -d :); do
		install -D -m 644 "$modules/$module" "$1/$module"
	done
}

# tiny_kernel DIR VMLINUZ: that of $BASE, as VMLINUZ (VERSION is replaced), and its modules.
tiny_kernel() {
	local version
	version=$(ls "$BASE/lib/modules")
	mkdir -p "$1/usr/lib/modules"
	[[ -z $2 ]] || install -D -m 644 "$BASE/boot/vmlinuz-$version" "$1/${2//VERSION/$version}"
	[[ -n $2 && $2 != usr/* ]] || tiny_modules "$1/usr/lib/modules/$version"
}

# make_key NAME: $GNUPGHOME has it; the public one is NAME.gpg and NAME.asc.
export GNUPGHOME=$WORK/gnupg
make_key() {
	[[ -d $GNUPGHOME ]] || mkdir -m 700 "$GNUPGHOME"
	gpg --batch --quiet --passphrase '' --quick-generate-key "$1 <$1@example.org>" rsa2048 sign never
	gpg --batch --quiet --export "$1@example.org" >"$WORK/$1.gpg"
	gpg --batch --quiet --armor --export "$1@example.org" >"$WORK/$1.asc"
}

# serve DIR: sets $url and $server.
url=
server=
serve() {
	local port
	port=$(free_port)
	python3 -m http.server --bind 127.0.0.1 --directory "$1" "$port" >"$WORK/server.log" 2>&1 &
	server=$!
	# shellcheck disable=SC2034 # for who sources this
	url=http://127.0.0.1:$port
	wait_for 10 bash -c "exec 3<>/dev/tcp/127.0.0.1/$port" 2>/dev/null
}

stop_serving() {
	kill "$server"
	wait "$server" || true
	gpgconf --kill all
}

bootstrap() {
	"$VMRUN" rootfs bootstrap "$@"
}

nothing_left() {
	[[ -z $(find "$WORK" -maxdepth 1 -name '.*partial*') ]] || fail "a partial root is left"
	[[ ! -e $WORK/$1 ]] || fail "there is a root of that name"
}

# expect_failure NAME WORDS: refused, and nothing of that root is there.
expect_failure() {
	expect_refused "${@:2}"
	nothing_left "$1"
}

# Root of $WORK/$1 for the layout, and the owner of what belongs to user tiny of it.
gone() {
	local root
	for root; do
		as_guest_owner rm -rf "$WORK/$root"
	done
}
