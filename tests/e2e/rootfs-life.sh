#!/bin/bash
# SPDX-License-Identifier: MIT
# together
# timeout: 600
# The life of a root directory, as a user would have it: Debian, bootstrapped, customized,
# cloned twice, both booted: one system as asked for, two identities.
. "$(dirname "$0")/../lib/e2e.sh"
lib=$(dirname "$0")/../lib

root=$WORK/master
run "$VMRUN" rootfs bootstrap debian "$root" --suite=bookworm --include=openssh-server
expect_exit 0
ssh-keygen -q -t ed25519 -N '' -C test -f "$WORK/key"
echo 'correct horse' >"$WORK/password"
mkdir -p "$WORK/deb/DEBIAN"
printf '%s\n' 'Package: vmrun-life' 'Version: 1.0' 'Architecture: all' \
	'Maintainer: Nobody <nobody@example.org>' 'Description: of a test' >"$WORK/deb/DEBIAN/control"
dpkg-deb --root-owner-group -b "$WORK/deb" "$WORK/life.deb" >/dev/null

run "$VMRUN" rootfs customize --hostname master --root-password "file:$WORK/password" \
	--ssh-authorized-key "root:$WORK/key.pub" \
	--write '/etc/machine-id:0123456789abcdef0123456789abcdef
' --copy-in "$WORK/life.deb:/srv" --delete '/etc/apt/sources.list*' --package /srv/life.deb "$root"
expect_exit 0
for name in one two; do
	run "$VMRUN" rootfs clone "$root" "$WORK/$name"
	expect_exit 0
done

# Each prints what has to be the same of both, then what must not be.
for name in one two; do
	# shellcheck disable=SC2016 # for the guest
	run vmrun --network=none "$WORK/$name" -- sh -c '
		dpkg-query -W vmrun-life
		cat /root/.ssh/authorized_keys
		perl -e '\''open my $f, "<", "/etc/shadow"; my ($h) = map { /^root:(.*?):/ } <$f>;
			print crypt("correct horse", $h) eq $h ? "yes\n" : "no\n"'\''
		stat -c "%U %a" /etc/ssh/ssh_host_*_key
		echo ---
		cat /etc/hostname /etc/machine-id /etc/ssh/ssh_host_*_key.pub'
	expect_exit 0
	cp "$WORK/out" "$WORK/out.$name"
done
same() {
	sed '/^---$/,$d' "$WORK/out.$1"
}
own() {
	sed '1,/^---$/d' "$WORK/out.$1"
}
expect_eq "what is the same" "$(same one)" "$(printf 'vmrun-life\t1.0\n%s\nyes\nroot 600\nroot 600\nroot 600' "$(<"$WORK/key.pub")")"
expect_eq "the other" "$(same two)" "$(same one)"
expect_eq "lines of an identity" "$(own one | wc -l) $(own two | wc -l)" "5 5"
expect_eq "names" "$(own one | head -n 1) $(own two | head -n 1)" "one two"
shared=$({ own one; own two; cat "$root/etc/machine-id" "$root"/etc/ssh/ssh_host_*.pub; } | cut -d ' ' -f 1,2 | sort | uniq -d)
expect_eq "what two of them share" "$shared" ""
"$lib/../../contrib/remove-base" "$root" "$WORK/one" "$WORK/two"
