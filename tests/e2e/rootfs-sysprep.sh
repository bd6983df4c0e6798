#!/bin/bash
# SPDX-License-Identifier: MIT
# together
# vmrun rootfs sysprep: leftovers of every kind, hostile ones too; what a dry run says is
# what is done, nothing else changes, and a clone is a whole system again.
. "$(dirname "$0")/../lib/e2e.sh"
lib=$(dirname "$0")/../lib
man=$(dirname "$0")/../../contrib/man/vmrun-rootfs.1

sysprep() {
	"$VMRUN" rootfs sysprep "$@"
}

listing() { # DIR
	as_guest_owner python3 "$lib/tree-listing.py" "$1" >"$2"
}

inside() { # DIR COMMAND: as the root of the map, in that directory
	as_subid_owner bash -euc "cd '$1'; $2"
}

outside=$WORK/outside
mkdir -p "$outside/log" "$outside/tmp"
echo secret | tee "$outside/log/x.log" "$outside/tmp/x" "$outside/history" >/dev/null
listing "$outside" "$WORK/outside.before"
# But for how many names a file has: one of them is in the tree.
outside_is_untouched() {
	listing "$outside" "$WORK/outside.after"
	cmp <(sed 's/ n[0-9]* / /' "$WORK/outside.before") <(sed 's/ n[0-9]* / /' "$WORK/outside.after") ||
		fail "something outside changed"
}

# --- the list, and the manual ---

run sysprep --list
expect_exit 0
expect_silent
cut -c 1-28 "$WORK/out" | sed 's/ *$//; s/  */ /' >"$WORK/list"
sed -n '/^\.SS sysprep$/,/^\.SS/s/^\.BR* \([a-z-]*\) " (\(on\|off\))"$/\1 \2/p' <(sed 's/\\-/-/g' "$man") >"$WORK/manual"
[[ $(wc -l <"$WORK/list") -gt 40 ]] || fail "few operations"
diff "$WORK/list" "$WORK/manual" || fail "--list and the manual differ"

# --- leftovers ---

copy_base "$WORK/src"
inside "$WORK/src" '
	mkdir -p etc/ssh root/.ssh var/lib/{systemd/{coredump,timers},dhcp,dbus,cloud/{seed,instances/i},NetworkManager} \
		var/log/{journal/0123,apt,installer} var/spool/cron/crontabs var/mail var/crash var/cache/apt/archives \
		etc/{udev/rules.d,sysconfig/network-scripts,NetworkManager/system-connections} home/{ann,bob}/.ssh srv tmp var/tmp
	echo 0123456789abcdef0123456789abcdef | tee etc/machine-id >var/lib/dbus/machine-id
	for t in rsa ed25519; do ssh-keygen -q -t $t -N "" -f etc/ssh/ssh_host_${t}_key; done
	echo Port 22 >etc/ssh/sshd_config
	for f in var/log/{wtmp,btmp,lastlog,dpkg.log,dpkg.log.1,syslog,syslog.2.gz,apt/history.log,installer/log} \
		var/log/journal/0123/system.journal {root,home/ann}/.bash_history home/bob/.zsh_history \
		{root,home/ann,home/bob}/.ssh/authorized_keys var/lib/systemd/{random-seed,credential.secret} \
		var/lib/systemd/{coredump/core.x,timers/stamp-x} var/lib/dhcp/{dhclient.leases,dhcpd.leases} \
		var/lib/cloud/{seed/s,instances/i/x} var/spool/cron/{crontabs/ann,.SEQ} var/mail/ann var/crash/c \
		var/cache/apt/archives/{lock,x.deb} etc/udev/rules.d/70-persistent-net.rules etc/{passwd,shadow}- \
		etc/NetworkManager/system-connections/x.nmconnection etc/fstab~ srv/x.bak srv/kept tmp/{.hidden,x} var/tmp/y \
		var/lib/NetworkManager/secret_key; do echo "left over" >"$f"; done
	printf "DEVICE=eth0\nHWADDR=00:11\nHOSTNAME=x\n" >etc/sysconfig/network-scripts/ifcfg-eth0
	chown 0:43 var/log/wtmp; chmod 664 var/log/wtmp
	mkdir tmp/many; (cd tmp/many && seq 10000 | xargs touch)
	chown 1000:1000 home/ann; chown 1001:1001 home/bob
	printf "ann:x:1000:1000::/home/ann:/bin/sh\nbob:x:1001:1001::/home/bob:/bin/sh\nevil:x:1002:1002::/home/../etc:/bin/sh\n" >>etc/passwd
	printf "ann:x:1000:\nbob:x:1001:ann\n" >>etc/group
	printf "ann:*:1::::::\nbob:*:1::::::\n" >>etc/shadow
	mkdir -p home/evil-looking "tmp/$(printf "new\nline\033[2J")"
'

listing "$WORK/src" "$WORK/before"
run sysprep --dry-run "$WORK/src"
expect_exit 0
expect_silent
cp "$WORK/out" "$WORK/dry"
listing "$WORK/src" "$WORK/after"
cmp "$WORK/before" "$WORK/after" || fail "a dry run changed something"
for words in "ssh-hostkeys: remove /etc/ssh/ssh_host_ed25519_key" "machine-id: empty /etc/machine-id" \
	"logfiles: empty /var/log/wtmp" "logfiles: empty /var/log/dpkg.log" "logfiles: remove /var/log/dpkg.log.1" \
	"logfiles: remove /var/log/journal/0123/" "tmp-files: remove /tmp/many/" "tmp-files: remove /tmp/.hidden" \
	"tmp-files: remove /tmp/new?line?[2J/" "shell-history: remove /home/bob/.zsh_history" \
	"ssh-userdir: remove /root/.ssh/" "cloud-init: remove /var/lib/cloud/instances/" \
	"dhcp-server-state: empty /var/lib/dhcp/dhcpd.leases" "net-hwaddr: write /etc/sysconfig/network-scripts/ifcfg-eth0" \
	"backup-files: remove /etc/fstab~" "backup-files: remove /srv/x.bak" "cron-spool: remove /var/spool/cron/crontabs/ann" \
	"package-manager-cache: remove /var/cache/apt/archives/x.deb" "passwd-backups: remove /etc/passwd-" \
	"systemd-secrets: remove /var/lib/systemd/credential.secret" "random-seed: remove /var/lib/systemd/random-seed"; do
	grep -qxF -- "$words" "$WORK/dry" || fail "not told: $words"
done
! grep -qE "srv/kept|archives/lock|cloud/seed|\.SEQ|user-account" "$WORK/dry" || fail "too much is told"

# --- done, as it was said, and nothing else ---

run sysprep --verbose "$WORK/src"
expect_exit 0
expect_silent
diff <(sort "$WORK/dry") <(sort "$WORK/out") >"$WORK/diff" || fail "done is not what was said: $(<"$WORK/diff")"
listing "$WORK/src" "$WORK/after"
expect_eq "left behind" "$(grep -c "left over" <(inside "$WORK/src" 'grep -rl "left over" etc root home srv tmp var' || true))" 0
# Names that are gone are those that were told, or below them.
names() {
	sed "s/^b\\(['\"].*['\"]\\) [0-9]* .*/\\1/" "$1" | sort
}
comm -23 <(names "$WORK/before") <(names "$WORK/after") | sed "s/^['\"]//; s/['\"]$//" >"$WORK/gone"
[[ $(wc -l <"$WORK/gone") -gt 10040 ]] || fail "little is gone"
sed -n 's/.*: remove \//\//p' "$WORK/dry" >"$WORK/told"
python3 - "$WORK/gone" "$WORK/told" <<'EOP' || fail "more is gone than was told"
import sys
told = [line.rstrip("\n") for line in open(sys.argv[2])]
files, trees = {t for t in told if not t.endswith("/")}, tuple(t for t in told if t.endswith("/"))
for line in open(sys.argv[1]):
    name = "/" + line.rstrip("\n").replace("\\n", "?").replace("\\x1b", "?")
    if name not in files and not (name + "/").startswith(trees):
        sys.exit(print(name))
EOP
expect_eq "new names" "$(comm -13 <(names "$WORK/before") <(names "$WORK/after"))" ""
expect_eq wtmp "$(stat -c '%s %a %g' "$WORK/src/var/log/wtmp")" "0 664 $(host_id 43)"
expect_eq ifcfg "$(inside "$WORK/src" 'cat etc/sysconfig/network-scripts/ifcfg-eth0')" DEVICE=eth0
inside "$WORK/src" 'test -e srv/kept -a -e var/lib/cloud/seed/s -a -d tmp -a -d var/log/journal -a -e var/spool/cron/.SEQ
	grep -q left var/cache/apt/archives/lock' || fail "too much is gone"
run sysprep "$WORK/src"
expect_exit 0
expect_silent
expect_out ""

# --- a clone is a whole system: all kinds of keys ---

run vmrun "$WORK/src" -- sh -c 'ls /etc/ssh; test -f /etc/machine-id -a ! -s /etc/machine-id; stat -c %a:%u /tmp /root'
expect_exit 0
expect_out $'sshd_config\n1777:0\n700:0'
for name in one two; do
	run "$VMRUN" rootfs clone "$WORK/src" "$WORK/$name"
	expect_exit 0
	expect_silent
	grep -qx '[0-9a-f]\{32\}' "$WORK/$name/etc/machine-id" || fail "no machine-id"
	cut -d ' ' -f -2 "$WORK/$name"/etc/ssh/ssh_host_{rsa,ecdsa,ed25519}_key.pub \
		"$WORK/$name/etc/machine-id" >>"$WORK/identities"
done
expect_eq "different identities" "$(sort -u "$WORK/identities" | wc -l)" 8
as_guest_owner rm -rf "$WORK"/{one,two}

# --- accounts, on request ---

run sysprep --enable user-account --keep-user-accounts ann --dry-run "$WORK/src"
expect_exit 0
cp "$WORK/out" "$WORK/dry"
run sysprep --enable user-account --keep-user-accounts ann --verbose "$WORK/src"
expect_exit 0
diff "$WORK/dry" "$WORK/out" || fail "accounts: done is not what was said"
expect_eq people "$(inside "$WORK/src" 'cut -d : -f 1 etc/passwd etc/shadow etc/group | grep -xE "ann|bob|evil"; ls home')" \
	$'ann\nann\nann\nbob\nann\nevil-looking'
run sysprep --enable user-account --remove-user-accounts ann,nobody-known "$WORK/src"
expect_exit 1
expect_err "there is no user 'nobody-known'"
expect_eq homes "$(ls "$WORK/src/home")" evil-looking
as_guest_owner rm -rf "$WORK/src"

# --- hostile ones: nothing outside is touched, nothing blocks ---

hostile=$WORK/hostile
mkdir -p "$hostile"/{bin,etc,root,var/lib,home,srv}
cd "$hostile"
ln -s / var/log
ln -s "$outside/tmp" var/tmp
ln -s ../../../../../../../../../../.."$outside/log" var/crash
ln -s "$outside/tmp" tmp
ln -s "$outside" home/link
mkfifo root/.bash_history etc/machine-id etc/passwd etc/hosts~
mkdir -p etc/krb5.keytab/x etc/passwd-/x root/.zsh_history home/ann/.bash_history
ln -s "$outside/history" root/.python_history
ln "$outside/history" root/.lesshst 2>/dev/null || cp "$outside/history" root/.lesshst
mkdir -p var/spool/mail var/cache/apt/archives
ln -s "$outside/log" var/spool/mail/link
ln -s "$outside/history" etc/x.bak
cd "$OLDPWD"
listing "$outside" "$WORK/outside.before"
for dry in --dry-run ""; do
	run timeout 60 "$VMRUN" rootfs sysprep --enable all --verbose $dry "$hostile"
	expect_exit 1
	expect_err "'/var/log' is a symlink" "'/etc/krb5.keytab' is a directory, and left as it is" "passwd"
	outside_is_untouched
	[[ $dry ]] || break
	cp "$WORK/out" "$WORK/dry"
	cp "$WORK/err" "$WORK/dry.err"
done
diff "$WORK/dry" "$WORK/out" || fail "hostile: done is not what was said"
diff "$WORK/dry.err" "$WORK/err" || fail "hostile: other warnings than of the dry run"
