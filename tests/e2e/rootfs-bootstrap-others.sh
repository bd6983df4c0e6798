#!/bin/bash
# SPDX-License-Identifier: MIT
# together
# timeout: 600
# vmrun rootfs bootstrap of Arch, Fedora and Alpine, from small repositories made by each
# distribution's own tools.
. "$(dirname "$0")/../lib/e2e.sh"
. "$(dirname "$0")/../lib/repository.sh"

chmod 700 "$WORK"
first=$(stat -c %u "$BASE")
make_key right
make_key wrong
mkdir "$WORK/www"
tiny_system "$WORK/tiny"
# Where Arch's and Fedora's packages put it.
tiny_kernel "$WORK/kernel" usr/lib/modules/VERSION/vmlinuz
ln -s usr/lib "$WORK/kernel/lib"
/sbin/depmod -b "$WORK/kernel" "$(ls "$BASE/lib/modules")"
rm "$WORK/kernel/lib"
serve "$WORK/www"

expect_runs() { # NAME LAYOUT-OWNER WORDS...
	expect_eq "the owner of /etc/passwd" "$(stat -c %u:%g "$WORK/$1/etc/passwd")" "$2"
	run vmrun --read-only "$WORK/$1" -- sh -c 'uname -n; id -u; stat -c %u:%g /usr/bin/ls' 2>/dev/null
	expect_exit 0
	expect_out "$1"$'\n0\n0:0'
}

# --- Arch: makepkg, repo-add ---

arch_package() { # NAME TREE
	mkdir -p "$WORK/arch/$1"
	cat >"$WORK/arch/$1/PKGBUILD" <<-EOT
		pkgname=$1
		pkgver=1
		pkgrel=1
		arch=(x86_64)
		options=(!strip !debug)
		${4:-}
		package() {
			cp -a "$2/." "\$pkgdir/"
		}
	EOT
	[[ -z ${3:-} ]] || printf '%s\n' "install=$1.install" >>"$WORK/arch/$1/PKGBUILD"
	[[ -z ${3:-} ]] || printf 'post_install() {\n%s\n}\n' "$3" >"$WORK/arch/$1/$1.install"
	(cd "$WORK/arch/$1" && PKGEXT=.pkg.tar PKGDEST="$WORK/arch" makepkg --nodeps --sign --key right@example.org) \
		>"$WORK/makepkg" 2>&1 || fail "makepkg: $(tail -5 "$WORK/makepkg")"
}

arch_package base "$WORK/tiny" 'id -u >/by-a-script; ls /proc/1 >/dev/null && ls /vmrun /home >>/by-a-script 2>&1; chown 7:8 /by-a-script'
arch_package linux "$WORK/kernel" "" 'depends=(initramfs)'
for repository in core extra; do
	mkdir -p "$WORK/www/$repository/os/x86_64"
	cp "$WORK"/arch/*.pkg.tar{,.sig} "$WORK/www/$repository/os/x86_64/"
	repo-add -q "$WORK/www/$repository/os/x86_64/$repository.db.tar.gz" "$WORK/www/$repository/os/x86_64/"*.pkg.tar 2>/dev/null
done

run bootstrap arch "$WORK/arch-root" --mirror "$url" --keyring "$WORK/right.asc"
expect_exit 0
expect_silent
expect_runs arch-root "$first:$first"
expect_eq "what a script saw" "$(head -1 "$WORK/arch-root/by-a-script")" 0
[[ $(grep -c "No such file\|cannot access" "$WORK/arch-root/by-a-script") -eq 2 ]] || fail "a script saw more than the root"
expect_eq "the script's file" "$(stat -c %u:%g "$WORK/arch-root/by-a-script")" "$((first + 7)):$((first + 8))"
grep -qx "Server = $url/\$repo/os/\$arch" "$WORK/arch-root/etc/pacman.d/mirrorlist" || fail "no mirror is set"
run bootstrap arch "$WORK/arch-caller" --mirror "$url" --keyring "$WORK/right.gpg" --idmap=caller --no-kernel
expect_exit 0
expect_eq "the owner" "$(stat -c %u:%g "$WORK/arch-caller/etc/passwd")" "$(id -u):$(id -g)"
run bootstrap arch "$WORK/no" --mirror "$url" --keyring "$WORK/wrong.gpg"
expect_failure no "key that is not trusted" "--keyring"
run bootstrap arch "$WORK/no" --mirror "$url" --keyring "$WORK/right.gpg" --include=not-there
expect_failure no "no such package"
run bootstrap arch "$WORK/no" --mirror http://127.0.0.1:1 --keyring "$WORK/right.gpg"
expect_failure no "does not answer"
run bootstrap arch "$WORK/no" --mirror "$url" --keyring "$WORK/right.gpg" --suite=x
expect_failure no "--suite has no meaning"
gone arch-root arch-caller

# --- Fedora: rpmbuild, rpmsign, createrepo_c ---

rpm_package() { # NAME TREE PROVIDES [SCRIPT]
	mkdir -p "$WORK/rpm" "$WORK/rpmdb"
	cat >"$WORK/rpm/$1.spec" <<-EOT
		Name: $1
		Version: 1
		Release: 1
		Summary: test
		License: none
		Provides: $3
		AutoReqProv: no
		%description
		test
		%install
		mkdir -p %{buildroot}
		cp -a "$2/." %{buildroot}/
		${4:+%post -p /bin/sh}
		${4:-}
		%files
		%defattr(-,root,root)
		$(cd "$2" && find . ! -type d -printf '/%P\n' -o -type d -printf '%%dir /%P\n' | grep -v '/$')
	EOT
	rpmbuild --quiet -bb --target x86_64 -D "_topdir $WORK/rpm" -D "_rpmdir $WORK/rpm/out" -D "_dbpath $WORK/rpmdb" \
		-D '__os_install_post %{nil}' -D 'debug_package %{nil}' -D '_build_id_links none' "$WORK/rpm/$1.spec" \
		>"$WORK/rpmbuild" 2>&1 || fail "rpmbuild: $(tail -5 "$WORK/rpmbuild")"
}

rpm_package fedora-release "$WORK/tiny" \
	"bash coreutils util-linux iproute dnf systemd glibc-minimal-langpack rootfiles /bin/sh" \
	'id -u >/by-a-script; cat /etc/kernel/install.conf >>/by-a-script; chown 7:8 /by-a-script'
rpm_package kernel-core "$WORK/kernel" "kernel-modules"
rpmsign -D '__gpg /usr/bin/gpg' -D "_gpg_name right@example.org" -D "_gpg_digest_algo sha256" --addsign "$WORK"/rpm/out/*/*.rpm >/dev/null 2>&1 ||
	fail "rpmsign does not work"
mkdir -p "$WORK/www/fedora/42"
cp "$WORK"/rpm/out/*/*.rpm "$WORK/www/fedora/42/"
createrepo_c -q "$WORK/www/fedora/42"

fedora() { # NAME OPTION...
	run bootstrap fedora "$WORK/$1" --mirror "$url/fedora/\$releasever" "${@:2}"
}

fedora fedora-root --keyring "$WORK/right.asc"
expect_exit 0
expect_silent
expect_runs fedora-root "$first:$first"
expect_eq "what a script saw" "$(head -3 "$WORK/fedora-root/by-a-script")" $'0\nlayout=other\ninitrd_generator=none'
expect_eq "the script's file" "$(stat -c %u:%g "$WORK/fedora-root/by-a-script")" "$((first + 7)):$((first + 8))"
fedora fedora-caller --keyring "$WORK/right.asc" --idmap=caller --no-kernel
expect_exit 0
expect_eq "the owner" "$(stat -c %u:%g "$WORK/fedora-caller/etc/passwd")" "$(id -u):$(id -g)"
fedora no --keyring "$WORK/wrong.asc"
expect_failure no "key that is not trusted" "--keyring"
fedora no --keyring "$WORK/right.asc" --suite=41
expect_failure no "no such suite"
fedora no --keyring "$WORK/right.asc" --include=not-there
expect_failure no "no such package"
gone fedora-root fedora-caller

# --- Alpine: an archive, whose apk is a script of this test's: what is tried is that it runs
# --- in a guest, with what arguments, and that its failure is one.

mkdir "$WORK/alpine"
cp -a "$WORK/tiny/." "$WORK/alpine/"
cp -L "$BASE/usr/bin/mkdir" "$WORK/alpine/usr/bin/"
cat >"$WORK/alpine/usr/sbin/apk" <<'EOT'
#!/bin/sh
echo "$@ $(uname -s) $(id -u)" >>/apk-was-run
case "$*" in *not-there*) echo "ERROR: unable to select packages: not-there (no such package)"; exit 1 ;; esac
EOT
chmod 755 "$WORK/alpine/usr/sbin/apk"
tar -c --owner=0 --group=0 -C "$WORK/alpine" . | gzip >"$WORK/www/minirootfs.tar.gz"
sum=$(sha256sum "$WORK/www/minirootfs.tar.gz" | cut -d ' ' -f 1)
version=$(ls "$BASE/lib/modules")

alpine() { # NAME OPTION...
	run bootstrap alpine "$WORK/$1" --guest-kernel "$BASE/boot/vmlinuz-$version" \
		--guest-modules "$BASE/lib/modules/$version" "${@:2}"
}

alpine alpine-root --archive "$url/minirootfs.tar.gz" --sha256 "$sum" --no-kernel --include=one,two
expect_exit 0
expect_silent
expect_eq "what apk was told" "$(cat "$WORK/alpine-root/apk-was-run")" "add --no-cache one two Linux 0"
expect_eq "the owner" "$(stat -c %u:%g "$WORK/alpine-root/etc/passwd")" "$first:$first"
expect_eq "its name" "$(cat "$WORK/alpine-root/etc/hostname")" alpine-root
alpine alpine-caller --archive "$WORK/www/minirootfs.tar.gz" --no-kernel --idmap=caller
expect_exit 0
[[ ! -e $WORK/alpine-caller/apk-was-run ]] || fail "apk had nothing to do"
expect_eq "the owner" "$(stat -c %u:%g "$WORK/alpine-caller/etc/passwd")" "$(id -u):$(id -g)"
alpine no --archive "$url/minirootfs.tar.gz" --sha256 "${sum//[0-4]/5}" --no-kernel
expect_failure no "another file than --sha256 says" "$sum"
alpine no --archive "$url/minirootfs.tar.gz" --no-kernel
expect_failure no "needs --sha256"
alpine no --archive "$url/not-there.tar.gz" --sha256 "$sum" --no-kernel
expect_failure no "no such archive"
alpine no --no-kernel
expect_failure no "--archive"
alpine no --archive "$WORK/www/minirootfs.tar.gz" --no-kernel --include=not-there
expect_exit 125
expect_err "unable to select packages: not-there" "the guest failed with status 1"
nothing_left no
gone alpine-root alpine-caller

stop_serving
