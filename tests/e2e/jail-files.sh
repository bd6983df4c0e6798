#!/bin/bash
# SPDX-License-Identifier: MIT
# What a program in QEMU's place sees: the files that it needs, one by one, and of the
# host nothing else. The list of them is kept, and whatever the cache holds in its place
# leads to the same jail.
. "$(dirname "$0")/../lib/e2e.sh"
. "$(dirname "$0")/../lib/fake-qemu.sh"
. "$(dirname "$0")/../lib/template.sh"

guest --no-template -- true # the kernel is in the cache from here on
expect_exit 0
own_cache
kept=$XDG_CACHE_HOME/vmrun/libraries
volume=$WORK/volume
mkdir -m 777 "$volume"

# look: leaves what the lister saw in $volume.
look() {
	rm -f "$volume"/*
	run vmrun --no-template --read-only -v "$volume:/mnt" "$BASE" -- true
	expect_exit 125
	[[ $(<"$WORK/err") == "vmrun: QEMU failed (exit status 3): looked" ]] || fail "it saw nothing"
}

# As the lister tells files and the directories above them.
lines_of() { # FILE...
	local file dir
	for file; do
		echo "f $file"
		dir=${file%/*}
		while [[ -n $dir ]]; do
			echo "d $dir"
			dir=${dir%/*}
		done
	done | sort -u
}

# expect_files FILE...: these are seen, and what is in every jail.
expect_files() {
	local wanted=$WORK/wanted
	{
		printf '%s\n' "c /dev/null" "c /dev/urandom" "d /dev" "d /etc" "d /vm" \
			"d /vm/disks" "d /vm/volumes" "m /proc" "m /vm/root" "m /vm/volumes/0"
		lines_of "$@"
	} | sort -u >"$wanted"
	diff "$wanted" <(sort "$volume/files") || fail "other files are seen than those needed"
	expect_eq "environment" "$(<"$volume/environ")" ""
}

# mount_flags PATH: as the kernel says them, each between commas.
mount_flags() {
	awk -v at="$1" '$5 == at { print "," $6 "," }' "$volume/mountinfo"
}

# expect_mounts FILE...: these are mounts, as are those of every jail, with all their flags,
# and there are no others.
expect_mounts() {
	local at flag flags n=0
	while read -r at flags; do
		n=$((n + 1))
		for flag in ${flags//,/ }; do
			[[ $(mount_flags "$at") == *",$flag,"* ]] || fail "$at is not mounted $flag"
		done
	done < <(
		echo "/ ro,nosuid,nodev"
		printf '%s ro,nosuid,nodev\n' "$@"
		printf '%s nosuid,noexec\n' /dev/null /dev/urandom
		echo "/proc ro,nosuid,nodev,noexec"
		echo "/vm/root ro,nosuid,nodev,noexec"
		echo "/vm/volumes/0 rw,nosuid,nodev,noexec"
	)
	expect_eq "number of mounts" "$(wc -l <"$volume/mountinfo")" "$n"
}

# libraries PROGRAM...: what the dynamic linker loads for them.
libraries() {
	local linker program
	linker=$(patchelf --print-interpreter "$1")
	for program; do
		"$linker" --list "$program"
	done | sed -n 's/^.*[[:space:]]\(\/[^ ]*\) (0x.*/\1/p' | awk '!seen[$0]++'
}

# A program that needs no other file.
static_qemu "$WORK/static" "$here/jail-lister.c"
look
expect_files "$VMRUN_QEMU"
expect_mounts "$VMRUN_QEMU"
[[ ! -e $kept ]] || fail "the list of nothing was kept"

# The real one: its libraries, its module, its firmware.
fake_qemu "$WORK/real" <"$here/jail-lister.c"
look
programs=("$VMRUN_QEMU")
for module in "$WORK"/real/lib*/qemu/accel-tcg-x86_64.so "$WORK"/real/lib/*/qemu/accel-tcg-x86_64.so; do
	[[ ! -e $module ]] || programs+=("$module")
done
files=("${programs[@]}" /etc/ld.so.cache)
mapfile -t -O ${#files[@]} files < <(libraries "${programs[@]}")
firmware=()
for name in bios-256k kvmvapic pvh linuxboot_dma linuxboot; do
	for dir in "$WORK"/real/bin/qemu-bundle/usr/share/{qemu,seabios} "$WORK"/real/share/{qemu,seabios}; do
		[[ -e $dir/$name.bin ]] || continue
		firmware+=("$dir/$name.bin")
		break
	done
done
[[ ${#firmware[@]} -ge 3 ]] || fail "no firmware: ${firmware[*]}"
expect_files "${files[@]}" "${firmware[@]}"
expect_mounts "${files[@]}" "${firmware[@]}"

# The list of its libraries is kept, and used as long as it holds.
kept_paths() {
	tail -n +2 "$kept" | sort
}
list=$({ echo /etc/ld.so.cache && libraries "${programs[@]}"; } | sort)
expect_eq "what was kept" "$(kept_paths)" "$list"
inode=$(stat -c %i:%z "$kept")
look
expect_eq "what was kept, used" "$(stat -c %i:%z "$kept")" "$inode"
touch "$WORK/real/fake.so"
look
[[ $(stat -c %i:%z "$kept") != "$inode" ]] || fail "a library was changed, and the list kept"

# Anything else in its place: the same files, and the list is made anew.
cp "$kept" "$WORK/good"
spoilt() { # WHAT, which is in its place
	look
	expect_files "${files[@]}" "${firmware[@]}"
	[[ -f $kept && ! -L $kept ]] || fail "$1 was left in the cache"
	expect_eq "what was kept instead of $1" "$(kept_paths)" "$list"
	rm "$kept"
}
head -c 5000 /dev/urandom >"$kept"
spoilt "garbage"
: >"$kept"
spoilt "nothing"
head -n 1 "$WORK/good" >"$kept"
spoilt "an empty list"
(head -n 1 "$WORK/good"; echo /nonexistent; tail -n +2 "$WORK/good") >"$kept"
spoilt "a list with a file that does not exist"
(cat "$WORK/good"; echo "$WORK/wanted") >"$kept"
spoilt "a list with another file"
(cat "$WORK/good"; printf '%s\n' /etc ../etc/passwd /../etc/passwd "") >"$kept"
spoilt "a list with odd paths"
sed '$d' "$WORK/good" >"$kept"
spoilt "a list with one file less"
yes /etc/passwd 2>/dev/null | head -c 1000000 >"$kept" || true
spoilt "a megabyte"
mkdir "$kept"
spoilt "a directory"
mkfifo "$kept"
spoilt "a FIFO"
ln -s /etc/passwd "$kept"
spoilt "a symlink"
mkdir -p "$kept/full"
look
expect_files "${files[@]}" "${firmware[@]}"
rm -r "$kept"

# Where nothing can be kept, it is found out each time.
chmod 555 "$XDG_CACHE_HOME/vmrun"
look
look
chmod 755 "$XDG_CACHE_HOME/vmrun"
[[ ! -e $kept ]] || fail "a cache that cannot be written to was written to"

# A library that is not there is named.
patchelf --add-needed libmissing.so.7 "$VMRUN_QEMU"
run vmrun --no-template --read-only "$BASE" -- true
expect_refused "$VMRUN_QEMU" "libmissing.so.7"
