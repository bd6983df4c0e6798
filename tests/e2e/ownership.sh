#!/bin/bash
# SPDX-License-Identifier: MIT
# What the guest makes is on the host what it should be: owners, modes, links, xattrs, ACLs.
. "$(dirname "$0")/../lib/e2e.sh"

copy_base "$WORK/base"
run vmrun "$WORK/base" -- sh -ec '
	mkdir /srv/t
	cd /srv/t
	for id in 0 1 33 1000 65534; do
		echo "$id" >"$id"
		chown "$id:$id" "$id"
	done
	echo x >mixed; chown 33:1000 mixed
	echo x >setuid; chmod 4755 setuid
	echo x >setgid; chown 0:33 setgid; chmod 2711 setgid
	mkdir sticky; chmod 1777 sticky
	echo x >closed; chmod 000 closed
	ln -s /etc/passwd absolute
	ln -s ../../../../outside upward
	echo x >one; ln one two
	echo x >xattr; setfattr -n user.color -v "dark blue" xattr
	echo x >acl; setfacl -m u:33:rw,g:1000:r acl
	chown -h 33:33 absolute
	umask 027; echo x >umasked
	mkdir deep; mkdir deep/er; mv one deep/er/moved; rmdir sticky
	mkdir -m 1777 sticky'
expect_exit 0
expect_silent

# In here ids are the host's less those before the base's: what the guest saw.
first=$(host_id 0)
expect_stat() { # FILE FORMAT WANTED
	expect_eq "stat of $1" "$(as_guest_owner stat -c "$2" "$WORK/base/srv/t/$1")" "$3"
}
for id in 0 1 33 1000 65534; do
	expect_eq "owner of $id" "$(stat -c %u:%g "$WORK/base/srv/t/$id")" \
		"$((first + id)):$((first + id))"
done
expect_eq "owner of mixed" "$(stat -c %u:%g "$WORK/base/srv/t/mixed")" "$((first + 33)):$((first + 1000))"
expect_stat setuid %a 4755
expect_stat setgid %a 2711
expect_stat sticky %a 1777
expect_stat closed %a 0
expect_stat umasked %a 640
expect_stat absolute %N "'$WORK/base/srv/t/absolute' -> '/etc/passwd'"
expect_stat upward %N "'$WORK/base/srv/t/upward' -> '../../../../outside'"
expect_eq "owner of the symlink" "$(stat -c %u "$WORK/base/srv/t/absolute")" "$((first + 33))"
expect_stat two %h 2
expect_eq "hard link" "$(stat -c %i "$WORK/base/srv/t/two")" \
	"$(as_guest_owner stat -c %i "$WORK/base/srv/t/deep/er/moved")"
expect_eq xattr "$(getfattr --only-values -n user.color "$WORK/base/srv/t/xattr")" "dark blue"
acl=$(as_guest_owner getfacl --omit-header --numeric --absolute-names "$WORK/base/srv/t/acl")
# The namespace that this is seen through has the caller as 0, so guest id n is n + 1.
for entry in user:34:rw- group:1001:r-- mask::rw-; do
	grep -qx "$entry" <<<"$acl" || fail "ACL lacks $entry: $acl"
done

# And back: what the host made is seen right in the guest, in another run.
as_guest_owner setfattr -n user.from -v host "$WORK/base/srv/t/xattr"
run vmrun --read-only "$WORK/base" -- sh -ec '
	cd /srv/t
	stat -c "%n %u:%g %a" 33 mixed setuid
	getfattr --only-values -n user.from xattr; echo
	getfacl --omit-header --numeric acl'
expect_exit 0
for line in '33 33:33 644' 'mixed 33:1000 644' 'setuid 0:0 4755' host user:33:rw- group:1000:r--; do
	grep -qx "$line" "$WORK/out" || fail "the guest does not see: $line"
done
