#!/bin/bash
# SPDX-License-Identifier: MIT
# A base whose files are what they should not be: FIFOs that nobody writes to, sockets, links
# that lead to themselves or to the host, directories, device nodes. The command runs or is
# refused with a reason; nothing hangs, and nothing of the host's is read.
# as: root
. "$(dirname "$0")/../lib/e2e.sh"
. "$(dirname "$0")/../lib/hostile.sh"

first=$(stat -c %u "$BASE")
cp -a --reflink=auto "$BASE" "$WORK/base"
echo "canary of the host" >"$WORK/secret"
chmod 644 "$WORK/secret"

loop() { ln -s "$(basename "$1")" "$1"; }
outward() { ln -s "$WORK/secret" "$1"; }
upward() { ln -s "../../../../../../../../../../..$WORK/secret" "$1"; }
endless() { mknod -m 666 "$1" c 1 5; }
socket() { python3 -c 'import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])' "$1"; }
huge() { truncate -s 1T "$1"; }

hostile() { # FILE KIND OPTION...
	local file=$WORK/base/$1 kind=$2
	shift 2
	mv "$file" "$WORK/kept"
	$kind "$file"
	run vmrun --timeout=60s --idmap="0:$first:65536" "$@" "$WORK/base" -- sh -c \
		'for f in /etc/hosts /etc/resolv.conf /etc/passwd /etc/group; do test ! -f $f || head -c 4000 $f; done; exit 7'
	case $status in
	7) ;;
	125 | 126 | 127) [[ -s $WORK/err ]] || fail "$kind as $file: nothing is said" ;;
	*) fail "$kind as $file: exit status $status" ;;
	esac
	! grep -q canary "$WORK/out" "$WORK/err" || fail "$kind as $file: a file of the host was read"
	expect_no_control "$WORK/err"
	[[ $kind != loop ]] || say "${file#"$WORK/base/"}: $status $(head -n 1 "$WORK/err")"
	rm -rf "$file"
	mv "$WORK/kept" "$file"
}

for kind in mkfifo socket loop outward upward mkdir endless huge; do
	hostile etc/hosts $kind
	hostile etc/passwd $kind --user=root
done
for kind in mkfifo loop upward endless; do
	hostile etc/resolv.conf $kind
	hostile etc/group $kind --user=root
	hostile usr/bin/sh $kind
done

run vmrun --idmap="0:$first:65536" "$WORK/base" -- sh -c 'exit 7'
expect_exit 7
