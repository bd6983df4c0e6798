#!/bin/bash
# SPDX-License-Identifier: MIT
# The disk of the base or of a volume is full: the guest gets the error at once, not vmrun,
# and what is deleted can be used again. As long as inodes run out, the same.
# as: root
. "$(dirname "$0")/../lib/e2e.sh"
. "$(dirname "$0")/../lib/hostile.sh"

first=$(stat -c %u "$BASE")
mkdir "$WORK/disk" "$WORK/base" "$WORK/volume"
mount -t tmpfs -o size=4m,nr_inodes=200 disk "$WORK/disk"
trap 'umount "$WORK/base" || true; umount "$WORK/volume" || true; umount "$WORK/disk"' EXIT
mkdir "$WORK/disk"/{upper,work,volume}
chown "$first:$first" "$WORK/disk"/{upper,work,volume}
# A base with little room: what is written to it goes to the disk.
mount -t overlay -o "lowerdir=$BASE,upperdir=$WORK/disk/upper,workdir=$WORK/disk/work" base "$WORK/base"
chown "$first:$first" "$WORK/base"
mount --bind "$WORK/disk/volume" "$WORK/volume"

fill() { # DIRECTORY OPTION...
	local dir=$1
	shift
	run vmrun --idmap="0:$first:65536" "$@" -- perl -we '
		use strict;
		my $dir = shift;
		sub expect { my ($what, $ok) = @_; die "$what: $!\n" if !$ok }
		open my $f, ">", "$dir/full" or die "$dir/full: $!";
		my $n = 0;
		while (defined(my $wrote = syswrite $f, "x" x 65536)) { $n += $wrote }
		expect("no error but", $!{ENOSPC});
		expect("too much was taken, $n", $n < 8 << 20 && $n > 1 << 20);
		expect("a directory", !mkdir("$dir/new") || 1);
		unlink "$dir/full";
		close $f;
		open $f, ">", "$dir/again" or die "again: $!";
		expect("room again", syswrite($f, "x" x 65536) == 65536);
		close $f;
		my $made = 0;
		while (open my $g, ">", "$dir/inode-$made") { close $g; last if ++$made > 1000 }
		expect("inodes without end", $made < 1000 && $!{ENOSPC});
		unlink map { "$dir/inode-$_" } 0 .. $made - 1;
		unlink "$dir/again";
		print "done\n"' "$dir"
	expect_exit 0
	expect_out "done"
	expect_silent
}

fill /root "$WORK/base"
fill /mnt -v "$WORK/volume:/mnt" --ephemeral "$BASE"

# Full before the run begins: it needs no room of its own.
head -c 100m /dev/zero >"$WORK/disk/volume/full" 2>/dev/null || true
run vmrun --idmap="0:$first:65536" "$WORK/base" -- sh -c 'head -c 100 /dev/zero >/root/file; exit 7'
expect_exit 7
expect_err "No space left on device"
