#!/bin/bash
# SPDX-License-Identifier: MIT
# --ephemeral: everything can be written, and the base stays byte for byte as it was.
. "$(dirname "$0")/../lib/e2e.sh"

# Names, types, modes, owners, sizes, times (but for access), link counts and contents.
manifest() {
	as_guest_owner find "$BASE" -printf '%P|%y|%m|%U|%G|%s|%T@|%C@|%n|%l\n' | sort
	as_guest_owner sh -c "cd $BASE && find etc usr/bin usr/share var -xdev -type f -print0 |
		sort -z | xargs -0 sha256sum"
}

manifest >"$WORK/before"
guest --ephemeral -- sh -ec '
	echo changed >>/etc/passwd
	rm -r /usr/share/doc
	mv /etc/hostname /etc/moved
	chmod 4777 /bin/true
	chown 33:33 /etc/issue
	mkdir /new; echo hello >/new/file
	mknod /new/node c 1 3
	setfacl -m u:33:rw /new/file
	cat /new/file'
expect_exit 0
expect_out hello
manifest >"$WORK/after"
diff "$WORK/before" "$WORK/after" || fail "the base changed"
