#!/bin/bash
# SPDX-License-Identifier: MIT
# Called by real root: the guest gets root's subordinate range, or the documented one
# where root has none; never the host's own ids.
# as: root
. "$(dirname "$0")/../lib/e2e.sh"

# Move the owners of $WORK/base so that the guest's root is host id $1.
give_to() {
	python3 - "$WORK/base" "$1" <<-'PY'
		import os, stat, sys
		top, first = sys.argv[1], int(sys.argv[2])
		shift = first - os.stat(top).st_uid
		for where, dirs, files in os.walk(top, topdown=False):
		    for path in [os.path.join(where, name) for name in dirs + files if name]:
		        st = os.lstat(path)
		        os.lchown(path, st.st_uid + shift, st.st_gid + shift)
		        if not stat.S_ISLNK(st.st_mode):
		            os.chmod(path, stat.S_IMODE(st.st_mode))
		os.chown(top, first, first)
	PY
}

expect_works() { # FIRST: over $WORK/base
	run vmrun "$WORK/base" -- sh -c 'stat -c %u:%g /etc/passwd; echo x >/srv/new; chown 33 /srv/new; exit 4'
	expect_exit 4
	expect_out 0:0
	expect_eq "owner of a new file" "$(stat -c %u:%g "$WORK/base/srv/new")" "$(($1 + 33)):$1"
	rm "$WORK/base/srv/new"
}

cp -a --reflink=auto "$BASE" "$WORK/base"
# This one belongs to another user's range.
run vmrun "$WORK/base" -- true
expect_refused --idmap

first=$(awk -F: '$1 == "root" || $1 == "0" { print $2; exit }' /etc/subuid)
[[ -n $first ]] || fail "root has no subordinate ids; contrib/install-deps run should have added them"
give_to "$first"
expect_works "$first"
for map in caller single 0:0:1 0:999:1; do
	run vmrun --idmap="$map" "$WORK/base" -- true
	expect_exit 125
done

# A base of the host's root is not run over the host's ids.
mkdir -p "$WORK/roots"/{bin,etc,usr/bin}
run vmrun "$WORK/roots" -- true
expect_refused root

give_to 524288
export REAL_VMRUN=$VMRUN
VMRUN=$WORK/vmrun-without-subids
cat >"$VMRUN" <<-'SCRIPT'
	#!/bin/sh
	exec unshare --mount sh -ec 'mount --bind /dev/null /etc/subuid
		mount --bind /dev/null /etc/subgid
		exec "$@"' - "$REAL_VMRUN" "$@"
SCRIPT
chmod +x "$VMRUN"
expect_works 524288
