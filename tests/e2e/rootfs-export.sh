#!/bin/bash
# SPDX-License-Identifier: MIT
# together
# timeout: 600
# vmrun rootfs export and import of tars: the same tree comes back, the same directory gives
# the same bytes, other tars read them and are read, and nothing is left behind.
. "$(dirname "$0")/../lib/e2e.sh"
lib=$(dirname "$0")/../lib

export_root() {
	"$VMRUN" rootfs export "$@"
}

import_root() {
	"$VMRUN" rootfs import "$@"
}

# All but access times, which no archive has.
listing() { # DIR
	as_guest_owner python3 "$lib/tree-listing.py" "$1" | sed -E 's/ a-?[0-9]+ / /'
}

expect_same() { # A B [WHAT DOES NOT COUNT]
	listing "$1" | grep -vE "${3:-^$}" >"$WORK/a"
	listing "$2" | grep -vE "${3:-^$}" >"$WORK/b"
	diff "$WORK/a" "$WORK/b" >"$WORK/diff" || fail "the trees differ: $(head -c 3000 "$WORK/diff")"
	[[ -s $WORK/a ]] || fail "nothing is listed"
}

expect_same_file() {
	cmp "$1" "$2" || fail "$1 and $2 differ"
}

gone() {
	as_guest_owner rm -rf "$@"
}

nothing_left() {
	[[ -z $(find "$WORK" -maxdepth 1 -name '.*partial*') ]] || fail "something is left behind"
}

# --- all that a file can have ---

zoo=$WORK/zoo
mkdir "$zoo"
as_guest_owner chown 1:1 "$zoo"
# In this layout the caller is nobody: as root of the subordinate ids.
chmod 755 "$WORK"
(cd "$zoo" && as_subid_owner bash -eu) <<'EOT'
	mkdir bin etc; echo content >plain; : >empty; echo n >$'new\nline\x01\xff'; echo w >"$(printf 'x%.0s' {1..255})"
	echo nfd >$'nfd-e\xcc\x81'; ln nfd* hard-é; ln -s ümlaut ö; ln -s "$(printf 't%.0s' {1..4000})" long-target
	truncate -s 10M all-hole holes; truncate -s 7 short-hole; truncate -s 1T huge
	printf data | dd of=holes bs=1 seek=3000000 conv=notrunc status=none; cp --sparse=always holes ends; printf end >>ends
	head -c 1000000 /dev/urandom >random; mkdir d; ln plain d/second; ln plain a-third; ln -s plain link; ln link link-too
	mkfifo -m 600 fifo; ln fifo fifo-too
	echo s >setuid; chown 7:8 setuid; chmod 6755 setuid; mkdir sticky setgid closed; chmod 1777 sticky
	chown 5:6 setgid; chmod 2775 setgid; echo i >setgid/inherits; echo c >closed/file; chmod 0 closed/file closed
	echo o >owned; chown 65533:60000 owned; ln -s x owned-link; chown -h 33:44 owned-link
	setfattr -n user.one -v 1 plain; setfattr -n user.empty plain; setfattr -n user.a -v a plain
	setfattr -n user.bytes -v 0x00ff0a3d random; setfattr -n user.dir -v d d; setfattr -n user.root -v r .
	setfattr -n user.big -v "$(head -c 3000 /dev/zero | tr '\0' y)" random
	setfacl -m u:61033:rw,g:61044:r,m::rw plain; mkdir acl; setfacl -d -m u:61077:rwx acl; echo d >acl/inherits; setfacl -m u:61012:x acl
	echo cap >cap; setfattr -n security.capability -v 0x0100000200200000000000000000000000000000 cap
	mkdir -p "deep/$(printf 'level/%.0s' {1..100})" "$(printf 'n%.0s' {1..200})/$(printf 'm%.0s' {1..200})"
	touch -d '1999-01-02 03:04:05.123456789' random d; touch -h -d '2001-01-01 1:1:1.000000001' link
	touch -d '1970-01-01 00:00:00 UTC' empty; touch -d 2400-01-01 fifo sticky; touch -d '2003-03-03 03:03:03.333' .
EOT
run export_root "$zoo" "$WORK/zoo.tar"
expect_exit 0
expect_silent
run import_root "$WORK/zoo.tar" "$WORK/copy"
expect_exit 0
expect_silent
expect_same "$zoo" "$WORK/copy"
grep -q "security.capability" "$WORK/a" || fail "there was no file capability"
grep -q "posix_acl_default" "$WORK/a" || fail "there was no default ACL"
[[ $(stat -c %s "$WORK/zoo.tar") -lt 3000000 ]] || fail "holes are written out"

# A directory that hands down its group and ACLs does not to what is made in it.
mkdir "$WORK/above"
chmod 2755 "$WORK/above"
setfacl -d -m u:61033:rwx,g::rwx "$WORK/above"
run import_root "$WORK/zoo.tar" "$WORK/above/copy"
expect_exit 0
expect_same "$zoo" "$WORK/above/copy"
gone "$WORK/above"

# What has been copied has other inodes, another order, and gives the same bytes.
run export_root "$WORK/copy" "$WORK/again.tar"
expect_exit 0
expect_same_file "$WORK/zoo.tar" "$WORK/again.tar"
gone "$WORK/copy"
run "$VMRUN" rootfs clone --keep-identity "$zoo" "$WORK/copy"
expect_exit 0
run export_root --force "$WORK/copy" "$WORK/again.tar"
expect_exit 0
expect_same_file "$WORK/zoo.tar" "$WORK/again.tar"
gone "$WORK/copy"
for format in tar.gz tar.xz tar.zst; do
	for i in 1 2; do
		run export_root "$zoo" "$WORK/$i.$format"
		expect_exit 0
	done
	expect_same_file "$WORK/1.$format" "$WORK/2.$format"
	run import_root "$WORK/1.$format" "$WORK/copy"
	expect_exit 0
	expect_same "$zoo" "$WORK/copy"
	gone "$WORK/copy"
done
export_root "$zoo" "$WORK/1.tgz"
expect_same_file "$WORK/1.tgz" "$WORK/1.tar.gz"
export_root --format=tar "$zoo" - | cmp - "$WORK/zoo.tar" || fail "standard output differs"
rm "$WORK"/{1,2}.*

# --- other tars ---

owner_tar() {
	as_subid_owner tar --acls --xattrs --xattrs-include='*' --numeric-owner "$@"
}
mkdir -m 777 "$WORK/other"
run owner_tar -C "$WORK/other" --no-overwrite-dir -xpf "$WORK/zoo.tar" --exclude=.
! grep -v "Ignoring unknown extended header keyword 'hdrcharset'\|in the future\|Cannot\|errors\|failure" "$WORK/err" || fail "tar complains"
listing "$WORK/other" | tail -n +2 >"$WORK/b"
listing "$zoo" | tail -n +2 | diff - "$WORK/b" >"$WORK/diff" || fail "tar reads another tree: $(head -c 2000 "$WORK/diff")"
gone "$WORK/other"
owner_tar --format=pax -S -C "$zoo" -cf - . >"$WORK/other.tar" || fail "tar --format=pax"
run import_root "$WORK/other.tar" "$WORK/copy"
expect_exit 0
# It knows no links to FIFOs. (In ACLs it has names where the host knows some.)
expect_same "$zoo" "$WORK/copy" "^b'(fifo|short-hole)"
gone "$WORK/copy"
as_subid_owner tar --format=gnu -S -C "$zoo" -cf - . 2>"$WORK/err" >"$WORK/other.tar" ||
	fail "tar --format=gnu"
run import_root "$WORK/other.tar" "$WORK/copy"
expect_exit 0
expect_eq "names" "$(listing "$WORK/copy" | cut -d ' ' -f 1,2)" "$(listing "$zoo" | cut -d ' ' -f 1,2 | sed s/100674/100664/)"
gone "$WORK/copy"
(cd "$zoo" && as_subid_owner sh -c "find . -name huge -prune -o -print0 | cpio -0 -o -H newc --quiet") \
	>"$WORK/zoo.cpio" || fail "cpio"
run import_root - "$WORK/copy" <"$WORK/zoo.cpio"
expect_exit 0
expect_eq "content of a linked file" "$(as_guest_owner cat "$WORK/copy/a-third")" content
expect_eq "names of it" "$(stat -c %h "$WORK/copy/plain")" 3
gone "$WORK/copy"

# --- a whole distribution, into another layout, and that it runs ---

run export_root "$BASE" "$WORK/base.tar"
expect_exit 0
run import_root "$WORK/base.tar" "$WORK/copy"
expect_exit 0
expect_silent
expect_same "$BASE" "$WORK/copy"
run export_root "$WORK/copy" "$WORK/again.tar" --force
expect_same_file "$WORK/base.tar" "$WORK/again.tar"
gone "$WORK/copy"
run import_root --idmap=caller --sha256="$(sha256sum "$WORK/base.tar" | cut -d ' ' -f 1)" "$WORK/base.tar" "$WORK/copy"
expect_exit 0
listing "$WORK/copy" >"$WORK/b"
as_subid_owner python3 "$lib/tree-listing.py" "$BASE" | sed -E 's/ a-?[0-9]+ / /' |
	diff - "$WORK/b" >"$WORK/diff" || fail "the trees differ: $(head -c 3000 "$WORK/diff")"
expect_eq "owner" "$(stat -c %u "$WORK/copy")" "$(id -u)"
run vmrun "$WORK/copy" -- sh -c 'stat -c %u:%g:%a /usr/bin/passwd /etc/shadow'
expect_exit 0
expect_out $'0:0:4755\n0:42:640'
gone "$WORK/copy"

# --- times ---

SOURCE_DATE_EPOCH=1000000000 run export_root --force "$zoo" "$WORK/again.tar"
expect_exit 0
tar --full-time -tvf "$WORK/again.tar" 2>/dev/null | grep -oE '[0-9]{4}-[0-9-]+ [0-9:.]+' | sort -u >"$WORK/times"
expect_eq "latest time" "$(tail -n 1 "$WORK/times")" "$(date -d @1000000000 '+%F %T')"
grep -q 1999-01-02 "$WORK/times" || fail "an earlier time is not kept"
SOURCE_DATE_EPOCH=today run export_root --force "$zoo" "$WORK/again.tar"
expect_refused "SOURCE_DATE_EPOCH: 'today'"

# --- what cannot be kept ---

caller=$WORK/caller
mkdir -p "$caller/bin"
python3 -c 'import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])' "$caller/socket"
touch "$caller/.vmrun-new-0123456789abcdef"
run export_root "$caller" "$WORK/caller.tar"
expect_exit 1
expect_err "'/socket': socket left out"
expect_eq "in it" "$(tar -tf "$WORK/caller.tar" | tr '\n' ' ')" "./ bin/ "
run import_root --idmap=single "$WORK/zoo.tar" "$WORK/copy"
expect_exit 1
expect_err "'/setuid': owner 7:8 not kept, nor that it is setuid or setgid"
expect_eq "mode without its owner" "$(stat -c %a:%u "$WORK/copy/setuid")" "755:$(id -u)"
chmod -R u+rwx "$WORK/copy"
rm -rf "$WORK/copy"

# --- ends of every kind ---

for tool in export import; do
	from=$BASE to=$WORK/end.tar.xz temp=$WORK/.end.tar.xz.vmrun-partial
	[[ $tool == export ]] || from=- to=$WORK/end temp=$WORK/.end.vmrun-partial
	for signal in TERM HUP KILL; do
		mkfifo "$WORK/pipe"
		(cat "$WORK/base.tar"; sleep 30) >"$WORK/pipe" &
		writer=$!
		"$VMRUN" rootfs $tool "$from" "$to" <"$WORK/pipe" 2>"$WORK/err" &
		pid=$!
		wait_for 20 test -e "$temp"
		below=$(descendants "$pid")
		kill -s "$signal" "$pid"
		status=0
		wait "$pid" || status=$?
		# shellcheck disable=SC2046 # one word a process
		kill "$writer" $(descendants "$writer") 2>/dev/null || true
		wait "$writer" || true
		rm "$WORK/pipe"
		expect_eq "status of $tool after $signal" "$status" $((128 + $(kill -l "$signal")))
		# shellcheck disable=SC2086
		expect_gone $below
		[[ ! -e $to ]] || fail "$tool has made something, with $signal"
		[[ $signal == KILL || ! -e $temp ]] || fail "$tool leaves something behind, with $signal"
	done
	[[ -e $temp ]] || fail "what does a kill -9 leave?"
done
run export_root "$zoo" "$WORK/end.tar.xz"
expect_exit 0
run import_root "$WORK/end.tar.xz" "$WORK/end"
expect_exit 0
nothing_left
gone "$WORK/end"
(ulimit -f 1000 && run export_root "$BASE" "$WORK/full.tar" && expect_refused "cannot write the archive: File too large") || fail "a full disk"
run "$VMRUN" rootfs export "$BASE" - >/dev/full
[[ ! -e $WORK/full.tar ]] || fail "there is a part of an archive"
nothing_left

# --- errors ---

run export_root "$zoo" "$WORK/zoo.tar"
expect_refused "'$WORK/zoo.tar' exists; --force replaces it"
run export_root "$zoo" "$WORK/zoo"
expect_refused "does not end as the name of any format does"
run export_root --format=zip "$zoo" "$WORK/x"
expect_refused "--format: 'zip' is none"
run export_root --force "$zoo" "$WORK/zoo/d" --format=tar
expect_refused "is no regular file"
run export_root "$WORK/none" "$WORK/x.tar"
expect_refused "'$WORK/none' does not exist"
run export_root "$lib" "$WORK/x.tar"
expect_refused "is no root directory"
run import_root "$WORK/zoo.tar" "$zoo"
expect_refused "'$zoo' exists"
run import_root "$WORK/none" "$WORK/x"
expect_refused "cannot open '$WORK/none'"
run import_root --format=zip "$WORK/zoo.tar" "$WORK/x"
expect_refused "--format: 'zip' is none"
run import_root --sha256="$(printf '0%.0s' {1..64})" "$WORK/zoo.tar" "$WORK/x"
expect_refused "'$WORK/zoo.tar' has the SHA-256 digest"
run import_root --sha256="$(printf '0%.0s' {1..64})" - "$WORK/x" <"$WORK/zoo.tar"
expect_refused "'standard input' has the SHA-256 digest"
nothing_left
gone "$zoo"
