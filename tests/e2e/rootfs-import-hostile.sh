#!/bin/bash
# SPDX-License-Identifier: MIT
# together
# vmrun rootfs import: archives that were made to do harm are refused or contained: nothing
# outside changes, nothing is left behind, and nothing hangs.
. "$(dirname "$0")/../lib/e2e.sh"
lib=$(dirname "$0")/../lib

outside=$WORK/outside
tars=$WORK/tars
mkdir "$outside" "$tars" "$WORK/in"
echo secret >"$outside/secret"
chmod 777 "$outside"
python3 "$lib/hostile-tars.py" "$tars" "$outside"
before=$(stat -c '%n %a %u %s %h %y %z' "$outside" "$outside/secret")
dir=$WORK/in/dir

import() { # SRC [OPTION...]
	run timeout 60 "$VMRUN" rootfs import "${@:2}" "$1" "$dir"
}

expect_contained() { # WHAT
	expect_eq "outside, after $1" "$(stat -c '%n %a %u %s %h %y %z' "$outside" "$outside/secret")" "$before"
	expect_eq "content outside, after $1" "$(<"$outside/secret")" secret
	[[ $status -ne 125 || ! -e $dir ]] || fail "$1 was refused, and there is a directory"
	[[ $status -eq 125 || -d $dir ]] || fail "$1 made nothing, with status $status"
	[[ ! -e $dir ]] || as_guest_owner rm -rf "$dir"
	expect_eq "left behind by $1" "$(ls -A "$WORK/in")" ""
	[[ $status -ne 125 || $(wc -l <"$WORK/err") -eq 1 ]] || fail "$1 is refused in more than a line"
	! LC_ALL=C grep -q $'[\x01-\x08\x0b-\x1f\x7f]' "$WORK/err" || fail "$1 reaches the terminal"
}

n=0
for want in "$tars"/*.want; do
	name=$(basename "$want" .want)
	read -r code words <"$want"
	import "$tars/$name.tar"
	[[ $code == any || $status -eq $code ]] || fail "$name: exit status $status instead of $code"
	[[ -z $words ]] || expect_err "$words"
	[[ $status -ne 0 ]] || grep -q "no root directory that can be run" "$WORK/err" || fail "$name is no root directory"
	case $name in
	setuid) expect_eq "mode of a setuid file" "$(stat -c %a "$dir/suid")" 6755 ;;
	setuid-of-2-to-32) expect_eq "mode without its owner" "$(stat -c %a "$dir/suid")" 755 ;;
	setuid-outside-map) expect_eq "mode without its owner" "$(stat -c %a "$dir/suid")" 2755 ;;
	setuid-of-*) expect_eq "mode without its owner" "$(stat -c %a "$dir/suid")" 755 ;;
	over-hardlink) expect_eq "the other name" "$(<"$dir/f") $(<"$dir/h")" "old new" ;;
	absolute-outside) expect_eq "below the root" "$(<"$dir/$outside/evil")" evil ;;
	names) expect_eq "names" "$(find "$dir" -mindepth 1 -printf x | wc -c)" 9 ;;
	esac
	expect_contained "$name"
	n=$((n + 1))
done
[[ $n -gt 60 ]] || fail "only $n archives"

# The same as the caller's own files: no map but the caller's id.
for name in through-symlink devices setuid-outside-map dotdot names; do
	import "$tars/$name.tar" --idmap=single
	read -r code words <"$tars/$name.want"
	expect_exit "$code"
	expect_contained "$name, single"
done

# Refused before anything could be made inside.
import "$tars/whole" --idmap=0:0:1
expect_refused "newuidmap refused"
expect_contained "an id map that is not allowed"
for option in --partition=1 --kernel=/; do
	import "$tars/whole" $option
	expect_refused "is for images of disks"
	expect_contained "an option of disks"
done

# --- cut short, anywhere ---

size=$(stat -c %s "$tars/whole")
import "$tars/whole"
expect_exit 0
expect_contained "a whole archive"
for ((at = 0; at < size - 1024; at += 512)); do
	head -c "$at" "$tars/whole" >"$tars/cut"
	import "$tars/cut"
	expect_exit 125
	expect_contained "an archive of $at bytes"
done
for tool in gzip xz zstd; do
	$tool -q -c "$tars/whole" >"$tars/packed"
	size=$(stat -c %s "$tars/packed")
	for ((at = 0; at < size - 8; at += size / 5)); do
		head -c "$at" "$tars/packed" >"$tars/cut"
		import "$tars/cut"
		expect_exit 125
		expect_contained "$at bytes by $tool"
	done
done

# --- bits that are wrong ---

mkdir "$WORK/flipped"
python3 - "$tars/whole" "$tars/packed" "$WORK/flipped" <<'EOT'
import random, sys
random.seed(1)
for i in range(30):
    data = bytearray(open(sys.argv[1 + i % 2], "rb").read())
    for _ in range(random.choice((1, 1, 5))):
        data[random.randrange(len(data))] ^= 1 << random.randrange(8)
    open(f"{sys.argv[3]}/{i}", "wb").write(data)
EOT
for file in "$WORK"/flipped/*; do
	import "$file"
	[[ $status -eq 125 || $status -le 1 ]] || fail "status $status for $file"
	expect_contained "$file"
done

# --- bombs ---

import "$tars/bomb-devices"
expect_exit 1
expect_err "and 999984 more"
expect_contained "10^6 devices"
head -c 1G /dev/zero | zstd -q -1 >"$tars/zeros"
import "$tars/zeros"
expect_refused "without any file"
expect_contained "1 GiB of zeros that are no archive"
# Ten thousand times what was read, until a limit of the size of files stands for a full disk.
limited() {
	(ulimit -f 100000 && exec timeout 60 "$VMRUN" rootfs import "$@")
}
python3 - "$tars/large" <<'EOT'
import sys, tarfile
with tarfile.open(sys.argv[1], "w:gz") as out:
    entry = tarfile.TarInfo("large")
    entry.size = 1 << 30
    out.addfile(entry, open("/dev/zero", "rb"))
EOT
run limited "$tars/large" "$dir"
expect_refused "cannot write '/large': File too large"
expect_contained "1 GiB of zeros"
