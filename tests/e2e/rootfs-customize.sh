#!/bin/bash
# SPDX-License-Identifier: MIT
# together
# vmrun rootfs customize: what a guest then sees, whose it is on the host, hostile bases,
# and nothing done where something cannot be.
. "$(dirname "$0")/../lib/e2e.sh"
lib=$(dirname "$0")/../lib

customize() {
	"$VMRUN" rootfs customize "$@"
}

inside() { # DIR COMMAND: as the root of the map, in that directory
	as_subid_owner bash -euc "cd '$1'; $2"
}

listing() { # DIR: all that a change of anything changes
	inside "$1" 'find . -printf "%p %y %m %U:%G %s %T@ %l\n" | sort'
}

expect_line() { # FILE LINE
	grep -qxF -- "$2" "$1" || fail "$1 has no line: $2"
}

# --- everything at once, in the layout of $BASE ---

root=$WORK/root
copy_base "$root"
inside "$root" 'chown 0:42 etc/shadow; chmod 640 etc/shadow; setfattr -n user.kept -v yes etc/hosts
	ln -sf ../run/daemon/resolv.conf etc/resolv.conf; echo old >etc/hostname
	printf "127.0.0.1 localhost\n127.0.1.1 old\n192.0.2.9 db\n" >etc/hosts
	chown 0:5 etc/hosts; mkdir -p var/lib/gone/deep; touch var/lib/gone/deep/x var/lib/gonef
	echo greeting >etc/skel/.greeting'
ssh-keygen -q -t ed25519 -N '' -C test -f "$WORK/key"
mkdir -p "$WORK/tree/sub"
echo content >"$WORK/tree/sub/file"
chmod 751 "$WORK/tree/sub/file"
ln -s sub/file "$WORK/tree/link"
echo "root's secret" >"$WORK/password"
mkfifo "$WORK/slow"
printf '#!/usr/bin/perl\nprint "script of $>: ", <STDIN> // "no input", "\n";\n' >"$WORK/script"

# A package, as small as they come, in a repository that the root brings along.
package() { # NAME
	mkdir -p "$WORK/deb/$1/DEBIAN" "$WORK/deb/$1/usr/bin" "$WORK/repo"
	cat >"$WORK/deb/$1/DEBIAN/control" <<-END
		Package: $1
		Version: 1.0
		Architecture: all
		Maintainer: Nobody <nobody@example.org>
		Description: of a test
	END
	printf '#!/bin/sh\ngetent passwd bob >/etc/%s.conf; hostname >>/etc/%s.conf\n' "$1" "$1" \
		>"$WORK/deb/$1/DEBIAN/postinst"
	printf '#!/bin/sh\necho I am %s\n' "$1" >"$WORK/deb/$1/usr/bin/$1"
	chmod 755 "$WORK/deb/$1"/{DEBIAN/postinst,"usr/bin/$1"}
	dpkg-deb --root-owner-group -b "$WORK/deb/$1" "$WORK/repo/$1.deb" >/dev/null
	{
		dpkg-deb -f "$WORK/repo/$1.deb"
		echo "Filename: ./$1.deb"
		echo "Size: $(stat -c %s "$WORK/repo/$1.deb")"
		echo "SHA256: $(sha256sum "$WORK/repo/$1.deb" | cut -d ' ' -f 1)"
		echo
	} >>"$WORK/repo/Packages"
}
package vmrun-one
package vmrun-two

# The second password comes only when all of ps has been looked at.
"$VMRUN" rootfs customize --hostname neo --root-password "file:$WORK/password" --user bob --user eve:/bin/sh \
	--password bob:stdin --password eve:locked --ssh-authorized-key "bob:$WORK/key.pub" \
	--ssh-authorized-key "root:$WORK/key.pub" --hosts 192.0.2.7:db,db.example --hosts fd00::1:six \
	--dns 192.0.2.1 --dns 2001:db8::1 --timezone Europe/Berlin --locale C.UTF-8 \
	--copy-in "$WORK/tree:/opt/tree" --copy-in "$WORK/tree/sub/file:/srv" \
	--copy-in "$WORK/repo:/srv" --write '/etc/motd:two
lines' --delete '/var/lib/g[n-p]*' --delete '/etc/apt/sources.list*' \
	--write '/etc/apt/sources.list:deb [trusted=yes] file:/srv/repo ./' \
	--package vmrun-one --package vmrun-two --script "$WORK/script" \
	--run '-x 2>/dev/null; id -u >/srv/who; touch /srv/by-guest; echo run' --delete /srv/by-guest "$root" \
	<"$WORK/slow" >"$WORK/out" 2>"$WORK/err" &
pid=$!
exec {slow}>"$WORK/slow"
wait_for 10 grep -qaF locked "/proc/$pid/cmdline"
if grep -laF -e "root's secret" -e "bob's" /proc/[0-9]*/cmdline 2>/dev/null; then
	fail "a password is in ps"
fi
echo "bob's secret" >&"$slow"
exec {slow}>&-
status=0
wait "$pid" || status=$?
expect_exit 0
expect_line "$WORK/out" "script of 0: no input"
expect_line "$WORK/out" run

# As seen by a guest. Of the network, a guest has its own resolv.conf.
cat >"$WORK/look" <<'END'
cat /etc/hostname
getent passwd bob eve | cut -d : -f 1,3-
date +%Z
getent hosts db.example | sed 's/ .*//'
getent hosts six | sed 's/ .*//'
cat /etc/resolv.conf /etc/default/locale /etc/timezone /etc/motd
echo
stat -c '%U:%G %a %n' /etc/shadow /home/bob /home/bob/.ssh /home/bob/.ssh/authorized_keys \
	/home/bob/.greeting /root/.ssh/authorized_keys /opt/tree/sub/file /srv/file
readlink /opt/tree/link
cat /srv/file /srv/who /etc/vmrun-one.conf
ls -d /var/lib/gone* /srv/by-guest 2>/dev/null
vmrun-two
perl -e 'my %hash = map { (split /:/)[0, 1] } do { open my $f, "<", "/etc/shadow"; <$f> };
for (["root", "root\x27s secret"], ["bob", "bob\x27s secret"], ["eve", ""]) {
	my ($user, $password) = @$_;
	print "$user ", (crypt($password, $hash{$user}) // "") eq $hash{$user} ? "yes" : "no", "\n";
}'
END
run vmrun --network=none "$root" -- sh -c "$(<"$WORK/look")"
expect_exit 0
cat >"$WORK/wanted" <<'END'
neo
bob:1000:1000::/home/bob:/bin/bash
eve:1001:1001::/home/eve:/bin/sh
CET
192.0.2.7
fd00::1
nameserver 192.0.2.1
nameserver 2001:db8::1
LANG=C.UTF-8
Europe/Berlin
two
lines
root:shadow 640 /etc/shadow
bob:bob 700 /home/bob
bob:bob 700 /home/bob/.ssh
bob:bob 600 /home/bob/.ssh/authorized_keys
bob:bob 644 /home/bob/.greeting
root:root 600 /root/.ssh/authorized_keys
root:root 751 /opt/tree/sub/file
root:root 751 /srv/file
sub/file
content
0
bob:x:1000:1000::/home/bob:/bin/bash
neo
I am vmrun-two
root yes
bob yes
eve no
END
diff "$WORK/out" "$WORK/wanted" >"$WORK/diff" || fail "a guest sees otherwise: $(<"$WORK/diff")"

# As seen from the host.
expect_eq "owner of bob's home" "$(stat -c %u "$root/home/bob")" "$(host_id 1000)"
expect_eq "owner of a copy" "$(stat -c %u:%g "$root/opt/tree/sub")" "$(host_id 0):$(host_id 0)"
expect_eq "owner of hosts" "$(stat -c %g "$root/etc/hosts")" "$(host_id 5)"
expect_eq "attribute" "$(getfattr --absolute-names --only-values -n user.kept "$root/etc/hosts")" yes
expect_eq "keys" "$(inside "$root" 'cat home/bob/.ssh/authorized_keys')" "$(<"$WORK/key.pub")"
expect_eq "hosts" "$(<"$root/etc/hosts")" "$(printf '127.0.0.1 localhost\n127.0.1.1 neo\n192.0.2.7\tdb db.example\nfd00::1\tsix')"
[[ -z $(inside "$root" 'find . -name ".vmrun*"') ]] || fail "something is left behind"

# --- nothing is done where something cannot be ---

before=$(listing "$root")
unchanged() {
	expect_eq "the root afterwards" "$(listing "$root" | diff - <(echo "$before") | head -5)" ""
}
refused() { # ERROR ARG...
	run customize --hostname other --delete '/etc/m*' "${@:2}" "$root"
	expect_refused "$1"
	unchanged
}
refused "no user 'nobody-here'" --password nobody-here:locked
refused "--root-password: the password itself is not taken" --root-password password:hunter2
refused "give USER:SOURCE" --password hunter2
! grep -q hunter2 "$WORK/err" || fail "the password is repeated"
refused "--root-password: the password itself is not taken" --root-password hunter2
! grep -q hunter2 "$WORK/err" || fail "the password is repeated"
refused "cannot open password file" --root-password "file:$WORK/none"
refused "has no /usr/share/zoneinfo/Europe/Atlantis" --timezone Europe/Atlantis
refused "already; --delete it first" --copy-in "$WORK/tree:/opt"
refused "cannot open '$WORK/none'" --copy-in "$WORK/none:/opt"
refused "cannot open directory /none" --write /none/file:x
refused "user 'bob' exists" --user bob
refused "no ifupdown" --dhcp
refused "but a private one" --ssh-authorized-key "root:$WORK/key"
refused "has a '..'" --delete '/etc/../*'
refused "is no host name" --hosts 192.0.2.1:a_b --run true
refused "cannot open '$WORK/none'" --run true --script "$WORK/none"
refused "is no package's name" --package -y
refused "did you mean --timezone" --timezoen x
run customize "$root"
expect_refused "nothing is to be done"
unchanged
run setsid --wait "$VMRUN" rootfs customize --root-password prompt "$root"
expect_refused "no terminal"
unchanged

# Asked for on a terminal, twice, and not shown there.
ask() { # FIRST [SECOND]
	local steps="expect New password of bob:"$'\n'"send $1"
	[[ $# -eq 1 ]] || steps+=$'\n'"expect same again:"$'\n'"send $2"
	run python3 "$lib/terminal.py" "$steps" "$VMRUN" rootfs customize --password bob:prompt "$root"
}
ask 'one\n' 'two\n'
expect_exit 125
grep -q "the two passwords of bob differ" "$WORK/out" || fail "two that differ"
ask 'one\x03'
expect_exit 130
unchanged
ask 'one two\n' 'one two\n'
expect_exit 0
! grep -q one "$WORK/out" || fail "the password is shown"
# shellcheck disable=SC2016 # for perl
inside "$root" 'perl -e '\''open my $f, "<", "etc/shadow"; my ($h) = map { /^bob:(.*?):/ } <$f>;
	exit !($h eq crypt "one two", $h)'\' || fail "it is another password"
before=$(listing "$root")
"$VMRUN" --accel=tcg -q "$root" -- sleep 30 &
pid=$!
wait_for 20 find_qemu "$pid" >/dev/null
run customize --hostname other "$root"
expect_refused "in use by a guest"
kill "$pid"
wait "$pid" || true

# A command that fails ends it there, and says so.
run customize --write /srv/first:1 --run 'echo hello; exit 7' --write /srv/second:2 "$root"
expect_exit 1
expect_err "--run 'echo hello; exit 7' failed with exit status 7; what stands before it is done"
expect_out hello
[[ -e $root/srv/first && ! -e $root/srv/second ]] || fail "not ended there"

# --- hostile bases: nothing outside is read or written, nothing blocks ---

outside=$WORK/outside
mkdir "$outside"
echo root:x:0:0::/root:/bin/sh >"$outside/passwd"
hostile=$WORK/hostile
mkdir -p "$hostile"/{bin,etc,root,srv,lib/systemd,usr/share/zoneinfo}
echo root:x:0:0::/root:/bin/sh >"$hostile/etc/passwd"
: >"$hostile/lib/systemd/systemd-networkd"
try() { # ERROR ARG...
	run timeout 60 "$VMRUN" rootfs customize "${@:2}" "$hostile"
	expect_refused "$1"
	expect_eq "outside" "$(cat "$outside"/*; ls "$outside")" $'root:x:0:0::/root:/bin/sh\npasswd'
}
ln -sf "$outside/passwd" "$hostile/etc/passwd"
try "is not followed" --root-password locked
ln -sf "../../../../../../../../..$outside/passwd" "$hostile/etc/passwd"
try "is not followed" --user bob
rm "$hostile/etc/passwd"
echo root:x:0:0::/root:/bin/sh >"$hostile/etc/passwd"
mkfifo "$hostile/etc/shadow"
try "/etc/shadow of the root directory is no regular file" --root-password locked
rm "$hostile/etc/shadow"
truncate -s 1T "$hostile/etc/hosts"
try "cannot read /etc/hosts of the root directory: File too large" --hosts 192.0.2.1:a
ln -s / "$hostile/root/.ssh"
try "is not followed" --ssh-authorized-key "root:$WORK/key.pub"
ln -s "$outside" "$hostile/srv/out"
try "cannot open directory /srv/out" --write /srv/out/x:y
mkfifo "$hostile/usr/share/zoneinfo/Fifo"
try "cannot open /usr/share/zoneinfo/Fifo" --timezone Fifo
ln -s loop "$hostile/etc/systemd"
ln -s systemd "$hostile/etc/loop"
try "Too many levels" --dhcp
run customize --delete '/srv/out/*' --delete '/*/out/passwd' --hostname x --delete /etc/hosts \
	--hosts 192.0.2.1:a --delete '/etc/[ls]*' --dhcp "$hostile"
expect_exit 0
[[ -s $outside/passwd ]] || fail "something outside was removed"
expect_eq hosts "$(<"$hostile/etc/hosts")" $'192.0.2.1\ta'
expect_line "$hostile/etc/systemd/network/05-vmrun.network" DHCP=yes

# What is interrupted leaves nothing of what it had begun.
mkdir "$WORK/wide"
(cd "$WORK/wide" && seq 8000 | xargs touch)
interrupted=0
for n in 1 2 3 4 5; do
	"$VMRUN" rootfs customize --copy-in "$WORK/wide:/wide$n" "$hostile" &
	pid=$!
	until compgen -G "$hostile/.vmrun-new-*" >/dev/null || ! kill -0 "$pid" 2>/dev/null; do :; done
	kill -TERM "$pid" 2>/dev/null || true
	status=0
	wait "$pid" || status=$?
	[[ $status -ne 143 ]] || interrupted=$((interrupted + 1))
	expect_eq "what is left of a copy" "$(compgen -G "$hostile/.vmrun-new-*")" ""
done
[[ $interrupted -gt 0 ]] || fail "no copy was interrupted"
rm -rf "$WORK/wide"

# --- the caller as the guest's root, and more sources than one operation takes ---

copies=()
for i in {1..20}; do
	echo "$i" >"$WORK/tree/$i"
	copies+=(--copy-in "$WORK/tree/$i:/srv")
	mkdir "$WORK/dir$i"
	copies+=(--copy-in "$WORK/dir$i:/srv")
done
run customize "${copies[@]}" "$hostile"
expect_exit 0
expect_eq "copies" "$(cat "$hostile"/srv/{1..20} | sort -n | tr -d '\n')" "$(seq 20 | tr -d '\n')"
[[ -d $hostile/srv/dir20 && $(stat -c %u "$hostile/srv/dir20") -eq $EUID ]] || fail "directories"

"$lib/../../contrib/remove-base" "$root" "$hostile"
